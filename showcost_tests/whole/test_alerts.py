"""Alerts of a data folder: what is open, since when, and that each is sent once."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.alerts import state as state_module
from showcost.alerts.alert import Alert
from showcost.alerts.conditions import DataConditions
from showcost.alerts.sending import Sent, send_open
from showcost.alerts.state import AlertState, sending
from showcost.checks.nightly import record_lines, verify_nightly
from showcost.components import naming
from showcost.components.run_alerts import AlertSources, failed_checks
from showcost.components.run_scopes import DATES_TAG, FEEDS_TAG
from showcost.defs.automation.alerts import send_alerts
from showcost.vendor_api.dead_letters import DeadLetters
from showcost.workspace import HOME_VARIABLE, Workspace, open_workspace
from showcost_tests.alerts.servers import Letters, free_port, mail_server
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost_tests.command_line import CommandLine
    from showcost_tests.whole.conftest import Copy

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def now_after(workspace: Workspace) -> datetime:
    """Return a time just after the last audit record."""
    return max(record.at for record in workspace.audit.records()) + timedelta(minutes=1)


def settings(workspace: Workspace, text: str) -> Workspace:
    """Return the workspace with more settings."""
    with workspace.path.joinpath("production.yaml").open("a", encoding="utf-8") as file:
        file.write(text)
    return open_workspace(workspace.path)


@dataclass
class Watch:
    """Looks at a data folder again and again, with what it has seen."""

    workspace: Workspace
    now: datetime
    state: AlertState = field(default_factory=AlertState)

    def __call__(self, later: timedelta = timedelta(0)) -> dict[str, Alert]:
        """Return the alerts some time later, by their first key."""
        self.now += later
        alerts = DataConditions(self.workspace, self.state, self.now).alerts()
        return {alert.keys[0]: alert for alert in alerts}


@pytest.fixture
def posted(posted_home: Workspace, copy: Copy, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = copy(posted_home)
    # Nothing is old in it yet but the dates of its rows: a folder of today.
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    return workspace


@pytest.fixture
def watch(posted: Workspace) -> Watch:
    return Watch(posted, now_after(posted))


def of_kind(alerts: dict[str, Alert], kind: str) -> list[Alert]:
    return [alert for alert in alerts.values() if alert.kind == kind]


def test_a_folder_in_order_has_no_alert_but_its_rates(watch: Watch) -> None:
    """Its rates end on a Friday, so Monday and Tuesday wait."""
    alerts = watch()
    assert {alert.kind for alert in alerts.values()} <= {"missing_rate"}


def test_a_date_that_stays_due_is_an_alert_after_some_hours(watch: Watch) -> None:
    late = small.german([small.Invoice("R20", "28.10.2026", "1,00", "0,19", "1,19")])
    small.deliver(watch.workspace, "vendor_invoices_de", "secret name.csv", late)
    os.utime(watch.workspace.inbox / "vendor_invoices_de" / "secret name.csv", (0, 0))
    assert of_kind(watch(), "stuck") == []
    (alert,) = of_kind(watch(4 * HOUR), "stuck")
    assert alert.what == "1 file of vendor_invoices_de not landed"
    assert "secret" not in f"{alert.what} {alert.where} {alert.next_step}"
    assert alert.since == watch.now - 4 * HOUR
    land_all(watch.workspace)
    assert of_kind(watch(), "stuck") == []
    (alert,) = of_kind(watch(4 * HOUR), "stuck")
    assert alert.what == "1 date of vendor_invoices_de due and not posted"
    assert alert.where == "2026-10-28"
    assert "showcost run" in alert.next_step
    take(watch.workspace, [small.WEDNESDAY])
    assert of_kind(watch(), "stuck") == []


def test_a_clock_that_ran_back_hides_nothing(watch: Watch) -> None:
    small.deliver(watch.workspace, "vendor_invoices_de", "a.csv", "x")
    watch(10 * DAY)
    watch(-10 * DAY)
    assert of_kind(watch(4 * HOUR), "stuck") != []


def test_a_queue_grows_old(watch: Watch) -> None:
    assert of_kind(watch(6 * DAY), "old_queue") == []
    alerts = of_kind(watch(2 * DAY), "old_queue")
    assert alerts
    assert all("rows of " in alert.what or "row of " in alert.what for alert in alerts)
    assert all("for more than 7 days" in alert.what for alert in alerts)
    assert alerts[0].next_step.startswith("decide on them: `showcost queue list --feed ")


def test_a_rate_that_is_missing_for_days(watch: Watch) -> None:
    watch.now = datetime(2026, 11, 5, 12, tzinfo=UTC)
    assert of_kind(watch(), "missing_rate") == []
    (alert,) = of_kind(watch(2 * DAY), "missing_rate")
    assert (alert.what, alert.where) == ("no rate for 1 date with rows that wait for it", "2026-11-02")
    small.know_rates(watch.workspace, until=small.TUESDAY)
    take(watch.workspace, [small.MONDAY, small.TUESDAY])
    assert of_kind(watch(), "missing_rate") == []


def test_a_feed_that_is_expected_and_silent(
    posted: Workspace, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = tuple(
        feed.model_copy(update={"expected_every_days": 2}) if feed.name == "location_permits" else feed
        for feed in posted.feeds
    )
    monkeypatch.setitem(posted.__dict__, "feeds", feeds)
    arrivals = posted.register.arrivals("location_permits")
    last = datetime.fromisoformat(arrivals[-1].received_at)
    dates = posted.production.dates.model_copy(update={"end": (last + 9 * DAY).date()})
    monkeypatch.setitem(posted.__dict__, "production", posted.production.model_copy(update={"dates": dates}))
    watch.now = last + 2 * DAY
    assert of_kind(watch(), "missing_feed") == []
    (alert,) = of_kind(watch(DAY + HOUR), "missing_feed")
    assert alert.what.startswith("no delivery of location_permits: the last one came on ")
    assert alert.where == "one is expected every 2 days"
    assert of_kind(watch(30 * DAY), "missing_feed") == [], "the production has ended"


def test_a_ledger_that_was_not_verified(posted: Workspace, watch: Watch) -> None:
    (alert,) = of_kind(watch(3 * DAY), "verification")
    assert alert.what == "the ledger was not verified"
    record_lines(posted, verify_nightly(posted, watch.now))
    assert of_kind(watch(DAY), "verification") == []
    (alert,) = of_kind(watch(2 * DAY), "verification")
    assert alert.what == "the ledger was not verified since"


def test_a_feed_that_cannot_be_looked_at_hides_no_other(posted: Workspace, watch: Watch) -> None:
    letters = DeadLetters(posted.raw, "location_permits")
    assert letters.open() == []
    records = posted.path / "staging" / "records"
    for index in (posted.path / "staging").rglob("*.json*"):
        if "location_permits" in str(index):
            index.write_bytes(b"\xff{")
    assert records.exists()
    small.deliver(posted, "vendor_invoices_de", "a.csv", "x")
    os.utime(posted.inbox / "vendor_invoices_de" / "a.csv", (0, 0))
    watch()
    kinds = {alert.kind for alert in watch(4 * HOUR).values()}
    assert "stuck" in kinds


ALERT = Alert("stuck", ("due a 1", "due a 2"), "2 dates of a due", "1, 2", None, "look")


@dataclass
class Sending:
    """Sends some alerts, at a time that moves, through the sinks of a folder."""

    workspace: Workspace
    now: datetime = datetime(2026, 11, 4, 9, tzinfo=UTC)
    alerts: list[Alert] = field(default_factory=lambda: [ALERT])
    log: list[str] = field(default_factory=list)

    def __call__(self, later: timedelta = timedelta(0)) -> Sent:
        self.now += later
        return send_open(self.workspace, lambda _: self.alerts, self.now, self.log.append)


@pytest.fixture
def folder(tmp_path: Path) -> Workspace:
    return small.make_home(tmp_path / "home")


def test_the_same_matter_is_not_sent_again_for_a_day(folder: Workspace) -> None:
    send = Sending(folder)
    assert send().sent == {"log": 1}
    assert send(timedelta(minutes=5)).sent == {}
    assert send(23 * HOUR).sent == {}
    assert send(HOUR).sent == {"log": 1}
    send.alerts = [Alert("stuck", ("due a 2", "due a 3"), "2 dates", "2, 3", None, "look")]
    assert send(HOUR).sent == {"log": 1}, "a new date is a new matter"
    send.alerts = []
    assert send(HOUR).alerts == ()
    assert len(send.log) == 3


def test_a_sink_that_fails_costs_the_other_nothing_and_is_said(folder: Workspace) -> None:
    letters = Letters()
    dead = free_port()
    text = """
