"""Reading of a text table: the block parser, the record parser, and the sorting of their records.

Each record is sorted into preamble, header, blank, rows, footer or rejected, and at the end it is proved
that each byte and line of the delivery is in exactly one of them.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import dropwhile, pairwise, takewhile
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.readers.csv.block_parser import (
    CELLS,
    MOST_TITLES,
    BlockLines,
    BlockParser,
    offsets,
    plain_numbers,
    stretches,
    whole_numbers,
)
from showcost.readers.csv.cell_types import TEXT, cell_type, is_filler
from showcost.readers.csv.grammar import count_lines
from showcost.readers.csv.last_record import may_be_cut
from showcost.readers.csv.layout import Layout, begins_table, is_note, is_total, label_of
from showcost.readers.csv.other_tables import split_line
from showcost.readers.csv.read_ahead import LineCount, ReadAhead, blocks
from showcost.readers.csv.record_parser import BROKEN_QUOTES, HAS_NUL, ParsedRecord, RecordParser
from showcost.readers.encodings import is_garbled
from showcost.readers.model import (
    C1_CONTROLS,
    RECORD_SCHEMA,
    ROW_NO_TEXT,
    ROW_RAGGED,
    Dialect,
    Limits,
    Rejected,
    TextRecord,
)
from showcost.readers.reading import Reading

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from showcost.readers.csv.grammar import Grammar
    from showcost.readers.csv.layout import Row
    from showcost.readers.csv.other_tables import OtherTables
    from showcost.readers.csv.repair import RecordRepairer
    from showcost.readers.sheets import OtherSheet
    from showcost.readers.source import PlainText

_BATCH: Final = 16_384
_LONGEST_FOOTER: Final = 24
_LEAST_OF_REMARKS: Final = 3
"""Columns: in a narrower table, rows with only their first cell are common."""
GARBLED: Final = "the record has a word that was garbled before: UTF-8 that was read in another encoding"
_END_OF_FILE: Final = b"\x1a"
"""The end-of-text mark of DOS."""
_KEPT_TEXT: Final = 1_000
_MOST_NOTES: Final = 20
_PART: Final = 2**19
_NOTED_FIRST: Final = 2048
_NOTED_EVERY: Final = 2**8
_NOTED_LAST: Final = 2**22
_WORTH_IT: Final = 0.5
_FORGET: Final = 2**26
_HOPELESS: Final = 100_000
_CONTINUATION: Final = [bytes([byte]) for byte in range(0x80, 0xC0)]
_BEYOND: Final = [bytes([byte]) for byte in range(0xF0, 0xF5)]


@dataclass(frozen=True)
class TableContext:
    """The form of a delivery, as detected before it is read."""

    dialect: Dialect
    layout: Layout
    grammar: Grammar
    plain: PlainText
    limits: Limits
    repairer: RecordRepairer
    literal_quotes: bool
    totals_are_rows: bool
    total_labels: frozenset[str]
    row_columns: tuple[tuple[int, ...], ...]
    other_sheets: tuple[OtherSheet, ...]
    other_tables: OtherTables
    rows_above: frozenset[int]
    as_written: bool
    sample: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record that may be a row: its number, its span in the delivery, the parsed record.

    `after_blank` is true when the record before it is blank. `table` is the number of the record with the
    column names of another table above it, 0 for a record of this table.
    """

    number: int
    start: int
    end: int
    record: ParsedRecord
    after_blank: bool = False
    table: int = 0


