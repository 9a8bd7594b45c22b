"""Killed pulls resume where they stopped: no item twice, none missing, no page fetched again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from showcost.config.feed import FeedSpec
from showcost.ingest.landing import landed
from showcost.simulator.running import Simulator, simulated
from showcost.vendor_api.progress import PullProgress
from showcost.workspace import open_workspace
from showcost_tests.vendor_api.test_pull import home_of
from showcost_tests.vendor_api.vendors import feeds_of, scripts
from showcost_tests.vendor_api.whole import (
    expected_of,
    lines_of,
    outcome_of,
    post_week,
    pull_week,
    week_digest,
)

if TYPE_CHECKING:
    from showcost.workspace import Workspace

VENDORS = scripts(2, lines_per_day=30, page_size=4, latency_ms=1, requests=500, concurrency=3)


def main() -> None:
    """Pull the week of the feeds named on stdin into the data folder given as argument."""
    feeds = [FeedSpec.model_validate_json(line) for line in sys.stdin]
    home = open_workspace(Path(sys.argv[1]))
    sys.stdout.write("pulling\n")
    sys.stdout.flush()
    outcome = pull_week(home, feeds)
    sys.stdout.write(json.dumps([len(feed.complete) for feed in outcome.feeds]))


def _killed(home: Path, feeds: list[FeedSpec], after_seconds: float) -> bool:
    """Pull in a separate process that is killed; return whether the pull had started."""
    process = subprocess.Popen(  # noqa: S603 -- this interpreter
        [sys.executable, "-m", "showcost_tests.vendor_api.test_killed", str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin as stdin:
        stdin.write("".join(f"{feed.model_dump_json()}\n" for feed in feeds))
        stdin.close()
        assert process.stdout.readline() == "pulling\n"
        time.sleep(after_seconds)
        os.kill(process.pid, signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def _stored(home: Path, feeds: list[FeedSpec]) -> int:
    return sum(len(PullProgress(home / "raw", feed.name).pages) for feed in feeds)


def _refetched(simulator: Simulator) -> int:
    """Return the number of pages fetched more than once."""
    return sum(
        count > 1 for observed in simulator.statistics().values() for count in observed["fetched"].values()
    )


def _kill_and_resume(folder: Path, kills: list[float]) -> tuple[Workspace, list[FeedSpec]]:
    """Pull, killed after each of some seconds, then to the end; assert that no page is stored twice."""
    with simulated(VENDORS) as simulator:
        feeds = feeds_of(simulator, VENDORS)
        home = home_of(folder)
        for seconds in kills:
            _killed(home.path, feeds, seconds)
        stored = _stored(home.path, feeds)
        outcome = pull_week(home, feeds)
        assert outcome.dead == []
        under_way = sum(script.concurrency for script in VENDORS) * len(kills)
        assert _refetched(simulator) <= under_way, "only requests that were under way at the kill"
        assert stored + sum(feed.pages for feed in outcome.feeds) == sum(
            len(observed["fetched"]) for observed in simulator.statistics().values()
        )
    for script, feed in zip(VENDORS, feeds, strict=True):
        deliveries = landed(home, feed)
        assert sum(delivery.summary.received for delivery in deliveries) == lines_of(script).total()
        pages = PullProgress(home.raw, feed.name).pages
        assert {delivery.arrival.delivery for delivery in deliveries} == {page.delivery for page in pages}
    return home, feeds


@pytest.mark.slow
def test_a_killed_pull_resumes(tmp_path: Path) -> None:
    _kill_and_resume(tmp_path, [0.5, 0.8])


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the digest of an uninterrupted pull."""
    with simulated(VENDORS) as simulator:
        feeds = feeds_of(simulator, VENDORS)
        home = home_of(tmp_path_factory.mktemp("clean"))
        pull_week(home, feeds)
    post_week(home, feeds)
    return week_digest(home)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_pull_that_is_killed_repeatedly_gives_the_same_ledger(
    tmp_path: Path, expected: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- no secret
    home, feeds = _kill_and_resume(tmp_path, [chance.uniform(0.2, 1.5) for _ in range(4)])
    post_week(home, feeds)
    for script, feed in zip(VENDORS, feeds, strict=True):
        assert outcome_of(home, feed) == expected_of(script)
    assert week_digest(home) == expected


if __name__ == "__main__":
    main()
