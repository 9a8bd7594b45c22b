"""Runs whose process was killed: they are ended, and hold up nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus

from showcost.components import naming
from showcost.components.workers import (
    WatchedRunLauncher,
    end_lost_runs,
    has_lost_its_process,
    runs_under_way,
)
from showcost.orchestration.runs import in_environment, run_range
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.workspace import Workspace

STEP = "posted_vendor_invoices_de"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = small.make_home(tmp_path / "home")
    small.fill(workspace)
    return workspace


@pytest.fixture
def instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    with in_environment(workspace), dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture
def dead() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    return process.pid


def started(instance: dg.DagsterInstance, pid: int) -> dg.DagsterRun:
    """Return a run that a process has started, and that holds the slot of the ledger."""
    run = dg.DagsterRun(job_name=naming.JOB, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.RUN_START.value, job_name=run.job_name, pid=pid
    )
    instance.report_dagster_event(event, run.run_id)
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(naming.LEDGER_POOL)
    assert storage.claim_concurrency_slot(naming.LEDGER_POOL, run.run_id, STEP).is_claimed
    return run


def held(instance: dg.DagsterInstance) -> set[str]:
    info = instance.event_log_storage.get_concurrency_info(naming.LEDGER_POOL)
    return {slot.run_id for slot in info.claimed_slots}


def test_a_killed_run_is_ended_and_its_slot_freed(instance: dg.DagsterInstance, dead: int) -> None:
    run = started(instance, dead)
    assert runs_under_way(instance) == []
    assert [lost.run_id for lost in end_lost_runs(instance)] == [run.run_id]
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert held(instance) == set()
    assert end_lost_runs(instance) == []


def test_a_living_run_keeps_its_slot(instance: dg.DagsterInstance) -> None:
    run = started(instance, os.getpid())
    assert end_lost_runs(instance) == []
    assert [found.run_id for found in runs_under_way(instance)] == [run.run_id]
    assert held(instance) == {run.run_id}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the start times of /proc")
def test_a_process_that_began_after_its_run_is_another_one(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(instance, os.getpid())
    assert not has_lost_its_process(instance, run)
    (event,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_START)
    earlier = event._replace(timestamp=time.time() - 1_000_000)
    monkeypatch.setattr(type(instance), "all_logs", lambda *_args, **_options: [earlier])
    assert has_lost_its_process(instance, run)


def test_the_daemon_is_told_that_a_process_is_gone(instance: dg.DagsterInstance, dead: int) -> None:
    """The launcher is the one that a data folder's settings name; the daemon's monitoring asks it."""
    launcher = instance.run_launcher
    assert isinstance(launcher, WatchedRunLauncher)
    assert launcher.supports_check_run_worker_health
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] > 0
    lost = started(instance, dead)
    assert launcher.check_run_worker_health(lost).status is WorkerStatus.NOT_FOUND
    end_lost_runs(instance)
    living = started(instance, os.getpid())
    assert launcher.check_run_worker_health(living).status is WorkerStatus.RUNNING


def test_a_command_does_not_wait_for_a_killed_run(
    workspace: Workspace, instance: dg.DagsterInstance, dead: int
) -> None:
    started(instance, dead)
    outcome = run_range(workspace, small.WEDNESDAY, small.WEDNESDAY)
    assert outcome.success


def test_a_slot_of_a_run_that_nobody_knows_is_freed(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(naming.LEDGER_POOL)
    assert storage.claim_concurrency_slot(naming.LEDGER_POOL, "a run that is not stored", STEP).is_claimed
    end_lost_runs(instance)
    assert held(instance) == set()


def test_a_command_says_for_whom_it_waits(workspace: Workspace, instance: dg.DagsterInstance) -> None:
    run = started(instance, os.getpid())
    told: list[str] = []

    def free(sentence: str) -> None:
        told.append(sentence)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)

    before = threading.active_count()
    outcome = run_range(workspace, small.WEDNESDAY, small.WEDNESDAY, waiting=free)
    assert outcome.success
    assert told == [f"waiting for run {run.run_id}, which holds '{naming.LEDGER_POOL}'"]
    assert threading.active_count() <= before
