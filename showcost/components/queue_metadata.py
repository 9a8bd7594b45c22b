"""Metadata of the whole reconciliation queue: row counts by state, reason code, feed and age."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from showcost.components.metadata import counts_table
from showcost.core.reason_catalogue import CATALOGUE
from showcost.reconciliation.queue import QueueFilter, RowState, queue_rows
from showcost.validation.columns import MONEY, ColumnInfo

if TYPE_CHECKING:
    from showcost.workspace import Workspace

QUEUE_COLUMNS: Final = (
    ColumnInfo("id", pa.string(), "row id, as `showcost queue` takes it", nullable=False),
    ColumnInfo("state", pa.string(), "open, pending, duplicate, decided, released, discarded or withdrawn"),
    ColumnInfo("codes", pa.list_(pa.string()), "reason codes, sorted"),
    ColumnInfo("feed", pa.string(), "feed that delivered the row"),
    ColumnInfo("date", pa.date32(), "transaction date, if it has one"),
    ColumnInfo("document", pa.string(), "number of the invoice, permit or payroll invoice"),
    ColumnInfo("vendor", pa.string(), "payee; never a person on the payroll"),
    ColumnInfo("currency", pa.string(), "currency of the amount"),
    ColumnInfo("amount", MONEY, "amount on the row's own account, if readable"),
)
"""Columns of `showcost queue list`, except position and age."""

_AGES: Final = ((7, "up to a week"), (30, "up to 30 days"), (90, "up to 90 days"))
_OLDER: Final = "older"


def queue_metadata(workspace: Workspace) -> dict[str, Any]:
    """Return the counts of the queue; a row counts once for each of its codes."""
    rows = queue_rows(workspace, workspace.feeds, QueueFilter(states=tuple(RowState)))
    now = workspace.audit.now()
    states = Counter(row.state for row in rows)
    active = [row for row in rows if row.state in (RowState.OPEN, RowState.PENDING, RowState.DECIDED)]
    codes = Counter((row.place.feed, code) for row in active for code in row.codes)
    ages = Counter(_age(row.age_days(now)) for row in active)
    metadata: dict[str, Any] = {
        "dagster/row_count": len(rows),
        "waiting": len(active),
        "by_state": counts_table(["state", "rows"], [(state, states[state]) for state in RowState]),
        "by_age": counts_table(
            ["age", "waiting rows"], [(name, ages[name]) for name in (*(name for _, name in _AGES), _OLDER)]
        ),
    }
    if codes:
        metadata["by_reason"] = counts_table(
            ["feed", "code", "meaning", "waiting rows"],
            [(feed, code, CATALOGUE[code].meaning, rows) for (feed, code), rows in sorted(codes.items())],
        )
    return metadata


def _age(days: int) -> str:
    return next((name for limit, name in _AGES if days <= limit), _OLDER)
