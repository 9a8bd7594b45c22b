"""Fiscal periods: close and reopen, with person and reason in the audit log.

`production.yaml` may name periods that are closed from the start; a decision on a period of the same name
overrides it.
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
    """A period, both dates included, and if it is closed by the last decision on it."""

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
    """Record that a period is closed or reopened, and return the audit record.

    The connection is that of `recovery.writing`. Raises IntegrityError for closing a closed period, or
    reopening an open period.
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
    connection.execute(_INSERT, period_row(record))


PERIODS: Final = Writer(_write)
"""Writes PERIOD_CLOSED and PERIOD_REOPENED."""


def period_row(record: Record) -> dict[str, Any]:
    """Return the row of `period_decisions` for a record."""
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
    """Return each period by its last decision, in order of name; as of an audit record, or now."""
    return [Period(*row) for row in connection.execute(_LATEST, {"as_of": as_of}).fetchall()]


class PeriodDecision(NamedTuple):
    """A decision on a period: the number of its audit record, the period as decided, who and why."""

    seq: int
    period: Period
    who: str
    why: str


def last_decision(connection: duckdb.DuckDBPyConnection, name: str) -> PeriodDecision | None:
    """Return the last decision on a period, or None without any."""
    for seq, first, last, closed, who, why in connection.execute(_LAST, {"name": name}).fetchall():
        return PeriodDecision(seq, Period(name, first, last, closed), who, why)
    return None


_LAST: Final = """
SELECT seq, first_date, last_date, closed, who, why FROM period_decisions
WHERE name = $name ORDER BY seq DESC LIMIT 1
"""

_INSERT: Final = """
INSERT INTO period_decisions VALUES
    ($seq, $decided_at, $name, $closed, $first_date, $last_date, $who, $why)
"""

_LATEST: Final = """
SELECT name, first_date, last_date, closed FROM period_decisions
WHERE CAST($as_of AS BIGINT) IS NULL OR seq <= $as_of
QUALIFY row_number() OVER (PARTITION BY name ORDER BY seq DESC) = 1 ORDER BY name
"""
