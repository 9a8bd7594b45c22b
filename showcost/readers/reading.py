"""One reading of a delivery as its user sees it: its form, records in batches, rejected records, counts.

The records of a table are read in `csv.table`.
"""

from __future__ import annotations

import io
import struct
import tempfile
from typing import IO, TYPE_CHECKING, Final, Self

import pyarrow as pa

from showcost.readers.model import (
    FILE_UNREADABLE,
    RECORD_SCHEMA,
    Dialect,
    HiddenCells,
    RecordCounts,
    Rejected,
    TextRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date


class RejectedLog:
    """The rejected records of a reading, kept on disk beyond a few megabytes; iterate it any time."""

    _ENTRY: Final = struct.Struct("<qqqqII")
    _HELD: Final = 2**20

    def __init__(self) -> None:
        """Begin an empty log."""
        self._file: IO[bytes] | None = None
        self._held = bytearray()
        self._codes: dict[str, int] = {}
        self._details: dict[str, int] = {}
        self._count = 0

    def add(self, rejected: Rejected) -> None:
        """Append a rejected record; its raw bytes are kept with it."""
        code = self._codes.setdefault(rejected.code, len(self._codes))
        detail = self._details.setdefault(rejected.detail, len(self._details))
        self._held += self._ENTRY.pack(
            rejected.record, rejected.start, rejected.end, len(rejected.raw), code, detail
        )
        self._held += rejected.raw
        self._count += 1
        if len(self._held) >= self._HELD:
            self._write_out()

    def _write_out(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the reading
        self._file.seek(0, 2)
        self._file.write(self._held)
        self._held.clear()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Rejected]:
        """Yield the rejected records in the order of the delivery."""
        if self._file is None:
            yield from self._entries(io.BytesIO(self._held), self._count)
            return
        self._write_out()
        self._file.seek(0)
        yield from self._entries(self._file, self._count)

    def _entries(self, file: IO[bytes], count: int) -> Iterator[Rejected]:
        codes, details = list(self._codes), list(self._details)
        for _ in range(count):
            record, start, end, size, code, detail = self._ENTRY.unpack(file.read(self._ENTRY.size))
            yield Rejected(record, start, end, codes[code], details[detail], file.read(size))

    def close(self) -> None:
        """Free the space."""
        self._held.clear()
        if self._file is not None:
            self._file.close()


class Reading:
    """The reading of one delivery.

    `header` has the names as in the delivery, `width` is the number of cells of every record; the
    two differ only where `dialect.header_sure` is False. Iterate `records` once: it yields Arrow record
    batches (`RECORD_SCHEMA`) of bounded size. `rejected`, `repaired` (record numbers and repairs), `footer`,
    `notes` (sentences for whoever uses the rows), `counts` and the whole `dialect` are final when `records`
    is exhausted. `period` has the first and the last day of dates without a year, where the delivery states
    it, `hidden` the cells that a workbook does not show, `sheet_names` the names of its sheets in the table
    by the number of their first record. `is_delimited` says that the delimiters of the
    delivery itself divide the cells. Use as a context manager or call `close`: a reading may hold temporary
    files.
    """

    def __init__(self, dialect: Dialect, header: tuple[str, ...], width: int | None = None) -> None:
        """Begin a reading with its form; `width` defaults to that of the header."""
        self.dialect, self.header = dialect, header
        self.width = len(header) if width is None else width
        self.rejected = RejectedLog()
        self.preamble: list[TextRecord] = []
        self.header_lines: list[TextRecord] = []
        self.repaired: list[tuple[int, str]] = []
        self.footer: list[TextRecord] = []
        self.notes: list[str] = []
        self.period: tuple[date, date] | None = None
        self.hidden = HiddenCells()
        self.sheet_names: dict[int, str] = {}
        self.is_delimited = False
        self.counts = RecordCounts()
        self.finished = False
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def records(self) -> Iterator[pa.RecordBatch]:
        """The accepted records; the same iterator each time, so no record is yielded twice.

        Raises IntegrityError at its end when not every byte and line of the delivery is accounted for.
        """
        return self._batches

    def table(self) -> pa.Table:
        """Read the remaining records into one table: for small deliveries and tests."""
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
    why: str,
    size: int,
    raw: bytes,
    folder: tempfile.TemporaryDirectory[str] | None = None,
    *,
    code: str = FILE_UNREADABLE,
) -> Reading:
    """Return the reading of an unreadable delivery: one rejection of the whole file."""
    dialect = Dialect("", encoding_sure=False, delimiter="", quote="", escape="", confidence=0)
    reading = Reading(dialect, ())
    reading._folder = folder  # noqa: SLF001 -- this module's own class
    reading.rejected.add(Rejected(0, 0, size, code, why, raw))
    reading.counts = RecordCounts(rejected=1, bytes=size)
    reading.finished = True
    return reading
