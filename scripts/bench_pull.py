"""Pulling from twelve simulated vendors, against the naive ways, and its memory over very many items.

    python scripts/bench_pull.py ways                     # the worker pool, one big gather, a sequential loop
    python scripts/bench_pull.py memory 10000 1000000     # resident memory of pulls of different size

Each way runs in a process of its own against a fresh simulator, whose vendors answer every twentieth request
badly and measure their limits themselves. All of them store and read every page in the same way; the naive
ones retry at once. Figures are of the machine that it runs on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
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
from showcost.vendor_api.pages import Pagination
from showcost.vendor_api.pull import PullRequest, pull
from showcost.vendor_api.windows import Window
from showcost.workspace import open_workspace
from showcost_tests.vendor_api.vendors import feeds_of, scripts
from showcost_tests.whole.small import make_home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from showcost.simulator.scripts import Script
    from showcost.workspace import Workspace

VENDORS: Final = 12
DAYS: Final = 7
FIRST: Final = date(2026, 10, 28)
_ATTEMPTS: Final = 5
_AFTERWARDS: Final = datetime(2026, 11, 20, tzinfo=UTC)


class _Peak:
    """The most resident memory that was seen."""

    def __init__(self) -> None:
        self.bytes = resident_bytes()

    def look(self) -> None:
        self.bytes = max(self.bytes, resident_bytes())


def by_pool(home: Workspace, feeds: Sequence[FeedSpec], peak: _Peak) -> dict[str, Any]:
    """Pull as showcost does."""
    outcome = pull(home, feeds, PullRequest(FIRST, FIRST + timedelta(DAYS - 1)), clock=lambda: _AFTERWARDS)
    peak.bytes = max(peak.bytes, outcome.health.peak_resident)
    return {
        "pages": sum(feed.pages for feed in outcome.feeds),
        "windows_lost": len(outcome.dead),
        "hold_up_ms": outcome.health.longest_hold_up,
    }


def by_gather(home: Workspace, feeds: Sequence[FeedSpec], peak: _Peak) -> dict[str, Any]:
    """Ask for every window of every vendor at once; store what came when all is there."""
    held: list[tuple[PageStore, PageRef, PageContent, Pagination]] = []
    lost, held_up = 0, [0]

    async def window(client: httpx.AsyncClient, page_store: PageStore, one: Window) -> None:
        nonlocal lost
        pagination, place = _pagination(page_store), PageRef(one, 1, 1, None)
        while True:
            answer = None
            for _ in range(_ATTEMPTS):
                try:
                    response = await client.get(pagination.url(one, place.step))
                    response.raise_for_status()
                    answer = PageContent(response.content, response.links.get("next", {}).get("url"))
                    facts = pagination.facts(answer.body, answer.link, place.step)
                    break
                except (httpx.HTTPError, RequestFailedError):
                    answer = None
            if answer is None:
                lost += 1
                return
            held.append((page_store, place, answer, pagination))
            if facts.next is None:
                return
            place = PageRef(one, 1, place.page + 1, facts.next)

    async def everything() -> None:
        limits = httpx.Limits(max_connections=None)
        ticking = asyncio.create_task(_ticking(held_up))
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            await asyncio.gather(
                *(window(client, page_store, one) for page_store in page_stores for one in _windows())
            )
        peak.look()
        for page_store, place, answer, pagination in held:  # blocking, in the loop
            page_store.store(place, answer, pagination)
            peak.look()
        await asyncio.sleep(0)
        ticking.cancel()

    page_stores = [PageStore(home, feed, home.audit, home.register) for feed in feeds]
    asyncio.run(everything())
    return {"pages": len(held), "windows_lost": lost, "hold_up_ms": held_up[0]}


async def _ticking(held_up: list[int]) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.01)
        held_up[0] = max(held_up[0], int((time.monotonic() - began - 0.01) * 1000))


def by_loop(home: Workspace, feeds: Sequence[FeedSpec], peak: _Peak) -> dict[str, Any]:
    """Ask for one page after the other, vendor by vendor."""
    pages = lost = 0
    with httpx.Client(timeout=60) as client:
        for feed in feeds:
            page_store = PageStore(home, feed, home.audit, home.register)
            pagination = _pagination(page_store)
            for one in _windows():
                place: PageRef | None = PageRef(one, 1, 1, None)
                while place is not None:
                    following = _one_page(client, page_store, pagination, place)
                    if following is False:
                        lost += 1
                        break
                    pages += 1
                    place = None if following is None else PageRef(one, 1, place.page + 1, str(following))
                    peak.look()
    return {"pages": pages, "windows_lost": lost, "hold_up_ms": None}


def _one_page(
    client: httpx.Client, page_store: PageStore, pagination: Pagination, place: PageRef
) -> str | bool | None:
    """Return the step to the next page, None behind the last, False when the page could not be had."""
    for _ in range(_ATTEMPTS):
        try:
            response = client.get(pagination.url(place.window, place.step))
            response.raise_for_status()
            answer = PageContent(response.content, response.links.get("next", {}).get("url"))
            return page_store.store(place, answer, pagination).next
        except (httpx.HTTPError, RequestFailedError):
            continue
    return False


def _pagination(page_store: PageStore) -> Pagination:
    return Pagination(page_store.api, page_store.feed.items, httpx.URL(page_store.api.base_url))


def _windows() -> list[Window]:
    days = [FIRST + timedelta(number) for number in range(DAYS)]
    return [Window(day, day) for day in days]


WAYS: Final[dict[str, Callable[[Workspace, Sequence[FeedSpec], _Peak], dict[str, Any]]]] = {
    "pool": by_pool,
    "gather": by_gather,
    "loop": by_loop,
}


def run_one(way: str, folder: Path) -> None:
    """Carry out one way in this process, with the feeds of stdin, and print what it took."""
    feeds = [FeedSpec.model_validate_json(line) for line in sys.stdin]
    home = open_workspace(folder)
    peak, began = _Peak(), time.monotonic()
    before = peak.bytes
    figures = WAYS[way](home, feeds, peak)
    figures |= {
        "seconds": round(time.monotonic() - began, 1),
        "before_mib": before >> 20,
        "peak_mib": peak.bytes >> 20,
    }
    print(json.dumps(figures))


def in_process(
    way: str, vendors: Sequence[Script], window: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Run one way against a fresh simulator and return its figures with what the vendors measured."""
    with tempfile.TemporaryDirectory() as folder, simulated(vendors) as simulator:
        home = make_home(Path(folder) / "home")
        feeds = feeds_of(simulator, vendors, **({} if window is None else {"window": window}))
        done = subprocess.run(  # noqa: S603 -- this interpreter
            [sys.executable, __file__, "one", way, str(home.path)],
            input="".join(f"{feed.model_dump_json()}\n" for feed in feeds),
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        seen = simulator.seen().values()
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures | {
            "requests": sum(one["requests"] for one in seen),
            "over_limit": sum(one["over_rate"] + one["over_concurrency"] for one in seen),
        }


def compare_ways() -> None:
    """Pull 10,080 lines in each way and print the figures side by side."""
    vendors = scripts(VENDORS, lines_per_day=120, page_size=25, failing=5, latency_ms=40, requests=20)
    for way in WAYS:
        figures = in_process(way, vendors)
        print(f"{way:8}" + "  ".join(f"{name} {value}" for name, value in figures.items()))


def compare_sizes(sizes: Sequence[int]) -> None:
    """Pull different numbers of lines with the pool and print the resident memory of each."""
    for items in sizes:
        per_day = max(1, items // (VENDORS * DAYS))
        fast = scripts(VENDORS, lines_per_day=per_day, page_size=80, latency_ms=1)
        vendors = [replace(one, requests=1_000, concurrency=4) for one in fast]
        figures = in_process("pool", vendors, window={"days": 2})
        print(f"{items:>9,} lines  " + "  ".join(f"{name} {value}" for name, value in figures.items()))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ways")
    commands.add_parser("memory").add_argument("items", type=int, nargs="+")
    one = commands.add_parser("one")
    one.add_argument("way", choices=WAYS)
    one.add_argument("home", type=Path)
    arguments = parser.parse_args()
    match arguments.command:
        case "ways":
            compare_ways()
        case "memory":
            compare_sizes(arguments.items)
        case _:
            run_one(arguments.way, arguments.home)


if __name__ == "__main__":
    main()
