"""Pulling: the dates of some feeds from their vendors' APIs, once, as far as it can be had.

Pulling is repeatable: a window that was interrupted goes on where it was, one that is complete and past is
left alone unless it is wanted again. What cannot be had is in the dead letters afterwards, never an error.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from showcost.audit.log import AuditLog
from showcost.core.errors import InputError, ShowcostError
from showcost.ingest.register import Register
from showcost.vendor_api.page_store import Flusher
from showcost.vendor_api.pool import FeedWork, Pool, PoolSettings
from showcost.vendor_api.progress import only_pull
from showcost.vendor_api.windows import Window, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home
    from showcost.vendor_api.client import Traffic
    from showcost.vendor_api.dead_letters import DeadLetter
    from showcost.vendor_api.guard import Resolver
    from showcost.vendor_api.health import Health


@dataclass(frozen=True)
class FeedPull:
    """What came of one feed.

    `complete` are the windows that were pulled to their end now, `left_alone` those that were complete
    before, `resumed` how many went on where an earlier pull had stopped, `dead` the pages that could not be
    had now. `traffic` is that of its vendor, which other feeds may share; `down` says that it was given up.
    """

    feed: str
    vendor: str
    complete: tuple[Window, ...]
    left_alone: tuple[Window, ...]
    resumed: int
    pages: int
    items: int
    dead: tuple[DeadLetter, ...]
    traffic: Traffic
    down: bool


@dataclass(frozen=True)
class Pull:
    """The outcome of a pull."""

    feeds: tuple[FeedPull, ...]
    health: Health

    @property
    def dead(self) -> list[DeadLetter]:
        """The pages of all feeds that could not be had."""
        return [letter for feed in self.feeds for letter in feed.dead]


@dataclass(frozen=True)
class Wanted:
    """Which windows a pull is about: those of the dates from `first` to `last`.

    `again` pulls also what is complete, and everything from its first page; `dead_only` only what is in the
    dead letters.
    """

    first: date
    last: date
    again: bool = False
    dead_only: bool = False


def pull(
    home: Home,
    feeds: Sequence[FeedSpec],
    wanted: Wanted,
    settings: PoolSettings | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    resolver: Resolver | None = None,
) -> Pull:
    """Pull the wanted windows of the feeds, all at once, each vendor within its limits.

    `resolver` is for tests. Raises InputError for a feed without an API or feeds that share a vendor but not
    its limits, StoreBusyError when another process pulls one of the feeds; what a
    vendor does wrong is in the outcome.
    """
    _check_vendors(feeds)
    if wanted.again and wanted.dead_only:
        raise InputError("either again, from the first page, or only what is dead, from where it stopped")
    audit, register = AuditLog(home.path), Register(home.raw, home.locks)
    today = clock().astimezone(ZoneInfo(home.production.timezone)).date()
    with ExitStack() as stack:
        for feed in sorted(feeds, key=lambda one: one.name):
            stack.enter_context(only_pull(home.locks, feed.name))
        plans = [_Plan(Flusher(home, feed, audit, register), wanted, today) for feed in feeds]
        pool = Pool([plan.work for plan in plans], settings or PoolSettings(), resolver)
        _run(pool)
    return Pull(tuple(_outcome(plan, pool) for plan in plans), pool.health)


def _run(pool: Pool) -> None:
    # What was there before the pull will be there after it: a collection need not look at it again, which
    # in a process with Dagster and pandas holds everything up for a tenth of a second.
    gc.collect()
    gc.freeze()
    try:
        asyncio.run(pool.run())
    except BaseExceptionGroup as group:
        # Tasks that fail together are of one cause; ours says it in a sentence.
        ours, others = group.split(ShowcostError)
        if others is not None or ours is None:
            raise
        raise _first(ours) from group
    finally:
        gc.unfreeze()


def _first(group: BaseExceptionGroup[ShowcostError]) -> ShowcostError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, ShowcostError)  # noqa: S101 -- the group was split by the class
    return found


@dataclass
class _Plan:
    """The windows of a feed that are wanted, and those that need nothing."""

    flusher: Flusher
    wanted: Wanted
    today: date
    left_alone: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flusher.complete()
        self.work = FeedWork(self.flusher, self._windows(), afresh=self.wanted.again)

    def _windows(self) -> list[Window]:
        flusher, wanted = self.flusher, self.wanted
        dates, missing = flusher.home.production.dates, flusher.letters.missing()
        every = [
            window
            for window in windows(flusher.api, dates, wanted.first, wanted.last)
            if window.first <= self.today
        ]
        if wanted.dead_only:
            return [window for window in every if window in missing]
        if wanted.again:
            return every
        self.left_alone = [window for window in every if window not in missing and self._is_settled(window)]
        settled = set(self.left_alone)
        return [window for window in every if window not in settled]

    def _is_settled(self, window: Window) -> bool:
        """Say whether a window is complete and was pulled when the vendor no longer changed it."""
        known = self.flusher.journal.progress(window)
        if known is None or not known.complete:
            return False
        zone = ZoneInfo(self.flusher.home.production.timezone)
        settled_after = window.last + timedelta(days=self.flusher.api.window.late_days)
        return known.began.astimezone(zone).date() > settled_after


def _outcome(plan: _Plan, pool: Pool) -> FeedPull:
    work = plan.work
    return FeedPull(
        feed=plan.flusher.feed.name,
        vendor=work.vendor,
        complete=tuple(sorted(work.complete)),
        left_alone=tuple(plan.left_alone),
        resumed=work.resumed,
        pages=work.pages,
        items=work.items,
        dead=tuple(work.dead),
        traffic=pool.traffic[work.vendor],
        down=work.vendor in pool.down,
    )


def _check_vendors(feeds: Sequence[FeedSpec]) -> None:
    """Raise InputError for feeds without an API, and for those that share a vendor but not its limits."""
    known: dict[str, FeedSpec] = {}
    for feed in feeds:
        if feed.api is None:
            raise InputError(f"the feed {feed.name} has no API; its deliveries come to the inbox")
        other = known.setdefault(feed.vendor, feed)
        if other.api is None or _shared(feed) != _shared(other):
            raise InputError(
                f"the feeds {other.name} and {feed.name} share the vendor {feed.api.vendor}, so they need the"
                " same limits, retries, auth and hosts"
            )


def _shared(feed: FeedSpec) -> tuple[object, ...]:
    if feed.api is None:
        return ()
    return feed.api.limits, feed.api.retries, feed.api.auth, feed.api.allowed_hosts
