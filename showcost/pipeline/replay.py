"""Replay: validate rows of the queue again and post them, without their partitions.

Reads landed records only: of the deliveries of these rows, and of deliveries with a row of the same key.
Nothing is fetched. A run over their partitions has the same result, and also completes a replay that was
interrupted; other rows of the same keys are left to that run.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.feeds import choose_feed
from showcost.core.ids import RowRef
from showcost.ledger.decisions import APPLIED
from showcost.ledger.new_entries import posting_context
from showcost.ledger.posting import post
from showcost.pipeline.applied_decisions import (
    decisions_of,
    deliveries_with,
)
from showcost.pipeline.configuration import record_configuration
from showcost.pipeline.decision_stamps import (
    replay_stamps,
    stamped_row,
    stamps_by_partition,
)
from showcost.pipeline.fx_snapshots import pin_from_stored
from showcost.pipeline.outcomes import VALID, record_replayed
from showcost.pipeline.periods import closed_periods
from showcost.pipeline.raw_rows import chosen_records
from showcost.pipeline.validation import counts_of, inputs_of, texts_of, validate_rows, validate_undated
from showcost.staging import ALL, PartitionRows
from showcost.staging.assets import quarantine_asset, raw_asset, undated_asset, valid_asset
from showcost.validation.columns import RowTable, arrow_schema
from showcost.validation.decisions import disposition_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from showcost.config.feed import FeedSpec
    from showcost.config.production import ClosedPeriod
    from showcost.config.record_kinds import RecordKind
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.staging import StagedPartition
    from showcost.workspace import Workspace

REPLAY_RUN: Final = "replay"
"""The run id of batches that a replay posted."""


@dataclass(frozen=True)
class ReplayedRow:
    """Result for a row: `disposition` is `valid` (and so posted), that of the quarantine, or `discarded`."""

    place: RowRef
    partition: str
    disposition: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class ReplayResult:
    """Result of a replay: its rows, the partitions touched per feed, and the entries appended per date."""

    rows: tuple[ReplayedRow, ...]
    touched: dict[str, list[str]]
    appended_on: dict[date, int]

    @property
    def appended(self) -> int:
        """Number of entries appended."""
        return sum(self.appended_on.values())


def replay(workspace: Workspace, places: Iterable[RowRef]) -> ReplayResult:
    """Validate rows again, stage them in their current partitions, and post the valid ones."""
    by_feed: dict[str, set[RowRef]] = {}
    for place in places:
        by_feed.setdefault(place.feed, set()).add(place)
    feeds = workspace.feeds
    rows: list[ReplayedRow] = []
    touched: dict[str, list[str]] = {}
    appended: Counter[date] = Counter()
    for name in sorted(by_feed):
        feed_replay = _FeedReplay(workspace, choose_feed(feeds, name), sorted(by_feed[name]))
        rows += feed_replay.validate_and_stage()
        touched[name] = feed_replay.partitions
        appended.update(feed_replay.post())
    return ReplayResult(tuple(rows), touched, dict(appended))


@dataclass(frozen=True)
class ReplayPreview:
    """Expected result of a replay of a row: its codes, and its entries if it would be valid.

    `components` are (component, account, amount, currency).
    """

    disposition: str
    codes: tuple[str, ...]
    components: tuple[tuple[str, str, Decimal, str], ...]


def preview(workspace: Workspace, place: RowRef) -> ReplayPreview:
    """Return the expected result of a replay of a row; nothing is recorded, staged or posted."""
    feed_replay = _FeedReplay(workspace, choose_feed(workspace.feeds, place.feed), [place])
    valid, quarantine = feed_replay.validate()
    (row,) = _rows(place.feed, valid, quarantine)
    return ReplayPreview(row.disposition, row.codes, _components(feed_replay.kind, valid))


def _components(kind: RecordKind, valid: pa.Table) -> tuple[tuple[str, str, Decimal, str], ...]:
    """Return the components of valid rows; a row of a kind of plan is one."""
    if kind.is_plan:
        rows = valid.select(["account", kind.primary.field, "currency"]).to_pylist()
        return tuple((kind.primary.name, *row.values()) for row in rows)
    return tuple(
        (line["component"], line["account"], line["amount"], valid_row["currency"])
        for valid_row in valid.select(["components", "currency"]).to_pylist()
        for line in valid_row["components"]
    )


class _FeedReplay:
    """The replay of rows of one feed."""

    def __init__(self, workspace: Workspace, feed: FeedSpec, places: Sequence[RowRef]) -> None:
        self._workspace, self._feed, self._places = workspace, feed, places
        # Once for all partitions: a replay of 200,000 rows touches many, and each asks for all its rows.
        self._ids = {place.row_id for place in places}
        self._names = pa.array([f"{place.delivery} {place.record}" for place in places], pa.string())
        self._store = workspace.staging
        self._decisions: FeedDecisions = decisions_of(workspace, feed)
        self._records = chosen_records(
            workspace, feed, [(place.delivery, place.record) for place in places], self._decisions.corrected
        )
        days = self._records.column("transaction_date")
        self._days: list[date] = sorted(day for day in pc.unique(days).to_pylist() if day is not None)
        self._valid = arrow_schema(feed.kind, RowTable.VALID).empty_table()
        self.partitions: list[str] = []

    @property
    def kind(self) -> RecordKind:
        """The record kind of the rows."""
        return self._feed.kind

    def validate_and_stage(self) -> list[ReplayedRow]:
        """Validate the rows, record their outcomes, and stage them."""
        if self._days and not self._feed.kind.is_plan:
            pin_from_stored(self._workspace, self._days)
        self._valid, quarantine = self.validate()
        undated = self._records.column("transaction_date").null_count
        self.partitions = sorted(
            {day.isoformat() for day in self._days}
            | ({ALL} if undated else set())
            | self._former_partitions()
        )
        self._stage(quarantine)
        return _rows(self._feed.name, self._valid, quarantine)

    def validate(self) -> tuple[pa.Table, pa.Table]:
        """Return the valid and the quarantined rows."""
        dated = self._records.filter(pc.is_valid(self._records.column("transaction_date")))
        undated = self._records.filter(pc.is_null(self._records.column("transaction_date")))
        valid, quarantine = [self._valid], [arrow_schema(self._feed.kind, RowTable.QUARANTINE).empty_table()]
        if dated.num_rows:
            sources = deliveries_with(self._workspace, self._feed, dated.column("row_key").unique())
            outcome = validate_rows(
                self._workspace,
                self._feed,
                dated,
                self._days,
                decisions=self._decisions,
                sources=sorted(sources),
            )
            valid.append(outcome.valid)
            quarantine.append(outcome.quarantine)
        if undated.num_rows:
            outcome = validate_undated(self._workspace, self._feed, undated, self._decisions)
            quarantine.append(outcome.quarantine)
        return pa.concat_tables(valid), pa.concat_tables(quarantine)

    def post(self) -> dict[date, int]:
        """Post the valid rows and decided reversals on the dates touched; return the entries per date."""
        dates = [date.fromisoformat(part) for part in self.partitions if part != ALL]
        if not dates:
            return {}
        ledger = self._workspace.ledger
        results = post(
            ledger,
            posting_context(self._workspace.production, self._feed, record_configuration(self._workspace)),
            self._valid,
            partition_dates=dates,
            run_id=REPLAY_RUN,
            clock=ledger.audit.now,
            applied=self._applied(),
        )
        return {result.partition_date: result.appended_entries for result in results}

    def _applied(self) -> pa.Table:
        """Return the decisions that the rows were validated with."""
        effects = self._decisions.effects.select(["row_id", "seq"])
        own = effects.filter(pc.is_in(effects.column("row_id"), pa.array(sorted(self._ids))))
        return own.add_column(0, APPLIED.field("transaction_date"), pa.nulls(own.num_rows, pa.date32()))

    def _former_partitions(self) -> set[str]:
        """Return the partitions in which the rows were delivered or staged after a correction."""
        delivered = chosen_records(
            self._workspace,
            self._feed,
            [(place.delivery, place.record) for place in self._places],
            self._decisions.corrected.slice(0, 0),
        )
        days = pc.unique(delivered.column("transaction_date")).to_pylist()
        partitions = {day.isoformat() if day is not None else ALL for day in days}
        for part in self._store.partitions(raw_asset(self._feed.name)):
            stamps = _stamps(self._store.metadata(raw_asset(self._feed.name), part))
            if any(stamped_row(stamp) in self._ids for stamp in stamps):
                partitions.add(part)
        return partitions

    def _stage(self, quarantine: pa.Table) -> None:
        """Write the rows to their current partitions, and remove them from their former ones."""
        stamps = stamps_by_partition(self._workspace, self._feed, self._decisions)
        closed = closed_periods(self._workspace)
        parts: dict[str, list[PartitionRows]] = {}
        for part in self.partitions:
            if part == ALL:
                staged = self._undated_part(quarantine, stamps.get(ALL, []))
            else:
                staged = self._day_parts(date.fromisoformat(part), quarantine, stamps.get(part, []), closed)
            for asset, rows in staged.items():
                parts.setdefault(asset, []).append(rows)

        outcomes = (self._valid, quarantine)
        record = partial(
            record_replayed, self._workspace, self._feed.name, outcomes, self.partitions, sorted(self._ids)
        )
        self._store.write_together(parts, record)

    def _undated_part(self, quarantine: pa.Table, stamps: Sequence[str]) -> dict[str, PartitionRows]:
        asset = undated_asset(self._feed.name)
        staged = self._store.metadata(asset, ALL)
        rows = quarantine.filter(pc.is_null(quarantine.column("transaction_date")))
        if staged is None and not rows.num_rows:
            return {}
        inputs = {
            "records": texts_of(staged.inputs.get("records")) if staged is not None else [],
            "decisions": replay_stamps(_stamps(staged), stamps, self._ids),
        }
        return {asset: PartitionRows(ALL, self._replaced(asset, ALL, rows), inputs)}

    def _day_parts(
        self, day: date, quarantine: pa.Table, stamps: Sequence[str], closed: Sequence[ClosedPeriod]
    ) -> dict[str, PartitionRows]:
        """Return the outcomes of a date with the replayed rows; also notes its raw partition."""
        part, name = day.isoformat(), self._feed.name
        raw = self._store.metadata(raw_asset(name), part)
        before = {
            asset: self._store.metadata(asset, part) for asset in (valid_asset(name), quarantine_asset(name))
        }
        chosen = {
            asset: rows.filter(pc.equal(rows.column("transaction_date"), pa.scalar(day)))
            for asset, rows in ((valid_asset(name), self._valid), (quarantine_asset(name), quarantine))
        }
        if raw is None and not any(rows.num_rows for rows in chosen.values()):
            return {}
        inputs = {
            "records": texts_of(raw.inputs.get("records")) if raw is not None else [],
            "decisions": replay_stamps(_stamps(raw), stamps, self._ids),
        }
        tables = {asset: self._replaced(asset, part, rows) for asset, rows in chosen.items()}
        received = sum(table.num_rows for table in tables.values())
        (noted,) = self._store.note(raw_asset(name), {part: (received, inputs)})
        counts = counts_of(tables[valid_asset(name)].num_rows, tables[quarantine_asset(name)])
        parts = {}
        for asset in (quarantine_asset(name), valid_asset(name)):
            staged = before[asset]
            rivals = texts_of(staged.inputs.get("rivals")) if staged is not None else []
            inputs_now = inputs_of(noted, day, counts, closed, rivals)
            if raw is not None and (staged is None or staged.inputs.get("raw") != raw.sha256):
                # The other rows of the date are not validated yet: it stays due.
                inputs_now["raw"] = ""
            if staged is not None and tables[quarantine_asset(name)].num_rows:
                closed_then = texts_of(staged.inputs.get("closed"))
                if closed_then != inputs_now["closed"]:
                    # Its rows were validated with different closed periods: it stays due, whichever period is
                    # closed or reopened next.
                    inputs_now["raw"] = ""
            parts[asset] = PartitionRows(part, tables[asset], inputs_now)
        return parts

    def _replaced(self, asset: str, part: str, rows: pa.Table) -> pa.Table:
        """Return the rows of a partition in order, with `rows` in place of its former versions of them."""
        if self._store.metadata(asset, part) is None:
            kept = rows.slice(0, 0)
        else:
            kept = self._without(self._store.read(asset, part))
        rows = pa.concat_tables([kept.cast(rows.schema), rows])
        return rows.sort_by([("arrival", "ascending"), ("record", "ascending")])

    def _without(self, rows: pa.Table) -> pa.Table:
        """Return rows without the replayed ones."""
        names = pc.binary_join_element_wise(
            rows.column("delivery"), rows.column("record").cast(pa.string()), " "
        )
        return rows.filter(pc.invert(pc.is_in(names, value_set=self._names)))


def _stamps(staged: StagedPartition | None) -> list[str]:
    return texts_of(staged.inputs.get("decisions")) if staged is not None else []


def _rows(feed: str, valid: pa.Table, quarantine: pa.Table) -> list[ReplayedRow]:
    """Return the result for each row, by delivery and record."""
    results = [(row, VALID, row["flags"]) for row in _places_of(valid, "flags")]
    results += [
        (row, disposition_of(row["disposition"], row["codes"]), row["codes"])
        for row in _places_of(quarantine, "codes", "disposition")
    ]
    return sorted(
        (
            ReplayedRow(
                RowRef(feed, row["delivery"], row["record"]),
                row["transaction_date"].isoformat() if row["transaction_date"] is not None else ALL,
                disposition,
                tuple(codes),
            )
            for row, disposition, codes in results
        ),
        key=lambda result: result.place,
    )


def _places_of(rows: pa.Table, *columns: str) -> list[dict[str, Any]]:
    places: list[dict[str, Any]] = rows.select(
        ["delivery", "record", "transaction_date", *columns]
    ).to_pylist()
    return places
