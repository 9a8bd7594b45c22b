"""Runs the scenario in processes that die, and checks the recovery by the next process."""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from showcost.backup import MANIFEST
from showcost.core.durable import using
from showcost.core.errors import FatalError, ShowcostError
from showcost.simulator.running import simulated
from showcost.workspace import Workspace
from showcost_tests.crash.acts import (
    ACTS,
    KEYS,
    VENDOR,
    backup_of,
    carry_out,
    carry_out_acts,
    declare_vendor,
    make_home,
)
from showcost_tests.crash.faults import ERRORS, Fault, FaultySystem, possible
from showcost_tests.crash.processes import SENTENCE, Report, forked
from showcost_tests.crash.runs import Runs
from showcost_tests.crash.scenario import Books, books, recovered_entries
from showcost_tests.crash.scenario import carry_out as post_all
from showcost_tests.crash.together import carry_out_together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class DefectError(Exception):
    """A defect of showcost; the message names the case."""


@dataclass(frozen=True)
class Case:
    """Consecutive faults: a crash, then one during the restart, and so on."""

    faults: tuple[tuple[int, Fault], ...]

    def __str__(self) -> str:
        return ", then ".join(f"{fault} at {point}" for point, fault in self.faults)


@dataclass
class Tally:
    """Number of cases, and of faults by kind and by action."""

    cases: int = 0
    fired: int = 0
    by_fault: dict[str, int] = field(default_factory=dict)
    by_action: dict[str, int] = field(default_factory=dict)

    def count(self, fault: str, action: str) -> None:
        self.fired += 1
        self.by_fault[fault] = self.by_fault.get(fault, 0) + 1
        self.by_action[action] = self.by_action.get(action, 0) + 1


