"""Status: rows received, posted, quarantined, duplicate, pending and discarded, per delivery and per feed.

Counted from stored data, not from the counts of a step. A row is in exactly one state, so received rows equal
the sum of the states; otherwise the difference is shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.engine import engine
from showcost.ingest.landing import LandedDelivery, landed
from showcost.ledger.queries import active_rows
from showcost.pay.checker import PAY_UNCHECKED, unchecked_codes
from showcost.pipeline.applied_decisions import decisions_of, key_places
from showcost.pipeline.control_totals import UnconfirmedTotal, unconfirmed_totals
from showcost.pipeline.outcomes import VALID, outcome_logs, outcomes_as_recorded
from showcost.staging.assets import quarantine_asset, records_asset, undated_asset, valid_asset
from showcost.validation.decisions import DISCARDED, DISPOSITION_SQL, WITHHELD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.workspace import Workspace

STATES: Final = ("posted", "quarantined", "duplicate", "pending", DISCARDED)


@dataclass
class Tally:
    """Rows by state; `amounts` are sums per state and currency of the rows with a readable amount.

    `pending` are rows that wait for a rate, or for their partition to be materialised. `discarded` are rows
    that a person keeps out of the ledger: discarded, or posted and reversed.
    """

    received: int = 0
    posted: int = 0
    quarantined: int = 0
    duplicate: int = 0
    pending: int = 0
    discarded: int = 0
    amounts: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    @property
    def balances(self) -> bool:
        """True if the rows and amounts of all states add up to those received."""
        return self.received == sum(getattr(self, state) for state in STATES) and self._amounts_balance()

    def _amounts_balance(self) -> bool:
        received = self.amounts.get("received", {})
        sums: dict[str, Decimal] = {}
        for state in STATES:
            for currency, amount in self.amounts.get(state, {}).items():
                sums[currency] = sums.get(currency, Decimal(0)) + amount
        return all(sums.get(name, 0) == received.get(name, 0) for name in sums.keys() | received.keys())

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.add_rows(other)
        for name in ("received", *STATES):
            for currency, amount in other.amounts.get(name, {}).items():
                own = self.amounts.setdefault(name, {})
                own[currency] = own.get(currency, Decimal(0)) + amount

    def add_rows(self, other: Tally) -> None:
        """Add the rows of another tally to this one, without its amounts."""
        for name in ("received", *STATES):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True)
class FeedStatus:
    """The state of a feed: one tally per delivery, their sum, and the rows to work on by reason code.

    Discarded rows have no part in `codes`: a person has settled them. `control_totals` are those that are not
    confirmed. `is_plan` says that posted rows are plan lines, and their amounts are no cost. `unchecked`
    counts the valid rows to which pay rules could not be applied, by the code of the rules, and as `rows` all
    of them.
    """

    feed: str
    deliveries: Sequence[tuple[LandedDelivery, Tally]]
    total: Tally
    codes: Mapping[str, int]
    control_totals: Sequence[UnconfirmedTotal] = ()
    is_plan: bool = False
    unchecked: Mapping[str, int] = field(default_factory=dict)


# A row with active entries or a plan line is posted, whatever the outcome of a later validation. A row
# without an outcome is pending: its partition was not materialised.
_TALLY: Final = """
WITH applied AS (
    SELECT delivery, record, byte_start, currency, {amount}__value FROM read_parquet($records)
        ANTI JOIN corrected USING (delivery, record)
    UNION ALL SELECT delivery, record, byte_start, currency, {amount}__value FROM corrected
        WHERE list_contains($deliveries, delivery)),
records AS (
    SELECT delivery, record, byte_start, upper(trim(currency)) AS currency,
        try_cast({amount}__value AS DECIMAL(38, 4)) AS amount
    FROM applied),
rejected AS (SELECT delivery, record, byte_start, {disposition} AS disposition FROM quarantine),
placed AS (
    SELECT records.*, CASE WHEN active.record IS NOT NULL THEN 'posted'
        WHEN disposition IS NOT NULL THEN disposition ELSE 'pending' END AS state
    FROM records LEFT JOIN active USING (delivery, record)
    LEFT JOIN rejected USING (delivery, record, byte_start))