class _Block:
    """The current block: the starts of its lines, and the lines taken as records.

    `starts` are offsets in the plain bytes, `places` in the delivery from the start of the block on.
    """

    def __init__(self, lines: BlockLines, base: int) -> None:
        self.lines = lines
        self.starts = base + np.append(0, np.cumsum(lines.plain))
        self.places = (
            self.starts - base if lines.place is lines.plain else np.append(0, np.cumsum(lines.place))
        )
        self.end = self.starts.item(-1)
        self._runs: list[tuple[int, int, int, int]] = []

    def __len__(self) -> int:
        return len(self.lines.rows)

    def line_at(self, position: int) -> int:
        """Return the line that begins at a place in the plain bytes, or else the next one."""
        return bisect_left(self.starts.data, position)

    def is_row(self, line: int, position: int) -> bool:
        """Return whether a line begins at a place and is certainly a row."""
        return self.starts.item(line) == position and bool(self.lines.rows[line])

    def take(self, line: int, stop: int, number: int, place: int) -> int:
        """Take lines as the records from `number` on, that start at `place`; return their size."""
        start: int = self.places.item(line)
        size: int = self.places.item(stop) - start
        self._runs.append((line, stop - line, number - line, place - start))
        return size

    def short(self) -> int:
        """Return how many of the lines that are taken leave out blank cells at their end."""
        if not self.lines.short.any():
            return 0
        return sum(int(self.lines.short[line : line + size].sum()) for line, size, *_ in self._runs)

    def batch(self) -> pa.RecordBatch:
        """Return the lines that are taken as records."""
        line, size, number, place = np.array(self._runs, np.int64).reshape(-1, 4).T
        indexes = stretches(line, size)
        return self.lines.batch(
            indexes, indexes + np.repeat(number, size), self.places[indexes] + np.repeat(place, size)
        )