alerts:
  sinks:
    - {{type: smtp, host: 127.0.0.1, port: {dead}, security: none, sender: a@b.org, recipients: [c@d.org]}}
    - {{type: smtp, host: localhost, port: {alive}, security: none, sender: a@b.org, recipients: [c@d.org]}}
    - {{type: webhook, url_variable: SHOWCOST_NO_SUCH_VARIABLE}}
"""
    with mail_server(letters) as alive:
        send = Sending(settings(folder, text.format(dead=dead, alive=alive)))
        first = send()
        assert first.sent == {"smtp localhost": 1}
        assert first.failed == {
            "smtp 127.0.0.1": "the mail server is unavailable (Connection refused)",
            "webhook SHOWCOST_NO_SUCH_VARIABLE": "SHOWCOST_NO_SUCH_VARIABLE is not set in the environment",
        }
        second = send(HOUR)
        assert {alert.kind for alert in second.alerts} == {"stuck", "sink"}
        assert second.sent == {"smtp localhost": 2}
    subjects = [letter["Subject"] for letter in letters.letters]
    assert subjects[1] == "[showcost HRB] alerts are not sent by smtp 127.0.0.1 and 1 more"
    assert "since: 2026-11-04 09:00 UTC" in letters.letters[1].get_content()
    assert any("alerts are not sent by smtp 127.0.0.1" in line for line in send.log)


def test_a_state_that_is_gone_or_damaged_sends_once_more(folder: Workspace) -> None:
    send = Sending(folder)
    send()
    path = folder.path / "alerts" / "state.json"
    for damage in (b"", b"{", b"[]", b'{"first_seen": {"a": "yesterday"}, "sinks": {}}', b"\xff"):
        path.write_bytes(damage)
        assert send().sent == {"log": 1}
        assert send().sent == {}
    path.unlink()
    assert send().sent == {"log": 1}


def test_a_disk_that_takes_no_writes_is_said_and_remembered(
    folder: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    send = Sending(folder)
    with monkeypatch.context() as patch:
        patch.setattr(state_module, "replace_file", full)
        first = send()
        assert first.sent == {"log": 1}
        assert first.alerts[-1].what == "the state of alerts cannot be written"
        assert first.alerts[-1].where == "No space left on device"
        assert send(HOUR).sent == {"log": 1}, "that the state cannot be kept"
        assert send(HOUR).sent == {}, "this process remembers what it sent"
    assert send(HOUR).sent == {}
    assert [alert.kind for alert in send(HOUR).alerts] == ["stuck"]
    assert set(json.loads((folder.path / "alerts" / "state.json").read_text())["sinks"]["log"]["sent"]) == {
        *ALERT.keys,
        "state",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_no_error(folder: Workspace) -> None:
    folder.path.chmod(0o500)
    try:
        assert Sending(folder)().sent == {"log": 1}
    finally:
        folder.path.chmod(0o700)


def test_two_daemons_send_once(folder: Workspace) -> None:
    send = Sending(folder)
    with sending(folder) as free:
        assert free
        outcome = send()
    assert (outcome.busy, outcome.sent) == (True, {})
    assert send().sent == {"log": 1}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def a_run(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    assets: list[dg.AssetKey],
    dates: tuple[str, str] | None = None,
) -> None:
    tags = {FEEDS_TAG: "vendor_invoices_de"}
    if dates is not None:
        tags |= {naming.RANGE_START: dates[0], naming.RANGE_END: dates[1], DATES_TAG: " to ".join(dates)}
    run = dg.DagsterRun(job_name=naming.JOB, tags=tags, status=status, asset_selection=frozenset(assets))
    instance.add_run(run)


def found(posted: Workspace, instance: dg.DagsterInstance, kind: str) -> list[Alert]:
    now = max(now_after(posted), datetime.now(UTC) + timedelta(minutes=1))
    return [
        alert for alert in AlertSources(posted, instance, []).find(AlertState(), now) if alert.kind == kind
    ]


def test_a_failed_run_is_open_until_a_later_one_has_done_it(
    posted: Workspace, instance: dg.DagsterInstance
) -> None:
    reports = [naming.COST_REPORT, naming.TRIAL_BALANCE]
    a_run(instance, dg.DagsterRunStatus.FAILURE, reports)
    (alert,) = found(posted, instance, "failed_run")
    assert alert.what == f"run of {naming.JOB} failed before any step"
    assert "feeds vendor_invoices_de" in alert.where
    a_run(instance, dg.DagsterRunStatus.SUCCESS, reports[:1])
    assert len(found(posted, instance, "failed_run")) == 1
    a_run(instance, dg.DagsterRunStatus.STARTED, [*reports, naming.QUEUE])
    assert found(posted, instance, "failed_run") == [], "it is being done again"


def test_a_failed_run_over_dates_is_open_while_they_are_due(
    posted: Workspace, instance: dg.DagsterInstance
) -> None:
    assets = [naming.posted_key("vendor_invoices_de"), naming.LEDGER_ENTRIES]
    for _ in range(3):
        a_run(instance, dg.DagsterRunStatus.FAILURE, assets, ("2026-10-28", "2026-10-29"))
    assert found(posted, instance, "failed_run") == [], "its dates were posted since"
    late = small.german([small.Invoice("R20", "28.10.2026", "1,00", "0,19", "1,19")])
    small.deliver(posted, "vendor_invoices_de", "3 later.csv", late)
    land_all(posted)
    (alert,) = found(posted, instance, "failed_run")
    assert "dates 2026-10-28 to 2026-10-29" in alert.where
    a_run(instance, dg.DagsterRunStatus.SUCCESS, assets, ("2026-10-28", "2026-10-28"))
    assert len(found(posted, instance, "failed_run")) == 1
    a_run(instance, dg.DagsterRunStatus.SUCCESS, assets, ("2026-10-28", "2026-10-30"))
    assert found(posted, instance, "failed_run") == []


class Evaluations:
    """Some checks of the ledger, of a date or as a whole, that pass or fail as they are told."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.failing: set[str] = set()
        days = dg.StaticPartitionsDefinition(["2026-10-28", "2026-10-29"])

        @dg.asset(key=naming.LEDGER_ENTRIES, partitions_def=days)
        def ledger() -> None: ...

        self.ledger = ledger
        self.checks = [
            self._check("amounts_balance", days),
            self._check("audit_chain", None),
            self._check("no_rejected_rows", days, dg.AssetCheckSeverity.WARN),
            self._check("deliveries_readable", days, dg.AssetCheckSeverity.WARN),
        ]
        self.keys = [key for check in self.checks for key in check.check_keys]

    def _check(
        self,
        name: str,
        days: dg.PartitionsDefinition[str] | None,
        severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    ) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=naming.LEDGER_ENTRIES, name=name, partitions_def=days)
        def check() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(
                passed=name not in self.failing, severity=severity, description="Jane Doe's row"
            )

        return check

    def __call__(self, day: str, *failing: str) -> dict[str, str]:
        """Evaluate all checks for a date; return the alerts."""
        self.failing = set(failing)
        dg.materialize([self.ledger, *self.checks], partition_key=day, instance=self.instance)
        return {alert.what: alert.where for alert in failed_checks(self.instance, self.keys)}


