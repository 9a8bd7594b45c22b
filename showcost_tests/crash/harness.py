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
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.backup import MANIFEST
from showcost.checks.verify import verify
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


@dataclass(frozen=True)
class Trial:
    """A disturbance of an act.

    `disturb` returns the number of entries that were acknowledged before its end, or None if its fault did
    not come.
    """

    stage: Stage
    name: str
    disturb: Callable[[Workspace], int | None]

    def __str__(self) -> str:
        return self.name


ALL: Final = (*STEPS, *ACTS)
"""The steps of the scenario and the acts after it, in order."""
_WHOLE: Final = 200
"""One case of so many carries out all acts in its restart, from the first."""


@dataclass
class Tally:
    """Number of cases and of walks, and of faults by kind and by action."""

    cases: int = 0
    walks: int = 0
    fired: int = 0
    by_fault: dict[str, int] = field(default_factory=dict)
    by_action: dict[str, int] = field(default_factory=dict)

    def count(self, fault: str, action: str) -> None:
        self.fired += 1
        self.by_fault[fault] = self.by_fault.get(fault, 0) + 1
        self.by_action[action] = self.by_action.get(action, 0) + 1


class Harness:
    """Runs cases in copies of a folder and compares each outcome with that of a run without faults.

    With `acts_only` faults come only in the acts after the scenario; with `steps_only` there are no acts.
    `vendor` is the address of the simulated vendor.
    """

    def __init__(
        self, folder: Path, vendor: str, *, acts_only: bool = False, steps_only: bool = False
    ) -> None:
        self._folder = folder
        self._number = 0
        self.tally = Tally()
        clean = declare_vendor(make_home(folder / "clean"), vendor)
        self._all = STEPS if steps_only else ALL
        stages = [self._stage(clean, act) for act in self._all]
        self.stages = stages[len(STEPS) :] if acts_only else stages
        self.clean = stages[-1].after
        if not self.clean.reversals:
            raise DefectError(f"the acts without faults reversed nothing: {self.clean}")

    def trial_of_faults(self, stage: Stage, faults: tuple[tuple[int, Fault], ...]) -> Trial:
        """Return a trial with consecutive faults in an act: a crash, one during the restart, and so on."""
        text = ", then ".join(f"{fault} at {point}" for point, fault in faults)
        return Trial(stage, f"{stage.name}: {text}", partial(self._faults, stage, faults))

    def trial_at_an_instant(self, stage: Stage, seconds: float) -> Trial:
        """Return a trial that kills an act after some seconds, even during DuckDB's own writes."""
        return Trial(
            stage, f"{stage.name}: kill after {seconds:.3f} s", partial(self._instant, stage, seconds)
        )

    def trial_together(self, stage: Stage, kill: float | None) -> Trial:
        """Return a trial that lets two processes do an act at once and kills one of them, or neither."""
        end = "" if kill is None else f", one killed after {kill:.3f} s"
        return Trial(stage, f"{stage.name}: two at once{end}", partial(self._together, stage, kill))

    def run_alone(self, trial: Trial, *, whole: bool = False) -> None:
        """Carry out a trial in the folder before its act; raises DefectError for a wrong outcome.

        The restart does the act alone, or with `whole` every act from the first. The end is verified.
        """
        workspace = self._home(trial.stage)
        acknowledged = trial.disturb(workspace)
        if acknowledged is None:
            raise DefectError(f"{trial}: the fault did not fire")
        acts, expected = (self._all, self.clean) if whole else ([trial.stage.act], trial.stage.after)
        self._check_restart(str(trial), workspace, acts, expected, acknowledged)
        self._check_verified(str(trial), workspace, read_again=whole)
        self._finish(str(trial), workspace, acts[-1])
        self.tally.cases += 1

    def run_walk(self, trials: Sequence[Trial]) -> None:
        """Carry out at most one trial of each act, one after the other in one folder, verified at the end.

        After each trial its act is done again, and the counts and the digest must be those of a run without
        faults. Raises DefectError for a wrong outcome; a trial whose act has fewer calls than the number of
        its point, after the trials before it, is carried out alone.
        """
        by_act = {trial.stage.name: trial for trial in trials}
        workspace, not_reached = self._home(self.stages[0]), []
        for stage in self.stages:
            trial = by_act.get(stage.name)
            acknowledged = 0 if trial is None else trial.disturb(workspace)
            if trial is not None and acknowledged is None:
                not_reached.append(trial)
            case = stage.name if trial is None else str(trial)
            self._check_restart(case, workspace, [stage.act], stage.after, acknowledged or 0)
        self._check_verified(" | ".join(map(str, trials)), workspace, read_again=True)
        self._finish("a walk", workspace, self.stages[-1].act)
        self.tally.walks += 1
        self.tally.cases += len(trials) - len(not_reached)
        for trial in not_reached:
            self.run_alone(trial)

    def _faults(
        self, stage: Stage, faults: tuple[tuple[int, Fault], ...], workspace: Workspace
    ) -> int | None:
        acknowledged, has_fired = 0, False
        for point, fault in faults:
            report = forked(partial(_faulty, workspace, stage.act, point, fault, acknowledged))
            acknowledged = max([acknowledged, *map(int, report.reported("acknowledged"))])
            if not report.reported("fired") and report.code == 0:
                continue
            has_fired = True
            self._check_fault(f"{stage.name}: {fault} at {point}", report, fault)
        return acknowledged if has_fired else None

    def _instant(self, stage: Stage, seconds: float, workspace: Workspace) -> int:
        report = forked(lambda tell: carry_out(workspace, [stage.act], tell), kill_after=seconds)
        if report.killed:
            self.tally.count("kill at any instant", "any")
        return max([0, *map(int, report.reported("acknowledged"))])

    def _together(self, stage: Stage, kill: float | None, workspace: Workspace) -> int:
        reports = carry_out_together(workspace, [stage.act], None if kill is None else (0, kill))
        for report in reports[1:] if kill is not None else reports:
            if report.code:
                raise DefectError(f"{stage.name}, two at once: one of them failed: {report.lines}")
        self.tally.count("two at once" if kill is None else "two at once, one killed", "any")
        return max([0, *(int(text) for report in reports for text in report.reported("acknowledged"))])

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

    def _check_fault(self, case: str, report: Report, fault: Fault) -> None:
        fired = report.reported("fired")
        if not fired:
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

    @staticmethod
    def _check_restart(
        case: str,
        workspace: Workspace,
        acts: Sequence[Callable[[Workspace], None]],
        expected: Books,
        acknowledged: int,
    ) -> None:
        def work(tell: Callable[[str], None]) -> None:
            tell(f"recovered {recovered_entries(workspace)}")
            carry_out(workspace, acts, tell)
            tell(f"books {json.dumps(asdict(books(workspace, verified=False)))}")

        report = forked(work)
        if report.code:
            raise DefectError(f"{case}: the restart failed: {report.lines}")
        recovered = int(report.reported("recovered")[0])
        if recovered < acknowledged:
            raise DefectError(f"{case}: {acknowledged} entries were acknowledged, {recovered} were recovered")
        books_after = Books(**json.loads(report.reported("books")[0]))
        if books_after != expected:
            raise DefectError(f"{case}: {books_after}, without faults {expected}")

    @staticmethod
    def _check_verified(case: str, workspace: Workspace, *, read_again: bool) -> None:
        def work(tell: Callable[[str], None]) -> None:
            if (first := verify(workspace, read_again=read_again).first) is not None:
                tell(f"difference {first}")

        report = forked(work)
        if report.code or report.lines:
            raise DefectError(f"{case}: it does not verify: {report.lines}")

    @staticmethod
    def _finish(case: str, workspace: Workspace, last: Callable[[Workspace], None]) -> None:
        if last is ALL[-1]:
            if not backup_of(workspace).joinpath(MANIFEST).is_file():
                raise DefectError(f"{case}: there is no backup")
            shutil.rmtree(backup_of(workspace))
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


