"""Log of fallback steps: for each date that a vendor did not deliver, the substitute and the reason.

A step is recorded in the audit log before it is inserted into the append-only table `fallback_steps`:
`recovery` repeats an insert that a crash prevented. Per date, the last step names the substitute in use, or
says that the delivery has arrived. `showcost.pipeline.accruals` decides which step to take.
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
"""The step that replaces the substitute of a date by its delivery."""


@dataclass(frozen=True)
class FallbackStep:
    """A step that was taken for a date.

    `because` is the id of the dead letter whose page is missing, or for a release the delivery that arrived;
    `detail` says which earlier steps were not possible, and what this step found.
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
    """Record the steps that differ from the last step of their date, and return their number.

    The connection is that of `recovery.writing`. A release without a substitute to replace is not recorded.
    """
    steps = new_steps(last_steps(connection), steps)
    recorded_at = utc_timestamp(now)
    for kind, chosen in (
        (AuditKind.FALLBACK_APPLIED, [step for step in steps if step.step != RELEASED]),
        (AuditKind.FALLBACK_RELEASED, [step for step in steps if step.step == RELEASED]),
    ):
        if chosen:
            _record(ledger, connection, kind, chosen, recorded_at)
    return len(steps)


def new_steps(
    last: Mapping[tuple[str, date], FallbackStep], steps: Sequence[FallbackStep]
) -> list[FallbackStep]:
    """Return the steps that differ from the last step of their date, and releases of a substitute only."""
    return [step for step in steps if _is_new(step, last.get((step.feed, step.transaction_date)))]


def _is_new(step: FallbackStep, last: FallbackStep | None) -> bool:
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
                    "feed": step.feed,
                    "date": step.transaction_date.isoformat(),
                    "step": step.step,
                    "because": step.because,
                    "detail": step.detail,
                }
                for step in steps
            ],
        },
        subjects=[states.fallback(step.feed, step.transaction_date) for step in steps],
    )
    record_and_write(ledger, connection, new, FALLBACK_STEPS)


def _write(connection: duckdb.DuckDBPyConnection, record: Record, _segment: Path | None) -> None:
    connection.register("recorded_steps", pa.Table.from_pylist([row._asdict() for row in _rows(record)]))
    # Unregister only on success: after a failed statement it would hide the error, and the rollback drops the
    # view.
    connection.execute("INSERT INTO fallback_steps BY NAME FROM recorded_steps")
    connection.unregister("recorded_steps")


FALLBACK_STEPS: Final = Writer(_write)
"""Writes FALLBACK_APPLIED and FALLBACK_RELEASED."""


def last_steps(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, date], FallbackStep]:
    """Return the last step of each date that has steps, by feed and date."""
    return {(row[0], row[1]): FallbackStep(*row) for row in connection.execute(_LAST).fetchall()}


def differing_steps(
    connection: duckdb.DuckDBPyConnection, records: Iterable[Record]
) -> tuple[int, list[tuple[str, date, str]]]:
    """Return the number of steps, and (feed, date, step) of each step that differs from the records.

    Records of other kinds are passed over.
    """
    kinds = (AuditKind.FALLBACK_APPLIED, AuditKind.FALLBACK_RELEASED)
    recorded = Counter(row for record in records if record.kind in kinds for row in _rows(record))
    stored = Counter(_Row(*row) for row in connection.execute(_ALL).fetchall())
    return stored.total(), sorted({row[:3] for row in (recorded - stored) + (stored - recorded)})


def _rows(record: Record) -> list[_Row]:
    """Return the table rows of a record."""
    facts: Mapping[str, Any] = record.facts
    recorded_at = datetime.fromisoformat(facts["recorded_at"])
    return [
        _Row(
            feed=step["feed"],
            transaction_date=date.fromisoformat(step["date"]),
            step=step["step"],
            because=step["because"],
            detail=step["detail"],
            recorded_at=recorded_at,
        )
        for step in facts["steps"]
    ]


_ALL: Final = "SELECT feed, transaction_date, step, because, detail, recorded_at FROM fallback_steps"

_LAST: Final = """
SELECT feed, transaction_date, step, because, detail FROM fallback_steps
QUALIFY row_number() OVER (PARTITION BY feed, transaction_date ORDER BY recorded_at DESC, rowid DESC) = 1
"""