class Harness:
    """Runs cases in a folder and compares each outcome with that of a run without faults.

    With `acts_only` each case begins with a posted ledger, and faults come in the acts afterwards. `vendor`
    is the address of the simulated vendor.
    """

    def __init__(self, folder: Path, vendor: str, *, acts_only: bool = False) -> None:
        self._folder = folder
        self._carry_out = carry_out_acts if acts_only else carry_out
        self._empty, self._posted = folder / "empty", folder / "posted"
        declare_vendor(make_home(self._empty), vendor)
        shutil.copytree(self._empty, self._posted)
        self._template = self._posted if acts_only else self._empty
        posted = Workspace(self._posted)
        if forked(lambda tell: post_all(posted, tell)).code:
            raise DefectError("the scenario without faults failed")
        self._number = 0
        self.tally = Tally()
        self.calls: list[tuple[str, str]] = []
        self.seconds = 0.0
        self.clean = self._clean()

    def points(self) -> list[tuple[int, Fault]]:
        """Return every point with each of its possible faults, in order."""
        return [
            (number, fault)
            for number, (action, _) in enumerate(self.calls, start=1)
            for fault in possible(action)
        ]

    def run(self, case: Case) -> None:
        """Carry out a case; raises DefectError for a wrong outcome."""
        workspace = self._home()
        acknowledged = 0
        for point, fault in case.faults:
            report = forked(partial(_faulty, workspace, self._carry_out, point, fault, acknowledged))
            acknowledged = max([acknowledged, *map(int, report.reported("acknowledged"))])
            self._check_fault(case, report, fault)
        self._check_restart(f"{case}", workspace, acknowledged)

    def run_random(self, seconds: float) -> None:
        """Kill a run after some seconds, even during DuckDB's own writes, and check the restart."""
        workspace = self._home()
        report = forked(lambda tell: self._carry_out(workspace, tell), kill_after=seconds)
        acknowledged = max([0, *map(int, report.reported("acknowledged"))])
        if report.killed:
            self.tally.count("kill at any instant", "any")
        self._check_restart(f"kill after {seconds:.3f} s", workspace, acknowledged)

    def run_together(self, kill: tuple[int, float] | None) -> None:
        """Let two processes do each act at once, kill one of them in an act, and check the restart."""
        workspace = self._home(self._posted)
        case = "two at once"
        if kill is not None:
            case += f", one killed {kill[1]:.3f} s after the beginning of {ACTS[kill[0]].__name__}"
        reports = carry_out_together(workspace, kill)
        for report in reports[1:] if kill is not None else reports:
            if report.code:
                raise DefectError(f"{case}: one of them failed: {report.lines}")
        acknowledged = max(int(text) for report in reports for text in report.reported("acknowledged"))
        self.tally.count("two at once" if kill is None else "two at once, one killed", "any")
        self._check_restart(case, workspace, acknowledged)

    def _home(self, template: Path | None = None) -> Workspace:
        self._number += 1
        folder = self._folder / str(self._number)
        shutil.copytree(template or self._template, folder)
        return Workspace(folder)

    def _clean(self) -> Books:
        workspace = self._home()

        def work(tell: Callable[[str], None]) -> None:
            system = FaultySystem()
            started = time.perf_counter()
            with using(system):
                self._carry_out(workspace, tell)
            tell(f"seconds {time.perf_counter() - started}")
            tell(f"calls {json.dumps(system.calls)}")
            once = books(workspace)
            self._carry_out(workspace, tell)
            if books(workspace) != once:
                raise DefectError(f"{once} became {books(workspace)} by a repetition")
            tell(f"books {json.dumps(asdict(once))}")
            tell(f"modules {json.dumps(sorted(sys.modules))}")

        report = forked(work)
        if report.code:
            raise DefectError("\n".join(report.lines))
        # Import the modules that the run imported late, so that later runs need not.
        for name in json.loads(report.reported("modules")[0]):
            with suppress(ImportError):
                importlib.import_module(name)
        self.calls = [(action, name) for action, name in json.loads(report.reported("calls")[0])]
        self.seconds = float(report.reported("seconds")[0])
        books_after = Books(**json.loads(report.reported("books")[0]))
        if books_after.difference or books_after.entries != books_after.distinct or not books_after.reversals:
            raise DefectError(f"the run without faults is not clean: {books_after}")
        return books_after

    def _check_fault(self, case: Case, report: Report, fault: Fault) -> None:
        fired = report.reported("fired")
        if not fired:
            # A restart can have fewer calls than the number of the point; a first run cannot.
            if len(case.faults) > 1 and report.code == 0:
                return
            raise DefectError(f"{case}: the fault did not fire; {report.lines}")
        self.tally.count(fault.value, fired[0].split()[0])
        if fault in ERRORS:
            if report.code != SENTENCE:
                raise DefectError(f"{case}: expected one clear sentence, got {report.code}: {report.lines}")
            action = fired[0].split()[0]
            if action in {"fsync", "commit"} and report.reported("after") != ["0 FatalError"]:
                raise DefectError(f"{case}: the process went on after a failed {action}: {report.lines}")
        elif not report.killed:
            raise DefectError(f"{case}: expected to be killed, got {report.code}: {report.lines}")

    def _check_restart(self, case: str, workspace: Workspace, acknowledged: int) -> None:
        def work(tell: Callable[[str], None]) -> None:
            tell(f"recovered {recovered_entries(workspace)}")
            self._carry_out(workspace, tell)
            tell(f"books {json.dumps(asdict(books(workspace)))}")

        report = forked(work)
        if report.code:
            raise DefectError(f"{case}: the restart failed: {report.lines}")
        recovered = int(report.reported("recovered")[0])
        if recovered < acknowledged:
            raise DefectError(f"{case}: {acknowledged} entries were acknowledged, {recovered} were recovered")
        books_after = Books(**json.loads(report.reported("books")[0]))
        if books_after != self.clean:
            raise DefectError(f"{case}: {books_after}, without faults {self.clean}")
        if not backup_of(workspace).joinpath(MANIFEST).is_file():
            raise DefectError(f"{case}: there is no backup")
        self.tally.cases += 1
        shutil.rmtree(workspace.path)
        shutil.rmtree(backup_of(workspace))


