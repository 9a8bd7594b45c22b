"""Faults at every step from the inbox to the ledger, and the recovery from them by a restart."""
