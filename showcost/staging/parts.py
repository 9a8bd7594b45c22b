"""Names of assets and partitions, and the splitting of a sorted stream of rows into partitions.

This module accesses no files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa

from showcost.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ALL: Final = "all"
"""The one partition of an asset that is not partitioned by date."""

Inputs: TypeAlias = "Mapping[str, str | int | Sequence[str] | None]"
"""Inputs of a partition as the caller defines them: a small JSON object."""

_SEGMENT = r"[a-z0-9][a-z0-9_\-]{0,99}"
_ASSET = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,3}}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PartitionRows:
    """The rows of one partition to be stored; writing them consumes a reader."""

    partition: str
    table: pa.Table | pa.RecordBatchReader
    inputs: Inputs = field(default_factory=dict)


def check_asset(asset: str) -> str:
    """Return the asset's name if it is safe as a folder name (lower case, up to four levels by `/`)."""
    if not _ASSET.fullmatch(asset):
        raise InputError(
            f"{asset!r} is not an asset name: use lower-case letters, digits, _ and -, levels split by /"
        )
    return asset


def check_partition(partition: str) -> str:
    """Return the partition's name if it is a date, `all`, or a delivery's sha256, never a path."""
    if partition == ALL or _SHA256.fullmatch(partition) or _is_date(partition):
        return partition
    raise InputError(f"{partition!r} is not a partition: expected YYYY-MM-DD, {ALL}, or a delivery's sha256")


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def split_by_date(
    rows: pa.Table | pa.RecordBatchReader, column: str, dates: Sequence[date]
) -> Iterator[tuple[date, pa.Table]]:
    """Split rows that are sorted by a date column into one table per date of `dates`, empty ones included.

    A reader is consumed batch by batch, with the rows of one date in memory. `dates` must ascend. Raises
    InputError for rows that are not sorted, have no date, or are outside `dates`, since none may be lost.
    """
    schema = rows.schema
    pieces: list[pa.RecordBatch] = []
    expected = iter(dates)
    current = next(expected, None)
    for day, piece in _runs(rows, column):
        while current is not None and current < day:
            yield current, pa.Table.from_batches(pieces, schema)
            pieces, current = [], next(expected, None)
        if current != day:
            raise InputError(f"the rows of {day} are out of order or outside the partitions that are written")
        pieces.append(piece)
    while current is not None:
        yield current, pa.Table.from_batches(pieces, schema)
        pieces, current = [], next(expected, None)


def _runs(rows: pa.Table | pa.RecordBatchReader, column: str) -> Iterator[tuple[date, pa.RecordBatch]]:
    """Yield the stretches of equal dates, in order."""
    for batch in rows.to_batches() if isinstance(rows, pa.Table) else rows:
        days = batch.column(column)
        if not pa.types.is_date32(days.type):
            raise InputError(f"{column} must be a date (date32) to split by, not {days.type}")
        if days.null_count:
            raise InputError(f"{days.null_count} rows have no {column} and belong to no partition")
        numbers = days.cast(pa.int32()).to_numpy()
        changes = np.flatnonzero(np.diff(numbers)) + 1
        bounds = [0, *changes.tolist(), len(numbers)] if len(numbers) else []
        for start, end in pairwise(bounds):
            yield days[start].as_py(), batch.slice(start, end - start)
