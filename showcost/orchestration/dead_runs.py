"""Runs whose process died: marked as failed, and the slots of pools that they still hold freed.

Dagster frees the slot of a step when the step ends. A process that is killed, or whose disk is full, keeps
it, and every later run would wait for it for ever. A run of a command holds a lock file while its process
lives, so that the next one can tell.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import dagster as dg

from showcost.core.errors import StoreBusyError
from showcost.core.locking import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN_TAG: Final = "showcost/run"
"""The tag of the Dagster runs of one command: the id of that over the dates."""

_PREFIX: Final = "run_"
_UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_DIED: Final = "The process of this run ended before the run did."


@contextmanager
def living(locks: Path, run: str) -> Iterator[None]:
    """Let other processes see within the block that the process of a command's runs lives."""
    path = _lock(locks, run)
    try:
        with exclusive_lock(path, f"the run {run} is under way already", wait_seconds=0):
            yield
    finally:
        path.unlink(missing_ok=True)


def finish_dead_runs(instance: dg.DagsterInstance, locks: Path) -> None:
    """Mark the runs of commands that died as failed, and free the slots of runs that are not under way.

    Runs that Dagster started itself are left alone until they have ended.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        command = run.tags.get(RUN_TAG)
        if command is not None and _is_dead(locks, command):
            instance.report_run_failed(run, message=_DIED)
    storage = instance.event_log_storage
    for run_id in sorted(storage.get_concurrency_run_ids()):
        holder = instance.get_run_by_id(run_id)
        if holder is None or holder.is_finished:
            storage.free_concurrency_slots_for_run(run_id)


def _is_dead(locks: Path, run: str) -> bool:
    try:
        with exclusive_lock(_lock(locks, run), "", wait_seconds=0):
            pass
    except StoreBusyError:
        return False
    _lock(locks, run).unlink(missing_ok=True)
    return True


def _lock(locks: Path, run: str) -> Path:
    return locks / f"{_PREFIX}{run}.lock"
