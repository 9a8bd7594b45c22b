"""Workbooks as CSV, as a person would export them; the readers then treat them as text.

Dates become ISO dates, numbers lose the noise of binary fractions, formulas give their stored results.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from showcost.readers.cell_formats import SheetFormats, sheet_formats
from showcost.readers.csv.layout import is_blank
from showcost.readers.sheets import ContentSheet, WorkbookTable, table_of
from showcost.readers.source import UnreadableError
from showcost.readers.workbook_probe import require_readable
from showcost.readers.xls_formats import xls_formats
from showcost.readers.xlsb_formats import xlsb_formats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from python_calamine import CalamineSheet

    from showcost.readers.csv.layout import Row
    from showcost.readers.model import Hints, Limits

_NO_FORMATS: Final = "the number formats of the workbook cannot be read, nor currencies that its cells show"
_WHOLE: Final = 2**53
"""Whole numbers below it are stored exactly; a longer one has an exponent, and no made-up digits."""
_SIGNIFICANT: Final = 15


def workbook_to_csv(path: Path, folder: Path, hints: Hints, limits: Limits) -> WorkbookTable:
    """Write the table of a workbook as UTF-8 CSV into `folder`.

    Raises UnreadableError for a damaged workbook, an unknown sheet, or one beyond the limits.
    """
    _refuse_bombs(path, limits)
    require_readable(path, limits)
    try:
        formats = _formats(path)
        sheets, hidden, notes = _sheets(CalamineWorkbook.from_path(path), hints, formats or {})
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnreadableError("the workbook is damaged or protected") from error
    if formats is None:
        notes.append(_NO_FORMATS)
    if hidden:
        notes.insert(0, f"{hidden} hidden sheets were not read")
    return table_of(sheets, folder, hints, notes)


def _formats(path: Path) -> Mapping[str, SheetFormats] | None:
    """Return the formats of each sheet; None if they cannot be read."""
    if not zipfile.is_zipfile(path):
        return xls_formats(path)
    with zipfile.ZipFile(path) as archive:
        is_binary = "xl/workbook.bin" in archive.namelist()
    return xlsb_formats(path) if is_binary else sheet_formats(path)


def _sheets(
    book: CalamineWorkbook, hints: Hints, formats: Mapping[str, SheetFormats]
) -> tuple[list[ContentSheet], int, list[str]]:
    """Return the stated sheet, or the visible ones with content; how many hidden ones have some; notes."""
    stated = hints.sheet
    if stated is not None and stated not in book.sheet_names:
        raise UnreadableError("the workbook has no sheet of the name that the feed states")
    sheets: list[ContentSheet] = []
    hidden, notes = 0, list[str]()
    for number, about in enumerate(book.sheets_metadata, start=1):
        if stated not in {None, about.name}:
            continue
        sheet = book.get_sheet_by_name(about.name)
        about_cells = formats.get(about.name, SheetFormats())
        rows = list(_rows(sheet, about_cells))
        if all(map(is_blank, rows)):
            continue
        is_hidden = about.visible != SheetVisibleEnum.Visible
        if stated is None and is_hidden:
            hidden += 1
        else:
            unseen = frozenset(about_cells.hidden_rows), frozenset(about_cells.hidden_columns)
            sheets.append(ContentSheet(number, rows, hints, *unseen, is_hidden=is_hidden, name=about.name))
            for name, places in zip(("rows", "columns"), unseen, strict=True):
                if places:
                    notes.append(f"{len(places)} hidden {name} of sheet {number} were read")
            if is_hidden:
                notes.append(f"sheet {number} is hidden; it was read, as the feed names it")
    if not sheets:
        raise UnreadableError("the workbook has no visible sheet with content")
    return sheets, hidden, notes


def _rows(sheet: CalamineSheet, about: SheetFormats) -> Iterator[Row]:
    """Yield the rows of a sheet as text; few sheets have cells that show more than their value."""
    values = sheet.to_python(skip_empty_area=False)
    if not about.formats and not about.errors:
        yield from (tuple(map(_text, row)) for row in values)
        return
    # Calamine ends a sheet at its last value, and a formula that no program has calculated has none.
    widths = _widths(about)
    height = max(len(values), *(place + 1 for place in widths), 0)
    for place in range(height):
        row = values[place] if place < len(values) else []
        blank = [""] * (widths.get(place, 0) - len(row))
        yield tuple(_shown(value, about, (place, column)) for column, value in enumerate([*row, *blank]))


def _widths(about: SheetFormats) -> Mapping[int, int]:
    """Return how many cells the rows with error values have at least."""
    widths: dict[int, int] = {}
    for row, column in about.errors:
        widths[row] = max(widths.get(row, 0), column + 1)
    return widths


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
    if type(value) is str:
        return value
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
    shortest = repr(value)
    if len(shortest) <= _SIGNIFICANT + 1 and shortest[-1].isdecimal() and "e" not in shortest:
        return shortest
    number = Decimal(f"{value:.{_SIGNIFICANT}g}")
    if abs(value) >= _WHOLE:
        return str(number.normalize())
    return format(number.normalize() if number.is_finite() else number, "f")
