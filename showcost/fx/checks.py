"""Doubts about a rate history: is a day left out, did a rate jump, does a year's mean look right.

Each check is a pure function from a history to findings that name dates and currencies; none of them
changes or rejects anything. Making asset checks of them is for the layer that knows Dagster.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict, Field

from showcost.core.engine import engine
from showcost.fx.calendar import gaps, unexpected, working_days
from showcost.fx.history import EURO
from showcost.fx.snapshots import RATE_TYPE

if TYPE_CHECKING:
    from collections.abc import Collection

    from showcost.fx.history import RateHistory

_MEAN_DIGITS: Final = 40
_US_DOLLAR: Final = "USD"


@dataclass(frozen=True)
class RateAnomaly:
    """One thing that a check found: where, what was observed and what was expected."""

    where: str
    currency: str | None
    observed: str
    expected: str


@dataclass(frozen=True)
class CheckResult:
    """The outcome of a check over `examined` days, rates or years."""

    name: str
    examined: int
    findings: tuple[RateAnomaly, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def summary(self) -> str:
        """One line for a person: how much was examined, and the first findings."""
        if self.passed:
            return f"{self.examined} examined, nothing found"
        shown = "; ".join(
            " ".join(
                part
                for part in (item.where, item.currency, f"{item.observed}, expected {item.expected}")
                if part
            )
            for item in self.findings[:3]
        )
        more = len(self.findings) - 3
        return f"{self.examined} examined, {len(self.findings)} found: {shown}" + (
            f" and {more} more" if more > 0 else ""
        )


def calendar_complete(history: RateHistory, first: date, last: date) -> CheckResult:
    """Check that the source published on every TARGET working day, and on no other.

    Only days from the history's first to its last publication are examined: of others it cannot know.
    """
    first, last = max(first, history.first), min(last, history.last)
    left_out = [
        RateAnomaly(str(day), None, "no publication", "one: a working day")
        for day in gaps(history, first, last)
    ]
    extra = [
        RateAnomaly(str(day), None, "a publication", "none: TARGET is closed")
        for day in unexpected(history, first, last)
    ]
    examined = len(working_days(first, last))
    return CheckResult(
        "calendar_complete", examined, tuple(sorted(left_out + extra, key=lambda item: item.where))
    )


_JUMPS_SQL: Final = f"""
WITH typed AS (SELECT date, currency, CAST(rate AS {RATE_TYPE}) AS rate FROM published),
ordered AS (SELECT date, row_number() OVER (ORDER BY date) AS number FROM publications),
paired AS (
    SELECT typed.date, number, currency, rate,
        lag(rate) OVER by_currency AS before, lag(number) OVER by_currency AS number_before
    FROM typed JOIN ordered USING (date)
    WINDOW by_currency AS (PARTITION BY currency ORDER BY number))
SELECT date, currency, rate, before
FROM paired
WHERE number_before = number - 1 AND date BETWEEN $first AND $last
    AND CAST(abs(rate - before) AS DECIMAL(30, 10)) * 100
        > CAST(before AS DECIMAL(24, 10)) * CAST($percent AS DECIMAL(7, 4))
ORDER BY date, currency
"""


def day_on_day_jumps(
    history: RateHistory,
    first: date,
    last: date,
    percent: Decimal,
    currencies: Collection[str] | None = None,
) -> CheckResult:
    """Check that no rate moved by more than `percent` of itself from one publication to the next.

    Looks at `currencies`, or all. A rate that comes back after days without one is not compared.
    """
    rates = history.rates
    if currencies is not None:
        rates = rates.filter(pc.field("currency").isin(sorted(currencies)))
    with engine() as connection:
        connection.register("published", rates)
        connection.register("publications", history.publications)
        wanted = {"first": first, "last": last, "percent": percent}
        rows = connection.execute(_JUMPS_SQL, wanted).fetchall()
    days = rates.column("date")
    examined = pc.sum(pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))).as_py() or 0
    found = tuple(
        RateAnomaly(
            str(day), currency, f"{rate.normalize():f}", f"within {percent}% of {before.normalize():f}"
        )
        for day, currency, rate, before in rows
    )
    return CheckResult("day_on_day_jumps", examined, found)


class YearlyAverage(BaseModel):
    """A yearly average of the IRS, and how sure its figure is (H, M, D or L)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    year: int = Field(ge=2018)
    units_per_usd: Decimal = Field(gt=0)
    certainty: str = Field(pattern=r"^[HMDL]$")


class YearlyAverages(BaseModel):
    """The table of yearly averages that is part of this package."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    tolerance_percent: Decimal = Field(gt=0)
    averages: tuple[YearlyAverage, ...]


@cache
def irs_yearly_averages() -> YearlyAverages:
    """Return the table of the package's data file."""
    text = files("showcost.fx").joinpath("irs_yearly_average.yaml").read_text(encoding="utf-8")
    return YearlyAverages.model_validate(yaml.safe_load(text))


def irs_yearly_band(history: RateHistory, table: YearlyAverages | None = None) -> CheckResult:
    """Check that the mean of a year's daily rates lies within the tolerance of the IRS's yearly average.

    Only years that the history covers from the first to the last working day are examined.
    """
    table = table or irs_yearly_averages()
    full = [item for item in table.averages if _covers(history, item.year)]
    findings = []
    for item in full:
        mean = yearly_mean(history, item.currency, item.year)
        allowed = item.units_per_usd * table.tolerance_percent / 100
        if mean is None or abs(mean - item.units_per_usd) > allowed:
            observed = "no rates" if mean is None else f"a mean of {mean:.6f} per USD"
            expected = (
                f"{item.units_per_usd} within {table.tolerance_percent}% (IRS, certainty {item.certainty})"
            )
            findings.append(RateAnomaly(str(item.year), item.currency, observed, expected))
    return CheckResult("irs_yearly_band", len(full), tuple(findings))


def yearly_mean(history: RateHistory, currency: str, year: int) -> Decimal | None:
    """Return the mean of the daily rates of a year in units per US dollar, to 40 digits; None without any.

    The mean is of the daily cross rates, as the IRS means it, not the cross rate of the means.
    """
    part = history.between(date(year, 1, 1), date(year, 12, 31)).rates
    dollars = _by_date(part, _US_DOLLAR)
    units = dict.fromkeys(dollars, Decimal(1)) if currency == EURO else _by_date(part, currency)
    with localcontext() as context:
        context.prec = _MEAN_DIGITS
        crosses = [units[day] / dollars[day] for day in dollars if day in units]
        return sum(crosses, Decimal(0)) / len(crosses) if crosses else None


def _by_date(rates: pa.Table, currency: str) -> dict[date, Decimal]:
    rows = rates.filter(pc.field("currency") == currency)
    return dict(
        zip(rows.column("date").to_pylist(), map(Decimal, rows.column("rate").to_pylist()), strict=True)
    )


def _covers(history: RateHistory, year: int) -> bool:
    days = working_days(date(year, 1, 1), date(year, 12, 31))
    return history.first <= days[0] and history.last >= days[-1]
