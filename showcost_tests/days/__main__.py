"""Simulated days of a production, with everything that goes wrong in them.

    python -m showcost_tests.days --days 14

The clock of all processes is moved (`moved.c`); the instance, the code server and the runs are real, and
sensors, schedules, queue, monitoring and retries are Dagster's own daemon code, iteration by iteration.
Exit status 1 if the digest is not that of a clean run, if something is still due, if work was requested more
than twice for the same inputs, or if something was stuck without an alert. It needs Linux and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType, SensorInstigatorData

from showcost.components import naming
from showcost.components.run_scopes import RunScope
from showcost.components.workers import IN_PROGRESS
from showcost.defs.automation.sensors import look
from showcost.ledger.digest import digest
from showcost.ledger.periods import Period
from showcost.orchestration.runs import DAGSTER_HOME_VARIABLE, dagster_home, run_range
from showcost.pipeline.periods import close_period, reopen_period
from showcost.workspace import HOME_VARIABLE, Workspace, open_workspace
from showcost_tests.days.daemon import Daemon, daemon_of, wait_for_its_end
from showcost_tests.days.world import (
    PAGES,
    START,
    VARIABLE,
    ZONE,
    Clock,
    Server,
    compiled,
    drop,
    invoices,
    know_rates,
    make_home,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

_DAY: Final = timedelta(days=1)
_MOST_ROUNDS: Final = 8
_LETTER: Final = "Dear Sir,\r\nthe invoices follow\r\n"


@dataclass
class Days:
    """The simulated days: what happens in them, and what was seen."""

    workspace: Workspace
    daemon: Daemon
    clock: Clock
    server: Server
    length: int
    dropped: list[tuple[str, str]] = field(default_factory=list)
    most_tries: int = 0
    disk_errors: list[str] = field(default_factory=list)
    stuck_without_alert: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _due_before: set[str] = field(default_factory=set)

    def at(self, day: int, hour: int, minute: int = 0) -> None:
        """Move the clock to a local time of a day, and say so with what was there by then."""
        seconds = round(time.monotonic() - self.began)
        print(f"{seconds:5} s, {self._runs():3} runs: day {day} {hour:02}:{minute:02}", flush=True)
        moment = datetime.combine(START + day * _DAY, time_of_day(hour, minute), ZoneInfo(ZONE))
        self.clock.move_to(moment.astimezone(UTC))

    def day(self, number: int) -> date:
        """Return a date."""
        return START + number * _DAY

    def file(self, number: int, name: str = "", content: str | None = None) -> None:
        """Drop the file of a day, or another content."""
        text = invoices(self.day(number)) if content is None else content
        name = f"{name or 'hires'} {self.day(number)}.csv"
        self.dropped.append((name, text))
        drop(self.workspace, name, text)

    def ticks(self) -> None:
        """Let the sensors tick, two minutes apart, until they request nothing more."""
        for _ in range(_MOST_ROUNDS):
            before = self._runs()
            self.clock.move_to(datetime.now(UTC) + timedelta(minutes=6))
            self.daemon.sensors()
            self._note_tries()
            if self._runs() == before:
                return

    def _runs(self) -> int:
        return self.daemon.instance.get_runs_count()

    def _note_tries(self) -> None:
        for state in self.daemon.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
            data = state.instigator_data
            if state.name == "inbox" and isinstance(data, SensorInstigatorData) and data.cursor:
                attempts = json.loads(data.cursor)["attempts"].values()
                self.most_tries = max([self.most_tries, *(tries for _, tries, _ in attempts)])

    def night(self, day: int) -> None:
        """Let the schedules tick at their times."""
        for hour, minute in ((5, 31), (6, 1), (6, 31), (7, 1)):
            self.at(day, hour, minute)
            self.daemon.schedules()

    def look_for_stuck(self) -> None:
        """Note what is due since the last look, hours ago, and was in no message."""
        _, due, _ = look(open_workspace(self.workspace.path))
        names = {item.name for item in due}
        said = json.dumps(self.server.messages)
        for item in due:
            if item.name in self._due_before and not (item.feed in said and str(item.day) in said):
                self.stuck_without_alert.append(item.name)
        self._due_before = names

    def ordinary_day(self, day: int, morning: Callable[[], None], noon: Callable[[], None]) -> None:
        """Pass a day with the daemon on: night, something in the morning, something at noon, a look."""
        self.night(day)
        self.at(day, 10)
        morning()
        self.ticks()
        self.at(day, 15)
        noon()
        self.ticks()
        self.look_for_stuck()

    def full_disk(self) -> None:
        """Let the disk fill up while a run takes costs into the ledger, and stay full for an hour."""
        before = len(self.daemon.errors)
        workers: list[int] = []

        def fill(_: str, worker: int) -> None:
            self.clock.fill_disk(full=True)
            workers.append(worker)

        self.daemon.when_a_run_works(fill)
        # The landing, then the dates: that run meets the full disk.
        for minutes in (6, 6, 60):
            self.clock.move_to(datetime.now(UTC) + timedelta(minutes=minutes))
            self.daemon.sensors()
            for worker in workers:
                wait_for_its_end(worker)
        self.clock.fill_disk(full=False)
        self.disk_errors, self.daemon.errors[before:] = self.daemon.errors[before:], []


def nothing() -> None:
    """Let nothing happen."""


def short(days: Days) -> None:
    """Two days: a run that is killed, a file that is late, and the night between them."""

    def killed() -> None:
        days.file(0)
        days.daemon.kill_a_run()

    def late() -> None:
        days.file(0, "late", invoices(days.day(0), 2, "L"))
        days.file(1)

    days.at(0, 10)
    killed()
    days.ticks()
    days.night(1)
    days.at(1, 10)
    late()
    days.ticks()
    days.night(2)


def fortnight(days: Days) -> None:
    """Fourteen days with everything that goes wrong."""
    closed = Period("the eleventh day", days.day(10), days.day(10), closed=True)

    def vendor(*, up: bool) -> None:
        days.server.up = up

    def with_kill() -> None:
        days.file(1)
        days.daemon.kill_a_run()

    def late_files() -> None:
        days.file(2)
        days.file(3)

    def broken_file() -> None:
        days.file(4, "letter", _LETTER)
        days.file(4)

    def again_and_terminated() -> None:
        days.file(4, "copy of")
        days.file(5)
        days.daemon.terminate_a_run()

    def closed_period() -> None:
        workspace = open_workspace(days.workspace.path)
        close_period(workspace, workspace.feeds, closed, who="mk", why="month end")
        days.file(11)
        days.file(10, "of a closed day", invoices(days.day(10), 2, "C"))

    def reopened() -> None:
        reopen_period(open_workspace(days.workspace.path), closed.name, who="mk", why="a late bill")

    days.at(0, 10)
    days.file(0)
    days.ticks()
    days.ordinary_day(1, with_kill, nothing)
    vendor(up=False)
    days.ordinary_day(2, nothing, nothing)
    days.ordinary_day(3, late_files, nothing)
    days.ordinary_day(4, broken_file, lambda: vendor(up=True))
    days.ordinary_day(5, again_and_terminated, nothing)
    for off in range(6, 10):
        days.at(off, 10)
        days.file(off)
    days.ordinary_day(10, lambda: days.file(10), lambda: know_rates(days.workspace, days.day(13)))
    days.ordinary_day(11, closed_period, nothing)
    days.ordinary_day(12, reopened, nothing)
    days.night(13)
    days.at(13, 10)
    days.file(13)
    days.file(12)
    days.full_disk()
    days.at(13, 15)
    days.ticks()
    days.night(14)
    days.at(14, 10)
    days.ticks()


def clean_digest(folder: Path, url: str, days: Days) -> str:
    """Return the digest of a folder to which all came at once, in one run."""
    workspace = make_home(folder, url, days.length)
    _imports(workspace, days)
    for name, text in days.dropped:
        drop(workspace, name, text)
    os.environ[HOME_VARIABLE] = str(workspace.path)
    outcome = run_range(workspace, START, START + (days.length - 1) * _DAY)
    assert outcome.success, outcome.failures
    return ledger_digest(workspace)


def _imports(workspace: Workspace, days: Days) -> None:
    know_rates(workspace, days.day(8))
    if days.length > 9:
        know_rates(workspace, days.day(13))


def ledger_digest(workspace: Workspace) -> str:
    """Return the digest of the whole ledger."""
    dates = workspace.production.dates
    with workspace.ledger.read() as connection:
        return digest(connection, dates.start, dates.end).hash


def runs_per_date(instance: dg.DagsterInstance) -> Counter[str]:
    """Return the number of runs that took each date of a feed into the ledger."""
    counts: Counter[str] = Counter()
    for run in instance.get_runs(dg.RunsFilter(job_name=naming.JOB)):
        scope = RunScope.of(run)
        for number in range(15):
            day = START + number * _DAY
            for feed in ("hires", PAGES):
                if scope.first and scope.covers(f"posted_{feed}", day):
                    counts[f"{feed} {day}"] += 1
    return counts


def simulate(folder: Path, length: int) -> dict[str, Any]:
    """Pass the days in a folder, and return their outcome."""
    began = time.monotonic()
    clock, server = Clock(Path(os.environ[VARIABLE])), Server()
    with ExitStack() as stack:
        url = stack.enter_context(serving(server))
        clock.move_to(datetime.combine(START, time_of_day(8), ZoneInfo(ZONE)).astimezone(UTC))
        workspace = make_home(folder / "home", url, length)
        know_rates(workspace, START + 8 * _DAY)
        home = dagster_home(workspace)
        variables = {HOME_VARIABLE: str(workspace.path), DAGSTER_HOME_VARIABLE: str(home)}
        os.environ.update(variables, SHOWCOST_ALERT_URL=f"{url}/alerts")
        daemon = stack.enter_context(daemon_of(home))
        daemon.turn_on()
        days = Days(workspace, daemon, clock, server, length)
        (fortnight if length > 2 else short)(days)
        to_land, due, told = look(open_workspace(workspace.path))
        runs = daemon.instance.get_runs()
        found: dict[str, Any] = {
            "days": length,
            "runs": len(runs),
            "by_status": dict(Counter(run.status.value for run in runs)),
            "runs_per_date": dict(runs_per_date(daemon.instance).most_common(5)),
            "most_tries": days.most_tries,
            "still_due": [item.name for item in (*to_land, *due)] + told,
            "stuck_without_alert": days.stuck_without_alert,
            "alerts": [alert["what"] for message in server.messages for alert in message.get("alerts", ())],
            "heads": sum("head_of_audit_log" in message for message in server.messages),
            "daemon_errors": daemon.errors,
            "did_not_happen": did_not_happen(days),
            "errors_of_the_full_disk": len(days.disk_errors),
            "digest": ledger_digest(workspace),
        }
        os.environ.pop(DAGSTER_HOME_VARIABLE)
        found["clean_digest"] = clean_digest(folder / "clean", url, days)
    return found | {"seconds": round(time.monotonic() - began)}


def did_not_happen(days: Days) -> list[str]:
    """Return what was to go wrong, or to be said, and did not or was not: the days would prove nothing."""
    statuses = {run.status for run in days.daemon.instance.get_runs()}
    said = json.dumps(days.server.messages)
    expected = {
        "a run that is killed": dg.DagsterRunStatus.FAILURE in statuses and days.daemon.while_running is None
    }
    if days.length > 2:
        expected |= {
            "a run that is terminated": dg.DagsterRunStatus.CANCELED in statuses,
            "a full disk": bool(days.disk_errors),
            "the end of the runs": not statuses & set(IN_PROGRESS),
            "an alert about the vendor": f"of {PAGES} missing" in said,
            "an alert about the broken file": "deliveries_readable" in said,
        }
    return [name for name, happened in expected.items() if not happened]


def faults(found: dict[str, Any]) -> list[str]:
    """Return what must not be so."""
    wrong = [
        f"{name}: {found[name]}"
        for name in ("still_due", "stuck_without_alert", "daemon_errors")
        if found[name]
    ]
    if found["digest"] != found["clean_digest"]:
        wrong.append("the digest is not that of a clean run")
    if found["most_tries"] > 2:
        wrong.append(f"the same work was requested {found['most_tries']} times")
    return wrong


def start(length: int, folder: Path) -> tuple[int, str] | None:
    """Pass the days in a process of their own with the library loaded; None without a C compiler.

    Returns exit status and output, which is also printed as it comes; what Dagster says is in `log`.
    """
    library = compiled(folder)
    if library is None:
        return None
    page = folder / "page"
    Clock.prepare(page, folder / "home")
    command = [sys.executable, "-m", "showcost_tests.days", "--days", str(length), "--folder", str(folder)]
    variables = {VARIABLE: str(page), "LD_PRELOAD": str(library)}
    # Compiled modules are kept, or each run would compile them again, which takes longer than the run.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    lines: list[str] = []
    with (
        folder.joinpath("log").open("w", encoding="utf-8") as log,
        subprocess.Popen(  # noqa: S603 - ourselves
            command, env=environment | variables, text=True, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            print(line, end="", flush=True)
    return process.returncode, "".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Pass the days, print their outcome, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m showcost_tests.days", description=__doc__)
    parser.add_argument("--days", type=int, default=14, choices=(2, 14))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    if VARIABLE in os.environ:
        found = simulate(options.folder, options.days)
        print(json.dumps(found | {"faults": faults(found)}, indent=1))
        return 1 if faults(found) else 0
    with tempfile.TemporaryDirectory() as temporary:
        ended = start(options.days, options.folder or Path(temporary))
    if ended is None:
        print("there is no C compiler", file=sys.stderr)
        return 2
    return ended[0]


if __name__ == "__main__":
    sys.exit(main())
