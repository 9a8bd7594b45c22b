"""The records of one delivery during landing: on disk, with a bounded number in memory.

First the accepted records as the reader yields them, iterated as often as inference of their columns needs;
then the landed records, in the order requested. The files are temporary.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, closing
from datetime import date
from typing import TYPE_CHECKING, Final, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from showcost.core.engine import engine, view_files
from showcost.ingest.ordering import by_date
from showcost.ingest.records import number_repeated, records_schema
from showcost.ingest.repeated_tables import Tables, mark_repeated
from showcost.readers import RECORD_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.readers import Reading

CHUNK_BYTES: Final = 2**23
"""Approximate bytes of records processed at a time; it limits memory and does not affect the result."""

_ENGINE_MEMORY: Final = "256MB"
_SMALL_BYTES: Final = 2**20
_BATCH_ROWS: Final = 61_440
_LAST_RECORDS: Final = 4


class AcceptedRecords:
    """The accepted records of a reading, in a file of `folder`; they can be iterated repeatedly.

    `filled` marks the columns with any content; `last` are the numbers and cells of the last records.
    """

    def __init__(self, reading: Reading, folder: Path) -> None:
        """Exhaust the reading."""
        self._path, self._width = folder / "accepted.arrow", reading.width
        filled = np.zeros(max(self._width, len(reading.header)), np.bool_)
        ending = pa.RecordBatch.from_pylist([], RECORD_SCHEMA)
        with pa.OSFile(str(self._path), "wb") as sink, pa.ipc.new_stream(sink, RECORD_SCHEMA) as writer:
            for batch in reading.records:
                writer.write_batch(batch)
                ending = batch.slice(max(0, batch.num_rows - _LAST_RECORDS))
                for column in np.flatnonzero(~filled[: self._width]).tolist():
                    filled[column] = _filled(pc.list_element(batch.column("cells"), column))
        self.filled: list[bool] = filled.tolist()
        numbers, cells = (ending.column(name).to_pylist() for name in ("record", "cells"))
        self.last: list[tuple[int, list[str]]] = list(zip(numbers, cells, strict=True))

    def __iter__(self) -> Iterator[tuple[pa.Table, list[pa.ChunkedArray]]]:
        """Yield the records in chunks, in order: places, and cells by column; at least one chunk."""
        for chunk in self._chunks():
            cells = chunk.column("cells")
            yield chunk, [pc.list_element(cells, column) for column in range(self._width)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the records as the reader yielded them."""
        with pa.OSFile(str(self._path), "rb") as source, pa.ipc.open_stream(source) as stream:
            yield from stream

    def _chunks(self) -> Iterator[pa.Table]:
        batches: list[pa.RecordBatch] = []
        size, yielded = 0, False
        for batch in self.batches():
            batches.append(batch)
            size += batch.nbytes
            if size >= CHUNK_BYTES:
                yield pa.Table.from_batches(batches, RECORD_SCHEMA)
                batches, size, yielded = [], 0, True
        if batches or not yielded:
            yield pa.Table.from_batches(batches, RECORD_SCHEMA)


def _filled(column: pa.Array) -> bool:
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), ""), min_count=0).as_py())


class DeliveryRecords:
    """The records of one delivery, written once and then queried.

    `rows`, `undated`, `unreadable` (rejected by the reader) and `dates` count them. `tables` says where the
    tables of the delivery begin.
    """

    def __init__(self, feed: FeedSpec, folder: Path) -> None:
        """Start without records; `folder` is for temporary files."""
        self.feed, self.schema = feed, records_schema(feed)
        self.rows = self.unreadable = 0
        self.dates = Counter[date]()
        self.tables = Tables()
        self._folder, self._path = folder, folder / "records.parquet"
        self._writer = pq.ParquetWriter(self._path, self.schema, compression="lz4")
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opened = ExitStack()

    @property
    def undated(self) -> int:
        """The records without a transaction date."""
        return self.rows - self.dates.total()

    def add(self, records: pa.Table) -> None:
        """Append records."""
        self._writer.write_table(records)
        self.rows += records.num_rows
        self.unreadable += pc.count(records.column("read_code")).as_py()
        counted = pc.value_counts(records.column("transaction_date").drop_null())
        pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
        self.dates.update(dict(pairs))

    def select(self, query: str) -> pa.RecordBatchReader:
        """Run a query over the view `numbered`, which has the columns of the feed's records.

        Records can no longer be added. Only one reader may be open at a time.
        """
        if self._connection is None:
            self._writer.close()
            self._connection = self._opened.enter_context(self._database())
            view_files(self._connection, "records", [self._path])
            numbered = number_repeated(self._connection, self.feed)
            numbered = mark_repeated(self._connection, self.feed, self.tables, numbered)
            self._connection.execute(f"CREATE TEMP VIEW numbered AS {numbered}")
        return self._connection.sql(query).to_arrow_reader(_BATCH_ROWS)

    def _database(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Return a database of its own; for a small delivery that of the process, which is open already."""
        if self._path.stat().st_size < _SMALL_BYTES:
            return engine()
        folder = str(self._folder)
        return closing(
            duckdb.connect(config={"memory_limit": _ENGINE_MEMORY, "temp_directory": folder, "threads": 2})
        )

    def by_date(self) -> pa.RecordBatchReader:
        """Return the records by transaction date, undated records last, then by order in the delivery."""
        columns = ", ".join(f'"{name}"' for name in self.schema.names)
        numbered = self.select(f"SELECT {columns} FROM numbered")  # noqa: S608 - names of our own columns
        ordered = by_date(numbered, self.schema, self.dates, self._folder / "ordered")
        return pa.RecordBatchReader.from_batches(self.schema, ordered)

    def close(self) -> None:
        """Close the files."""
        if self._connection is None:
            self._writer.close()
        else:
            self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
