"""Rules: a reason code, a field, and a function that returns which rows pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

Expected: TypeAlias = str | Callable[[pa.Table], pa.ChunkedArray]
"""Text of the expected value or of the source: the same for all rows, or per row of failed cells."""


@dataclass(frozen=True)
class _Rule:
    """Attributes of all rules.

    `source` names the origin of the rule: a configuration file and key, a standard, or a clause.
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
        """Return the text of the expected value for each row of failed cells."""
        return _texts(self.expected, failed)

    def source_of(self, failed: pa.Table) -> pa.ChunkedArray | pa.Array:
        """Return the text of the rule's source for each row of failed cells."""
        return _texts(self.source, failed)


def _texts(text: Expected, failed: pa.Table) -> pa.ChunkedArray | pa.Array:
    return pa.repeat(text, failed.num_rows) if isinstance(text, str) else text(failed)


@dataclass(frozen=True)
class ColumnRule(_Rule):
    """A rule over one column of the cells, checked by pandera on that column; a null result passes."""

    column: str
    holds: Callable[[pa.ChunkedArray], pa.ChunkedArray]


@dataclass(frozen=True)
class RowRule(_Rule):
    """A rule over several columns, whose result becomes a column of its own; a null result passes."""

    holds: Callable[[pa.Table], pa.ChunkedArray | pa.Array]


Rule: TypeAlias = ColumnRule | RowRule
