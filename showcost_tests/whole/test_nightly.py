"""The nightly verification: everything if something changed, and the head sent off this machine."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.alerts.conditions import DataConditions
from showcost.alerts.heads import send_head
from showcost.alerts.state import AlertState
from showcost.checks import nightly
from showcost.checks.nightly import (
    last_verification,
    record_lines,
    unsent_heads,
    verify_nightly,
)
from showcost.components import naming
from showcost.ingest.landing import land
from showcost.orchestration.runs import in_environment
from showcost.workspace import Workspace, open_workspace
from showcost_tests.alerts.servers import Letters, mail_server
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all

if TYPE_CHECKING:
    from pathlib import Path

    from showcost_tests.command_line import CommandLine
    from showcost_tests.whole.conftest import Copy

NOW = datetime(2026, 12, 1, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def posted(posted_home: Workspace, copy: Copy) -> Workspace:
    return copy(posted_home)


def night(workspace: Workspace, now: datetime) -> nightly.NightlyVerification:
    """Verify and record, as the asset does."""
    verified = verify_nightly(open_workspace(workspace.path), now)
    record_lines(workspace, verified)
    return verified


def test_a_night_without_a_change_reads_no_bytes(posted: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = night(posted, NOW)
    assert (first.verified, first.full) == (True, True)

    def no_more(*_: object, **__: object) -> None:
        raise AssertionError("everything is verified")

    with monkeypatch.context() as patch:
        patch.setattr(nightly, "verify", no_more)
        second = night(posted, NOW + DAY)
        assert (second.verified, second.full, second.full_at) == (True, False, NOW)
        assert second.binding == first.binding
        assert second.entries == first.entries > 0
        land_all(posted)  # nothing new
        assert not night(posted, NOW + 2 * DAY).full
        with pytest.raises(AssertionError):
            night(posted, NOW + 7 * DAY)
        with pytest.raises(AssertionError):
            night(posted, NOW - DAY)
    assert night(posted, NOW + 7 * DAY).full


def _change_keeping_times(path: Path) -> None:
    """Change a byte of a file, and set its times back as somebody would who hides it."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_byte_that_was_changed_is_found_although_the_times_were_set_back(posted: Workspace) -> None:
    night(posted, NOW)
    (payload, *_) = [path for path in posted.raw.rglob("*") if len(path.name) == 64]
    _change_keeping_times(payload)
    second = night(posted, NOW + DAY)
    assert second.full
    assert second.differing == ("payloads",)
    third = night(posted, NOW + 2 * DAY)
    assert third.differing == ("payloads",), "nothing changed since, but it was never good"
    alerts = DataConditions(open_workspace(posted.path), AlertState(), NOW + 2 * DAY).alerts()
    (alert,) = [alert for alert in alerts if "found differences" in alert.what]
    assert alert.what == "the verification found differences: payloads"
    assert str(posted.path) not in f"{alert.what}{alert.where}{alert.next_step}"


def test_a_log_that_lost_its_last_records_is_found_by_the_last_head(posted: Workspace) -> None:
    small.deliver(posted, "location_permits", "again.csv", "Dear Sir,\r\nno permits\r\n")
    for feed in posted.feeds:
        if feed.name == "location_permits":
            land(posted, feed)
    night(posted, NOW)
    log = next(posted.path.joinpath("audit").glob("*.jsonl"))
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:-1]))
    assert "audit log" in night(posted, NOW + DAY).differing


@pytest.mark.parametrize("part", ["rates", "production.yaml", "staging"])
def test_whatever_changes_is_verified(posted: Workspace, part: str) -> None:
    night(posted, NOW)
    path = posted.path / part
    file = path if path.is_file() else next(found for found in sorted(path.rglob("*")) if found.is_file())
    data = file.read_bytes()
    file.write_bytes(data)
    assert night(posted, NOW + DAY).full


