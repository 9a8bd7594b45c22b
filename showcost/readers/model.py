"""The parts of a reading of a delivery: hints, dialect, rejected records, limits, counts.

Plain values only; the other modules of this package produce them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_UNREADABLE: Final = "SC-FIL-001"
CONTROL_TOTAL: Final = "SC-FIL-003"
FILE_NO_ENCODING: Final = "SC-FIL-005"
ROW_RAGGED: Final = "SC-ROW-001"
ROW_NO_TEXT: Final = "SC-ROW-004"
MAY_BE_TOTAL: Final = "SC-TOT-001"
"""The only code of a reader that a row keeps its cells with: a person may accept it as it is."""
HIDDEN: Final = "hidden in the workbook"
"""The end of the detail of a record that a workbook does not show."""
REPEATS: Final = "repeats record "
"""The beginning of the detail of a row that another table of its file has, too."""
NO_COST: Final = "credit or no cost: "
"""The beginning of what a detail says of a row that a text beside its amount calls so."""

C1_CONTROLS: Final = re.compile(rb"\xc2[\x80-\x9f]")
"""The control characters U+0080 to U+009F in UTF-8: where they occur, text was read in a wrong encoding."""

RECORD_SCHEMA: Final = pa.schema(
    [
        pa.field("record", pa.int64(), nullable=False),
        pa.field("byte_start", pa.int64(), nullable=False),
        pa.field("byte_end", pa.int64(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
        pa.field("cells", pa.list_(pa.field("item", pa.string(), nullable=False)), nullable=False),
    ]
)
"""The columns of the accepted records.

`record` is 1-based over all records of the delivery, `byte_start` and `byte_end` the half-open span
in the (decompressed) bytes with the line end, `raw` the text of that span without the line end,
`cells` the text between the delimiters, unquoted and unescaped and otherwise unchanged.
"""


@dataclass(frozen=True)
class Hints:
    """Facts that the feed or the user states about a delivery; a stated value is never second-guessed.

    `quote` and `escape` may be "" for none. `header_record` is the 1-based number of the record that
    is the header, 0 for a file without one. `skip_records` is the number of records before the table.
    `totals_are_rows` keeps a total at the end in the table, for a user who has not described the rows.
    `total_labels` are the words, compared as headers are, that the line of a total at the end begins with;
    lines with the usual words for totals are recognised without them. `names` are column names that the table
    may have, compared in the same way: they tell it from other sheets of a workbook, and from other tables in
    the file. With `as_written`, for a user who looks at the file, doubtful records are rows: those below the
    column names of another table, and a last one that may be cut off; and an encoding that is not certain is
    noted. `languages` (ISO 639-1) are those of the texts, () for any: they weigh encodings.
    `widths` are those of the columns of text without delimiters, in characters. `row_names` are the names of
    the columns that each row fills, a tuple of names for each: a record at the end that does so is no total.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header_record: int | None = None
    skip_records: int | None = None
    sheet: str | None = None
    totals_are_rows: bool = False
    total_labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    as_written: bool = False
    languages: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    row_names: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Limits:
    """The bounds of one reading; anything beyond them is rejected with a code, never cut silently.

    Sizes are in bytes. `record_bytes` bounds one record, `rejected_raw_bytes` the raw bytes of a
    rejected record that are kept in memory (its span always covers the whole record).
    """

    payload_bytes: int = 16 * 2**30
    expansion_ratio: int = 200
    expansion_floor_bytes: int = 64 * 2**20
    record_bytes: int = 2**20
    rejected_raw_bytes: int = 2**16
    columns: int = 4096
    name_characters: int = 10_000
    workbook_bytes: int = 256 * 2**20
    workbook_memory_bytes: int = 4 * 2**30
    workbook_seconds: int = 120
    sheet_cells: int = 50_000_000
    json_bytes: int = 64 * 2**20
    xml_bytes: int = 64 * 2**20


@dataclass(frozen=True)
class Dialect:
    """The detected form of a delivery, and how sure it is.

    `quote`, `escape` and `delimiter` are "" where there is none (a file of one column has no
    delimiter); an empty `escape` together with a quote means that a quote within quotes is doubled.
    `newlines` are the kinds of line end that occur. `header_sure` is False when the header has another
    number of names than the records have cells, so that a name may belong to another column. Record
    numbers are 1-based. `confidence` is a whole percentage; `assumptions` are sentences for the person who
    confirms the reading.
    """

    encoding: str
    encoding_sure: bool
    delimiter: str
    quote: str
    escape: str
    newlines: tuple[str, ...] = ()
    header_records: tuple[int, ...] = ()
    preamble_records: tuple[int, ...] = ()
    footer_records: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()
    header_sure: bool = True
    confidence: int = 100
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """A record that was not accepted, or the whole file (then `record` is 0).

    `start` and `end` are the half-open span in the (decompressed) bytes, `raw` the bytes of the span
    (the first `Limits.rejected_raw_bytes` of them), `detail` the observation: counts and positions,
    no content.
    """

    record: int
    start: int
    end: int
    code: str
    detail: str
    raw: bytes


@dataclass(frozen=True)
class HiddenCells:
    """The cells of a workbook's table that it does not show.

    `records` are the numbers of records of hidden rows or sheets; `columns` has the hidden columns, from 0
    on, by the numbers of the records of their sheet.
    """

    records: frozenset[int] = frozenset()
    columns: Mapping[range, frozenset[int]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.records or self.columns)


@dataclass(frozen=True)
class TextRecord:
    """A record kept as text that is not a row: a line of the preamble, the header or the footer."""

    record: int
    start: int
    end: int
    text: str


@dataclass
class RecordCounts:
    """The numbers of records of each kind, and their lines and bytes."""

    preamble: int = 0
    header: int = 0
    blank: int = 0
    footer: int = 0
    accepted: int = 0
    rejected: int = 0
    lines: int = 0
    bytes: int = field(default=0)

    @property
    def total(self) -> int:
        """All records of the delivery."""
        return self.preamble + self.header + self.blank + self.footer + self.accepted + self.rejected

    def verify(self, *, records: int, lines: int, size: int) -> None:
        """Compare with counts made independently of the parsing.

        Raises IntegrityError when records, lines or bytes are missing or counted twice.
        """
        counted = (self.total, self.lines, self.bytes)
        expected = (records, lines, size)
        if counted != expected:
            raise IntegrityError(
                f"the reader accounts for {counted[0]} records, {counted[1]} lines and {counted[2]} bytes "
                f"of a delivery of {expected[0]}, {expected[1]} and {expected[2]}: nothing was taken from it"
            )
