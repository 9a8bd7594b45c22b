"""Rules about accounts: COA."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

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
        holds=partial(_is_known, numbers, mapped=mapped),
    )
    yield RowRule(
        "SC-COA-002",
        "account",
        partial(_open_text, reference, None),
        chart_file,
        holds=partial(_is_open, reference, None),
    )
    part = feed.kind.secondary
    if part is None:
        return
    yield RowRule(
        "SC-COA-002",
        part.field,
        partial(_open_text, reference, part),
        f"{chart_file}; production.yaml: control_accounts",
        holds=partial(_is_open, reference, part),
    )


def _is_known(numbers: pa.ChunkedArray, accounts: pa.ChunkedArray, *, mapped: bool) -> pa.ChunkedArray:
    """Say whether accounts are of the chart; a blank one is unknown where it comes from a mapping."""
    known = pc.is_in(accounts, value_set=numbers)
    return known if mapped else pc.or_(known, pc.is_null(accounts))


def _account(reference: Reference, part: SecondaryComponent | None, cells: pa.Table) -> pa.ChunkedArray:
    """Return the account to which a part of each row posts; the row's own for None."""
    return cells.column("account") if part is None else secondary_account(cells, reference, part)


def _is_open(reference: Reference, part: SecondaryComponent | None, cells: pa.Table) -> pa.ChunkedArray:
    closed_on = reference.account_column(_account(reference, part, cells), "closed_on")
    return pc.less(cells.column("date"), closed_on)


def _open_text(reference: Reference, part: SecondaryComponent | None, failed: pa.Table) -> pa.ChunkedArray:
    account = _account(reference, part, failed)
    closed_on = reference.account_column(account, "closed_on").cast(pa.string())
    day = failed.column("date").cast(pa.string())
    return pc.binary_join_element_wise(
        "account ", account, " open on ", day, "; it closed on ", closed_on, ""
    )
