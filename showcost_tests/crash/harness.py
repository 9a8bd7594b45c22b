"""Runs the scenario in processes that die, and checks the recovery by the next process.

Each process is forked from one that has imported everything but started no thread, so that a run needs no
imports. It reports through a pipe; anything not reported before the kill was not acknowledged.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from showcost.backup import MANIFEST
from showcost.core.durable import using
from showcost.core.errors import FatalError, ShowcostError
from showcost.workspace import Workspace
from showcost_tests.crash.acts import KEYS, backup_of, carry_out, carry_out_acts, make_home
from showcost_tests.crash.faults import ERRORS, Fault, FaultySystem, possible
from showcost_tests.crash.scenario import Books, books, recovered_entries
from showcost_tests.crash.scenario import carry_out as post_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SENTENCE = 3
"""Exit status of a run that ended with a ShowcostError."""
_CRASHED = 4
"""Exit status of a run that ended with any other error: a defect."""


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


@dataclass(frozen=True)
class Report:
    """Exit status of a process, and the lines that it reported."""

    status: int
    lines: tuple[str, ...]

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL

    @property
    def code(self) -> int:
        return os.waitstatus_to_exitcode(self.status)

    def reported(self, word: str) -> list[str]:
        """Return the rest of each line that begins with a word."""
        return [line.removeprefix(word).strip() for line in self.lines if line.startswith(word)]


def forked(work: Callable[[Callable[[str], None]], None], kill_after: float | None = None) -> Report:
    """Carry out `work` in a process of its own; kill it after `kill_after` seconds, if given."""
    reading, writing_end = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _exit_with(work, writing_end)
    os.close(writing_end)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    with os.fdopen(reading, encoding="utf-8") as stream:
        lines = tuple(stream.read().splitlines())
    _, status = os.waitpid(process, 0)
    return Report(status, lines)


def _exit_with(work: Callable[[Callable[[str], None]], None], pipe: int) -> None:
    def tell(line: str) -> None:
        os.write(pipe, line.encode() + b"\n")

    code = 0
    try:
        work(tell)
    except ShowcostError as error:
        tell(f"sentence {type(error).__name__} {error}")
        code = _SENTENCE
    except BaseException:  # noqa: BLE001 - reported to the parent
        tell(f"defect {json.dumps(traceback.format_exc())}")
        code = _CRASHED
    os._exit(code)


class Harness:
    """Runs cases in a folder and compares each outcome with that of a run without faults.

    With `acts_only` each case begins with a posted ledger, and faults come in the acts afterwards.
    """

    def __init__(self, folder: Path, *, acts_only: bool = False) -> None:
        self._folder = folder
        self._carry_out = carry_out_acts if acts_only else carry_out
        self._template = folder / "template" if acts_only else None
        if self._template is not None:
            workspace = make_home(self._template)
            if forked(lambda tell: post_all(workspace, tell)).code:
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

    def _home(self) -> Workspace:
        self._number += 1
        folder = self._folder / str(self._number)
        if self._template is None:
            return make_home(folder)
        shutil.copytree(self._template, folder)
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
            tell(f"books {json.dumps(asdict(books(workspace)))}")
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
            if report.code != _SENTENCE:
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
    stride = len(points) / size
    return [points[int((number + draw.random()) * stride)] for number in range(size)]


def run_all(
    *,
    points: int,
    triples: int,
    instants: int,
    seed: int,
    report: Callable[[int, int], None],
    acts_only: bool = False,
    minutes: int = 24 * 60,
) -> tuple[Harness, list[str]]:
    """Run cases for at most some minutes; return the harness with its tally, and the defects."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    defects: list[str] = []
    # Payloads are encrypted, so that one can be shredded.
    os.environ.update(KEYS)
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), acts_only=acts_only)
        all_points = harness.points()
        cases = [Case((point,)) for point in sample(all_points, points, seed)]
        cases += [Case(tuple(draw.choice(all_points) for _ in range(3))) for _ in range(triples)]
        work: list[Callable[[], None]] = [partial(harness.run, case) for case in cases]
        times = [draw.uniform(0, harness.seconds * 1.2) for _ in range(instants)]
        work += [partial(harness.run_random, seconds) for seconds in times]
        # In any order, so that a run that is cut short is a sample of the whole.
        draw.shuffle(work)
        until = time.monotonic() + minutes * 60
        for number, run_case in enumerate(work, start=1):
            if time.monotonic() > until:
                break
            try:
                run_case()
            except DefectError as error:
                defects.append(str(error))
            report(number, len(work))
    return harness, defects
