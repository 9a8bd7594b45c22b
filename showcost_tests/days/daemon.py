"""Dagster's daemons, one iteration after the other, on a real instance and a real code server."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg
from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.daemon import MonitoringDaemon
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._grpc.server import GrpcServerProcess
from dagster._scheduler.scheduler import launch_scheduled_runs
from sqlalchemy.exc import SQLAlchemyError

from showcost.components.workers import IN_PROGRESS, is_alive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOG: Final = logging.getLogger("showcost.days")
_MODULE: Final = "showcost.definitions"
_LONGEST_RUN: Final = 900
_LONGEST_START: Final = 180


class Daemon:
    """The daemons of an instance, which are evaluated when they are told to."""

    def __init__(self, context: WorkspaceProcessContext) -> None:
        self.context, self.instance = context, context.instance
        self.queue = QueuedRunCoordinatorDaemon(interval_seconds=1)
        self.consumer = EventLogConsumerDaemon()
        self.monitoring = MonitoringDaemon(interval_seconds=1)
        self.errors: list[str] = []
        self._schedule_times: dict[str, object] = {}
        self.while_running: Callable[[], None] | None = None

    def _carry_out(self, name: str, iteration: Iterator[object]) -> None:
        """Carry out an iteration; what fails in it is an error of the daemon, as in Dagster's own."""
        try:
            for event in iteration:
                if event is not None and hasattr(event, "message"):
                    self.errors.append(f"{name}: {event.message.strip().splitlines()[0][:200]}")
        except Exception as error:  # noqa: BLE001 - a daemon goes on, whatever fails
            self.errors.append(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:200]}")

    def turn_on(self) -> None:
        """Turn on all sensors and schedules."""
        (location,) = self.context.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        for sensor in repository.get_sensors():
            assert isinstance(sensor, RemoteSensor)
            self.instance.start_sensor(sensor)
        for schedule in repository.get_schedules():
            assert isinstance(schedule, RemoteSchedule)
            self.instance.start_schedule(schedule)

    def sensors(self) -> None:
        """Evaluate the sensors that are due, then what they requested."""
        with ThreadPoolExecutor(1) as pool:
            futures: dict[str, object] = {}
            self._carry_out(
                "sensors",
                execute_sensor_iteration(self.context, LOG, pool, None, sensor_tick_futures=futures),  # type: ignore[arg-type]
            )
            for future in futures.values():
                future.result()  # type: ignore[attr-defined]
        self.work()

    def schedules(self) -> None:
        """Evaluate the schedules up to now, then what they requested."""
        now = datetime.now(UTC)
        self._carry_out("schedules", launch_scheduled_runs(self.context, LOG, now, self._schedule_times))  # type: ignore[arg-type]
        self.work()

    def work(self) -> None:
        """Launch what is queued, until no run is under way; end runs whose process was killed."""
        until = time.monotonic() + _LONGEST_RUN
        while time.monotonic() < until:
            self._carry_out("queue", self.queue.run_iteration(self.context))
            self._carry_out("monitoring", self.monitoring.run_iteration(self.context))
            self._carry_out("retries", self.consumer.run_iteration(self.context))
            try:
                under_way = self.instance.get_runs(dg.RunsFilter(statuses=list(IN_PROGRESS)))
            except SQLAlchemyError as error:
                # The disk is full: the next iterations see what became of the runs.
                self.errors.append(f"runs: {type(error).__name__}")
                return
            if not under_way:
                return
            if self.while_running is not None:
                self.while_running()
            time.sleep(0.2)
        raise AssertionError(f"{len(under_way)} runs did not end within {_LONGEST_RUN} s")

    def pid_of_a_run(self) -> tuple[str, int] | None:
        """Return a run that takes costs into the ledger, and its process; None without one."""
        for run in self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            started = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
            if "dagster/asset_partition_range_start" in run.tags and started and started[0].dagster_event:
                pid = started[0].dagster_event.pid
                return None if pid is None else (run.run_id, pid)
        return None

    def kill_a_run(self) -> None:
        """Kill the process of the next run that takes costs into the ledger."""
        self.when_a_run_works(lambda _, pid: os.kill(pid, signal.SIGKILL))

    def terminate_a_run(self) -> None:
        """Terminate the next run that takes costs into the ledger, as a person does in the UI."""
        self.when_a_run_works(lambda run_id, _: self.instance.run_launcher.terminate(run_id))

    def when_a_run_works(self, act: Callable[[str, int], object]) -> None:
        """Act once on the next run that takes costs into the ledger: on its id and process id."""

        def look() -> None:
            if (found := self.pid_of_a_run()) is not None:
                self.while_running = None
                act(*found)

        self.while_running = look


def wait_for_its_end(worker: int) -> None:
    """Wait for the end of the process of a run."""
    until = time.monotonic() + _LONGEST_RUN
    while is_alive(worker, sys.maxsize) and time.monotonic() < until:
        time.sleep(0.1)


@contextmanager
def daemon_of(folder: Path) -> Iterator[Daemon]:
    """Open the daemons of the instance in a folder, with a code server of their own.

    The server waits for no heartbeats: to it, a clock that is moved by hours is a daemon that has died.
    """
    with ExitStack() as stack:
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(folder)))
        server = GrpcServerProcess(
            instance_ref=instance.get_ref(),
            location_name=_MODULE,
            loadable_target_origin=LoadableTargetOrigin(executable_path=sys.executable, module_name=_MODULE),
            startup_timeout=_LONGEST_START,
            log_level="WARNING",
            wait_on_exit=True,
        )
        stack.enter_context(server)
        target = GrpcServerTarget(
            host="localhost", port=server.port, socket=server.socket, location_name=_MODULE
        )
        context = stack.enter_context(WorkspaceProcessContext(instance, target))
        yield Daemon(context)