def test_a_failed_check_is_open_until_it_passes_for_the_same_date(instance: dg.DagsterInstance) -> None:
    evaluate = Evaluations(instance)
    failing = ("amounts_balance", "audit_chain", "no_rejected_rows", "deliveries_readable")
    assert evaluate("2026-10-28", *failing).keys() == {
        "check amounts_balance of ledger_entries failed",
        "check audit_chain of ledger_entries failed",
        "check deliveries_readable of ledger_entries failed",
    }
    assert evaluate("2026-10-29", "amounts_balance") == {
        "check amounts_balance of ledger_entries failed": "2026-10-28, 2026-10-29",
        "check deliveries_readable of ledger_entries failed": "2026-10-28",
    }
    assert evaluate("2026-10-28") == {"check amounts_balance of ledger_entries failed": "2026-10-29"}
    (alert,) = failed_checks(instance, evaluate.keys)
    assert alert.next_step.startswith("materialise ledger_entries of that date again")
    assert "Jane" not in str(alert)
    assert evaluate("2026-10-29") == {}


def test_a_check_that_was_planned_and_not_evaluated_leaves_its_alert_open(
    instance: dg.DagsterInstance,
) -> None:
    evaluate = Evaluations(instance)
    evaluate("2026-10-28", "amounts_balance", "audit_chain")
    opened = list(failed_checks(instance, evaluate.keys))
    assert len(opened) == 2
    # A run that is killed before its checks has planned them.
    defs = dg.Definitions(
        [evaluate.ledger], asset_checks=evaluate.checks, jobs=[dg.define_asset_job("all", "*")]
    )
    instance.create_run_for_job(
        defs.resolve_job_def("all"), tags={"dagster/partition": "2026-10-28"}, asset_selection=None
    )
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(evaluate.keys)
    assert {record.status.value for record in latest.values()} == {"PLANNED"}
    assert list(failed_checks(instance, evaluate.keys)) == opened
    # It is open since it fails, not since it was looked at last.
    evaluate("2026-10-28", "amounts_balance", "audit_chain")
    assert list(failed_checks(instance, evaluate.keys)) == opened
    evaluate("2026-10-28")
    assert list(failed_checks(instance, evaluate.keys)) == []


