"""The tables of reports: typed columns, each with its meaning, and rows that writers turn into files.

A report makes `ReportTable`s and knows no file format; a writer (workbook, page, PDF, CSV, Parquet) turns any
of them into a file and knows no report. Rows are the details, in the order in which they are shown; `lines`
adds the subtotals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from showcost.core.errors import ShowcostError
from showcost.core.money import EXACT_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

CURRENCY: Final = "currency"
"""The name of the column that names the currency of a row's original amounts."""

MORE_THAN_ONE: Final = 2

_TERM: Final = re.compile(r"([+-]?)\s*([a-z_][a-z0-9_]*)")


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
    total; original amounts only where all rows have one currency. `formula` gives a column as a sum of
    others, such as `cost_to_date + commitments` or `budget - efc`: true for every row and every subtotal.
    `currency` is that of a money column in another currency than its table.
    """

    name: str
    title: str
    type: ColumnType
    meaning: str
    is_summed: bool = False
    formula: str | None = None
    currency: str = ""

    @cached_property
    def terms(self) -> tuple[tuple[int, str], ...]:
        """The terms of the formula, each a sign (1 or -1) and the name of a column; empty without one."""
        return tuple((-1 if sign == "-" else 1, name) for sign, name in _TERM.findall(self.formula or ""))


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
        named = [*self.group_by, *(name for column in self.columns for _, name in column.terms)]
        if unknown := [name for name in named if name not in names]:
            raise ShowcostError(f"{self.name}: there is no column {unknown[0]} to group by or to add")

    @property
    def by_name(self) -> dict[str, ReportColumn]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}

    def currency_of(self, column: ReportColumn) -> str:
        """Return the currency of a money column."""
        return column.currency or self.currency

    @property
    def summed(self) -> tuple[str, ...]:
        """The names of the columns with a total, in their order."""
        return tuple(column.name for column in self.columns if column.is_summed)


@dataclass(frozen=True)
class HeadlineFigure:
    """One of the few figures that come first in a report, such as the cost to date.

    `meaning` is its definition in a sentence; `currency` is that of an amount. `table` and `column` name the
    total that it is.
    """

    title: str
    value: Decimal | int
    type: ColumnType
    meaning: str
    currency: str = ""
    table: str = ""
    column: str = ""


NOT_IN_TOTALS: Final = "Not in the totals: "
"""The beginning of a note about amounts that the totals of a table leave out."""

INCOMPLETE: Final = " (incomplete)"
"""The end of the title of a column whose totals leave amounts out."""


@dataclass(frozen=True)
class Omission:
    """Amounts that the totals of some columns leave out, such as costs in a currency without a rate.

    `columns` are names; columns that a table does not have are ignored. `text` continues
    “Not in the totals: ”.
    """

    columns: tuple[str, ...]
    text: str


def incomplete(table: ReportTable, omissions: Sequence[Omission]) -> ReportTable:
    """Return a table that says what its totals leave out: in the titles, the meanings, and its first notes.

    Columns whose formula adds up an incomplete column are incomplete as well.
    """
    texts: dict[str, list[str]] = {}
    for column in table.columns:
        names = {column.name, *(name for _, name in column.terms)}
        own = [item.text for item in omissions if names.intersection(item.columns)]
        inherited = [text for name in names for text in texts.get(name, ())]
        if found := list(dict.fromkeys([*own, *inherited])):
            texts[column.name] = found
    columns = tuple(
        replace(
            column,
            title=f"{column.title}{INCOMPLETE}",
            meaning=f"{column.meaning}; without {'; '.join(texts[column.name])}",
        )
        if column.name in texts
        else column
        for column in table.columns
    )
    shown = {text for found in texts.values() for text in found}
    listed = [f"{NOT_IN_TOTALS}{item.text}." for item in omissions if item.text in shown]
    return replace(table, columns=columns, notes=(*listed, *table.notes))


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
    added = rows[first : last + 1]
    currencies = {row[CURRENCY] for row in added} if CURRENCY in table.by_name else set()
    is_mixed = len(currencies) > 1
    if len(currencies) == 1:
        cells[CURRENCY] = added[0][CURRENCY]
    for column in table.columns:
        if column.is_summed and not (is_mixed and column.type is ColumnType.ORIGINAL):
            cells[column.name] = _added([row[column.name] for row in added])
    for column in table.columns:
        if column.terms and not column.is_summed:
            cells[column.name] = formula_value(column, cells)
    return Line(level, cells, first, last)


def formula_value(column: ReportColumn, cells: Mapping[str, Cell]) -> Decimal | int | None:
    """Return the value of a column's formula over a line's cells; None if every term is empty."""
    values = [(sign, cells.get(name)) for sign, name in column.terms]
    return _added([sign * value for sign, value in values if isinstance(value, Decimal | int)])


def _added(cells: Sequence[Cell]) -> Decimal | int | None:
    """Return the sum of the numbers among cells, exact; None if there is none."""
    numbers = [cell for cell in cells if isinstance(cell, Decimal | int)]
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return sum(numbers[1:], numbers[0]) if numbers else None


def totals(table: ReportTable) -> dict[str, Cell]:
    """Return the cells of the table's total line, without its lines: also for millions of rows."""
    cells: dict[str, Cell] = {}
    currencies = pc.count_distinct(table.rows.column(CURRENCY)).as_py() if CURRENCY in table.by_name else 1
    for column in table.columns:
        if column.is_summed and (column.type is not ColumnType.ORIGINAL or currencies < MORE_THAN_ONE):
            cells[column.name] = _column_sum(table.rows.column(column.name))
    for column in table.columns:
        if column.terms and not column.is_summed:
            cells[column.name] = formula_value(column, cells)
    return cells


def totals_by_currency(table: ReportTable) -> dict[str, dict[str, Cell]]:
    """Return the sums of the summed original amounts, per column and currency."""
    columns = [column for column in table.columns if column.is_summed and column.type is ColumnType.ORIGINAL]
    if not columns or CURRENCY not in table.by_name:
        return {}
    cells = table.rows.column(CURRENCY)
    currencies = sorted(name for name in pc.unique(cells).to_pylist() if name is not None)
    return {
        column.name: {
            currency: _column_sum(table.rows.column(column.name).filter(pc.equal(cells, currency)))
            for currency in currencies
        }
        for column in columns
    }


def _column_sum(cells: pa.ChunkedArray) -> Decimal | int | None:
    """Return the exact sum of a column; None without a number."""
    number: Decimal | int | None = pc.sum(cells).as_py()
    return number


def per_currency(table: ReportTable) -> list[ReportTable]:
    """Return a table for each currency, if a table is grouped by currency first and has several.

    Each has the name and title of the table with the currency, and its rows in their order.
    """
    if table.group_by[:1] != (CURRENCY,):
        return []
    cells = table.rows.column(CURRENCY)
    currencies = [currency for currency in pc.unique(cells).to_pylist() if currency is not None]
    if len(currencies) < MORE_THAN_ONE:
        return []
    return [
        replace(
            table,
            name=f"{table.name}_{currency.lower()}",
            title=f"{table.title}, {currency}",
            rows=table.rows.filter(pc.equal(cells, currency)),
        )
        for currency in sorted(currencies)
    ]
