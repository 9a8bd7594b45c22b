"""The rates that a source published, as read from its file: one row per publication date and currency.

Belongs here: the table, where it came from, and merging two of them. Reading bytes is `parsing`, getting
them is `sources`, and what is in force on a date without a publication is `snapshots`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from datetime import date

EURO: Final = "EUR"
"""The currency in which every rate is expressed: units of the other currency per one euro."""

RATE_DECIMALS: Final = 6
"""The most decimals a published rate may have; the conversion's exact integers rest on it."""

RATE_INTEGER_DIGITS: Final = 10
"""The most digits before the decimal point, so that a rate fits DECIMAL(20, 10)."""

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
"""Publication date, name of the source, and the sha256 of the bytes from which that day was read."""


@dataclass(frozen=True)
class RateHistory:
    """What one or several files of a source published.

    `rates` (RATES_SCHEMA) is ordered by date and currency; the euro itself is not in it. `publications`
    (PUBLICATIONS_SCHEMA) has every publication date once, in order, with the file it was read from.
    `currencies` are all that the files speak of, also those without a rate on any day.
    """

    rates: pa.Table
    publications: pa.Table
    currencies: frozenset[str]

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
        """The newest publication date: of later days nothing is known yet."""
        return self.dates[-1]

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The (source name, sha256) of every file that contributed a day, sorted."""
        pairs = self.publications.select(["source", "source_sha256"]).group_by(["source", "source_sha256"])
        return tuple(sorted((row["source"], row["source_sha256"]) for row in pairs.aggregate([]).to_pylist()))

    def between(self, first: date, last: date) -> RateHistory:
        """Return the publications from `first` to `last`, both included; at least one must be there."""

        def part(table: pa.Table) -> pa.Table:
            days = table.column("date")
            return table.filter(pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last)))

        return RateHistory(part(self.rates), part(self.publications), self.currencies)


def merge_histories(known: RateHistory, other: RateHistory) -> RateHistory:
    """Return `known` extended by the days that only `other` has.

    A day is taken whole, from one file. Where both have a day, they must agree on it: a rate that
    differs, or that one has and the other, though it speaks of the currency, has not, raises
    IntegrityError. A file that is silent on a currency does not contradict one that quotes it.
    """
    shared = pc.is_in(other.publications.column("date"), value_set=known.publications.column("date"))
    _refuse_disagreement(known, other)
    fresh = other.publications.filter(pc.invert(shared))
    fresh_rates = other.rates.filter(pc.is_in(other.rates.column("date"), value_set=fresh.column("date")))
    return RateHistory(
        pa.concat_tables([known.rates, fresh_rates]).sort_by(
            [("date", "ascending"), ("currency", "ascending")]
        ),
        pa.concat_tables([known.publications, fresh]).sort_by("date"),
        known.currencies | other.currencies,
    )


def _refuse_disagreement(known: RateHistory, other: RateHistory) -> None:
    """Raise IntegrityError at the first (date, currency) on which two histories disagree."""
    # A currency of which `known` never spoke would bring a rate into a day that is already complete.
    common = pa.array(sorted(other.currencies), pa.string())
    left = _on_days_of(known, other).filter(pc.field("currency").isin(common))
    right = _on_days_of(other, known)
    both = left.join(
        right, keys=["date", "currency"], join_type="full outer", left_suffix="_known", right_suffix="_other"
    )
    agree = pc.fill_null(pc.equal(both.column("rate_known"), both.column("rate_other")), fill_value=False)
    differing = both.filter(pc.invert(agree)).sort_by([("date", "ascending"), ("currency", "ascending")])
    if differing.num_rows:
        row = differing.slice(0, 1).to_pylist()[0]
        one, two = row["rate_known"] or "no rate", row["rate_other"] or "no rate"
        raise IntegrityError(
            f"two rate files disagree on {differing.num_rows} published rate(s), first {row['currency']} of"
            f" {row['date']}: {one} in {_file_of(known, row['date'])},"
            f" {two} in {_file_of(other, row['date'])}"
        )


def _on_days_of(history: RateHistory, other: RateHistory) -> pa.Table:
    days = other.publications.column("date")
    return history.rates.filter(pc.is_in(history.rates.column("date"), value_set=days))


def _file_of(history: RateHistory, day: date) -> str:
    row = history.publications.filter(pc.field("date") == pa.scalar(day, pa.date32())).to_pylist()[0]
    return f"{row['source']} {row['source_sha256'][:12]}"
