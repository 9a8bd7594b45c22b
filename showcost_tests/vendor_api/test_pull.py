"""Pulls of many vendors at once: every item once, limits kept, no page fetched twice, loop not blocked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import InputError
from showcost.ingest.landing import landed
from showcost.simulator.running import Simulator, simulated
from showcost.vendor_api.dead_letters import DeadLetters
from showcost.vendor_api.failures import FailureKind
from showcost.vendor_api.health import SLOW_MS
from showcost.vendor_api.pool import PoolSettings
from showcost_tests.vendor_api.vendors import feeds_of, scripts
from showcost_tests.vendor_api.whole import (
    expected_of,
    lines_of,
    outcome_of,
    post_week,
    posted_lines,
    pull_week,
    week_digest,
)
from showcost_tests.whole.small import TUESDAY, WEEK, know_rates, make_home

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.simulator.scripts import Script
    from showcost.vendor_api.pull import Pull
    from showcost.workspace import Workspace

FAULTY = {"failing": 5, "doubled": 2, "bad": 1, "requests": 50}


def _with_a_bad_one(vendors: list[Script]) -> list[Script]:
    """Let the last vendor's responses be unreadable more often than a pull retries."""
    return [*vendors[:-1], replace(vendors[-1], failing=50, faults=("wrong json",))]


SIZES = {
    "some": _with_a_bad_one(scripts(3, lines_per_day=40, page_size=8, **FAULTY)),
    "ten thousand": _with_a_bad_one(scripts(12, lines_per_day=120, page_size=40, **FAULTY)),
}
"""Vendors of whose responses one in twenty fails, and a vendor with one in two."""


def home_of(folder: Path) -> Workspace:
    home = make_home(folder / "home")
    know_rates(home, until=TUESDAY)
    return home


class World:
    """A pull of some vendors, and the requests that they observed."""

    def __init__(self, home: Workspace, simulator: Simulator, vendors: Sequence[Script]) -> None:
        self.home, self.simulator, self.vendors = home, simulator, vendors
        self.feeds: Sequence[FeedSpec] = feeds_of(simulator, vendors)
        self.first: Pull = pull_week(home, self.feeds)
        self.observed = simulator.statistics()

    def settle(self) -> None:
        """Retry failed pages until all are fetched; half of the responses fail."""
        for _ in range(8):
            if not pull_week(self.home, self.feeds, dead_only=True).dead:
                return
        raise AssertionError("the vendor's pages cannot all be fetched")


