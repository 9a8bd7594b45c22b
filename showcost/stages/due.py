"""Which partitions are due: those not made, to the end, of what has landed, and those whose rates have come.

Also those of vendors' missing days that nothing stands in for yet, or no longer has to.

Read from what is stored, not from events: a request that was lost in a crash is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from showcost.fx.snapshots import RateStatus, build_snapshots
from showcost.ingest.landing import landed
from showcost.ledger.queries import balances
from showcost.ledger.store import Ledger
from showcost.stages.fallback import due_by_fallback
from showcost.stages.names import quarantine_asset, raw_asset, undated_asset, valid_asset
from showcost.stages.rates import known_history
from showcost.stages.raw_rows import records_of
from showcost.staging import ALL, StagingStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home


@dataclass(frozen=True)
class Due:
    """What of a feed has to be materialised: dates with the records that each is to be made of."""

    feed: str
    dates: dict[date, Sequence[str]]
    undated: Sequence[str] | None


def due_by_landing(home: Home, feed: FeedSpec) -> Due:
    """Return the partitions that were not made, in every stage, of the records that have landed."""
    store = StagingStore(home.path)
    known = landed(home, feed)
    posted = _posted_rows(home, feed)
    dates: dict[date, Sequence[str]] = {}
    for day in sorted({day for one in known for day in one.summary.dates} | _staged_dates(store, feed)):
        wanted = records_of(known, day)
        if not _is_made(store, feed, day, wanted, posted.get(day, 0)):
            dates[day] = wanted
    undated = [one.records for one in known if one.summary.undated]
    made = store.metadata(undated_asset(feed.name), ALL)
    current = list(_texts(made.inputs.get("records"))) if made else []
    return Due(feed.name, dates, undated if undated != current else None)


def _is_made(store: StagingStore, feed: FeedSpec, day: date, wanted: Sequence[str], posted: int) -> bool:
    """Say whether a date went the whole way: a run that died between two stages has to be made up for."""
    key = day.isoformat()
    raw = store.metadata(raw_asset(feed.name), key)
    if raw is None or list(_texts(raw.inputs.get("records"))) != wanted:
        return raw is None and not wanted
    valid, quarantine = (
        store.metadata(valid_asset(feed.name), key),
        store.metadata(quarantine_asset(feed.name), key),
    )
    if valid is None or quarantine is None:
        return False
    if any(one.inputs.get("raw") != raw.sha256 for one in (valid, quarantine)):
        return False
    return posted >= valid.rows


def _posted_rows(home: Home, feed: FeedSpec) -> dict[date, int]:
    """Return how many rows of a feed are posted per date."""
    ledger = Ledger(home.ledger)
    if not ledger.exists():
        return {}
    dates = home.production.dates
    rows: dict[date, int] = {}
    with ledger.read() as connection:
        for one in balances(connection, dates.start, dates.end, feed.name).to_pylist():
            rows[one["transaction_date"]] = rows.get(one["transaction_date"], 0) + one["row_count"]
    return rows


def due_by_rates(home: Home, feed: FeedSpec) -> list[date]:
    """Return the dates with rows that wait for a rate of which a known source now has one."""
    waiting = waiting_for_rates(home, feed)
    if not waiting:
        return []
    plan = build_snapshots(known_history(home), waiting, home.production.fx.carry_days)
    return list(plan.dates(RateStatus.OK))


def due_spans(
    home: Home,
    feeds: Sequence[FeedSpec],
    most_days_between: int = 7,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[tuple[date, date]]:
    """Return the spans of dates in which anything of the feeds is due, ascending.

    Due dates that lie no more than `most_days_between` days apart share a span: a run over a few empty
    dates costs less than a run of its own. Dates that have not come yet stay due. Undated rows are made by
    a run over whatever date: alone, they ask for the production's first.
    """
    production = home.production
    today = clock().astimezone(ZoneInfo(production.timezone)).date()
    by_landing = [due_by_landing(home, feed) for feed in feeds]
    days = {day for due in by_landing for day in due.dates}
    days |= {day for feed in feeds for day in (*due_by_rates(home, feed), *due_by_fallback(home, feed))}
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
