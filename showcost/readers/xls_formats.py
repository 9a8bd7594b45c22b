"""Number formats, error values and hidden rows of workbooks of Excel 97 to 2003 (xls), for `cell_formats`."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Final

import xlrd
from xlrd.biffh import XLRDError
from xlrd.compdoc import CompDocError

from showcost.readers.cell_formats import CellFormat, SheetFormats, format_of

if TYPE_CHECKING:
    from pathlib import Path

_DAMAGED: Final = (
    *(XLRDError, CompDocError, struct.error, OSError, AssertionError, AttributeError, LookupError),
    *(NotImplementedError, RecursionError, TypeError, ValueError, ArithmeticError),
)
"""Errors of xlrd, which does not check a file before it reads it."""


def xls_formats(path: Path) -> dict[str, SheetFormats] | None:
    """Return the formats of each sheet of a workbook by its name; None if they cannot be read."""
    try:
        with xlrd.open_workbook(
            str(path), logfile=io.StringIO(), formatting_info=True, on_demand=True, ragged_rows=True
        ) as book:
            formats = [format_of(book.format_map[style.format_key].format_str) for style in book.xf_list]
            sheets: dict[str, SheetFormats] = {}
            for name in book.sheet_names():
                sheets[name] = _of_sheet(book.sheet_by_name(name), formats)
                book.unload_sheet(name)
            return sheets
    except _DAMAGED:
        return None


def _of_sheet(sheet: xlrd.sheet.Sheet, formats: list[CellFormat | None]) -> SheetFormats:
    rows, columns = sheet.rowinfo_map.items(), sheet.colinfo_map.items()
    about = SheetFormats(
        hidden_rows={at for at, row in rows if row.hidden and at < sheet.nrows},
        hidden_columns={at for at, column in columns if column.hidden and at < sheet.ncols},
    )
    for row in range(sheet.nrows):
        kinds, values = sheet.row_types(row), sheet.row_values(row)
        for column, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind == xlrd.XL_CELL_ERROR:
                about.errors[row, column] = xlrd.error_text_from_code.get(int(value), "#ERROR!")
            elif kind == xlrd.XL_CELL_NUMBER:
                form = formats[sheet.cell_xf_index(row, column)]
                if form is not None:
                    about.formats[row, column] = form
    return about
