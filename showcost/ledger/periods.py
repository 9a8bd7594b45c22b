"""Accounting periods: closed and opened again, each time by a person, for a reason, on record.

`production.yaml` may name periods that are closed from the start; a decision here on the same name
overrules it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.clock import utc_timestamp
from showcost.ledger.recorded_transaction import NewRecord, Writer, record_and_write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from showcost.audit.log import Record
    from showcost.ledger.store import Ledger


class Period(NamedTuple):
    """A period, both dates included, as it was last decided: closed or open."""

    name: str
    first: date
    last: date
    closed: bool


def record_period(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    period: Period,
    *,
    who: str,
    why: str,
    now: datetime,
) -> Record:
    """Record that a period is closed, or open again, and return the audit record.

    The connection is that of `recovery.writing`. Raises IntegrityError for closing a period that is closed,
    or opening one that is open.
    """
    new = NewRecord(
        AuditKind.PERIOD_CLOSED if period.closed else AuditKind.PERIOD_REOPENED,
        {
            "name": period.name,
            "from": period.first.isoformat(),
            "to": period.last.isoformat(),
            "decided_at": utc_timestamp(now).isoformat(timespec="microseconds"),
            "who": who,
            "why": why,
        },
        subjects=[states.period(period.name)],
    )
    return record_and_write(ledger, connection, new, PERIODS)


def _write(connection: duckdb.DuckDBPyConnection, record: Record, _segment: Path | None) -> None:
    connection.execute(_INSERT, row_of(record))


PERIODS: Final = Writer(_write)
"""How PERIOD_CLOSED and PERIOD_REOPENED are written."""


def row_of(record: Record) -> dict[str, Any]:
    """Return the row of `period_decisions` that a record stands for."""
    facts: Mapping[str, Any] = record.facts
    return {
        "seq": record.seq,
        "decided_at": datetime.fromisoformat(facts["decided_at"]),
        "name": facts["name"],
        "closed": record.kind is AuditKind.PERIOD_CLOSED,
        "first_date": date.fromisoformat(facts["from"]),
        "last_date": date.fromisoformat(facts["to"]),
        "who": facts["who"],
        "why": facts["why"],
    }


def decided_periods(connection: duckdb.DuckDBPyConnection, as_of: int | None = None) -> list[Period]:
    """Return each period as it was last decided, by name; as known after an audit record, or now."""
    return [Period(*row) for row in connection.execute(_LATEST, {"as_of": as_of}).fetchall()]


_INSERT: Final = """
INSERT INTO period_decisions VALUES
    ($seq, $decided_at, $name, $closed, $first_date, $last_date, $who, $why)
"""

_LATEST: Final = """
SELECT name, first_date, last_date, closed FROM period_decisions
WHERE CAST($as_of AS BIGINT) IS NULL OR seq <= $as_of
QUALIFY row_number() OVER (PARTITION BY name ORDER BY seq DESC) = 1 ORDER BY name
"""
