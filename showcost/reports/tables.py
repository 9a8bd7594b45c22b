"""The tables of reports: typed columns, each with its meaning, and rows that writers turn into files.

A report makes `ReportTable`s and knows no file format; a writer (workbook, page, PDF, CSV, Parquet) turns any
of them into a file and knows no report. Rows are the details, in the order in which they are shown; `lines`
adds the subtotals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from showcost.core.errors import ShowcostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa


Cell = str | date | Decimal | int | None
"""The value of a cell."""


class ColumnType(StrEnum):
    """Type of a column, which determines how a cell is aligned, formatted and added up."""

    TEXT = "text"
    DATE = "date"
    MONEY = "money"
    """An amount in the currency of the report."""
    ORIGINAL = "original"
    """An amount in the currency named by the row's column `currency`."""
    RATE = "rate"
    PERCENT = "percent"
    """A share of 100, such as 12.5."""
    COUNT = "count"


@dataclass(frozen=True)
class ReportColumn:
    """One column of a report.

    `meaning` is its definition for an accountant, with the source. `is_summed` columns have subtotals and a
    total. `formula` gives a column as a sum of others, such as `cost_to_date + commitments` or
    `budget - efc`: true for every row and every subtotal.
    """

    name: str
    title: str
    type: ColumnType
    meaning: str
    is_summed: bool = False
    formula: str | None = None


@dataclass(frozen=True)
class ReportTable:
    """One table of a report.

    `name` is the stem of its files. `rows` has the columns' names, in their order; money is decimal128 with
    4 decimals, dates are date32. `group_by` names text columns, the outermost first: after each run of equal
    values comes a subtotal. `currency` is that of the money columns. `notes` say what a reader has to know:
    policies, and whatever could not be totalled.
    """

    name: str
    title: str
    columns: tuple[ReportColumn, ...]
    rows: pa.Table
    currency: str
    group_by: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if self.rows.column_names != names:
            raise ShowcostError(f"{self.name}: columns {self.rows.column_names} instead of {names}")

    @property
    def summed(self) -> tuple[str, ...]:
        """The names of the columns with a total, in their order."""
        return tuple(column.name for column in self.columns if column.is_summed)


DETAIL: Final = -1
"""The level of a line that is a row; subtotals have the position of their column in `group_by`."""

TOTAL: Final = -2
"""The level of the last line, the total of the table."""


@dataclass(frozen=True)
class Line:
    """A line of a table as shown: a row, a subtotal or the total.

    `first` and `last` are the positions among the rows that a subtotal or total adds up, both included.
    """

    level: int
    cells: Mapping[str, Cell]
    first: int
    last: int


def lines(table: ReportTable) -> Iterator[Line]:
    """Yield the rows with a subtotal after each group, innermost first, and the total at the end.

    Empty tables have no lines. For tables that people read, of at most some ten thousand rows.
    """
    rows = table.rows.to_pylist()
    starts = [0] * len(table.group_by)
    for position, row in enumerate(rows):
        for level in _changed(table.group_by, rows[position - 1], row) if position else ():
            yield _sum(table, rows, level, starts[level], position - 1)
            starts[level] = position
        yield Line(DETAIL, row, position, position)
    if rows:
        for level in reversed(range(len(table.group_by))):
            yield _sum(table, rows, level, starts[level], len(rows) - 1)
        yield _sum(table, rows, TOTAL, 0, len(rows) - 1)


def _changed(group_by: Sequence[str], before: Mapping[str, Cell], row: Mapping[str, Cell]) -> list[int]:
    """Return the levels whose group ends before a row, innermost first."""
    for level, name in enumerate(group_by):
        if before[name] != row[name]:
            return list(reversed(range(level, len(group_by))))
    return []


def _sum(table: ReportTable, rows: Sequence[Mapping[str, Cell]], level: int, first: int, last: int) -> Line:
    """Return the subtotal of the rows from `first` to `last`: the groups' values, and the sums."""
    kept = table.group_by[: level + 1] if level >= 0 else ()
    cells: dict[str, Cell] = {name: rows[first][name] for name in kept}
    for name in table.summed:
        numbers = [row[name] for row in rows[first : last + 1]]
        cells[name] = _added([number for number in numbers if isinstance(number, Decimal | int)])
    return Line(level, cells, first, last)


def _added(numbers: Sequence[Decimal | int]) -> Decimal | int | None:
    return sum(numbers[1:], numbers[0]) if numbers else None
