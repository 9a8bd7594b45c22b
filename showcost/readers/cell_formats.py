"""Number formats of workbook cells: a currency, a percentage, leading zeros; error values and hidden rows.

The stored value of a cell is only half of what a person sees: `12` may be shown as `$12.00`, and `0.19` as
`19%`. A currency that the row does not have must not disappear, so cells are written with it, as in a CSV.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from decimal import Decimal
from posixpath import join, normpath
from typing import IO, TYPE_CHECKING, Final

from lxml import etree

from showcost.values.symbols import known_symbols

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCALE_SYMBOL: Final = re.compile(r"\[\$([^\]-]+)(?:-[0-9A-Fa-f]+)?\]")
_NOT_SHOWN: Final = re.compile(r"\[[^\]]*\]|[_*].")
_SIGN: Final = re.compile("[A-Z]{0,3}[$\u00a3\u20ac\u00a5\u20a0-\u20bf]")
_WORD: Final = re.compile(r"[^\W\d_]+\.?")
_DATE_LETTERS: Final = frozenset({"E", "G"})
"""Letters of exponents and eras, which are no currencies."""
_NUMBER_SECTIONS: Final = 3
"""Sections of a format for numbers; a fourth one is for text."""
_PLACES: Final = re.compile(r"[0#?](?:[0#?.,/ ]*[0#?])?")
"""The digits of a number in a format."""
_UNQUOTED: Final = str.maketrans("", "", '"\\')
_UNITS: Final = frozenset(
    [
        *("k", "m", "mn", "mm", "mio", "mill", "bn", "mrd", "t", "td", "tsd", "thousand", "million"),
        *("p", "c", "ct", "cent", "cents", "pence"),
    ]
)
"""Parts and multiples of a currency that a format may show after a number without dividing it."""
_CURRENCY_IDS: Final = frozenset((5, 6, 7, 8, 42, 44))
"""Formats with a dollar sign, which a workbook need not list."""
_PERCENT_IDS: Final = frozenset((9, 10))
"""Formats 0% and 0.00%, which a workbook need not list."""
_MARKS: Final = (b't="e"', b'hidden="1"', b'hidden="true"', b"<f")
NOT_CALCULATED: Final = "#FORMULA!"
_MOST_REPEATED: Final = 100_000
_MOST_COLUMNS: Final = 4096
_LAST_COLUMN: Final = 2**14
_MOST_PARENTS: Final = 8


@dataclass(frozen=True)
class CellFormat:
    """The parts of a format that change the meaning of a number.

    `flipped` says that it shows positive numbers as negative ones, `unit` has what it shows after a number,
    such as `m` for millions and `p` for pence.
    """

    currency: str = ""
    percent: bool = False
    digits: int = 0
    flipped: bool = False
    unit: str = ""

    def shown(self, number: str) -> str:
        """Return a number as the cell shows it, with all its decimals."""
        if self.flipped:
            number = number.removeprefix("-") if number.startswith("-") else f"-{number}"
        if self.unit:
            number = f"{number} {self.unit}"
        if self.percent:
            return f"{(Decimal(number) * 100).normalize():f}%"
        if self.currency:
            return f"{self.currency} {number}"
        return number.zfill(self.digits) if number.isdecimal() else number


@dataclass
class SheetFormats:
    """The formats and error values of a sheet by row and column, from 0 on, and its hidden rows and columns.

    A formula that no program has calculated has the error value NOT_CALCULATED. A row that a filter leaves
    out is hidden, too.
    """

    formats: dict[tuple[int, int], CellFormat] = field(default_factory=dict)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def usual_format(number: int) -> str:
    """Return the code of a format that a workbook need not list; empty for one without interest."""
    return "0%" if number in _PERCENT_IDS else "$0" if number in _CURRENCY_IDS else ""


def format_of(code: str) -> CellFormat | None:
    """Return what a format code says about numbers; None if nothing of interest.

    A format whose sections (for negative numbers, zero, by a condition) show different currencies gives them
    all: such a cell is not an amount of any of them.
    """
    sections = code.split(";")[:_NUMBER_SECTIONS]
    shown = _NOT_SHOWN.sub("", sections[0])
    flipped, unit = _is_negative(shown), _unit_of(shown)
    found = dict.fromkeys(currency for section in sections if (currency := _currency_of(section)))
    if found:
        return CellFormat(currency="/".join(found), flipped=flipped, unit=unit)
    if "%" in shown:
        return CellFormat(percent=True)
    if flipped or unit:
        return CellFormat(flipped=flipped, unit=unit)
    return CellFormat(digits=len(shown)) if len(shown) > 1 and set(shown) == {"0"} else None


def _is_negative(shown: str) -> bool:
    """Return whether a section for positive numbers shows them with a sign, in parentheses, or as credits."""
    before, _, after = shown.partition(next(iter(_PLACES.findall(shown)), "\0"))
    texts = (before.translate(_UNQUOTED), after.translate(_UNQUOTED))
    return texts[0].strip().startswith(("-", "(")) or "CR" in _WORD.findall(" ".join(texts))


def _unit_of(shown: str) -> str:
    """Return what a section shows after a number that it does not divide; empty for anything but a unit."""
    after = shown[max((place.end() for place in _PLACES.finditer(shown)), default=len(shown)) :]
    if after.startswith(","):
        return ""
    text = after.translate(_UNQUOTED).strip()
    return text if text.rstrip(".").lower() in _UNITS else ""


def _currency_of(section: str) -> str:
    """Return the symbol or code of the currency that a section of a format shows; empty for none."""
    if stated := _LOCALE_SYMBOL.search(section):
        return stated[1].strip()
    shown = _NOT_SHOWN.sub("", section).replace('"', "").replace("\\", "")
    if sign := _SIGN.search(shown):
        return sign[0] if sign[0] in known_symbols() else sign[0][-1]
    words = _WORD.findall(shown)
    return next((word for word in words if word in known_symbols() and word not in _DATE_LETTERS), "")


def sheet_formats(path: Path) -> dict[str, SheetFormats]:
    """Return the formats of each sheet of a workbook by its name: xlsx and ods; `xls_formats` has others.

    A workbook of another structure has none.
    """
    if not zipfile.is_zipfile(path):
        return {}
    try:
        with zipfile.ZipFile(path) as book:
            names = set(book.namelist())
            if "xl/workbook.xml" in names:
                return _of_xlsx(book, names)
            return _of_ods(book) if "content.xml" in names else {}
    except (etree.XMLSyntaxError, KeyError, ValueError):
        return {}


def _of_xlsx(book: zipfile.ZipFile, names: set[str]) -> dict[str, SheetFormats]:
    styles = _styles(book) if "xl/styles.xml" in names else {}
    targets = {
        element.get("Id", ""): normpath(join("xl", element.get("Target", ""))).removeprefix("/")
        for element in _elements(book, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    sheets: dict[str, SheetFormats] = {}
    for sheet in _elements(book, "xl/workbook.xml", "sheet"):
        place = next((value for name, value in sheet.items() if name.endswith("}id")), "")
        target = targets.get(place, "").removeprefix("xl/xl/")
        member = target if target in names else f"xl/{target}"
        if member in names and (styles or any(mark in book.read(member) for mark in _MARKS)):
            sheets[sheet.get("name", "")] = _of_sheet(book, member, styles)
    return sheets


def _styles(book: zipfile.ZipFile) -> dict[str, CellFormat]:
    """Return the formats of interest by the number of the cell style."""
    codes = {
        element.get("numFmtId", ""): element.get("formatCode", "")
        for element in _elements(book, "xl/styles.xml", "numFmt")
    }
    formats: dict[str, CellFormat] = {}
    for block in _elements(book, "xl/styles.xml", "cellXfs"):
        for number, style in enumerate(block):
            listed = style.get("numFmtId", "0")
            found = format_of(codes.get(listed, usual_format(int(listed))))
            if found is not None:
                formats[str(number)] = found
    return formats


def _of_sheet(book: zipfile.ZipFile, member: str, styles: dict[str, CellFormat]) -> SheetFormats:
    sheet = SheetFormats()
    for column in _elements(book, member, "col"):
        if column.get("hidden") in {"1", "true"}:
            last = min(int(column.get("max", "1")), _LAST_COLUMN)
            sheet.hidden_columns.update(range(int(column.get("min", "1")) - 1, last))
    number = 0
    for row in _elements(book, member, "row"):
        number = int(row.get("r", number + 1))
        if row.get("hidden") in {"1", "true"}:
            sheet.hidden_rows.add(number - 1)
        for cell in row:
            place = _place(cell.get("r", ""))
            if place is None:
                continue
            values = "".join(value.text or "" for value in cell if value.tag.endswith("}v"))
            if cell.get("t") == "e":
                sheet.errors[place] = values
            elif not values and _is_not_calculated(cell):
                sheet.errors[place] = NOT_CALCULATED
            elif cell.get("t", "n") == "n" and (style := styles.get(cell.get("s", "0"))) is not None:
                sheet.formats[place] = style
    return sheet


def _is_not_calculated(cell: etree._Element) -> bool:
    """Return whether a cell is a formula without a stored result; a result of type str may be empty."""
    return cell.get("t") != "str" and any(child.tag.endswith("}f") for child in cell)


def _place(reference: str) -> tuple[int, int] | None:
    """Return row and column of a reference such as B12, from 0 on."""
    match = re.fullmatch(r"([A-Z]{1,3})(\d+)", reference)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1


def _of_ods(book: zipfile.ZipFile) -> dict[str, SheetFormats]:
    styles = _OdsStyles()
    for member in ("styles.xml", "content.xml"):
        if member in book.namelist():
            with book.open(member) as stream:
                styles.read(stream)
    sheets: dict[str, SheetFormats] = {}
    for table in _elements(book, "content.xml", "table"):
        sheet = sheets[_attribute(table, "name")] = SheetFormats()
        columns = list(_ods_columns(table, styles))
        row_number = 0
        for row in table.iter("{*}table-row"):
            repeated = int(_attribute(row, "number-rows-repeated") or 1)
            hidden = _attribute(row, "visibility") in {"collapse", "filter"}
            if hidden and len(row) > 0 and repeated <= _MOST_REPEATED:
                sheet.hidden_rows.update(range(row_number, row_number + repeated))
            cells = list(_ods_cells(row, styles, columns))
            for extra in range(repeated if cells and repeated <= _MOST_REPEATED else 0):
                for column, form, error in cells:
                    place = (row_number + extra, column)
                    if error:
                        sheet.errors[place] = error
                    elif form is not None:
                        sheet.formats[place] = form
            row_number += repeated
    return sheets


class _OdsStyles:
    """The formats of the cell styles of an open document, by name."""

    def __init__(self) -> None:
        self._formats: dict[str, CellFormat] = {}
        self._styles: dict[str, tuple[str, str]] = {}

    def read(self, stream: IO[bytes]) -> None:
        """Add the styles that come before the cells of a document."""
        names = ("number-style", "currency-style", "percentage-style", "style", "automatic-styles")
        events = etree.iterparse(
            stream, tag=[f"{{*}}{name}" for name in names], resolve_entities=False, no_network=True
        )
        for _, element in events:
            kind, name = str(element.tag).rpartition("}")[2], _attribute(element, "name")
            if kind == "automatic-styles":
                return
            if kind == "style":
                parts = (_attribute(element, "data-style-name"), _attribute(element, "parent-style-name"))
                self._styles[name] = parts
            elif (form := _ods_format(kind, element)) is not None:
                self._formats[name] = form

    def of(self, name: str) -> CellFormat | None:
        """Return the format of a cell style, its own or that of a style that it derives from."""
        for _ in range(_MOST_PARENTS):
            data, parent = self._styles.get(name, ("", ""))
            if data or not parent:
                return self._formats.get(data)
            name = parent
        return None


def _ods_format(kind: str, style: etree._Element) -> CellFormat | None:
    """Return what a style of numbers shows besides the number."""
    if kind == "percentage-style":
        return CellFormat(percent=True)
    symbol = next((child.text or "" for child in style if str(child.tag).endswith("}currency-symbol")), "")
    number = next((child for child in style if str(child.tag).endswith("}number")), None)
    if number is None:
        return None
    after = "".join(child.text or "" for child in number.itersiblings() if str(child.tag).endswith("}text"))
    unit = _unit_of(f'0"{after}"') if not _attribute(number, "display-factor") else ""
    digits = int(_attribute(number, "min-integer-digits") or 0)
    is_plain = digits > 1 and _attribute(number, "decimal-places") in {"", "0"} and not symbol and not unit
    form = CellFormat(symbol.strip(), digits=digits if is_plain else 0, unit=unit)
    return None if form == CellFormat() else form


def _ods_columns(table: etree._Element, styles: _OdsStyles) -> Iterator[CellFormat | None]:
    """Yield the format of each column, for cells that have no style of their own."""
    for column in table.iter("{*}table-column"):
        form = styles.of(_attribute(column, "default-cell-style-name"))
        for _ in range(min(int(_attribute(column, "number-columns-repeated") or 1), _MOST_COLUMNS)):
            yield form


def _ods_cells(
    row: etree._Element, styles: _OdsStyles, columns: list[CellFormat | None]
) -> Iterator[tuple[int, CellFormat | None, str]]:
    """Yield the cells of a row that show more than their value: column, format, and error value."""
    column = 0
    of_row = styles.of(_attribute(row, "default-cell-style-name"))
    for cell in row:
        repeated = int(_attribute(cell, "number-columns-repeated") or 1)
        kinds = {value for key, value in cell.items() if key.rpartition("}")[2] == "value-type"}
        form, error = None, ""
        if "error" in kinds:
            error = "".join(cell.itertext()).strip() or "#VALUE!"
        elif not kinds and _attribute(cell, "formula"):
            error = NOT_CALCULATED
        elif kinds & {"float", "currency", "percentage"}:
            style = _attribute(cell, "style-name")
            default = of_row or (columns[column] if column < len(columns) else None)
            form = styles.of(style) if style else default
            currency = _attribute(cell, "currency") if "currency" in kinds else ""
            if currency or "percentage" in kinds:
                unit, flipped = (form.unit, form.flipped) if form else ("", False)
                percent = "percentage" in kinds
                form = CellFormat(currency, percent=percent, unit=unit, flipped=flipped)
        if form is not None or error:
            yield from ((column + extra, form, error) for extra in range(min(repeated, _MOST_REPEATED)))
        column += repeated


def _attribute(element: etree._Element, name: str) -> str:
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def _elements(book: zipfile.ZipFile, member: str, tag: str) -> Iterator[etree._Element]:
    """Yield the elements of a name; each is emptied after use."""
    with book.open(member) as stream:
        yield from _parsed(stream, tag)


def _parsed(stream: IO[bytes], tag: str) -> Iterator[etree._Element]:
    events = etree.iterparse(stream, tag=f"{{*}}{tag}", resolve_entities=False, no_network=True)
    for _, element in events:
        yield element
        element.clear()
