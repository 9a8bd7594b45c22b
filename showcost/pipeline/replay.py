"""Replay: rows of the queue judged anew and posted, and no other row with them.

What is read is what was landed: the records of the deliveries of these rows, and of those that have a row
with the same key. Nothing is fetched. The same would come of a run over their partitions, which also finishes
a replay that died midway; other rows of the same keys are left to it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.feeds import choose_feed
from showcost.core.ids import RowRef
from showcost.ledger.entries import posting_context
from showcost.ledger.posting import post
from showcost.pipeline.applied_decisions import (
    decisions_of,
    deliveries_with,
    replay_stamps,
    stamped_row,
    stamps_by_partition,
)
from showcost.pipeline.fx_snapshots import pin_known
from showcost.pipeline.outcomes import VALID, record_replayed
from showcost.pipeline.periods import closed_periods
from showcost.pipeline.raw_rows import chosen_records
from showcost.pipeline.validation import counts_of, inputs_of, texts_of, validate_rows, validate_undated
from showcost.staging import ALL
from showcost.staging.assets import quarantine_asset, raw_asset, undated_asset, valid_asset
from showcost.validation.columns import RowTable, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from showcost.config.feed import FeedSpec
    from showcost.config.production import ClosedPeriod
    from showcost.pipeline.applied_decisions import FeedDecisions
    from showcost.staging import StagedPartition
    from showcost.workspace import Workspace

REPLAY_RUN: Final = "replay"
"""What stands for the run of a batch that a replay has posted."""


@dataclass(frozen=True)
class ReplayedRow:
    """What came of a row: `disposition` is `valid` (and so posted) or that of the quarantine."""

    place: RowRef
    partition: str
    disposition: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class ReplayResult:
    """What came of a replay: its rows, the partitions touched per feed, and the entries appended per date."""

    rows: tuple[ReplayedRow, ...]
    touched: dict[str, list[str]]
    appended_on: dict[date, int]

    @property
    def appended(self) -> int:
        """All entries that were appended."""
        return sum(self.appended_on.values())


def replay(workspace: Workspace, places: Iterable[RowRef]) -> ReplayResult:
    """Judge rows anew, put them where they belong now, and post those that are valid."""
    by_feed: dict[str, set[RowRef]] = {}
    for place in places:
        by_feed.setdefault(place.feed, set()).add(place)
    feeds = workspace.feeds
    rows: list[ReplayedRow] = []
    touched: dict[str, list[str]] = {}
    appended: Counter[date] = Counter()
    for name in sorted(by_feed):
        one = _FeedReplay(workspace, choose_feed(feeds, name), sorted(by_feed[name]))
        rows += one.judge()
        touched[name] = one.partitions
        appended.update(one.post())
    return ReplayResult(tuple(rows), touched, dict(appended))


@dataclass(frozen=True)
class ReplayPreview:
    """What a replay of a row would come to now: its codes, and the entries it would have, if it were valid.

    `components` are (component, account, amount, currency).
    """

    disposition: str
    codes: tuple[str, ...]
    components: tuple[tuple[str, str, Decimal, str], ...]


def preview(workspace: Workspace, place: RowRef) -> ReplayPreview:
    """Return what a replay of a row would come to; nothing is recorded, staged or posted."""
    one = _FeedReplay(workspace, choose_feed(workspace.feeds, place.feed), [place])
    valid, held = one.validated()
    (row,) = _rows(place.feed, valid, held)
    components = tuple(
        (line["component"], line["account"], line["amount"], found["currency"])
        for found in valid.select(["components", "currency"]).to_pylist()
        for line in found["components"]
    )
    return ReplayPreview(row.disposition, row.codes, components)


class _FeedReplay:
    """The replay of rows of one feed."""

    def __init__(self, workspace: Workspace, feed: FeedSpec, places: Sequence[RowRef]) -> None:
        self._workspace, self._feed, self._places = workspace, feed, places
        self._store = workspace.staging
        self._decisions: FeedDecisions = decisions_of(workspace, feed)
        self._records = chosen_records(
            workspace, feed, [(one.delivery, one.record) for one in places], self._decisions.corrected
        )
        days = self._records.column("transaction_date")
        self._days: list[date] = sorted(day for day in pc.unique(days).to_pylist() if day is not None)
        self._valid = arrow_schema(feed.kind, RowTable.VALID).empty_table()
        self.partitions: list[str] = []

    def judge(self) -> list[ReplayedRow]:
        """Validate the rows, record what came of them, and stage it."""
        if self._days:
            pin_known(self._workspace, self._days)
        self._valid, held = self.validated()
        undated = self._records.column("transaction_date").null_count
        self.partitions = sorted(
            {day.isoformat() for day in self._days}
            | ({ALL} if undated else set())
            | self._former_partitions()
        )
        ids = [one.row_id for one in self._places]
        record_replayed(self._workspace, self._feed.name, (self._valid, held), self.partitions, ids)
        self._stage(held)
        return _rows(self._feed.name, self._valid, held)

    def validated(self) -> tuple[pa.Table, pa.Table]:
        """Return the rows that are valid, and those that are not."""
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
        """Post the valid rows, and what decisions take back on the dates touched; return entries per date."""
        dates = [date.fromisoformat(part) for part in self.partitions if part != ALL]
        if not dates:
            return {}
        ledger = self._workspace.ledger
        results = post(
            ledger,
            posting_context(self._workspace.production, self._feed),
            self._valid,
            partition_dates=dates,
            run_id=REPLAY_RUN,
            clock=ledger.audit.now,
        )
        return {result.partition_date: result.appended_entries for result in results}

    def _former_partitions(self) -> set[str]:
        """Return where the rows were delivered, and where corrections had moved them."""
        delivered = chosen_records(
            self._workspace,
            self._feed,
            [(one.delivery, one.record) for one in self._places],
            self._decisions.corrected.slice(0, 0),
        )
        days = pc.unique(delivered.column("transaction_date")).to_pylist()
        found = {day.isoformat() if day is not None else ALL for day in days}
        ids = {one.row_id for one in self._places}
        for part in self._store.partitions(raw_asset(self._feed.name)):
            marks = _marks(self._store.metadata(raw_asset(self._feed.name), part))
            if any(stamped_row(mark) in ids for mark in marks):
                found.add(part)
        return found

    def _stage(self, held: pa.Table) -> None:
        """Put the rows where they belong now, and take them away where they were."""
        wanted = stamps_by_partition(self._workspace, self._feed, self._decisions)
        closed = closed_periods(self._workspace)
        ids = {one.row_id for one in self._places}
        for part in self.partitions:
            if part == ALL:
                self._stage_undated(held, wanted.get(ALL, []), ids)
            else:
                self._stage_day(date.fromisoformat(part), held, wanted.get(part, []), closed)

    def _stage_undated(self, held: pa.Table, wanted: Sequence[str], ids: set[str]) -> None:
        asset = undated_asset(self._feed.name)
        staged = self._store.metadata(asset, ALL)
        came = held.filter(pc.is_null(held.column("transaction_date")))
        if staged is None and not came.num_rows:
            return
        inputs = {
            "records": texts_of(staged.inputs.get("records")) if staged is not None else [],
            "decisions": replay_stamps(_marks(staged), wanted, ids),
        }
        self._store.write(asset, ALL, self._replaced(asset, ALL, came), inputs)

    def _stage_day(
        self, day: date, held: pa.Table, wanted: Sequence[str], closed: Sequence[ClosedPeriod]
    ) -> None:
        part, name = day.isoformat(), self._feed.name
        raw = self._store.metadata(raw_asset(name), part)
        before = {
            asset: self._store.metadata(asset, part) for asset in (valid_asset(name), quarantine_asset(name))
        }
        came = {
            asset: rows.filter(pc.equal(rows.column("transaction_date"), pa.scalar(day)))
            for asset, rows in (
                (raw_asset(name), self._records),
                (valid_asset(name), self._valid),
                (quarantine_asset(name), held),
            )
        }
        if raw is None and not came[raw_asset(name)].num_rows:
            return
        ids = {one.row_id for one in self._places}
        inputs = {
            "records": texts_of(raw.inputs.get("records")) if raw is not None else [],
            "decisions": replay_stamps(_marks(raw), wanted, ids),
        }
        self._store.write(
            raw_asset(name), part, self._replaced(raw_asset(name), part, came[raw_asset(name)]), inputs
        )
        tables = {asset: self._replaced(asset, part, came[asset]) for asset in before}
        counts = counts_of(tables[valid_asset(name)].num_rows, tables[quarantine_asset(name)])
        for asset in (quarantine_asset(name), valid_asset(name)):
            staged = before[asset]
            inputs_now = inputs_of(self._store, self._feed, day, counts, closed)
            if raw is not None and (staged is None or staged.inputs.get("raw") != raw.sha256):
                # The other rows of the date are yet to be validated: it stays due.
                inputs_now["raw"] = ""
            if staged is not None and tables[quarantine_asset(name)].num_rows:
                judged_by = texts_of(staged.inputs.get("closed"))
                if judged_by != inputs_now["closed"]:
                    # Not all of its rows were judged by the same closed periods: it stays due, whatever is
                    # closed or opened next.
                    inputs_now["raw"] = ""
            self._store.write(asset, part, tables[asset], inputs_now)

    def _replaced(self, asset: str, part: str, came: pa.Table) -> pa.Table:
        """Return the rows of a partition, in their order, with these in place of what it had of them."""
        if self._store.metadata(asset, part) is None:
            kept = came.slice(0, 0)
        else:
            kept = self._without(self._store.read(asset, part))
        rows = pa.concat_tables([kept.cast(came.schema), came])
        return rows.sort_by([("arrival", "ascending"), ("record", "ascending")])

    def _without(self, rows: pa.Table) -> pa.Table:
        """Return rows without those that are replayed."""
        mine = pa.array([f"{one.delivery} {one.record}" for one in self._places], pa.string())
        names = pc.binary_join_element_wise(
            rows.column("delivery"), rows.column("record").cast(pa.string()), " "
        )
        return rows.filter(pc.invert(pc.is_in(names, value_set=mine)))


def _marks(staged: StagedPartition | None) -> list[str]:
    return texts_of(staged.inputs.get("decisions")) if staged is not None else []


def _rows(feed: str, valid: pa.Table, held: pa.Table) -> list[ReplayedRow]:
    """Return what came of each row, in order of delivery."""
    found = [(row, VALID, row["flags"]) for row in _places_of(valid, "flags")]
    found += [(row, row["disposition"], row["codes"]) for row in _places_of(held, "codes", "disposition")]
    return sorted(
        (
            ReplayedRow(
                RowRef(feed, row["delivery"], row["record"]),
                row["transaction_date"].isoformat() if row["transaction_date"] is not None else ALL,
                disposition,
                tuple(codes),
            )
            for row, disposition, codes in found
        ),
        key=lambda one: one.place,
    )


def _places_of(rows: pa.Table, *columns: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.select(
        ["delivery", "record", "transaction_date", *columns]
    ).to_pylist()
    return found
