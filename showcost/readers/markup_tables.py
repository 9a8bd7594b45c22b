"""Tables of HTML and of SpreadsheetML (XML of Excel 2003), which systems send under the name of a workbook.

The cells are read as they are shown, and the table is then handled as the sheets of a workbook are. What a
page says outside its tables is kept with the footer. Nothing is fetched: no style, no picture, no entity.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import IO, TYPE_CHECKING, Final

from lxml import etree

from showcost.readers.cell_formats import NOT_CALCULATED, CellFormat, format_of
from showcost.readers.csv.layout import count_filled
from showcost.readers.encodings import detect
from showcost.readers.sheets import ContentSheet, OtherSheet, WorkbookTable, table_of
from showcost.readers.source import UncertainEncodingError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.readers.csv.layout import Row
    from showcost.readers.model import Hints, Limits

HTML: Final = "html"
SPREADSHEETML: Final = "spreadsheetml"
_NAMESPACE: Final = "urn:schemas-microsoft-com:office:spreadsheet"
_TABLE: Final = re.compile(r"(?i)<table[\s>]")
_TABLE_END: Final = re.compile(r"(?i)</table\s*>")
_PAGE: Final = re.compile(r"(?i)\s*<(?:!doctype html|html|head|body|table|meta|style|div|!--)")
_CHARSET: Final = re.compile(rb"(?i)<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]+)")
_XML_ENCODING: Final = re.compile(rb"<\?xml[^>]{0,200}encoding\s*=\s*[\"']([\w-]+)")
_DOCUMENT_TYPE: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_HEAD: Final = 2**16
_MOST_ROWS: Final = 2**20
"""Of a worksheet."""
_MOST_CELLS: Final = 20_000_000
_LEAST: Final = 2
"""Rows with two cells that make a table: one may be there for the layout of a page."""
_HIDDEN: Final = re.compile(r"(?i)display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)")
_UNSEEN: Final = frozenset({"script", "style", "title", "xml", "template", "noscript"})
_NAMED_FORMATS: Final = {
    "Percent": "0.00%",
    "Currency": "$0.00",
    "Euro Currency": "[$\u20ac]0.00",
}
_SIGNIFICANT: Final = 15
_MOST_COLUMNS: Final = 4096
_IS_NUMBER: Final = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:E[-+]?[0-9]{1,2})?")
_SHOWN_NUMBER: Final = re.compile(r"[0-9](?:[0-9.,' \u00a0\u202f\u2019]*[0-9])?")


@dataclass
class _Grid:
    """The cells of a table so far; one that reaches over several rows or columns is in the first of them."""

    limits: Limits
    rows: list[Row] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    _current: dict[int, str] = field(default_factory=dict)
    _below: dict[int, int] = field(default_factory=dict)
    _column: int = 0
    _cells: int = 0

    def begin(self, number: int | None = None) -> None:
        """Begin a row, the next one or the one of a number from 1 on."""
        if number and not len(self.rows) < number <= _MOST_ROWS:
            raise UnreadableError("the table has two rows in one place, or too many")
        for _ in range(len(self.rows) + 1, number or 0):
            self._append(())
        self._current, self._column = {}, 0

    def add(self, text: str, across: int = 1, down: int = 1, number: int | None = None) -> None:
        """Add a cell, in the next free column or the one of a number from 1 on."""
        self._column = number - 1 if number else self._column
        while not number and self._below.get(self._column, 0):
            self._column += 1
        if self._column in self._current:
            raise UnreadableError("the table has two cells in one place")
        if self._column + across > self.limits.columns:
            raise UnreadableError(f"the table has more than {self.limits.columns} columns")
        self._current[self._column] = text
        if down > 1:
            self._below |= dict.fromkeys(range(self._column, self._column + across), down)
        self._column += across

    def next_column(self) -> int:
        """Return the next free column, from 0 on."""
        column = self._column
        while self._below.get(column, 0):
            column += 1
        return column

    def end(self, *, hidden: bool) -> None:
        """End the row."""
        if hidden:
            self.hidden_rows.add(len(self.rows))
        width = 1 + max(self._current, default=-1)
        self._append(tuple(self._current.get(column, "") for column in range(width)))

    def _append(self, row: Row) -> None:
        self._cells += 1 + len(row)
        if self._cells > _MOST_CELLS:
            raise UnreadableError(f"the table has more than {_MOST_CELLS} cells")
        self.rows.append(row)
        self._below = {column: rows - 1 for column, rows in self._below.items() if rows > 1}


def markup_kind(head: bytes) -> str:
    """Return whether the first bytes of a file are a page with a table, or SpreadsheetML; "" if neither."""
    text = head[:_HEAD].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").decode("latin-1")
    if text.startswith("<") and _NAMESPACE in text and "<Workbook" in text:
        return SPREADSHEETML
    start = re.sub(r"<\?xml[^>]*>", "", text)
    return HTML if _PAGE.match(start) and _TABLE.search(text) else ""


def markup_to_csv(path: Path, kind: str, folder: Path, hints: Hints, limits: Limits) -> WorkbookTable:
    """Write the table of a page or of SpreadsheetML as UTF-8 CSV into `folder`.

    Raises UnreadableError if there is none, and for one beyond the limits; UncertainEncodingError if a page
    does not say its encoding.
    """
    if path.stat().st_size > limits.xml_bytes:
        raise UnreadableError(f"the marked-up file is larger than {limits.xml_bytes} bytes")
    try:
        if kind == SPREADSHEETML:
            return _spreadsheetml(path, folder, hints, limits)
        return _html(path, folder, hints, limits)
    except (etree.XMLSyntaxError, ValueError, InvalidOperation) as error:
        raise UnreadableError("the markup of the file is damaged") from error


def _html(path: Path, folder: Path, hints: Hints, limits: Limits) -> WorkbookTable:
    encoding = _encoding_of(path, hints)
    target = folder / "page.html"
    text = path.read_text(encoding)
    if len(_TABLE.findall(text)) != len(_TABLE_END.findall(text)):
        raise UnreadableError("the page ends within its table")
    target.write_text(text, "utf-8")
    del text
    with target.open("rb") as stream:
        grids, outside = _grids_of_page(stream, limits)
    sheets = [
        ContentSheet(number, grid.rows, hints, frozenset(grid.hidden_rows))
        for number, grid in enumerate(grids, start=1)
    ]
    tables = [sheet for sheet in sheets if sum(count_filled(row) > 1 for row in sheet.rows) >= _LEAST]
    if not tables:
        raise UnreadableError("the file is a web page or markup, not a table")
    filled = [sheet for sheet in sheets if any(map(count_filled, sheet.rows))]
    notes = ["the delivery is a page (HTML), read as it is shown"]
    notes += [
        f"{len(grid.hidden_rows)} hidden rows of table {number} were read"
        for number, grid in enumerate(grids, start=1)
        if grid.hidden_rows
    ]
    table = table_of(filled, folder, hints, notes)
    return _with_text(table, outside)


def _with_text(table: WorkbookTable, outside: list[str]) -> WorkbookTable:
    text = " ".join(" ".join(outside).split())
    if not text:
        return table
    kept = OtherSheet(('"' + text.replace('"', '""') + '"\n').encode(), "", is_text=True)
    return replace(table, others=(*table.others, kept))


def _encoding_of(path: Path, hints: Hints) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    stated = _CHARSET.search(head) or _XML_ENCODING.search(head)
    name = hints.encoding or (stated[1].decode() if stated else "")
    if name:
        try:
            known = codecs.lookup(name).name
        except LookupError as error:
            raise UncertainEncodingError("the page states an encoding that is not known") from error
        return "cp1252" if known == "iso8859-1" else known
    detected = detect(path, hints.languages, may_be_utf8=True) if not head.isascii() else None
    if not head.isascii() and (detected is None or not detected.is_sure):
        raise UncertainEncodingError("the page does not state its encoding, and it is not certain")
    return detected.encoding if detected else "utf-8"


def _grids_of_page(stream: IO[bytes], limits: Limits) -> tuple[list[_Grid], list[str]]:
    """Return the tables of a page, and the texts outside them."""
    grids, outside = list[_Grid](), list[str]()
    events = etree.iterparse(
        stream, events=("start", "end"), html=True, encoding="utf-8", no_network=True, huge_tree=False
    )
    grid: _Grid | None = None
    for event, element in events:
        if not isinstance(element.tag, str):
            continue
        if element.tag == "table" and event == "start":
            if grid is not None:
                raise UnreadableError("the page has a table within a table")
            grid = _Grid(limits)
        elif element.tag == "table" and grid is not None:
            grids.append(grid)
            _refuse_cells(element)
            outside.append(" ".join(_seen(element)))
            _clear(element)
            grid = None
        elif element.tag == "tr" and event == "end" and grid is not None:
            _add_row(grid, element)
            _clear(element)
    root: etree._Element = events.root
    _refuse_cells(root)
    return grids, [*outside, *_seen(root)]


def _clear(element: etree._Element) -> None:
    """Forget the content of an element, and keep the text behind it."""
    element.clear(keep_tail=True)


def _refuse_cells(element: etree._Element) -> None:
    """Refuse cells that are in no row of a table: where they belong is not known."""
    if next(element.iter("td", "th"), None) is not None:
        raise UnreadableError("the page has cells outside the rows of its tables")


def _seen(element: etree._Element) -> Iterator[str]:
    stack: list[etree._Element | str] = [element]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
            continue
        for child in reversed(item):
            stack.append(child.tail or "")
            if isinstance(child.tag, str) and child.tag not in _UNSEEN:
                stack.append(child)
        yield item.text or ""


def _add_row(grid: _Grid, row: etree._Element) -> None:
    grid.begin()
    for cell in row:
        if cell.tag in {"td", "th"}:
            across, down = _span(cell.get("colspan")), _span(cell.get("rowspan"))
            grid.add(_exact(cell), across, down)
    grid.end(hidden=bool(_HIDDEN.search(row.get("style", ""))) or row.get("hidden") is not None)


def _span(text: str | None) -> int:
    return max(int(text), 1) if text and text.isdecimal() else 1


def _exact(cell: etree._Element) -> str:
    """Return the text of a cell, with all decimals of the number that a spreadsheet wrote beside it.

    Excel writes pages with `x:num="1234.56"` where a cell shows `1,235`. Dates and percentages stay as they
    are shown; a number that is no rounded form of the stored one, such as thousands, is shown with it.
    """
    text, stored = _text_of(cell), cell.get("x:num") or ""
    shown = _SHOWN_NUMBER.search(text)
    if shown is None or not _IS_NUMBER.fullmatch(stored) or _SHOWN_NUMBER.search(text, shown.end()):
        return text
    number = abs(Decimal(stored))
    for mark in (".", ","):
        whole, _, decimals = shown[0].rpartition(mark) if mark in shown[0] else (shown[0], "", "")
        if decimals and not decimals.isdecimal():
            continue
        rounded = Decimal(f"{''.join(filter(str.isdigit, whole)) or '0'}.{decimals or '0'}")
        if rounded in {number, number * 100}:
            return text
        if abs(rounded - number) * 2 <= Decimal(1).scaleb(-len(decimals)) and "%" not in text:
            return f"{text[: shown.start()]}{_number(format(number, 'f'))}{text[shown.end() :]}"
    return text if "%" in text else f"{text} ? {stored}"


def _text_of(cell: etree._Element) -> str:
    for breaking in cell.iter("br", "p", "div"):
        breaking.tail = f" {breaking.tail or ''}"
    return " ".join("".join(_seen(cell)).split())


def _spreadsheetml(path: Path, folder: Path, hints: Hints, limits: Limits) -> WorkbookTable:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if _DOCUMENT_TYPE.search(head.replace(b"\0", b"")):
        raise UnreadableError("the markup has a document type, which is not read")
    notes = ["the delivery is a workbook in XML (SpreadsheetML)"]
    sheets: list[ContentSheet] = []
    hidden = 0
    with path.open("rb") as stream:
        for number, (name, grid, is_hidden) in enumerate(_worksheets(stream, limits), start=1):
            if hints.sheet not in {None, name} or not any(map(count_filled, grid.rows)):
                continue
            if is_hidden and hints.sheet is None:
                hidden += 1
                continue
            sheets.append(
                ContentSheet(
                    number, grid.rows, hints, frozenset(grid.hidden_rows), is_hidden=is_hidden, name=name
                )
            )
            if grid.hidden_rows:
                notes.append(f"{len(grid.hidden_rows)} hidden rows of sheet {number} were read")
    if hidden:
        notes.append(f"{hidden} hidden sheets were not read")
    if not sheets:
        raise UnreadableError("the workbook has no visible sheet with content, or not the one that is stated")
    return table_of(sheets, folder, hints, notes)


def _worksheets(stream: IO[bytes], limits: Limits) -> Iterator[tuple[str, _Grid, bool]]:
    """Yield the name of each worksheet, its cells, and whether it is hidden."""
    formats: dict[str, CellFormat] = {}
    columns: dict[int, str] = {}
    grid, hidden = _Grid(limits), False
    events = etree.iterparse(
        stream, events=("end",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    for _, element in events:
        tag = str(element.tag).rpartition("}")[2]
        if tag == "Style":
            _add_style(formats, element)
        elif tag == "Column":
            _add_column(columns, element)
        elif tag == "Row":
            _add_xml_row(grid, element, formats, columns)
            element.clear()
        elif tag == "Visible":
            hidden = (element.text or "") != "SheetVisible"
        elif tag == "Worksheet":
            yield _attribute(element, "Name"), grid, hidden
            grid, hidden, columns = _Grid(limits), False, {}
            element.clear()


def _add_style(formats: dict[str, CellFormat], style: etree._Element) -> None:
    """Note the format of a style: its own, else that of the style that it derives from."""
    name, parent = _attribute(style, "ID"), formats.get(_attribute(style, "Parent"))
    if parent is not None:
        formats[name] = parent
    for child in style:
        if str(child.tag).endswith("}NumberFormat"):
            code = _attribute(child, "Format")
            form = format_of(_NAMED_FORMATS.get(code, code))
            formats.pop(name, None)
            if form is not None:
                formats[name] = form


def _add_column(columns: dict[int, str], column: etree._Element) -> None:
    """Note the style of a column, or of several, for cells without a style of their own or of their row."""
    number = _attribute(column, "Index")
    first = _index(number) - 1 if number else max(columns, default=-1) + 1
    for place in range(first, min(first + 1 + int(_attribute(column, "Span") or 0), _MOST_COLUMNS)):
        columns[place] = _attribute(column, "StyleID")


def _add_xml_row(
    grid: _Grid, row: etree._Element, formats: dict[str, CellFormat], columns: dict[int, str]
) -> None:
    number = _attribute(row, "Index")
    grid.begin(_index(number) if number else None)
    style = _attribute(row, "StyleID")
    for cell in row:
        if not str(cell.tag).endswith("}Cell"):
            continue
        place = _attribute(cell, "Index")
        column = _index(place) - 1 if place else grid.next_column()
        text = _shown(cell, formats.get(_attribute(cell, "StyleID") or style or columns.get(column, "")))
        across, down = (1 + int(_attribute(cell, name) or 0) for name in ("MergeAcross", "MergeDown"))
        grid.add(text, across, down, _index(place) if place else None)
    grid.end(hidden=_attribute(row, "Hidden") == "1")


def _index(text: str) -> int:
    number = int(text)
    if number < 1:
        raise UnreadableError("the markup of the file is damaged")
    return number


def _shown(cell: etree._Element, form: CellFormat | None) -> str:
    data = next((child for child in cell if str(child.tag).endswith("}Data")), None)
    if data is None:
        return NOT_CALCULATED if _attribute(cell, "Formula") else ""
    text = "".join(data.itertext())
    kind = _attribute(data, "Type")
    if kind == "Number":
        number = _number(text)
        return form.shown(number) if form is not None else number
    if kind == "DateTime":
        day, _, time = text.partition("T")
        time = time.removesuffix(".000")
        return day if time in {"", "00:00:00"} else f"{day} {time}"
    if kind == "Boolean":
        return "TRUE" if text == "1" else "FALSE"
    return text


def _number(text: str) -> str:
    """Write a stored number with the 15 significant digits that a spreadsheet keeps."""
    number = Decimal(text.strip())
    if not number.is_finite():
        raise UnreadableError("the markup of the file is damaged")
    if len(number.as_tuple().digits) > _SIGNIFICANT:
        number = Decimal(f"{number:.{_SIGNIFICANT - 1}e}")
    if number.adjusted() > _SIGNIFICANT - 1:
        return str(number.normalize())
    return format(number.normalize() if number else Decimal(0), "f")


def _attribute(element: etree._Element, name: str) -> str:
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")
