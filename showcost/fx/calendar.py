"""The days on which the ECB must publish: TARGET working days, from the `holidays` package.

The package agrees with every publication of the ECB from 1999-01-04 to 2026-10-30 in both directions, 1999
included: in that year TARGET closed only on New Year's Day, Christmas Day and 31 December, not yet on Good
Friday, Easter Monday and 1 May. So a list of exceptions is unnecessary.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import holidays
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.fx.history import RateHistory

Days = npt.NDArray[np.datetime64]
"""An array of dates, in days."""

FIRST_YEAR = 1999
"""TARGET started with the euro in this year; there are no TARGET working days before it."""


def working_days(first: date, last: date) -> tuple[date, ...]:
    """Return the TARGET working days from `first` to `last`, both included, in order."""
    if last < first:
        return ()
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    working = np.is_busday(days, busdaycal=_calendar(*_years(first, last)))
    return tuple(days[working].astype(object))


def last_working_days(days: Sequence[date]) -> Days:
    """Return, for each day, the last TARGET working day on or before it."""
    if not days:
        return np.array([], dtype="datetime64[D]")
    calendar = _calendar(*_years(min(days), max(days)))
    return np.busday_offset(np.array(days, dtype="datetime64[D]"), 0, roll="backward", busdaycal=calendar)


def gaps(history: RateHistory, first: date, last: date) -> tuple[date, ...]:
    """Return the working days from `first` to `last` on which the history has no publication."""
    published = frozenset(history.dates)
    return tuple(day for day in working_days(first, last) if day not in published)


def unexpected(history: RateHistory, first: date, last: date) -> tuple[date, ...]:
    """Return the publication dates from `first` to `last` that are not working days."""
    working = frozenset(working_days(first, last))
    return tuple(day for day in history.dates if first <= day <= last and day not in working)


def _years(first: date, last: date) -> tuple[int, int]:
    # Rolling back from 1 January reaches into December.
    return max(first.year - 1, FIRST_YEAR), max(last.year, FIRST_YEAR)


@cache
def _calendar(first_year: int, last_year: int) -> np.busdaycalendar:
    closed = holidays.financial_holidays("ECB", years=range(first_year, last_year + 1))
    return np.busdaycalendar(weekmask="1111100", holidays=np.array(sorted(closed), dtype="datetime64[D]"))
