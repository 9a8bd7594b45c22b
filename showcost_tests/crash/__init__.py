"""Faults at every point of the way into the ledger, and what a restart makes of them."""
