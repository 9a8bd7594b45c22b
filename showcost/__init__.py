"""showcost: a multi-currency cost ledger for film and television productions."""
