"""FX pinning as a recorded transaction: the rates are in the audit log before the ledger commits them.

`showcost.fx.snapshot_plan` determines the rates in force, `showcost.fx.pinned_snapshots` has the tables.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.errors import IntegrityError
from showcost.fx.pinned_snapshots import PinResult, pin, verify
from showcost.ledger.recorded_transaction import NewRecord, Writer, append_record, attest, segment_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from showcost.audit.log import Record
    from showcost.fx.snapshot_plan import SnapshotPlan
    from showcost.ledger.store import Ledger


def pin_recorded(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, plan: SnapshotPlan, pinned_at: datetime
) -> PinResult:
    """Pin the snapshots of a plan as `fx.pinned_snapshots.pin` does, recorded before the commit.

    The connection is that of `recovery.writing`.
    """
    return pin(
        connection,
        plan,
        pinned_at,
        before_commit=lambda new_dates: _record(ledger, connection, new_dates),
    )


def _write(connection: duckdb.DuckDBPyConnection, record: Record, segment: Path | None) -> None:
    for statement in _INSERTS:
        connection.execute(statement, segment_parameter(record, segment))
    _compare(connection, record)


SNAPSHOTS: Final = Writer(_write)
"""Writes FX_PINNED again after a crash; the first time, the pinning transaction itself records it."""


def _compare(connection: duckdb.DuckDBPyConnection, record: Record) -> None:
    facts: Mapping[str, Any] = record.facts
    recorded = [
        (date.fromisoformat(snapshot["date"]), snapshot["snapshot_id"], snapshot["hash"])
        for snapshot in facts["snapshots"]
    ]
    days = [day for day, _, _ in recorded]
    stored = connection.execute(_HASHES, {"dates": days}).fetchall()
    if stored != recorded or verify(connection, days):
        raise IntegrityError(
            f"audit log: the segment of record {record.seq} does not contain the snapshots of the record"
        )


def _record(ledger: Ledger, connection: duckdb.DuckDBPyConnection, new_dates: Sequence[date]) -> None:
    """Record the snapshots that the current transaction has pinned, and store the record's chain head."""
    parameters = {"dates": list(new_dates)}
    hashes = connection.execute(_HASHES, parameters).fetchall()
    new = NewRecord(
        AuditKind.FX_PINNED,
        {
            "snapshots": [
                {"date": str(day), "snapshot_id": snapshot_id, "hash": snapshot_hash}
                for day, snapshot_id, snapshot_hash in hashes
            ]
        },
        subjects=[states.snapshot(day) for day in new_dates],
        rows=lambda path: connection.execute(_COPY, parameters | {"path": str(path)}),
    )
    attest(connection, append_record(ledger.audit, new))


_HASHES: Final = """
SELECT snapshot_date, snapshot_id, hash FROM fx_snapshots
WHERE list_contains(CAST($dates AS DATE[]), snapshot_date) ORDER BY snapshot_date
"""

_COPY: Final = """
COPY (
    SELECT fx_snapshots.*, currency, rate, publication_date
    FROM fx_snapshots JOIN fx_rates USING (snapshot_id)
    WHERE list_contains(CAST($dates AS DATE[]), snapshot_date) ORDER BY snapshot_date, currency
) TO $path (FORMAT parquet, COMPRESSION zstd)
"""

_INSERTS: Final = (
    """INSERT INTO fx_snapshots BY NAME
    SELECT DISTINCT snapshot_id, snapshot_date, hash, source, source_sha256, carry_days, pinned_at
    FROM read_parquet($path) ORDER BY snapshot_date""",
    """INSERT INTO fx_rates BY NAME
    SELECT snapshot_id, currency, rate, publication_date FROM read_parquet($path)
    ORDER BY snapshot_id, currency""",
)
