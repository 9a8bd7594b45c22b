"""What is due is read from what is stored: whatever a crash has left undone is due, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from showcost.config.feeds import choose_feed, load_feeds
from showcost.ingest.landing import land
from showcost.pipeline.due import due_by_landing, due_spans
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost_tests.whole import small
from showcost_tests.whole.steps import take

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

THREE = [small.WEDNESDAY, small.THURSDAY, small.FRIDAY]


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    home = small.make_home(tmp_path / "home", small.UKSPEND)
    small.fill(home)
    land(home, _feed())
    return home


def _feed() -> FeedSpec:
    return choose_feed(load_feeds(), "uk_spend")


def _due(home: Workspace) -> list[date]:
    return list(due_by_landing(home, _feed()).dates)


def _spans(
    home: Workspace, feeds: Sequence[FeedSpec], moment: datetime | None = None
) -> list[tuple[date, date]]:
    now = moment or datetime(2026, 11, 4, 12, tzinfo=UTC)
    return due_spans(home, feeds, clock=lambda: now)


def test_a_run_that_dies_between_two_stages_leaves_its_dates_due(home: Workspace) -> None:
    """Each stage is done for all three dates and the next one not: as a crash leaves it."""
    feed, all_dates = _feed(), _due(home)
    assert [day for day in all_dates if day in THREE] == THREE
    pin_snapshots(home, THREE)
    assert _due(home) == all_dates
    write_raw_rows(home, feed, THREE)
    assert _due(home) == all_dates
    validate_partitions(home, feed, THREE)
    assert _due(home) == all_dates
    post_partitions(home, feed, THREE, "test")
    assert _due(home) == [day for day in all_dates if day not in THREE]


def test_validated_rows_of_earlier_raw_rows_are_due(home: Workspace) -> None:
    take(home, small.WEEK)
    assert _due(home) == []
    more = small.delimited([small.UK_HEADER.split(","), small.spend("T9", "29/10/2026", "n/a")])
    small.deliver(home, "uk_spend", "more.csv", more)
    land(home, _feed())
    write_raw_rows(home, _feed(), [small.THURSDAY])
    assert _due(home) == [small.THURSDAY]


def test_undated_rows_alone_ask_for_one_date(home: Workspace) -> None:
    take(home, small.WEEK)
    assert _spans(home, [_feed()]) == []
    undated = small.delimited([small.UK_HEADER.split(","), small.spend("T9", "no date", "1.00")])
    small.deliver(home, "uk_spend", "undated.csv", undated)
    land(home, _feed())
    assert _spans(home, [_feed()]) == [(small.WEDNESDAY, small.WEDNESDAY)]
    quarantine_undated(home, _feed())
    assert _spans(home, [_feed()]) == []


def test_dates_that_have_not_come_are_not_run(home: Workspace) -> None:
    thursday_evening_in_california = datetime(2026, 10, 30, 4, tzinfo=UTC)
    spans = _spans(home, [_feed()], thursday_evening_in_california)
    assert spans == [(small.WEDNESDAY, small.THURSDAY)]


def test_near_dates_of_all_feeds_share_a_run(
    landed_home: Workspace, posted_home: Workspace, copy: Copy
) -> None:
    feeds = load_feeds("HRB")
    assert _spans(landed_home, feeds) == [(small.WEDNESDAY, small.TUESDAY)]
    assert due_spans(landed_home, feeds, 1, lambda: datetime(2026, 11, 4, tzinfo=UTC)) == [
        (small.WEDNESDAY, small.TUESDAY)
    ]
    assert _spans(posted_home, feeds) == []
    home = copy(posted_home)
    small.know_rates(home, until=small.MONDAY)
    assert _spans(home, feeds) == [(small.MONDAY, small.MONDAY)]
