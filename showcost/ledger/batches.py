"""Batches: entries that are appended together, their totals and digests, and their stored forms.

Nothing here changes the ledger; `append_entries` does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from showcost.core.hashing import SHORT, sha256_framed
from showcost.ledger.digest import partition_hashes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from showcost.audit.log import Fact


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

    def as_facts(self) -> dict[str, Fact]:
        """Return the batch as the audit log writes it."""
        return {
            "batch_id": self.batch_id,
            "feed": self.feed,
            "partition_date": self.partition_date.isoformat(),
            "rows": self.rows,
            "entries": self.entries,
            "totals": {currency: str(total) for currency, total in self.totals.items()},
            "base_currency": self.base_currency,
            "base_total": str(self.base_total),
            "snapshot_ids": self.snapshot_ids,
            "digest": self.digest,
        }


def from_facts(facts: Mapping[str, Any]) -> Batch:
    """Return the batch that `as_facts` wrote."""
    return Batch(
        feed=facts["feed"],
        partition_date=date.fromisoformat(facts["partition_date"]),
        rows=facts["rows"],
        entries=facts["entries"],
        totals={currency: Decimal(total) for currency, total in facts["totals"].items()},
        base_currency=facts["base_currency"],
        base_total=Decimal(facts["base_total"]),
        snapshot_ids=tuple(facts["snapshot_ids"]),
        digest=facts["digest"],
    )


def batches_of(connection: duckdb.DuckDBPyConnection, entries: str) -> list[Batch]:
    """Return the batches of some entries of one feed, one per date; `entries` is the SQL after FROM."""
    hashes = partition_hashes(connection, entries)
    sums = [_Sum(*row) for row in connection.execute(_SUMS.format(entries=entries)).fetchall()]
    return [
        _batch(list(of_date), hashes[day][1])
        for day, of_date in groupby(sums, key=lambda total: total.partition_date)
    ]


def feed_hashes(
    connection: duckdb.DuckDBPyConnection, feed: str, first: date, last: date
) -> dict[date, tuple[int, str]]:
    """Return (entries, hash) of a feed per transaction date from `first` to `last`, both included.

    A date with one batch has its digest, which was compared with the entries when they were appended; only
    the entries of other dates are hashed again.
    """
    between = {"feed": feed, "first": first, "last": last}
    hashes: dict[date, tuple[int, str]] = {}
    several = []
    for day, batches, entries, digest in connection.execute(_BATCHES, between).fetchall():
        if batches == 1:
            hashes[day] = entries, digest
        else:
            several.append(f"DATE '{day}'")
    if several:
        days = ", ".join(several)
        hashes |= partition_hashes(
            connection, f"ledger_entries WHERE feed = '{feed}' AND transaction_date IN ({days})"
        )
    return dict(sorted(hashes.items()))


_BATCHES: Final = """
SELECT partition_date, count(*), sum(entry_count)::BIGINT, min(digest) FROM batches
WHERE feed = $feed AND partition_date BETWEEN $first AND $last GROUP BY ALL
"""


def batch_table(batches: Sequence[Batch], run_id: str, posted_at: datetime, seq: int) -> pa.Table:
    """Return the rows of the table `batches`; `posted_at` is naive, in UTC, `seq` the INTENT's number."""
    return pa.Table.from_pylist(
        [
            {
                "batch_id": batch.batch_id,
                "seq": seq,
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


class _Sum(NamedTuple):
    """Totals of the entries of one partition and currency; a row has one currency."""

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


_BATCH_SCHEMA: Final = pa.schema(
    [
        ("batch_id", pa.string()),
        ("seq", pa.int64()),
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
