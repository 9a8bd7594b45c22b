"""Whatever is thrown at one feed or one vendor, the others land, post and balance, twice.

The long version: `make strangers SECONDS=3600`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from showcost.ingest.landing import landed
from showcost_tests.strangers.laws import check_inbox, check_vendor, vendors
from showcost_tests.vendor_api.hostile import answer, serving
from showcost_tests.vendor_api.vendors import feed_of, scripts
from showcost_tests.vendor_api.whole import outcome_of, pull_week
from showcost_tests.whole.small import make_home

if TYPE_CHECKING:
    from pathlib import Path


def test_entries_of_an_inbox_cost_their_own_feed_alone(tmp_path: Path) -> None:
    check_inbox(tmp_path, 1, rounds=1, thrown=12, verified=False)


def test_a_feed_whose_pages_are_all_empty_has_a_status(tmp_path: Path) -> None:
    workspace = make_home(tmp_path / "home")
    pages: defaultdict[str, bytes] = defaultdict(lambda: answer(b'{"invoices": []}'))
    with serving(pages) as vendor:
        feed = feed_of(scripts(1)[0], vendor.url)
        pull_week(workspace, [feed])
    assert landed(workspace, feed)
    assert set(outcome_of(workspace, feed).values()) == {0}


def test_answers_of_a_vendor_cost_that_vendor_alone(tmp_path: Path) -> None:
    with vendors(tmp_path) as (workspace, simulator):
        check_vendor(workspace, simulator, 1)
