"""Readers of statements: a bank's CAMT.053 or MT940, and a vendor's statement of account as a table.

`open.read_statements` is the entry point, `reading` reads a bank statement as a delivery. Nothing here knows
the ledger.
"""
