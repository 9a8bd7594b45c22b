"""Steps of the fallback chain: what stands in for a date that a vendor does not give, and why.

A step is announced in the audit log before it is in the table `fallback_steps`, which only grows: what a
crash cuts off in between, `recovery` repeats. Per date, the last step says what stands in, or that the
delivery has come. Which step is to be taken is decided by `showcost.pipeline.accruals`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.core.clock import utc_timestamp
from showcost.ledger.recorded_transaction import NewRecord, Writer, record_and_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from showcost.audit.log import Record
    from showcost.ledger.store import Ledger

RELEASED: Final = "released"
"""The step by which whatever stood in for a date gives way to its delivery."""


@dataclass(frozen=True)
class FallbackStep:
    """A step that was taken for a date.

    `because` is the dead letter for want of whose page it was taken, or for a release the delivery that came;
    `detail` says what was looked for before it and not there, and what was found.
    """

    feed: str
    transaction_date: date
    step: str
    because: str
    detail: str


class _Row(NamedTuple):
    feed: str
    transaction_date: date
    step: str
    because: str
    detail: str
    recorded_at: datetime


def record_fallback_steps(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, steps: Sequence[FallbackStep], now: datetime
) -> int:
    """Record the steps that are not the last ones of their dates yet, and return how many.

    `connection` is one that may write. A release is only of a date for which something stands in.
    """
    fresh = fresh_steps(last_steps(connection), steps)
    recorded_at = utc_timestamp(now)
    for kind, chosen in (
        (AuditKind.FALLBACK_APPLIED, [one for one in fresh if one.step != RELEASED]),
        (AuditKind.FALLBACK_RELEASED, [one for one in fresh if one.step == RELEASED]),
    ):
        if chosen:
            _record(ledger, connection, kind, chosen, recorded_at)
    return len(fresh)


def fresh_steps(
    last: Mapping[tuple[str, date], FallbackStep], steps: Sequence[FallbackStep]
) -> list[FallbackStep]:
    """Return the steps that are not the last ones of their dates, and releases of what stands in only."""
    return [one for one in steps if _is_fresh(one, last.get((one.feed, one.transaction_date)))]


def _is_fresh(step: FallbackStep, last: FallbackStep | None) -> bool:
    if last is None:
        return step.step != RELEASED
    return (last.step, last.because) != (step.step, step.because) and {last.step, step.step} != {RELEASED}


def _record(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    kind: AuditKind,
    steps: Sequence[FallbackStep],
    recorded_at: datetime,
) -> None:
    new = NewRecord(
        kind,
        {
            "recorded_at": recorded_at.isoformat(timespec="microseconds"),
            "steps": [
                {
                    "feed": one.feed,
                    "date": one.transaction_date.isoformat(),
                    "step": one.step,
                    "because": one.because,
                    "detail": one.detail,
                }
                for one in steps
            ],
        },
        subjects=[states.fallback(one.feed, one.transaction_date) for one in steps],
    )
    record_and_write(ledger, connection, new, FALLBACK_STEPS)


def _write(connection: duckdb.DuckDBPyConnection, record: Record, _segment: Path | None) -> None:
    connection.register("recorded_steps", pa.Table.from_pylist([row._asdict() for row in _rows(record)]))
    # Unregistered only on success: after a failed statement this would hide its error, and the rollback
    # drops the view.
    connection.execute("INSERT INTO fallback_steps BY NAME FROM recorded_steps")
    connection.unregister("recorded_steps")


FALLBACK_STEPS: Final = Writer(_write)
"""How the two kinds of fallback step are written."""


def last_steps(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, date], FallbackStep]:
    """Return the last step of each date for which one was taken, by feed and date."""
    return {(row[0], row[1]): FallbackStep(*row) for row in connection.execute(_LAST).fetchall()}


def differing_steps(
    connection: duckdb.DuckDBPyConnection, records: Iterable[Record]
) -> tuple[int, list[tuple[str, date, str]]]:
    """Return how many steps there are, and (feed, date, step) of those that are not as recorded."""
    recorded = Counter(row for record in records for row in _rows(record))
    found = Counter(_Row(*row) for row in connection.execute(_ALL).fetchall())
    return found.total(), sorted({row[:3] for row in (recorded - found) + (found - recorded)})


def _rows(record: Record) -> list[_Row]:
    """Return the rows of the table that a record stands for."""
    facts: Mapping[str, Any] = record.facts
    moment = datetime.fromisoformat(facts["recorded_at"])
    return [
        _Row(one["feed"], date.fromisoformat(one["date"]), one["step"], one["because"], one["detail"], moment)
        for one in facts["steps"]
    ]


_ALL: Final = "SELECT feed, transaction_date, step, because, detail, recorded_at FROM fallback_steps"

_LAST: Final = """
SELECT feed, transaction_date, step, because, detail FROM fallback_steps
QUALIFY row_number() OVER (PARTITION BY feed, transaction_date ORDER BY recorded_at DESC, rowid DESC) = 1
"""
