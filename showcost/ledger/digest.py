r"""The digest of ledger content: independent of machine, time and order of posting.

The canonical form, which anyone can recompute with nothing but sha256 and JSON:

1. An entry is one line: a JSON array, without spaces, of its content columns in the order of
   `schema.ENTRY_COLUMNS` (batch_id, arrival and line_version are left out). An entry of line version 1 has
   the columns up to `flags`, one of version 2 the later ones too. Decimals are strings with all decimals of
   their scale, dates ISO strings, `record` a number, flags an array of strings, a missing value null.
   Characters are written as they are; only `"`, `\` and control characters are escaped, in the short form
   where JSON has one, else as \u00XX with upper-case digits.
2. The lines of a transaction date, ordered by entry_id (bytewise), are cut into leaves of 1,024. A leaf's
   hash is the sha256 of its lines, each ended by a line feed.
3. A date's hash is the sha256 of the JSON array [date, number of entries, leaf hash, leaf hash, ...].
4. A range's hash is the sha256 of the JSON array [date, number, hash, date, number, hash, ...] over the
   dates that have entries, in order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from showcost.core.chunks import chunks
from showcost.core.hashing import sha256_framed
from showcost.ledger.active_entries import entries_as_of
from showcost.ledger.schema import ENTRY_COLUMNS, FIRST_LINE_VERSION, LINE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import duckdb

    from showcost.ledger.schema import Column

LEAF_ROWS: Final = 1024
"""Entries under one leaf hash."""

_CHUNK_ROWS: Final = 250_000
_BATCH_ROWS: Final = 65_536


@dataclass(frozen=True)
class RangeDigest:
    """The digest of a range of transaction dates: `partitions` maps a date to (entries, hash)."""

    hash: str
    partitions: dict[date, tuple[int, str]]


def digest(
    connection: duckdb.DuckDBPyConnection, first: date, last: date, as_of: int | None = None
) -> RangeDigest:
    """Return the digest of the entries from `first` to `last`, both included; memory stays bounded.

    As of the audit record `as_of`, or now.
    """
    between = f"{entries_as_of(as_of)} WHERE transaction_date BETWEEN DATE '{first}' AND DATE '{last}'"
    partitions = partition_hashes(connection, between)
    framed = (
        part
        for day, (rows, partition_hash) in partitions.items()
        for part in (day.isoformat(), rows, partition_hash)
    )
    return RangeDigest(sha256_framed(framed), partitions)


def partition_hashes(connection: duckdb.DuckDBPyConnection, entries: str) -> dict[date, tuple[int, str]]:
    """Return (entries, hash) per transaction date, in order of date.

    `entries` is the SQL after FROM that yields the content columns of entries.
    """
    hashes = _group_hashes(connection, entries, "NULL")
    return {day: count_and_hash for (day, _), count_and_hash in hashes.items()}


def batch_hashes(
    connection: duckdb.DuckDBPyConnection, first: date, last: date
) -> dict[tuple[date, str], tuple[int, str]]:
    """Return (entries, hash) per transaction date and batch, to compare with the recorded batches."""
    between = f"ledger_entries WHERE transaction_date BETWEEN DATE '{first}' AND DATE '{last}'"
    hashes = _group_hashes(connection, between, "batch_id")
    return {(day, str(batch)): found for (day, batch), found in hashes.items()}


def _group_hashes(
    connection: duckdb.DuckDBPyConnection, entries: str, batch: str
) -> dict[tuple[date, str | None], tuple[int, str]]:
    """Return (entries, hash) per date and batch, in order; `batch` is the SQL expression of the batch."""
    groups = connection.execute(_GROUPS.format(entries=entries, batch=batch)).fetchall()
    counts: dict[date, int] = {}
    for day, _, rows in groups:
        counts[day] = counts.get(day, 0) + rows
    hashes: dict[tuple[date, str | None], tuple[int, str]] = {}
    for dates in chunks(counts.items(), _CHUNK_ROWS):
        keys = [(day, name) for day, name, _ in groups if dates[0] <= day <= dates[-1]]
        connection.register("digest_groups", _numbered(keys))
        try:
            lines = connection.sql(_LINES.format(entries=entries, batch=batch)).to_arrow_reader(_BATCH_ROWS)
            hashes |= zip(keys, _hash_lines(lines, [day for day, _ in keys]), strict=True)
        finally:
            connection.unregister("digest_groups")
    return hashes


def _numbered(groups: Sequence[tuple[date, str | None]]) -> pa.Table:
    """Return the groups with their numbers from 1, an absent batch as the empty text."""
    return pa.table(
        {
            "day": pa.array([day for day, _ in groups], pa.date32()),
            "batch": pa.array([name or "" for _, name in groups], pa.string()),
            "number": pa.array(range(1, len(groups) + 1), pa.int64()),
        }
    )


class _DateHash:
    """The hash of one date, updated line by line."""

    def __init__(self, day: date) -> None:
        self._day, self._rows = day, 0
        self._leaf = hashlib.sha256()
        self._leaves: list[str] = []

    @property
    def room(self) -> int:
        """Number of lines for which the current leaf has room."""
        return LEAF_ROWS - self._rows % LEAF_ROWS

    def add(self, lines: memoryview, rows: int) -> None:
        """Add lines, no more than there is room for."""
        self._leaf.update(lines)
        self._rows += rows
        if self._rows % LEAF_ROWS == 0:
            self._close_leaf()

    def finish(self) -> tuple[int, str]:
        """Return the number of lines and the hash."""
        if self._rows % LEAF_ROWS:
            self._close_leaf()
        return self._rows, sha256_framed([self._day.isoformat(), self._rows, *self._leaves])

    def _close_leaf(self) -> None:
        self._leaves.append(self._leaf.hexdigest())
        self._leaf = hashlib.sha256()


def _hash_lines(batches: pa.RecordBatchReader, days: Sequence[date]) -> list[tuple[int, str]]:
    """Hash lines that are ordered by group and entry_id, directly from their Arrow buffers.

    Groups are numbered from 1 in the order of `days`, the date of each.
    """
    hashes = [_DateHash(day) for day in days]
    for batch in batches:
        lines = batch.column("line").cast(pa.large_string())
        _, offsets, data = lines.buffers()
        ends = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
        text = memoryview(data)
        for number, start, stop in _stretches(batch.column("number")):
            of_group = hashes[number - 1]
            position = start
            while position < stop:
                until = min(position + of_group.room, stop)
                of_group.add(text[ends[position] : ends[until]], until - position)
                position = until
    return [of_group.finish() for of_group in hashes]


def _stretches(numbers: pa.Array) -> Iterator[tuple[int, int, int]]:
    """Yield each stretch of equal numbers as (number, start, stop)."""
    values = numbers.to_numpy()
    changes = np.flatnonzero(np.diff(values)) + 1
    for start, stop in pairwise([0, *changes.tolist(), len(values)]):
        yield int(values[start]), start, stop


def _canonical(column: Column) -> str:
    as_text = column.type.startswith(("DECIMAL", "DATE"))
    return f"CAST({column.name} AS VARCHAR)" if as_text else column.name


def line_columns(version: int) -> tuple[Column, ...]:
    """Return the columns of the canonical line of a version, in order."""
    return tuple(column for column in ENTRY_COLUMNS if column.content and column.since <= version)


def _line(version: int) -> str:
    content = ", ".join(_canonical(column) for column in line_columns(version))
    return f"CAST(json_array({content}) AS VARCHAR)"


CANONICAL_LINE: Final = (
    f"CASE line_version WHEN {LINE_VERSION} THEN {_line(LINE_VERSION)}"
    f" WHEN {FIRST_LINE_VERSION} THEN {_line(FIRST_LINE_VERSION)}"
    " ELSE error('an entry of an unknown line version') END || chr(10)"
)
"""The canonical line of an entry as a DuckDB expression, its line feed included."""

_GROUPS: Final = """
SELECT transaction_date, CAST({batch} AS VARCHAR), count(*) FROM {entries} GROUP BY ALL ORDER BY ALL
"""

# Groups are numbered by a join, because a window function would sort everything again. An entry id that
# occurs twice, in a ledger that was tampered with, leaves the order open, but then the count is wrong.
_LINES: Final = f"""
SELECT digest_groups.number, {CANONICAL_LINE} AS line
FROM (SELECT *, coalesce(CAST({{batch}} AS VARCHAR), '') AS of_batch FROM {{entries}}) AS entries
JOIN digest_groups ON digest_groups.day = transaction_date AND digest_groups.batch = of_batch
ORDER BY digest_groups.number, entry_id
"""  # noqa: S608 - built from constants of this package only
