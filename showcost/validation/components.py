"""Components of valid rows, each of which becomes a ledger entry, and the derived columns.

Every row has a primary component, even of zero; it posts to the row's own account. The secondary component
follows unless it is zero: recoverable tax and refundable deposits post to the production's control accounts,
the benefits of a payroll row to the fringe account of its account, else to the control account. A deposit
marked as not refundable is a cost and posts to the row's own account. Where the production lists tax codes,
the share of tax that is recovered posts to the code's account, and the rest, as `tax_cost`, to the row's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import join_texts
from showcost.core.money import round_half_away
from showcost.validation.columns import COMPONENT, MONEY, ZERO
from showcost.values.column import is_no

if TYPE_CHECKING:
    from showcost.config.record_kinds import RecordKind, SecondaryComponent
    from showcost.validation.reference import Reference


def secondary_account(
    cells: pa.Table, reference: Reference, secondary: SecondaryComponent
) -> pa.ChunkedArray:
    """Return the account of each row's secondary component; null for rows without one."""
    control = pa.scalar(getattr(reference.production.control_accounts, secondary.control), pa.string())
    account = pc.coalesce(cells.column("account__fringe"), control) if secondary.fringe else control
    if secondary.cost_unless is not None:
        is_cost = is_no(cells.column(f"{secondary.cost_unless}__word"))
        account = pc.if_else(is_cost, cells.column("account"), account)
    return pc.if_else(_not_zero(cells.column(secondary.field)), account, pa.scalar(None, pa.string()))


def derived_columns(cells: pa.Table, kind: RecordKind) -> dict[str, pa.ChunkedArray]:
    """Return the posting columns that are not fields of the record kind."""
    return {
        name: join_texts(" ", *(cells.column(field) for field in fields))
        if len(fields) > 1
        else cells.column(fields[0])
        for name, fields in kind.derived.items()
    }


def components(cells: pa.Table, reference: Reference) -> pa.ListArray:
    """Return the components of each row, the primary component first."""
    kind = reference.feed.kind
    every = pa.array(np.arange(cells.num_rows))
    primary = (kind.primary.name, cells.column("account"), cells.column("account__union"))
    parts = [(every, _structs(*primary, cells.column(kind.primary.field)))]
    if kind.secondary is not None:
        parts += _secondary_parts(cells, reference, kind.secondary)
    rows = np.concatenate([np.asarray(places) for places, _ in parts])
    order = np.argsort(rows, kind="stable")
    offsets = np.zeros(cells.num_rows + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=cells.num_rows), out=offsets[1:])
    structs = pa.concat_arrays([part for _, part in parts]).take(pa.array(order))
    return pa.ListArray.from_arrays(pa.array(offsets), structs)


def _secondary_parts(
    cells: pa.Table, reference: Reference, secondary: SecondaryComponent
) -> list[tuple[pa.Array, pa.StructArray]]:
    """Return the secondary components and the numbers of their rows; of tax, first the share recovered."""
    accounts, amounts = secondary_account(cells, reference, secondary), cells.column(secondary.field)
    if "tax__known" not in cells.column_names:
        return [_on(reference, secondary.name, accounts, amounts)]
    accounts = pc.if_else(
        pc.is_valid(accounts), pc.coalesce(cells.column("tax__account"), accounts), accounts
    )
    recovered = _recovered(amounts, cells.column("tax__recoverable"), cells.column("minor_units"))
    rest = pc.subtract(amounts, recovered).cast(MONEY)
    nothing = pa.scalar(None, pa.string())
    own = pc.if_else(_not_zero(rest), cells.column("account"), nothing)
    return [
        _on(reference, secondary.name, pc.if_else(_not_zero(recovered), accounts, nothing), recovered),
        _on(reference, f"{secondary.name}_cost", own, rest),
    ]


def _on(
    reference: Reference, name: str, accounts: pa.ChunkedArray, amounts: pa.ChunkedArray
) -> tuple[pa.Array, pa.StructArray]:
    """Return a component for the rows that have an account for it."""
    chosen = pc.is_valid(accounts)
    unions = reference.account_column(accounts, "union").filter(chosen)
    rows = pa.array(np.flatnonzero(chosen.to_numpy()))
    return rows, _structs(name, accounts.filter(chosen), unions, amounts.filter(chosen))


def _recovered(
    amounts: pa.ChunkedArray, percent: pa.ChunkedArray, minor_units: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Return the share of tax that is recovered, rounded to the minor unit, halves away from zero.

    All of it where no code says a share; such a row is only posted if it was before codes were listed.
    """
    whole = pc.fill_null(pc.equal(percent, pa.scalar(100, percent.type)), True)
    none = pc.fill_null(pc.equal(percent, pa.scalar(0, percent.type)), False)
    recovered = pc.if_else(none, pc.if_else(pc.is_valid(amounts), ZERO, amounts), amounts)
    partial = np.flatnonzero(~whole.to_numpy() & ~none.to_numpy() & pc.is_valid(amounts).to_numpy())
    if not len(partial):
        return recovered
    values = recovered.to_pylist()
    places = pa.array(partial)
    shares = zip(percent.take(places).to_pylist(), minor_units.take(places).to_pylist(), strict=True)
    for place, (share, units) in zip(partial.tolist(), shares, strict=True):
        values[place] = round_half_away((values[place] * share).scaleb(-2), units)
    return pa.chunked_array([pa.array(values, MONEY)])


def _not_zero(amounts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(amounts, ZERO), False)


def _structs(
    name: str, accounts: pa.ChunkedArray, unions: pa.ChunkedArray, amounts: pa.ChunkedArray
) -> pa.StructArray:
    columns = [pa.repeat(name, len(accounts)), *(c.combine_chunks() for c in (accounts, unions, amounts))]
    return pa.StructArray.from_arrays(columns, fields=list(COMPONENT))
