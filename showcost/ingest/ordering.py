"""Rows in the order of their dates, sorted on disk with few rows in memory.

Rows are distributed over buckets that follow each other in date and, for a date of many rows, in record
number; the counts per date are known in advance. Then each bucket is sorted by itself.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

BUCKET_ROWS: Final = 65_536
"""Target number of rows per bucket; none has more than twice as many."""

_ORDER: Final = [(name, "ascending") for name in ("transaction_date", "record", "byte_start")]


class Buckets:
    """Assignment of rows to buckets: by date, and within a date of many rows by record number."""

    def __init__(self, dates: Mapping[date, int]) -> None:
        """Assign dates to buckets, given their numbers of rows; rows without a date come last."""
        self._dates = pa.array(sorted(dates), pa.date32())
        groups, split, group, rows = [], [], 0, 0
        for day in sorted(dates):
            if rows and rows + dates[day] > BUCKET_ROWS:
                group, rows = group + 1, 0
            groups.append(group)
            split.append(dates[day] > BUCKET_ROWS)
            rows += dates[day]
        self._group = np.array([*groups, group + 1], np.int64)
        self._split = np.array([*split, True], np.bool_)

    def of(self, rows: pa.RecordBatch) -> NDArray[np.int64]:
        """Return the bucket of each row as a number; buckets with lower numbers come first."""
        place = pc.index_in(rows.column("transaction_date"), value_set=self._dates)
        index = np.asarray(pc.fill_null(place, len(self._dates)))
        part = np.asarray(rows.column("record")) // BUCKET_ROWS
        numbers: NDArray[np.int64] = (self._group[index] << 32) + np.where(self._split[index], part, 0)
        return numbers


def by_date(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, dates: Mapping[date, int], path: Path
) -> Iterator[pa.RecordBatch]:
    """Yield rows by transaction date (null last) and record; `path` is for temporary files."""
    buckets = Buckets(dates)
    pieces: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    with path.open("w+b") as file:
        for batch in batches:
            numbers = buckets.of(batch)
            order = np.argsort(numbers, kind="stable")
            sorted_numbers = numbers[order]
            rows = batch.take(pa.array(order)).cast(schema)
            edges = np.flatnonzero(np.diff(sorted_numbers, prepend=-1, append=-1)).tolist()
            for begin, end in pairwise(edges):
                size = file.write(rows.slice(begin, end - begin).serialize())
                pieces[int(sorted_numbers[begin])].append((file.tell() - size, size))
        for number in sorted(pieces):
            yield _sorted(_read(file, pieces[number]), schema)


def _read(file: BinaryIO, places: list[tuple[int, int]]) -> Iterator[pa.Buffer]:
    for offset, size in places:
        file.seek(offset)
        yield pa.py_buffer(file.read(size))


def _sorted(pieces: Iterable[pa.Buffer], schema: pa.Schema) -> pa.RecordBatch:
    rows = pa.Table.from_batches([pa.ipc.read_record_batch(piece, schema) for piece in pieces], schema)
    return rows.take(pc.sort_indices(rows, _ORDER)).combine_chunks().to_batches()[0]
