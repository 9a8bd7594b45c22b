"""Fiscal periods: closed by the production's settings, closed and reopened by decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.config.production import ClosedPeriod
from showcost.core.errors import InputError
from showcost.ledger.periods import Period, decided_periods, record_period
from showcost.ledger.queries import reversible_rows
from showcost.ledger.recovery import writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.audit.log import Record
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.workspace import Workspace


def closed_periods(workspace: Workspace, as_of: int | None = None) -> tuple[ClosedPeriod, ...]:
    """Return the closed periods, ascending by name, after the audit record `as_of`, or now.

    Periods of `production.yaml` are closed from the start; a decision on a period of that name overrides
    them.
    """
    closed = {period.name: period for period in workspace.production.closed_periods}
    ledger = workspace.ledger
    with ledger.read() as connection:
        decided = decided_periods(connection, as_of)
    for period in decided:
        closed.pop(period.name, None)
        if period.closed:
            closed[period.name] = ClosedPeriod(name=period.name, start=period.first, end=period.last)
    return tuple(closed[name] for name in sorted(closed))


def current_production(workspace: Workspace, as_of: int | None = None) -> Production:
    """Return the production with its closed periods, after the audit record `as_of`, or now."""
    return workspace.production.model_copy(update={"closed_periods": closed_periods(workspace, as_of)})


def closed_on(periods: Sequence[ClosedPeriod], day: date) -> list[str]:
    """Return the closed periods of a date as `name from..to`, an input of its validation."""
    return [f"{period.name} {period.start}..{period.end}" for period in periods if day in period]


def close_period(
    workspace: Workspace, feeds: Sequence[FeedSpec], period: Period, *, who: str, why: str
) -> Record:
    """Close a period.

    InputError if it is closed already, ends before it starts, or has decided reversals that are not posted
    yet.
    """
    if period.last < period.first:
        raise InputError(f"the period {period.name} ends on {period.last}, before it starts")
    if any(closed.name == period.name for closed in closed_periods(workspace)):
        raise InputError(f"the period {period.name} is closed already")
    ledger = workspace.ledger
    with writing(ledger) as connection:
        for feed in feeds:
            waiting = sorted(
                day for day in reversible_rows(connection, feed.name) if period.first <= day <= period.last
            )
            if waiting:
                raise InputError(
                    f"{feed.name} has decided reversals on {waiting[0]} that are not posted yet; run"
                    " `showcost run` first, then close the period"
                )
        return record_period(ledger, connection, period, who=who, why=why, now=ledger.audit.now())


def reopen_period(workspace: Workspace, name: str, *, who: str, why: str) -> Record:
    """Reopen a closed period; InputError when no closed period has the name."""
    closed = {period.name: period for period in closed_periods(workspace)}
    if name not in closed:
        named = ", ".join(closed) or "none"
        raise InputError(f"no closed period is named {name!r}; closed are: {named}")
    period = Period(name, closed[name].start, closed[name].end, closed=False)
    ledger = workspace.ledger
    with writing(ledger) as connection:
        return record_period(ledger, connection, period, who=who, why=why, now=ledger.audit.now())
