"""Reading a table of text: both lanes, and the sorting of what they find.

Each record is sorted into preamble, header, blank, rows, footer or rejected, and at the end it is proved
that each byte and line of the delivery is in exactly one of them.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa

from showcost.ingest.readers.fast import CELLS, MOST_TITLES, FastLane, Lines, offsets, whole_numbers
from showcost.ingest.readers.grammar import count_lines
from showcost.ingest.readers.layout import Layout, is_note, is_total
from showcost.ingest.readers.model import (
    RECORD_SCHEMA,
    ROW_NO_TEXT,
    ROW_RAGGED,
    Dialect,
    Limits,
    Rejected,
    TextRecord,
)
from showcost.ingest.readers.reading import Reading
from showcost.ingest.readers.scan import BROKEN_QUOTES, HAS_NUL, Found, Scanner

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from showcost.ingest.readers.grammar import Grammar
    from showcost.ingest.readers.mend import Mender
    from showcost.ingest.readers.source import Plain

_BATCH: Final = 16_384
_LONGEST_FOOTER: Final = 24
_KEPT_TEXT: Final = 1_000
_BLOCK: Final = 2**19
_TAIL: Final = 2**16
_LEARNT: Final = 128
"""Rows of a block of which the look is noted."""
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record that may be a row: its number, its span in the delivery, what was found."""

    number: int
    start: int
    end: int
    found: Found


