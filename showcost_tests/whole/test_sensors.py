"""Sensors request landings, due dates and reports from the stored state, again while they stay due."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

from showcost.components import naming
from showcost.config.feeds import choose_feed, load_feeds
from showcost.defs.automation import sensors
from showcost.defs.automation.jobs import request_night
from showcost.defs.automation.sensors import AS_OF_TAG, HEAD_TAG, release_rates, watch_inbox
from showcost.ingest.landing import land, landed
from showcost.ledger.periods import Period
from showcost.pipeline.periods import close_period, reopen_period
from showcost.workspace import HOME_VARIABLE, Workspace, open_workspace
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, ledger_digest, take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost_tests.whole.conftest import Copy

NOW = datetime(2026, 11, 4, 9, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = small.make_home(tmp_path / "home")
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    return workspace


@pytest.fixture
def posted(posted_home: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return the production after its week was materialised."""
    workspace = copy(posted_home)
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    return workspace


@dataclass
class Ticks:
    """A sensor that ticks again and again, as the daemon would let it: with its cursor, and runs it knows."""

    tick: Callable[[dg.SensorEvaluationContext, datetime], dg.SensorResult | dg.SkipReason]
    instance: dg.DagsterInstance
    now: datetime = NOW
    cursor: str | None = None

    def __call__(self, *, minutes: int = 0) -> list[dg.RunRequest]:
        """Tick some minutes later; return the requests."""
        return list(self.result(minutes=minutes).run_requests or [])

    def skipped(self) -> str:
        """Tick and return the reason for which nothing was requested."""
        result = self.result()
        assert not result.run_requests
        message = result.skip_reason
        return message.skip_message or "" if isinstance(message, dg.SkipReason) else str(message)

    def result(self, *, minutes: int = 0) -> dg.SensorResult:
        self.now += timedelta(minutes=minutes)
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self.tick(context, self.now)
        if isinstance(result, dg.SkipReason):
            return dg.SensorResult(skip_reason=result)
        self.cursor = result.cursor
        return result

    def start(self, request: dg.RunRequest) -> str:
        """Note a run as started, in a process that lives, and return its id."""
        run = dg.DagsterRun(
            job_name=naming.JOB,
            tags=dict(request.tags),
            status=dg.DagsterRunStatus.STARTED,
            asset_selection=frozenset(request.asset_selection or []),
        )
        self.instance.add_run(run)
        return run.run_id

    def end(self, run_id: str, *, success: bool = False) -> None:
        """End a run without any effect, as one that failed, or as one that succeeded."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        if success:
            ended = dg.DagsterEvent(
                event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name=run.job_name
            )
            self.instance.report_dagster_event(ended, run_id)
        else:
            self.instance.report_run_failed(run)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def inbox(instance: dg.DagsterInstance) -> Ticks:
    return Ticks(watch_inbox, instance)


@pytest.fixture
def rates(instance: dg.DagsterInstance) -> Ticks:
    return Ticks(release_rates, instance)


def _feeds_to_land(requests: Iterable[dg.RunRequest]) -> set[str]:
    keys = {key.to_user_string() for request in requests for key in request.asset_selection or []}
    return {key.removeprefix("deliveries_") for key in keys if key.startswith("deliveries_")}


def _spans(requests: Iterable[dg.RunRequest]) -> dict[tuple[str, str], set[str]]:
    """Return the feeds whose posting is requested, by the requested range."""
    return {
        (request.tags[naming.RANGE_START], request.tags[naming.RANGE_END]): {
            key.to_user_string().removeprefix("posted_")
            for key in request.asset_selection or []
            if key.to_user_string().startswith("posted_")
        }
        for request in requests
        if naming.RANGE_START in request.tags
    }


def _is_of_reports(request: dg.RunRequest) -> bool:
    return naming.COST_REPORT in (request.asset_selection or [])


def test_an_empty_inbox_requests_nothing(workspace: Workspace, inbox: Ticks) -> None:
    assert workspace.path.exists()
    assert inbox.skipped() == "nothing new in the inbox, and nothing is due"


ALL_FEEDS = {"location_permits", "payroll_manifest", "vendor_invoices_de"}


def test_new_files_are_landed_by_a_run_and_then_their_dates_are_due(
    workspace: Workspace, inbox: Ticks
) -> None:
    small.fill(workspace)
    (landing,) = inbox()
    assert _feeds_to_land([landing]) == ALL_FEEDS
    assert set(landing.tags["showcost/feeds"].split()) == ALL_FEEDS
    run = inbox.start(landing)
    names = "location_permits deliveries; payroll_manifest deliveries; vendor_invoices_de deliveries"
    assert inbox.skipped() == f"under way: 3 of 3 due ({names})"
    land_all(workspace)
    inbox.end(run)
    requests = inbox()
    assert _spans(requests) == {("2026-10-28", "2026-11-03"): ALL_FEEDS}
    (request,) = requests
    assert request.tags["showcost/dates"] == "2026-10-28 to 2026-11-03"
    chosen = {*(request.asset_selection or [])}
    assert {naming.FX_SNAPSHOTS, naming.LEDGER_ENTRIES, naming.QUEUE, naming.GUILD_PACKS} <= chosen
    assert naming.undated_key("vendor_invoices_de") in chosen


def test_dates_under_way_are_not_requested_again(workspace: Workspace, inbox: Ticks) -> None:
    small.fill(workspace)
    land_all(workspace)
    (request,) = inbox()
    inbox.start(request)
    for _ in range(3):
        assert inbox(minutes=60) == []
    # Another feed's late row on a date of the run is not what the run does.
    late = small.german([small.Invoice("R20", "28.10.2026", "1,00", "0,19", "1,19")])
    small.deliver(workspace, "vendor_invoices_de", "3 later.csv", late)
    assert _feeds_to_land(inbox()) == {"vendor_invoices_de"}


DE = "vendor_invoices_de"


def late_bill(workspace: Workspace, *days: str) -> None:
    """Land a late invoice of each of some dates."""
    bills = [small.Invoice(f"R2{number}", day, "1,00", "0,19", "1,19") for number, day in enumerate(days)]
    small.deliver(workspace, DE, f"late {' '.join(days)}.csv", small.german(bills))
    land(workspace, choose_feed(workspace.feeds, DE))


def test_what_a_run_did_not_do_is_requested_again_after_a_pause(posted: Workspace, inbox: Ticks) -> None:
    late_bill(posted, "28.10.2026")
    (request,) = inbox()
    # The reports are made as of now.
    (reports,) = [found for found in inbox() if _is_of_reports(found)]
    inbox.end(inbox.start(reports), success=True)
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        run = inbox.start(request)
        assert "under way" in inbox.skipped()
        inbox.end(run)
        assert inbox(minutes=pause - 1) == []
        assert ": still due after" in inbox.skipped()
        assert _spans(inbox(minutes=1)) == _spans([request])
    take(posted, [small.WEDNESDAY], feeds={DE})
    # Done: the reports, again if their run fails, and then nothing.
    for pause in (1, 2):
        (reports,) = inbox()
        assert _is_of_reports(reports)
        run = inbox.start(reports)
        assert inbox.skipped().endswith("nothing is due; 1 run under way")
        inbox.end(run)
        assert "reports: still due after" in inbox.skipped()
        inbox.now += timedelta(minutes=pause)
    (reports,) = inbox()
    inbox.end(inbox.start(reports), success=True)
    assert inbox.skipped() == "nothing new in the inbox, and nothing is due"


def test_the_reports_are_made_while_something_waits_for_its_pause(workspace: Workspace, inbox: Ticks) -> None:
    small.fill(workspace)
    land_all(workspace)
    (request,) = inbox()
    inbox.end(inbox.start(request))
    take(workspace, small.WEEK[:-1])
    requests = inbox()
    assert requests
    assert all(map(_is_of_reports, requests))


def test_reports_of_other_records_with_the_same_numbers_are_not_these(
    workspace: Workspace, inbox: Ticks
) -> None:
    """As after a backup was restored, and other deliveries came."""
    small.fill(workspace)
    land_all(workspace)
    take(workspace, small.WEEK)
    for _ in range(3):
        for request in inbox(minutes=120):
            inbox.end(inbox.start(request), success=True)
    assert inbox(minutes=120) == []
    (run, *_) = inbox.instance.get_runs(dg.RunsFilter(tags={AS_OF_TAG: str(workspace.audit.head().seq)}))
    inbox.instance.add_run_tags(run.run_id, {HEAD_TAG: "0" * 64})
    assert list(map(_is_of_reports, inbox(minutes=120))) == [True]


@pytest.mark.parametrize("repeats", [False, True])
def test_a_killed_run_does_not_block_its_dates(workspace: Workspace, inbox: Ticks, *, repeats: bool) -> None:
    small.fill(workspace)
    land_all(workspace)
    (request,) = inbox()
    run_id = inbox.start(request)
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    run = inbox.instance.get_run_by_id(run_id)
    assert run is not None
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.RUN_START.value, job_name=run.job_name, pid=process.pid
    )
    inbox.instance.report_dagster_event(event, run_id)
    if repeats:
        # Dagster notes that it will start the run again; what that run does is not requested as well.
        inbox.instance.add_run_tags(run_id, {WILL_RETRY_TAG: "true"})
        assert inbox(minutes=2) == []
        inbox.instance.add_run_tags(run_id, {AUTO_RETRY_RUN_ID_TAG: "another one, which failed"})
    assert _spans(inbox(minutes=2)) == _spans([request])
    ended = inbox.instance.get_run_by_id(run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE


def test_reopening_a_period_makes_its_rows_due_again(posted: Workspace, inbox: Ticks) -> None:
    first = Period("the first day", small.WEDNESDAY, small.WEDNESDAY, closed=True)
    close_period(posted, posted.feeds, first, who="mk", why="month end")
    late_bill(posted, "28.10.2026")
    requests = [found for found in inbox() if not _is_of_reports(found)]
    assert all(DE in feeds for feeds in _spans(requests).values())
    take(posted, [small.WEDNESDAY])
    assert all(map(_is_of_reports, inbox(minutes=1)))
    reopen_period(posted, "the first day", who="mk", why="a late bill")
    ((dates, feeds),) = _spans(inbox(minutes=1)).items()
    assert dates[0] == "2026-10-28"
    assert DE in feeds


def test_a_ledger_that_others_hold_ends_the_tick_with_a_sentence(
    posted: Workspace, inbox: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "TICK_WAIT", 1)
    held = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", held, str(posted.path / "ledger.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603 - our own program
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            assert "the ledger was locked for more than 1 s" in inbox.skipped()
        finally:
            holder.stdin.close()
    assert all(map(_is_of_reports, inbox()))


def test_what_is_passed_over_is_told(workspace: Workspace, inbox: Ticks) -> None:
    folder = workspace.inbox / "vendor_invoices_de"
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("later.csv.part").write_text("Rechnung", encoding="utf-8")
    workspace.inbox.joinpath("elsewhere").mkdir()
    workspace.inbox.joinpath("elsewhere", "a.csv").write_text("a", encoding="utf-8")
    told = inbox.skipped()
    assert "passed over: vendor_invoices_de/later.csv.part: an unfinished transfer" in told
    assert "no feed matches elsewhere/a.csv" in told


def test_nothing_is_due_once_it_is_materialised(posted: Workspace, inbox: Ticks) -> None:
    assert posted.path.exists()
    assert all(map(_is_of_reports, inbox()))
    assert inbox() == []


def test_a_late_delivery_requests_the_old_partitions_that_it_touches(posted: Workspace, inbox: Ticks) -> None:
    late = small.german([small.Invoice("R20", "28.10.2026", "1,00", "0,19", "1,19")])
    small.deliver(posted, "vendor_invoices_de", "3 later.csv", late)
    assert _feeds_to_land(inbox()) == {"vendor_invoices_de"}
    land_all(posted)
    assert _spans(inbox()) == {("2026-10-28", "2026-10-28"): {"vendor_invoices_de"}}
    take(posted, [small.WEDNESDAY])
    assert all(map(_is_of_reports, inbox()))
    again = small.german([small.Invoice("R21", "28.10.2026", "2,00", "0,38", "2,38")])
    small.deliver(posted, "vendor_invoices_de", "4 later still.csv", again)
    land_all(posted)
    assert _spans(inbox()) == {("2026-10-28", "2026-10-28"): {"vendor_invoices_de"}}


def test_the_same_bytes_again_are_landed_and_make_nothing_due(posted: Workspace, inbox: Ticks) -> None:
    small.deliver(posted, "vendor_invoices_de", "copy.csv", small.german(small.FIRST))
    assert _feeds_to_land(inbox()) == {"vendor_invoices_de"}
    land_all(posted)
    assert all(map(_is_of_reports, inbox()))


def test_a_delivery_without_any_date_requests_the_undated_rows(posted: Workspace, inbox: Ticks) -> None:
    small.deliver(posted, "location_permits", "letter.csv", "Dear Sir,\r\nno permits this week\r\n")
    land_all(posted)
    (request,) = inbox()
    assert request.asset_selection == [naming.undated_key("location_permits"), naming.QUEUE]


def test_a_feed_that_cannot_be_landed_holds_up_no_other(workspace: Workspace, inbox: Ticks) -> None:
    small.fill(workspace)
    land_all(workspace)
    (delivery, *_) = landed(workspace, _feed("location_permits"))
    workspace.payloads.path(delivery.arrival.delivery).unlink()
    for staged in (workspace.path / "staging" / "records" / "location_permits").iterdir():
        staged.unlink()
    requests = inbox()
    assert _feeds_to_land(requests) == {"location_permits"}
    assert {feed for feeds in _spans(requests).values() for feed in feeds} >= {
        *("payroll_manifest", "vendor_invoices_de"),
    }


def _feed(name: str) -> FeedSpec:
    return choose_feed(load_feeds("HRB"), name)


def test_a_date_that_has_not_come_is_not_requested_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: Ticks
) -> None:
    workspace = small.make_home(tmp_path / "long")
    settings = workspace.path / "production.yaml"
    settings.write_text(settings.read_text().replace("end: 2026-11-03", "end: 2090-12-31"))
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    far = small.german([small.Invoice("R1", "31.12.2090", "1,00", "0,19", "1,19")])
    workspace = open_workspace(workspace.path)
    small.deliver(workspace, "vendor_invoices_de", "far.csv", far)
    land_all(workspace)
    assert inbox() == []


def test_rows_that_wait_for_a_rate_are_requested_when_a_file_has_it(posted: Workspace, rates: Ticks) -> None:
    assert rates.skipped() == "no pending row has a rate available"
    small.know_rates(posted, until=small.MONDAY)
    requests = rates()
    assert _spans(requests) == {("2026-11-02", "2026-11-02"): {"location_permits", "vendor_invoices_de"}}
    rates.start(requests[0])
    assert rates(minutes=60) == []
    take(posted, [small.MONDAY])
    assert rates.skipped() == "no pending row has a rate available"


def test_rates_are_requested_from_the_ecb_once_an_hour_if_allowed(posted: Workspace, rates: Ticks) -> None:
    settings = posted.path / "production.yaml"
    settings.write_text(settings.read_text().replace("[file]", "[file, ecb]"))
    first = rates()
    assert len(_spans(first)) == 1
    rates.end(rates.start(first[0]))
    assert rates() == []
    assert _spans(rates(minutes=60)) == _spans(first)


def test_a_rate_that_cannot_be_published_yet_is_not_requested(posted: Workspace, rates: Ticks) -> None:
    settings = posted.path / "production.yaml"
    settings.write_text(settings.read_text().replace("[file]", "[file, ecb]"))
    rates.now = datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert rates.skipped() == "no pending row has a rate available"


def _carry_out(workspace: Workspace, requests: Iterable[dg.RunRequest]) -> None:
    """Land what requests land, and take their dates of the one feed with files into the ledger."""
    for request in requests:
        for name in _feeds_to_land([request]):
            land(workspace, choose_feed(workspace.feeds, name))
        if naming.RANGE_START in request.tags:
            first, last = (request.tags[name] for name in (naming.RANGE_START, naming.RANGE_END))
            dates = [day for day in small.WEEK if first <= day.isoformat() <= last]
            take(workspace, dates, feeds={DE} & set(request.tags["showcost/feeds"].split()))


def _night(workspace: Workspace, instance: dg.DagsterInstance, day: datetime) -> list[dg.RunRequest]:
    """Carry out what the schedule requests at its first two times; return the requests of the second."""
    requests: list[dg.RunRequest] = []
    for hour, minute in ((5, 30), (6, 0)):
        now = day.replace(hour=hour, minute=minute, tzinfo=ZoneInfo(workspace.production.timezone))
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=now)
        found = request_night(context)
        requests = found if isinstance(found, list) else []
        _carry_out(workspace, requests)
    return requests


def test_some_days_end_as_if_all_had_come_at_once(
    workspace: Workspace, tmp_path: Path, inbox: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The days of `showcost_tests.days` in short, without processes.

    Files on time, late, broken, again; a run that fails, days without a daemon, a period closed for a while.
    """
    files = {
        f"{number}.csv": small.german([small.Invoice(f"R{number}", f"{day}.10.2026", "1,00", "0,19", "1,19")])
        for number, day in enumerate((28, 29, 28, 30, 28))
    }
    files |= {"letter.csv": "Dear Sir,\r\nthe invoices follow\r\n", "again.csv": files["0.csv"]}

    def arrive(*names: str) -> None:
        for name in names:
            small.deliver(workspace, DE, name, files[name])

    arrive("0.csv", "letter.csv")
    _carry_out(workspace, inbox())
    inbox.end(inbox.start(inbox()[0]))
    _carry_out(workspace, inbox(minutes=2))
    arrive("1.csv", "again.csv")
    inbox.now += timedelta(days=4)  # without a daemon
    arrive("2.csv")
    night = _night(workspace, inbox.instance, inbox.now)
    assert _spans(night)["2026-10-28", "2026-10-29"] == {DE}
    first = Period("the first day", small.WEDNESDAY, small.WEDNESDAY, closed=True)
    close_period(workspace, workspace.feeds, first, who="mk", why="month end")
    arrive("3.csv", "4.csv")
    for _ in range(2):
        _carry_out(workspace, inbox(minutes=2))
    reopen_period(workspace, first.name, who="mk", why="a late bill")
    _carry_out(workspace, inbox(minutes=2))
    assert all(map(_is_of_reports, inbox(minutes=2)))

    clean = small.make_home(tmp_path / "clean")
    monkeypatch.setenv(HOME_VARIABLE, str(clean.path))
    for name, text in files.items():
        small.deliver(clean, DE, name, text)
    land(clean, choose_feed(clean.feeds, DE))
    take(clean, small.WEEK, feeds={DE})
    assert ledger_digest(workspace) == ledger_digest(clean)
    assert [*ledger_digest(clean).partitions] == [small.WEDNESDAY, small.THURSDAY, small.FRIDAY]
