"""Report tables as an Excel workbook: a sheet per table, after a sheet about the report and its meanings.

Subtotals and totals are SUBTOTAL formulas, columns with a formula are sums of their cells; each is stored
with its value. Rows of groups are outlined. The same tables give the same bytes.

Excel stores numbers as doubles of 15 digits; the CSV files beside the workbook are exact. Text is never a
formula or a link. Hidden characters are shown as marks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from itertools import chain, count
from typing import TYPE_CHECKING, Final

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from showcost.core.durable import produce_file
from showcost.core.errors import ShowcostError
from showcost.core.visible_text import visible
from showcost.reports.tables import (
    CURRENCY,
    DETAIL,
    TOTAL,
    ColumnType,
    Line,
    formula_value,
    lines,
    per_currency,
    totals,
    totals_by_currency,
)
from showcost.reports.writers.figures import decimals_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

    from showcost.reports.scope import ReportScope
    from showcost.reports.tables import Cell, HeadlineFigure, ReportColumn, ReportTable

SHEET_ROWS: Final = 1_048_576
"""The rows of an Excel sheet."""

MOST_ROWS: Final = 50_000
"""Tables with more rows are in the workbook with their totals alone, which its sheet says."""

MADE: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""A workbook must have a date, and its content has none."""

_DIGITS: Final = 15
_ENDING: Final = re.compile(r", [A-Z]{3}$")
"""The currency at the end of a title; the name of its sheet keeps it."""

_LONGEST_TEXT, _LONGEST_NAME, _OUTLINE_LEVELS = 32_767, 31, 7
_NARROWEST, _WIDEST, _WIDTH_ROWS = 10, 48, 500
_PRECISION_NOTE: Final = (
    "Excel stores numbers as doubles of 15 significant digits. The CSV files of the same tables are exact."
)


def write_workbook(
    path: Path,
    tables: Sequence[ReportTable],
    scope: ReportScope,
    *,
    headline: Sequence[HeadlineFigure] = (),
    sheet_rows: int = SHEET_ROWS,
    most_rows: int = MOST_ROWS,
) -> None:
    """Write tables as a workbook; those grouped by currency get a sheet per currency as well.

    A table with more rows than a sheet holds (`sheet_rows`) continues on further sheets.
    """
    with_currencies = [part for table in tables for part in (table, *per_currency(table))]

    def make(aside: Path) -> None:
        book = _Book(aside, scope, sheet_rows, most_rows)
        about = book.add_sheet("About")
        for table in with_currencies:
            book.write_table(table)
        _write_about(book, about, tables, headline)
        _write_definitions(book, tables)
        book.close()

    produce_file(path, make)


@dataclass(frozen=True)
class _Style:
    """The properties of a cell's format that depend on its place."""

    bold: bool = False
    top: int = 0


_PLAIN: Final = _Style()
_SUBTOTAL: Final = _Style(bold=True, top=1)
_GRAND_TOTAL: Final = _Style(bold=True, top=6)


class _Book:
    """A workbook with its formats, and the sheets written so far with their table."""

    def __init__(self, path: Path, scope: ReportScope, sheet_rows: int, most_rows: int) -> None:
        self.scope, self.sheet_rows, self.most_rows = scope, sheet_rows, most_rows
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self._book = xlsxwriter.Workbook(str(path), options)
        self._book.set_properties({"title": visible(scope.production_line), "created": MADE})
        self._book.set_calc_mode("auto")
        self._formats: dict[tuple[str, _Style], Format] = {}
        self._names: set[str] = set()
        self.contents: list[tuple[str, ReportTable, str]] = []
        """Sheet, table and remark, in order."""
        self.rounded = 0
        """Cells with more digits than Excel keeps."""
        self.header = self._book.add_format(
            {"bold": True, "bg_color": "#E8ECEF", "bottom": 1, "text_wrap": True, "valign": "vcenter"}
        )
        self.number_header = self._book.add_format(
            {"bold": True, "bg_color": "#E8ECEF", "bottom": 1, "text_wrap": True, "align": "right"}
        )
        self.title = self._book.add_format({"bold": True, "font_size": 14})
        self.wrapped = self._book.add_format({"text_wrap": True, "valign": "top"})
        self.link = self._book.add_format({"font_color": "#1F4E79", "underline": 1})

    def close(self) -> None:
        """Write the file."""
        self._book.close()

    def add_sheet(self, name: str) -> Worksheet:
        """Add a sheet, printed in landscape on one page's width, with the page's number at the foot."""
        sheet = self._book.add_worksheet(self._sheet_name(name))
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        as_of = self.scope.as_of_line.replace("&", "&&")
        sheet.set_footer(f"&L&8{self.scope.code} {as_of}&C&8&A&R&8Page &P of &N")
        return sheet

    def _sheet_name(self, name: str) -> str:
        signs = (" " if sign in "[]:*?/\\'" else sign for sign in visible(name))
        plain = " ".join("".join(signs).split()) or "Table"
        own = _ENDING.search(plain)
        ending = own[0] if own else ""
        suffixes = chain([ending], (f"{ending} ({number})" for number in count(2)))
        names = (
            _cut(plain.removesuffix(ending), _LONGEST_NAME - len(suffix)) + suffix for suffix in suffixes
        )
        unique = next(name for name in names if name.casefold() not in self._names)
        self._names.add(unique.casefold())
        return unique

    def format(self, number_format: str, style: _Style = _PLAIN) -> Format:
        """Return the format of a cell; formats are shared."""
        key = (number_format, style)
        if key not in self._formats:
            properties = {"num_format": number_format, "bold": style.bold, "top": style.top, "valign": "top"}
            self._formats[key] = self._book.add_format(properties)
        return self._formats[key]

    def write_table(self, table: ReportTable) -> None:
        """Write a table to a sheet of its own, or to several."""
        _TableSheets(self, table).write()


