"""What a rule is: a reason code, the field it is about, and a column of who holds to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

Expected: TypeAlias = str | Callable[[pa.Table], pa.ChunkedArray]
"""What was expected, or where a rule comes from: one text, or a text per row of the cells that failed."""


@dataclass(frozen=True)
class _Rule:
    """What all rules have.

    `source` names where the rule comes from: a configuration file and key, a standard, or a clause.
    """

    code: str
    field: str
    expected: Expected
    source: Expected

    @property
    def name(self) -> str:
        """The name under which the rule is checked."""
        return f"{self.code} {self.field}"

    def expected_of(self, failed: pa.Table) -> pa.ChunkedArray | pa.Array:
        """Return the text of what was expected, for each row of cells that failed."""
        return _told(self.expected, failed)

    def source_of(self, failed: pa.Table) -> pa.ChunkedArray | pa.Array:
        """Return where the rule comes from, for each row of cells that failed."""
        return _told(self.source, failed)


def _told(text: Expected, failed: pa.Table) -> pa.ChunkedArray | pa.Array:
    return pa.repeat(text, failed.num_rows) if isinstance(text, str) else text(failed)


@dataclass(frozen=True)
class ColumnRule(_Rule):
    """A rule over one column of the cells, which pandera checks on that column; a null result passes."""

    column: str
    holds: Callable[[pa.ChunkedArray], pa.ChunkedArray]


@dataclass(frozen=True)
class RowRule(_Rule):
    """A rule over several columns: its result becomes a column of its own; a null result passes."""

    holds: Callable[[pa.Table], pa.ChunkedArray | pa.Array]


Rule: TypeAlias = ColumnRule | RowRule
