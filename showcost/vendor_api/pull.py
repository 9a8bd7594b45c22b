"""Pull a range of dates for some feeds from their vendors' APIs.

Pulling is repeatable: an interrupted window resumes where it stopped; a complete window that no longer
changes is skipped unless it is requested again. A page that fails becomes a dead letter, never an error.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from showcost.core.errors import InputError, ShowcostError
from showcost.vendor_api.page_store import PageStore
from showcost.vendor_api.pool import FeedWork, Pool, PoolSettings
from showcost.vendor_api.progress import only_pull
from showcost.vendor_api.windows import Window, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.config.api import ApiSpec
    from showcost.config.feed import FeedSpec
    from showcost.vendor_api.client import Traffic
    from showcost.vendor_api.dead_letters import DeadLetter
    from showcost.vendor_api.guard import Resolver
    from showcost.vendor_api.health import Health
    from showcost.vendor_api.progress import PullProgress
    from showcost.workspace import Workspace


@dataclass(frozen=True)
class FeedPull:
    """The result of pulling one feed.

    `complete` are the windows that this pull completed, `skipped` the windows complete before, `resumed`
    the number that resumed where an earlier pull had stopped, `dead` the pages that failed. `traffic` is the
    traffic of the vendor, which other feeds may share; `down` is true if requests to it were abandoned.
    """

    feed: str
    vendor: str
    complete: tuple[Window, ...]
    skipped: tuple[Window, ...]
    resumed: int
    pages: int
    items: int
    dead: tuple[DeadLetter, ...]
    traffic: Traffic
    down: bool


@dataclass(frozen=True)
class Pull:
    """The result of a pull."""

    feeds: tuple[FeedPull, ...]
    health: Health

    @property
    def dead(self) -> list[DeadLetter]:
        """The pages of all feeds that failed."""
        return [letter for feed in self.feeds for letter in feed.dead]


@dataclass(frozen=True)
class PullRequest:
    """The windows to pull: those of the dates from `first` to `last`.

    `again` refetches all of them from their first page, complete ones too; `dead_only` pulls only those with
    open dead letters.
    """

    first: date
    last: date
    again: bool = False
    dead_only: bool = False


def pull(
    home: Workspace,
    feeds: Sequence[FeedSpec],
    request: PullRequest,
    settings: PoolSettings | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    resolver: Resolver | None = None,
) -> Pull:
    """Pull the requested windows of the feeds concurrently, each vendor within its limits.

    `resolver` is for tests. Raises InputError for a feed without an API or feeds that share a vendor but not
    its limits, StoreBusyError when another process pulls one of the feeds. Failures
    of a vendor are part of the result.
    """
    _check_vendors(feeds)
    if request.again and request.dead_only:
        raise InputError("either refetch from the first page or retry dead letters only, not both")
    audit, register = home.audit, home.register
    today = clock().astimezone(ZoneInfo(home.production.timezone)).date()
    with ExitStack() as stack:
        for feed in sorted(feeds, key=lambda feed: feed.name):
            stack.enter_context(only_pull(home.locks, feed.name))
        plans = [_Plan(PageStore(home, feed, audit, register), request, today) for feed in feeds]
        pool = Pool([plan.work for plan in plans], settings or PoolSettings(), resolver)
        _run(pool)
    return Pull(tuple(_outcome(plan, pool) for plan in plans), pool.health)


def _run(pool: Pool) -> None:
    # Objects from before the pull outlive it, so a collection need not visit them: in a process with
    # Dagster and pandas that would block the loop for a tenth of a second.
    gc.collect()
    gc.freeze()
    try:
        asyncio.run(pool.run())
    except BaseExceptionGroup as group:
        # Tasks that fail together share one cause; our own error states it in a sentence.
        ours, others = group.split(ShowcostError)
        if others is not None or ours is None:
            raise
        raise _first(ours) from group
    finally:
        gc.unfreeze()


def _first(group: BaseExceptionGroup[ShowcostError]) -> ShowcostError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ShowcostError)  # noqa: S101 -- the group was split by the class
    return error


@dataclass
class _Plan:
    """The windows of a feed to pull, and the windows skipped."""

    page_store: PageStore
    request: PullRequest
    today: date
    skipped: list[Window] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page_store.complete()
        self.work = FeedWork(self.page_store, self._windows(), afresh=self.request.again)

    def _windows(self) -> list[Window]:
        page_store, request = self.page_store, self.request
        dates, missing = page_store.home.production.dates, page_store.letters.missing()
        every = [
            window
            for window in windows(page_store.api, dates, request.first, request.last)
            if window.first <= self.today
        ]
        if request.dead_only:
            return [window for window in every if window in missing]
        if request.again:
            return every
        progress, zone = page_store.progress, ZoneInfo(page_store.home.production.timezone)
        self.skipped = [
            window
            for window in every
            if window not in missing and is_settled(progress, page_store.api, window, zone)
        ]
        settled = set(self.skipped)
        return [window for window in every if window not in settled]


def is_settled(progress: PullProgress, api: ApiSpec, window: Window, zone: ZoneInfo) -> bool:
    """Tell whether a window is complete and was pulled after the vendor stopped changing it."""
    pulled = progress.of(window)
    if pulled is None or not pulled.complete:
        return False
    settled_after = window.last + timedelta(days=api.window.late_days)
    return pulled.began.astimezone(zone).date() > settled_after


def _outcome(plan: _Plan, pool: Pool) -> FeedPull:
    work = plan.work
    return FeedPull(
        feed=plan.page_store.feed.name,
        vendor=work.vendor,
        complete=tuple(sorted(work.complete)),
        skipped=tuple(plan.skipped),
        resumed=work.resumed,
        pages=work.pages,
        items=work.items,
        dead=tuple(work.dead),
        traffic=pool.traffic[work.vendor],
        down=work.vendor in pool.down,
    )


def _check_vendors(feeds: Sequence[FeedSpec]) -> None:
    """Raise InputError for a feed without an API, or feeds that share a vendor but not its limits."""
    by_vendor: dict[str, FeedSpec] = {}
    for feed in feeds:
        if feed.api is None:
            raise InputError(f"the feed {feed.name} has no API; its deliveries come to the inbox")
        other = by_vendor.setdefault(feed.vendor, feed)
        if other.api is None or _shared(feed) != _shared(other):
            raise InputError(
                f"the feeds {other.name} and {feed.name} share the vendor {feed.api.vendor}, so they need the"
                " same limits, retries, auth and hosts"
            )


def _shared(feed: FeedSpec) -> tuple[object, ...]:
    if feed.api is None:
        return ()
    return feed.api.limits, feed.api.retries, feed.api.auth, feed.api.allowed_hosts
