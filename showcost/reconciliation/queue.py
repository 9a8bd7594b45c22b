"""The reconciliation queue: rows that are not posted or have a decision, with their states.

Derived from the audit log and the decisions, so that the queue as of a past record can always be computed.
The few texts shown are from the records: document, vendor, currency and amount, never raw text.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.engine import engine
from showcost.core.ids import ROW_ID_SQL, RowRef
from showcost.ledger.queries import active_rows
from showcost.pipeline.applied_decisions import decisions_of
from showcost.pipeline.outcomes import OutcomeLog, outcome_logs, outcomes_as_recorded
from showcost.pipeline.raw_rows import chosen_records
from showcost.validation.components import derived_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace


class RowState(StrEnum):
    """State of a row in the queue."""

    OPEN = "open"
    """It waits for a person."""
    PENDING = "pending"
    """It waits for its rate, and is released automatically."""
    DUPLICATE = "duplicate"
    """It was delivered before."""
    DECIDED = "decided"
    """It has a decision, and waits for its replay or the next run."""
    RELEASED = "released"
    """It has a decision, and is posted."""
    DISCARDED = "discarded"
    """A person decided that it is not a cost."""
    WITHDRAWN = "withdrawn"
    """A person reversed its entries."""


WAITING: Final = (RowState.OPEN, RowState.PENDING, RowState.DUPLICATE, RowState.DECIDED)
"""The states of rows that are not settled yet."""


@dataclass(frozen=True)
class QueueRow:
    """A row of the queue; `amount`, in `currency`, is that on its own account, None if it is not readable."""

    row_id: str
    place: RowRef
    arrival: int
    received_at: datetime
    day: date | None
    state: RowState
    codes: tuple[str, ...]
    decision: str | None
    document: str
    vendor: str
    currency: str
    amount: Decimal | None

    def age_days(self, now: datetime) -> int:
        """Return the whole days since the row was delivered."""
        return (now - self.received_at).days


@dataclass(frozen=True)
class QueueFilter:
    """Filter for rows of the queue; None matches all rows."""

    states: tuple[RowState, ...] = WAITING
    code: str | None = None
    vendor: str | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_narrowed(self) -> bool:
        """True if it filters by anything but the state."""
        return any((self.code, self.vendor, self.first, self.last))

    def matches(self, row: QueueRow) -> bool:
        """Return whether a row matches; a row without a date is in no range of dates."""
        if row.state not in self.states or (self.code and self.code not in row.codes):
            return False
        if self.vendor and self.vendor.casefold() not in row.vendor.casefold():
            return False
        if self.first is None and self.last is None:
            return True
        return row.day is not None and (self.first or row.day) <= row.day <= (self.last or row.day)


def queue_rows(
    workspace: Workspace,
    feeds: Sequence[FeedSpec],
    row_filter: QueueFilter | None = None,
    as_of: int | None = None,
) -> list[QueueRow]:
    """Return the rows of the queue by feed, date and place, after the audit record `as_of`, or now."""
    row_filter = row_filter or QueueFilter()
    logs = outcome_logs(workspace.audit, as_of)
    rows = [
        row
        for feed in feeds
        if feed.name in logs
        for row in _feed_rows(workspace, feed, logs[feed.name], as_of)
        if row_filter.matches(row)
    ]
    return sorted(rows, key=lambda row: (row.place.feed, row.day or date.min, row.arrival, row.place.record))


def counts_by(rows: Iterable[QueueRow]) -> dict[tuple[str, str, str, str], int]:
    """Return the rows counted by feed, state, reason code and vendor; a row counts for each of its codes."""
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for row in rows:
        for code in row.codes or ("",):
            counted[row.place.feed, row.state.value, code, row.vendor] += 1
    return dict(sorted(counted.items()))


_STATES: Final = f"""
WITH decided AS (
    SELECT delivery, record, max(seq) AS seq, last(decision ORDER BY seq, number) AS decision
    FROM decisions GROUP BY delivery, record
)
SELECT {ROW_ID_SQL} AS row_id, recorded.delivery, recorded.record, transaction_date, recorded.codes,
    decided.decision,
    CASE
        WHEN decided.seq > recorded.seq THEN 'decided'
        WHEN disposition = 'valid' AND active.record IS NULL THEN 'decided'
        WHEN disposition = 'valid' THEN 'released'
        WHEN effects.withheld AND effects.decision = 'discard' THEN 'discarded'
        WHEN effects.withheld THEN 'withdrawn'
        WHEN disposition IN ('pending', 'duplicate') THEN disposition
        ELSE 'open' END AS state
