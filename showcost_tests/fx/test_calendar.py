"""The days on which the ECB publishes are known in advance, and agree with 27 years of publications."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from showcost.fx.calendar import gaps, last_working_days, unexpected, working_days

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.fx.history import RateHistory


def test_every_publication_since_1999_is_on_a_working_day_and_every_working_day_has_one(
    ecb: RateHistory,
) -> None:
    assert gaps(ecb, ecb.first, ecb.last) == ()
    assert unexpected(ecb, ecb.first, ecb.last) == ()


def test_1999_needs_no_exceptions(ecb: RateHistory) -> None:
    first, last = date(1999, 1, 4), date(1999, 12, 31)
    assert working_days(first, last) == tuple(day for day in ecb.dates if day <= last)
    for published in (date(1999, 4, 2), date(1999, 4, 5)):
        assert published in ecb.dates, "Good Friday and Easter Monday were working days in 1999"
    assert date(1999, 12, 31) not in ecb.dates


def test_easter_christmas_and_weekends_are_not_working_days() -> None:
    assert working_days(date(2026, 4, 2), date(2026, 4, 7)) == (date(2026, 4, 2), date(2026, 4, 7))
    assert working_days(date(2026, 12, 24), date(2026, 12, 28)) == (date(2026, 12, 24), date(2026, 12, 28))
    assert working_days(date(2026, 10, 31), date(2026, 11, 1)) == ()
    assert working_days(date(2026, 11, 1), date(2026, 10, 31)) == ()


def test_the_last_working_day_is_found_across_a_year_end() -> None:
    days = [date(2024, 1, 1), date(2024, 1, 2), date(2026, 4, 6), date(2026, 10, 31)]
    expected = [date(2023, 12, 29), date(2024, 1, 2), date(2026, 4, 2), date(2026, 10, 30)]
    assert last_working_days(days).tolist() == expected
    assert last_working_days([]).tolist() == []


def test_a_missing_day_is_a_gap_and_an_extra_day_is_unexpected(read: Callable[[str], RateHistory]) -> None:
    history = read("Date,USD,\n2026-10-31,1.1,\n2026-10-30,1.1,\n2026-10-28,1.1,\n")
    assert gaps(history, history.first, history.last) == (date(2026, 10, 29),)
    assert unexpected(history, history.first, history.last) == (date(2026, 10, 31),)


@pytest.mark.parametrize("day", [date(1998, 12, 31), date(1999, 1, 1)])
def test_days_before_the_euro_are_not_refused(day: date) -> None:
    assert last_working_days([day]).tolist()[0] <= day
