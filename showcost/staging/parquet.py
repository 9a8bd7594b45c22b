"""Writing of rows as Parquet with bounded memory.

The bytes depend on the rows and the options alone, not on whether the rows are a table or batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import IO

ROW_GROUP_ROWS: Final = 122_880
"""Rows of a row group, and the maximum number of rows in memory."""


def write_parquet(
    rows: pa.Table | pa.RecordBatchReader, target: Path | IO[bytes], *, compression_level: int
) -> int:
    """Write rows, compressed with zstd; return their number."""
    schema = rows.schema.remove_metadata()
    batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
    written = 0
    with pq.ParquetWriter(
        target,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=compression_level,
        data_page_version="1.0",
        use_dictionary=True,
        write_statistics=True,
        store_schema=True,
    ) as writer:
        for group in _groups(batches, schema):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            written += group.num_rows
    return written


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows in tables of the size of a row group, the last one smaller; at least one table."""
    slices: list[pa.RecordBatch] = []
    count, yielded = 0, False
    for batch in batches:
        start = 0
        while count + batch.num_rows - start >= ROW_GROUP_ROWS:
            length = ROW_GROUP_ROWS - count
            slices.append(batch.slice(start, length))
            yield _table(slices, schema)
            slices, count, start, yielded = [], 0, start + length, True
        if start < batch.num_rows:
            slices.append(batch.slice(start))
            count += batch.num_rows - start
    if slices or not yielded:
        yield _table(slices, schema)


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    plain = [batch.replace_schema_metadata(None) for batch in batches]
    return pa.Table.from_batches(plain, schema).combine_chunks()
