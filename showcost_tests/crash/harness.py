"""Runs the scenario in processes that die, and checks what the next one makes of it.

A process is forked from one that has imported everything but started no thread, so that a run costs no
import. It reports through a pipe; what it could not report before it was killed was not acknowledged.
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

from showcost.core.durable import using
from showcost.core.errors import FatalError, ShowcostError
from showcost_tests.crash.faults import ERRORS, Fault, FaultySystem, possible
from showcost_tests.crash.scenario import Books, books, carry_out, make_home, recovered_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.workspace import Workspace

_SENTENCE = 3
"""Exit status of a run that ended with an error of ours."""
_CRASHED = 4
"""Exit status of a run that ended with any other error: a defect."""


class DefectError(Exception):
    """What must not happen did: the case is named."""


@dataclass(frozen=True)
class Case:
    """Faults that follow each other: a crash, then one during the restart, and so on."""

    faults: tuple[tuple[int, Fault], ...]

    def __str__(self) -> str:
        return ", then ".join(f"{fault} at {point}" for point, fault in self.faults)


@dataclass
class Tally:
    """What was tried: cases, and faults fired by kind and by action."""

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
    """How a process ended, and the lines that it told."""

    status: int
    lines: tuple[str, ...]

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL

    @property
    def code(self) -> int:
        return os.waitstatus_to_exitcode(self.status)

    def told(self, word: str) -> list[str]:
        """Return the rest of the lines that begin with a word."""
        return [line.removeprefix(word).strip() for line in self.lines if line.startswith(word)]


def forked(work: Callable[[Callable[[str], None]], None], kill_after: float | None = None) -> Report:
    """Carry out `work` in a process of its own; kill it after some seconds, if asked to."""
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
    except BaseException:  # noqa: BLE001 - whatever it is, the parent must hear of it
        tell(f"defect {json.dumps(traceback.format_exc())}")
        code = _CRASHED
    os._exit(code)


class Harness:
    """Runs cases in a folder and holds each outcome against that of a run without faults."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self.tally = Tally()
        self.calls: list[tuple[str, str]] = []
        self.seconds = 0.0
        self.clean = self._clean()

    def points(self) -> list[tuple[int, Fault]]:
        """Return every point with every fault that it can have, in order."""
        return [
            (number, fault)
            for number, (action, _) in enumerate(self.calls, start=1)
            for fault in possible(action)
        ]

    def run(self, case: Case) -> None:
        """Carry out a case; raises DefectError for whatever must not be."""
        home = self._home()
        acknowledged = 0
        for point, fault in case.faults:
            report = forked(partial(_faulty, home, point, fault, acknowledged))
            acknowledged = max([acknowledged, *map(int, report.told("acknowledged"))])
            self._check_fault(case, report, fault)
        self._check_restart(f"{case}", home, acknowledged)

    def run_random(self, moment: float) -> None:
        """Kill a run at some moment, wherever it is, and check the restart; DuckDB's own writes included."""
        home = self._home()
        report = forked(lambda tell: carry_out(home, tell), kill_after=moment)
        acknowledged = max([0, *map(int, report.told("acknowledged"))])
        if report.killed:
            self.tally.count("kill at any instant", "any")
        self._check_restart(f"kill after {moment:.3f} s", home, acknowledged)

    def _home(self) -> Workspace:
        self._number += 1
        return make_home(self._folder / str(self._number))

    def _clean(self) -> Books:
        home = self._home()

        def work(tell: Callable[[str], None]) -> None:
            system = FaultySystem()
            started = time.perf_counter()
            with using(system):
                carry_out(home, tell)
            tell(f"seconds {time.perf_counter() - started}")
            tell(f"calls {json.dumps(system.calls)}")
            tell(f"books {json.dumps(asdict(books(home)))}")
            tell(f"modules {json.dumps(sorted(sys.modules))}")

        report = forked(work)
        if report.code:
            raise DefectError("\n".join(report.lines))
        # What the run imported late is imported here, once, so that no later run has to.
        for name in json.loads(report.told("modules")[0]):
            with suppress(ImportError):
                importlib.import_module(name)
        self.calls = [(action, name) for action, name in json.loads(report.told("calls")[0])]
        self.seconds = float(report.told("seconds")[0])
        found = Books(**json.loads(report.told("books")[0]))
        if found.difference or found.entries != found.distinct or not found.reversals:
            raise DefectError(f"the run without faults is not clean: {found}")
        return found

    def _check_fault(self, case: Case, report: Report, fault: Fault) -> None:
        fired = report.told("fired")
        if not fired:
            # A restart can need fewer calls than the point's number; a first run never does.
            if len(case.faults) > 1 and report.code == 0:
                return
            raise DefectError(f"{case}: the fault did not fire; {report.lines}")
        self.tally.count(fault.value, fired[0].split()[0])
        if fault in ERRORS:
            if report.code != _SENTENCE:
                raise DefectError(f"{case}: expected one clear sentence, got {report.code}: {report.lines}")
            action = fired[0].split()[0]
            if action in {"fsync", "commit"} and report.told("after") != ["0 FatalError"]:
                raise DefectError(f"{case}: the process went on after a failed {action}: {report.lines}")
        elif not report.killed:
            raise DefectError(f"{case}: expected to be killed, got {report.code}: {report.lines}")

    def _check_restart(self, case: str, home: Workspace, acknowledged: int) -> None:
        def work(tell: Callable[[str], None]) -> None:
            tell(f"recovered {recovered_entries(home)}")
            carry_out(home, tell)
            tell(f"books {json.dumps(asdict(books(home)))}")

        report = forked(work)
        if report.code:
            raise DefectError(f"{case}: the restart failed: {report.lines}")
        recovered = int(report.told("recovered")[0])
        if recovered < acknowledged:
            raise DefectError(f"{case}: {acknowledged} entries were acknowledged, {recovered} were recovered")
        found = Books(**json.loads(report.told("books")[0]))
        if found != self.clean:
            raise DefectError(f"{case}: {found}, without faults {self.clean}")
        self.tally.cases += 1
        shutil.rmtree(home.path)


