"""Run the production's job through Dagster, in this process, over a range of dates.

For commands and tests. The Dagster instance is that of the data folder, so that the UI shows the runs.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.components.workers import end_lost_runs, held_slots
from showcost.core.durable import replace_file
from showcost.core.errors import InputError
from showcost.orchestration.history import history_errors
from showcost.pipeline.due import has_rows, ledger_state
from showcost.workspace import HOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from showcost.workspace import Workspace

DAGSTER_HOME_VARIABLE: Final = "DAGSTER_HOME"
ERROR: Final = "ERROR"
"""Severity of a failed check that ends a command with status 1; the other is WARN."""

_POLL_SECONDS: Final = 0.5
_LOOKS_PER_WAIT: Final = 10
"""Looks at the steps for one at the runs that hold them up."""
_FIGURES: Final = ("failed", "checked")
_RUN_TAG: Final = "showcost/run"
_PART_TAG: Final = "showcost/part"
_QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class FailedCheck:
    """A check that failed in a run, for `failed` of its `checked` partitions (1 of 1 for a whole asset).

    `severity` is WARN or ERROR.
    """

    asset: str
    check: str
    severity: str
    message: str
    failed: int
    checked: int


@dataclass(frozen=True)
class RunOutcome:
    """A finished run over `partitions` dates; `failures` are (step, message).

    `run_id` is the Dagster run over the dates; those before and after it have it as their tag `showcost/run`.
    `success` is that of the steps; `passed` also requires that no check failed with severity ERROR.
    """

    run_id: str
    success: bool
    partitions: int
    seconds: int
    failures: tuple[tuple[str, str], ...]
    failed_checks: tuple[FailedCheck, ...]

    @property
    def passed(self) -> bool:
        """Return whether all steps succeeded and no check failed with severity ERROR."""
        return self.success and not self.errors

    @property
    def errors(self) -> tuple[FailedCheck, ...]:
        """The failed checks of severity ERROR."""
        return tuple(check for check in self.failed_checks if check.severity == ERROR)


def dagster_home(workspace: Workspace) -> Path:
    """Return the folder of the Dagster instance: `DAGSTER_HOME`, or one in the data folder.

    A folder without settings gets showcost's own: a ledger pool of size one, no telemetry.
    """
    variable = os.environ.get(DAGSTER_HOME_VARIABLE)
    folder = Path(variable) if variable else workspace.path / "dagster_home"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "dagster.yaml"
    if not settings.exists():
        # Whole or not at all: Dagster takes an empty file for its own settings.
        replace_file(settings, files("showcost").joinpath("dagster.yaml").read_bytes())
    return folder


def partitions_between(workspace: Workspace, first: date, last: date) -> list[str]:
    """Return the partition keys from `first` to `last`. Raises InputError if there are none."""
    dates = workspace.production.dates
    keys = daily_partitions(workspace.production).get_partition_keys()
    selected = [key for key in keys if first.isoformat() <= key <= last.isoformat()]
    if not selected:
        raise InputError(
            f"no partition from {first} to {last}: the production's dates are {dates.start} to {dates.end}, "
            f"and {len(keys)} of them have begun"
        )
    return selected


def run_range(
    workspace: Workspace,
    first: date,
    last: date,
    progress: Callable[[int, int], None] | None = None,
    feeds: Collection[str] | None = None,
    waiting: Callable[[str], None] | None = None,
) -> RunOutcome:
    """Run the job over a range of dates and return the outcome.

    `feeds` are the names of those to run. None: every feed's inbox is landed, then the feeds with rows on
    dates of the range are run. `progress` receives (finished steps, known steps) during the run; `waiting`
    a sentence about each run for which it waits. Raises InputError for a range without partitions,
    StorageError if Dagster's history cannot be written; failures within the run are in the outcome.
    """
    with in_environment(workspace):
        keys = partitions_between(workspace, first, last)
        with history_errors(dagster_home(workspace)), dg.DagsterInstance.get() as instance:
            end_lost_runs(instance)
            return _Run(workspace, instance, keys, progress, waiting).execute(feeds)


class _Run:
    """A run over a range of dates, as one Dagster run per part.

    In a Dagster run over a range, each asset counts once per date. So the assets without dates have runs of
    their own before and after it, and only feeds with work on the dates are in it.
    """

    def __init__(
        self,
        workspace: Workspace,
        instance: dg.DagsterInstance,
        keys: Sequence[str],
        progress: Callable[[int, int], None] | None,
        waiting: Callable[[str], None] | None,
    ) -> None:
        from showcost.definitions import defs  # noqa: PLC0415 -- reads the environment when it is imported

        self.job = defs().resolve_job_def(naming.JOB)
        self.workspace, self.instance, self.keys = workspace, instance, keys
        self.progress, self.waiting = progress, waiting
        self.started = time.monotonic()
        self.id = str(uuid.uuid4())
        self.steps = 0
        self.results: list[dg.ExecuteInProcessResult] = []

    def execute(self, feeds: Collection[str] | None) -> RunOutcome:
        """Run all parts; what depends on a failed step is left out, as Dagster does within a run."""
        chosen = [feed for feed in self.workspace.feeds if feeds is None or feed.name in feeds]
        pulled = [naming.pulled_key(feed.name) for feed in chosen if feed.api is not None]
        if pulled and not self._part("pull", pulled, dated=True):
            chosen = [feed for feed in chosen if feed.api is None]
        self._part("land", [key for feed in chosen for key in naming.landing_keys(feed)], dated=False)
        failed = self._failed_steps()
        landed = [feed for feed in chosen if naming.deliveries_key(feed.name).to_user_string() not in failed]
        state = ledger_state(self.workspace, landed)
        between = date.fromisoformat(self.keys[0]), date.fromisoformat(self.keys[-1])
        dated = [
            feed
            for feed in landed
            if feeds is not None or feed.api is not None or has_rows(self.workspace, feed, *between, state)
        ]
        costs = [naming.FX_SNAPSHOTS, naming.LEDGER_ENTRIES, *naming.dated_keys_of(dated)]
        if self._part("costs", costs, dated=True, run_id=self.id):
            closing = naming.REPORT_ASSETS
            self._part("close", [*closing, *([] if failed else [naming.QUEUE])], dated=False)
        return self._outcome()

    def _part(
        self, name: str, assets: Sequence[dg.AssetKey], *, dated: bool, run_id: str | None = None
    ) -> bool:
        """Run some assets, and their checks, as one Dagster run; return whether it succeeded."""
        known = self.job.asset_layer.executable_asset_keys
        selected = {key for key in assets if key in known}
        if not selected:
            return True
        job, part_id = self.job.get_subset(asset_selection=selected), run_id or str(uuid.uuid4())
        tags = {_RUN_TAG: self.id, _PART_TAG: name}
        if dated:
            tags |= {naming.RANGE_START: self.keys[0], naming.RANGE_END: self.keys[-1]}
        steps = (self.steps, len(job.nodes))
        with _watched(self.instance, part_id, steps, self.progress, self.waiting):
            result = job.execute_in_process(
                run_config=_QUIET, instance=self.instance, tags=tags, raise_on_error=False, run_id=part_id
            )
        self.steps += len(job.nodes)
        self.results.append(result)
        return result.success

    def _failed_steps(self) -> set[str]:
        return {
            str(event.step_key)
            for result in self.results
            for event in result.all_events
            if event.event_type_value == "STEP_FAILURE"
        }

    def _outcome(self) -> RunOutcome:
        return RunOutcome(
            run_id=self.id,
            success=all(result.success for result in self.results),
            partitions=len(self.keys),
            seconds=round(time.monotonic() - self.started),
            failures=tuple(
                (str(event.step_key), _failure_text(event))
                for result in self.results
                for event in result.all_events
                if event.event_type_value == "STEP_FAILURE"
            ),
            failed_checks=tuple(
                _failed_check(evaluation)
                for result in self.results
                for evaluation in result.get_asset_check_evaluations()
                if not evaluation.passed and evaluation.partition is None
            ),
        )


def _failed_check(evaluation: dg.AssetCheckEvaluation) -> FailedCheck:
    figures = {name: value.value for name, value in evaluation.metadata.items() if name in _FIGURES}
    return FailedCheck(
        asset=evaluation.asset_key.to_user_string(),
        check=evaluation.check_name,
        severity=evaluation.severity.value,
        message=evaluation.description or "",
        failed=int(str(figures.get("failed", 1))),
        checked=int(str(figures.get("checked", 1))),
    )


@contextmanager
def in_environment(workspace: Workspace) -> Iterator[None]:
    """Set the environment variables of the data folder and its Dagster instance for the block."""
    variables = {HOME_VARIABLE: str(workspace.path), DAGSTER_HOME_VARIABLE: str(dagster_home(workspace))}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _failure_text(event: dg.DagsterEvent) -> str:
    """Return the message of a failed step: showcost's own if there is one, otherwise the first error line."""
    failure = event.step_failure_data.user_failure_data
    if failure is not None and failure.description:
        return str(failure.description)
    error = event.step_failure_data.error
    root = error.cause if error is not None and error.cause is not None else error
    return "failed" if root is None else str(root.message).strip().splitlines()[0]


@contextmanager
def _watched(
    instance: dg.DagsterInstance,
    run_id: str,
    steps: tuple[int, int],
    progress: Callable[[int, int], None] | None,
    waiting: Callable[[str], None] | None,
) -> Iterator[None]:
    """Report finished steps and awaited runs, from a thread, until the block ends.

    `steps` are the number of those before this run, and of those in it. What holds up the run is looked at
    less often; slots of runs whose process has ended meanwhile are freed.
    """
    before, own = steps
    if progress is None and waiting is None:
        yield
        return
    finished = threading.Event()

    def watch() -> None:
        ends = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
        told: set[str] = set()
        looks = 0
        while not finished.wait(_POLL_SECONDS):
            looks += 1
            if progress is not None:
                finished_now = len(instance.get_records_for_run(run_id, of_type=ends).records)
                progress(before + finished_now, before + own)
            if looks % _LOOKS_PER_WAIT == 0:
                held = set(held_slots(instance, run_id))
                if held:
                    end_lost_runs(instance)
                held -= told
                told |= held
                if waiting is not None:
                    for sentence in sorted(held):
                        waiting(sentence)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