class TableReading(Reading):
    """The reading of a table of text."""

    def __init__(self, context: TableContext, folder: tempfile.TemporaryDirectory[str]) -> None:
        """Prepare to read a delivery; `folder` holds the temporary files and goes with the reading."""
        super().__init__(context.dialect, context.layout.columns, context.layout.width)
        self._context, self._layout, self._plain = context, context.layout, context.plain
        self._folder = folder
        self._batches = self._read()
        self._number = 0
        self._place = context.plain.bom
        self._tail: deque[_Entry] = deque()
        self._batch = _Batch(context.plain.encoding, as_written=context.as_written)
        self._headers: dict[tuple[bytes, ...], bytes] = {}
        self._patterns = Counter[bytes]()
        self._last_blank = 0
        self._other_table = 0
        self._orders: dict[int, tuple[int, ...]] = {}
        self._notes: list[str] = []
        self._short = self._fillers = 0
        self._block: _Block | None = None

    def _read(self) -> Iterator[pa.RecordBatch]:
        begin = 0 if self._plain.wide else self._plain.bom
        with LineCount(self._plain.path, begin, lone_cr=self._context.grammar.lone_cr) as lines:
            if self._plain.path.stat().st_size > begin:
                with (
                    self._plain.path.open("rb") as file,
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
                ):
                    self._data = data
                    yield from self._parse(data, begin)
                    self._take_footer()
                    self._refuse_cut()
                    self._flush()
            if len(self._batch):
                yield self._batch.take()
            self._finish(lines.result())

    def _parse(self, data: mmap.mmap, position: int) -> Iterator[pa.RecordBatch]:
        """Parse the file, in blocks where the block parser can take most lines, else by records."""
        context, size = self._context, len(data)
        parser = RecordParser(
            data,
            context.grammar,
            context.layout,
            context.limits,
            encoding=self._plain.encoding,
            literal_quotes=context.literal_quotes,
        )
        block_parser = BlockParser(
            context.grammar,
            self._layout,
            self._plain.encoding,
            context.other_tables,
            wide=bool(self._plain.wide),
            longest=context.limits.record_bytes,
        )
        with ReadAhead(block_parser, self._plain.path) as read_ahead:
            records_until = 0 if block_parser.usable else size
            forgotten = 0
            while position < size:
                if position - forgotten > _FORGET:
                    forgotten = position - position % mmap.PAGESIZE
                    data.madvise(mmap.MADV_DONTNEED, 0, forgotten)
                in_table = self._number + 1 >= self._layout.first_row and not self._other_table
                if in_table and not parser.in_doubt and position >= records_until:
                    lines, end = read_ahead.take(position, tuple(self._headers.values()))
                    if lines is not None and lines.sound.mean() >= _WORTH_IT:
                        position, batch = self._take_block(lines, parser, position)
                        yield _in_order(batch, self._batch.take()) if len(self._batch) else batch
                    else:
                        records_until = end
                        continue
                else:
                    position = self._handle(parser.step(position, self._number + 1))
                    if len(self._batch) >= _BATCH:
                        yield self._batch.take()
                if self._is_hopeless():
                    self._give_up(position)
                    return

    def _is_hopeless(self) -> bool:
        """Return whether most records are ragged, including those held back."""
        if not self._may_be_hopeless(0):
            return False
        ragged = sum(not entry.record.fits for entry in self._tail)
        accepted = self.counts.accepted + len(self._tail) - ragged
        return self.counts.rejected + ragged > max(_HOPELESS, accepted)

    def _may_be_hopeless(self, more: int) -> bool:
        most = self.counts.rejected + len(self._tail) + more
        return most > max(_HOPELESS, self.counts.accepted)

    def _give_up(self, position: int) -> None:
        """Reject the rest of a mostly ragged file as one record, which bounds the time."""
        self._flush()
        size = self._plain.size - self._place
        if not size:
            return
        start, self._place = self._place, self._plain.size
        self._number += 1
        parts = blocks(self._plain.path, position)
        self.counts.lines += count_lines(parts, lone_cr=self._context.grammar.lone_cr)
        self.counts.bytes += size
        why = "most records before are ragged: the rest of the delivery is rejected as one"
        self._reject(self._number, start, self._place, ROW_RAGGED, why)

    @cached_property
    def _tolerated_widths(self) -> frozenset[int]:
        """The numbers of cells of records that may be a row."""
        layout = self._layout
        more = {layout.width + surplus for surplus in layout.widths.surplus}
        less = {layout.width - deficit for deficit in layout.widths.deficit}
        return frozenset(more | less)

    def _take_block(self, lines: BlockLines, parser: RecordParser, base: int) -> tuple[int, pa.RecordBatch]:
        """Take the sound lines of a block together and the others one by one; return the next position."""
        self._block = block = _Block(lines, base)
        exceptions = [*np.flatnonzero(~lines.rows).tolist(), len(block)]
        line, at, end = 0, 0, block.end
        if self._last_blank == self._number or (self._tail and _is_title(self._tail[-1].record)):
            line, end = self._by_records(parser, block, line)
        while line < len(block):
            while exceptions[at] < line:
                at += 1
            stop = exceptions[at]
            if stop > line:
                self._flush()
                self._count(stop - line, block.take(line, stop, self._number + 1, self._place))
            if stop == len(block):
                break
            line = self._reject_ragged(block, stop)
            if line == stop:
                line, end = self._by_records(parser, block, stop)
        self._block = None
        batch = block.batch()
        self._short += block.short()
        self._learn(batch)
        return end, batch

    def _reject_ragged(self, block: _Block, line: int) -> int:
        """Reject complete records of a width that no row has; return the line after them.

        It is `line` itself when the decision needs their cells, or the records that follow.
        """
        widths, first = block.lines.widths, line
        if self._context.repairer.is_able:
            return line
        others = self._tolerated_widths.union(map(len, self._headers))
        while widths.item(line) and widths.item(line) not in others and not self._may_be_names(block, line):
            line += 1
            if line == len(block):
                return first
        if not block.lines.rows[line] or self._may_be_hopeless(line - first):
            return first
        self._flush()
        for ragged in range(first, line):
            start = self._place
            size = block.places.item(ragged + 1) - block.places.item(ragged)
            self._number += 1
            self._place += size
            self.counts.lines += 1
            self.counts.bytes += size
            self._reject(
                self._number, start, self._place, ROW_RAGGED, self._ragged_detail(widths.item(ragged))
            )
        return line

    def _may_be_names(self, block: _Block, line: int) -> bool:
        """Return whether a ragged line of a block may be column names of another table."""
        start, end = block.starts.item(line), block.starts.item(line + 1)
        body = self._data[start:end].rstrip(b"\r\n")
        return self._context.other_tables.may_concern_ragged(body, self._context.grammar)

    def _by_records(self, parser: RecordParser, block: _Block, line: int) -> tuple[int, int]:
        """Continue record by record until a sound line begins; return its index and the end of the block."""
        position = block.starts.item(line)
        while True:
            position = self._handle(parser.step(position, self._number + 1))
            if position >= block.end or self._is_hopeless():
                return len(block), position
            line += 1
            if block.starts.item(line) != position:
                line = block.line_at(position)
            while not self._other_table and block.is_row(line, position):
                if not parser.in_doubt:
                    return line, block.end
                if not parser.trusts(position, block.starts.item(line + 1)):
                    break
                self._flush()
                self._count(1, block.take(line, line + 1, self._number + 1, self._place))
                line += 1
                position = block.starts.item(line)
                if line == len(block):
                    return line, position

    def _count(self, rows: int, size: int) -> None:
        self._number += rows
        self._place += size
        self.counts.accepted += rows
        self.counts.lines += rows
        self.counts.bytes += size

    def _learn(self, batch: pa.RecordBatch) -> None:
        """Count the patterns of filled cells in rows, to tell them from a footer."""
        numbers = plain_numbers(batch.column("record"))
        noted = np.flatnonzero(_is_noted(numbers))
        if len(noted):
            cells = batch.column("cells").take(whole_numbers(noted)).flatten()
            sizes = plain_numbers(pc.binary_length(pc.ascii_trim_whitespace(cells)))
            for filled in (sizes > 0).reshape(len(noted), -1):
                self._patterns[filled.tobytes()] += 1

    def _handle(self, record: ParsedRecord) -> int:
        """Count, place and sort a record of the record parser; return its end in the plain bytes.

        A possible row or footer is held back.
        """
        entry = self._place_of(record)
        if entry is None:
            return record.end
        where = self._apart(entry)
        if where is not None:
            self._keep(where, entry)
        elif self._repeats_header(record):
            self._other_table = 0
            self._take_titles(entry)
        else:
            self._enter_table(entry)
            self._take_titles_of_another_table(entry)
            if entry.number in self._orders:
                self._take_titles(entry)
                return record.end
            self._tail.append(self._in_table(entry))
            if len(self._tail) > _LONGEST_FOOTER:
                self._accept_or_reject(self._tail.popleft())
        return record.end

    def _place_of(self, record: ParsedRecord) -> _Entry | None:
        """Count and place a record; None when it is blank."""
        start = self._place
        self._place = start + self._length(record)
        self.counts.lines += record.lines
        self.counts.bytes += self._place - start
        self._number += record.blanks or 1
        after_blank = self._last_blank == self._number - 1
        if record.blanks:
            self.counts.blank += record.blanks
            self._last_blank = self._number
            return None
        if self._number in self.dialect.header_records:
            if self._layout.header_differs:
                self._headers[record.cells] = self._utf8(record.body)
            return _Entry(self._number, start, self._place, record)
        if not record.problem and not record.quotes and not any(map(bytes.strip, record.cells)):
            self.counts.blank += 1
            self._last_blank = self._number
            return None
        if self._is_filler(record):
            self.counts.blank += 1
            self._fillers += 1
            return None
        return _Entry(self._number, start, self._place, record, after_blank)

    def _is_filler(self, record: ParsedRecord) -> bool:
        """Return whether a record in the table has nothing but dashes, the zeros of an empty form."""
        return (
            self._number >= self._layout.first_row
            and self._layout.width > 1
            and not self._context.as_written
            and not record.problem
            and record.lines == 1
            and is_filler(self._texts(record))
        )

    def _apart(self, entry: _Entry) -> list[TextRecord] | None:
        """Return the list that keeps a record of the header or the preamble; None for a possible row."""
        if entry.number in self.dialect.header_records:
            self.counts.header += 1
            return self.header_lines
        if entry.number >= self._layout.first_row or self._is_above(entry):
            return None
        sparse = not entry.record.problem and sum(_filled(entry.record.cells)) <= 1
        if sparse or self.dialect.header_records:
            self.counts.preamble += 1
            return self.preamble
        return None

    def _repeats_header(self, record: ParsedRecord) -> bool:
        """Return whether a record has the column names of this table again."""
        if len(record.cells) > 1 and record.cells in self._headers:
            return True
        tables = self._context.other_tables
        return record.fits and tables.may_concern(record.cells) and tables.repeats(self._texts(record))

    def _enter_table(self, entry: _Entry) -> None:
        """Note the column names of another table: the records below them are not rows of this one."""
        if entry.number < self._layout.first_row or not self._begins_table(entry):
            return
        order = self._context.other_tables.order_of(self._texts(entry.record)) if entry.record.fits else None
        if order is not None:
            self._orders[entry.number] = order
            self._other_table = entry.number
            if len(self.notes) < _MOST_NOTES:
                names = f"record {entry.number} has the column names in another order"
                self.notes.append(f"{names}: records below are read by it")
        elif self._context.as_written:
            names = f"record {entry.number} has the column names of another table"
            self._notes.append(f"{names}: records below are in those of the first")
        else:
            self._other_table = entry.number

    def _in_table(self, entry: _Entry) -> _Entry:
        """Return a record with its table, and its cells in the columns of this table."""
        order, record = self._orders.get(self._other_table), entry.record
        if order is not None and record.fits:
            record = replace(record, cells=tuple(record.cells[place] for place in order))
        return replace(entry, table=self._other_table, record=record) if self._other_table else entry

    def _begins_table(self, entry: _Entry) -> bool:
        """Return whether a record, or a line within it, can only be the column names of another table."""
        tables, record = self._context.other_tables, entry.record
        apart = entry.after_blank or self._has_title_apart()
        if record.fits:
            return (apart or tables.may_concern(record.cells)) and tables.begins(
                self._texts(record), apart=apart
            )
        grammar = self._context.grammar
        lines = record.body.splitlines() if record.lines > 1 else [record.body]
        return any(
            (apart or tables.may_concern_ragged(line, grammar))
            and tables.begins(self._split(line), fits=False, apart=apart)
            for line in lines
        )

    def _has_title_apart(self) -> bool:
        """Return whether the last records held back are titles below a blank record."""
        if not self._tail or self._last_blank < self._tail[0].number - 1:
            return False
        titles = takewhile(lambda line: _is_title(line.record), reversed(self._tail))
        return any(title.after_blank for title in titles)

    def _split(self, line: bytes) -> list[str]:
        cells = split_line(line, self._context.grammar)
        return [cell.decode(self._plain.encoding, "replace") for cell in cells]

    def _is_above(self, entry: _Entry) -> bool:
        """Return whether a record above the column names is of another table, and not of the preamble."""
        above = self._context.rows_above
        if entry.number in above or not entry.record.problem or not self.dialect.header_records:
            return entry.number in above
        return self._context.other_tables.is_row_above(self._split(entry.record.body))

    def _take_titles(self, entry: _Entry) -> None:
        """Move a repeated header out of the table, with the titles right above it."""
        titles = [entry]
        tail = self._tail
        while tail and len(titles) <= MOST_TITLES and _is_title(tail[-1].record):
            titles.insert(0, tail.pop())
        self.counts.header += len(titles)
        for title in titles:
            self._keep(self.header_lines, title)

    def _take_titles_of_another_table(self, entry: _Entry) -> None:
        """Move the titles between a blank record and the header of another table out of this one.

        The header itself is not a row either, but it looks like one, so a person has to decide.
        """
        tail = self._tail
        if not tail or not entry.record.fits or not _is_title(tail[-1].record):
            return
        above = takewhile(lambda line: _is_title(line.record), reversed(tail))
        titles = list(dropwhile(lambda line: not line.after_blank, reversed(list(above))))
        if not titles or not begins_table(self._texts(entry.record), self._layout):
            return
        for title in titles:
            tail.pop()
            self._keep(self.header_lines, title)
        self.counts.header += len(titles)

    def _texts(self, record: ParsedRecord) -> list[str]:
        return [cell.decode(self._plain.encoding, "replace") for cell in record.cells]

    def _utf8(self, body: bytes) -> bytes:
        return body.decode(self._plain.encoding, "replace").encode()

    def _length(self, record: ParsedRecord) -> int:
        """Return the number of bytes of a record in the delivery itself."""
        if not self._plain.wide:
            return record.end - record.start
        size = 0
        for start in range(record.start, record.end, _PART):
            part = self._data[start : min(start + _PART, record.end)]
            follow = sum(map(part.count, _CONTINUATION))
            size += 2 * (len(part) - follow + sum(map(part.count, _BEYOND)))
        return size

    def _keep(self, where: list[TextRecord], entry: _Entry) -> None:
        if len(where) < _KEPT_TEXT:
            text = entry.record.body.decode(self._plain.encoding, "replace")
            where.append(TextRecord(entry.number, entry.start, entry.end, text))

    def _flush(self) -> None:
        """Accept or reject the records held back: they are not a footer."""
        while self._tail:
            self._accept_or_reject(self._tail.popleft())

    def _accept_or_reject(self, entry: _Entry) -> None:
        """Accept or reject a record that is in the table."""
        record = entry.record
        if (why := self._why_outside(entry)) is not None:
            self._reject(entry.number, entry.start, entry.end, ROW_RAGGED, why)
            return
        problem, code = record.problem, ROW_NO_TEXT if record.problem == HAS_NUL else ROW_RAGGED
        if not entry.table and ((not problem and not record.fits) or problem in BROKEN_QUOTES):
            record = self._repair(entry.number, record)
            problem = record.problem
        if not problem and not record.fits:
            problem = self._ragged_detail(len(record.cells))
        if not problem and (problem := self._accept(entry, record)):
            code = ROW_NO_TEXT
        if problem:
            self._reject(entry.number, entry.start, entry.end, code, problem)
            return
        self.counts.accepted += 1
        if entry.number <= _NOTED_FIRST or (entry.number % _NOTED_EVERY == 0 and entry.number <= _NOTED_LAST):
            self._patterns[_filled(record.cells)] += 1

    def _why_outside(self, entry: _Entry) -> str | None:
        """Return why a record is not in this table, but in another one of the delivery."""
        if entry.table and entry.table not in self._orders:
            place = "has" if entry.table == entry.number else f"is below record {entry.table} with"
            return f"the record {place} the column names of another table"
        if self.dialect.header_records and entry.number < self._layout.first_row:
            return "the record is above the column names, and not a title"
        return None

    def _ragged_detail(self, count: int) -> str:
        return f"{count} cells where the table has {self._layout.width}"

    def _reject(self, number: int, start: int, end: int, code: str, why: str) -> None:
        self.counts.rejected += 1
        self.rejected.add(Rejected(number, start, end, code, why, self._raw(start, end)))

    def _accept(self, entry: _Entry, record: ParsedRecord) -> str:
        """Take a row, with its block if that is current; return why it is not text, "" if it is."""
        block, start = self._block, record.start
        if not entry.table and block is not None and block.starts.item(0) <= start < block.end:
            line = block.line_at(start)
            if block.is_row(line, start):
                block.take(line, line + 1, entry.number, entry.start)
                return ""
        self._short += record.is_short
        return self._batch.add(entry, record)

    def _repair(self, number: int, record: ParsedRecord) -> ParsedRecord:
        """Return a ragged record repaired when only one reading of it is possible; a few per delivery."""
        repairer = self._context.repairer
        result = (
            repairer.repair_quote(record.body)
            if record.problem
            else repairer.repair(record.body, record.cells)
        )
        if result is None:
            return record
        cells, what = result
        self.repaired.append((number, what))
        return replace(record, cells=cells, fits=True, problem="")

    def _raw(self, start: int, end: int) -> bytes:
        """Return the bytes of a record as delivered, up to the limit."""
        end = min(end, start + self._context.limits.rejected_raw_bytes)
        if not self._plain.wide:
            return self._data[start:end]
        with self._plain.source.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def _take_footer(self) -> None:
        """Move totals and notes at the end of the file out of the table."""
        tail = self._tail
        usual = Counter[int]()
        for filled, count in self._patterns.items():
            usual[sum(filled)] += count
        counted = [(count, cells) for cells, count in usual.items()]
        full = max(counted)[1] if counted else self._usual_of_tail()
        footer: list[TextRecord] = []
        least = 0 if self.counts.accepted else 1
        while (last := self._last_of_footer(full)) and len(tail) - last >= least:
            for _ in range(last):
                self._keep(footer, tail.pop())
        self.footer = footer[::-1]
        self.counts.footer += len(footer)

    def _refuse_cut(self) -> None:
        """Reject the last record if it has no line end, where others have one, and may be cut off."""
        last = self._tail[-1] if self._tail else None
        if last is None or not last.record.fits or self._why_outside(last) is not None:
            return
        record, quote = last.record, self._context.grammar.quote
        ends = self._data[-1:] in {b"\n", b"\r"} or record.end < len(self._data)
        if ends or (quote and record.body.endswith(quote)) or not self.dialect.header_records:
            return
        parsed = self._context.grammar.parse(record.body, 0).cells
        cells = [cell.decode(self._plain.encoding, "replace") for cell in parsed]
        sample = self._context.sample
        if (order := self._orders.get(last.table)) is not None:
            places = [order.index(place) for place in range(len(order))]
            sample = [tuple(row[place] for place in places) for row in sample if len(row) == len(places)]
        if not may_be_cut(cells, sample):
            return
        if self._context.as_written:
            self._notes.append("the last record has no line end: it may be cut off")
            return
        self._flush_until_last()
        entry = self._tail.popleft()
        why = "the last record has no line end, and its last cell may be cut off"
        self._reject(entry.number, entry.start, entry.end, ROW_RAGGED, why)

    def _flush_until_last(self) -> None:
        while len(self._tail) > 1:
            self._accept_or_reject(self._tail.popleft())

    def _last_of_footer(self, full: int) -> int:
        """Return how many of the last records are certainly not rows, in the next step."""
        if self._tail and self._why_outside(self._tail[-1]) is not None:
            return 0
        if self._tail and self._is_footer(self._tail[-1], full):
            return 1
        return self._remarks()

    def _is_footer(self, entry: _Entry, full: int) -> bool:
        record = entry.record
        filled = _filled(record.cells)
        alike = sum(_filled(other.record.cells) == filled for other in self._tail)
        repeats = record.fits and (self._patterns[filled] > 0 or alike > 1)
        cells = self._texts(record)
        if record.problem:
            return False
        if record.body == _END_OF_FILE:
            return True
        if label_of(cells) in self._context.total_labels:
            return True
        if record.fits and self._fills_row(cells):
            return False
        if is_total(cells, self._layout, full=full, repeats=repeats):
            return not (self._context.totals_are_rows and record.fits)
        return is_note(cells, self._layout, repeats=repeats)

    def _fills_row(self, cells: Sequence[str]) -> bool:
        """Return whether a record fills the columns that each row does; False if they are not known."""
        needed = self._context.row_columns
        filled = {place for place, cell in enumerate(cells) if cell.strip()}
        return bool(needed) and all(not filled.isdisjoint(places) for places in needed)

    def _remarks(self) -> int:
        """Return how many records at the end are remarks: text in the first cell alone, after a blank record.

        None where rows of the table look the same.
        """
        last = list(takewhile(self._may_be_remark, reversed(self._tail)))
        count = max((place for place, line in enumerate(last, 1) if line.after_blank), default=0)
        rows = any(line.record.fits and self._patterns[_filled(line.record.cells)] for line in last[:count])
        words = all(cell_type(self._texts(line.record)[0]) == TEXT for line in last[:count])
        return count if words and not rows and self._layout.width >= _LEAST_OF_REMARKS else 0

    def _may_be_remark(self, entry: _Entry) -> bool:
        return _has_first_alone(entry.record) and self._why_outside(entry) is None

    def _usual_of_tail(self) -> int:
        counts = sorted(sum(_filled(e.record.cells)) for e in self._tail if e.record.fits)
        return counts[len(counts) // 2] if counts else 0

    def _finish(self, lines: int) -> None:
        """Compare with an independent count of lines and bytes."""
        self.counts.verify(records=self._number, lines=lines, size=self._plain.size - self._plain.bom)
        for sheet in self._context.other_sheets:
            self._add_sheet(sheet)
        preamble, footer = (tuple(text.record for text in texts) for texts in (self.preamble, self.footer))
        kinds = Counter(what for _, what in self.repaired)
        notes = tuple(f"{count} records: {what}" for what, count in kinds.items())
        if self._short:
            self.notes.append(
                f"{self._short} records: cells left out at the end, in columns without content, are blank"
            )
        if self._fillers:
            self.notes.append(f"{self._fillers} records with nothing but dashes are blank")
        if self._batch.garbled and self._context.as_written:
            self.notes.append(f"{self._batch.garbled} records may be garbled: {GARBLED}")
        notes += tuple(self.notes)
        notes += tuple(self._notes[:_MOST_NOTES])
        self.dialect = replace(
            self.dialect,
            preamble_records=preamble,
            footer_records=footer,
            assumptions=self.dialect.assumptions + notes,
        )
        self.finished = True

    def _add_sheet(self, sheet: OtherSheet) -> None:
        """Append a sheet outside the table as one record after it: of the footer if it is only text."""
        start, self._place = self._place, self._place + len(sheet.text)
        self._number += 1
        self.counts.lines += sheet.text.count(b"\n")
        self.counts.bytes += len(sheet.text)
        raw = sheet.text[: self._context.limits.rejected_raw_bytes]
        if sheet.is_text:
            self.counts.footer += 1
            self.footer.append(TextRecord(self._number, start, self._place, raw.decode(errors="replace")))
            return
        self.counts.rejected += 1
        self.rejected.add(Rejected(self._number, start, self._place, ROW_RAGGED, sheet.why, raw))


def _is_title(record: ParsedRecord) -> bool:
    """Return whether a record is a single line with its first cell only."""
    return record.lines == 1 and _has_first_alone(record)


def _has_first_alone(record: ParsedRecord) -> bool:
    """Return whether a record has its first cell only."""
    filled = _filled(record.cells)
    return not record.problem and sum(filled) == 1 and bool(filled[0])


def _filled(cells: Sequence[bytes]) -> bytes:
    """Return for each cell whether it has text."""
    return bytes(map(bool, map(bytes.strip, cells)))


def _is_noted(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the rows whose pattern is counted; by number alone, so that blocks make no difference."""
    noted: NDArray[np.bool_] = numbers & (_NOTED_EVERY - 1) == 0
    noted |= numbers <= _NOTED_FIRST
    noted &= numbers <= _NOTED_LAST
    return noted


def _in_order(batch: pa.RecordBatch, others: pa.RecordBatch) -> pa.RecordBatch:
    """Merge the records of both parsers in the order of the delivery."""
    numbers, pieces, begin = plain_numbers(batch.column("record")), [], 0
    places = np.searchsorted(numbers, plain_numbers(others.column("record")))
    groups = np.append(np.flatnonzero(np.diff(places, prepend=-1)), len(places)).tolist()
    for first, after in pairwise(groups):
        place = int(places[first])
        pieces += [batch.slice(begin, place - begin), others.slice(first, after - first)]
        begin = place
    pieces.append(batch.slice(begin))
    return pa.Table.from_batches(pieces).combine_chunks().to_batches()[0]


class _Batch:
    """The accepted records of the record parser that are not yielded yet."""

    def __init__(self, encoding: str, *, as_written: bool) -> None:
        self._encoding, self._as_written = encoding, as_written
        self.garbled = 0
        self._begin()

    def _begin(self) -> None:
        self._places: list[tuple[int, int, int]] = []
        self._bodies: list[bytes] = []
        self._cells: list[bytes] = []
        self._widths: list[int] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, entry: _Entry, record: ParsedRecord) -> str:
        """Append a row; return why its bytes are not text, "" if they are.

        Garbled words are rows for a user who looks at the file, and counted.
        """
        body, cells = record.body, record.cells
        if not body.isascii():
            try:
                body = body.decode(self._encoding).encode()
                cells = tuple(cell.decode(self._encoding).encode() for cell in cells)
                no_text = bool(C1_CONTROLS.search(body))
            except UnicodeError:
                no_text = True
            if no_text:
                return f"the record has bytes that are not text in {self._encoding}"
            if is_garbled(body, self._encoding):
                self.garbled += 1
                if not self._as_written:
                    return GARBLED
        self._places.append((entry.number, entry.start, entry.end))
        self._bodies.append(body)
        self._cells += cells
        self._widths.append(len(cells))
        return ""

    def take(self) -> pa.RecordBatch:
        """Return the rows as a batch and begin anew."""
        number, start, end = np.array(self._places, np.int64).T
        lists = np.cumsum([0, *self._widths], dtype=np.int32)
        cells = _texts(self._cells)
        arrays = [
            *map(whole_numbers, (number, start, end)),
            _texts(self._bodies),
            pa.Array.from_buffers(CELLS, len(number), [None, pa.py_buffer(lists)], children=[cells]),
        ]
        self._begin()
        return pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA)


def _texts(texts: list[bytes]) -> pa.StringArray:
    """Return texts in valid UTF-8 as an Arrow array."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    return pa.StringArray.from_buffers(len(texts), offsets(ends), pa.py_buffer(b"".join(texts)))
