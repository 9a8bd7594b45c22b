"""Posting: the one way in which entries come into the ledger.

Posting is idempotent by the id of an entry: what is posted is left alone, what is new is appended as one
batch per partition. A chunk of partitions is one transaction; within it everything that was inserted is
read back and its counts, sums and digests compared with what was to be inserted, before it commits.

`_commit_batches` is the only function that commits. The record of what is about to be posted belongs
before its BEGIN, durably, and the record that it was posted after its COMMIT: the audit trail (INTENT,
transaction, COMMITTED) has its place there and nowhere else, as has recovery from a crash between them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb
import pyarrow as pa

from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import SHORT, sha256_framed
from showcost.ledger.candidates import FRESH, Terms, ValidRows, prepare
from showcost.ledger.digest import chunks, partition_hashes
from showcost.ledger.schema import ENTRY_COLUMNS
from showcost.ledger.store import CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from showcost.ledger.store import Ledger

CHUNK_ROWS: Final = 250_000
"""Valid rows in one transaction, unless a single partition has more; bounds memory, not the result."""


@dataclass(frozen=True)
class Batch:
    """Entries of one feed and partition that are appended together.

    `totals` are the sums of amounts per currency, `base_total` that of base amounts, `digest` the hash of
    the entries as `showcost.ledger.digest` defines it for a date. The id follows from the content.
    """

    feed: str
    partition_date: date
    rows: int
    entries: int
    totals: dict[str, Decimal]
    base_currency: str
    base_total: Decimal
    snapshot_ids: tuple[str, ...]
    digest: str

    @property
    def batch_id(self) -> str:
        """32 hex digits over feed, partition and digest: the same entries make the same batch."""
        return sha256_framed([self.feed, self.partition_date.isoformat(), self.digest])[:SHORT]


@dataclass(frozen=True)
class PostResult:
    """What became of the valid rows of one partition: `rows` were offered, `batch` was appended, if any."""

    feed: str
    partition_date: date
    rows: int
    batch: Batch | None

    @property
    def appended_rows(self) -> int:
        """The rows of which entries were appended; the others were posted before."""
        return self.batch.rows if self.batch else 0

    @property
    def appended_entries(self) -> int:
        """The entries that were appended."""
        return self.batch.entries if self.batch else 0


def post(
    ledger: Ledger,
    terms: Terms,
    valid: pa.Table | Sequence[Path],
    *,
    partition_dates: Sequence[date],
    run_id: str,
    clock: Callable[[], datetime],
    chunk_rows: int = CHUNK_ROWS,
) -> list[PostResult]:
    """Post the valid rows of a feed for a range of partitions; one result per partition, in order of date.

    `valid` is a table or the paths of Parquet files that the caller has verified, with the columns of
    `showcost.ledger.candidates`; `clock` gives an aware time. Each chunk of partitions commits by itself,
    so that an error keeps what earlier chunks have posted; posting the rest again is safe. Raises
    InputError for columns or dates that do not fit, CheckFailedError for rows that may not be posted
    (without a pinned rate, posted with other content, doubled), StoreBusyError after the bounded wait.
    """
    rows = ValidRows(valid)
    counts = _count(rows, terms, partition_dates)
    batches: dict[date, Batch] = {}
    for dates in chunks(counts.items(), chunk_rows):
        with ledger.write() as connection:
            rows.as_view(connection)
            prepare(connection, terms, dates, counts)
            fresh = _batches(connection, FRESH)
            if fresh:
                _commit_batches(connection, fresh, run_id, clock())
        batches |= {batch.partition_date: batch for batch in fresh}
    return [
        PostResult(terms.feed, day, counts.get(day, 0), batches.get(day))
        for day in sorted(set(partition_dates))
    ]


def _count(rows: ValidRows, terms: Terms, dates: Sequence[date]) -> dict[date, int]:
    """Return the valid rows per date, each of which must be one of `dates`."""
    if rows.is_empty:
        return {}
    rows.check_columns(terms.document)
    with duckdb.connect(":memory:", config=CONFIG) as connection:
        rows.as_view(connection)
        counts = rows.counts(connection)
    if foreign := counts.keys() - set(dates):
        shown = ", ".join(sorted(str(day) for day in foreign)[:3])
        raise InputError(f"{terms.feed}: valid rows of {shown} are not of the partitions to be posted")
    return counts


def _commit_batches(
    connection: duckdb.DuckDBPyConnection, batches: Sequence[Batch], run_id: str, now: datetime
) -> None:
    """Append the fresh candidates as `batches`, compare what is in the ledger with them, and commit."""
    connection.register("posting_batches", _batch_table(batches, run_id, now))
    connection.begin()
    connection.execute(_INSERT_ENTRIES)
    connection.execute(_INSERT_BATCHES)
    found = _batches(connection, _APPENDED)
    if found != list(batches):
        connection.rollback()
        raise IntegrityError(
            f"{batches[0].feed}, from {batches[0].partition_date}: what was written to the ledger is not what"
            " was to be posted; nothing was committed"
        )
    connection.commit()


def _batches(connection: duckdb.DuckDBPyConnection, entries: str) -> list[Batch]:
    """Return entries summed up as batches, one per date; `entries` is what follows FROM in SQL."""
    hashes = partition_hashes(connection, entries)
    sums = [_Sum(*row) for row in connection.execute(_SUMS.format(entries=entries)).fetchall()]
    return [
        _batch(list(of_date), hashes[day][1])
        for day, of_date in groupby(sums, key=lambda total: total.partition_date)
    ]


class _Sum(NamedTuple):
    """The entries of one partition and currency, summed up; a row has one currency."""

    partition_date: date
    currency: str
    feed: str
    base_currency: str
    rows: int
    entries: int
    amount: Decimal
    base_amount: Decimal
    snapshot_ids: list[str]


def _batch(sums: Sequence[_Sum], digest: str) -> Batch:
    return Batch(
        feed=sums[0].feed,
        partition_date=sums[0].partition_date,
        rows=sum(total.rows for total in sums),
        entries=sum(total.entries for total in sums),
        totals={total.currency: total.amount for total in sums},
        base_currency=sums[0].base_currency,
        base_total=sum((total.base_amount for total in sums), Decimal(0)),
        snapshot_ids=tuple(sorted({snapshot for total in sums for snapshot in total.snapshot_ids})),
        digest=digest,
    )


def _batch_table(batches: Sequence[Batch], run_id: str, now: datetime) -> pa.Table:
    posted_at = now.astimezone(UTC).replace(tzinfo=None)
    return pa.Table.from_pylist(
        [
            {
                "batch_id": batch.batch_id,
                "feed": batch.feed,
                "partition_date": batch.partition_date,
                "run_id": run_id,
                "posted_at": posted_at,
                "row_count": batch.rows,
                "entry_count": batch.entries,
                "totals": json.dumps({currency: str(total) for currency, total in batch.totals.items()}),
                "base_currency": batch.base_currency,
                "base_total": batch.base_total,
                "digest": batch.digest,
                "snapshot_ids": list(batch.snapshot_ids),
            }
            for batch in batches
        ],
        schema=_BATCH_SCHEMA,
    )


_BATCH_SCHEMA: Final = pa.schema(
    [
        ("batch_id", pa.string()),
        ("feed", pa.string()),
        ("partition_date", pa.date32()),
        ("run_id", pa.string()),
        ("posted_at", pa.timestamp("us")),
        ("row_count", pa.int64()),
        ("entry_count", pa.int64()),
        ("totals", pa.string()),
        ("base_currency", pa.string()),
        ("base_total", pa.decimal128(38, 4)),
        ("digest", pa.string()),
        ("snapshot_ids", pa.list_(pa.string())),
    ]
)

_SUMS: Final = """
SELECT transaction_date, currency, any_value(feed), any_value(base_currency), count(DISTINCT row_key),
    count(*), sum(amount), sum(base_amount), list(DISTINCT snapshot_id)
FROM {entries} GROUP BY transaction_date, currency ORDER BY transaction_date, currency
"""

_ENTRY_NAMES: Final = ", ".join(column.name for column in ENTRY_COLUMNS if column.name != "batch_id")

_INSERT_ENTRIES: Final = f"""
INSERT INTO ledger_entries BY NAME
SELECT batch_id, {_ENTRY_NAMES}
FROM (FROM {FRESH}) JOIN (
    SELECT batch_id, partition_date AS transaction_date FROM posting_batches) USING (transaction_date)
"""  # noqa: S608 - built from constants only

_INSERT_BATCHES: Final = "INSERT INTO batches BY NAME FROM posting_batches"

_APPENDED: Final = "(FROM ledger_entries SEMI JOIN posting_batches USING (batch_id))"