def test_a_head_goes_to_mail_file_and_command(
    posted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, taken = tmp_path / "elsewhere.jsonl", tmp_path / "taken"
    program = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    monkeypatch.setenv("KEEP_HEAD", f"{sys.executable} -c \"{program}\" '{taken}'")
    letters = Letters()
    with mail_server(letters) as port:
        with posted.path.joinpath("production.yaml").open("a", encoding="utf-8") as file:
            file.write(
                f"verification: {{head_to: [alerts, file, command], head_file: {elsewhere},"
                " command_variable: KEEP_HEAD}\n"
                "alerts: {sinks: [{type: log}, {type: smtp, host: 127.0.0.1, security: none, sender: a@b.org,"
                f" port: {port}, recipients: [c@d.org]}}]}}\n"
            )
        workspace = open_workspace(posted.path)
        verified = verify_nightly(workspace, NOW)
        for _ in range(2):
            sent = send_head(workspace, verified, NOW, print)
            record_lines(workspace, verified, *sent)
    assert {head.target: head.reason for head in sent} == {
        "smtp 127.0.0.1": None,
        "file": None,
        "command": None,
    }
    head = workspace.audit.head()
    lines = [json.loads(line) for line in elsewhere.read_text(encoding="utf-8").splitlines()]
    assert [line["head"] for line in lines] == [head.hash] * 2
    assert json.loads(taken.read_text(encoding="utf-8")) == lines[0]
    text = letters.letters[0].get_content()
    assert f"head: {head.hash}" in text
    assert f"showcost verify --head {head.hash}" in text
    assert unsent_heads(workspace) == []
    last = last_verification(workspace)
    assert last is not None
    assert last.head == head.hash


def test_a_head_that_cannot_be_sent_is_an_alert_until_it_is(
    posted: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "not yet"
    with posted.path.joinpath("production.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "verification: {head_to: [file, command], command_variable: KEEP_HEAD,"
            f" head_file: {folder}/heads}}\n"
        )
    workspace = open_workspace(posted.path)
    verified = verify_nightly(workspace, NOW)
    for value, reason in (
        ("", "KEEP_HEAD is not set in the environment"),
        ("'", "KEEP_HEAD is not a command"),
        ("/no/such/program", "the program cannot be started (No such file or directory)"),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "the program ended with status 3"),
    ):
        monkeypatch.setenv("KEEP_HEAD", value)
        sent = {head.target: head for head in send_head(workspace, verified, NOW, print)}
        assert sent["file"].reason == "No such file or directory"
        assert sent["command"].reason == reason
    record_lines(workspace, verified, *sent.values())
    alerts = DataConditions(workspace, AlertState(), NOW).alerts()
    said = {alert.what: alert.where for alert in alerts if alert.kind == "head"}
    assert said == {
        "the head of the audit log was not sent to command": "production.yaml, verification: the program"
        " ended with status 3",
        "the head of the audit log was not sent to file": "production.yaml, verification: No such file or"
        " directory",
    }
    folder.mkdir()
    monkeypatch.setenv("KEEP_HEAD", f"{sys.executable} -c pass")
    record_lines(workspace, verified, *send_head(workspace, verified, NOW + DAY, print))
    assert unsent_heads(workspace) == []


def test_a_command_that_hangs_is_ended(posted: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showcost.alerts.heads._SECONDS", 1)
    monkeypatch.setenv("KEEP_HEAD", f"{sys.executable} -c 'import time; time.sleep(60)'")
    with posted.path.joinpath("production.yaml").open("a", encoding="utf-8") as file:
        file.write("verification: {head_to: [command], command_variable: KEEP_HEAD}\n")
    workspace = open_workspace(posted.path)
    (sent,) = send_head(workspace, verify_nightly(workspace, NOW), NOW, print)
    assert sent.reason == "the program did not end within 1 s"


def test_a_damaged_list_of_verifications_is_an_alert_and_not_trusted(posted: Workspace) -> None:
    night(posted, NOW)
    path = posted.path / "verification" / "verifications.jsonl"
    path.write_bytes(b"{}\n")
    alerts = DataConditions(open_workspace(posted.path), AlertState(), NOW).alerts()
    assert "the verification cannot be looked at (IntegrityError)" in [alert.what for alert in alerts]


def test_a_verification_by_hand_counts(posted: Workspace, showcost: CommandLine) -> None:
    assert showcost(posted, "verify", "--json").status == 0
    last = last_verification(posted)
    assert last is not None
    assert (last.verified, last.full) == (True, True)


def test_the_asset_verifies_sends_and_says_so(posted: Workspace, tmp_path: Path) -> None:
    kept = tmp_path / "heads"
    with posted.path.joinpath("production.yaml").open("a", encoding="utf-8") as file:
        file.write(f"verification: {{head_to: [file], head_file: {kept}}}\n")
    with in_environment(open_workspace(posted.path)), dg.DagsterInstance.get() as instance:
        from showcost.definitions import defs  # noqa: PLC0415 -- reads the environment when it is imported

        job = defs().resolve_job_def(naming.JOB).get_subset(asset_selection={naming.VERIFICATION})
        for full in (True, False):
            result = job.execute_in_process(instance=instance, raise_on_error=True)
            (event,) = result.get_asset_materialization_events()
            metadata = event.step_materialization_data.materialization.metadata
            assert metadata["everything_was_read"].value is full
            (evaluation,) = result.get_asset_check_evaluations()
            assert evaluation.passed
            assert "no difference up to audit record" in (evaluation.description or "")
        posted.raw.joinpath("register.jsonl").write_bytes(b"")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        (evaluation,) = result.get_asset_check_evaluations()
        assert not evaluation.passed
        assert "register" in (evaluation.description or "")
    assert len(kept.read_bytes().splitlines()) == 3