FROM (SELECT *, $feed AS feed FROM recorded) AS recorded
LEFT JOIN decided USING (delivery, record)
LEFT JOIN effects USING (delivery, record)
LEFT JOIN active USING (delivery, record)
WHERE disposition <> 'valid' OR decided.seq IS NOT NULL
ORDER BY recorded.delivery, recorded.record
"""  # noqa: S608 - constants only


def _feed_rows(workspace: Workspace, feed: FeedSpec, log: OutcomeLog, as_of: int | None) -> list[QueueRow]:
    decisions = decisions_of(workspace, feed, as_of)
    with engine() as connection:
        outcomes_as_recorded(connection, log)
        connection.register(
            "effects", decisions.effects.select(["delivery", "record", "decision", "withheld"])
        )
        connection.register("decisions", _history(workspace, feed, as_of))
        connection.register("active", active_rows(workspace.ledger, feed.name, as_of))
        states = connection.sql(_STATES, params={"feed": feed.name}).to_arrow_table().to_pylist()
    if not states:
        return []
    records = chosen_records(
        workspace, feed, [(row["delivery"], row["record"]) for row in states], decisions.corrected
    )
    texts = _texts(feed, records)
    arrivals = {arrival.delivery: arrival for arrival in workspace.register.deliveries(feed.name)}
    rows = []
    for row in states:
        shown = texts[row["delivery"], row["record"]]
        arrival = arrivals[row["delivery"]]
        rows.append(
            QueueRow(
                row_id=row["row_id"],
                place=RowRef(feed.name, row["delivery"], row["record"]),
                arrival=arrival.number,
                received_at=datetime.fromisoformat(arrival.received_at).astimezone(UTC),
                day=row["transaction_date"],
                state=RowState(row["state"]),
                codes=tuple(row["codes"] or ()),
                decision=row["decision"],
                document=shown["document"] or "",
                vendor=shown["vendor"] or "",
                currency=(shown["currency"] or "").strip().upper(),
                amount=Decimal(shown["amount"]) if shown["amount"] is not None else None,
            )
        )
    return rows


def _texts(feed: FeedSpec, records: pa.Table) -> dict[tuple[str, int], dict[str, Any]]:
    """Return, per row, the few texts of it that are shown."""
    derived = derived_columns(records, feed.kind)
    named = [
        derived[name] if name in derived else records.column(name)
        for name in ("vendor_name", "vendor_code")
        if name in derived or name in feed.kind.by_name
    ]
    vendor = pc.coalesce(*named) if named else pa.nulls(records.num_rows, pa.string())
    document = derived["document_no"]
    shown = pa.table(
        {
            "delivery": records.column("delivery"),
            "record": records.column("record"),
            "document": pc.utf8_slice_codeunits(document, 0, _SHOWN),
            "vendor": pc.utf8_slice_codeunits(vendor, 0, _SHOWN),
            "currency": records.column("currency"),
            "amount": records.column(f"{feed.kind.primary.field}__value"),
        }
    )
    return {(row["delivery"], row["record"]): row for row in shown.to_pylist()}


_SHOWN: Final = 60


def _history(workspace: Workspace, feed: FeedSpec, as_of: int | None) -> pa.Table:
    """Return all decisions on a feed's rows, in order."""
    ledger = workspace.ledger
    with ledger.read() as connection:
        history = connection.sql(_HISTORY, params={"feed": feed.name, "as_of": as_of}).to_arrow_table()
    return history.cast(_NO_HISTORY)


_NO_HISTORY: Final = pa.schema(
    [
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("seq", pa.int64()),
        ("number", pa.int32()),
        ("decision", pa.string()),
    ]
)

_HISTORY: Final = """
SELECT delivery, record, seq, number, decision FROM row_decisions
WHERE feed = $feed AND (CAST($as_of AS BIGINT) IS NULL OR seq <= $as_of) ORDER BY seq, number
"""
