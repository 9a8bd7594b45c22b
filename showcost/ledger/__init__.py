"""The append-only ledger: its tables, the one way of posting to it, and its digest.

What may be posted is decided by the validation, at which rate by `showcost.fx`; reports and exports read
the ledger from outside.
"""
