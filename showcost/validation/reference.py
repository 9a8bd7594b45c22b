"""Reference data for validation: production, chart, feed and the status of rates, and look-ups in them.

`look_up` adds to the cells: `minor_units` of the currency; `account__closed_on`, `account__kind`,
`account__union` and `account__fringe` of an account in the chart; `fx__status`; `<field>__word` of a coded
field; for payroll, the results of the pay rules (`showcost.pay`), which need many columns at once. The rules
decide about the values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements import packaged
from showcost.core.errors import IntegrityError
from showcost.core.money import currency_codes, minor_units
from showcost.pay.checker import PayChecker, check_columns
from showcost.validation.tax_codes import tax_columns

if TYPE_CHECKING:
    from showcost.config.agreements import Agreements
    from showcost.config.chart import Chart
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production
    from showcost.pay.day_lines import DayLines

FX_STATUS: Final = pa.schema([("date", pa.date32()), ("currency", pa.string()), ("status", pa.string())])
"""Status of rates: one row per date and currency; status is a `RateStatus`."""

_STATUSES: Final = ("ok", "pending", "missing", "changed", "jumped")
_CURRENCIES_PER_DAY: Final = 10_000


@dataclass(frozen=True)
class Reference:
    """Everything that determines the result of a row, except the row itself.

    `fx_status` has the columns of `FX_STATUS`; None leaves out the rules about rates. `unconfirmed` are the
    deliveries whose control total is not confirmed. `day_lines` are the lines of people's days with several.
    """

    feed: FeedSpec
    production: Production
    chart: Chart
    fx_status: pa.Table | None
    agreements: Agreements = field(default_factory=packaged)
    unconfirmed: frozenset[str] = frozenset()
    day_lines: DayLines | None = None

    @cached_property
    def pay(self) -> PayChecker:
        """The pay rules that bind the production."""
        return PayChecker(self.agreements, self.production)

    @cached_property
    def accounts(self) -> pa.Table:
        """The accounts of the chart, one row per account."""
        accounts = list(self.chart)
        return pa.table(
            {
                "number": pa.array([account.number for account in accounts], pa.string()),
                "closed_on": pa.array([account.closed_on for account in accounts], pa.date32()),
                "kind": pa.array([account.kind.value for account in accounts], pa.string()),
                "union": pa.array([account.union_category for account in accounts], pa.string()),
                "fringe": pa.array([account.fringe_account for account in accounts], pa.string()),
            }
        )

    def account_column(self, numbers: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
        """Return a column of `accounts` for account numbers; null for an account not in the chart."""
        places = pc.index_in(numbers, value_set=self.accounts.column("number"))
        return pc.take(self.accounts.column(column), places)

    def words(self, field: str, texts: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the words that texts of a coded field stand for; null for a blank or unknown text."""
        words = self.feed.words_of(field)
        encoded = texts.combine_chunks().dictionary_encode()
        known = [
            None if text is None else words.get(" ".join(text.casefold().split()))
            for text in encoded.dictionary.to_pylist()
        ]
        return pa.chunked_array([pc.take(pa.array(known, pa.string()), encoded.indices)])

    @cached_property
    def currencies(self) -> pa.Array:
        """The production's currencies, sorted."""
        return pa.array(sorted(self.production.currencies), pa.string())

    @cached_property
    def _rates(self) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """The keys and statuses of the rates of the production's currencies."""
        if self.fx_status is None:
            raise ValueError("no status of rates was given")
        table = self.fx_status.filter(pc.is_in(self.fx_status.column("currency"), value_set=self.currencies))
        invalid = pc.invert(pc.is_in(table.column("status"), value_set=pa.array(_STATUSES)))
        if pc.any(invalid, min_count=0).as_py():
            raise ValueError(f"the status of a rate is one of {', '.join(_STATUSES)}")
        return self._rate_keys(table.column("date"), table.column("currency")), table.column("status")

    def _rate_keys(self, dates: pa.ChunkedArray, currencies: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return one number per date and currency; null for currencies that are not the production's."""
        days = dates.cast(pa.int32()).cast(pa.int64())
        place = pc.index_in(currencies, value_set=self.currencies).cast(pa.int64())
        return pc.add(pc.multiply(days, _CURRENCIES_PER_DAY), place)

    def rate_status(self, dates: pa.ChunkedArray, currencies: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the status of each row's rate; null where its date or currency is not the production's.

        Raises IntegrityError when `fx_status` lacks a date and currency of the production.
        """
        span = self.production.dates
        inside = pc.and_(pc.greater_equal(dates, span.start), pc.less_equal(dates, span.end))
        row_keys = pc.if_else(inside, self._rate_keys(dates, currencies), pa.scalar(None, pa.int64()))
        keys, statuses = self._rates
        status = pc.take(statuses, pc.index_in(row_keys, value_set=keys))
        missing = pc.sum(pc.and_(pc.is_valid(row_keys), pc.is_null(status)), min_count=0).as_py()
        if missing:
            raise IntegrityError(
                f"{missing} rows of feed {self.feed.name} have a date and currency without an FX"
                " status: materialise the FX snapshots first"
            )
        return status


def look_up(cells: pa.Table, reference: Reference, *, with_pay: bool = True) -> pa.Table:
    """Return the cells with the look-ups in the reference data; see the module.

    Without `with_pay`, the results of the pay rules are left out.
    """
    codes = pa.array(sorted(currency_codes()), pa.string())
    units = pa.array([minor_units(code) for code in codes.to_pylist()], pa.int32())
    account = cells.column("account")
    added = {
        f"account__{name}": reference.account_column(account, name)
        for name in ("closed_on", "kind", "union", "fringe")
    }
    added["minor_units"] = pc.take(units, pc.index_in(cells.column("currency"), value_set=codes))
    if reference.fx_status is not None:
        added["fx__status"] = reference.rate_status(cells.column("date"), cells.column("currency"))
    for coded in reference.feed.kind.coded:
        added[f"{coded.name}__word"] = reference.words(coded.name, cells.column(coded.name))
    extended = pa.table({**dict(zip(cells.column_names, cells.columns, strict=True)), **added})
    secondary = reference.feed.kind.secondary
    if secondary is not None and secondary.tax_code is not None and reference.production.tax_codes:
        taxes = tax_columns(extended, secondary, reference.production.tax_codes)
        for name in taxes.column_names:
            extended = extended.append_column(name, taxes.column(name))
    if not reference.feed.kind.has_pay_rules or not with_pay:
        return extended
    for name, values in check_columns(reference.pay, extended, reference.day_lines).items():
        extended = extended.append_column(name, values)
    return extended
