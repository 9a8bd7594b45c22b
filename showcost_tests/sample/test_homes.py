"""The data folders that come with showcost load, and each has its feeds."""

from __future__ import annotations

import csv
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from showcost.config.feed import FeedSpec, normal_header
from showcost.config.feeds import load_feeds
from showcost.workspace import Workspace, open_workspace
from showcost_tests.corpus import corpus_dir
from showcost_tests.sample.truth import HOME, REPOSITORY, truth

if TYPE_CHECKING:
    from pathlib import Path

UK_SPEND = REPOSITORY / "examples" / "uk_spend"
FOLDERS = [HOME, UK_SPEND]


@pytest.fixture(params=FOLDERS, ids=["sample", "uk_spend"])
def workspace(request: pytest.FixtureRequest) -> Workspace:
    return open_workspace(request.param)


def test_a_home_loads_whole(workspace: Workspace) -> None:
    costs = {account.number for account in workspace.chart if account.kind == "cost"}
    assert set(workspace.budget.amounts) == costs - {workspace.production.control_accounts.currency_rounding}


def test_a_home_needs_no_network(workspace: Workspace) -> None:
    assert "ecb" not in workspace.production.fx.sources


def test_a_home_reports_nothing_and_posts_one_step_at_a_time(workspace: Workspace) -> None:
    settings = (workspace.path / "dagster_home" / "dagster.yaml").read_text(encoding="utf-8")
    assert "enabled: false" in settings
    assert "default_limit: 1" in settings
    assert settings == (REPOSITORY / "showcost" / "dagster.yaml").read_text(encoding="utf-8")


def test_each_home_has_only_its_own_feeds() -> None:
    assert [feed.name for feed in load_feeds("HRB")] == sorted(truth()["feeds"])
    assert [feed.name for feed in load_feeds("UKSPEND")] == ["uk_spend"]


def test_mapped_accounts_stand_in_the_chart() -> None:
    (feed,) = load_feeds("UKSPEND")
    assert feed.accounts is not None
    chart = open_workspace(UK_SPEND).chart
    assert {feed.accounts.otherwise, *feed.accounts.map.values()} <= {account.number for account in chart}


def test_the_sample_production_has_the_settings_that_faults_need() -> None:
    workspace = open_workspace(HOME)
    assert workspace.chart["2290"].closed_on == date(2026, 9, 28)
    assert date(2026, 9, 14) in workspace.production.closed_periods[0]
    assert date(2026, 11, 4) in workspace.production.dates
    assert "BGN" in workspace.production.currencies


def test_every_sample_file_is_taken_by_its_feed() -> None:
    for feed in load_feeds("HRB"):
        folder = HOME / "inbox" / feed.inbox_folder
        taken = {path.name for pattern in feed.patterns for path in folder.glob(pattern)}
        assert taken == {file["file"] for file in truth()["feeds"][feed.name]}


def _names_all_required(feed: FeedSpec, header: list[str]) -> bool:
    names = {normal_header(name) for name in header}
    return all(
        any(normal_header(synonym) in names for synonym in feed.headers_of(field))
        for field in feed.required_fields
        if field not in {"account", "currency"}
    )


def _first_records(path: Path) -> list[list[str]]:
    with path.open(encoding="cp1252", errors="replace", newline="") as stream:
        return list(islice(csv.reader(stream), 120))


@pytest.mark.corpus
def test_every_table_of_the_uk_corpus_has_a_header_that_the_feed_knows() -> None:
    (feed,) = load_feeds("UKSPEND")
    unknown = [
        path.name
        for path in sorted(corpus_dir("uk_spend").iterdir())
        if not any(_names_all_required(feed, record) for record in _first_records(path))
    ]
    # A summary of two columns, text and amount: no file of payments.
    assert unknown == ["GPC_Transparency_data_Jan2015_travel_Stationery.csv"]
