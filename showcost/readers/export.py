"""The edit list: accepted records as CSV, rejected ones as JSON lines.

Pure functions from a reading to binary streams; files and options belong to the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

if TYPE_CHECKING:
    from collections.abc import Iterable

    from showcost.readers.model import Rejected
    from showcost.readers.reading import Reading

_OPTIONS: Final = pa.csv.WriteOptions(include_header=False, quoting_style="all_valid")


ShownCells: TypeAlias = Callable[[int, pa.Array], pa.Array]
"""A function from the place of a column and its cells to the cells shown."""


def as_read(_place: int, cells: pa.Array) -> pa.Array:
    """Show cells as they were read."""
    return cells


def write_csv(
    reading: Reading,
    out: IO[bytes],
    records: Iterable[pa.RecordBatch] | None = None,
    shown: ShownCells = as_read,
) -> int:
    """Write the accepted records as RFC 4180 CSV, header first; return how many.

    UTF-8, each cell quoted, LF. Cells are shown by `shown`. The header is as read, also where it
    has another number of names than the records have cells. The names of a file without one are col_0, col_1
    and so on. Of a delivery that could not be read at all nothing is written. Exhausts `reading.records`,
    unless the records are handed in.
    """
    written, width = 0, reading.width
    batches = reading.records if records is None else records
    if not width:
        for _ in batches:
            continue
        return 0
    names = [str(number) for number in range(width)]
    out.write(_csv(pa.RecordBatch.from_pydict({str(n): [name] for n, name in enumerate(reading.header)})))
    for batch in batches:
        cells = batch.column("cells")
        columns = [shown(number, pc.list_element(cells, number)) for number in range(width)]
        out.write(_csv(pa.RecordBatch.from_arrays(columns, names)))
        written += batch.num_rows
    return written


def _csv(batch: pa.RecordBatch) -> memoryview:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(batch, sink, _OPTIONS)
    return memoryview(sink.getvalue())


def write_rejects(reading: Reading, out: IO[bytes], shown: Callable[[str], str] = str) -> int:
    r"""Write the rejected records as JSON lines (record, start, end, code, detail, raw); return how many.

    `raw` is the text of the record without its line end, decoded with the encoding of the delivery; bytes
    that the encoding does not have are written as \xNN; `shown` masks or shortens texts. Call it when
    `reading.records` is exhausted.
    """
    for rejected in reading.rejected:
        entry = _entry(rejected, reading.dialect.encoding)
        entry |= {name: shown(str(entry[name])) for name in ("detail", "raw")}
        out.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
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
