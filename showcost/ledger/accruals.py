"""Provisional accruals: the expected cost of a vendor's days while its invoices are unavailable.

They have a table of their own and are never entries of the ledger: digests, balances and batches exclude
them, and reports show them separately. When the invoices arrive, an accrual is released by its exact
negation. The table is append-only, and each accrual is recorded in the audit log, with its row in a segment,
before it is inserted: `recovery` repeats an insert that a crash prevented. `showcost.pipeline.accruals`
decides when to accrue and when to release; `fallback_log` has the reasons.
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
from showcost.fx.pinned_snapshots import dense_rates
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
    """The expected cost of a day of a vendor; `because` is the id of the dead letter that replaced its page.

    `amount` is in `currency`, with at most four decimals.
    """

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
        """Return the id, 32 hex digits: one per production, feed, day, vendor and account."""
        day = str(self.transaction_date)
        return sha256_framed(["accrual", production, self.feed, day, self.vendor_code, self.account])[:SHORT]


@dataclass(frozen=True)
class AccrualContext:
    """The production of some accruals and its base currency."""

    production: str
    base_currency: str


def accrue(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    context: AccrualContext,
    accruals: Sequence[Accrual],
    now: datetime,
) -> int:
    """Record accruals that were never recorded, at the newest rates pinned for their day or an earlier one.

    The connection is that of `recovery.writing`. Returns the number of new accruals. A released accrual is
    not recorded again: its invoices have arrived.
    """
    if not accruals:
        return 0
    connection.register("given_accruals", _accrual_table(context, accruals))
    days = [day for (day,) in connection.execute(_PINNED).fetchall()]
    connection.register("accrual_rates", dense_rates(connection, days, context.base_currency).table)
    converted = conversion_sql(
        "unrecorded.amount", "unrecorded.currency", "micro_original", "micro_base", context.base_currency
    )
    try:
        rows = connection.sql(
            _ACCRUE.format(converted=converted),
            params={"now": utc_timestamp(now), "base": context.base_currency},
        ).to_arrow_table()
        return _record(ledger, connection, AuditKind.ACCRUED, rows)
    finally:
        connection.unregister("given_accruals")
        connection.unregister("accrual_rates")


def release(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    because: dict[date, str],
    now: datetime,
) -> int:
    """Release the open accruals of some dates of a feed, each by its exact negation; return their number.

    `because` maps each date to the delivery that replaces its accruals.
    """
    released_dates = pa.table(
        {
            "transaction_date": pa.array(list(because), pa.date32()),
            "released_because": pa.array(list(because.values()), pa.string()),
        }
    )
    connection.register("released_dates", released_dates)
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
    """Return the open accruals from `first` to `last`, both included, for reports to show separately.

    Read from the table, or from segments (`accrual_segments`). Columns: feed, transaction_date,
    vendor_code, account, description, due_date, currency, amount, base_currency, base_amount, rate_date,
    snapshot_id, because; ordered by the first four.
    """
    selection = {"first": first, "last": last, "feed": feed}
    if segments is None:
        return connection.sql(_OPEN.format("provisional_accruals"), params=selection).to_arrow_table()
    if not segments:
        return connection.sql(_OPEN.format(_NO_ACCRUALS), params=selection).to_arrow_table()
    files = {"segments": [str(path) for path in segments]}
    return connection.sql(_OPEN.format("read_parquet($segments)"), params=selection | files).to_arrow_table()


def accrual_segments(audit: AuditLog, as_of: int | None = None) -> list[Path]:
    """Return the segments of all accruals and releases, as of an audit record, or now."""
    return [
        audit.segment_path(record.segment)
        for record in audit.records()
        if record.kind in (AuditKind.ACCRUED, AuditKind.RELEASED)
        and record.segment is not None
        and (as_of is None or record.seq <= as_of)
    ]


def differing_accruals(
    connection: duckdb.DuckDBPyConnection, segments: Sequence[Path]
) -> tuple[int, list[tuple[str, str]]]:
    """Return the number of rows, and (accrual, event) of each row that differs from the segments."""
    counts: list[tuple[int]] = connection.execute("SELECT count(*) FROM provisional_accruals").fetchall()
    if not segments:
        unrecorded: list[tuple[str, str]] = connection.execute(
            "SELECT accrual_id, event FROM provisional_accruals ORDER BY ALL"
        ).fetchall()
        return counts[0][0], unrecorded
    files = {"segments": [str(path) for path in segments]}
    return counts[0][0], connection.execute(_DIFFERING, files).fetchall()


def _accrual_table(context: AccrualContext, accruals: Sequence[Accrual]) -> pa.Table:
    return pa.table(
        {
            "accrual_id": [accrual.id(context.production) for accrual in accruals],
            "production": [context.production] * len(accruals),
            "feed": [accrual.feed for accrual in accruals],
            "transaction_date": pa.array([accrual.transaction_date for accrual in accruals], pa.date32()),
            "vendor_code": [accrual.vendor_code for accrual in accruals],
            "account": [accrual.account for accrual in accruals],
            "description": [accrual.description for accrual in accruals],
            "due_date": pa.array([accrual.due_date for accrual in accruals], pa.date32()),
            "currency": [accrual.currency for accrual in accruals],
            "amount": pa.array(
                [accrual.amount for accrual in accruals], pa.decimal128(AMOUNT_DIGITS, AMOUNT_SCALE)
            ),
            "because": [accrual.because for accrual in accruals],
        }
    )


def _record(ledger: Ledger, connection: duckdb.DuckDBPyConnection, kind: AuditKind, rows: pa.Table) -> int:
    """Record rows in the audit log, then insert them into their table; return their number."""
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
    row_count: int = rows.num_rows
    return row_count


def _write(connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None) -> None:
    connection.execute(
        "INSERT INTO provisional_accruals BY NAME FROM read_parquet($path)",
        segment_parameter(record, segment),
    )


ACCRUALS: Final = Writer(_write)
"""Writes ACCRUED and RELEASED."""


_PINNED: Final = """
SELECT DISTINCT max(snapshot_date) FROM fx_snapshots JOIN given_accruals
    ON snapshot_date <= transaction_date GROUP BY transaction_date ORDER BY 1
"""

_ACCRUE: Final = f"""
WITH unrecorded AS (
    SELECT * FROM given_accruals
    ANTI JOIN provisional_accruals USING (accrual_id)),
rate_days AS (
    SELECT days.transaction_date, max(snapshot_date) AS rate_day
    FROM (SELECT DISTINCT transaction_date FROM unrecorded) AS days
    JOIN fx_snapshots ON snapshot_date <= days.transaction_date GROUP BY ALL)
SELECT unrecorded.accrual_id, '{ACCRUAL}' AS event, production, feed, unrecorded.transaction_date,
    vendor_code, account, description, due_date, unrecorded.currency, amount,
    CAST($base AS VARCHAR) AS base_currency, TRY({{converted}}) AS base_amount, accrual_rates.rate,
    eur_rate_original, eur_rate_base, rate_date, snapshot_id, because, CAST($now AS TIMESTAMP) AS recorded_at
FROM unrecorded LEFT JOIN rate_days USING (transaction_date)
LEFT JOIN accrual_rates ON accrual_rates.date = rate_day AND accrual_rates.currency = unrecorded.currency
ORDER BY accrual_id
"""

_RELEASE: Final = f"""
SELECT * EXCLUDE (released_because) REPLACE (
    '{RELEASE}' AS event, CAST(-amount AS {AMOUNT_TYPE}) AS amount,
    CAST(-base_amount AS {AMOUNT_TYPE}) AS base_amount, released_because AS because,
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
