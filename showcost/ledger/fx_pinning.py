"""Pinning by the protocol: the rates of fresh dates are in the audit log before their transaction commits.

Which rates are in force is `showcost.fx.snapshots`, the tables are those of `showcost.fx.store`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import Kind
from showcost.core.errors import IntegrityError
from showcost.fx.store import PinResult, pin, verify
from showcost.ledger.attestation import announced, attest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from showcost.audit.log import Record
    from showcost.fx.snapshots import SnapshotPlan
    from showcost.ledger.store import Ledger


def pin_recorded(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, plan: SnapshotPlan, pinned_at: datetime
) -> PinResult:
    """Pin the snapshots of a plan as `fx.store.pin` does, recorded before the commit.

    The connection is that of `recovery.writing`.
    """
    return pin(
        connection,
        plan,
        pinned_at,
        before_commit=lambda fresh: _announce(ledger, connection, fresh),
    )


def repeat(ledger: Ledger, connection: duckdb.DuckDBPyConnection, record: Record, rates: Path) -> None:
    """Pin what a record announced, from its segment, in one transaction."""
    with announced(ledger, connection, record):
        for statement in _REPEAT:
            connection.execute(statement, {"path": str(rates)})
        _compare(connection, record)


def _compare(connection: duckdb.DuckDBPyConnection, record: Record) -> None:
    facts: Mapping[str, Any] = record.facts
    announced = [
        (date.fromisoformat(one["date"]), one["snapshot_id"], one["hash"]) for one in facts["snapshots"]
    ]
    days = [day for day, _, _ in announced]
    found = connection.execute(_HASHES, {"dates": days}).fetchall()
    if found != announced or verify(connection, days):
        raise IntegrityError(
            f"audit log: the segment of record {record.seq} does not hold the snapshots that it announced"
        )


def _announce(ledger: Ledger, connection: duckdb.DuckDBPyConnection, fresh: Sequence[date]) -> None:
    """Record what a transaction under way has pinned, and let it carry the record as its chain head."""
    segment = ledger.audit.store_segment(
        Kind.FX_PINNED,
        lambda path: connection.execute(_COPY, {"dates": list(fresh), "path": str(path)}),
    )
    hashes = connection.execute(_HASHES, {"dates": list(fresh)}).fetchall()
    record = ledger.audit.append(
        Kind.FX_PINNED,
        {
            "snapshots": [
                {"date": str(day), "snapshot_id": snapshot_id, "hash": found}
                for day, snapshot_id, found in hashes
            ]
        },
        subjects=[states.snapshot(day) for day in fresh],
        segment=segment,
    )
    attest(connection, record)


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

_REPEAT: Final = (
    """INSERT INTO fx_snapshots BY NAME
    SELECT DISTINCT snapshot_id, snapshot_date, hash, source, source_sha256, carry_days, pinned_at
    FROM read_parquet($path) ORDER BY snapshot_date""",
    """INSERT INTO fx_rates BY NAME
    SELECT snapshot_id, currency, rate, publication_date FROM read_parquet($path)
    ORDER BY snapshot_id, currency""",
)