def _faulty(
    home: Workspace, point: int, fault: Fault, acknowledged: int, tell: Callable[[str], None]
) -> None:
    system = FaultySystem(point=point, fault=fault, tell=lambda what: tell(f"fired {what}"))
    with using(system):
        try:
            if acknowledged and recovered_entries(home) < acknowledged:
                raise DefectError(f"of {acknowledged} acknowledged entries some are lost")
            carry_out(home, tell)
        except ShowcostError as error:
            fatal = isinstance(error, FatalError)
            tell(f"after {system.after} {FatalError.__name__ if fatal else type(error).__name__}")
            raise


def sample(everything: Sequence[tuple[int, Fault]], wanted: int, seed: int) -> list[tuple[int, Fault]]:
    """Return some points, spread evenly over the way, the faults drawn; all of them if enough are wanted."""
    if wanted >= len(everything):
        return list(everything)
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    size = len(everything) / wanted
    return [everything[int((number + draw.random()) * size)] for number in range(wanted)]


def run_all(
    *, points: int, triples: int, instants: int, seed: int, report: Callable[[int, int], None]
) -> tuple[Harness, list[str]]:
    """Run cases and return the harness with its tally and the defects."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    defects: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder))
        everything = harness.points()
        cases = [Case((point,)) for point in sample(everything, points, seed)]
        cases += [Case(tuple(draw.choice(everything) for _ in range(3))) for _ in range(triples)]
        work: list[Callable[[], None]] = [partial(harness.run, case) for case in cases]
        moments = [draw.uniform(0, harness.seconds * 1.2) for _ in range(instants)]
        work += [partial(harness.run_random, moment) for moment in moments]
        for number, one in enumerate(work, start=1):
            try:
                one()
            except DefectError as error:
                defects.append(str(error))
            report(number, len(work))
    return harness, defects
