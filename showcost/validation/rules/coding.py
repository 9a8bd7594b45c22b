"""Rules about accounts (COA)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.chart import AccountKind
from showcost.validation.components import secondary_account
from showcost.validation.rules.model import ColumnRule, RowRule, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.record_kinds import SecondaryComponent
    from showcost.validation.reference import Reference


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module."""
    feed, chart_file = reference.feed, reference.production.chart_of_accounts
    numbers = reference.accounts.column("number")
    mapped = feed.accounts is not None
    yield ColumnRule(
        "SC-COA-001",
        "account",
        "an account of the chart" + (", by the feed's account mapping" if mapped else ""),
        f"{chart_file}; feed {feed.name}: accounts" if mapped else chart_file,
        column="account",
        holds=partial(_is_in_chart, numbers, mapped=mapped),
    )
    yield RowRule(
        "SC-COA-002",
        "account",
        partial(_open_text, reference, None),
        chart_file,
        holds=partial(_is_open, reference, None),
    )
    if feed.kind.cost_accounts_only:
        yield RowRule(
            "SC-COA-003",
            "account",
            "an account of kind cost, because nothing else is budgeted",
            chart_file,
            holds=_is_cost,
        )
    secondary = feed.kind.secondary
    if secondary is None:
        return
    yield RowRule(
        "SC-COA-002",
        secondary.field,
        partial(_open_text, reference, secondary),
        f"{chart_file}; production.yaml: control_accounts",
        holds=partial(_is_open, reference, secondary),
    )


def _is_cost(cells: pa.Table) -> pa.ChunkedArray:
    return pc.equal(cells.column("account__kind"), AccountKind.COST.value)


def _is_in_chart(numbers: pa.ChunkedArray, accounts: pa.ChunkedArray, *, mapped: bool) -> pa.ChunkedArray:
    """Say whether accounts are in the chart; a blank account passes unless the feed maps accounts."""
    listed = pc.is_in(accounts, value_set=numbers)
    return listed if mapped else pc.or_(listed, pc.is_null(accounts))


def _account(reference: Reference, secondary: SecondaryComponent | None, cells: pa.Table) -> pa.ChunkedArray:
    """Return the account of each row's secondary component; for None, the row's own account."""
    return cells.column("account") if secondary is None else secondary_account(cells, reference, secondary)


def _is_open(reference: Reference, secondary: SecondaryComponent | None, cells: pa.Table) -> pa.ChunkedArray:
    closed_on = reference.account_column(_account(reference, secondary, cells), "closed_on")
    return pc.less(cells.column("date"), closed_on)


def _open_text(
    reference: Reference, secondary: SecondaryComponent | None, failed: pa.Table
) -> pa.ChunkedArray:
    account = _account(reference, secondary, failed)
    closed_on = reference.account_column(account, "closed_on").cast(pa.string())
    day = failed.column("date").cast(pa.string())
    return pc.binary_join_element_wise(
        "account ", account, " open on ", day, "; it closed on ", closed_on, ""
    )
