"""Reading a table of text: both lanes, and the sorting of what they find.

Each record is sorted into preamble, header, blank, rows, footer or rejected, and at the end it is proved
that each byte and line of the delivery is in exactly one of them.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, replace
from itertools import dropwhile, pairwise, takewhile
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.readers.csv.block_parser import (
    CELLS,
    MOST_TITLES,
    FastLane,
    Lines,
    offsets,
    plain_numbers,
    stretches,
    whole_numbers,
)
from showcost.readers.csv.cell_types import TEXT, shape
from showcost.readers.csv.grammar import count_lines
from showcost.readers.csv.layout import Layout, begins_table, is_note, is_total, label_of
from showcost.readers.csv.read_ahead import Ahead, LineCount, blocks
from showcost.readers.csv.record_parser import BROKEN_QUOTES, HAS_NUL, Found, Scanner
from showcost.readers.model import (
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
    from showcost.readers.csv.repair import Mender
    from showcost.readers.source import Plain
    from showcost.readers.workbook import OtherSheet

_BATCH: Final = 16_384
_LONGEST_FOOTER: Final = 24
_LEAST_OF_REMARKS: Final = 3
"""Columns: in a narrower table a row with its first cell alone is no rare thing."""
_END_OF_FILE: Final = b"\x1a"
"""What DOS ends a text with."""
_KEPT_TEXT: Final = 1_000
_PART: Final = 2**19
_NOTED_FIRST: Final = 2048
_NOTED_EVERY: Final = 256
_NOTED_LAST: Final = 2**22
_WORTH_IT: Final = 0.5
_FORGET: Final = 2**26
_HOPELESS: Final = 100_000
_CONTINUATION: Final = [bytes([byte]) for byte in range(0x80, 0xC0)]
_BEYOND: Final = [bytes([byte]) for byte in range(0xF0, 0xF5)]


@dataclass(frozen=True)
class Known:
    """What was found out about a delivery before it is read."""

    dialect: Dialect
    layout: Layout
    grammar: Grammar
    plain: Plain
    limits: Limits
    mender: Mender
    literal_quotes: bool
    totals_are_rows: bool
    total_labels: frozenset[str]
    other_sheets: tuple[OtherSheet, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record that may be a row: its number, its span in the delivery, what was found.

    `after_blank` says whether the record before it is blank.
    """

    number: int
    start: int
    end: int
    found: Found
    after_blank: bool = False


class _Block:
    """A block at hand: where its lines start, and which of them are taken as which records.

    `starts` are offsets in the plain bytes, `places` in the delivery from the start of the block on.
    """

    def __init__(self, lines: Lines, base: int) -> None:
        self.lines = lines
        self.starts = base + np.append(0, np.cumsum(lines.plain))
        self.places = (
            self.starts - base if lines.place is lines.plain else np.append(0, np.cumsum(lines.place))
        )
        self.end = self.starts.item(-1)
        self._runs: list[tuple[int, int, int, int]] = []

    def __len__(self) -> int:
        return len(self.lines.sound)

    def line_at(self, position: int) -> int:
        """Return the line that begins at a place in the plain bytes; where none does, the one after it."""
        return bisect_left(self.starts.data, position)

    def is_row(self, line: int, position: int) -> bool:
        """Tell whether a line begins at a place and is a row beyond doubt."""
        return self.starts.item(line) == position and bool(self.lines.sound[line])

    def take(self, line: int, stop: int, number: int, place: int) -> int:
        """Take lines as the records from `number` on, that start at `place`; return their size."""
        start: int = self.places.item(line)
        size: int = self.places.item(stop) - start
        self._runs.append((line, stop - line, number - line, place - start))
        return size

    def batch(self) -> pa.RecordBatch:
        """Return the lines that are taken as records."""
        line, size, number, place = np.array(self._runs, np.int64).reshape(-1, 4).T
        indexes = stretches(line, size)
        return self.lines.batch(
            indexes, indexes + np.repeat(number, size), self.places[indexes] + np.repeat(place, size)
        )


