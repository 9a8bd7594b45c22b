"""Checks of the rates: pinned snapshots unchanged, calendar complete, no jumps, yearly means plausible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.checks.result import CheckOutcome
from showcost.fx.checks import CheckResult, calendar_complete, day_on_day_jumps, irs_yearly_band
from showcost.fx.pinned_snapshots import active_snapshots, verify
from showcost.fx.snapshot_plan import RATE_TYPE
from showcost.pipeline.rate_files import accepted_rates, stored_history

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from showcost.audit.log import AuditLog
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class RateColumn:
    """A column of the pinned rates, as shown in the UI."""

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
FROM {snapshots} JOIN fx_rates USING (snapshot_id)
WHERE snapshot_date BETWEEN $first AND $last ORDER BY snapshot_date, currency
"""


def pinned_rates(
    workspace: Workspace, dates: Sequence[date], as_of: int | None = None
) -> Mapping[date, list[tuple[str, str, date, str]]]:
    """Return, per date with a snapshot, its (currency, units per euro, publication date, snapshot id).

    After the audit record `as_of`, or now. Values in SQL order: by date and currency.
    """
    rates: dict[date, list[tuple[str, str, date, str]]] = {}
    ledger = workspace.ledger
    with ledger.read() as connection:
        query = _RATES.format(snapshots=active_snapshots(as_of))
        rows = connection.execute(query, {"first": dates[0], "last": dates[-1]}).fetchall()
    pinned = None if as_of is None else _pinned_until(ledger.audit, as_of)
    for day, currency, rate, published, snapshot in rows:
        if pinned is None or day.isoformat() in pinned:
            rates.setdefault(day, []).append((currency, rate, published, snapshot))
    return rates


def _pinned_until(audit: AuditLog, as_of: int) -> set[str]:
    """Return the dates whose rates were pinned up to an audit record."""
    return {
        states.parse(text).name
        for record in audit.records()
        if record.seq <= as_of and record.kind is AuditKind.FX_PINNED
        for text in record.subjects
    }


def snapshots_unchanged(workspace: Workspace, dates: Sequence[date]) -> dict[date, CheckOutcome]:
    """Check, per date with a snapshot, that its rates still have the pinned hash."""
    with workspace.ledger.read() as connection:
        wrong = {item.snapshot_date: item for item in verify(connection, dates)}
        pinned = connection.execute(
            f"SELECT snapshot_date, snapshot_id FROM {active_snapshots()} "  # noqa: S608 - no values
            "WHERE snapshot_date BETWEEN $first AND $last ORDER BY snapshot_date",
            {"first": dates[0], "last": dates[-1]},
        ).fetchall()
    outcomes: dict[date, CheckOutcome] = {}
    for day, snapshot in pinned:
        if item := wrong.get(day):
            current = (item.computed or "none")[:12]
            message = f"SC-FX-003: recorded hash {item.recorded[:12]}, its rates hash to {current}"
            outcomes[day] = CheckOutcome(passed=False, message=message, facts={"snapshot_id": snapshot})
        else:
            outcomes[day] = CheckOutcome(passed=True, message="unchanged", facts={"snapshot_id": snapshot})
    return outcomes


def all_unchanged(workspace: Workspace) -> CheckOutcome:
    """Check that no pinned snapshot has changed."""
    ledger = workspace.ledger
    with ledger.read() as connection:
        wrong = verify(connection)
        ((pinned,),) = connection.execute("SELECT count(*) FROM fx_snapshots").fetchall()
    named = ", ".join(f"{item.snapshot_id} (SC-FX-003)" for item in wrong[:3])
    message = f"{len(wrong)} of {pinned} changed: {named}" if wrong else f"{pinned} snapshots unchanged"
    return CheckOutcome(passed=not wrong, message=message, facts={"pinned": pinned, "changed": len(wrong)})


def calendar(workspace: Workspace) -> CheckOutcome:
    """Check that every TARGET working day within the production's dates has a publication."""
    dates = workspace.production.dates
    return _outcome(calendar_complete(stored_history(workspace), dates.start, dates.end))


def jumps(workspace: Workspace) -> CheckOutcome:
    """Check that no rate of the production's currencies jumped within its dates."""
    production = workspace.production
    return _outcome(
        day_on_day_jumps(
            stored_history(workspace),
            production.dates.start,
            production.dates.end,
            production.fx.jump_percent,
            production.currencies,
            accepted_rates(workspace.audit),
        )
    )


def irs_band(workspace: Workspace) -> CheckOutcome:
    """Check that the yearly means are within the band around the yearly averages of the IRS."""
    return _outcome(irs_yearly_band(stored_history(workspace)))


def _outcome(result: CheckResult) -> CheckOutcome:
    facts: dict[str, str | int] = {"examined": result.checked, "found": len(result.findings)}
    return CheckOutcome(passed=result.passed, message=result.summary, facts=facts)
