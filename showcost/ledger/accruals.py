"""Provisional accruals: what a vendor's days are taken to cost while its invoices cannot be had.

They stand in a table of their own and are never among the entries of the ledger: no digest, balance or batch
knows them, and reports show them apart. An accrual is taken back by its exact negation when the invoices
come. The table only grows, and each accrual is announced in the audit log, with a segment that holds it,
before it is in the table: what a crash cuts off in between, `recovery` repeats. When to accrue and when to
release is decided by `showcost.pipeline.accruals`; why one stands is told by `steps`.
"""
# ruff: noqa: S608 - statements are put together from constants of this module; values are bound

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.clock import utc_timestamp
from showcost.core.hashing import SHORT, sha256_framed
from showcost.core.money import AMOUNT_DIGITS, AMOUNT_SCALE
from showcost.fx.conversion import AMOUNT_TYPE, conversion_sql
from showcost.fx.store import dense_rates
from showcost.ledger.recorded_transaction import NewRecord, Writer, record_and_write, segment_parameter
from showcost.ledger.schema import ACCRUAL, RELEASE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from decimal import Decimal
    from pathlib import Path

    import duckdb

    from showcost.audit.log import AuditLog, Record
    from showcost.ledger.store import Ledger


@dataclass(frozen=True)
class Accrual:
    """What a day of a vendor is taken to cost; `because` is the dead letter for want of which it is."""

    feed: str
    transaction_date: date
    vendor_code: str
    account: str
    description: str
    due_date: date
    currency: str
    amount: Decimal
    because: str

    def id(self, production: str) -> str:
        """Return the accrual's id: there is one per day, vendor and account, whatever its amount."""
        day = str(self.transaction_date)
        return sha256_framed(["accrual", production, self.feed, day, self.vendor_code, self.account])[:SHORT]


@dataclass(frozen=True)
class AccrualContext:
    """Whose accruals they are: the production and its base currency."""

    production: str
    base_currency: str


def accrue(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    books: AccrualContext,
    accruals: Sequence[Accrual],
    now: datetime,
) -> int:
    """Record accruals that were never recorded, at the newest rates pinned for their day or before it.

    `connection` is one that may write. Returns how many were new. An accrual that was released is not made
    again: then the vendor's invoices are there.
    """
    if not accruals:
        return 0
    connection.register("wanted_accruals", _wanted(books, accruals))
    days = [day for (day,) in connection.execute(_PINNED).fetchall()]
    connection.register("accrual_rates", dense_rates(connection, days, books.base_currency))
    converted = conversion_sql(
        "wanted.amount", "wanted.currency", "micro_original", "micro_base", books.base_currency
    )
    try:
        rows = connection.sql(
            _ACCRUE.format(converted=converted),
            params={"now": utc_timestamp(now), "base": books.base_currency},
        ).to_arrow_table()
        return _record(ledger, connection, AuditKind.ACCRUED, rows)
    finally:
        connection.unregister("wanted_accruals")
        connection.unregister("accrual_rates")


def release(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    because: dict[date, str],
    now: datetime,
) -> int:
    """Take back the open accruals of some dates of a feed, each by its exact negation; return how many.

    `because` names, per date, the delivery that they give way to.
    """
    given = pa.table(
        {
            "transaction_date": pa.array(list(because), pa.date32()),
            "given_because": pa.array(list(because.values()), pa.string()),
        }
    )
    connection.register("released_dates", given)
    try:
        rows = connection.sql(_RELEASE, params={"feed": feed, "now": utc_timestamp(now)}).to_arrow_table()
        return _record(ledger, connection, AuditKind.RELEASED, rows)
    finally:
        connection.unregister("released_dates")


def provisional(
    connection: duckdb.DuckDBPyConnection,
    first: date,
    last: date,
    feed: str | None = None,
    segments: Sequence[Path] | None = None,
) -> pa.Table:
    """Return the accruals of some dates that were not released, for reports to show apart.

    As they are, or as some segments have them (`accrual_segments`). Columns: feed, transaction_date,
    vendor_code, account, description, due_date, currency, amount, base_currency, base_amount, rate_date,
    snapshot_id, because; ordered by the first four.
    """
    asked = {"first": first, "last": last, "feed": feed}
    if segments is None:
        return connection.sql(_OPEN.format("provisional_accruals"), params=asked).to_arrow_table()
    if not segments:
        return connection.sql(_OPEN.format(_NO_ACCRUALS), params=asked).to_arrow_table()
    files = {"segments": [str(path) for path in segments]}
    return connection.sql(_OPEN.format("read_parquet($segments)"), params=asked | files).to_arrow_table()


def accrual_segments(audit: AuditLog, as_of: int | None = None) -> list[Path]:
    """Return the segments of all accruals and releases, as known after an audit record, or now."""
    return [
        audit.segment_path(record.segment)
        for record in audit.records()
        if record.kind in (AuditKind.ACCRUED, AuditKind.RELEASED)
        and record.segment is not None
        and (as_of is None or record.seq <= as_of)
    ]