class TableReading(Reading):
    """The reading of a table of text."""

    def __init__(self, known: Known, folder: tempfile.TemporaryDirectory[str]) -> None:
        """Prepare to read a delivery; `folder` holds the temporary files and goes with the reading."""
        super().__init__(known.dialect, known.layout.columns, known.layout.width)
        self._known, self._layout, self._plain = known, known.layout, known.plain
        self._folder = folder
        self._batches = self._read()
        self._number = 0
        self._place = known.plain.bom
        self._tail: deque[_Entry] = deque()
        self._batch = _Batch(known.plain.encoding)
        self._headers: dict[tuple[bytes, ...], bytes] = {}
        self._shapes = Counter[bytes]()
        self._last_blank = 0
        self._block: _Block | None = None

    def _read(self) -> Iterator[pa.RecordBatch]:
        begin = 0 if self._plain.wide else self._plain.bom
        with LineCount(self._plain.path, begin, lone_cr=self._known.grammar.lone_cr) as lines:
            if self._plain.path.stat().st_size > begin:
                with (
                    self._plain.path.open("rb") as file,
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
                ):
                    self._data = data
                    yield from self._lanes(data, begin)
                    self._take_footer()
                    self._flush()
            if len(self._batch):
                yield self._batch.take()
            self._finish(lines.result())

    def _lanes(self, data: mmap.mmap, position: int) -> Iterator[pa.RecordBatch]:
        """Go through the file, in blocks where the fast lane can take most lines, else by records."""
        known, size = self._known, len(data)
        scanner = Scanner(
            data,
            known.grammar,
            known.layout,
            known.limits,
            encoding=self._plain.encoding,
            literal_quotes=known.literal_quotes,
        )
        lane = FastLane(
            known.grammar,
            self._layout.width,
            self._plain.encoding,
            wide=bool(self._plain.wide),
            longest=known.limits.record_bytes,
        )
        with Ahead(lane, self._plain.path) as ahead:
            careful_until = 0 if lane.usable else size
            forgotten = 0
            while position < size:
                if position - forgotten > _FORGET:
                    forgotten = position - position % mmap.PAGESIZE
                    data.madvise(mmap.MADV_DONTNEED, 0, forgotten)
                in_table = self._number + 1 >= self._layout.first_row and not scanner.in_doubt
                if in_table and position >= careful_until:
                    lines, end = ahead.take(position, tuple(self._headers.values()))
                    if lines is not None and lines.sound.mean() >= _WORTH_IT:
                        position, batch = self._take_block(lines, scanner, position)
                        yield _in_order(batch, self._batch.take()) if len(self._batch) else batch
                    else:
                        careful_until = end
                        continue
                else:
                    position = self._handle(scanner.step(position, self._number + 1))
                    if len(self._batch) >= _BATCH:
                        yield self._batch.take()
                if self._is_hopeless():
                    self._give_up(position)
                    return

    def _is_hopeless(self) -> bool:
        """Tell whether most records are ragged, those that are held back included."""
        if not self._may_be_hopeless(0):
            return False
        ragged = sum(not entry.found.fits for entry in self._tail)
        accepted = self.counts.accepted + len(self._tail) - ragged
        return self.counts.rejected + ragged > max(_HOPELESS, accepted)

    def _may_be_hopeless(self, more: int) -> bool:
        most = self.counts.rejected + len(self._tail) + more
        return most > max(_HOPELESS, self.counts.accepted)

    def _give_up(self, position: int) -> None:
        """Reject the rest of a file of which most is no table as one record: time is bounded too."""
        self._flush()
        size = self._plain.size - self._place
        if not size:
            return
        start, self._place = self._place, self._plain.size
        self._number += 1
        parts = blocks(self._plain.path, position)
        self.counts.lines += count_lines(parts, lone_cr=self._known.grammar.lone_cr)
        self.counts.bytes += size
        why = "most records before are ragged: the rest of the delivery is rejected as one"
        self._reject(self._number, start, self._place, ROW_RAGGED, why)

    def _widths_of_no_error(self) -> set[int]:
        """Return the numbers of cells of records that may be a row or the header of a table once more."""
        layout = self._layout
        more = {layout.width + surplus for surplus in layout.surplus}
        less = {layout.width - deficit for deficit in layout.deficit}
        return more | less | set(map(len, self._headers))

    def _take_block(self, lines: Lines, scanner: Scanner, base: int) -> tuple[int, pa.RecordBatch]:
        """Take the sound lines of a block together and the others one by one; return where to go on."""
        self._block = block = _Block(lines, base)
        exceptions = [*np.flatnonzero(~lines.sound).tolist(), len(block)]
        line, at, end = 0, 0, block.end
        if self._tail and _is_title(self._tail[-1].found):
            line, end = self._by_records(scanner, block, line)
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
                line, end = self._by_records(scanner, block, stop)
        self._block = None
        batch = block.batch()
        self._learn(batch)
        return end, batch

    def _reject_ragged(self, block: _Block, line: int) -> int:
        """Reject whole records of a width that no row has; return the line after them.

        It is `line` itself when nobody can say that without a look at their cells, or at what follows.
        """
        widths, first = block.lines.widths, line
        if self._known.mender.is_able:
            return line
        others = self._widths_of_no_error()
        while widths.item(line) and widths.item(line) not in others:
            line += 1
            if line == len(block):
                return first
        if not block.lines.sound[line] or self._may_be_hopeless(line - first):
            return first
        self._flush()
        for ragged in range(first, line):
            start = self._place
            size = block.places.item(ragged + 1) - block.places.item(ragged)
            self._number += 1
            self._place += size
            self.counts.lines += 1
            self.counts.bytes += size
            self._reject(self._number, start, self._place, ROW_RAGGED, self._why_ragged(widths.item(ragged)))
        return line

    def _by_records(self, scanner: Scanner, block: _Block, line: int) -> tuple[int, int]:
        """Go on record by record until a sound line begins; return its index and the end of the block."""
        position = block.starts.item(line)
        while True:
            position = self._handle(scanner.step(position, self._number + 1))
            if position >= block.end or self._is_hopeless():
                return len(block), position
            line += 1
            if block.starts.item(line) != position:
                line = block.line_at(position)
            while block.is_row(line, position):
                if not scanner.in_doubt:
                    return line, block.end
                if not scanner.trusts(position, block.starts.item(line + 1)):
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
        """Note what rows look like, to tell them from a footer."""
        numbers = plain_numbers(batch.column("record"))
        noted = np.flatnonzero(_is_noted(numbers))
        if len(noted):
            cells = batch.column("cells").take(whole_numbers(noted)).flatten()
            sizes = plain_numbers(pc.binary_length(pc.ascii_trim_whitespace(cells)))
            for filled in (sizes > 0).reshape(len(noted), -1):
                self._shapes[filled.tobytes()] += 1

    def _handle(self, found: Found) -> int:
        """Count, place and sort a record of the careful lane; return where it ends in the plain bytes.

        What may be a row or a footer is held back.
        """
        entry = self._place_of(found)
        if entry is None:
            return found.end
        where = self._apart(entry)
        if where is not None:
            self._keep(where, entry)
        elif len(found.cells) > 1 and found.cells in self._headers:
            self._take_titles(entry)
        else:
            self._take_titles_of_another_table(entry)
            self._tail.append(entry)
            if len(self._tail) > _LONGEST_FOOTER:
                self._settle(self._tail.popleft())
        return found.end

    def _place_of(self, found: Found) -> _Entry | None:
        """Count and place a record; None when it is blank."""
        start = self._place
        self._place = start + self._length(found)
        self.counts.lines += found.lines
        self.counts.bytes += self._place - start
        self._number += found.blanks or 1
        after_blank = self._last_blank == self._number - 1
        if found.blanks:
            self.counts.blank += found.blanks
            self._last_blank = self._number
            return None
        if self._number in self.dialect.header_records:
            if self._layout.header_differs:
                self._headers[found.cells] = self._utf8(found.body)
            return _Entry(self._number, start, self._place, found)
        if not found.problem and not found.quotes and not any(map(bytes.strip, found.cells)):
            self.counts.blank += 1
            self._last_blank = self._number
            return None
        return _Entry(self._number, start, self._place, found, after_blank)

    def _apart(self, entry: _Entry) -> list[TextRecord] | None:
        """Return where a record of the header or the preamble is kept; None for one that may be a row."""
        if entry.number in self.dialect.header_records:
            self.counts.header += 1
            return self.header_lines
        if entry.number >= self._layout.first_row:
            return None
        sparse = not entry.found.problem and sum(_filled(entry.found.cells)) <= 1
        if sparse or self.dialect.header_records:
            self.counts.preamble += 1
            return self.preamble
        return None

    def _take_titles(self, entry: _Entry) -> None:
        """Take a header that occurs again out of the table, and with it the titles right above it."""
        titles = [entry]
        tail = self._tail
        while tail and len(titles) <= MOST_TITLES and _is_title(tail[-1].found):
            titles.insert(0, tail.pop())
        self.counts.header += len(titles)
        for title in titles:
            self._keep(self.header_lines, title)

    def _take_titles_of_another_table(self, entry: _Entry) -> None:
        """Take what stands between a blank record and the names of another table's columns out of this one.

        The names themselves are no row either, but that is for a person to see: they look like one.
        """
        tail = self._tail
        if not tail or not entry.found.fits or not _is_title(tail[-1].found):
            return
        above = takewhile(lambda held: _is_title(held.found), reversed(tail))
        titles = list(dropwhile(lambda held: not held.after_blank, reversed(list(above))))
        if not titles or not begins_table(self._texts(entry.found), self._layout):
            return
        for title in titles:
            tail.pop()
            self._keep(self.header_lines, title)
        self.counts.header += len(titles)

    def _texts(self, found: Found) -> list[str]:
        return [cell.decode(self._plain.encoding, "replace") for cell in found.cells]

    def _utf8(self, body: bytes) -> bytes:
        return body.decode(self._plain.encoding, "replace").encode()

    def _length(self, found: Found) -> int:
        """Return the number of bytes of a record in the delivery itself."""
        if not self._plain.wide:
            return found.end - found.start
        size = 0
        for start in range(found.start, found.end, _PART):
            part = self._data[start : min(start + _PART, found.end)]
            follow = sum(map(part.count, _CONTINUATION))
            size += 2 * (len(part) - follow + sum(map(part.count, _BEYOND)))
        return size

    def _keep(self, where: list[TextRecord], entry: _Entry) -> None:
        if len(where) < _KEPT_TEXT:
            text = entry.found.body.decode(self._plain.encoding, "replace")
            where.append(TextRecord(entry.number, entry.start, entry.end, text))

    def _flush(self) -> None:
        """Settle the records that are held back: they are no footer."""
        while self._tail:
            self._settle(self._tail.popleft())

    def _settle(self, entry: _Entry) -> None:
        """Accept or reject a record that is in the table."""
        found = entry.found
        problem, code = found.problem, ROW_NO_TEXT if found.problem == HAS_NUL else ROW_RAGGED
        if (not problem and not found.fits) or problem in BROKEN_QUOTES:
            found = self._mend(entry.number, found)
            problem = found.problem
        if not problem and not found.fits:
            problem = self._why_ragged(len(found.cells))
        if not problem and not self._accept(entry, found):
            problem = f"the record has bytes that are not valid in {self._plain.encoding}"
            code = ROW_NO_TEXT
        if problem:
            self._reject(entry.number, entry.start, entry.end, code, problem)
            return
        self.counts.accepted += 1
        if entry.number <= _NOTED_FIRST or (entry.number % _NOTED_EVERY == 0 and entry.number <= _NOTED_LAST):
            self._shapes[_filled(found.cells)] += 1

    def _why_ragged(self, count: int) -> str:
        return f"{count} cells where the table has {self._layout.width}"

    def _reject(self, number: int, start: int, end: int, code: str, why: str) -> None:
        self.counts.rejected += 1
        self.rejected.add(Rejected(number, start, end, code, why, self._raw(start, end)))

    def _accept(self, entry: _Entry, found: Found) -> bool:
        """Take a row, with its block if that is still at hand; return False when it cannot be decoded."""
        block, start = self._block, found.start
        if block is not None and block.starts.item(0) <= start < block.end:
            line = block.line_at(start)
            if block.is_row(line, start):
                block.take(line, line + 1, entry.number, entry.start)
                return True
        return self._batch.add(entry, found)

    def _mend(self, number: int, found: Found) -> Found:
        """Return a ragged record put right when only one reading of it is possible; a few per delivery."""
        mender = self._known.mender
        result = mender.mend_quote(found.body) if found.problem else mender.mend(found.body, found.cells)
        if result is None:
            return found
        cells, what = result
        self.mended.append((number, what))
        return replace(found, cells=cells, fits=True, problem="")

    def _raw(self, start: int, end: int) -> bytes:
        """Return the bytes of a record as delivered, up to the limit."""
        end = min(end, start + self._known.limits.rejected_raw_bytes)
        if not self._plain.wide:
            return self._data[start:end]
        with self._plain.source.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def _take_footer(self) -> None:
        """Move totals and notes at the end of the file out of the table."""
        tail = self._tail
        usual = Counter[int]()
        for filled, count in self._shapes.items():
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

    def _last_of_footer(self, full: int) -> int:
        """Return how many of the records at the end can be told to be no rows, at the next look."""
        if self._tail and self._is_footer(self._tail[-1], full):
            return 1
        return self._remarks()

    def _is_footer(self, entry: _Entry, full: int) -> bool:
        found = entry.found
        filled = _filled(found.cells)
        alike = sum(_filled(other.found.cells) == filled for other in self._tail)
        repeats = found.fits and (self._shapes[filled] > 0 or alike > 1)
        cells = self._texts(found)
        if found.problem:
            return False
        if found.body == _END_OF_FILE:
            return True
        if label_of(cells) in self._known.total_labels:
            return True
        if is_total(cells, self._layout, full=full, repeats=repeats):
            return not (self._known.totals_are_rows and found.fits)
        return is_note(cells, self._layout, repeats=repeats)

    def _remarks(self) -> int:
        """Return how many records at the end are remarks: text in the first cell alone, after a blank record.

        Where rows of the table are like that too, nobody can say.
        """
        last = list(takewhile(lambda held: _has_first_alone(held.found), reversed(self._tail)))
        count = max((place for place, held in enumerate(last, 1) if held.after_blank), default=0)
        rows = any(held.found.fits and self._shapes[_filled(held.found.cells)] for held in last[:count])
        words = all(shape(self._texts(held.found)[0]) == TEXT for held in last[:count])
        return count if words and not rows and self._layout.width >= _LEAST_OF_REMARKS else 0

    def _usual_of_tail(self) -> int:
        counts = sorted(sum(_filled(e.found.cells)) for e in self._tail if e.found.fits)
        return counts[len(counts) // 2] if counts else 0

    def _finish(self, lines: int) -> None:
        """Compare with an independent count of lines and bytes."""
        self.counts.verify(records=self._number, lines=lines, size=self._plain.size - self._plain.bom)
        for sheet in self._known.other_sheets:
            self._hand_over(sheet)
        preamble, footer = (tuple(one.record for one in kept) for kept in (self.preamble, self.footer))
        kinds = Counter(what for _, what in self.mended)
        notes = tuple(f"{count} records: {what}" for what, count in kinds.items())
        self.dialect = replace(
            self.dialect,
            preamble_records=preamble,
            footer_records=footer,
            assumptions=self.dialect.assumptions + notes,
        )
        self.finished = True

    def _hand_over(self, sheet: OtherSheet) -> None:
        """Take a sheet that is not in the table as one record after it: of a footer if it is mere text."""
        start, self._place = self._place, self._place + len(sheet.text)
        self._number += 1
        self.counts.lines += sheet.text.count(b"\n")
        self.counts.bytes += len(sheet.text)
        raw = sheet.text[: self._known.limits.rejected_raw_bytes]
        if sheet.is_text:
            self.counts.footer += 1
            self.footer.append(TextRecord(self._number, start, self._place, raw.decode(errors="replace")))
            return
        self.counts.rejected += 1
        self.rejected.add(Rejected(self._number, start, self._place, ROW_RAGGED, sheet.why, raw))


def _is_title(found: Found) -> bool:
    """Tell whether a record is a line with its first cell and nothing else."""
    return found.lines == 1 and _has_first_alone(found)


def _has_first_alone(found: Found) -> bool:
    """Tell whether a record has its first cell and nothing else."""
    filled = _filled(found.cells)
    return not found.problem and sum(filled) == 1 and bool(filled[0])


def _filled(cells: Sequence[bytes]) -> bytes:
    """Return for each cell whether it has text."""
    return bytes(map(bool, map(bytes.strip, cells)))


def _is_noted(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell the rows of which the look is noted; by their numbers alone, so that blocks make no difference."""
    noted: NDArray[np.bool_] = numbers <= _NOTED_LAST
    noted &= (numbers <= _NOTED_FIRST) | (numbers % _NOTED_EVERY == 0)
    return noted


def _in_order(batch: pa.RecordBatch, others: pa.RecordBatch) -> pa.RecordBatch:
    """Put the records of both lanes in the order of the delivery."""
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
    """The accepted records of the careful lane that are not yielded yet."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._begin()

    def _begin(self) -> None:
        self._places: list[tuple[int, int, int]] = []
        self._bodies: list[bytes] = []
        self._cells: list[bytes] = []
        self._widths: list[int] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, entry: _Entry, found: Found) -> bool:
        """Append a row; return False when its bytes cannot be decoded."""
        body, cells = found.body, found.cells
        if not body.isascii():
            try:
                body = body.decode(self._encoding).encode()
                cells = tuple(cell.decode(self._encoding).encode() for cell in cells)
            except UnicodeError:
                return False
        self._places.append((entry.number, entry.start, entry.end))
        self._bodies.append(body)
        self._cells += cells
        self._widths.append(len(cells))
        return True

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
    """Return texts that are valid UTF-8 as Arrow sees them."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    return pa.StringArray.from_buffers(len(texts), offsets(ends), pa.py_buffer(b"".join(texts)))
