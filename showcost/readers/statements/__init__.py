"""Readers of statements: a bank's CAMT.053, and a vendor's statement of account as a table.

`read_statements` is the entry point. Nothing here knows the ledger.
"""

from showcost.readers.statements.model import AccountStatement, StatementFormat, StatementLine, TableHints
from showcost.readers.statements.open import read_statements

__all__ = ["AccountStatement", "StatementFormat", "StatementLine", "TableHints", "read_statements"]
