"""Which partitions are due: not made, to the end, of what landed and was decided, or their rates have come.

Also those of vendors' missing days that nothing stands in for yet, or no longer has to.

Read from what is stored, not from events: a request that was lost in a crash is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from showcost.fx.snapshots import RateStatus, build_snapshots
from showcost.ingest.landing import landed
from showcost.ledger.queries import balances, reversible_rows
from showcost.pipeline.accruals import due_by_fallback
from showcost.pipeline.applied_decisions import decisions_of, stamps_by_partition
from showcost.pipeline.fx_snapshots import known_history
from showcost.pipeline.periods import closed_on, closed_periods
from showcost.pipeline.raw_rows import records_of
from showcost.pipeline.validation import texts_of
from showcost.staging import ALL, StagedPartition, StagingStore
from showcost.staging.assets import quarantine_asset, raw_asset, undated_asset, valid_asset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.config.production import ClosedPeriod
    from showcost.workspace import Workspace


NEAR_DAYS: Final = 7
"""Dates that are no further apart share a run: one over a few empty dates costs less than one of its own."""


@dataclass(frozen=True)
class DuePartitions:
    """What of a feed has to be materialised: dates with the records and decisions each is to be made of."""

    feed: str
    dates: dict[date, Sequence[str]]
    undated: Sequence[str] | None


def due_by_landing(workspace: Workspace, feed: FeedSpec) -> DuePartitions:
    """Return the partitions that were not made, in every stage, of what has landed and was decided."""
    store = workspace.staging
    known = landed(workspace, feed)
    made = _Materialised(store, feed, _ledger_rows(workspace, feed), closed_periods(workspace))
    marks = stamps_by_partition(workspace, feed, decisions_of(workspace, feed))
    days = {day for one in known for day in one.summary.dates} | _staged_dates(store, feed)
    days |= {date.fromisoformat(part) for part in marks if part != ALL} | made.rows.reversible.keys()
    dates: dict[date, Sequence[str]] = {}
    for day in sorted(days):
        wanted, decided = records_of(known, day), marks.get(day.isoformat(), [])
        if not made.is_made(day, wanted, decided):
            dates[day] = [*wanted, *decided]
    undated = [one.records for one in known if one.summary.undated]
    staged = store.metadata(undated_asset(feed.name), ALL)
    current = _made_of(staged, "records"), _made_of(staged, "decisions")
    wanted, decided = undated, marks.get(ALL, [])
    return DuePartitions(feed.name, dates, [*wanted, *decided] if (wanted, decided) != current else None)


@dataclass(frozen=True)
class _LedgerRows:
    """Per date, how many rows of a feed stand in the ledger, and how many of them are to be reversed."""

    standing: dict[date, int]
    reversible: dict[date, int]


@dataclass(frozen=True)
class _Materialised:
    """What is staged and posted of a feed, to tell which dates went the whole way."""

    store: StagingStore
    feed: FeedSpec
    rows: _LedgerRows
    closed: Sequence[ClosedPeriod]

    def is_made(self, day: date, records: Sequence[str], decided: Sequence[str]) -> bool:
        """Say whether a date went the whole way: a run that died between two stages has to be made up for."""
        key = day.isoformat()
        raw = self.store.metadata(raw_asset(self.feed.name), key)
        if raw is None:
            return not records and not decided and day not in self.rows.reversible
        valid = self.store.metadata(valid_asset(self.feed.name), key)
        quarantine = self.store.metadata(quarantine_asset(self.feed.name), key)
        if valid is None or quarantine is None or _made_of(raw, "records") != records:
            return False
        return self._is_validated(raw, (valid, quarantine), day, decided) and self._is_posted(valid, day)

    def _is_validated(
        self,
        raw: StagedPartition,
        outcomes: tuple[StagedPartition, StagedPartition],
        day: date,
        decided: Sequence[str],
    ) -> bool:
        """Say whether a date was validated from these raw rows, decisions and closed periods."""
        current = all(
            one.inputs.get("raw") == raw.sha256 and _made_of(one, "decisions") == decided for one in outcomes
        )
        # What is posted stays posted: closing or opening a period only matters to rows that are not.
        _, quarantine = outcomes
        return current and (
            not quarantine.rows or _made_of(quarantine, "closed") == closed_on(self.closed, day)
        )

    def _is_posted(self, valid: StagedPartition, day: date) -> bool:
        """Say whether all valid rows of a date stand in the ledger, and none that a decision takes back."""
        return day not in self.rows.reversible and self.rows.standing.get(day, 0) >= valid.rows


def _ledger_rows(workspace: Workspace, feed: FeedSpec) -> _LedgerRows:
    ledger = workspace.ledger
    dates = workspace.production.dates
    rows: dict[date, int] = {}
    with ledger.read() as connection:
        for one in balances(connection, dates.start, dates.end, feed.name).to_pylist():
            rows[one["transaction_date"]] = rows.get(one["transaction_date"], 0) + one["row_count"]
        return _LedgerRows(rows, reversible_rows(connection, feed.name))


def due_by_rates(workspace: Workspace, feed: FeedSpec) -> list[date]:
    """Return the dates with rows that wait for a rate of which a known source now has one."""
    waiting = waiting_for_rates(workspace, feed)
    if not waiting:
        return []
    plan = build_snapshots(known_history(workspace), waiting, workspace.production.fx.carry_days)
    return list(plan.dates(RateStatus.OK))


def due_spans(
    workspace: Workspace,
    feeds: Sequence[FeedSpec],
    most_days_between: int = NEAR_DAYS,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[tuple[date, date]]:
    """Return the spans of dates in which anything of the feeds is due, ascending.

    Due dates that lie no more than `most_days_between` days apart share a span: a run over a few empty
    dates costs less than a run of its own. Dates that have not come yet stay due. Undated rows are made by
    a run over whatever date: alone, they ask for the production's first.
    """
    production = workspace.production
    today = clock().astimezone(ZoneInfo(production.timezone)).date()
    by_landing = [due_by_landing(workspace, feed) for feed in feeds]
    days = {day for due in by_landing for day in due.dates}
    days |= {
        day for feed in feeds for day in (*due_by_rates(workspace, feed), *due_by_fallback(workspace, feed))
    }
    come = sorted(day for day in days if day <= today)
    if not come and any(due.undated is not None for due in by_landing):
        come = [production.dates.start]
    return stretches(come, most_days_between)


def stretches(days: Iterable[date], most_days_between: int = 1) -> list[tuple[date, date]]:
    """Return ascending dates as (first, last) of stretches without larger gaps."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] <= timedelta(days=most_days_between):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def waiting_for_rates(workspace: Workspace, feed: FeedSpec) -> list[date]:
    """Return the dates with rows that wait for their rate, ascending."""
    store = workspace.staging
    asset = quarantine_asset(feed.name)
    found: list[date] = []
    for partition in store.partitions(asset):
        staged = store.metadata(asset, partition)
        if staged is not None and staged.inputs.get("pending"):
            found.append(date.fromisoformat(partition))
    return found


def _staged_dates(store: StagingStore, feed: FeedSpec) -> set[date]:
    """Return the dates of which raw rows were staged: what no delivery has any more must be emptied."""
    asset = raw_asset(feed.name)
    dates = set()
    for partition in store.partitions(asset):
        staged = store.metadata(asset, partition)
        if staged is not None and staged.rows:
            dates.add(date.fromisoformat(partition))
    return dates


def _made_of(staged: StagedPartition | None, name: str) -> list[str]:
    return texts_of(staged.inputs.get(name)) if staged is not None else []
