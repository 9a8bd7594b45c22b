"""Run the production's job through Dagster, in this process, as one run over a range of dates.

For commands and tests. The Dagster instance is that of the data folder, so that the UI shows the runs.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.core.errors import InputError
from showcost.workspace import HOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from showcost.workspace import Workspace

DAGSTER_HOME_VARIABLE: Final = "DAGSTER_HOME"

_POLL_SECONDS: Final = 0.5
_FIGURES: Final = ("failed", "checked")
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
    """A finished run over `partitions` dates; `failures` are (step, message)."""

    run_id: str
    success: bool
    partitions: int
    seconds: int
    failures: tuple[tuple[str, str], ...]
    failed_checks: tuple[FailedCheck, ...]


def dagster_home(workspace: Workspace) -> Path:
    """Return the folder of the Dagster instance: `DAGSTER_HOME`, or one in the data folder.

    A folder without settings gets showcost's own: a ledger pool of size one, no telemetry.
    """
    variable = os.environ.get(DAGSTER_HOME_VARIABLE)
    folder = Path(variable) if variable else workspace.path / "dagster_home"
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "dagster.yaml"
    if not settings.exists():
        settings.write_bytes(files("showcost").joinpath("dagster.yaml").read_bytes())
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
    workspace: Workspace, first: date, last: date, progress: Callable[[int, int], None] | None = None
) -> RunOutcome:
    """Run the job over a range of dates, as one run, and return the outcome.

    `progress` receives (finished steps, all steps) during the run. Raises InputError for a range without
    partitions; failures within the run are in the outcome.
    """
    with in_environment(workspace):
        return _run_range(partitions_between(workspace, first, last), progress)


def _run_range(keys: Sequence[str], progress: Callable[[int, int], None] | None) -> RunOutcome:
    from showcost.definitions import defs  # noqa: PLC0415 -- reads the environment when it is imported

    job = defs().resolve_job_def(naming.JOB)
    run_id = str(uuid.uuid4())
    started = time.monotonic()
    with dg.DagsterInstance.get() as instance, _watched(instance, run_id, len(job.nodes), progress):
        result = job.execute_in_process(
            run_config=_QUIET,
            instance=instance,
            tags={naming.RANGE_START: keys[0], naming.RANGE_END: keys[-1]},
            raise_on_error=False,
            run_id=run_id,
        )
    return RunOutcome(
        run_id=run_id,
        success=result.success,
        partitions=len(keys),
        seconds=round(time.monotonic() - started),
        failures=tuple(
            (str(event.step_key), _failure_text(event))
            for event in result.all_events
            if event.event_type_value == "STEP_FAILURE"
        ),
        failed_checks=tuple(
            _failed_check(evaluation)
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
    instance: dg.DagsterInstance, run_id: str, steps: int, progress: Callable[[int, int], None] | None
) -> Iterator[None]:
    """Report finished steps to `progress`, from a thread, until the block ends."""
    if progress is None:
        yield
        return
    finished = threading.Event()

    def watch() -> None:
        ends = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
        while not finished.wait(_POLL_SECONDS):
            progress(len(instance.get_records_for_run(run_id, of_type=ends).records), steps)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
