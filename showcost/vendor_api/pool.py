"""The worker pool: many vendors at once, each within its limits, all within one memory budget.

Per vendor, a planner puts windows into a bounded queue and a few workers take them out. A worker goes
through its window page by page: fetched, stored and read before the next page is requested.
Everything is a task of one TaskGroup, so that whatever ends the pull ends all of it. A vendor that fails does
not stop the others.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

import anyio.lowlevel

from showcost.core.errors import InputError
from showcost.vendor_api import telemetry
from showcost.vendor_api.client import ApiPage, SharedLimits, Traffic, Vendor, address_of
from showcost.vendor_api.dead_letters import DeadLetter, PageRef
from showcost.vendor_api.failures import FailureKind, RequestFailedError
from showcost.vendor_api.health import Health, watched
from showcost.vendor_api.limits import MemoryBudget
from showcost.vendor_api.page_store import PageContent
from showcost.vendor_api.pagination import Pagination

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from showcost.vendor_api.guard import Resolver
    from showcost.vendor_api.page_store import PageStore
    from showcost.vendor_api.pagination import PageFacts
    from showcost.vendor_api.windows import Window


@dataclass(frozen=True)
class PoolSettings:
    """Limits for all vendors together.

    `requests` in flight at once, `memory_bytes` of responses in memory, `flushes` (pages being stored and
    read) at once; `debug` and `trace` as in `health`.
    """

    requests: int = 32
    memory_bytes: int = 64 * 2**20
    flushes: int = 2
    debug: bool = False
    trace: bool = False


@dataclass
class FeedWork:
    """The windows to pull for a feed, `afresh` from their first pages or not, and the results so far."""

    page_store: PageStore
    windows: Sequence[Window]
    afresh: bool = False
    pages: int = 0
    items: int = 0
    resumed: int = 0
    complete: list[Window] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)

    @cached_property
    def url(self) -> httpx.URL:
        """The base URL; InputError if the environment names one that is not allowed."""
        return address_of(self.page_store.api)

    @cached_property
    def pagination(self) -> Pagination:
        """The pagination of the feed."""
        return Pagination(self.page_store.api, self.page_store.feed.items, self.url)

    @property
    def vendor(self) -> str:
        """The name of the vendor; its limits apply to all of its feeds together."""
        return self.page_store.feed.vendor


_QUEUE_PER_WORKER: Final = 2

Given = TypeVarTuple("Given")
Done = TypeVar("Done")


class Pool:
    """One pull of many feeds."""

    def __init__(
        self, work: Sequence[FeedWork], settings: PoolSettings, resolver: Resolver | None = None
    ) -> None:
        """Read the tokens; a vendor without one gets no requests, and its windows become dead letters."""
        self._settings = settings
        self._shared = SharedLimits(
            asyncio.Semaphore(settings.requests),
            MemoryBudget(settings.memory_bytes),
            ssl.create_default_context(),
        )
        # Threads of its own, and few: the allocators keep a heap for each thread that ever read a page.
        self._threads = ThreadPoolExecutor(settings.flushes, thread_name_prefix="flush")
        self._waiting_pages = 0
        self._feeds: dict[str, list[FeedWork]] = {}
        for feed_work in work:
            self._feeds.setdefault(feed_work.vendor, []).append(feed_work)
        resolving = {} if resolver is None else {"resolver": resolver}
        self._vendors: dict[str, Vendor] = {}
        self._unusable: dict[str, str] = {}
        for name, works in self._feeds.items():
            try:
                self._vendors[name] = Vendor(name, works[0].page_store.api, self._shared, **resolving)
            except InputError as error:
                self._unusable[name] = str(error)
        self._queues: dict[str, asyncio.Queue[tuple[FeedWork, Window] | None]] = {
            name: asyncio.Queue(vendor.api.limits.concurrency * _QUEUE_PER_WORKER)
            for name, vendor in self._vendors.items()
        }
        self.health = Health()

    @property
    def traffic(self) -> dict[str, Traffic]:
        """Request counts per vendor."""
        return dict.fromkeys(self._unusable, Traffic()) | {
            name: vendor.traffic for name, vendor in self._vendors.items()
        }

    @property
    def down(self) -> set[str]:
        """The vendors that are down."""
        return {name for name, vendor in self._vendors.items() if vendor.breaker.down}

    async def run(self) -> None:
        """Pull everything; pages that fail are dead-lettered, any other error ends the pull."""
        # Import now what the first connection would import: it takes long enough to block the loop.
        await anyio.lowlevel.checkpoint()
        # A page that a thread has begun to store is finished even if the pull is cancelled.
        with self._threads:
            await self._run()
        self.health.peak_in_flight = self._shared.memory.peak

    async def _run(self) -> None:
        async with (
            watched(self.health, self._sample, debug=self._settings.debug, trace=self._settings.trace),
            asyncio.TaskGroup() as group,
        ):
            for name in self._vendors:
                group.create_task(self._serve(name), name=f"vendor {name}")
            for name, why in self._unusable.items():
                group.create_task(self._give_up(name, why), name=f"vendor {name}")

    def _sample(self) -> None:
        waiting = sum(queue.qsize() for queue in self._queues.values())
        self.health.peak_waiting_windows = max(self.health.peak_waiting_windows, waiting)
        self.health.peak_waiting_pages = max(self.health.peak_waiting_pages, self._waiting_pages)

    async def _serve(self, name: str) -> None:
        vendor = self._vendors[name]
        async with vendor.opened(), asyncio.TaskGroup() as group:
            group.create_task(self._plan(name), name=f"planner {name}")
            for number in range(vendor.api.limits.concurrency):
                group.create_task(self._work(name), name=f"worker {name} {number + 1}")

    async def _give_up(self, name: str, why: str) -> None:
        """Dead-letter every window of a vendor that cannot be reached at all."""
        for work in self._feeds[name]:
            request = {"method": "GET", "url": work.page_store.api.base_url, "headers": {}}
            for window in work.windows:
                failure = RequestFailedError(FailureKind.SETUP, why)
                await self.dead_letter(work, next_page_of(work, window), failure, request)

    async def _plan(self, name: str) -> None:
        queue = self._queues[name]
        for work in self._feeds[name]:
            for window in work.windows:
                await queue.put((work, window))
        for _ in range(self._vendors[name].api.limits.concurrency):
            await queue.put(None)

    async def _work(self, name: str) -> None:
        vendor = self._vendors[name]
        while (task := await self._queues[name].get()) is not None:
            await _WindowPull(self, vendor, *task).run()

    async def store(self, work: FeedWork, place: PageRef, page: ApiPage) -> PageFacts:
        """Store a page in a thread; only a few are stored at once."""
        self._waiting_pages += 1
        try:
            content = PageContent(page.received.body, page.link)
            return await self._run_in_thread(work.page_store.store, place, content, work.pagination)
        finally:
            self._waiting_pages -= 1

    async def dead_letter(
        self, work: FeedWork, place: PageRef, failure: RequestFailedError, request: Mapping[str, object]
    ) -> None:
        """Record a page that failed as a dead letter, in a thread."""
        work.dead.append(await self._run_in_thread(work.page_store.dead_letter, place, failure, request))
        telemetry.dead_lettered(work.vendor, work.page_store.feed.name, str(failure.kind))

    async def _run_in_thread(self, function: Callable[[*Given], Done], *arguments: *Given) -> Done:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def next_page_of(work: FeedWork, window: Window) -> PageRef:
    """Return the next page of a window: after its last stored page, or the first of a new pull."""
    progress = work.page_store.progress.of(window)
    if progress is None or progress.complete or work.afresh:
        return PageRef(window, progress.pull + 1 if progress else 1, 1, None)
    return PageRef(window, progress.pull, progress.pages + 1, progress.next)


class _WindowPull:
    """The pull of one window, page by page."""

    def __init__(self, pool: Pool, vendor: Vendor, work: FeedWork, window: Window) -> None:
        self._pool, self._vendor, self._work, self._window = pool, vendor, work, window

    async def run(self) -> None:
        """Pull the window to its end, or to the page that fails."""
        place = next_page_of(self._work, self._window)
        self._work.resumed += place.page > 1
        while True:
            try:
                following = await self._page(place)
            except RequestFailedError as failure:
                await self._dead_letter(place, failure)
                return
            if following is None:
                self._work.complete.append(self._window)
                return
            place = following

    async def _page(self, place: PageRef) -> PageRef | None:
        if place.page > self._vendor.api.limits.pages:
            raise RequestFailedError(FailureKind.ENDLESS, f"more than {self._vendor.api.limits.pages} pages")
        url = self._work.pagination.url(self._window, place.step)
        facts = await self._vendor.retried(partial(self._fetch_and_store, url, place))
        self._work.pages += 1
        self._work.items += facts.items
        telemetry.stored(self._vendor.name, self._work.page_store.feed.name, facts.items)
        return None if facts.next is None else PageRef(self._window, place.pull, place.page + 1, facts.next)

    async def _fetch_and_store(self, url: httpx.URL, place: PageRef) -> PageFacts:
        """Fetch a page once, and store it if it is a page of items."""
        page = await self._vendor.fetch(url)
        try:
            return await self._pool.store(self._work, place, page)
        except RequestFailedError as failure:
            self._vendor.traffic.failures[failure.kind] += 1
            failure.received = page.received
            raise
        finally:
            page.lease.release()

    async def _dead_letter(self, place: PageRef, failure: RequestFailedError) -> None:
        try:
            url = self._work.pagination.url(self._window, place.step)
        except RequestFailedError:
            url = self._work.url
        request = self._vendor.masked_request(url)
        await self._pool.dead_letter(self._work, place, failure, request)