SELECT delivery, state, currency, count(*), sum(amount) FROM placed GROUP BY ALL
"""


def feed_status(workspace: Workspace, feed: FeedSpec, as_of: int | None = None) -> FeedStatus:
    """Return the row counts and amounts of a feed by state, after the audit record `as_of`, or now.

    Amounts are those after people's corrections.
    """
    deliveries = landed(workspace, feed)
    if as_of is not None:
        read = key_places(workspace, feed, as_of)
        deliveries = [delivery for delivery in deliveries if delivery.arrival.delivery in read]
    tallies = {
        delivery.arrival.delivery: Tally(received=delivery.summary.received) for delivery in deliveries
    }
    quarantine = (
        _staged_quarantine(workspace, feed) if as_of is None else _recorded_quarantine(workspace, feed, as_of)
    )
    decisions = decisions_of(workspace, feed, as_of)
    placed = _placed(workspace, feed, deliveries, quarantine, decisions, as_of)
    for delivery, state, currency, rows, amount in placed:
        tally = tallies[delivery]
        setattr(tally, state, getattr(tally, state) + rows)
        if currency and amount is not None:
            for name in (state, "received"):
                sums = tally.amounts.setdefault(name, {})
                sums[currency] = sums.get(currency, Decimal(0)) + amount
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    codes: dict[str, int] = {}
    listed = (row for row in quarantine.column("codes").to_pylist() if WITHHELD not in row)
    for code in sorted(code for row in listed for code in row):
        codes[code] = codes.get(code, 0) + 1
    return FeedStatus(
        feed.name,
        [(delivery, tallies[delivery.arrival.delivery]) for delivery in deliveries],
        total,
        codes,
        unconfirmed_totals(workspace, feed, deliveries, decisions),
        feed.kind.is_plan,
        unchecked_rules(workspace, feed) if as_of is None else {},
    )


def unchecked_rules(workspace: Workspace, feed: FeedSpec) -> dict[str, int]:
    """Return the number of valid rows to which a pay rule could not be applied, per code and as `rows`.

    Partitions that were validated before the reasons were kept are not counted.
    """
    if not feed.kind.has_pay_rules:
        return {}
    counts: Counter[str] = Counter()
    store, asset = workspace.staging, valid_asset(feed.name)
    for partition in store.partitions(asset):
        staged = store.metadata(asset, partition)
        if staged is None or not staged.rows or PAY_UNCHECKED not in store.columns(asset, partition):
            continue
        counts.update(unchecked_codes(store.read(asset, partition).column(PAY_UNCHECKED)))
    return dict(sorted(counts.items()))


_QUARANTINE: Final = pa.schema(
    [
        ("delivery", pa.string()),
        ("record", pa.int64()),
        ("byte_start", pa.int64()),
        ("disposition", pa.string()),
        ("codes", pa.list_(pa.string())),
    ]
)


def _staged_quarantine(workspace: Workspace, feed: FeedSpec) -> pa.Table:
    """Return the rows of all quarantine partitions of a feed, the undated ones included."""
    store = workspace.staging
    tables = [_QUARANTINE.empty_table()]
    for asset in (undated_asset(feed.name), quarantine_asset(feed.name)):
        for partition in store.partitions(asset):
            staged = store.metadata(asset, partition)
            if staged is not None and staged.rows:
                tables.append(store.read(asset, partition).select(_QUARANTINE.names).cast(_QUARANTINE))
    return pa.concat_tables(tables)


def _recorded_quarantine(workspace: Workspace, feed: FeedSpec, as_of: int) -> pa.Table:
    """Return the same rows from the audit log, after the audit record `as_of`."""
    log = outcome_logs(workspace.audit, as_of).get(feed.name)
    if log is None:
        return _QUARANTINE.empty_table()
    with engine() as connection:
        outcomes_as_recorded(connection, log)
        names = ", ".join(_QUARANTINE.names)
        rows = connection.sql(f"SELECT {names} FROM recorded WHERE disposition <> '{VALID}'")  # noqa: S608 - constants
        return rows.to_arrow_table().cast(_QUARANTINE)


def _placed(
    workspace: Workspace,
    feed: FeedSpec,
    deliveries: Sequence[LandedDelivery],
    quarantine: pa.Table,
    decisions: FeedDecisions,
    as_of: int | None,
) -> list[tuple[str, str, str | None, int, Decimal | None]]:
    sources = [delivery.arrival.delivery for delivery in deliveries]
    paths = workspace.staging.verified_paths(records_asset(feed.name), sources)
    if not paths:
        # Pages of a vendor's API may have no items.
        return []
    with engine() as connection:
        connection.register("quarantine", quarantine)
        connection.register("active", active_rows(workspace.ledger, feed.name, as_of))
        connection.register("corrected", decisions.corrected)
        return connection.execute(
            _TALLY.format(amount=feed.kind.primary.field, disposition=DISPOSITION_SQL),
            {"records": [str(path) for path in paths], "deliveries": sources},
        ).fetchall()
