"""Published rates, as read from a rate file: one row per publication date and currency.

A history has the rates and their origin, and two histories can be merged. `parsing` reads files, `sources`
gets them, and `snapshot_plan` determines the rates in force on dates without a publication.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import require_columns
from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from datetime import date

EURO: Final = "EUR"
"""The currency in which every rate is expressed: units of the other currency per one euro."""

RATE_DECIMALS: Final = 6
"""Maximum decimals of a published rate; the exact integers of the conversion depend on it."""

RATE_INTEGER_DIGITS: Final = 10
"""Maximum digits before the decimal point, so that a rate fits DECIMAL(20, 10)."""

RATES_SCHEMA: Final = pa.schema(
    [
        pa.field("date", pa.date32(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
        pa.field("rate", pa.string(), nullable=False),
    ]
)
"""Publication date, currency, and the rate as normalised decimal text (no trailing zeros)."""

PUBLICATIONS_SCHEMA: Final = pa.schema(
    [
        pa.field("date", pa.date32(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_sha256", pa.string(), nullable=False),
    ]
)
"""Publication date, name of the source, and the sha256 of the file from which that day was read."""


class RateDisagreement(NamedTuple):
    """Two rates of one publication, as text; None where a file has the currency, but no rate of that day."""

    date: date
    currency: str
    base: str | None
    other: str | None


@dataclass(frozen=True)
class RateHistory:
    """The publications of one or several rate files.

    `rates` (RATES_SCHEMA) is ordered by date and currency; the euro itself is not in it. `publications`
    (PUBLICATIONS_SCHEMA) has every publication date once, in order, with the file it was read from.
    `currencies` are all currencies of the files, including currencies without a rate on any day.
    Raises IntegrityError for tables with other columns.
    """

    rates: pa.Table
    publications: pa.Table
    currencies: frozenset[str]

    def __post_init__(self) -> None:
        require_columns(self.rates, RATES_SCHEMA, "published rates")
        require_columns(self.publications, PUBLICATIONS_SCHEMA, "publications")

    @cached_property
    def dates(self) -> tuple[date, ...]:
        """The publication dates, oldest first; never empty."""
        return tuple(self.publications.column("date").to_pylist())

    @property
    def first(self) -> date:
        """The oldest publication date."""
        return self.dates[0]

    @property
    def last(self) -> date:
        """The newest publication date."""
        return self.dates[-1]

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The (source name, sha256) of every file that contributed a day, sorted."""
        pairs = self.publications.select(["source", "source_sha256"]).group_by(["source", "source_sha256"])
        return tuple(sorted((row["source"], row["source_sha256"]) for row in pairs.aggregate([]).to_pylist()))

    def on(self, days: pa.Array) -> pa.Table:
        """Return the rates of some days."""
        return self.rates.filter(pc.is_in(self.rates.column("date"), value_set=days))

    def between(self, first: date, last: date) -> RateHistory:
        """Return the publications from `first` to `last`, both included, at least one of which must exist."""

        def part(table: pa.Table) -> pa.Table:
            days = table.column("date")
            return table.filter(pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last)))

        return RateHistory(part(self.rates), part(self.publications), self.currencies)


def without_days(history: RateHistory, days: pa.Array | pa.ChunkedArray) -> RateHistory | None:
    """Return a history without the publications of some days; None if none is left."""

    def part(table: pa.Table) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(table.column("date"), value_set=days)))

    publications = part(history.publications)
    if not publications.num_rows:
        return None
    return RateHistory(part(history.rates), publications, history.currencies)


def disagreements(base: RateHistory, other: RateHistory) -> list[RateDisagreement]:
    """Return the rates on which two histories disagree on a day that both have, by date and currency.

    A file without a currency does not contradict a file that quotes it.
    """
    return [
        RateDisagreement(row["date"], row["currency"], row["rate_base"], row["rate_other"])
        for row in _differing(base, other).to_pylist()
    ]


def merge_histories(base: RateHistory, other: RateHistory) -> RateHistory:
    """Return `base` extended by the days that only `other` has.

    All rates of a day are taken from one file. On a day that both have, they must agree: IntegrityError for
    a different rate, or a rate of only one of them although the other file has the currency. A file without
    a currency does not contradict a file that quotes it.
    """
    shared = pc.is_in(other.publications.column("date"), value_set=base.publications.column("date"))
    _refuse_disagreement(base, other)
    added = other.publications.filter(pc.invert(shared))
    added_rates = other.rates.filter(pc.is_in(other.rates.column("date"), value_set=added.column("date")))
    return RateHistory(
        pa.concat_tables([base.rates, added_rates]).sort_by(
            [("date", "ascending"), ("currency", "ascending")]
        ),
        pa.concat_tables([base.publications, added]).sort_by("date"),
        base.currencies | other.currencies,
    )


def _differing(base: RateHistory, other: RateHistory) -> pa.Table:
    """Return date, currency, rate_base and rate_other where two histories disagree, in order."""
    # A currency that `base` does not have would add a rate to a day that is already complete.
    common = pa.array(sorted(other.currencies), pa.string())
    left = _on_days_of(base, other).filter(pc.field("currency").isin(common))
    right = _on_days_of(other, base)
    both = left.join(
        right, keys=["date", "currency"], join_type="full outer", left_suffix="_base", right_suffix="_other"
    )
    agree = pc.fill_null(pc.equal(both.column("rate_base"), both.column("rate_other")), fill_value=False)
    return both.filter(pc.invert(agree)).sort_by([("date", "ascending"), ("currency", "ascending")])


def _refuse_disagreement(base: RateHistory, other: RateHistory) -> None:
    """Raise IntegrityError at the first (date, currency) on which two histories disagree."""
    differing = _differing(base, other)
    if differing.num_rows:
        row = differing.slice(0, 1).to_pylist()[0]
        base_rate, other_rate = row["rate_base"] or "no rate", row["rate_other"] or "no rate"
        raise IntegrityError(
            f"two rate files disagree on {differing.num_rows} published rate(s), first {row['currency']} of"
            f" {row['date']}: {base_rate} in {_file_of(base, row['date'])},"
            f" {other_rate} in {_file_of(other, row['date'])}; import a file with the right rates with"
            " `showcost fx import FILE --replace`"
        )


def _on_days_of(history: RateHistory, other: RateHistory) -> pa.Table:
    days = other.publications.column("date")
    return history.rates.filter(pc.is_in(history.rates.column("date"), value_set=days))


def _file_of(history: RateHistory, day: date) -> str:
    row = history.publications.filter(pc.field("date") == pa.scalar(day, pa.date32())).to_pylist()[0]
    return f"{row['source']} {row['source_sha256'][:12]}"
