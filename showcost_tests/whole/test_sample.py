"""The sample production through Dagster, compared with its true outcome, row by row and to the cent."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from showcost.cli.demo import posted_total
from showcost.cli.options import days_between
from showcost.config.feeds import load_feeds
from showcost.ingest.landing import landed
from showcost.pipeline.due import due_by_landing
from showcost.reports.status import feed_status
from showcost.staging.assets import quarantine_asset, records_asset, undated_asset
from showcost.workspace import Workspace, open_workspace
from showcost_tests.sample.truth import HOME, truth
from showcost_tests.whole import entries
from showcost_tests.whole.running import run
from showcost_tests.whole.steps import counts, land_all, ledger_digest, take

if TYPE_CHECKING:
    from datetime import date

    from showcost.orchestration.runs import RunOutcome
    from showcost_tests.whole.conftest import Copy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

FEEDS = {feed.name: feed for feed in load_feeds("HRB")}
_LEFT_BY_RUNS = shutil.ignore_patterns(
    "raw", "staging", "audit", "published", "locks", "ledger.duckdb*", "history", "schedules", "storage"
)
COMPONENTS = {
    "net_amount": "net",
    "tax_amount": "tax",
    "fee_amount": "fee",
    "deposit_amount": "deposit",
    "gross": "gross",
    "benefit_amount": "benefit",
}
"""The posted component of each amount of the true outcome."""

_TELLING = 5
"""Minimum length of a text that can identify a person; shorter texts occur by chance."""

_POSTED = """
SELECT feed, currency, component, count(*), sum(amount) FROM ledger_entries GROUP BY ALL
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a copy of the sample production, without files that runs have left in the committed folder."""
    folder = tmp_path_factory.mktemp("fresh") / "data"
    shutil.copytree(HOME, folder, ignore=_LEFT_BY_RUNS)
    return open_workspace(folder)


@pytest.fixture(scope="module")
def ran(fresh: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, RunOutcome]:
    """Return the production after one run over all its dates, and the outcome of the run."""
    folder = tmp_path_factory.mktemp("ran") / "data"
    shutil.copytree(fresh.path, folder)
    workspace = open_workspace(folder)
    dates = workspace.production.dates
    return workspace, run(workspace, dates.start, dates.end)


@pytest.fixture(scope="module")
def fresh_landed(fresh: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the production with all deliveries landed and nothing materialised."""
    folder = tmp_path_factory.mktemp("landed") / "data"
    shutil.copytree(fresh.path, folder)
    workspace = open_workspace(folder)
    land_all(workspace)
    return workspace


def _dates(workspace: Workspace) -> list[date]:
    return days_between(workspace.production.dates.start, workspace.production.dates.end)


def _files(feed: str) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = truth()["feeds"][feed]
    return [file for file in files if not file["same_bytes_as"]]


def test_the_run_succeeds_and_only_warns(ran: tuple[Workspace, RunOutcome]) -> None:
    workspace, outcome = ran
    assert outcome.failures == ()
    assert (outcome.success, outcome.partitions) == (True, len(_dates(workspace)))
    assert {check.severity for check in outcome.failed_checks} == {"WARN"}


def test_all_rows_are_where_the_truth_says(ran: tuple[Workspace, RunOutcome]) -> None:
    workspace, _ = ran
    planted = [
        row for feed in FEEDS for file in _files(feed) if not file["file_code"] for row in file["planted"]
    ]
    expected = Counter(row["disposition"] for row in planted)
    refused = sum(1 for feed in FEEDS for file in _files(feed) if file["file_code"])
    received = truth()["received"]
    assert counts(workspace) == {
        "received": received,
        "posted": received - len(planted) - refused,
        "quarantined": expected["quarantined"] + refused,
        "duplicate": expected["duplicate"],
        "pending": expected["pending"],
        "discarded": 0,
    }
    assert posted_total(workspace).cost == Decimal("6225715.68")
    codes: Counter[str] = Counter()
    for feed in FEEDS.values():
        codes.update(feed_status(workspace, feed).codes)
    # A row of payroll that is only flagged is posted, and has a pay finding.
    codes.update(finding.code for finding in workspace.pay_findings.current())
    assert codes == truth()["codes"]


@pytest.mark.parametrize("feed", FEEDS)
def test_every_delivery_is_what_the_truth_says(feed: str, ran: tuple[Workspace, RunOutcome]) -> None:
    status = feed_status(ran[0], FEEDS[feed])
    results = {
        delivery.arrival.delivery: (delivery.summary.refused, tally.received, tally.posted)
        for delivery, tally in status.deliveries
    }
    assert results == {
        file["sha256"]: (
            file["file_code"],
            file["received"],
            sum(int(totals["rows"]) for totals in file["posted"].values()),
        )
        for file in _files(feed)
    }


