"""What is said of a column of the ledger's tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column: its name, its type as DuckDB writes it, what it holds, and whether that may be nothing.

    `content` columns say what an entry is and are covered by the digest; the others say how it came in.
    """

    name: str
    type: str
    description: str
    nullable: bool = False
    content: bool = True

    @property
    def type_name(self) -> str:
        """The type as DuckDB writes it."""
        return self.type
