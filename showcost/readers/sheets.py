"""Sheets of cells as text, from a workbook or a page, as one table in CSV.

Of several sheets the one with most of the feed's columns is the table, or else the fullest, with the sheets
of the same header; the content of the others is handed over beside it.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from showcost.config.feed import normal_header
from showcost.readers.csv.layout import Layout, Row, count_filled, find_layout
from showcost.readers.model import HiddenCells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from showcost.readers.model import Hints

_HEAD: Final = 1_000


@dataclass(frozen=True)
class OtherSheet:
    """The content of a sheet that is not in the table, as CSV, and the reason.

    With `is_text`, it cannot have rows: no line has two cells, or all lines are above the column names.
    """

    text: bytes
    why: str
    is_text: bool


@dataclass(frozen=True)
class WorkbookTable:
    """The table of a workbook as UTF-8 CSV, the assumptions, the sheets outside it, and its hidden cells.

    `sheet_names` has the names of the sheets in the table by the number of their first record.
    """

    path: Path
    notes: tuple[str, ...]
    others: tuple[OtherSheet, ...]
    hidden: HiddenCells
    sheet_names: Mapping[int, str]


@dataclass(frozen=True)
class ContentSheet:
    """A sheet with content: its number in the workbook, from 1 on, and its cells as text.

    `hidden_rows` and `hidden_columns` are numbers from 0 on.
    """

    number: int
    rows: Sequence[Row]
    hints: Hints
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    is_hidden: bool = False
    name: str = ""

    @cached_property
    def layout(self) -> Layout:
        """The layout of the sheet by its first lines."""
        return find_layout(self.rows[:_HEAD], [], self.hints)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns as headers are compared; () without a header."""
        names = [normal_header(name) for name in self.layout.columns]
        while names and not names[-1]:
            names.pop()
        return tuple(names) if self.layout.header_records else ()


def table_of(
    sheets: Sequence[ContentSheet], folder: Path, hints: Hints, notes: Sequence[str]
) -> WorkbookTable:
    """Write the table of some sheets with content as UTF-8 CSV into `folder`."""
    main = _main(sheets, hints)
    table = [sheet for sheet in sheets if sheet is main or (main.names and sheet.names == main.names)]
    firsts = [0, *(sheet.layout.first_row - 1 for sheet in table[1:])]
    bodies = [sheet.rows[first:] for sheet, first in zip(table, firsts, strict=True)]
    width = max(len(row) for body in bodies for row in body)
    target = folder / "sheet.csv"
    with target.open("w", encoding="utf-8", newline="") as out:
        for body in bodies:
            _write(out, ((*row, *[""] * (width - len(row))) for row in body))
    others = [_above(sheet) for sheet in table[1:]]
    others += [_other(sheet, main) for sheet in sheets if sheet not in table]
    notes = [*notes, "places are counted in the CSV form of the sheet"]
    if len(sheets) > 1:
        numbers = " and ".join(str(sheet.number) for sheet in table)
        notes.insert(0, f"of {len(sheets)} sheets with content the table is {numbers}")
    begins = [1, *(1 + end for end in accumulate(map(len, bodies)))]
    sheet_names = {begin: sheet.name for begin, sheet in zip(begins, table, strict=False)}
    return WorkbookTable(target, tuple(notes), tuple(others), _hidden(table, firsts), sheet_names)


def _hidden(table: Sequence[ContentSheet], firsts: Sequence[int]) -> HiddenCells:
    """Return the hidden cells of the sheets of a table, which has the rows of each from `firsts` on."""
    records: set[int] = set()
    columns: dict[range, frozenset[int]] = {}
    begin = 1
    for sheet, first in zip(table, firsts, strict=True):
        end = begin + len(sheet.rows) - first
        if sheet.is_hidden:
            records.update(range(begin, end))
        records.update(begin + row - first for row in sheet.hidden_rows if first <= row < len(sheet.rows))
        if sheet.hidden_columns:
            columns[range(begin, end)] = sheet.hidden_columns
        begin = end
    return HiddenCells(frozenset(records), columns)


def _main(sheets: Sequence[ContentSheet], hints: Hints) -> ContentSheet:
    """Return the sheet that is the table: with most of the feed's columns, or else the fullest."""
    if len(sheets) == 1:
        return sheets[0]
    names = frozenset(map(normal_header, hints.names))
    return max(
        sheets, key=lambda sheet: (len(names.intersection(sheet.names)), sum(map(count_filled, sheet.rows)))
    )


def _above(sheet: ContentSheet) -> OtherSheet:
    """Return the lines above the rows of a later sheet of the table: its repeated header."""
    return OtherSheet(_csv(sheet.rows[: sheet.layout.first_row - 1]), "", is_text=True)


def _other(sheet: ContentSheet, table: ContentSheet) -> OtherSheet:
    is_text = all(count_filled(row) <= 1 for row in sheet.rows)
    why = f"sheet {sheet.number} has another header than the table, sheet {table.number}"
    return OtherSheet(_csv(sheet.rows), why, is_text)


def _csv(rows: Iterable[Row]) -> bytes:
    out = io.StringIO(newline="")
    _write(out, rows)
    return out.getvalue().encode()


def _write(out: io.TextIOBase, rows: Iterable[Row]) -> None:
    csv.writer(out, lineterminator="\n").writerows(rows)
