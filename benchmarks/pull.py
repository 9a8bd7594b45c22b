"""Pulling from twelve simulated vendors: the worker pool, one big gather, and a sequential loop.

Each method runs in a new process with a new simulator, whose vendors fail every twentieth request and count
the requests over their limits. All methods store and read pages in the same way; gather and loop retry at
once. With `--memory`, the pool alone pulls different numbers of lines from fast vendors.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from showcost.config.feed import FeedSpec
from showcost.simulator.running import simulated
from showcost.vendor_api.dead_letters import PageRef
from showcost.vendor_api.failures import RequestFailedError
from showcost.vendor_api.health import resident_bytes
from showcost.vendor_api.page_store import PageContent, PageStore
from showcost.vendor_api.pagination import Pagination
from showcost.vendor_api.pull import PullRequest, pull
from showcost.vendor_api.windows import Window
from showcost.workspace import open_workspace
from showcost_tests.vendor_api.vendors import feeds_of, scripts
from showcost_tests.whole.small import make_home

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from benchmarks.harness import Report
    from showcost.simulator.scripts import Script
    from showcost.workspace import Workspace

DAYS: Final = 7
FIRST: Final = date(2026, 10, 28)
_ATTEMPTS: Final = 5
_AFTERWARDS: Final = datetime(2026, 11, 20, tzinfo=UTC)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of sizes."""
    parser.add_argument("--vendors", type=int, default=12)
    parser.add_argument("--lines-per-day", type=int, default=120, help="lines per vendor and day, for a week")
    parser.add_argument(
        "--memory", type=int, nargs="+", metavar="LINES", help="pull this many lines with the pool alone"
    )