def _faulty(
    workspace: Workspace,
    work: Callable[[Workspace, Callable[[str], None]], None],
    point: int,
    fault: Fault,
    acknowledged: int,
    tell: Callable[[str], None],
) -> None:
    system = FaultySystem(point=point, fault=fault, tell=lambda what: tell(f"fired {what}"))
    with using(system):
        try:
            if acknowledged and recovered_entries(workspace) < acknowledged:
                raise DefectError(f"of {acknowledged} acknowledged entries some are lost")
            work(workspace, tell)
        except ShowcostError as error:
            fatal = isinstance(error, FatalError)
            tell(f"after {system.after} {FatalError.__name__ if fatal else type(error).__name__}")
            raise


def sample(points: Sequence[tuple[int, Fault]], size: int, seed: int) -> list[tuple[int, Fault]]:
    """Return `size` points, spread evenly over all points, with random faults; or all points."""
    if size >= len(points):
        return list(points)
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    stride = len(points) / max(size, 1)
    return [points[int((number + draw.random()) * stride)] for number in range(size)]


@dataclass(frozen=True)
class Sizes:
    """The number of cases of each kind, and the minutes that they may take."""

    points: int
    triples: int
    instants: int
    pairs: int
    runs: int
    minutes: int = 24 * 60


def run_all(
    sizes: Sizes, *, seed: int, report: Callable[[int, int], None], acts_only: bool = False
) -> tuple[Harness, list[str]]:
    """Run cases; return the harness with its tally, and the defects."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    defects: list[str] = []
    # Payloads are encrypted, so that one can be shredded.
    os.environ.update(KEYS)
    with tempfile.TemporaryDirectory() as folder, simulated([VENDOR]) as simulator:
        harness = Harness(Path(folder), simulator.base_url(VENDOR.name), acts_only=acts_only)
        all_points = harness.points()
        cases = [Case((point,)) for point in sample(all_points, sizes.points, seed)]
        cases += [Case(tuple(draw.choice(all_points) for _ in range(3))) for _ in range(sizes.triples)]
        work: list[Callable[[], None]] = [partial(harness.run, case) for case in cases]
        times = [draw.uniform(0, harness.seconds * 1.2) for _ in range(sizes.instants)]
        work += [partial(harness.run_random, seconds) for seconds in times]
        work += [partial(harness.run_together, _drawn_kill(draw, number)) for number in range(sizes.pairs)]
        if sizes.runs:
            runs = Runs(Path(folder))
            work += [partial(_killed_run, harness, runs, draw.random()) for _ in range(sizes.runs)]
        # In any order, so that a run that is cut short is a sample of the whole.
        draw.shuffle(work)
        until = time.monotonic() + sizes.minutes * 60
        for number, run_case in enumerate(work, start=1):
            if time.monotonic() > until:
                break
            try:
                run_case()
            except DefectError as error:
                defects.append(str(error))
            report(number, len(work))
    return harness, defects


def _drawn_kill(draw: random.Random, number: int) -> tuple[int, float] | None:
    """Return the act and the seconds of a kill; every fourth pair has none."""
    return None if number % 4 == 0 else (draw.randrange(len(ACTS)), draw.uniform(0, 2))


def _killed_run(harness: Harness, runs: Runs, drawn: float) -> None:
    """Kill one run, and in half of the cases the next one too."""
    seconds = [drawn * runs.seconds] if drawn < 1 / 2 else [drawn * runs.seconds, (1 - drawn) * runs.seconds]
    try:
        for _ in range(runs.kill(seconds)):
            harness.tally.count("kill of a Dagster run", "any")
    except AssertionError as error:
        raise DefectError(str(error)) from error
    harness.tally.cases += 1