def spread(stages: Sequence[Stage], size: int, draw: random.Random) -> list[tuple[Stage, tuple[int, Fault]]]:
    """Return `size` points with faults, as many from each act as it has, each spread evenly over the act."""
    chosen: list[tuple[Stage, tuple[int, Fault]]] = []
    # Those with the fewest points first: what they lack, the others have more.
    for number, stage in enumerate(sorted(stages, key=lambda stage: len(stage.points()))):
        points = stage.points()
        share = min(len(points), (size - len(chosen)) // (len(stages) - number))
        stride = len(points) / max(share, 1)
        chosen += [(stage, points[int((count + draw.random()) * stride)]) for count in range(share)]
    return chosen


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
    sizes: Sizes,
    *,
    seed: int,
    report: Callable[[int, int], None],
    acts_only: bool = False,
    steps_only: bool = False,
) -> tuple[Harness, list[str]]:
    """Run cases; return the harness with its tally, and the defects."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    defects: list[str] = []
    # Payloads are encrypted, so that one can be shredded.
    os.environ.update(KEYS)
    with tempfile.TemporaryDirectory() as folder, simulated([VENDOR]) as simulator:
        address = simulator.base_url(VENDOR.name)
        harness = Harness(Path(folder), address, acts_only=acts_only, steps_only=steps_only)
        work = _cases(harness, sizes, draw)
        if sizes.runs:
            runs = Runs(Path(folder))
            work += [([], partial(_killed_run, harness, runs, draw.random())) for _ in range(sizes.runs)]
        # In any order, so that a run that is cut short is a sample of the whole.
        draw.shuffle(work)
        whole = sum(max(len(trials), 1) for trials, _ in work)
        until = time.monotonic() + sizes.minutes * 60
        for trials, run_case in work:
            if time.monotonic() > until:
                break
            for error in _defects(harness, trials, run_case):
                defects.append(error)
                sys.stderr.write(f"defect: {error}\n")
            report(harness.tally.cases, whole)
    return harness, defects


def _defects(harness: Harness, trials: Sequence[Trial], run_case: Callable[[], None]) -> list[str]:
    """Carry out a case or a walk; after a defect in a walk, each of its trials alone, to find which it is."""
    try:
        run_case()
    except DefectError as error:
        found = []
        for trial in trials:
            try:
                harness.run_alone(trial)
            except DefectError as alone:
                found.append(str(alone))
        return found or [str(error)]
    return []


def _cases(
    harness: Harness, sizes: Sizes, draw: random.Random
) -> list[tuple[list[Trial], Callable[[], None]]]:
    """Return cases of every kind but runs: in walks, but for one of `_WHOLE`, whose restart does all acts."""
    trials = [
        harness.trial_of_faults(stage, (point,))
        for stage, point in spread(harness.stages, sizes.points, draw)
    ]
    for _ in range(sizes.triples):
        stage = draw.choice(harness.stages)
        trials.append(harness.trial_of_faults(stage, tuple(draw.choice(stage.points()) for _ in range(3))))
    seconds = [stage.seconds for stage in harness.stages]
    trials += [
        harness.trial_at_an_instant(stage, draw.uniform(0, stage.seconds * 1.2))
        for stage in draw.choices(harness.stages, seconds, k=sizes.instants)
    ]
    for number in range(sizes.pairs):
        stage = draw.choice(harness.stages)
        # Every fourth pair has no kill.
        kill = None if number % 4 == 0 else draw.uniform(0, stage.seconds * 1.2)
        trials.append(harness.trial_together(stage, kill))
    draw.shuffle(trials)
    alone = trials[::_WHOLE]
    work: list[tuple[list[Trial], Callable[[], None]]] = [
        ([], partial(harness.run_alone, trial, whole=True)) for trial in alone
    ]
    walks: list[list[Trial]] = []
    counts: Counter[str] = Counter()
    for trial in trials:
        if trial not in alone:
            number = counts[trial.stage.name]
            counts[trial.stage.name] += 1
            if number == len(walks):
                walks.append([])
            walks[number].append(trial)
    work += [(walk, partial(harness.run_walk, walk)) for walk in walks]
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
