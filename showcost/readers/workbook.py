"""Workbooks as CSV, as a person would export them; the readers then treat them as text.

Dates become ISO dates, numbers lose the noise of binary fractions, formulas give their stored results. Of
several visible sheets the one with most of the feed's columns is the table, or else the fullest, with the
sheets of the same header; the content of the others is handed over beside it.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Final

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from showcost.config.feed import normal_header
from showcost.readers.cell_formats import SheetFormats, sheet_formats
from showcost.readers.csv.layout import Layout, Row, count_filled, find_layout, is_blank
from showcost.readers.source import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from showcost.readers.model import Hints, Limits

_WHOLE: Final = 2**53
"""Whole numbers below it are stored exactly; a longer one has an exponent, and no made-up digits."""
_SIGNIFICANT: Final = 15
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
    """The table of a workbook as UTF-8 CSV, the assumptions, and the sheets outside it."""

    path: Path
    notes: tuple[str, ...]
    others: tuple[OtherSheet, ...]


@dataclass(frozen=True)
class _ContentSheet:
    """A sheet with content: its number in the workbook, from 1 on, and its cells as text."""

    number: int
    rows: Sequence[Row]
    hints: Hints

    @cached_property
    def layout(self) -> Layout:
        return find_layout(self.rows[:_HEAD], [], self.hints)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns as headers are compared; () without a header."""
        names = [normal_header(name) for name in self.layout.columns]
        while names and not names[-1]:
            names.pop()
        return tuple(names) if self.layout.header_records else ()


def workbook_to_csv(path: Path, folder: Path, hints: Hints, limits: Limits) -> WorkbookTable:
    """Write the table of a workbook as UTF-8 CSV into `folder`.

    Raises UnreadableError for a damaged workbook, an unknown sheet, or one beyond the limits.
    """
    _refuse_bombs(path, limits)
    try:
        sheets, hidden, notes = _sheets(CalamineWorkbook.from_path(path), hints, sheet_formats(path))
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnreadableError("the workbook is damaged or protected") from error
    main = _main(sheets, hints)
    table = [sheet for sheet in sheets if sheet is main or (main.names and sheet.names == main.names)]
    bodies = [table[0].rows, *(sheet.rows[sheet.layout.first_row - 1 :] for sheet in table[1:])]
    width = max(len(row) for body in bodies for row in body)
    target = folder / "sheet.csv"
    with target.open("w", encoding="utf-8", newline="") as out:
        for body in bodies:
            _write(out, ((*row, *[""] * (width - len(row))) for row in body))
    others = [_above(sheet) for sheet in table[1:]]
    others += [_other(sheet, main) for sheet in sheets if sheet not in table]
    notes.append("places are counted in the CSV form of the sheet")
    if len(sheets) > 1:
        numbers = " and ".join(str(sheet.number) for sheet in table)
        notes.insert(0, f"of {len(sheets)} sheets with content the table is {numbers}")
    if hidden:
        notes.insert(0, f"{hidden} hidden sheets were not read")
    return WorkbookTable(target, tuple(notes), tuple(others))


def _main(sheets: Sequence[_ContentSheet], hints: Hints) -> _ContentSheet:
    """Return the sheet that is the table: with most of the feed's columns, or else the fullest."""
    if len(sheets) == 1:
        return sheets[0]
    names = frozenset(map(normal_header, hints.names))
    return max(
        sheets, key=lambda sheet: (len(names.intersection(sheet.names)), sum(map(count_filled, sheet.rows)))
    )


def _sheets(
    book: CalamineWorkbook, hints: Hints, formats: Mapping[str, SheetFormats]
) -> tuple[list[_ContentSheet], int, list[str]]:
    """Return the stated sheet, or the visible ones with content; how many hidden ones have some; notes."""
    stated = hints.sheet
    if stated is not None and stated not in book.sheet_names:
        raise UnreadableError("the workbook has no sheet of the name that the feed states")
    sheets: list[_ContentSheet] = []
    hidden, notes = 0, list[str]()
    for number, about in enumerate(book.sheets_metadata, start=1):
        if stated not in {None, about.name}:
            continue
        sheet = book.get_sheet_by_name(about.name)
        about_cells = formats.get(about.name, SheetFormats())
        rows = [
            tuple(_shown(value, about_cells, (place, column)) for column, value in enumerate(row))
            for place, row in enumerate(sheet.to_python(skip_empty_area=False))
        ]
        if all(map(is_blank, rows)):
            continue
        if stated is None and about.visible != SheetVisibleEnum.Visible:
            hidden += 1
        else:
            sheets.append(_ContentSheet(number, rows, hints))
            if about_cells.hidden_rows:
                notes.append(f"{about_cells.hidden_rows} hidden rows of sheet {number} were read")
            if about_cells.hidden_columns:
                notes.append(f"{about_cells.hidden_columns} hidden columns of sheet {number} were read")
    if not sheets:
        raise UnreadableError("the workbook has no visible sheet with content")
    return sheets, hidden, notes


def _above(sheet: _ContentSheet) -> OtherSheet:
    """Return the lines above the rows of a later sheet of the table: its repeated header."""
    return OtherSheet(_csv(sheet.rows[: sheet.layout.first_row - 1]), "", is_text=True)


def _other(sheet: _ContentSheet, table: _ContentSheet) -> OtherSheet:
    is_text = all(count_filled(row) <= 1 for row in sheet.rows)
    why = f"sheet {sheet.number} has another header than the table, sheet {table.number}"
    return OtherSheet(_csv(sheet.rows), why, is_text)


def _csv(rows: Iterable[Row]) -> bytes:
    out = io.StringIO(newline="")
    _write(out, rows)
    return out.getvalue().encode()


def _write(out: io.TextIOBase, rows: Iterable[Row]) -> None:
    csv.writer(out, lineterminator="\n").writerows(rows)


def _refuse_bombs(path: Path, limits: Limits) -> None:
    if path.stat().st_size > limits.workbook_bytes:
        raise UnreadableError(f"the workbook is larger than {limits.workbook_bytes} bytes")
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        expanded = sum(member.file_size for member in archive.infolist())
    if expanded > max(limits.expansion_floor_bytes, path.stat().st_size * limits.expansion_ratio):
        raise UnreadableError("the workbook expands beyond the limit")


def _shown(value: object, sheet: SheetFormats, place: tuple[int, int]) -> str:
    """Return a cell as text, with its currency, percentage, leading zeros or error value."""
    if (error := sheet.errors.get(place)) is not None:
        return error
    text = _text(value)
    form = sheet.formats.get(place)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return form.shown(text) if form is not None and is_number else text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return str(value)


def _number(value: float) -> str:
    """Write a stored number with the 15 significant digits that a spreadsheet keeps."""
    if value.is_integer() and abs(value) < _WHOLE:
        return str(int(value))
    number = Decimal(f"{value:.{_SIGNIFICANT}g}")
    if abs(value) >= _WHOLE:
        return str(number.normalize())
    return format(number.normalize() if number.is_finite() else number, "f")
