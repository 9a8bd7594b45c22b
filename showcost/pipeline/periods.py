"""Fiscal periods: closed by the production's settings, closed and reopened by decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.config.production import ClosedPeriod
from showcost.core.errors import InputError
from showcost.ledger.periods import Period, decided_periods, last_decision, record_period
from showcost.ledger.queries import reversible_rows
from showcost.ledger.recovery import writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb

    from showcost.audit.log import Record
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.ledger.store import Ledger
    from showcost.workspace import Workspace


def closed_periods(workspace: Workspace, as_of: int | None = None) -> tuple[ClosedPeriod, ...]:
    """Return the closed periods, ascending by name, after the audit record `as_of`, or now.

    Periods of `production.yaml` are closed from the start; a decision on a period of that name overrides
    them.
    """
    with workspace.ledger.read() as connection:
        return closed_periods_in(workspace, connection, as_of)


def closed_periods_in(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, as_of: int | None = None
) -> tuple[ClosedPeriod, ...]:
    """Return the same on an open connection to the ledger."""
    closed = {period.name: period for period in workspace.production.closed_periods}
    for period in decided_periods(connection, as_of):
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
    """Close a period, and return the audit record; the same decision again returns its record.

    InputError if it is closed already, ends before it starts, or has decided reversals that are not posted
    yet.
    """
    if period.last < period.first:
        raise InputError(f"the period {period.name} ends on {period.last}, before it starts")
    ledger = workspace.ledger
    with writing(ledger) as connection:
        if (done := _done_before(ledger, connection, period, who, why)) is not None:
            return done
        if any(closed.name == period.name for closed in closed_periods_in(workspace, connection)):
            by = last_decision(connection, period.name)
            shown = "" if by is None else f" by {by.who} (audit record {by.seq})"
            raise InputError(f"the period {period.name} is closed already{shown}")
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


def _done_before(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, period: Period, who: str, why: str
) -> Record | None:
    """Return the record of the last decision on a period if it is this one, else None."""
    last = last_decision(connection, period.name)
    if last is None or (last.period, last.who, last.why) != (period, who, why):
        return None
    return next(ledger.audit.records(last.seq))


def reopen_period(workspace: Workspace, name: str, *, who: str, why: str) -> Record:
    """Reopen a closed period, and return the audit record; the same decision again returns its record.

    InputError when no closed period has the name.
    """
    ledger = workspace.ledger
    with writing(ledger) as connection:
        closed = {period.name: period for period in closed_periods_in(workspace, connection)}
        if name not in closed:
            decided = {period.name: period for period in decided_periods(connection)}
            done = name in decided and _done_before(ledger, connection, decided[name], who, why)
            if done:
                return done
            named = ", ".join(closed) or "none"
            raise InputError(f"no closed period is named {name!r}; closed are: {named}")
        period = Period(name, closed[name].start, closed[name].end, closed=False)
        return record_period(ledger, connection, period, who=who, why=why, now=ledger.audit.now())