@dataclass(frozen=True)
class _Block:
    """The lines of a block and where they start in the plain bytes; which are taken, and as which records."""

    lines: Lines
    starts: list[int]
    taken: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    places: NDArray[np.int64]

    def take(self, entry: _Entry) -> bool:
        """Take a record of the careful lane as the line that it is, if it is a sound one of this block."""
        start = entry.found.start
        line = bisect_left(self.starts, start)
        if line == len(self.starts) or self.starts[line] != start or not self.lines.sound[line]:
            return False
        self.taken[line], self.numbers[line], self.places[line] = True, entry.number, entry.start
        return True


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
        self._usual = Counter[int]()
        self._shapes = Counter[tuple[bool, ...]]()
        self._block: _Block | None = None

    def _read(self) -> Iterator[pa.RecordBatch]:
        begin = 0 if self._plain.wide else self._plain.bom
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
        self._finish()

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
        lane = FastLane(known.grammar, self._layout.width, self._plain.encoding, wide=bool(self._plain.wide))
        with _Ahead(lane, self._plain.path) as ahead:
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
                        position, build = self._take_block(lines, scanner, position)
                        yield from ahead.built(build, self._batch.take() if len(self._batch) else None)
                        continue
                    careful_until = end
                position = self._handle(scanner.step(position, self._number + 1))
                if len(self._batch) >= _BATCH:
                    yield from ahead.built()
                    yield self._batch.take()
                if self.counts.rejected > _HOPELESS and self.counts.rejected > self.counts.accepted:
                    yield from ahead.built()
                    self._give_up(position)
                    return
            yield from ahead.built()

    def _give_up(self, position: int) -> None:
        """Reject the rest of a file of which most is no table as one record: time is bounded too."""
        self._flush()
        size = self._plain.size - self._place
        if not size:
            return
        start, self._place = self._place, self._plain.size
        self._number += 1
        parts = _blocks(self._plain.path, position)
        self.counts.lines += count_lines(parts, lone_cr=self._known.grammar.lone_cr)
        self.counts.bytes += size
        self.counts.rejected += 1
        why = "most records before are ragged: the rest of the delivery is rejected as one"
        raw = self._raw(start, self._place)
        self.rejected.add(Rejected(self._number, start, self._place, ROW_RAGGED, why, raw))

    def _take_block(self, lines: Lines, scanner: Scanner, base: int) -> tuple[int, _Build]:
        """Take the sound lines of a block together and the others one by one; return where to go on."""
        count = len(lines.sound)
        places = np.append(0, np.cumsum(lines.place))
        exceptions = [*np.flatnonzero(~lines.sound).tolist(), count]
        starts = (base + np.cumsum(lines.plain) - lines.plain).tolist() if len(exceptions) > 1 else []
        taken, numbers, at = np.zeros(count, np.bool_), np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._block = block = _Block(lines, starts, taken, numbers, at)
        end = base + int(lines.plain.sum())
        line = 0
        while line < count:
            stop = exceptions[bisect_left(exceptions, line)]
            if stop > line:
                self._flush()
                taken[line:stop] = True
                numbers[line:stop] = np.arange(self._number + 1, self._number + 1 + stop - line)
                at[line:stop] = places[line:stop] + (self._place - int(places[line]))
                self._count(stop - line, int(places[stop] - places[line]))
            if stop == count:
                break
            line, end = self._by_records(scanner, block, stop, end)
        self._learn(lines)
        self._block = None
        return end, (lines, taken, numbers[taken], at[taken])

    def _by_records(self, scanner: Scanner, block: _Block, line: int, end: int) -> tuple[int, int]:
        """Go on record by record until a sound line begins; return its index and the end of the block."""
        starts, count = block.starts, len(block.starts)
        position = starts[line]
        while True:
            position = self._handle(scanner.step(position, self._number + 1))
            if position >= end:
                return count, position
            if not scanner.in_doubt:
                line = bisect_left(starts, position)
                if starts[line] == position and block.lines.sound[line]:
                    return line, end

    def _count(self, rows: int, size: int) -> None:
        self._number += rows
        self._place += size
        self.counts.accepted += rows
        self.counts.lines += rows
        self.counts.bytes += size

    def _learn(self, lines: Lines) -> None:
        """Note what rows look like, to tell them from a footer."""
        if len(self._shapes) < _KEPT_TEXT and self._usual.total() < _BATCH:
            delimiter = self._known.grammar.delimiter
            plain = np.flatnonzero(lines.sound & ~lines.quoted)
            for line in plain[:: len(plain) // _LEARNT + 1].tolist():
                cells = lines.text[lines.starts[line] : lines.ends[line]].split(delimiter)
                self._note(tuple(map(_has_text, cells)))

    def _note(self, filled: tuple[bool, ...]) -> None:
        self._usual[sum(filled)] += 1
        if len(self._shapes) < _KEPT_TEXT:
            self._shapes[filled] += 1

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
        if found.blanks:
            self.counts.blank += found.blanks
            return None
        if self._number in self.dialect.header_records:
            if self._layout.header_differs:
                self._headers[found.cells] = self._utf8(found.body)
            return _Entry(self._number, start, self._place, found)
        if not found.problem and not found.quotes and not any(map(bytes.strip, found.cells)):
            self.counts.blank += 1
            return None
        return _Entry(self._number, start, self._place, found)

    def _apart(self, entry: _Entry) -> list[TextRecord] | None:
        """Return where a record of the header or the preamble is kept; None for one that may be a row."""
        if entry.number in self.dialect.header_records:
            self.counts.header += 1
            return self.header_lines
        if entry.number >= self._layout.first_row:
            return None
        sparse = not entry.found.problem and sum(map(_has_text, entry.found.cells)) <= 1
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

    def _utf8(self, body: bytes) -> bytes:
        return body.decode(self._plain.encoding, "replace").encode()

    def _length(self, found: Found) -> int:
        """Return the number of bytes of a record in the delivery itself."""
        if not self._plain.wide:
            return found.end - found.start
        size = 0
        for start in range(found.start, found.end, _BLOCK):
            part = self._data[start : min(start + _BLOCK, found.end)]
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
            problem = f"{len(found.cells)} cells where the table has {self._layout.width}"
        if not problem and not self._accept(entry, found):
            problem = f"the record has bytes that are not valid in {self._plain.encoding}"
            code = ROW_NO_TEXT
        if problem:
            raw = self._raw(entry.start, entry.end)
            self.counts.rejected += 1
            self.rejected.add(Rejected(entry.number, entry.start, entry.end, code, problem, raw))
            return
        self.counts.accepted += 1
        if self._usual.total() < _BATCH:
            self._note(tuple(map(_has_text, found.cells)))

    def _accept(self, entry: _Entry, found: Found) -> bool:
        """Take a row, with its block if that is still at hand; return False when it cannot be decoded."""
        if self._block is not None and self._block.take(entry):
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
        full = self._usual.most_common(1)[0][0] if self._usual else self._usual_of_tail()
        footer: list[TextRecord] = []
        while len(tail) > (0 if self.counts.accepted else 1) and self._is_footer(tail[-1], full):
            self._keep(footer, tail.pop())
        self.footer = footer[::-1]
        self.counts.footer += len(footer)
        self.dialect = replace(self.dialect, footer_records=tuple(record.record for record in self.footer))

    def _is_footer(self, entry: _Entry, full: int) -> bool:
        found = entry.found
        filled = tuple(map(_has_text, found.cells))
        alike = sum(tuple(map(_has_text, other.found.cells)) == filled for other in self._tail)
        repeats = found.fits and (self._shapes[filled] > 0 or alike > 1)
        cells = [cell.decode(self._plain.encoding, "replace") for cell in found.cells]
        if found.problem:
            return False
        if is_total(cells, self._layout, full=full, repeats=repeats):
            return not (self._known.totals_are_rows and found.fits)
        return is_note(cells, self._layout, repeats=repeats)

    def _usual_of_tail(self) -> int:
        counts = sorted(sum(map(_has_text, e.found.cells)) for e in self._tail if e.found.fits)
        return counts[len(counts) // 2] if counts else 0

    def _finish(self) -> None:
        """Compare with an independent count of lines and bytes."""
        begin = 0 if self._plain.wide else self._plain.bom
        lines = count_lines(_blocks(self._plain.path, begin), lone_cr=self._known.grammar.lone_cr)
        self.counts.verify(records=self._number, lines=lines, size=self._plain.size - self._plain.bom)
        preamble = tuple(record.record for record in self.preamble)
        kinds = Counter(what for _, what in self.mended)
        notes = tuple(f"{count} records: {what}" for what, count in kinds.items())
        self.dialect = replace(
            self.dialect, preamble_records=preamble, assumptions=self.dialect.assumptions + notes
        )
        self.finished = True


def _is_title(found: Found) -> bool:
    return not found.problem and sum(map(_has_text, found.cells)) == 1


def _has_text(cell: bytes) -> bool:
    return bool(cell.strip())


def _blocks(path: Path, start: int) -> Iterator[bytes]:
    """Read a file from `start` on, a block at a time."""
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            yield block


_Build = tuple[Lines, "NDArray[np.bool_]", "NDArray[np.int64]", "NDArray[np.int64]"]
"""What `FastLane.build` needs: lines, which are taken, their numbers, their places."""


class _Ahead:
    """Does the work on whole blocks beside the reading: analyses the next block, builds the last one."""

    def __init__(self, lane: FastLane, path: Path) -> None:
        self._lane = lane
        self._file = path.open("rb")
        self._size = path.stat().st_size
        self._workers = ThreadPoolExecutor(2, thread_name_prefix="reader")
        self._next: tuple[int, Future[tuple[Lines | None, int]]] | None = None
        self._building: Future[pa.RecordBatch] | None = None

    def take(self, position: int, headers: tuple[bytes, ...]) -> tuple[Lines | None, int]:
        """Return the lines of the block at `position`, or None, and where the next block begins."""
        if self._next is not None and self._next[0] == position:
            lines, end = self._next[1].result()
        else:
            lines, end = self._analyse(position, headers)
        self._next = (end, self._workers.submit(self._analyse, end, headers)) if end < self._size else None
        return lines, end

    def _analyse(self, position: int, headers: tuple[bytes, ...]) -> tuple[Lines | None, int]:
        """Analyse a block of whole lines; none is taken near the end of the file, where a footer may be."""
        stop = min(position + _BLOCK, self._size - _TAIL)
        if stop <= position + _TAIL:
            return None, self._size
        block = os.pread(self._file.fileno(), stop - position, position)
        length = block.rfind(self._lane.line_end) + 1
        if not length:
            return None, stop
        if self._lane.line_end == b"\r" and block[length : length + 1] in {b"", b"\n"}:
            # What may be a carriage return of CR LF is for the careful lane.
            return None, position + length
        return self._lane.analyse(block[:length], headers), position + length

    def built(
        self, build: _Build | None = None, others: pa.RecordBatch | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the batch being built, if any, and begin with the next, which `others` are records of too."""
        before = self._building
        self._building = self._workers.submit(self._build, build, others) if build is not None else None
        if before is not None:
            yield before.result()

    def _build(self, build: _Build, others: pa.RecordBatch | None) -> pa.RecordBatch:
        """Build a batch, and put the records of both lanes in the order of the delivery."""
        batch = self._lane.build(*build)
        if others is None:
            return batch
        numbers, pieces, begin = batch.column("record").to_numpy(), [], 0
        places = np.searchsorted(numbers, others.column("record").to_numpy())
        groups = np.append(np.flatnonzero(np.diff(places, prepend=-1)), len(places)).tolist()
        for first, after in pairwise(groups):
            place = int(places[first])
            pieces += [batch.slice(begin, place - begin), others.slice(first, after - first)]
            begin = place
        pieces.append(batch.slice(begin))
        return pa.Table.from_batches(pieces).combine_chunks().to_batches()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown(cancel_futures=True)
        self._file.close()


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