@pytest.mark.parametrize("feed", FEEDS)
def test_every_planted_row_is_in_quarantine_with_its_code(
    feed: str, ran: tuple[Workspace, RunOutcome]
) -> None:
    store = ran[0].staging
    quarantined = set()
    for asset in (quarantine_asset(feed), undated_asset(feed)):
        for partition in store.partitions(asset):
            rows = store.read(asset, partition).select(["delivery", "record", "codes", "disposition"])
            quarantined |= {
                (row["delivery"], row["record"], ",".join(row["codes"]), row["disposition"])
                for row in rows.to_pylist()
            }
    expected = set()
    for file in _files(feed):
        if file["file_code"]:
            expected.add((file["sha256"], 0, file["file_code"], "quarantined"))
            continue
        expected |= {
            (file["sha256"], row["record"], row["code"], row["disposition"]) for row in file["planted"]
        }
    assert quarantined == expected


def test_every_true_amount_is_posted(ran: tuple[Workspace, RunOutcome]) -> None:
    expected: dict[tuple[str, str, str], Decimal] = {}
    for feed in FEEDS:
        for currency, totals in (
            (key, value) for file in _files(feed) for key, value in file["posted"].items()
        ):
            for name, component in COMPONENTS.items():
                key = (feed, currency, component)
                expected[key] = expected.get(key, Decimal(0)) + Decimal(totals.get(name, "0"))
    with ran[0].ledger.read() as connection:
        rows = connection.execute(_POSTED).fetchall()
    posted = {(feed, currency, component): total for feed, currency, component, _, total in rows}
    assert posted == {key: total for key, total in expected.items() if total or key in posted}


def test_every_base_amount_is_that_of_an_independent_recomputation(ran: tuple[Workspace, RunOutcome]) -> None:
    assert entries.count(ran[0]) > 5_000
    assert entries.wrongly_converted(ran[0]) == []


def _shown_by_dagster(workspace: Workspace) -> str:
    """Return all stored events of all runs."""
    events: list[str] = []
    for path in (workspace.path / "dagster_home" / "history").rglob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if "event_logs" in tables:
                events += [event for (event,) in connection.execute("SELECT event FROM event_logs")]
    return "\n".join(events)


def test_nothing_that_dagster_shows_names_a_person(ran: tuple[Workspace, RunOutcome]) -> None:
    """The UI shows events to everybody: no employee, no tax id, no raw text of a rejected row."""
    workspace, _ = ran
    shown, store = _shown_by_dagster(workspace), workspace.staging
    assert "no_rejected_rows" in shown
    # Every feed has something to hide but this one: no field of it is personal, and no row of it is rejected.
    unplanted = {"budget_revisions"}
    assert unplanted == {name for name in FEEDS if not any(file["planted"] for file in _files(name))}
    for feed in FEEDS.values():
        personal = [field.name for field in feed.kind.fields if field.personal]
        hidden: set[str] = set()
        for delivery in landed(workspace, feed):
            rows = store.read(records_asset(feed.name), delivery.arrival.delivery)
            for name in personal:
                hidden |= {text for text in rows.column(name).to_pylist() if text and len(text) >= _TELLING}
        for day in store.partitions(quarantine_asset(feed.name)):
            hidden |= set(store.read(quarantine_asset(feed.name), day).column("raw").to_pylist())
        assert bool(hidden) == (feed.name not in unplanted)
        assert [text for text in sorted(hidden) if text in shown] == []


def test_the_ledger_is_the_same_day_by_day_backwards(
    fresh_landed: Workspace, ran: tuple[Workspace, RunOutcome], copy: Copy
) -> None:
    """Process each feed on the dates of its rows; other dates have no work."""
    workspace = copy(fresh_landed)
    due = {name: due_by_landing(workspace, feed).dates for name, feed in FEEDS.items()}
    for day in reversed(_dates(workspace)):
        take(workspace, [day], feeds=[name for name, days in due.items() if day in days])
    assert ledger_digest(workspace) == ledger_digest(ran[0])
    assert counts(workspace) == counts(ran[0])


def test_the_ledger_is_the_same_week_by_week_in_small_chunks(
    fresh_landed: Workspace, ran: tuple[Workspace, RunOutcome], copy: Copy
) -> None:
    workspace, dates = copy(fresh_landed), _dates(fresh_landed)
    for start in range(0, len(dates), 7):
        take(workspace, dates[start : start + 7], validated_at_once=17, posted_at_once=29)
    assert ledger_digest(workspace) == ledger_digest(ran[0])


def test_a_second_delivery_of_everything_posts_nothing(ran: tuple[Workspace, RunOutcome], copy: Copy) -> None:
    """Each file arrives again under another name, and once more with other line endings."""
    workspace = copy(ran[0])
    for path in [path for path in workspace.inbox.rglob("*") if path.is_file()]:
        content = path.read_bytes()
        path.with_name(f"again {path.name}").write_bytes(content)
        if path.name.endswith(".csv"):
            other = content.replace(b"\r\n", b"\n") if b"\r\n" in content else content.replace(b"\n", b"\r\n")
            path.with_name(f"other {path.name}").write_bytes(other)
    land_all(workspace)
    take(workspace, _dates(workspace))
    assert ledger_digest(workspace) == ledger_digest(ran[0])
    first, now = counts(ran[0]), counts(workspace)
    assert now["posted"] == first["posted"]
    assert now["pending"] == first["pending"]
    assert now["received"] > 1.9 * first["received"]
