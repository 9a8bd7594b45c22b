"""Writing rows as Parquet without holding them all.

The bytes depend on the rows and the options alone: not on how the rows come, as a table or in batches.
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
"""Rows of a row group; that many are held at a time."""


def write_parquet(
    rows: pa.Table | pa.RecordBatchReader, target: Path | IO[bytes], *, compression_level: int
) -> int:
    """Write rows, compressed with zstd; return how many there were."""
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
    held: list[pa.RecordBatch] = []
    count, yielded = 0, False
    for batch in batches:
        start = 0
        while count + batch.num_rows - start >= ROW_GROUP_ROWS:
            taken = ROW_GROUP_ROWS - count
            held.append(batch.slice(start, taken))
            yield _table(held, schema)
            held, count, start, yielded = [], 0, start + taken, True
        if start < batch.num_rows:
            held.append(batch.slice(start))
            count += batch.num_rows - start
    if held or not yielded:
        yield _table(held, schema)


def _table(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    plain = [batch.replace_schema_metadata(None) for batch in batches]
    return pa.Table.from_batches(plain, schema).combine_chunks()