@cache
def _cut(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters, cut between words if it has any."""
    if len(text) <= longest:
        return text
    return (text[: longest + 1].rpartition(" ")[0] or text[:longest]).rstrip(" ,")


def _number_format(type_: ColumnType, currency: str) -> str:
    """Return Excel's format of a column's cells: negative amounts are red and in parentheses."""
    match type_:
        case ColumnType.MONEY | ColumnType.ORIGINAL:
            decimals = decimals_of(currency)
            places = ".00##" if decimals is None else f".{'0' * decimals}".rstrip(".")
            return f"#,##0{places}_);[Red]\\(#,##0{places}\\)"
        case ColumnType.RATE:
            return "0.0000######"
        case ColumnType.PERCENT:
            return '0.0#"%"_);[Red]\\(0.0#"%"\\)'
        case ColumnType.COUNT:
            return "#,##0_);[Red]\\(#,##0\\)"
        case ColumnType.DATE:
            return "yyyy-mm-dd"
        case ColumnType.TEXT:
            return "@"


@dataclass
class _Place:
    """A row of a table on a sheet."""

    sheet: int
    row: int


@dataclass
class _TableSheets:
    """The sheets of one table while they are written."""

    book: _Book
    table: ReportTable
    sheets: list[Worksheet] = field(default_factory=list)
    places: list[_Place] = field(default_factory=list)
    """Of the rows, by their position."""
    row: int = 0
    """The next free row."""

    def write(self) -> None:
        """Write the rows, subtotals and totals, then the notes."""
        self._next_sheet()
        whole = self.table.rows.num_rows <= self.book.most_rows
        for line in lines(self.table) if whole else self._total_only():
            if self.row >= self.book.sheet_rows:
                self._next_sheet()
            self._write_line(line)
            self.row += 1
        self.row += 1
        for note in self._remarks():
            if self.row < self.book.sheet_rows:
                self.sheets[-1].write_string(self.row, 0, safe_text(note))
                self.row += 1

    def _total_only(self) -> Iterator[Line]:
        """Yield the total alone, of a table with too many rows for a workbook."""
        yield Line(TOTAL, totals(self.table), 0, self.table.rows.num_rows - 1)

    def _remarks(self) -> Iterator[str]:
        if self.table.rows.num_rows > self.book.most_rows:
            yield (
                f"{self.table.rows.num_rows:,} rows are too many for a workbook: this sheet has their total,"
                f" {self.table.name}.csv has every row."
            )
        if not self.table.rows.num_rows:
            yield "No rows."
        if any(len(sums) > 1 for sums in totals_by_currency(self.table).values()):
            yield "Amounts in different currencies are not added up."
        yield from self.table.notes

    def _next_sheet(self) -> None:
        sheet = self.book.add_sheet(self.table.title)
        self.sheets.append(sheet)
        number = len(self.sheets)
        remark = "" if number == 1 else f"continued from sheet {self.sheets[number - 2].get_name()}"
        self.book.contents.append((sheet.get_name(), self.table, remark))
        sheet.write_string(0, 0, safe_text(self.table.title), self.book.title)
        sheet.write_string(1, 0, safe_text(self.book.scope.production_line))
        facts = (
            f"{self.book.scope.as_of_line}; amounts in {self.table.currency} unless a column says otherwise"
        )
        sheet.write_string(2, 0, facts if number == 1 else f"{facts}; {remark}")
        for place, column in enumerate(self.table.columns):
            header = self.book.header if column.type is ColumnType.TEXT else self.book.number_header
            sheet.write_string(4, place, safe_text(column.title), header)
            sheet.set_column(place, place, self._width(column))
        sheet.set_row(4, 30)
        sheet.freeze_panes(5, 1)
        sheet.repeat_rows(4)
        sheet.outline_settings(visible=True, symbols_below=True, symbols_right=True, auto_style=False)
        self.row = 5

    def _width(self, column: ReportColumn) -> int:
        if column.type is ColumnType.DATE:
            return 11
        if column.type is not ColumnType.TEXT:
            return 17
        cells = self.table.rows.column(column.name).slice(0, _WIDTH_ROWS).to_pylist()
        longest = max((len(str(cell)) for cell in cells if cell is not None), default=0)
        return min(max(longest + 2, len(column.title) + 2, _NARROWEST), _WIDEST)

    def _write_line(self, line: Line) -> None:
        if line.level == DETAIL:
            self.places.append(_Place(len(self.sheets) - 1, self.row))
        self._outline(line.level)
        style = {DETAIL: _PLAIN, TOTAL: _GRAND_TOTAL}.get(line.level, _SUBTOTAL)
        for place, column in enumerate(self.table.columns):
            value = self._shown(line, column, place)
            if value is not None or style.top:
                self._write_cell(line, (place, column), value, style)

    def _outline(self, level: int) -> None:
        depth = {DETAIL: len(self.table.group_by) + 1, TOTAL: 0}.get(level, level + 1)
        if self.table.group_by and depth:
            self.sheets[-1].set_row(self.row, None, None, {"level": min(depth, _OUTLINE_LEVELS)})

    def _shown(self, line: Line, column: ReportColumn, place: int) -> Cell:
        """Return the cell of a line; a subtotal is labelled in the column of its group."""
        value = line.cells.get(column.name)
        if line.level == TOTAL and place == 0 and not column.is_summed:
            return "Total"
        if line.level >= 0 and column.name == self.table.group_by[line.level]:
            return f"Total {'' if value is None else value}"
        return value

    def _write_cell(self, line: Line, at: tuple[int, ReportColumn], value: Cell, style: _Style) -> None:
        place, column = at
        sheet = self.sheets[-1]
        is_text = column.type is ColumnType.TEXT or isinstance(value, str)
        currency = (
            str(line.cells.get(CURRENCY) or "")
            if column.type is ColumnType.ORIGINAL
            else self.table.currency_of(column)
        )
        number_format = "@" if is_text else _number_format(column.type, currency)
        shown = self.book.format(number_format, style)
        match value:
            case None:
                sheet.write_blank(self.row, place, None, shown)
            case str():
                sheet.write_string(self.row, place, safe_text(value), shown)
            case date():
                sheet.write_datetime(self.row, place, value, shown)
            case _:
                self._write_number(line, at, value, shown)

    def _write_number(
        self, line: Line, at: tuple[int, ReportColumn], value: Decimal | int, shown: Format
    ) -> None:
        place, column = at
        self.book.rounded += has_more_digits(value)
        formula = self._formula(line, place, column)
        if formula is None:
            self.sheets[-1].write_number(self.row, place, value, shown)
        else:
            self.sheets[-1].write_formula(self.row, place, formula, shown, value)

    def _formula(self, line: Line, place: int, column: ReportColumn) -> str | None:
        """Return the formula of a cell, if it has one: the sum of a group, or the column's own."""
        if line.level != DETAIL and column.is_summed:
            return self._sum(line, place) if self.places else None
        if not column.terms:
            return None
        self._check_formula(line, column)
        names = [other.name for other in self.table.columns]
        return "=" + "".join(
            f"{'-' if sign < 0 else '+'}{xl_rowcol_to_cell(self.row, names.index(name))}"
            for sign, name in column.terms
        ).removeprefix("+")

    def _check_formula(self, line: Line, column: ReportColumn) -> None:
        computed = formula_value(column, line.cells)
        if computed != line.cells[column.name]:
            raise ShowcostError(
                f"{self.table.name}, row {line.first + 1}: {column.name} is {line.cells[column.name]}, but"
                f" {column.formula} is {computed}"
            )

    def _sum(self, line: Line, place: int) -> str:
        """Return SUBTOTAL over the rows of a group, which ignores the subtotals among them."""
        first, last = self.places[line.first], self.places[line.last]
        column = xl_col_to_name(place)
        parts = []
        for number in range(first.sheet, last.sheet + 1):
            start = first.row if number == first.sheet else 5
            end = last.row if number == last.sheet else self.book.sheet_rows - 1
            sheet = "" if number == len(self.sheets) - 1 else f"'{self.sheets[number].get_name()}'!"
            parts.append(f"SUBTOTAL(9,{sheet}{column}{start + 1}:{column}{end + 1})")
        return "=" + "+".join(parts)


def has_more_digits(value: Decimal | int) -> bool:
    """Return whether Excel cannot keep all digits of a number."""
    if len(str(value)) <= _DIGITS:
        return False
    digits = "".join(map(str, Decimal(value).as_tuple().digits)).strip("0")
    return len(digits) > _DIGITS


def safe_text(text: str) -> str:
    """Return a text as a cell may have it."""
    shown = visible(text)
    if len(shown) > _LONGEST_TEXT:
        shown = f"{shown[: _LONGEST_TEXT - 40]} [cut: {len(shown):,} characters]"
    # The library takes a text within these tags for XML of its own.
    return f"{shown} " if shown.startswith("<r>") and shown.endswith("</r>") else shown


def _write_about(
    book: _Book, sheet: Worksheet, tables: Sequence[ReportTable], headline: Sequence[HeadlineFigure]
) -> None:
    """Write the first sheet: the scope, the headline figures, the sheets, and the notes of all tables."""
    scope = book.scope
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 22)
    sheet.set_column(2, 2, 90)
    sheet.write_string(0, 0, safe_text(scope.production_line), book.title)
    facts = {
        "Period": scope.period_line,
        "Moment": scope.as_of_line,
        "Head of the audit log": scope.head,
        "Digest of the entries": scope.digest,
        "Entries": f"{scope.entries:,}",
        "Numbers": _PRECISION_NOTE,
    }
    if book.rounded:
        facts["Rounded by Excel"] = f"{book.rounded:,} cells have more digits than Excel keeps"
    row = 2
    for name, text in facts.items():
        sheet.write_string(row, 0, name)
        sheet.write_string(row, 1, safe_text(text))
        row += 1
    row = _write_headline(book, sheet, row + 1, headline)
    row = _write_heading(book, sheet, row + 1, ("Sheet", "Rows", "Remark"))
    for name, table, remark in book.contents:
        sheet.write_url(row, 0, f"internal:'{name}'!A1", book.link, name)
        sheet.write_number(row, 1, table.rows.num_rows, book.format("#,##0"))
        sheet.write_string(row, 2, remark)
        row += 1
    row = _write_heading(book, sheet, row + 1, ("Notes on", "", "Note"))
    for table in tables:
        for note in table.notes:
            sheet.write_string(row, 0, safe_text(table.title), book.wrapped)
            sheet.write_string(row, 2, safe_text(note), book.wrapped)
            row += 1


