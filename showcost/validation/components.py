"""Components of valid rows, each of which becomes a ledger entry, and the derived columns.

Every row has a primary component, even of zero; it posts to the row's own account. The secondary component
follows unless it is zero: recoverable tax and refundable deposits post to the production's control accounts,
the benefits of a payroll row to the fringe account of its account, else to the control account. A deposit
marked as not refundable is a cost and posts to the row's own account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import join_texts
from showcost.validation.columns import COMPONENT, ZERO
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
    first = _structs(
        kind.primary.name,
        cells.column("account"),
        cells.column("account__union"),
        cells.column(kind.primary.field),
    )
    secondary = kind.secondary
    if secondary is None:
        return pa.ListArray.from_arrays(pa.array(np.arange(len(first) + 1, dtype=np.int32)), first)
    accounts = secondary_account(cells, reference, secondary)
    second = pc.is_valid(accounts).to_numpy()
    other = _structs(
        secondary.name,
        accounts.filter(second),
        reference.account_column(accounts, "union").filter(second),
        cells.column(secondary.field).filter(second),
    )
    offsets = np.zeros(len(second) + 1, np.int32)
    np.cumsum(second.astype(np.int32) + 1, out=offsets[1:])
    places = np.empty(offsets[-1], np.int64)
    places[offsets[:-1]] = np.arange(len(second))
    places[offsets[:-1][second] + 1] = len(second) + np.arange(len(other))
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.concat_arrays([first, other]).take(pa.array(places))
    )


def _not_zero(amounts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(amounts, ZERO), False)


def _structs(
    name: str, accounts: pa.ChunkedArray, unions: pa.ChunkedArray, amounts: pa.ChunkedArray
) -> pa.StructArray:
    columns = [pa.repeat(name, len(accounts)), *(c.combine_chunks() for c in (accounts, unions, amounts))]
    return pa.StructArray.from_arrays(columns, fields=list(COMPONENT))
