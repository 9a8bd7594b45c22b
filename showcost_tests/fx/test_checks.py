"""The checks pass on the real history and name the day and currency of a corrupted rate."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from showcost.fx.checks import (
    RateAnomaly,
    calendar_complete,
    day_on_day_jumps,
    irs_yearly_averages,
    irs_yearly_band,
    yearly_mean,
)
from showcost.fx.history import RateHistory

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[str], RateHistory]

START, END = date(1990, 1, 1), date(2030, 1, 1)


def corrupted(history: RateHistory, day: date, currency: str, rate: str) -> RateHistory:
    """Return the history with one rate replaced."""
    rates = history.rates
    selected = pc.and_(pc.equal(rates.column("date"), day), pc.equal(rates.column("currency"), currency))
    replaced = pc.if_else(selected, pa.scalar(rate), rates.column("rate"))
    return RateHistory(
        rates.set_column(2, rates.schema.field("rate"), replaced), history.publications, history.currencies
    )


def without(history: RateHistory, day: date) -> RateHistory:
    """Return the history with one publication left out."""
    keep = [pc.not_equal(table.column("date"), day) for table in (history.rates, history.publications)]
    return RateHistory(
        history.rates.filter(keep[0]), history.publications.filter(keep[1]), history.currencies
    )


def test_the_calendar_of_the_real_history_is_complete(ecb: RateHistory) -> None:
    result = calendar_complete(ecb, START, END)
    assert result.passed
    assert result.checked == len(ecb.dates)
    assert result.summary == f"{len(ecb.dates)} checked, no anomalies"


def test_a_publication_left_out_is_named(ecb: RateHistory) -> None:
    result = calendar_complete(without(ecb, date(2019, 7, 10)), START, END)
    assert not result.passed
    expected = "a publication on a working day"
    assert result.findings == (RateAnomaly("2019-07-10", None, "no publication", expected),)
    assert f"1 failed: 2019-07-10 no publication, expected {expected}" in result.summary


def test_a_publication_on_a_closed_day_is_named(read: Reader) -> None:
    result = calendar_complete(read("Date,USD,\n2026-10-31,1.1,\n2026-10-30,1.1,\n"), START, END)
    assert [(item.where, item.observed) for item in result.findings] == [("2026-10-31", "a publication")]


def test_days_beyond_the_last_publication_are_not_yet_expected(week: RateHistory) -> None:
    assert calendar_complete(week, week.first, date(2026, 12, 31)).passed


def test_the_jumps_of_the_real_history_are_known_ones(ecb: RateHistory) -> None:
    major = {"USD", "GBP", "JPY", "CAD", "CHF"}
    result = day_on_day_jumps(ecb, START, END, Decimal(8), major)
    # The Swiss National Bank introduced its floor for EUR/CHF, and abandoned it.
    assert [(item.where, item.currency) for item in result.findings] == [
        ("2011-09-06", "CHF"),
        ("2015-01-15", "CHF"),
    ]
    assert result.checked > 35_000


@pytest.mark.parametrize("rate", ["0.08338", "8.338", "1.1172"])
def test_a_slipped_decimal_point_or_a_swapped_column_is_a_jump(rate: str, ecb: RateHistory) -> None:
    broken = corrupted(ecb, date(2026, 10, 28), "GBP", rate)
    result = day_on_day_jumps(broken, date(2026, 10, 1), END, Decimal(8), {"GBP", "USD"})
    assert [(item.where, item.currency) for item in result.findings] == [
        ("2026-10-28", "GBP"),
        ("2026-10-29", "GBP"),
    ]
    assert result.findings[0].observed == rate


def test_a_change_by_the_threshold_is_not_a_jump(read: Reader) -> None:
    history = read("Date,USD,\n2026-10-30,1.08,\n2026-10-29,1,\n")
    assert day_on_day_jumps(history, START, END, Decimal(8)).passed
    assert not day_on_day_jumps(history, START, END, Decimal("7.9999")).passed


def test_a_resumed_rate_is_not_compared_with_the_rate_before_the_break(ecb: RateHistory) -> None:
    result = day_on_day_jumps(ecb, date(2018, 1, 1), date(2018, 3, 1), Decimal(8), {"ISK"})
    assert result.passed


def test_the_real_history_agrees_with_the_yearly_averages(ecb: RateHistory) -> None:
    result = irs_yearly_band(ecb)
    assert result.passed
    assert result.checked == len(irs_yearly_averages().averages) == 21


def test_every_average_lies_within_two_thousandths_of_the_daily_mean(ecb: RateHistory) -> None:
    for item in irs_yearly_averages().averages:
        mean = yearly_mean(ecb, item.currency, item.year)
        assert mean is not None
        assert abs(mean - item.units_per_usd) < Decimal("0.002"), (item.currency, item.year)


def test_a_year_of_wrong_rates_is_out_of_the_band_and_named(ecb: RateHistory) -> None:
    rates = ecb.rates
    selected = pc.and_(
        pc.equal(pc.year(rates.column("date")), 2020), pc.equal(rates.column("currency"), "GBP")
    )
    euros_per_pound = pc.if_else(selected, pa.scalar("1.125"), rates.column("rate"))
    broken = RateHistory(
        rates.set_column(2, rates.schema.field("rate"), euros_per_pound), ecb.publications, ecb.currencies
    )
    result = irs_yearly_band(broken)
    assert [(item.where, item.currency) for item in result.findings] == [("2020", "GBP")]
    assert "IRS, certainty D" in result.findings[0].expected


def test_only_years_that_the_history_covers_are_checked(ecb: RateHistory) -> None:
    part = ecb.between(date(2019, 1, 3), date(2021, 12, 31))
    result = irs_yearly_band(part)
    assert (result.checked, result.passed) == (6, True)


def test_a_currency_without_rates_in_the_year_is_a_finding(ecb: RateHistory) -> None:
    year = ecb.between(date(2020, 1, 1), date(2020, 12, 31))
    dollars = year.rates.filter(pc.equal(year.rates.column("currency"), "USD"))
    result = irs_yearly_band(RateHistory(dollars, year.publications, year.currencies))
    assert {(item.currency, item.observed) for item in result.findings} == {
        ("CAD", "no rates"),
        ("GBP", "no rates"),
    }