def _write_headline(book: _Book, sheet: Worksheet, row: int, headline: Sequence[HeadlineFigure]) -> int:
    if not headline:
        return row
    row = _write_heading(book, sheet, row, ("Figure", "Value", "Meaning"))
    for figure in headline:
        sheet.write_string(row, 0, safe_text(f"{figure.title} {figure.currency}".strip()), book.wrapped)
        number_format = _number_format(figure.type, figure.currency)
        sheet.write_number(row, 1, figure.value, book.format(number_format, _Style(bold=True)))
        sheet.write_string(row, 2, safe_text(figure.meaning), book.wrapped)
        row += 1
    return row


def _write_heading(book: _Book, sheet: Worksheet, row: int, names: Sequence[str]) -> int:
    for place, name in enumerate(names):
        sheet.write_string(row, place, name, book.header)
    return row + 1


def _write_definitions(book: _Book, tables: Sequence[ReportTable]) -> None:
    """Write the sheet with the meaning of every column."""
    sheet = book.add_sheet("Definitions")
    for place, width in enumerate((28, 28, 12, 100, 34)):
        sheet.set_column(place, place, width)
    row = _write_heading(book, sheet, 0, ("Table", "Column", "Type", "Meaning", "Formula"))
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    for table in tables:
        titles = {column.name: column.title for column in table.columns}
        for column in table.columns:
            formula = " ".join(
                f"{'-' if sign < 0 else '+'} {titles[name]}" for sign, name in column.terms
            ).removeprefix("+ ")
            texts = (table.title, column.title, column.type.value, column.meaning, formula)
            for place, text in enumerate(texts):
                sheet.write_string(row, place, safe_text(text), book.wrapped)
            row += 1
