"""Verdicts on the rates: pinned snapshots unchanged, calendar complete, no jump, years plausible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.checks.result import CheckOutcome
from showcost.fx.checks import CheckResult, calendar_complete, day_on_day_jumps, irs_yearly_band
from showcost.fx.snapshots import RATE_TYPE
from showcost.fx.store import verify
from showcost.pipeline.fx_snapshots import stored_history

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from showcost.audit.log import AuditLog
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class RateColumn:
    """A column of the pinned rates, as people read it."""

    name: str
    type_name: str
    description: str


RATE_COLUMNS: Final = (
    RateColumn("snapshot_id", "VARCHAR", "the snapshot: source, date and the beginning of its hash"),
    RateColumn("currency", "VARCHAR", "ISO 4217 code"),
    RateColumn("rate", RATE_TYPE, "units of the currency per euro"),
    RateColumn("publication_date", "DATE", "the day on which the ECB published this rate"),
)

_RATES: Final = """
SELECT snapshot_date, currency, rtrim(rtrim(CAST(rate AS VARCHAR), '0'), '.'), publication_date, snapshot_id
FROM fx_snapshots JOIN fx_rates USING (snapshot_id)
WHERE snapshot_date BETWEEN $first AND $last ORDER BY snapshot_date, currency
"""


def pinned_rates(
    workspace: Workspace, dates: Sequence[date], as_of: int | None = None
) -> Mapping[date, list[tuple[str, str, date, str]]]:
    """Return, per date with a snapshot, its (currency, units per euro, publication date, snapshot id).

    As known after an audit record, or now.
    """
    found: dict[date, list[tuple[str, str, date, str]]] = {}
    ledger = workspace.ledger
    with ledger.read() as connection:
        rows = connection.execute(_RATES, {"first": dates[0], "last": dates[-1]}).fetchall()
    known = None if as_of is None else _pinned_until(ledger.audit, as_of)
    for day, currency, rate, published, snapshot in rows:
        if known is None or day.isoformat() in known:
            found.setdefault(day, []).append((currency, rate, published, snapshot))
    return found


def _pinned_until(audit: AuditLog, as_of: int) -> set[str]:
    """Return the dates whose rates were pinned up to an audit record."""
    return {
        states.parse(text).name
        for record in audit.records()
        if record.seq <= as_of and record.kind is AuditKind.FX_PINNED
        for text in record.subjects
    }


def snapshots_unchanged(workspace: Workspace, dates: Sequence[date]) -> dict[date, CheckOutcome]:
    """Judge, per date with a snapshot, whether its rates still hash to what was pinned."""
    with workspace.ledger.read() as connection:
        wrong = {item.snapshot_date: item for item in verify(connection, dates)}
        pinned = connection.execute(
            "SELECT snapshot_date, snapshot_id FROM fx_snapshots "
            "WHERE snapshot_date BETWEEN $first AND $last ORDER BY snapshot_date",
            {"first": dates[0], "last": dates[-1]},
        ).fetchall()
    verdicts: dict[date, CheckOutcome] = {}
    for day, snapshot in pinned:
        if item := wrong.get(day):
            found = (item.found or "none")[:12]
            message = f"SC-FX-003: recorded hash {item.recorded[:12]}, its rates hash to {found}"
            verdicts[day] = CheckOutcome(passed=False, message=message, facts={"snapshot_id": snapshot})
        else:
            verdicts[day] = CheckOutcome(passed=True, message="unchanged", facts={"snapshot_id": snapshot})
    return verdicts


def all_unchanged(workspace: Workspace) -> CheckOutcome:
    """Judge all pinned snapshots together."""
    ledger = workspace.ledger
    with ledger.read() as connection:
        wrong = verify(connection)
        ((pinned,),) = connection.execute("SELECT count(*) FROM fx_snapshots").fetchall()
    named = ", ".join(f"{item.snapshot_id} (SC-FX-003)" for item in wrong[:3])
    message = f"{len(wrong)} of {pinned} changed: {named}" if wrong else f"{pinned} snapshots unchanged"
    return CheckOutcome(passed=not wrong, message=message, facts={"pinned": pinned, "changed": len(wrong)})


def calendar(workspace: Workspace) -> CheckOutcome:
    """Judge whether every working day within the production's dates has a publication."""
    dates = workspace.production.dates
    return _verdict(calendar_complete(stored_history(workspace), dates.start, dates.end))


def jumps(workspace: Workspace) -> CheckOutcome:
    """Judge whether a rate of the production's currencies jumped within its dates."""
    production = workspace.production
    return _verdict(
        day_on_day_jumps(
            stored_history(workspace),
            production.dates.start,
            production.dates.end,
            production.fx.jump_percent,
            production.currencies,
        )
    )


def irs_band(workspace: Workspace) -> CheckOutcome:
    """Judge whether the yearly means lie near the yearly averages of the IRS."""
    return _verdict(irs_yearly_band(stored_history(workspace)))


def _verdict(result: CheckResult) -> CheckOutcome:
    facts: dict[str, str | int] = {"examined": result.examined, "found": len(result.findings)}
    return CheckOutcome(passed=result.passed, message=result.summary, facts=facts)
