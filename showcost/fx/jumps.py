"""Jumps of a rate from one publication to the next: the limit, and the rates that a person accepted.

A rate that moved by more than the limit is more often a slipped decimal point or an inverted rate than a
move of the market. So it is neither imported nor posted at until a person says that it is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.engine import engine
from showcost.fx.snapshot_plan import RATE, RATE_TYPE, rate_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from showcost.fx.history import RateHistory

_TEN: Final = 10


class Jump(NamedTuple):
    """A rate that moved by more than the limit: its publication date, and the rate published before it."""

    date: date
    currency: str
    rate: Decimal
    before: Decimal

    @property
    def hint(self) -> str:
        """The likely slip, such as a decimal point, or an empty text."""
        for power in (_TEN, _TEN * _TEN):
            if _near(self.rate, self.before * power) or _near(self.before, self.rate * power):
                return ": a slipped decimal point?"
        return ": an inverted rate?" if _near(self.rate * self.before, Decimal(1)) else ""

    def __str__(self) -> str:
        rate, before = rate_text(self.rate), rate_text(self.before)
        return f"{self.currency} of {self.date} is {rate}, after {before}{self.hint}"


@dataclass(frozen=True)
class JumpRule:
    """The limit in percent, the rate before each publication, and the accepted rates.

    `before` and `accepted` have the columns date (of publication), currency and rate (`RATE`).
    """

    percent: Decimal
    before: pa.Table
    accepted: pa.Table


def accepted_table(rates: Iterable[tuple[date, str, Decimal]]) -> pa.Table:
    """Return accepted rates in the form that `JumpRule` takes."""
    columns = list(zip(*rates, strict=True)) or [(), (), ()]
    types = (pa.date32(), pa.string(), RATE)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.table(arrays, names=["date", "currency", "rate"])


def jumped_sql(rate: str, before: str) -> str:
    """Return the SQL condition that a rate differs from the one before by more than `$percent` of that."""
    return (
        f"CAST(abs({rate} - {before}) AS DECIMAL(30, 10)) * 100"
        f" > CAST({before} AS DECIMAL(24, 10)) * CAST($percent AS DECIMAL(7, 4))"
    )


def rates_before(history: RateHistory, currencies: Collection[str]) -> pa.Table:
    """Return the rate before each rate of a history: date, currency, rate, `after` (the rate itself).

    A rate is not compared across publications without the currency, which has no row then.
    """
    rates = history.rates.filter(pc.field("currency").isin(sorted(currencies)))
    with engine() as connection:
        connection.register("published", rates)
        connection.register("publications", history.publications)
        return connection.sql(_BEFORE_SQL).to_arrow_table()


def jumps(
    history: RateHistory, first: date, last: date, percent: Decimal, currencies: Collection[str]
) -> list[Jump]:
    """Return the rates of a history from `first` to `last` that moved by more than `percent`, in order."""
    pairs = rates_before(history, currencies)
    with engine() as connection:
        connection.register("pairs", pairs)
        rows = connection.execute(_JUMPS_SQL, {"first": first, "last": last, "percent": percent}).fetchall()
    return [Jump(*row) for row in rows]


def _near(value: Decimal, target: Decimal) -> bool:
    return abs(value - target) * _TEN < target


_BEFORE_SQL: Final = f"""
WITH typed AS (SELECT date, currency, CAST(rate AS {RATE_TYPE}) AS rate FROM published),
ordered AS (SELECT date, row_number() OVER (ORDER BY date) AS number FROM publications),
paired AS (
    SELECT typed.date, number, currency, rate,
        lag(rate) OVER by_currency AS before, lag(number) OVER by_currency AS number_before
    FROM typed JOIN ordered USING (date)
    WINDOW by_currency AS (PARTITION BY currency ORDER BY number))
SELECT date, currency, before AS rate, rate AS after
FROM paired WHERE number_before = number - 1 ORDER BY date, currency
"""  # noqa: S608 - constants only

_JUMPS_SQL: Final = f"""
SELECT date, currency, after, rate FROM pairs
WHERE date BETWEEN $first AND $last AND {jumped_sql("after", "pairs.rate")} ORDER BY date, currency
"""  # noqa: S608 - constants only
