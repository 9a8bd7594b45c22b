"""Which partitions are due: those that are not made of what has landed, and those whose rates have come.

Read from what is stored, not from events: a request that was lost in a crash is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from showcost.fx.snapshots import RateStatus, build_snapshots
from showcost.ingest.landing import landed
from showcost.stages.names import quarantine_asset, raw_asset, undated_asset
from showcost.stages.rates import known_history
from showcost.stages.raw_rows import records_of
from showcost.staging import ALL, StagingStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home


@dataclass(frozen=True)
class Due:
    """What of a feed has to be materialised: dates with the records that each is to be made of."""

    feed: str
    dates: dict[date, Sequence[str]]
    undated: Sequence[str] | None


def due_by_landing(home: Home, feed: FeedSpec) -> Due:
    """Return the partitions whose raw rows are not made of the records that have landed."""
    store = StagingStore(home.path)
    known = landed(home, feed)
    dates: dict[date, Sequence[str]] = {}
    for day in sorted({day for one in known for day in one.summary.dates} | _staged_dates(store, feed)):
        wanted = records_of(known, day)
        staged = store.metadata(raw_asset(feed.name), day.isoformat())
        if wanted != (list(_texts(staged.inputs.get("records"))) if staged else []):
            dates[day] = wanted
    undated = [one.records for one in known if one.summary.undated]
    made = store.metadata(undated_asset(feed.name), ALL)
    current = list(_texts(made.inputs.get("records"))) if made else []
    return Due(feed.name, dates, undated if undated != current else None)


def due_by_rates(home: Home, feed: FeedSpec) -> list[date]:
    """Return the dates with rows that wait for a rate of which a known source now has one."""
    waiting = waiting_for_rates(home, feed)
    if not waiting:
        return []
    plan = build_snapshots(known_history(home), waiting, home.production.fx.carry_days)
    return list(plan.dates(RateStatus.OK))


def due_spans(home: Home, feeds: Sequence[FeedSpec], most_days_between: int = 7) -> list[tuple[date, date]]:
    """Return the spans of dates in which anything of the feeds is due, ascending.

    Due dates that lie no more than `most_days_between` days apart share a span: a run over a few empty
    dates costs less than a run of its own.
    """
    days = {day for feed in feeds for day in (*due_by_landing(home, feed).dates, *due_by_rates(home, feed))}
    return stretches(sorted(days), most_days_between)


def stretches(days: Iterable[date], most_days_between: int = 1) -> list[tuple[date, date]]:
    """Return ascending dates as (first, last) of stretches without larger gaps."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] <= timedelta(days=most_days_between):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def waiting_for_rates(home: Home, feed: FeedSpec) -> list[date]:
    """Return the dates with rows that wait for their rate, ascending."""
    store = StagingStore(home.path)
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


def _texts(value: object) -> Sequence[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
