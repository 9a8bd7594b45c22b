"""The worker pool: many vendors at once, each within its limits, all within one memory budget.

Per vendor, a planner puts windows into a bounded queue and a few workers take them out. A worker goes
through its window page by page: fetched, stored, read and flushed before the next page is asked for.
Everything is a task of one TaskGroup, so that whatever ends the pull ends all of it. A vendor that fails ends
no other's work.
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
from showcost.vendor_api.client import Answer, Shared, Traffic, Vendor, address_of
from showcost.vendor_api.dead_letters import DeadLetter, Place
from showcost.vendor_api.failures import RequestFailedError, Trouble
from showcost.vendor_api.health import Health, watched
from showcost.vendor_api.limits import MemoryBudget
from showcost.vendor_api.page_store import PageAnswer
from showcost.vendor_api.pages import Pagination

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from showcost.vendor_api.guard import Resolver
    from showcost.vendor_api.page_store import Flusher
    from showcost.vendor_api.pages import PageFacts
    from showcost.vendor_api.windows import Window


@dataclass(frozen=True)
class PoolSettings:
    """What all vendors together may use.

    `requests` under way at once, `memory_bytes` of answers in flight, `flushes` (pages being stored and read)
    at once; `debug` and `trace` as in `watch`.
    """

    requests: int = 32
    memory_bytes: int = 64 * 2**20
    flushes: int = 2
    debug: bool = False
    trace: bool = False


@dataclass
class FeedWork:
    """What is to be pulled of a feed, `afresh` from first pages or not, and what came of it."""

    flusher: Flusher
    windows: Sequence[Window]
    afresh: bool = False
    pages: int = 0
    items: int = 0
    resumed: int = 0
    complete: list[Window] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)

    @cached_property
    def url(self) -> httpx.URL:
        """The address to ask; InputError where what the environment names may not be asked."""
        return address_of(self.flusher.api)

    @cached_property
    def pagination(self) -> Pagination:
        """How its pages follow each other."""
        return Pagination(self.flusher.api, self.flusher.feed.items, self.url)

    @property
    def vendor(self) -> str:
        """The name of the vendor, whose limits hold for all feeds of the name."""
        return self.flusher.feed.vendor


_QUEUE_PER_WORKER: Final = 2

Given = TypeVarTuple("Given")
Done = TypeVar("Done")


class Pool:
    """One pull of many feeds."""

    def __init__(
        self, work: Sequence[FeedWork], settings: PoolSettings, resolver: Resolver | None = None
    ) -> None:
        """Read the tokens; a vendor without one is not asked, and its windows are dead letters."""
        self._settings = settings
        self._shared = Shared(
            asyncio.Semaphore(settings.requests),
            MemoryBudget(settings.memory_bytes),
            ssl.create_default_context(),
        )
        # Threads of its own, and few: the allocators keep a heap for each thread that ever read a page.
        self._threads = ThreadPoolExecutor(settings.flushes, thread_name_prefix="flush")
        self._waiting_pages = 0
        self._work: dict[str, list[FeedWork]] = {}
        for one in work:
            self._work.setdefault(one.vendor, []).append(one)
        resolving = {} if resolver is None else {"resolver": resolver}
        self._vendors: dict[str, Vendor] = {}
        self._unusable: dict[str, str] = {}
        for name, works in self._work.items():
            try:
                self._vendors[name] = Vendor(name, works[0].flusher.api, self._shared, **resolving)
            except InputError as error:
                self._unusable[name] = str(error)
        self._queues: dict[str, asyncio.Queue[tuple[FeedWork, Window] | None]] = {
            name: asyncio.Queue(vendor.api.limits.concurrency * _QUEUE_PER_WORKER)
            for name, vendor in self._vendors.items()
        }
        self.health = Health()

    @property
    def traffic(self) -> dict[str, Traffic]:
        """What passed, per vendor."""
        return dict.fromkeys(self._unusable, Traffic()) | {
            name: vendor.traffic for name, vendor in self._vendors.items()
        }

    @property
    def down(self) -> set[str]:
        """The vendors that were given up."""
        return {name for name, vendor in self._vendors.items() if vendor.breaker.down}

    async def run(self) -> None:
        """Pull everything; what cannot be had is dead-lettered, any other error ends the pull."""
        # Loads what the first connection would load, which takes long enough to hold the loop up.
        await anyio.lowlevel.checkpoint()
        # What a thread has begun is finished also when the pull is cancelled.
        with self._threads:
            await self._run()
        self.health.peak_in_flight = self._shared.memory.peak

    async def _run(self) -> None:
        async with (
            watched(self.health, self._gauge, debug=self._settings.debug, trace=self._settings.trace),
            asyncio.TaskGroup() as group,
        ):
            for name in self._vendors:
                group.create_task(self._serve(name), name=f"vendor {name}")
            for name, why in self._unusable.items():
                group.create_task(self._give_up(name, why), name=f"vendor {name}")

    def _gauge(self) -> None:
        waiting = sum(queue.qsize() for queue in self._queues.values())
        self.health.peak_waiting_windows = max(self.health.peak_waiting_windows, waiting)
        self.health.peak_waiting_pages = max(self.health.peak_waiting_pages, self._waiting_pages)

    async def _serve(self, name: str) -> None:
        vendor = self._vendors[name]
        async with vendor.opened(), asyncio.TaskGroup() as group:
            group.create_task(self._plan(name), name=f"planner {name}")
            for number in range(vendor.api.limits.concurrency):
                group.create_task(self._labour(name), name=f"worker {name} {number + 1}")

    async def _give_up(self, name: str, why: str) -> None:
        """Bury every window of a vendor that cannot be asked at all."""
        for work in self._work[name]:
            request = {"method": "GET", "url": work.flusher.api.base_url, "headers": {}}
            for window in work.windows:
                failure = RequestFailedError(Trouble.SETUP, why)
                await self.bury(work, place_of(work, window), failure, request)

    async def _plan(self, name: str) -> None:
        queue = self._queues[name]
        for work in self._work[name]:
            for window in work.windows:
                await queue.put((work, window))
        for _ in range(self._vendors[name].api.limits.concurrency):
            await queue.put(None)

    async def _labour(self, name: str) -> None:
        vendor = self._vendors[name]
        while (task := await self._queues[name].get()) is not None:
            await _WindowPull(self, vendor, *task).run()

    async def flush(self, work: FeedWork, place: Place, answer: Answer) -> PageFacts:
        """Store a page in a thread, not more than a few at once."""
        self._waiting_pages += 1
        try:
            page = PageAnswer(answer.received.body, answer.link)
            return await self._off_the_loop(work.flusher.flush, place, page, work.pagination)
        finally:
            self._waiting_pages -= 1

    async def bury(
        self, work: FeedWork, place: Place, failure: RequestFailedError, request: Mapping[str, object]
    ) -> None:
        """Keep a page that could not be had as a dead letter, in a thread."""
        work.dead.append(await self._off_the_loop(work.flusher.bury, place, failure, request))
        telemetry.buried(work.vendor, work.flusher.feed.name, str(failure.trouble))

    async def _off_the_loop(self, do: Callable[[*Given], Done], *given: *Given) -> Done:
        return await asyncio.get_running_loop().run_in_executor(self._threads, do, *given)


def place_of(work: FeedWork, window: Window) -> Place:
    """Return where a window goes on: behind its last stored page, or with a new pull of it."""
    known = work.flusher.journal.progress(window)
    if known is None or known.complete or work.afresh:
        return Place(window, known.pull + 1 if known else 1, 1, None)
    return Place(window, known.pull, known.pages + 1, known.next)


class _WindowPull:
    """One window, page by page."""

    def __init__(self, pool: Pool, vendor: Vendor, work: FeedWork, window: Window) -> None:
        self._pool, self._vendor, self._work, self._window = pool, vendor, work, window

    async def run(self) -> None:
        """Pull the window to its end, or to the page that cannot be had."""
        place = place_of(self._work, self._window)
        self._work.resumed += place.page > 1
        while True:
            try:
                following = await self._page(place)
            except RequestFailedError as failure:
                await self._bury(place, failure)
                return
            if following is None:
                self._work.complete.append(self._window)
                return
            place = following

    async def _page(self, place: Place) -> Place | None:
        if place.page > self._vendor.api.limits.pages:
            raise RequestFailedError(Trouble.ENDLESS, f"more than {self._vendor.api.limits.pages} pages")
        url = self._work.pagination.url(self._window, place.step)
        facts = await self._vendor.repeated(partial(self._asked, url, place))
        self._work.pages += 1
        self._work.items += facts.items
        telemetry.stored(self._vendor.name, self._work.flusher.feed.name, facts.items)
        return None if facts.next is None else Place(self._window, place.pull, place.page + 1, facts.next)

    async def _asked(self, url: httpx.URL, place: Place) -> PageFacts:
        """Ask for a page once, and store it if it is one."""
        answer = await self._vendor.ask(url)
        try:
            return await self._pool.flush(self._work, place, answer)
        except RequestFailedError as failure:
            self._vendor.traffic.troubles[failure.trouble] += 1
            failure.received = answer.received
            raise
        finally:
            answer.lease.release()

    async def _bury(self, place: Place, failure: RequestFailedError) -> None:
        try:
            url = self._work.pagination.url(self._window, place.step)
        except RequestFailedError:
            url = self._work.url
        request = self._vendor.masked_request(url)
        await self._pool.bury(self._work, place, failure, request)
