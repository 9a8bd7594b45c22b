"""The ledger as a whole: its daily partitions over all feeds, and the check that it is append-only."""
