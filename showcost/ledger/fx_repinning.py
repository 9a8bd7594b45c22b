"""Repinning: a person replaces the pinned rates of dates, because a pinned rate was wrong.

The new snapshots become the active ones from the record FX_REPINNED on; the old ones are kept, and so is
their place in every question as of an earlier record. Active entries whose rates differ from those of the
active snapshot of their date are reversed at their own rates, and posted again at the new ones, the next
time their partition is posted.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.clock import utc_timestamp
from showcost.core.errors import IntegrityError
from showcost.fx.pinned_snapshots import active_snapshots, verify
from showcost.fx.snapshot_plan import RateStatus
from showcost.ledger.recorded_transaction import NewRecord, Writer, record_and_write, segment_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb

    from showcost.audit.log import Record
    from showcost.fx.snapshot_plan import SnapshotPlan
    from showcost.ledger.store import Ledger


def repin_recorded(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    plan: SnapshotPlan,
    *,
    who: str,
    why: str,
    now: datetime,
) -> Record | None:
    """Make the snapshots of a plan the active ones where they differ from the pinned ones.

    Returns the audit record, or None if none differs. The connection is that of `recovery.writing`. Dates
    without a pinned snapshot are left alone.
    """
    connection.register("plan_snapshots", plan.snapshots)
    connection.register("plan_rates", plan.rate_states)
    try:
        changes = connection.execute(_CHANGES).fetchall()
        if not changes:
            return None
        decided_at = utc_timestamp(now)
        new = NewRecord(
            AuditKind.FX_REPINNED,
            {
                "who": who,
                "why": why,
                "decided_at": decided_at.isoformat(timespec="microseconds"),
                "snapshots": [
                    {"date": str(day), "replaced": before, "snapshot_id": after, "hash": digest}
                    for day, before, after, digest in changes
                ],
            },
            subjects=[states.snapshot(day) for day, _, _, _ in changes],
            rows=lambda path: connection.execute(_COPY, {"path": str(path), "pinned_at": decided_at}),
        )
        return record_and_write(ledger, connection, new, REPINS)
    finally:
        connection.unregister("plan_snapshots")
        connection.unregister("plan_rates")


def repin_rows(record: Record) -> list[dict[str, Any]]:
    """Return the rows of `fx_repins` for a record."""
    facts: Mapping[str, Any] = record.facts
    return [
        {
            "seq": record.seq,
            "snapshot_date": date.fromisoformat(snapshot["date"]),
            "replaced": snapshot["replaced"],
            "snapshot_id": snapshot["snapshot_id"],
            "decided_at": datetime.fromisoformat(facts["decided_at"]),
            "who": facts["who"],
            "why": facts["why"],
        }
        for snapshot in facts["snapshots"]
    ]


def open_accruals_at(connection: duckdb.DuckDBPyConnection, dates: Sequence[date]) -> int:
    """Return the number of open provisional accruals whose rate is from a replaced snapshot of dates."""
    return int(connection.execute(_ACCRUALS, {"dates": list(dates)}).fetchall()[0][0])


def _write(connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None) -> None:
    facts: Mapping[str, Any] = record.facts
    for statement in _INSERTS:
        connection.execute(statement, segment_parameter(record, segment))
    connection.executemany(_INSERT_REPIN, [list(row.values()) for row in repin_rows(record)])
    recorded = [
        (date.fromisoformat(snapshot["date"]), snapshot["snapshot_id"], snapshot["hash"])
        for snapshot in facts["snapshots"]
    ]
    days = [day for day, _, _ in recorded]
    if connection.execute(_ACTIVE, {"dates": days}).fetchall() != recorded or verify(connection, days):
        raise IntegrityError(
            f"audit log: the segment of record {record.seq} does not contain the snapshots of the record"
        )


REPINS: Final = Writer(_write)
"""Writes FX_REPINNED."""

_CHANGES: Final = f"""
SELECT snapshot_date, pinned.snapshot_id, planned.snapshot_id, planned.hash
FROM {active_snapshots()} AS pinned JOIN plan_snapshots AS planned USING (snapshot_date)
WHERE planned.hash <> pinned.hash ORDER BY snapshot_date
"""

_COPY: Final = f"""
COPY (
    SELECT planned.snapshot_id, snapshot_date, planned.hash, planned.source, planned.source_sha256,
        planned.carry_days, CAST($pinned_at AS TIMESTAMP) AS pinned_at, currency, rate, publication_date
    FROM {active_snapshots()} AS pinned JOIN plan_snapshots AS planned USING (snapshot_date)
    JOIN plan_rates ON plan_rates.date = snapshot_date
    WHERE planned.hash <> pinned.hash AND status = '{RateStatus.OK}' ORDER BY snapshot_date, currency
) TO $path (FORMAT parquet, COMPRESSION zstd)
"""

# A date may be repinned to a snapshot that it had before: its rates are stored once.
_INSERTS: Final = (
    """INSERT INTO fx_rates BY NAME
    SELECT snapshot_id, currency, rate, publication_date FROM read_parquet($path)
    ANTI JOIN fx_snapshots USING (snapshot_id) ORDER BY snapshot_id, currency""",
    """INSERT INTO fx_snapshots BY NAME
    SELECT DISTINCT snapshot_id, snapshot_date, hash, source, source_sha256, carry_days, pinned_at
    FROM read_parquet($path) ANTI JOIN fx_snapshots USING (snapshot_id) ORDER BY snapshot_date""",
)

_INSERT_REPIN: Final = "INSERT INTO fx_repins VALUES (?, ?, ?, ?, ?, ?, ?)"

_ACTIVE: Final = f"""
SELECT snapshot_date, snapshot_id, hash FROM {active_snapshots()}
WHERE list_contains(CAST($dates AS DATE[]), snapshot_date) ORDER BY snapshot_date
"""

_ACCRUALS: Final = """
SELECT count(*) FROM provisional_accruals AS accrual
JOIN fx_repins ON fx_repins.replaced = accrual.snapshot_id
WHERE list_contains(CAST($dates AS DATE[]), fx_repins.snapshot_date) AND event = 'accrual'
    AND accrual_id NOT IN (SELECT accrual_id FROM provisional_accruals WHERE event = 'release')
"""
