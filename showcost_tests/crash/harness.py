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
from typing import TYPE_CHECKING, Final, TypeVar

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
    declare_vendor,
    make_home,
)
from showcost_tests.crash.faults import ERRORS, Fault, FaultySystem, possible
from showcost_tests.crash.processes import SENTENCE, Report, forked
from showcost_tests.crash.runs import Runs
from showcost_tests.crash.scenario import STEPS, Books, books, recovered_entries
from showcost_tests.crash.together import carry_out_together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class DefectError(Exception):
    """A defect of showcost; the message names the case."""


@dataclass(frozen=True)
class Case:
    """Consecutive faults in an act: a crash, then one during the restart, and so on.

    The last restart carries out the act alone, or with `whole` every act from the first.
    """

    stage: Stage
    faults: tuple[tuple[int, Fault], ...]
    whole: bool = False

    def __str__(self) -> str:
        faults = ", then ".join(f"{fault} at {point}" for point, fault in self.faults)
        return f"{self.stage.name}: {faults}"


@dataclass(frozen=True)
class Stage:
    """An act, the folder before it, and its calls, seconds and books when nothing fails."""

    act: Callable[[Workspace], None]
    before: Path
    calls: tuple[tuple[str, str], ...]
    seconds: float
    after: Books

    @property
    def name(self) -> str:
        return self.act.__name__.strip("_")

    def points(self) -> list[tuple[int, Fault]]:
        """Return every point with each of its possible faults, in order."""
        return [
            (number, fault)
            for number, (action, _) in enumerate(self.calls, start=1)
            for fault in possible(action)
        ]


ALL: Final = (*STEPS, *ACTS)
"""The steps of the scenario and the acts after it, in order."""
_Item = TypeVar("_Item")
_WHOLE: Final = 50
"""One case of so many carries out all acts in its restart, from the first."""


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
    """Runs cases in copies of a folder and compares each outcome with that of a run without faults.

    A case begins before one act. With `acts_only` faults come only in the acts after the scenario. `vendor`
    is the address of the simulated vendor.
    """

    def __init__(self, folder: Path, vendor: str, *, acts_only: bool = False) -> None:
        self._folder = folder
        self._number = 0
        self.tally = Tally()
        clean = declare_vendor(make_home(folder / "clean"), vendor)
        stages = [self._stage(clean, act) for act in ALL]
        self.stages = stages[len(STEPS) :] if acts_only else stages
        self.clean = stages[-1].after
        if not self.clean.reversals:
            raise DefectError(f"the acts without faults reversed nothing: {self.clean}")

    def run(self, case: Case) -> None:
        """Carry out a case; raises DefectError for a wrong outcome."""
        workspace = self._home(case.stage)
        acknowledged = 0
        for point, fault in case.faults:
            report = forked(partial(_faulty, workspace, case.stage.act, point, fault, acknowledged))
            acknowledged = max([acknowledged, *map(int, report.reported("acknowledged"))])
            self._check_fault(case, report, fault)
        self._check_restart(f"{case}", workspace, case.stage, acknowledged, whole=case.whole)

    def run_random(self, stage: Stage, seconds: float, *, whole: bool) -> None:
        """Kill an act after some seconds, even during DuckDB's own writes, and check the restart."""
        workspace = self._home(stage)
        report = forked(lambda tell: carry_out(workspace, [stage.act], tell), kill_after=seconds)
        acknowledged = max([0, *map(int, report.reported("acknowledged"))])
        if report.killed:
            self.tally.count("kill at any instant", "any")
        case = f"{stage.name}: kill after {seconds:.3f} s"
        self._check_restart(case, workspace, stage, acknowledged, whole=whole)

    def run_together(self, stage: Stage, kill: float | None, *, whole: bool) -> None:
        """Let two processes do an act at once, kill one of them, and check the restart.

        With `whole` they do all acts from this one on.
        """
        workspace = self._home(stage)
        case = f"{stage.name}: two at once"
        if kill is not None:
            case += f", one killed after {kill:.3f} s"
        acts = ALL[ALL.index(stage.act) :] if whole else [stage.act]
        reports = carry_out_together(workspace, acts, None if kill is None else (0, kill))
        for report in reports[1:] if kill is not None else reports:
            if report.code:
                raise DefectError(f"{case}: one of them failed: {report.lines}")
        acknowledged = max(int(text) for report in reports for text in report.reported("acknowledged"))
        self.tally.count("two at once" if kill is None else "two at once, one killed", "any")
        self._check_restart(case, workspace, stage, acknowledged, whole=whole)

    def _home(self, stage: Stage) -> Workspace:
        self._number += 1
        folder = self._folder / str(self._number)
        shutil.copytree(stage.before, folder)
        return Workspace(folder)

    def _stage(self, clean: Workspace, act: Callable[[Workspace], None]) -> Stage:
        """Carry out an act without faults, twice, and return what it does."""
        before = self._folder / f"before {act.__name__}"
        shutil.copytree(clean.path, before)
        workspace = Workspace(clean.path)

        def work(tell: Callable[[str], None]) -> None:
            system = FaultySystem()
            started = time.perf_counter()
            with using(system):
                act(workspace)
            tell(f"seconds {time.perf_counter() - started}")
            tell(f"calls {json.dumps(system.calls)}")
            act(workspace)
            tell(f"books {json.dumps(asdict(books(workspace, verified=False)))}")
            tell(f"modules {json.dumps(sorted(sys.modules))}")

        report = forked(work)
        if report.code:
            raise DefectError("\n".join(report.lines))
        # Import the modules that the act imported late, so that later runs need not.
        for name in json.loads(report.reported("modules")[0]):
            with suppress(ImportError):
                importlib.import_module(name)
        after = Books(**json.loads(report.reported("books")[0]))
        if after.difference or after.entries != after.distinct:
            raise DefectError(f"{act.__name__} without faults is not clean: {after}")
        calls = tuple((action, name) for action, name in json.loads(report.reported("calls")[0]))
        return Stage(act, before, calls, float(report.reported("seconds")[0]), after)

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

    def _check_restart(
        self, case: str, workspace: Workspace, stage: Stage, acknowledged: int, *, whole: bool
    ) -> None:
        acts, expected = (ALL, self.clean) if whole else ([stage.act], stage.after)

        def work(tell: Callable[[str], None]) -> None:
            tell(f"recovered {recovered_entries(workspace)}")
            carry_out(workspace, acts, tell)
            tell(f"books {json.dumps(asdict(books(workspace, read_again=whole)))}")

        report = forked(work)
        if report.code:
            raise DefectError(f"{case}: the restart failed: {report.lines}")
        recovered = int(report.reported("recovered")[0])
        if recovered < acknowledged:
            raise DefectError(f"{case}: {acknowledged} entries were acknowledged, {recovered} were recovered")
        books_after = Books(**json.loads(report.reported("books")[0]))
        if books_after != expected:
            raise DefectError(f"{case}: {books_after}, without faults {expected}")
        if acts[-1] is ALL[-1]:
            if not backup_of(workspace).joinpath(MANIFEST).is_file():
                raise DefectError(f"{case}: there is no backup")
            shutil.rmtree(backup_of(workspace))
        self.tally.cases += 1
        shutil.rmtree(workspace.path)