@pytest.fixture(scope="module", params=["some", pytest.param("ten thousand", marks=pytest.mark.slow)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    vendors = SIZES[request.param]
    with simulated(vendors) as simulator:
        yield World(home_of(tmp_path_factory.mktemp("pull")), simulator, vendors)


def test_failed_pages_are_dead_letters_and_all_others_are_stored(world: World) -> None:
    assert world.first.dead
    assert {letter.error for letter in world.first.dead} == {"unreadable page"}
    for feed in world.first.feeds:
        assert len(feed.complete) + len(feed.dead) == len(WEEK)
        assert not feed.down


def test_the_vendors_limits_were_kept_as_they_measured_them(world: World) -> None:
    for script in world.vendors:
        observed = world.observed[script.name]
        assert (observed["over_rate"], observed["over_concurrency"]) == (0, 0)
        assert observed["most_in_period"] <= script.requests
        assert observed["most_at_once"] <= script.concurrency
    assert sum(sum(observed["faults"].values()) for observed in world.observed.values()) > 0


def test_memory_in_flight_stays_within_the_budget(world: World) -> None:
    assert 0 < world.first.health.peak_in_flight <= PoolSettings().memory_bytes


def test_every_item_is_posted_quarantined_or_duplicate_exactly_once(world: World) -> None:
    world.settle()
    for feed in world.feeds:
        assert DeadLetters(world.home.raw, feed.name).open() == []
    post_week(world.home, world.feeds)
    for script, feed in zip(world.vendors, world.feeds, strict=True):
        assert outcome_of(world.home, feed) == expected_of(script)
        posted = posted_lines(world.home, feed.name)
        assert set(posted.values()) == {1}
        assert len(posted) == expected_of(script)["posted"]


def test_a_pull_of_complete_windows_sends_no_request(world: World) -> None:
    world.settle()
    before = world.simulator.statistics()
    outcome = pull_week(world.home, world.feeds)
    assert all(len(feed.skipped) == len(WEEK) for feed in outcome.feeds)
    assert world.simulator.statistics() == before


def test_no_page_was_fetched_twice(world: World) -> None:
    for observed in world.simulator.statistics().values():
        assert set(observed["fetched"].values()) == {1}


def test_a_tight_rate_is_kept_to_the_request(tmp_path: Path) -> None:
    vendors = scripts(1, lines_per_day=8, page_size=2, requests=6, concurrency=3)
    with simulated(vendors) as simulator:
        pull_week(home_of(tmp_path), feeds_of(simulator, vendors))
        for observed in simulator.statistics().values():
            assert (observed["over_rate"], observed["over_concurrency"]) == (0, 0)
            assert observed["most_in_period"] == 6


def test_feeds_may_share_a_vendor_and_its_limits(tmp_path: Path) -> None:
    vendors = scripts(2, lines_per_day=6, page_size=5)
    limits = {"requests": 4, "seconds": 1, "concurrency": 2}
    with simulated(vendors) as simulator:
        home = home_of(tmp_path)
        feeds = feeds_of(simulator, vendors, vendor="house", limits=limits)
        outcome = pull_week(home, feeds)
        observed = simulator.statistics()
    assert outcome.dead == []
    assert outcome.feeds[0].traffic is outcome.feeds[1].traffic
    assert outcome.feeds[0].traffic.peak_under_way <= 2
    assert sum(vendor_["requests"] for vendor_ in observed.values()) == outcome.feeds[0].traffic.requests
    for script, feed in zip(vendors, feeds, strict=True):
        assert sum(delivery.summary.received for delivery in landed(home, feed)) == lines_of(script).total()
    with pytest.raises(InputError, match="same limits"):
        pull_week(home, [feeds[0], *feeds_of(simulator, vendors[1:], vendor="house")])


def test_a_vendor_without_its_token_gets_no_request_and_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all, guarded = scripts(2, lines_per_day=2)
    guarded = replace(guarded, token="t0ken")  # noqa: S106 -- of a simulated vendor
    with simulated([open_to_all, guarded]) as simulator:
        home = home_of(tmp_path)
        feeds = [
            *feeds_of(simulator, [open_to_all]),
            *feeds_of(simulator, [guarded], auth={"variable": "VENDOR_TOKEN"}),
        ]
        monkeypatch.delenv("VENDOR_TOKEN", raising=False)
        outcome = pull_week(home, feeds)
        assert {letter.error for letter in outcome.dead} == {"not set up"}
        assert "VENDOR_TOKEN" in outcome.dead[0].detail
        assert [len(feed.complete) for feed in outcome.feeds] == [len(WEEK), 0]
        assert simulator.statistics()[guarded.name]["requests"] == 0
        monkeypatch.setenv("VENDOR_TOKEN", "wrong")
        assert {letter.status for letter in pull_week(home, feeds, dead_only=True).dead} == {401}
        monkeypatch.setenv("VENDOR_TOKEN", "t0ken")
        assert pull_week(home, feeds, dead_only=True).dead == []
    assert all(b"t0ken" not in path.read_bytes() for path in home.path.rglob("*") if path.is_file())


def test_a_page_that_is_unreadable_once_is_requested_again(tmp_path: Path) -> None:
    vendor = scripts(1, lines_per_day=30, page_size=5, failing=20, faults=("wrong json",))[0]
    home = home_of(tmp_path)
    with simulated([vendor]) as simulator:
        feeds = feeds_of(simulator, [vendor])
        outcome = pull_week(home, feeds)
    (feed,) = outcome.feeds
    assert outcome.dead == []
    assert feed.traffic.retries == feed.traffic.failures[FailureKind.UNREADABLE] > 0
    assert feed.traffic.requests == feed.pages + feed.traffic.retries
    assert sum(delivery.summary.received for delivery in landed(home, feeds[0])) == lines_of(vendor).total()


def test_an_interrupted_window_may_be_refetched(tmp_path: Path) -> None:
    """Needed for a cursor that the vendor no longer accepts."""
    vendor = scripts(2, lines_per_day=30, page_size=5, failing=70, faults=("wrong json",))[1]
    home = home_of(tmp_path)
    with simulated([vendor]) as simulator:
        dead = pull_week(home, feeds_of(simulator, [vendor])).dead
    assert any(letter.page > 1 for letter in dead)
    with simulated([replace(vendor, failing=0)]) as simulator:
        (feed,) = feeds = feeds_of(simulator, [vendor])
        assert pull_week(home, feeds, again=True).dead == []
        assert DeadLetters(home.raw, feed.name).open() == []
    deliveries = landed(home, feed)
    assert sum(delivery.summary.received for delivery in deliveries) == lines_of(vendor).total()


@pytest.mark.slow
def test_the_loop_is_not_blocked(tmp_path: Path) -> None:
    """A blocking call delays the loop on every try; a busy machine does so at random, hence several tries."""
    vendors = scripts(4, lines_per_day=60, page_size=50)
    busy = 0
    with simulated(vendors) as simulator:
        for number in range(4):
            home, feeds = home_of(tmp_path / str(number)), feeds_of(simulator, vendors)
            simulator.hold_up_ms()
            health = pull_week(home, feeds, PoolSettings(debug=True)).health
            if health.slow_callbacks == 0 and health.longest_hold_up < SLOW_MS:
                return
            # The simulator's loop has little to do, and another processor to do it on.
            busy += simulator.hold_up_ms() > SLOW_MS // 4
    assert busy, f"{health}"
    pytest.skip("the machine is too busy to say")


def test_a_vendor_that_is_down_stops_no_other_and_its_replay_leaves_no_trace(tmp_path: Path) -> None:
    vendors = scripts(2, lines_per_day=15, page_size=10, doubled=10)
    with simulated(vendors) as simulator:
        home = home_of(tmp_path / "never")
        feeds = feeds_of(simulator, vendors)
        pull_week(home, feeds)
        post_week(home, feeds)
        expected = week_digest(home)
    with simulated([vendors[0], replace(vendors[1], dead=True)]) as simulator:
        home = home_of(tmp_path / "down")
        feeds = feeds_of(simulator, vendors)
        outcome = pull_week(home, feeds)
        assert [feed.down for feed in outcome.feeds] == [False, True]
        assert [len(feed.complete) for feed in outcome.feeds] == [len(WEEK), 0]
        assert len(outcome.dead) == len(WEEK)
        requests = simulator.statistics()["vendor_01"]["requests"]
        assert requests < 20, "a vendor that is down gets no more requests"
        post_week(home, feeds)
        assert outcome_of(home, feeds[0]) == expected_of(vendors[0])
        assert outcome_of(home, feeds[1])["received"] == 0
        assert week_digest(home) != expected
        simulator.revive("vendor_01")
        assert pull_week(home, feeds, dead_only=True).dead == []
        post_week(home, feeds[1:])
        assert week_digest(home) == expected
