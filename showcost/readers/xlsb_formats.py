"""Number formats, error values and hidden rows of binary workbooks (xlsb, MS-XLSB)."""

from __future__ import annotations

import struct
import zipfile
from posixpath import join, normpath
from typing import TYPE_CHECKING, Final

from lxml import etree

from showcost.readers.cell_formats import CellFormat, SheetFormats, format_of, usual_format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROW, _NUMBER_SMALL, _ERROR, _NUMBER, _FORMULA_NUMBER, _FORMULA_ERROR = 0, 2, 3, 5, 9, 11
_FORMAT, _STYLE, _COLUMN, _SHEET = 44, 47, 60, 156
_STYLES_BEGIN, _STYLES_END = 617, 618
_ERRORS: Final = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
_HIDDEN_ROW: Final = 0x10
_FLAGS_OF_ROW: Final = 11
_MOST_COLUMNS: Final = 2**14


def xlsb_formats(path: Path) -> dict[str, SheetFormats] | None:
    """Return the formats of each sheet of a binary workbook by its name; None if they are damaged."""
    try:
        with zipfile.ZipFile(path) as book:
            names = set(book.namelist())
            targets = _targets(book)
            styles = _styles(book) if "xl/styles.bin" in names else {}
            sheets = {}
            for name, target in _sheets(book):
                member = normpath(join("xl", targets.get(target, "")))
                if member in names:
                    sheets[name] = _of_sheet(book.read(member), styles)
            return sheets
    except (etree.XMLSyntaxError, KeyError, ValueError, IndexError, struct.error, zipfile.BadZipFile):
        return None


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and the content of each record of a part."""
    place = 0
    while place < len(data):
        kind = data[place]
        place += 1
        if kind & 0x80:
            kind = kind & 0x7F | (data[place] & 0x7F) << 7
            place += 1
        size = shift = 0
        while True:
            byte = data[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        yield kind, data[place : place + size]
        place += size


def _text(data: bytes, place: int) -> tuple[str, int]:
    """Return a text of UTF-16 with its length before it, and the place after it."""
    (count,) = struct.unpack_from("<I", data, place)
    end = place + 4 + 2 * count
    return data[place + 4 : end].decode("utf-16-le"), end


def _targets(book: zipfile.ZipFile) -> dict[str, str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(book.read("xl/_rels/workbook.bin.rels"), parser)
    return {item.get("Id", ""): item.get("Target", "").removeprefix("/xl/") for item in root}


def _sheets(book: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Yield the name of each sheet, and the id of its part."""
    for kind, data in _records(book.read("xl/workbook.bin")):
        if kind == _SHEET:
            target, place = _text(data, 8)
            yield _text(data, place)[0], target


def _styles(book: zipfile.ZipFile) -> dict[int, CellFormat]:
    """Return the formats of interest by the number of the cell style."""
    codes: dict[int, str] = {}
    formats: dict[int, CellFormat] = {}
    number, is_of_cells = 0, False
    for kind, data in _records(book.read("xl/styles.bin")):
        if kind == _FORMAT:
            (listed,) = struct.unpack_from("<H", data)
            codes[listed] = _text(data, 2)[0]
        elif kind in {_STYLES_BEGIN, _STYLES_END}:
            is_of_cells = kind == _STYLES_BEGIN
        elif kind == _STYLE and is_of_cells:
            (listed,) = struct.unpack_from("<H", data, 2)
            found = format_of(codes.get(listed, usual_format(listed)))
            if found is not None:
                formats[number] = found
            number += 1
    return formats


def _of_sheet(data: bytes, styles: dict[int, CellFormat]) -> SheetFormats:
    sheet, row = SheetFormats(), 0
    for kind, content in _records(data):
        if kind == _ROW:
            (row,) = struct.unpack_from("<I", content)
            if content[_FLAGS_OF_ROW] & _HIDDEN_ROW:
                sheet.hidden_rows.add(row)
        elif kind == _COLUMN:
            first, last = struct.unpack_from("<II", content)
            if content[16] & 1:
                sheet.hidden_columns.update(range(first, min(last, _MOST_COLUMNS) + 1))
        elif kind in {_ERROR, _FORMULA_ERROR}:
            (column,) = struct.unpack_from("<I", content)
            sheet.errors[row, column] = _ERRORS.get(content[8], "#VALUE!")
        elif kind in {_NUMBER_SMALL, _NUMBER, _FORMULA_NUMBER}:
            column, style = struct.unpack_from("<II", content)
            form = styles.get(style & 0xFFFFFF)
            if form is not None:
                sheet.formats[row, column] = form
    return sheet
