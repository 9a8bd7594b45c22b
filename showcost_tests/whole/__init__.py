"""End-to-end tests of a cost, from the inbox to the ledger, with and without Dagster."""
