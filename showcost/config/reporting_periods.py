"""Reporting periods of a production: the weeks, months or named periods that cost reports cover."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from showcost.config.production import ReportingPeriod, Weekday
from showcost.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.production import Production

_DAY: Final = timedelta(days=1)


def reporting_periods(production: Production) -> tuple[ReportingPeriod, ...]:
    """Return the periods of the production's dates, in order; weeks and months are cut at both ends."""
    if not isinstance(production.periods, str):
        return production.periods
    if production.periods == "months":
        return tuple(_months(production))
    return tuple(_weeks(production))


def period_of(production: Production, text: str) -> ReportingPeriod:
    """Return the period with that name, or the one of a date; InputError lists the periods otherwise."""
    periods = reporting_periods(production)
    named = [period for period in periods if period.name == text]
    for period in (*named, *(period for period in periods if _is_in(text, period))):
        return period
    shown = ", ".join(period.name for period in periods)
    raise InputError(f"no reporting period is named {text!r} or has that date; there are: {shown}")


def _is_in(text: str, period: ReportingPeriod) -> bool:
    try:
        return date.fromisoformat(text) in period
    except ValueError:
        return False


def _weeks(production: Production) -> Iterator[ReportingPeriod]:
    last_day = list(Weekday).index(production.week_ends)
    start, stop = production.dates.start, production.dates.end
    while start <= stop:
        end = min(start + timedelta(days=(last_day - start.weekday()) % 7), stop)
        yield ReportingPeriod(name=f"week to {end}", start=start, end=end)
        start = end + _DAY


def _months(production: Production) -> Iterator[ReportingPeriod]:
    start, stop = production.dates.start, production.dates.end
    while start <= stop:
        following = (start.replace(day=1) + timedelta(days=31)).replace(day=1)
        end = min(following - _DAY, stop)
        yield ReportingPeriod(name=f"{start:%Y-%m}", start=start, end=end)
        start = following