def run(options: argparse.Namespace, report: Report) -> None:
    """Compare the methods, or with `--memory` the sizes."""
    for lines in options.memory or ():
        fast = scripts(
            options.vendors,
            lines_per_day=max(1, lines // (options.vendors * DAYS)),
            page_size=80,
            latency_ms=1,
        )
        vendors = [replace(vendor, requests=1_000, concurrency=4) for vendor in fast]
        measure(report, f"pool, {lines:,} lines", "pool", vendors, window={"days": 2})
    if not options.memory:
        vendors = scripts(
            options.vendors,
            lines_per_day=options.lines_per_day,
            page_size=25,
            failing=5,
            latency_ms=40,
            requests=20,
        )
        for method in METHODS:
            measure(report, method, method, vendors)


def measure(
    report: Report, label: str, method: str, vendors: Sequence[Script], **settings: dict[str, int]
) -> None:
    """Pull with one method from a new simulator, and add the vendors' counts of requests."""
    with tempfile.TemporaryDirectory() as folder, simulated(vendors) as simulator:
        workspace = make_home(Path(folder) / "home")
        feeds = [feed.model_dump_json() for feed in feeds_of(simulator, vendors, **settings)]
        lines = DAYS * sum(vendor.lines_per_day for vendor in vendors)
        report.in_process(label, pull_by, method, workspace.path, feeds, rows=lines)
        statistics = simulator.statistics().values()
        report.note(
            f"vendors of {label}",
            requests=sum(vendor["requests"] for vendor in statistics),
            over_limit=sum(vendor["over_rate"] + vendor["over_concurrency"] for vendor in statistics),
        )


def pull_by(method: str, folder: Path, feeds: Sequence[str]) -> dict[str, Any]:
    """Pull the feeds, given as JSON, with one method."""
    before = resident_bytes() >> 20
    results = METHODS[method](open_workspace(folder), [FeedSpec.model_validate_json(feed) for feed in feeds])
    return results | {"mib_before": before}


def by_pool(workspace: Workspace, feeds: Sequence[FeedSpec]) -> dict[str, Any]:
    """Pull with showcost's worker pool."""
    outcome = pull(
        workspace, feeds, PullRequest(FIRST, FIRST + timedelta(DAYS - 1)), clock=lambda: _AFTERWARDS
    )
    return {
        "pages": sum(feed.pages for feed in outcome.feeds),
        "windows_lost": len(outcome.dead),
        "hold_up_ms": outcome.health.longest_hold_up,
    }


def by_gather(workspace: Workspace, feeds: Sequence[FeedSpec]) -> dict[str, Any]:
    """Request all windows of all vendors at once; store the pages when all have arrived."""
    pages: list[tuple[PageStore, PageRef, PageContent, Pagination]] = []
    lost, longest_ms = 0, [0]

    async def window(client: httpx.AsyncClient, page_store: PageStore, dates: Window) -> None:
        nonlocal lost
        pagination, place = _pagination(page_store), PageRef(dates, 1, 1, None)
        while True:
            content = None
            for _ in range(_ATTEMPTS):
                try:
                    response = await client.get(pagination.url(dates, place.step))
                    response.raise_for_status()
                    content = PageContent(response.content, response.links.get("next", {}).get("url"))
                    facts = pagination.facts(content.body, content.link, place.step)
                    break
                except (httpx.HTTPError, RequestFailedError):
                    content = None
            if content is None:
                lost += 1
                return
            pages.append((page_store, place, content, pagination))
            if facts.next is None:
                return
            place = PageRef(dates, 1, place.page + 1, facts.next)

    async def fetch_and_store() -> None:
        limits = httpx.Limits(max_connections=None)
        monitor = asyncio.create_task(_measure_delays(longest_ms))
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            await asyncio.gather(
                *(window(client, page_store, dates) for page_store in page_stores for dates in _windows())
            )
        for page_store, place, content, pagination in pages:  # blocking, in the loop
            page_store.store(place, content, pagination)
        await asyncio.sleep(0)
        monitor.cancel()

    page_stores = [PageStore(workspace, feed, workspace.audit, workspace.register) for feed in feeds]
    asyncio.run(fetch_and_store())
    return {"pages": len(pages), "windows_lost": lost, "hold_up_ms": longest_ms[0]}


async def _measure_delays(longest_ms: list[int]) -> None:
    """Keep the longest delay of the event loop, in milliseconds, until cancelled."""
    while True:
        start = time.monotonic()
        await asyncio.sleep(0.01)
        longest_ms[0] = max(longest_ms[0], int((time.monotonic() - start - 0.01) * 1000))


def by_loop(workspace: Workspace, feeds: Sequence[FeedSpec]) -> dict[str, Any]:
    """Request one page after another, vendor by vendor."""
    pages = lost = 0
    with httpx.Client(timeout=60) as client:
        for feed in feeds:
            page_store = PageStore(workspace, feed, workspace.audit, workspace.register)
            pagination = _pagination(page_store)
            for window in _windows():
                place: PageRef | None = PageRef(window, 1, 1, None)
                while place is not None:
                    next_step = _pull_page(client, page_store, pagination, place)
                    if next_step is False:
                        lost += 1
                        break
                    pages += 1
                    place = None if next_step is None else PageRef(window, 1, place.page + 1, str(next_step))
    return {"pages": pages, "windows_lost": lost, "hold_up_ms": None}


def _pull_page(
    client: httpx.Client, page_store: PageStore, pagination: Pagination, place: PageRef
) -> str | bool | None:
    """Store a page; return the step to the next page, None after the last, False if it is unavailable."""
    for _ in range(_ATTEMPTS):
        try:
            response = client.get(pagination.url(place.window, place.step))
            response.raise_for_status()
            content = PageContent(response.content, response.links.get("next", {}).get("url"))
            return page_store.store(place, content, pagination).next
        except (httpx.HTTPError, RequestFailedError):
            continue
    return False


def _pagination(page_store: PageStore) -> Pagination:
    return Pagination(page_store.api, page_store.feed.items, httpx.URL(page_store.api.base_url))


def _windows() -> list[Window]:
    days = [FIRST + timedelta(number) for number in range(DAYS)]
    return [Window(day, day) for day in days]


METHODS: Final[dict[str, Callable[[Workspace, Sequence[FeedSpec]], dict[str, Any]]]] = {
    "pool": by_pool,
    "gather": by_gather,
    "loop": by_loop,
}
