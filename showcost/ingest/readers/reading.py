"""One reading of a delivery: what is known of its form, its records in batches, its rejected records.

Sorts the records that the lanes find into preamble, header, blank, rows, footer and rejected ones, and
proves at the end that each byte and line of the delivery is in exactly one of them.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
from collections import Counter, deque
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Final, Self

import pyarrow as pa

from showcost.ingest.readers.layout import Layout, is_footer
from showcost.ingest.readers.model import (
    FILE_UNREADABLE,
    RECORD_SCHEMA,
    ROW_RAGGED,
    Counts,
    Dialect,
    Limits,
    Rejected,
    TextRecord,
)
from showcost.ingest.readers.scan import Found, Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.ingest.readers.grammar import Grammar
    from showcost.ingest.readers.mend import Mender
    from showcost.ingest.readers.source import Plain

_BATCH: Final = 16_384
_LONGEST_FOOTER: Final = 24
_KEPT_TEXT: Final = 1_000
_BLOCK: Final = 2**22
_MOST_MENDED: Final = 1_000


_Entry = tuple[int, int, int, Found]
"""A record that may be a row: its number, its span in the delivery, what was found."""


class RejectedLog:
    """The rejected records of a reading, kept on disk beyond a few megabytes; iterate it any time."""

    _ENTRY: Final = struct.Struct("<qqqqqHI")
    _IN_MEMORY: Final = 2**22

    def __init__(self) -> None:
        """Begin an empty log."""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=self._IN_MEMORY)  # noqa: SIM115
        self._codes: list[str] = []
        self._details: dict[str, int] = {}
        self._count = 0

    def add(self, rejected: Rejected) -> None:
        """Append a rejected record; its raw bytes are kept with it."""
        if rejected.code not in self._codes:
            self._codes.append(rejected.code)
        detail = self._details.setdefault(rejected.detail, len(self._details))
        entry = self._ENTRY.pack(
            rejected.record,
            rejected.start,
            rejected.end,
            len(rejected.raw),
            0,
            self._codes.index(rejected.code),
            detail,
        )
        self._file.seek(0, 2)
        self._file.write(entry)
        self._file.write(rejected.raw)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Rejected]:
        """Yield the rejected records in the order of the delivery."""
        details = list(self._details)
        offset = 0
        for _ in range(self._count):
            self._file.seek(offset)
            record, start, end, size, _, code, detail = self._ENTRY.unpack(self._file.read(self._ENTRY.size))
            raw = self._file.read(size)
            offset += self._ENTRY.size + size
            yield Rejected(record, start, end, self._codes[code], details[detail], raw)

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


class Reading:
    """What was read of one delivery.

    Iterate `records` once: it yields Arrow record batches (`RECORD_SCHEMA`) of bounded size. `rejected`,
    `mended` (record numbers and what was put right), `footer`, `counts` and the complete `dialect` are
    final when `records` is exhausted. Use as a context
    manager or call `close`: a reading may hold temporary files.
    """

    def __init__(self, dialect: Dialect, header: tuple[str, ...]) -> None:
        """Begin a reading of which only the form is known."""
        self.dialect, self.header = dialect, header
        self.rejected = RejectedLog()
        self.preamble: list[TextRecord] = []
        self.header_lines: list[TextRecord] = []
        self.mended: list[tuple[int, str]] = []
        self.footer: list[TextRecord] = []
        self.counts = Counts()
        self.finished = False
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def records(self) -> Iterator[pa.RecordBatch]:
        """The accepted records; the same iterator each time, so what was taken is not yielded again.

        Raises IntegrityError at its end when not every byte and line of the delivery is accounted for.
        """
        return self._batches

    def table(self) -> pa.Table:
        """Read all that is left into one table: for small deliveries and tests."""
        return pa.Table.from_batches(list(self.records), schema=RECORD_SCHEMA)

    def close(self) -> None:
        """Remove the temporary files."""
        self._batches = iter(())
        self.rejected.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def unreadable(
    why: str, size: int, raw: bytes, folder: tempfile.TemporaryDirectory[str] | None = None
) -> Reading:
    """Return the reading of a delivery that is no table: one rejection of the whole file."""
    dialect = Dialect("", encoding_sure=False, delimiter="", quote="", escape="", confidence=0)
    reading = Reading(dialect, ())
    reading._folder = folder  # noqa: SLF001
    reading.rejected.add(Rejected(0, 0, size, FILE_UNREADABLE, why, raw))
    reading.counts = Counts(rejected=1, bytes=size)
    reading.finished = True
    return reading


class TableReading(Reading):
    """The reading of a table of text by the careful lane."""

    def __init__(
        self,
        dialect: Dialect,
        layout: Layout,
        grammar: Grammar,
        plain: Plain,
        limits: Limits,
        folder: tempfile.TemporaryDirectory[str] | None,
        mender: Mender,
        *,
        literal_quotes: bool,
    ) -> None:
        """Prepare to read `plain` with what was found out about it."""
        self._mender, self._literal_quotes = mender, literal_quotes
        super().__init__(dialect, layout.columns)
        self._layout, self._grammar, self._plain, self._limits = layout, grammar, plain, limits
        self._folder = folder
        self._batches = self._read()
        self._number = 0
        self._place = plain.bom
        self._header_cells: set[tuple[bytes, ...]] = set()
        self._usual = Counter[int]()
        self._shapes = Counter[tuple[bool, ...]]()

    def _read(self) -> Iterator[pa.RecordBatch]:
        begin = self._plain.bom if not self._plain.wide else 0
        size = self._plain.path.stat().st_size
        tail: deque[_Entry] = deque()
        batch = _Batch(self._plain.encoding)
        if size > begin:
            with (
                self._plain.path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            ):
                for found in Scanner(
                    data,
                    begin,
                    self._grammar,
                    self._layout,
                    self._limits,
                    encoding=self._plain.encoding,
                    literal_quotes=self._literal_quotes,
                ):
                    entry = self._sort(found)
                    if entry is None:
                        continue
                    if self._is_repeated_header(entry):
                        self._take_titles(tail, entry)
                        continue
                    tail.append(entry)
                    if len(tail) > _LONGEST_FOOTER:
                        self._settle(tail.popleft(), batch)
                        if len(batch) >= _BATCH:
                            yield batch.take()
        self._take_footer(tail)
        for entry in tail:
            self._settle(entry, batch)
        if len(batch):
            yield batch.take()
        self._finish()

    def _sort(self, found: Found) -> _Entry | None:
        """Count and place a record; return it with its number and span when it may be a row."""
        start = self._place
        end = start + self._length(found)
        self._place = end
        self.counts.lines += found.lines
        self.counts.bytes += end - start
        if found.blanks:
            self._number += found.blanks
            self.counts.blank += found.blanks
            return None
        self._number += 1
        number = self._number
        if number in self.dialect.header_records:
            self.counts.header += 1
            self._header_cells.add(found.cells)
            self._keep(self.header_lines, number, start, end, found)
            return None
        blank = not found.problem and not found.quotes and not any(map(bytes.strip, found.cells))
        if blank:
            self.counts.blank += 1
            return None
        sparse = not found.problem and sum(map(_has_text, found.cells)) <= 1
        if number < self._layout.first_row and (sparse or self.dialect.header_records):
            self.counts.preamble += 1
            self._keep(self.preamble, number, start, end, found)
            return None
        return number, start, end, found

    def _is_repeated_header(self, entry: _Entry) -> bool:
        cells = entry[3].cells
        return len(cells) > 1 and cells in self._header_cells

    def _take_titles(self, tail: deque[_Entry], entry: _Entry) -> None:
        """Take a header that occurs again out of the table, and with it the titles right above it."""
        titles = [entry]
        while tail and not tail[-1][3].problem and sum(map(_has_text, tail[-1][3].cells)) == 1:
            titles.insert(0, tail.pop())
        for number, start, end, found in titles:
            self.counts.header += 1
            self._keep(self.header_lines, number, start, end, found)

    def _length(self, found: Found) -> int:
        """Return the number of bytes of a record in the delivery itself."""
        if not self._plain.wide:
            return found.end - found.start
        with self._plain.path.open("rb") as file:
            file.seek(found.start)
            text = file.read(found.end - found.start).decode("utf-8", "surrogatepass")
        return len(text.encode("utf-16-le", "surrogatepass"))

    def _keep(self, where: list[TextRecord], number: int, start: int, end: int, found: Found) -> None:
        if len(where) < _KEPT_TEXT:
            text = found.body.decode(self._plain.encoding, "replace")
            where.append(TextRecord(number, start, end, text))

    def _settle(self, entry: _Entry, batch: _Batch) -> None:
        """Accept or reject a record that is in the table."""
        number, start, end, found = entry
        problem = found.problem
        if not problem and not found.fits:
            found = self._mend(number, found)
        if not problem and not found.fits:
            problem = f"{len(found.cells)} cells where the table has {self._layout.width}"
        if not problem and not batch.add(number, start, end, found):
            problem = f"the record has bytes that are not valid in {self._plain.encoding}"
        if problem:
            self.counts.rejected += 1
            self.rejected.add(Rejected(number, start, end, ROW_RAGGED, problem, self._raw(start, end)))
            return
        self.counts.accepted += 1
        filled = tuple(bool(cell.strip()) for cell in found.cells)
        self._usual[sum(filled)] += 1
        if len(self._shapes) < _KEPT_TEXT:
            self._shapes[filled] += 1

    def _mend(self, number: int, found: Found) -> Found:
        """Return a ragged record put right when only one reading of it is possible; a few per delivery."""
        if len(self.mended) >= _MOST_MENDED:
            return found
        result = self._mender.mend(found.body, found.cells)
        if result is None:
            return found
        cells, what = result
        self.mended.append((number, what))
        return replace(found, cells=cells, fits=True)

    def _raw(self, start: int, end: int) -> bytes:
        with self._plain.source.open("rb") as file:
            file.seek(start)
            return file.read(min(end - start, self._limits.rejected_raw_bytes))

    def _take_footer(self, tail: deque[_Entry]) -> None:
        """Move totals and notes at the end of the file out of the table."""
        full = self._usual.most_common(1)[0][0] if self._usual else self._usual_of(tail)
        footer: list[TextRecord] = []
        numbers: list[int] = []
        while len(tail) > (0 if self.counts.accepted else 1):
            number, start, end, found = tail[-1]
            filled = tuple(bool(cell.strip()) for cell in found.cells)
            repeats = found.fits and (
                self._shapes[filled] > 0 or sum(tuple(map(_has_text, e[3].cells)) == filled for e in tail) > 1
            )
            cells = [cell.decode(self._plain.encoding, "replace") for cell in found.cells]
            if found.problem or not is_footer(cells, self._layout, full=full, repeats=repeats):
                break
            self._keep(footer, number, start, end, found)
            numbers.append(number)
            tail.pop()
        self.footer = footer[::-1]
        self.counts.footer += len(footer)
        self.dialect = replace(self.dialect, footer_records=tuple(numbers[::-1]))

    @staticmethod
    def _usual_of(tail: deque[_Entry]) -> int:
        counts = sorted(sum(map(_has_text, found.cells)) for _, _, _, found in tail if found.fits)
        return counts[len(counts) // 2] if counts else 0

    def _finish(self) -> None:
        """Compare with an independent count of lines and bytes."""
        lines = count_lines(self._plain, lone_cr=self._grammar.lone_cr)
        self.counts.verify(records=self._number, lines=lines, size=self._plain.size - self._plain.bom)
        preamble = tuple(record.record for record in self.preamble)
        notes = tuple(
            f"{count} records: {what}" for what, count in Counter(w for _, w in self.mended).items()
        )
        self.dialect = replace(
            self.dialect, preamble_records=preamble, assumptions=self.dialect.assumptions + notes
        )
        self.finished = True


def _has_text(cell: bytes) -> bool:
    return bool(cell.strip())


def count_lines(plain: Plain, *, lone_cr: bool) -> int:
    """Count the physical lines of the plain bytes without parsing them."""
    count, last, previous = 0, b"\n", b""
    with plain.path.open("rb") as file:
        file.seek(0 if plain.wide else plain.bom)
        while block := file.read(_BLOCK):
            count += block.count(b"\n")
            if lone_cr:
                count += block.count(b"\r") - block.count(b"\r\n")
                count -= previous == b"\r" and block.startswith(b"\n")
            previous = last = block[-1:]
    return count + (last != b"\n" and not (lone_cr and last == b"\r"))


class _Batch:
    """The accepted records that are not yielded yet."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._rows: list[tuple[int, int, int, str, list[str]]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, number: int, start: int, end: int, found: Found) -> bool:
        """Append a row; return False when its bytes cannot be decoded."""
        try:
            raw = found.body.decode(self._encoding)
            cells = [cell.decode(self._encoding) for cell in found.cells]
        except UnicodeDecodeError:
            return False
        self._rows.append((number, start, end, raw, cells))
        return True

    def take(self) -> pa.RecordBatch:
        """Return the rows as a batch and begin anew."""
        columns = list(zip(*self._rows, strict=True))
        arrays = [
            pa.array(list(column), field.type) for column, field in zip(columns, RECORD_SCHEMA, strict=True)
        ]
        self._rows = []
        return pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA)
