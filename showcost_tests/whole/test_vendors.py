"""Vendors' APIs through Dagster: pulled dates, dead letters and provisional accruals, per partition."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from showcost.components import naming
from showcost.config.feeds import choose_feed
from showcost.defs.automation.jobs import request_night
from showcost.defs.automation.sensors import VENDOR_TAG, due_work, pull_missing
from showcost.pipeline.accruals import apply_fallback, open_accruals
from showcost.pipeline.due_now import due_now
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.vendor_pulls import missing_pages
from showcost.vendor_api.pull import PullRequest, pull
from showcost.workspace import HOME_VARIABLE
from showcost_tests.defs.loading import load
from showcost_tests.vendor_api.sample import sample_home, serving_sample
from showcost_tests.whole.running import instance_of, metadata, row_counts, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.simulator.running import Simulator
    from showcost.workspace import Workspace

FIRST, LAST = date(2026, 10, 23), date(2026, 10, 26)
DAYS = ["2026-10-23", "2026-10-24", "2026-10-25", "2026-10-26"]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with serving_sample(monkeypatch) as running:
        yield running


@pytest.mark.usefixtures("simulator")
def test_one_step_pulls_for_all_feeds_and_tells_of_each_date(tmp_path: Path) -> None:
    workspace = sample_home(tmp_path)
    graph = load(workspace.path).get_repository_def()
    pulled = graph.assets_defs_by_key[naming.pulled_key("pickup_grip")]
    letters = graph.assets_defs_by_key[naming.dead_letters_key("pickup_grip")]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [pulled, letters],
            instance=instance,
            tags={naming.RANGE_START: DAYS[0], naming.RANGE_END: DAYS[-1]},
            run_config={"ops": {"pull_vendors": {"config": {"debug": True}}}},
        )
        assert result.success
        for feed, state in (("pickup_camera", "complete"), ("pickup_grip", "missing")):
            states = metadata(instance, naming.pulled_key(feed), "state")
            assert {day: value.value for day, value in states.items()} == dict.fromkeys(DAYS, state)
        (grip,) = result.asset_materializations_for_node("dead_letters_pickup_grip")
        assert grip.metadata["dagster/row_count"].value == 4
        assert "SC-API-001" in str(grip.metadata["reason"].value)
        camera = next(
            event
            for event in result.asset_materializations_for_node("pull_vendors")
            if event.asset_key == naming.pulled_key("pickup_camera")
        )
        assert {"requests", "retries", "requests_per_minute", "machine", "troubles"} <= camera.metadata.keys()
        logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
        assert any("max event-loop delay" in message for message in logged)
        machine = camera.metadata["machine"]
        assert isinstance(machine, dg.TableMetadataValue)
        measures = {str(row.data["measure"]) for row in machine.records}
        assert {"longest_hold_up", "slow_callbacks", "peak_resident", "peak_waiting_pages"} <= measures


@pytest.mark.slow
def test_a_vendor_that_is_down_is_stood_in_for_and_gives_way(tmp_path: Path, simulator: Simulator) -> None:
    workspace = sample_home(tmp_path)
    down = run(workspace, FIRST, LAST)
    assert down.success
    warned = {(check.asset, check.check) for check in down.failed_checks if check.severity == "WARN"}
    assert ("pulled_pickup_grip", "dates_complete") in warned
    assert ("dead_letters_pickup_grip", "nothing_missing") in warned
    accruals = open_accruals(workspace, FIRST, LAST)
    assert accruals is not None
    assert accruals.num_rows == 5
    simulator.revive("grip")
    assert run(workspace, FIRST, LAST).success
    accruals = open_accruals(workspace, FIRST, LAST)
    assert accruals is not None
    assert accruals.num_rows == 0
    with instance_of(workspace) as instance:
        posted = row_counts(instance, naming.posted_key("pickup_grip"))
        assert all(posted[day] for day in DAYS)
        assert set(row_counts(instance, naming.provisional_key("pickup_grip")).values()) == {0}


@pytest.fixture
def grip_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: Simulator) -> Workspace:
    """Return the sample after a pull in which the grip house failed and was accrued by its terms."""
    assert simulator.url
    workspace = sample_home(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    feeds = workspace.feeds
    pull(workspace, feeds, PullRequest(FIRST, LAST))
    days = [date.fromisoformat(day) for day in DAYS]
    pin_snapshots(workspace, days)
    apply_fallback(workspace, choose_feed(feeds, "pickup_grip"), days)
    return workspace


def _tick(
    instance: dg.DagsterInstance, now: datetime, cursor: str | None = None
) -> tuple[list[dg.RunRequest], str | None]:
    """Return the run requests of a sensor tick, and its cursor."""
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = pull_missing(context, now)
    if isinstance(result, dg.SkipReason):
        return [], cursor
    return list(result.run_requests or []), result.cursor


def test_an_accrual_of_a_missing_date_is_due_until_it_is_made(tmp_path: Path, simulator: Simulator) -> None:
    assert simulator.url
    workspace = sample_home(tmp_path)
    grip = choose_feed(workspace.feeds, "pickup_grip")

    def due_days() -> set[str]:
        due = due_now(workspace).feeds[grip.name]
        return {str(work.day) for work in due_work(workspace.production, grip.name, due)}

    pull(workspace, workspace.feeds, PullRequest(FIRST, LAST))
    days = [date.fromisoformat(day) for day in DAYS]
    pin_snapshots(workspace, days)
    assert due_days() == set(DAYS)
    apply_fallback(workspace, grip, days)
    assert due_days() == set()


def night(instance: dg.DagsterInstance, day: date) -> dict[str, tuple[str, str]]:
    """Return the dates that a night requests from vendors, by vendor."""
    moment = datetime(day.year, day.month, day.day, 6, tzinfo=ZoneInfo("America/Los_Angeles"))
    result = request_night(
        dg.build_schedule_context(instance=instance, scheduled_execution_time=moment.astimezone(UTC))
    )
    every = result if isinstance(result, list) else []
    requests = [request for request in every if VENDOR_TAG in request.tags]
    for request in requests:
        assert request.tags[VENDOR_TAG] in str(request.asset_selection)
    return {
        request.tags[VENDOR_TAG]: (request.tags[naming.RANGE_START], request.tags[naming.RANGE_END])
        for request in requests
    }


def test_a_night_pulls_what_was_not_pulled_to_the_end_also_after_missed_nights(
    tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert simulator.url
    workspace = sample_home(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    start, day = workspace.production.dates.start, timedelta(days=1)
    names = {feed.name for feed in workspace.feeds}
    with dg.instance_for_test() as instance:
        assert night(instance, start) == {}
        assert night(instance, start + day) == dict.fromkeys(names, (str(start), str(start)))
        assert night(instance, start + 4 * day) == dict.fromkeys(names, (str(start), str(start + 3 * day)))
        pull(workspace, workspace.feeds, PullRequest(start, start + 3 * day))
        failed = night(instance, start + 4 * day)
        assert "pickup_grip" in failed, "it was down"
        assert "pickup_camera" not in failed
        after = start + 4 * day
        assert night(instance, start + 5 * day)["pickup_camera"] == (str(after), str(after))


def test_a_vendor_is_asked_again_after_its_pause_and_only_then(grip_down: Workspace) -> None:
    feed = choose_feed(grip_down.feeds, "pickup_grip")
    tried = max(datetime.fromisoformat(letter.last_seen) for letter in missing_pages(grip_down, feed))
    after = tried + timedelta(minutes=61)
    with dg.DagsterInstance.ephemeral() as instance:
        assert _tick(instance, tried + timedelta(minutes=59)) == ([], None)
        (request,), cursor = _tick(instance, after)
        assert request.run_key is None, "Dagster would never run a key again"
        span = request.tags[naming.RANGE_START], request.tags[naming.RANGE_END]
        assert span == (DAYS[0], DAYS[-1])
        selected = {*(request.asset_selection or [])}
        keys = {naming.pulled_key, naming.raw_key, naming.posted_key, naming.provisional_key}
        assert {key("pickup_grip") for key in keys} | {naming.LEDGER_ENTRIES} <= selected
        assert not {key("pickup_camera") for key in keys} & selected
        assert json.loads(cursor or "") == {"pickup_grip": after.isoformat()}

        (lost,), _ = _tick(instance, after + timedelta(minutes=1))
        assert lost == request, "a tick whose cursor was lost asks for the same"
        assert _tick(instance, after + timedelta(minutes=59), cursor) == ([], cursor)
        (later,), _ = _tick(instance, after + timedelta(minutes=60), cursor)
        assert later == request, "a run that never came to pull is made up for"

        run = dg.DagsterRun(
            "job", tags={"showcost/vendor": "pickup_grip"}, status=dg.DagsterRunStatus.STARTED
        )
        instance.add_run(run)
        assert _tick(instance, after + timedelta(days=1), cursor) == ([], cursor)


def test_what_a_person_has_to_see_to_is_left_alone(
    grip_down: Workspace, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
) -> None:
    feed = choose_feed(grip_down.feeds, "pickup_grip")
    monkeypatch.setenv("SHOWCOST_GRIP_URL", f"{simulator.url}/nobody/invoices")
    pull(grip_down, [feed], PullRequest(FIRST, LAST, dead_only=True))
    assert {letter.error for letter in missing_pages(grip_down, feed)} == {"refused status"}
    with dg.DagsterInstance.ephemeral() as instance:
        assert _tick(instance, datetime.now(UTC) + timedelta(days=9)) == ([], None)


def test_a_vendor_that_is_back_releases_what_stood_in_for_it(
    grip_down: Workspace, simulator: Simulator
) -> None:
    simulator.revive("grip")
    accruals = open_accruals(grip_down, FIRST, LAST)
    assert accruals is not None
    assert accruals.num_rows == 5
    job = load(grip_down.path).get_repository_def().get_job(naming.JOB)
    later = datetime.now(UTC) + timedelta(hours=2)
    with dg.DagsterInstance.ephemeral() as instance:
        (request,), cursor = _tick(instance, later)
        result = job.execute_in_process(
            instance=instance, asset_selection=list(request.asset_selection or []), tags=request.tags
        )
        assert result.success
        posted = row_counts(instance, naming.posted_key("pickup_grip"))
        assert all(posted[day] for day in DAYS)
        assert _tick(instance, later + timedelta(days=1), cursor) == ([], cursor)
    accruals = open_accruals(grip_down, FIRST, LAST)
    assert accruals is not None
    assert accruals.num_rows == 0
