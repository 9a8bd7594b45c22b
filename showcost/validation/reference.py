"""What rows are held against: production, chart, feed and the status of rates; and the look-up in them.

`look_up` adds to the cells: `minor_units` of the currency; `account__closed_on`, `account__kind`,
`account__union` and `account__fringe` of a known account; `fx__status`; for payroll, what the pay rules say
(`showcost.pay`), which look at many columns at once. Judging is left to the rules.
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
from showcost.pay import PayChecker, check_columns

if TYPE_CHECKING:
    from showcost.config.agreements import Agreements
    from showcost.config.chart import Chart
    from showcost.config.feed import FeedSpec
    from showcost.config.production import Production

FX_STATUS: Final = pa.schema([("date", pa.date32()), ("currency", pa.string()), ("status", pa.string())])
"""What is known of rates: one row per date and currency; status is ok, pending, missing or changed."""

_STATUSES: Final = ("ok", "pending", "missing", "changed")
_CURRENCIES_PER_DAY: Final = 10_000


@dataclass(frozen=True)
class Reference:
    """Everything that decides about a row beside the row itself.

    `fx_status` has the columns of `FX_STATUS`; None leaves the rules about rates out.
    """

    feed: FeedSpec
    production: Production
    chart: Chart
    fx_status: pa.Table | None
    agreements: Agreements = field(default_factory=packaged)

    @cached_property
    def pay(self) -> PayChecker:
        """The pay rules as they bind the production."""
        return PayChecker(self.agreements, self.production)

    @cached_property
    def accounts(self) -> pa.Table:
        """The accounts of the chart, a row each."""
        accounts = list(self.chart)
        return pa.table(
            {
                "number": pa.array([account.number for account in accounts], pa.string()),
                "closed_on": pa.array([account.closed_on for account in accounts], pa.date32()),
                "kind": pa.array([account.kind.value for account in accounts], pa.string()),
                "union": pa.array([account.union_category.value for account in accounts], pa.string()),
                "fringe": pa.array([account.fringe_account for account in accounts], pa.string()),
            }
        )

    def account_column(self, numbers: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
        """Return a column of `accounts` for account numbers; null for an unknown one."""
        places = pc.index_in(numbers, value_set=self.accounts.column("number"))
        return pc.take(self.accounts.column(column), places)

    @cached_property
    def currencies(self) -> pa.Array:
        """The production's currencies, sorted."""
        return pa.array(sorted(self.production.currencies), pa.string())

    @cached_property
    def _rates(self) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """The keys and statuses of what is known of the production's currencies."""
        if self.fx_status is None:
            raise ValueError("no status of rates was given")
        table = self.fx_status.filter(pc.is_in(self.fx_status.column("currency"), value_set=self.currencies))
        strange = pc.invert(pc.is_in(table.column("status"), value_set=pa.array(_STATUSES)))
        if pc.any(strange, min_count=0).as_py():
            raise ValueError(f"the status of a rate is one of {', '.join(_STATUSES)}")
        return self._rate_keys(table.column("date"), table.column("currency")), table.column("status")

    def _rate_keys(self, dates: pa.ChunkedArray, currencies: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return one number per date and currency; null for currencies that are not the production's."""
        days = dates.cast(pa.int32()).cast(pa.int64())
        place = pc.index_in(currencies, value_set=self.currencies).cast(pa.int64())
        return pc.add(pc.multiply(days, _CURRENCIES_PER_DAY), place)

    def rate_status(self, dates: pa.ChunkedArray, currencies: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the status of each row's rate; null where its date or currency is not the production's.

        Raises IntegrityError when nothing was said about a date and currency that are.
        """
        span = self.production.dates
        inside = pc.and_(pc.greater_equal(dates, span.start), pc.less_equal(dates, span.end))
        asked = pc.if_else(inside, self._rate_keys(dates, currencies), pa.scalar(None, pa.int64()))
        keys, statuses = self._rates
        status = pc.take(statuses, pc.index_in(asked, value_set=keys))
        unknown = pc.sum(pc.and_(pc.is_valid(asked), pc.is_null(status)), min_count=0).as_py()
        if unknown:
            raise IntegrityError(
                f"{unknown} rows of feed {self.feed.name} have a date and currency of which no status of the"
                " rate was given: fill the FX snapshots first"
            )
        return status


def look_up(cells: pa.Table, reference: Reference) -> pa.Table:
    """Return the cells with what the reference says about each row; see the module."""
    known = pa.array(sorted(currency_codes()), pa.string())
    units = pa.array([minor_units(code) for code in known.to_pylist()], pa.int32())
    account = cells.column("account")
    added = {
        f"account__{name}": reference.account_column(account, name)
        for name in ("closed_on", "kind", "union", "fringe")
    }
    added["minor_units"] = pc.take(units, pc.index_in(cells.column("currency"), value_set=known))
    if reference.fx_status is not None:
        added["fx__status"] = reference.rate_status(cells.column("date"), cells.column("currency"))
    known_cells = pa.table({**dict(zip(cells.column_names, cells.columns, strict=True)), **added})
    if not reference.feed.kind.has_pay_rules:
        return known_cells
    for name, values in check_columns(reference.pay, known_cells).items():
        known_cells = known_cells.append_column(name, values)
    return known_cells