def differing_from_record(
    connection: duckdb.DuckDBPyConnection, segments: Sequence[Path]
) -> tuple[int, list[tuple[str, str]]]:
    """Return how many rows there are, and (accrual, event) of those that are not as in the segments."""
    counted: list[tuple[int]] = connection.execute("SELECT count(*) FROM provisional_accruals").fetchall()
    if not segments:
        found: list[tuple[str, str]] = connection.execute(
            "SELECT accrual_id, event FROM provisional_accruals ORDER BY ALL"
        ).fetchall()
        return counted[0][0], found
    files = {"segments": [str(path) for path in segments]}
    return counted[0][0], connection.execute(_DIFFERING, files).fetchall()


def _wanted(books: AccrualContext, accruals: Sequence[Accrual]) -> pa.Table:
    return pa.table(
        {
            "accrual_id": [one.id(books.production) for one in accruals],
            "production": [books.production] * len(accruals),
            "feed": [one.feed for one in accruals],
            "transaction_date": pa.array([one.transaction_date for one in accruals], pa.date32()),
            "vendor_code": [one.vendor_code for one in accruals],
            "account": [one.account for one in accruals],
            "description": [one.description for one in accruals],
            "due_date": pa.array([one.due_date for one in accruals], pa.date32()),
            "currency": [one.currency for one in accruals],
            "amount": pa.array([one.amount for one in accruals], pa.decimal128(AMOUNT_DIGITS, AMOUNT_SCALE)),
            "because": [one.because for one in accruals],
        }
    )


def _record(ledger: Ledger, connection: duckdb.DuckDBPyConnection, kind: AuditKind, rows: pa.Table) -> int:
    """Record rows in the audit log, then write them into their table; return how many."""
    if not rows.num_rows:
        return 0
    ids: list[str] = rows.column("accrual_id").to_pylist()
    feeds = sorted(set(rows.column("feed").to_pylist()))
    new = NewRecord(
        kind,
        {"feeds": feeds, "rows": rows.num_rows},
        subjects=[states.accrual(accrual_id) for accrual_id in ids],
        rows=rows,
    )
    record_and_write(ledger, connection, new, ACCRUALS)
    recorded: int = rows.num_rows
    return recorded


def _write(connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None) -> None:
    connection.execute(
        "INSERT INTO provisional_accruals BY NAME FROM read_parquet($path)",
        segment_parameter(record, segment),
    )


ACCRUALS: Final = Writer(_write)
"""How ACCRUED and RELEASED are written."""


_PINNED: Final = """
SELECT DISTINCT max(snapshot_date) FROM fx_snapshots JOIN wanted_accruals
    ON snapshot_date <= transaction_date GROUP BY transaction_date ORDER BY 1
"""

_ACCRUE: Final = f"""
WITH wanted AS (
    SELECT * FROM wanted_accruals
    ANTI JOIN provisional_accruals USING (accrual_id)),
cached AS (
    SELECT wanted.transaction_date, max(snapshot_date) AS rate_day
    FROM (SELECT DISTINCT transaction_date FROM wanted) AS wanted
    JOIN fx_snapshots ON snapshot_date <= wanted.transaction_date GROUP BY ALL)
SELECT wanted.accrual_id, '{ACCRUAL}' AS event, production, feed, wanted.transaction_date, vendor_code,
    account, description, due_date, wanted.currency, amount, CAST($base AS VARCHAR) AS base_currency,
    TRY({{converted}}) AS base_amount, accrual_rates.rate, eur_rate_original, eur_rate_base, rate_date,
    snapshot_id, because, CAST($now AS TIMESTAMP) AS recorded_at
FROM wanted LEFT JOIN cached USING (transaction_date)
LEFT JOIN accrual_rates ON accrual_rates.date = rate_day AND accrual_rates.currency = wanted.currency
ORDER BY accrual_id
"""

_RELEASE: Final = f"""
SELECT * EXCLUDE (given_because) REPLACE (
    '{RELEASE}' AS event, CAST(-amount AS {AMOUNT_TYPE}) AS amount,
    CAST(-base_amount AS {AMOUNT_TYPE}) AS base_amount, given_because AS because,
    CAST($now AS TIMESTAMP) AS recorded_at)
FROM (FROM provisional_accruals WHERE event = '{ACCRUAL}' AND feed = $feed)
JOIN released_dates USING (transaction_date)
ANTI JOIN (FROM provisional_accruals WHERE event = '{RELEASE}') USING (accrual_id)
ORDER BY accrual_id
"""

_NO_ACCRUALS: Final = "(FROM provisional_accruals LIMIT 0)"

_OPEN: Final = f"""
SELECT feed, transaction_date, vendor_code, account, description, due_date, currency, amount, base_currency,
    base_amount, rate_date, snapshot_id, because
FROM (FROM {{0}} WHERE event = '{ACCRUAL}')
ANTI JOIN (FROM {{0}} WHERE event = '{RELEASE}') USING (accrual_id)
WHERE transaction_date BETWEEN $first AND $last AND (CAST($feed AS VARCHAR) IS NULL OR feed = $feed)
ORDER BY feed, transaction_date, vendor_code, account
"""

_DIFFERING: Final = """
WITH recorded AS (FROM read_parquet($segments))
SELECT DISTINCT accrual_id, event FROM (
    (FROM provisional_accruals EXCEPT ALL FROM recorded)
    UNION ALL (FROM recorded EXCEPT ALL FROM provisional_accruals))
ORDER BY ALL
"""
