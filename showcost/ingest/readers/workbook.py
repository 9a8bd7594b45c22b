"""From a workbook to the CSV that a person would export from it: the readers then treat it as text.

Dates become ISO dates, numbers lose the noise of binary fractions, formulas give their stored results.
"""

from __future__ import annotations

import csv
import datetime as dt
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from showcost.ingest.readers.source import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from showcost.ingest.readers.model import Limits

_WHOLE: Final = 10**15
_SIGNIFICANT: Final = 15


def to_text(path: Path, folder: Path, sheet: str | None, limits: Limits) -> tuple[Path, list[str]]:
    """Write one sheet as UTF-8 CSV into `folder`; return its path and what was assumed.

    Raises UnreadableError for a damaged workbook, an unknown sheet, or one beyond the limits.
    """
    _refuse_bombs(path, limits)
    try:
        book = CalamineWorkbook.from_path(path)
        name, notes = _choose(book, sheet)
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnreadableError("the workbook is damaged or protected") from error
    target = folder / "sheet.csv"
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        for row in rows:
            writer.writerow([_text(value) for value in row])
    return target, [*notes, "places are counted in the CSV form of the sheet"]


def _refuse_bombs(path: Path, limits: Limits) -> None:
    if path.stat().st_size > limits.workbook_bytes:
        raise UnreadableError(f"the workbook is larger than {limits.workbook_bytes} bytes")
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        expanded = sum(member.file_size for member in archive.infolist())
    if expanded > max(limits.expansion_floor_bytes, path.stat().st_size * limits.expansion_ratio):
        raise UnreadableError("the workbook expands beyond the limit")


def _choose(book: CalamineWorkbook, sheet: str | None) -> tuple[str, list[str]]:
    """Return the stated sheet, or the first visible one with content."""
    if sheet is not None:
        if sheet not in book.sheet_names:
            raise UnreadableError("the workbook has no sheet of the name that the feed states")
        return sheet, []
    visible = [m.name for m in book.sheets_metadata if m.visible == SheetVisibleEnum.Visible]
    filled = [name for name in visible if book.get_sheet_by_name(name).total_height]
    if not filled:
        raise UnreadableError("the workbook has no visible sheet with content")
    if len(filled) > 1:
        return filled[0], [f"the workbook has {len(filled)} sheets; the first one was read"]
    return filled[0], []


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
    return format(number.normalize() if number.is_finite() else number, "f")


def sheet_names(path: Path) -> Sequence[str]:
    """Return the names of the sheets of a workbook, for the person who writes the feed."""
    return CalamineWorkbook.from_path(path).sheet_names
