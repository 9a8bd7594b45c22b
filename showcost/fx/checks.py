"""Plausibility checks of a rate history: missing days, jumps of rates, and yearly means.

Each check is a pure function from a history to anomalies with date and currency; it changes and rejects
nothing. `showcost.checks.fx` turns them into asset checks.
"""

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

from showcost.fx.calendar import gaps, unexpected, working_days
from showcost.fx.history import EURO
from showcost.fx.jumps import jumps
from showcost.fx.snapshot_plan import rate_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from showcost.fx.history import RateHistory

_MEAN_DIGITS: Final = 40
_US_DOLLAR: Final = "USD"


@dataclass(frozen=True)
class RateAnomaly:
    """An anomaly: date or year, currency, and the observed and expected text."""

    where: str
    currency: str | None
    observed: str
    expected: str


@dataclass(frozen=True)
class CheckResult:
    """The result of a check of `checked` days, rates or years."""

    name: str
    checked: int
    findings: tuple[RateAnomaly, ...]

    @property
    def passed(self) -> bool:
        """True if there are no findings."""
        return not self.findings

    @property
    def summary(self) -> str:
        """One line for a person: the number of checked items, and the first findings."""
        if self.passed:
            return f"{self.checked} checked, no anomalies"
        shown = "; ".join(
            " ".join(
                part
                for part in (item.where, item.currency, f"{item.observed}, expected {item.expected}")
                if part
            )
            for item in self.findings[:3]
        )
        more = len(self.findings) - 3
        return f"{self.checked} checked, {len(self.findings)} failed: {shown}" + (
            f" and {more} more" if more > 0 else ""
        )


def calendar_complete(history: RateHistory, first: date, last: date) -> CheckResult:
    """Check that the source published on every TARGET working day, and on no other.

    Only days from the first to the last publication of the history are checked.
    """
    first, last = max(first, history.first), min(last, history.last)
    left_out = [
        RateAnomaly(str(day), None, "no publication", "a publication on a working day")
        for day in gaps(history, first, last)
    ]
    extra = [
        RateAnomaly(str(day), None, "a publication", "none, because TARGET is closed")
        for day in unexpected(history, first, last)
    ]
    checked = len(working_days(first, last))
    return CheckResult(
        "calendar_complete", checked, tuple(sorted(left_out + extra, key=lambda item: item.where))
    )


def day_on_day_jumps(
    history: RateHistory,
    first: date,
    last: date,
    percent: Decimal,
    currencies: Collection[str] | None = None,
    accepted: Collection[tuple[date, str, Decimal]] = (),
) -> CheckResult:
    """Check that no rate moved by more than `percent` of itself from one publication to the next.

    Checks the given currencies, or all; an `accepted` rate (date, currency, rate) may have moved.
    A rate is not compared across publications without the currency.
    """
    chosen = history.currencies if currencies is None else currencies
    days = history.rates.filter(pc.field("currency").isin(sorted(chosen))).column("date")
    checked = pc.sum(pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))).as_py() or 0
    findings = tuple(
        RateAnomaly(
            str(jump.date),
            jump.currency,
            rate_text(jump.rate),
            f"within {percent}% of {rate_text(jump.before)}",
        )
        for jump in jumps(history, first, last, percent, chosen)
        if (jump.date, jump.currency, jump.rate) not in accepted
    )
    return CheckResult("day_on_day_jumps", checked, findings)


class YearlyAverage(BaseModel):
    """A yearly average of the IRS, and the certainty of the figure (H, M, D or L)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    year: int = Field(ge=2018)
    units_per_usd: Decimal = Field(gt=0)
    certainty: str = Field(pattern=r"^[HMDL]$")


class YearlyAverages(BaseModel):
    """The table of yearly averages in this package."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    tolerance_percent: Decimal = Field(gt=0)
    averages: tuple[YearlyAverage, ...]


@cache
def irs_yearly_averages() -> YearlyAverages:
    """Return the table from the package's data file."""
    text = files("showcost.fx").joinpath("irs_yearly_average.yaml").read_text(encoding="utf-8")
    return YearlyAverages.model_validate(yaml.safe_load(text))


def irs_yearly_band(history: RateHistory, table: YearlyAverages | None = None) -> CheckResult:
    """Check that the mean of a year's daily rates lies within the tolerance of the IRS's yearly average.

    Only years that the history covers from the first to the last working day are checked.
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
    """Return the mean of the daily rates of a year in units per US dollar, to 40 digits; None without rates.

    It is the mean of the daily cross rates, as the IRS defines it, not the cross rate of the means.
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
