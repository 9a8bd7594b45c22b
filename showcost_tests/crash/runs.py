"""Real runs through Dagster, killed at any instant, and finished by the next run."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING

from showcost.orchestration.runs import run_range
from showcost.workspace import Workspace
from showcost_tests.crash.processes import forked
from showcost_tests.crash.scenario import DAYS, Books, books, make_home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class Runs:
    """Runs over the days of a small data folder, each in a copy of it, compared with a run without kills."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_home(folder / "template")
        self._number = 0
        self.seconds = 0.0
        self.clean = self._finished(self._home(), "a run without kills")

    def kill(self, seconds: Sequence[float]) -> int:
        """Kill runs after these seconds, then let one finish; return the number that were killed.

        Raises AssertionError, which names the case, for a wrong outcome.
        """
        workspace = self._home()
        killed = sum(forked(partial_run(workspace), kill_after=limit).killed for limit in seconds)
        case = f"runs killed after {', '.join(f'{limit:.3f} s' for limit in seconds)}"
        after = self._finished(workspace, case)
        if after != self.clean:
            raise AssertionError(f"{case}: {after}, without kills {self.clean}")
        shutil.rmtree(workspace.path)
        return killed

    def _home(self) -> Workspace:
        self._number += 1
        folder = self._folder / f"run {self._number}"
        shutil.copytree(self._folder / "template", folder)
        return Workspace(folder)

    def _finished(self, workspace: Workspace, case: str) -> Books:
        def work(tell: Callable[[str], None]) -> None:
            partial_run(workspace)(tell)
            tell(f"books {json.dumps(asdict(books(workspace)))}")

        report = forked(work)
        if report.code or report.reported("failed"):
            raise AssertionError(f"{case}: the next run failed: {report.lines}")
        self.seconds = max(self.seconds, float(report.reported("seconds")[0]))
        after = Books(**json.loads(report.reported("books")[0]))
        if after.difference:
            raise AssertionError(f"{case}: {after.difference}")
        return after


def partial_run(workspace: Workspace) -> Callable[[Callable[[str], None]], None]:
    """Return the work of a process that runs the days."""

    def work(tell: Callable[[str], None]) -> None:
        outcome = run_range(workspace, DAYS[0], DAYS[-1])
        tell(f"seconds {outcome.seconds}")
        for failure in (*outcome.failures, *(asdict(check) for check in outcome.errors)):
            tell(f"failed {json.dumps(failure, default=str)}")

    return work
