"""Opening a delivery: from a path and hints to a reading.

Container, then encoding, then form, then layout are detected, each in a module of its own.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.config.feed import normal_header
from showcost.readers.csv.cell_types import TEXT, cell_type
from showcost.readers.csv.dialect import detect_form, records
from showcost.readers.csv.grammar import Grammar
from showcost.readers.csv.layout import Row, find_layout
from showcost.readers.csv.other_tables import OtherTables, rows_above
from showcost.readers.csv.repair import RecordRepairer
from showcost.readers.csv.table import TableContext, TableReading
from showcost.readers.datev import BookingStack, completed, read_booking_stack
from showcost.readers.fixed_width import fixed_to_csv
from showcost.readers.json_items import JsonReading
from showcost.readers.markup_tables import markup_kind, markup_to_csv
from showcost.readers.model import Dialect, HiddenCells, Hints, Limits
from showcost.readers.reading import Reading, unreadable
from showcost.readers.source import PlainText, UnreadableError, decompress, kind_of, to_plain
from showcost.readers.statements.camt053 import read_camt053
from showcost.readers.statements.mt940 import read_mt940
from showcost.readers.statements.reading import StatementReading
from showcost.readers.ubl import UblReading, looks_like_ubl, no_documents
from showcost.readers.workbook import workbook_to_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.items import ItemMapping
    from showcost.readers.csv.layout import Layout
    from showcost.readers.sheets import OtherSheet

_HEAD: Final = 2**17
_PIECE: Final = 2**16
_MOST_HEAD_RECORDS: Final = 1_000
_MOST_HEADER_RECORDS: Final = 50
_SEVERAL: Final = 3
_LIMITS: Final = Limits()
_STATEMENTS: Final = {"camt053": read_camt053, "mt940": read_mt940}
NO_HINTS: Final = Hints()
"""No hints: everything about the delivery is detected."""


def read_delivery(
    path: Path,
    *,
    format: str = "csv",  # noqa: A002 -- the word of the feeds' setting
    hints: Hints = NO_HINTS,
    items: ItemMapping | None = None,
    may_be_empty: bool = False,
    work_dir: Path | None = None,
    limits: Limits = _LIMITS,
) -> Reading:
    """Open a delivery for reading.

    `format` is what the feed expects ("csv", "xlsx" or "ubl"); the bytes decide, and a difference
    is added to the assumptions; but where e-invoices, a booking stack of DATEV ("datev") or bank statements
    ("camt053", "mt940") are expected, anything else is refused.
    With `items` the delivery is a page of JSON. One of e-invoices that `may_be_empty`, as a page of an API,
    has no records if it has no bytes; any other empty file is refused. `work_dir` is where temporary files
    may go. Content never raises: an unreadable delivery gives a reading with one rejection of the whole
    file (SC-FIL-001; SC-FIL-005 for its encoding). OSError is raised when the file cannot be opened.
    """
    folder = tempfile.TemporaryDirectory(prefix="reading-", dir=work_dir)
    size = path.stat().st_size
    try:
        if items is not None:
            return _page(path, items, limits, folder)
        if may_be_empty and format == "ubl" and not size:
            folder.cleanup()
            return no_documents()
        return _open(path, format, hints, limits, folder)
    except UnreadableError as error:
        with path.open("rb") as file:
            raw = file.read(limits.rejected_raw_bytes)
        return unreadable(str(error), size, raw, folder, code=error.code)
    except BaseException:
        folder.cleanup()
        raise


def _open(
    path: Path, expected: str, hints: Hints, limits: Limits, folder: tempfile.TemporaryDirectory[str]
) -> Reading:
    place = Path(folder.name)
    notes: list[str] = []
    others: tuple[OtherSheet, ...] = ()
    hidden, sheet_names = HiddenCells(), dict[int, str]()
    kind = kind_of(path)
    if kind in {"gzip", "zip", "zstd"}:
        path = decompress(path, kind, place, limits)
        notes.append(f"the delivery is compressed ({kind})")
        kind = kind_of(path)
    if expected in _STATEMENTS:
        return _statement(path, kind, expected, limits, folder)
    stack = _booking_stack(path, kind) if expected == "datev" else None
    if stack is not None:
        hints = stack.hints(hints)
        path, more = completed(path, place)
        notes += [f"a DATEV booking stack of {stack.period[0]} to {stack.period[1]}", *more]
    if kind == "text" and (expected == "ubl" or looks_like_ubl(_head(path))):
        return _e_invoice(path, limits, folder)
    markup, widths = markup_kind(_head(path)) if kind == "text" else "", hints.widths
    if kind == "workbook" or markup:
        to_csv = partial(markup_to_csv, path, markup) if markup else partial(workbook_to_csv, path)
        sheets = to_csv(place, hints, limits)
        text, others, hidden = sheets.path, sheets.others, sheets.hidden
        sheet_names = dict(sheets.sheet_names)
        notes.extend(sheets.notes)
        if expected != "xlsx" and not markup:
            notes.append("the delivery is a workbook, not a text file")
        hints = _as_csv(hints)
        plain = PlainText(text, text, "utf-8", sure=True, bom=0, size=text.stat().st_size)
    elif kind == "text":
        plain = to_plain(path, place, hints)
        if widths:
            plain = fixed_to_csv(plain, place, widths, limits)
            hints = _as_csv(hints)
        if expected == "xlsx":
            notes.append("the delivery is a text file, not a workbook")
    else:
        raise UnreadableError("the delivery is compressed more than once")
    reading = _table(plain, hints, limits, folder, notes, others)
    reading.period, reading.hidden = stack.period if stack else None, hidden
    reading.sheet_names = sheet_names
    reading.is_delimited = kind == "text" and not markup and not widths
    return reading


def _booking_stack(path: Path, kind: str) -> BookingStack:
    if kind != "text":
        raise UnreadableError("the file is no DATEV file (EXTF)")
    return read_booking_stack(path)


def _as_csv(hints: Hints) -> Hints:
    """Return hints for a delivery that was written as CSV by a reader."""
    return replace(hints, encoding="utf-8", delimiter=",", quote='"', escape="")


def _statement(
    path: Path, kind: str, expected: str, limits: Limits, folder: tempfile.TemporaryDirectory[str]
) -> Reading:
    """Return the reading of a bank statement."""
    if kind != "text":
        raise UnreadableError(f"the file is no bank statement ({expected})")
    if path.stat().st_size > limits.xml_bytes:
        raise UnreadableError(f"the bank statement is larger than {limits.xml_bytes} bytes")
    data = path.read_bytes()
    reading = StatementReading(_STATEMENTS[expected](data), data, expected, limits)
    folder.cleanup()
    return reading


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _e_invoice(path: Path, limits: Limits, folder: tempfile.TemporaryDirectory[str]) -> Reading:
    if path.stat().st_size > limits.xml_bytes:
        raise UnreadableError(f"the e-invoice is larger than {limits.xml_bytes} bytes")
    reading = UblReading(path.read_bytes(), limits)
    folder.cleanup()
    return reading


def _page(
    path: Path, items: ItemMapping, limits: Limits, folder: tempfile.TemporaryDirectory[str]
) -> Reading:
    kind = kind_of(path)
    if kind in {"gzip", "zip", "zstd"}:
        path = decompress(path, kind, Path(folder.name), limits)
    size = path.stat().st_size
    if size > limits.json_bytes:
        raise UnreadableError(f"{size} bytes of JSON, more than {limits.json_bytes}")
    with folder:
        return JsonReading(path.read_bytes(), items, limits)


def _table(
    plain: PlainText,
    hints: Hints,
    limits: Limits,
    folder: tempfile.TemporaryDirectory[str],
    notes: Sequence[str],
    other_sheets: tuple[OtherSheet, ...],
) -> Reading:
    pieces = _sample(plain)
    if not any(piece.strip() for piece in pieces):
        raise UnreadableError("the file has no content")
    form = detect_form(pieces, plain.encoding, hints)
    grammar = Grammar(form.delimiter, form.quote, form.escape, encoding=plain.encoding, lone_cr=form.lone_cr)
    sample = _parse(pieces, grammar, plain.encoding)
    layout = find_layout(sample.head, sample.others, hints)
    above = frozenset[int]()
    if hints.header_record is None:
        above = rows_above(sample.head, layout, hints.names, hints.skip_records or 0)
    if layout.width > limits.columns:
        raise UnreadableError(f"the table has {layout.width} columns, more than {limits.columns}")
    if any(len(name) > limits.name_characters for name in layout.columns):
        raise UnreadableError(f"the first line has a name of more than {limits.name_characters} characters")
    dialect = Dialect(
        plain.wide or plain.encoding,
        plain.sure,
        form.delimiter,
        form.quote,
        form.escape,
        form.newlines,
        layout.header_records,
        (),
        (),
        layout.columns,
        layout.header_sure,
        form.confidence,
        (*notes, *plain.notes, *form.notes, *layout.assumptions),
    )
    rows = [
        layout.completed(row)
        for row in (*sample.head[layout.first_row - 1 :], *sample.others)
        if row not in sample.doubtful
    ]
    repairer = RecordRepairer(rows, layout.width, grammar, plain.encoding)
    context = TableContext(
        dialect,
        layout,
        grammar,
        plain,
        limits,
        repairer,
        literal_quotes=sample.literal_quotes,
        totals_are_rows=hints.totals_are_rows,
        total_labels=frozenset(map(normal_header, hints.total_labels)),
        row_columns=_row_columns(layout, hints),
        other_sheets=other_sheets,
        other_tables=OtherTables(
            layout, [sample.head[number - 1] for number in layout.header_records], hints.names
        ),
        rows_above=above,
        as_written=hints.as_written,
        sample=rows,
    )
    return TableReading(context, folder)


def _row_columns(layout: Layout, hints: Hints) -> tuple[tuple[int, ...], ...]:
    """Return the columns of which each row fills one of each tuple; () if the table lacks any of them."""
    names = [normal_header(name) for name in layout.columns]
    columns = [
        tuple(place for place, name in enumerate(names) if name in set(map(normal_header, wanted)))
        for wanted in hints.row_names
    ]
    return tuple(columns) if all(columns) else ()


def _sample(plain: PlainText) -> list[bytes]:
    """Return the head of the file, and whole lines from its middle and its end."""
    begin = 0 if plain.wide else plain.bom
    size = plain.path.stat().st_size
    with plain.path.open("rb") as file:
        file.seek(begin)
        if size - begin <= _HEAD + 2 * _PIECE:
            return [file.read()]
        pieces = [_whole_lines(file.read(_HEAD), first=True)]
        for offset in (size // 2, size - _PIECE):
            file.seek(offset)
            pieces.append(_whole_lines(file.read(_PIECE), first=False, last=offset + _PIECE >= size))
    return [piece for piece in pieces if piece]


def _whole_lines(block: bytes, *, first: bool, last: bool = False) -> bytes:
    mark = b"\n" if b"\n" in block else b"\r"
    start = 0 if first else block.find(mark) + 1
    end = len(block) if last else block.rfind(mark) + 1
    return block[start:end] or (block if first else b"")


@dataclass(frozen=True)
class _Sample:
    """The records of the sample as text; malformed ones are empty, except a possible header.

    `doubtful` are records with a quote in an unquoted cell, where that is unusual in the file.
    """

    head: list[Row]
    others: list[Row]
    literal_quotes: bool
    doubtful: set[Row]


def _parse(pieces: Sequence[bytes], grammar: Grammar, encoding: str) -> _Sample:
    stray, doubled, rows, doubtful = 0, False, [], set()
    for piece in pieces:
        part: list[Row] = []
        position = 0
        for parsed in records(grammar, [piece]):
            stray += parsed.stray
            doubled = doubled or (parsed.quoted and any(grammar.quote in cell for cell in parsed.cells))
            cells = tuple(cell.decode(encoding, "replace") for cell in parsed.cells)
            if parsed.problem and len(part) < _MOST_HEADER_RECORDS and piece is pieces[0]:
                cells = _words_of(piece[position : parsed.body_end], grammar, encoding)
            part.append(cells)
            if parsed.stray:
                doubtful.add(cells)
            position = parsed.end
            if len(part) >= _MOST_HEAD_RECORDS:
                break
        rows.append(part)
    others = [row for part in rows[1:] for row in part]
    literal = stray >= _SEVERAL and not doubled
    return _Sample(rows[0], others, literal, set() if literal else doubtful)


def _words_of(line: bytes, grammar: Grammar, encoding: str) -> Row:
    """Split a line with a broken quote at its delimiters when it is all words: it may be the header."""
    text = line.decode(encoding, "replace").replace(grammar.quote.decode(encoding), "")
    delimiter = grammar.delimiter.decode(encoding)
    cells = text.split(delimiter) if delimiter else [text]
    return tuple(cells) if all(cell_type(cell) == TEXT for cell in cells) and len(cells) > 1 else ()