def _faulty(
    workspace: Workspace,
    act: Callable[[Workspace], None],
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
            carry_out(workspace, [act], tell)
        except ShowcostError as error:
            fatal = isinstance(error, FatalError)
            tell(f"after {system.after} {FatalError.__name__ if fatal else type(error).__name__}")
            raise


def sample(points: Sequence[_Item], size: int, seed: int) -> list[_Item]:
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
        work = _cases(harness, sizes, draw, seed)
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
                sys.stderr.write(f"defect: {error}\n")
            report(number, len(work))
    return harness, defects


def _cases(harness: Harness, sizes: Sizes, draw: random.Random, seed: int) -> list[Callable[[], None]]:
    """Return cases of every kind but runs; one of `_WHOLE` repeats all acts in its restart."""
    points = [(stage, point) for stage in harness.stages for point in stage.points()]
    cases = [
        Case(stage, (point,), whole=number % _WHOLE == 0)
        for number, (stage, point) in enumerate(sample(points, sizes.points, seed))
    ]
    for number in range(sizes.triples):
        stage, _ = draw.choice(points)
        faults = tuple(draw.choice(stage.points()) for _ in range(3))
        cases.append(Case(stage, faults, whole=number % _WHOLE == 0))
    work: list[Callable[[], None]] = [partial(harness.run, case) for case in cases]
    seconds = [stage.seconds for stage in harness.stages]
    for number, stage in enumerate(draw.choices(harness.stages, seconds, k=sizes.instants)):
        after = draw.uniform(0, stage.seconds * 1.2)
        work.append(partial(harness.run_random, stage, after, whole=number % _WHOLE == 0))
    for number in range(sizes.pairs):
        stage = draw.choice(harness.stages)
        # Every fourth pair has no kill.
        kill = None if number % 4 == 0 else draw.uniform(0, stage.seconds * 1.2)
        work.append(partial(harness.run_together, stage, kill, whole=number % _WHOLE == 0))
    return work


def _killed_run(harness: Harness, runs: Runs, drawn: float) -> None:
    """Kill one run, and in half of the cases the next one too."""
    seconds = [drawn * runs.seconds] if drawn < 1 / 2 else [drawn * runs.seconds, (1 - drawn) * runs.seconds]
    try:
        for _ in range(runs.kill(seconds)):
            harness.tally.count("kill of a Dagster run", "any")
    except AssertionError as error:
        raise DefectError(str(error)) from error
    harness.tally.cases += 1
