"""The processes of Dagster runs on this machine: which runs have lost theirs, and what such runs still hold.

A run that is killed stays “started”, and keeps its slot of the ledger's pool, until somebody notices. The
daemon's monitoring does (`WatchedRunLauncher`, `run_monitoring` in dagster.yaml); commands and sensors look
too.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, WILL_RETRY_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_PROGRESS: Final = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
"""The statuses of runs that have not ended."""

_RUNNING: Final = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_UNTIL_REPEATED: Final = timedelta(minutes=5)
"""The time within which the daemon starts a crashed run again; it looks several times a minute."""
_PROC: Final = Path("/proc")
_START_TIME: Final = 18
"""The place of a process's start, in ticks since the boot, after its state in `stat` (proc(5))."""
_CLOCKS_APART: Final = 10
"""Seconds by which the times of a process and of its run's start may differ."""


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher, which can say if a run's process is there, so that the daemon ends killed runs."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Return that the daemon's monitoring may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether the process of a started run is there."""
        if has_lost_its_process(self._instance, run):
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its process has ended")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def has_lost_its_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a run is under way by its status, and its process on this machine is gone."""
    if run.status not in _RUNNING:
        return False
    started = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_START)
    if not started or started[0].dagster_event is None or started[0].dagster_event.pid is None:
        return False
    return not is_alive(started[0].dagster_event.pid, started[0].timestamp)


def is_alive(pid: int, since: float) -> bool:
    """Return whether the process that began before `since` (seconds of the epoch) still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    process = _PROC.joinpath(str(pid))
    # A number is given again: a process that began after the run is another one. A zombie has ended.
    try:
        state, *fields = process.joinpath("stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        began = _boot_time() + int(fields[_START_TIME]) // os.sysconf("SC_CLK_TCK")
        return state != "Z" and began <= since + _CLOCKS_APART
    except OSError:
        return not _PROC.joinpath("self").exists()


def _boot_time() -> int:
    """Return the time of the last boot, in seconds of the epoch."""
    lines = _PROC.joinpath("stat").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("btime "))


def runs_under_way(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return the runs that have not ended and whose process, if they have one, is there.

    A run that crashed a moment ago and that the daemon will start again counts: else its work is done twice.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=list(IN_PROGRESS)))
    crashed = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE],
        tags={WILL_RETRY_TAG: "true"},
        updated_after=datetime.now(UTC) - _UNTIL_REPEATED,
    )
    return [
        *(run for run in runs if not has_lost_its_process(instance, run)),
        *(run for run in instance.get_runs(crashed) if AUTO_RETRY_RUN_ID_TAG not in run.tags),
    ]


def end_lost_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Mark runs that lost their process as failed, and free the slots of ended runs; return the lost runs."""
    lost = [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=list(_RUNNING)))
        if has_lost_its_process(instance, run)
    ]
    for run in lost:
        instance.report_run_failed(run, "its process has ended before the run did")
    storage = instance.event_log_storage
    for run_id in sorted(storage.get_concurrency_run_ids()):
        holder = instance.get_run_by_id(run_id)
        if holder is None or holder.is_finished:
            storage.free_concurrency_slots_for_run(run_id)
    return lost


def held_slots(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    """Yield a sentence for each other run that holds a slot for which steps of a run wait."""
    storage = instance.event_log_storage
    for pool in sorted(storage.get_concurrency_keys()):
        info = storage.get_concurrency_info(pool)
        if any(step.run_id == run_id and step.assigned_timestamp is None for step in info.pending_steps):
            holders = {slot.run_id for slot in info.claimed_slots} - {run_id}
            yield from (f"waiting for run {holder}, which holds {pool!r}" for holder in sorted(holders))
