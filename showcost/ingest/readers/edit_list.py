"""The edit list: what a reading accepted as CSV, what it rejected as JSON lines.

Pure functions from a reading to binary streams; files and options belong to the command line.
"""

from __future__ import annotations

import csv
import io
import json
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from showcost.ingest.readers.model import Rejected
    from showcost.ingest.readers.reading import Reading

LINE_END: Final = "\r\n"


def write_csv(reading: Reading, out: IO[bytes]) -> int:
    """Write the accepted records as RFC 4180 CSV (UTF-8, CRLF), header first; return how many.

    Cells are as read. The names of a file without a header are col_0, col_1 and so on. Of a delivery that
    could not be read at all nothing is written. Exhausts `reading.records`.
    """
    written = 0
    if reading.header:
        out.write(_lines([reading.header]))
    for batch in reading.records:
        rows = batch.column("cells").to_pylist()
        out.write(_lines(rows))
        written += len(rows)
    return written


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=LINE_END).writerows(rows)
    return text.getvalue().encode()


def write_rejects(reading: Reading, out: IO[bytes]) -> int:
    r"""Write the rejected records as JSON lines (record, start, end, code, detail, raw); return how many.

    `raw` is the text of the record without its line end, decoded with the encoding of the delivery; bytes
    that the encoding does not have are written as \xNN. Call it when `reading.records` is exhausted.
    """
    for rejected in reading.rejected:
        out.write(json.dumps(_entry(rejected, reading.dialect.encoding), ensure_ascii=False).encode() + b"\n")
    return len(reading.rejected)


def _entry(rejected: Rejected, encoding: str) -> dict[str, object]:
    raw = rejected.raw.decode(encoding or "latin-1", "backslashreplace").removeprefix("\ufeff")
    return {
        "record": rejected.record,
        "start": rejected.start,
        "end": rejected.end,
        "code": rejected.code,
        "detail": rejected.detail,
        "raw": raw.removesuffix("\n").removesuffix("\r"),
    }
