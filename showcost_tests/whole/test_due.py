"""Due partitions are determined from stored data: those left unfinished by a crash, and no others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from showcost.config.feeds import choose_feed, load_feeds
from showcost.ingest.landing import land
from showcost.ledger.queries import active_row_counts
from showcost.pipeline.due import due_by_landing, due_spans
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.unposted import unposted_dates
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
def workspace(tmp_path: Path) -> Workspace:
    workspace = small.make_home(tmp_path / "home", small.UKSPEND)
    small.fill(workspace)
    land(workspace, _feed())
    return workspace


def _feed() -> FeedSpec:
    return choose_feed(load_feeds(), "uk_spend")


def _due(workspace: Workspace) -> list[date]:
    return list(due_by_landing(workspace, _feed()).dates)


def _spans(
    workspace: Workspace, feeds: Sequence[FeedSpec], at: datetime | None = None
) -> list[tuple[date, date]]:
    now = at or datetime(2026, 11, 4, 12, tzinfo=UTC)
    return [(due.first, due.last) for due in due_spans(workspace, feeds, clock=lambda: now)]


def test_a_run_that_dies_between_two_stages_leaves_its_dates_due(workspace: Workspace) -> None:
    """Each step is complete for all three dates and the next step is missing, as after a crash."""
    feed, all_dates = _feed(), _due(workspace)
    assert [day for day in all_dates if day in THREE] == THREE
    pin_snapshots(workspace, THREE)
    assert _due(workspace) == all_dates
    write_raw_rows(workspace, feed, THREE)
    assert _due(workspace) == all_dates
    validate_partitions(workspace, feed, THREE)
    assert _due(workspace) == all_dates
    post_partitions(workspace, feed, THREE, "test")
    assert _due(workspace) == [day for day in all_dates if day not in THREE]


def test_as_many_posted_rows_as_valid_ones_are_not_taken_for_the_same(workspace: Workspace) -> None:
    """A row stays posted when a later reading of its delivery no longer finds it valid."""
    feed, day = _feed(), small.THURSDAY
    take(workspace, small.WEEK)
    with workspace.ledger.read() as connection:
        posted = active_row_counts(connection, feed.name)
    assert unposted_dates(workspace, feed, posted) == set()
    more = small.delimited([small.UK_HEADER.split(","), small.spend("T9", "29/10/2026", "26,000.00")])
    small.deliver(workspace, feed.name, "more.csv", more)
    land(workspace, feed)
    write_raw_rows(workspace, feed, [day])
    validate_partitions(workspace, feed, [day])
    one_more = posted | {day: posted[day] + 1}
    assert unposted_dates(workspace, feed, posted) == unposted_dates(workspace, feed, one_more) == {day}
    post_partitions(workspace, feed, [day], "test")
    assert unposted_dates(workspace, feed, one_more) == set()


def test_validated_rows_of_earlier_raw_rows_are_due(workspace: Workspace) -> None:
    take(workspace, small.WEEK)
    assert _due(workspace) == []
    more = small.delimited([small.UK_HEADER.split(","), small.spend("T9", "29/10/2026", "n/a")])
    small.deliver(workspace, "uk_spend", "more.csv", more)
    land(workspace, _feed())
    write_raw_rows(workspace, _feed(), [small.THURSDAY])
    assert _due(workspace) == [small.THURSDAY]


def test_undated_rows_alone_ask_for_one_date(workspace: Workspace) -> None:
    take(workspace, small.WEEK)
    assert _spans(workspace, [_feed()]) == []
    undated = small.delimited([small.UK_HEADER.split(","), small.spend("T9", "no date", "1.00")])
    small.deliver(workspace, "uk_spend", "undated.csv", undated)
    land(workspace, _feed())
    assert _spans(workspace, [_feed()]) == [(small.WEDNESDAY, small.WEDNESDAY)]
    quarantine_undated(workspace, _feed())
    assert _spans(workspace, [_feed()]) == []


def test_dates_that_have_not_come_are_not_run(workspace: Workspace) -> None:
    thursday_evening_in_california = datetime(2026, 10, 30, 4, tzinfo=UTC)
    spans = _spans(workspace, [_feed()], thursday_evening_in_california)
    assert spans == [(small.WEDNESDAY, small.THURSDAY)]


def test_near_dates_of_all_feeds_share_a_run(
    landed_home: Workspace, posted_home: Workspace, copy: Copy
) -> None:
    feeds = load_feeds("HRB")
    assert _spans(landed_home, feeds) == [(small.WEDNESDAY, small.TUESDAY)]
    noon = datetime(2026, 11, 4, tzinfo=UTC)
    (due,) = due_spans(landed_home, feeds, 1, lambda: noon)
    assert (due.first, due.last) == (small.WEDNESDAY, small.TUESDAY)
    # Feeds without a delivery are not run.
    assert due.feeds == {"location_permits", "payroll_manifest", "vendor_invoices_de"}
    assert _spans(posted_home, feeds) == []
    workspace = copy(posted_home)
    small.know_rates(workspace, until=small.MONDAY)
    assert _spans(workspace, feeds) == [(small.MONDAY, small.MONDAY)]
