"""Interrupted storing of a page: every call that changes the disk is once the last one."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, BinaryIO

import httpx
import pytest

from showcost.checks.verify import _SharedInput
from showcost.core.durable import System, using
from showcost.core.errors import IntegrityError, StorageError
from showcost.ingest.landing import landed
from showcost.simulator.running import simulated
from showcost.simulator.scripts import invoices
from showcost.vendor_api.dead_letters import PageRef
from showcost.vendor_api.failures import FailureKind, RequestFailedError
from showcost.vendor_api.page_store import PageContent, PageStore
from showcost.vendor_api.pagination import Pagination
from showcost.vendor_api.pool import FeedWork, Pool, PoolSettings
from showcost.vendor_api.progress import PullProgress
from showcost.vendor_api.windows import Window
from showcost_tests.vendor_api.test_pull import home_of
from showcost_tests.vendor_api.vendors import feed_of, feeds_of, scripts
from showcost_tests.vendor_api.whole import pull_week
from showcost_tests.whole.small import WEDNESDAY, WEEK

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.audit.log import Discrepancy
    from showcost.workspace import Workspace

SCRIPT = scripts(1, lines_per_day=6)[0]
FEED = feed_of(SCRIPT, "http://127.0.0.1:1/x")
WINDOW = Window(WEDNESDAY, WEDNESDAY)
PAGE = json.dumps({"invoices": invoices(SCRIPT, WEDNESDAY, WEDNESDAY)}).encode()
FAILURE = RequestFailedError(FailureKind.TIMEOUT, "ReadTimeout")


class _CrashError(BaseException):
    """End of the process."""


class _Last(System):
    """Ends the process at its n-th call."""

    def __init__(self, number: int) -> None:
        self.left = number

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise _CrashError

    def write(self, stream: BinaryIO, data: bytes, path: Path) -> None:
        self._count()
        super().write(stream, data, path)

    def fsync(self, descriptor: int, path: Path) -> None:
        self._count()
        super().fsync(descriptor, path)

    def rename(self, source: Path, target: Path) -> None:
        self._count()
        super().rename(source, target)


def page_store_of(home: Workspace) -> PageStore:
    return PageStore(home, FEED, home.audit, home.register)


def store(page_store: PageStore) -> None:
    """Fail to fetch the page once, then store it."""
    place = PageRef(WINDOW, 1, 1, None)
    if page_store.progress.of(WINDOW) is None:
        page_store.dead_letter(place, FAILURE, {"method": "GET"})
        assert FEED.api is not None
        assert FEED.items is not None
        page_store.store(
            place, PageContent(PAGE, None), Pagination(FEED.api, FEED.items, httpx.URL("http://x/"))
        )


def _letters(home: Workspace) -> list[Discrepancy]:
    """Return the discrepancies of the dead letters in the verification."""
    evidence = _SharedInput(home, home.audit)
    evidence._feeds = [FEED]
    return evidence.dead_letters()[1]


@pytest.mark.slow
def test_the_next_pull_completes_a_page_after_a_crash_at_any_call(tmp_path: Path) -> None:
    number, crashed = 1, True
    while crashed:
        home = home_of(tmp_path / str(number))
        crashed = False
        with using(_Last(number)):
            try:
                store(page_store_of(home))
            except _CrashError:
                crashed = True
        page_store = page_store_of(home)
        page_store.complete()
        store(page_store)
        (delivery,) = landed(home, FEED)
        assert delivery.summary.received == 6
        assert len(home.register.arrivals(FEED.name)) == 1
        assert len(page_store.progress.pages) == 1
        assert page_store.letters.open() == []
        assert home.audit.verify() == []
        assert _letters(home) == []
        number += 3
    assert number > 30


def test_a_line_that_is_not_a_stored_page_is_an_integrity_error(tmp_path: Path) -> None:
    path = tmp_path / "pulls" / "x.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"first": "2026-10-28"}\n')
    with pytest.raises(IntegrityError, match="line 1"):
        PullProgress(tmp_path, "x")


def test_a_fault_of_this_machine_ends_the_pull_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(PageStore, "store", full)
    with simulated([SCRIPT]) as simulator, pytest.raises(StorageError, match="the disk is full"):
        pull_week(home_of(tmp_path), feeds_of(simulator, [SCRIPT]))


def test_a_cancelled_pull_leaves_no_task_and_resumes(tmp_path: Path) -> None:
    script = scripts(1, lines_per_day=20, page_size=3, latency_ms=2)[0]
    home = home_of(tmp_path)
    with simulated([script]) as simulator:
        (feed,) = feeds_of(simulator, [script])

        async def cancelled() -> int:
            windows = [Window(day, day) for day in WEEK]
            work = FeedWork(PageStore(home, feed, home.audit, home.register), windows)
            pool = Pool([work], PoolSettings())
            running = asyncio.create_task(pool.run())
            while work.pages < 3:  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert running.cancelled()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return pool.health.peak_in_flight

        asyncio.run(cancelled())
        assert pull_week(home, [feed]).dead == []
        fetched = simulator.statistics()[script.name]["fetched"].values()
        assert sum(count > 1 for count in fetched) <= script.concurrency
    assert sum(delivery.summary.received for delivery in landed(home, feed)) == 20 * len(WEEK)
