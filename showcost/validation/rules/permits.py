"""Rules about location permits (PMT)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.chart import AccountKind
from showcost.validation.columns import ZERO
from showcost.validation.rules.model import RowRule, Rule
from showcost.values.column import is_yes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.validation.reference import Reference


_FIELDS: Final = frozenset(
    {
        *("event_type", "start_datetime", "end_datetime", "account"),
        *("fee_amount", "deposit_amount", "refundable"),
    }
)
"""The fields that the rules need."""


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none for record kinds without the fields of a permit."""
    if not _FIELDS.issubset(reference.feed.kind.by_name):
        return
    yield RowRule(
        "SC-PMT-001",
        "end_datetime",
        _expected_end,
        "showcost: permits",
        holds=_in_order,
    )
    control = reference.production.control_accounts.refundable_deposit
    yield RowRule(
        "SC-PMT-002",
        "account",
        f"a balance account for a refundable deposit, such as {control}",
        "production.yaml: control_accounts.refundable_deposit",
        holds=_no_deposit_as_cost,
    )


def _in_order(cells: pa.Table) -> pa.ChunkedArray:
    return pc.greater_equal(cells.column("end_datetime"), cells.column("start_datetime"))


def _expected_end(failed: pa.Table) -> pa.ChunkedArray:
    start = pc.strftime(failed.column("start_datetime"), format="%Y-%m-%d %H:%M")
    return pc.binary_join_element_wise("an end not before ", start, "")


def _no_deposit_as_cost(cells: pa.Table) -> pa.ChunkedArray:
    """Say whether a row of only a refundable deposit has an account other than a cost account."""
    only_deposit = pc.and_(
        pc.equal(cells.column("fee_amount"), ZERO), pc.greater(cells.column("deposit_amount"), ZERO)
    )
    named = pc.match_substring(cells.column("event_type"), "deposit", ignore_case=True)
    deposit = pc.or_(pc.fill_null(named, False), pc.fill_null(only_deposit, False))
    refundable = is_yes(cells.column("refundable__word"))
    cost = pc.equal(cells.column("account__kind"), AccountKind.COST.value)
    return pc.invert(pc.and_(pc.and_(deposit, refundable), pc.fill_null(cost, False)))