def test_a_tick_says_what_is_open_and_what_was_sent(posted: Workspace, instance: dg.DagsterInstance) -> None:
    assert posted.path.exists()
    now = now_after(posted) + 9 * DAY
    first = send_alerts(dg.build_sensor_context(instance=instance), now)
    assert first.skip_message is not None
    assert "open alert" in first.skip_message
    assert re.search(r"\(1\) .+: .+, since 20\S+ \S+ UTC, next: ", first.skip_message)
    assert "sent by log" in first.skip_message
    second = send_alerts(dg.build_sensor_context(instance=instance), now + HOUR)
    assert "sent by" not in (second.skip_message or "")


def test_the_command_lists_and_sends_and_tests(posted: Workspace, showcost: CommandLine) -> None:
    port = free_port()
    sink = (
        f"{{type: smtp, host: 127.0.0.1, port: {port}, security: none, sender: a@b.org, recipients: [c@d.e]}}"
    )
    settings(posted, f"alerts: {{sinks: [{sink}], queue_days: 1}}\n")
    register = posted.raw / "register.jsonl"
    assert register.exists()
    ended = showcost(posted, "alerts", "--json")
    assert ended.status == 0
    assert isinstance(ended.json["alerts"], list)
    ended = showcost(posted, "alerts", "--test")
    assert ended.status == 1
    assert "smtp 127.0.0.1: FAILED, the mail server is unavailable (Connection refused)" in ended.out
    listed = showcost(posted, "alerts")
    assert "alerts are not sent by smtp 127.0.0.1" in listed.out
    assert showcost(posted, "alerts", "--test", "--send").status == 2
