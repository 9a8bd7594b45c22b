"""Alerts about runs and checks of Dagster, beside those of the data folder.

A failed run is open while its work is: until a later run did the same, or its dates are no longer due. Alerts
name steps, checks and dates, never the text of an error, which may name a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Final

import dagster as dg

# A private module of Dagster: checks can be read from storage by these only (decision 22).
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from showcost.alerts.alert import Alert
from showcost.alerts.conditions import DataConditions, listed
from showcost.checks.next_steps import next_step
from showcost.components.run_scopes import DATES_TAG, FEEDS_TAG, RunScope
from showcost.components.workers import runs_under_way
from showcost.core.errors import StoreBusyError
from showcost.core.hashing import sha256_framed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

    from showcost.alerts.state import AlertState
    from showcost.workspace import Workspace

_LOOK_BACK: Final = timedelta(days=3)
_MOST_RUNS: Final = 200
_MOST_CHECKS: Final = 60
_ALSO_WARNINGS: Final = frozenset({"deliveries_readable"})
"""Checks whose warning is an alert: a whole file that was rejected. Rejected rows are in the queue."""
_EVALUATED: Final = frozenset({Status.SUCCEEDED, Status.FAILED})
_OF_VERIFICATION: Final = "verified"
_DIGITS: Final = 8


@dataclass(frozen=True)
class AlertSources:
    """The sources of alerts: a data folder, its Dagster instance, and the keys of all checks."""

    workspace: Workspace
    instance: dg.DagsterInstance
    checks: Sequence[dg.AssetCheckKey]

    def find(self, state: AlertState, now: datetime) -> list[Alert]:
        """Return all open alerts. Raises StoreBusyError if others hold the ledger."""
        conditions = DataConditions(self.workspace, state, now)
        alerts = conditions.alerts()
        return [
            *failed_runs(self.instance, conditions, now),
            *failed_checks(self.instance, self.checks),
            *alerts,
        ]

    def find_without_ledger(self, state: AlertState, now: datetime) -> list[Alert]:
        """Return all open alerts; if others hold the ledger, those about runs and checks, and this."""
        try:
            return self.find(state, now)
        except StoreBusyError as error:
            key = "ledger is held"
            since = state.seen(key, now)
            held = Alert(
                *("held", (key,), "the ledger is held by another process", str(error), since),
                "see which run or command is at work; end it if it hangs",
            )
            # A run that posts holds the ledger for seconds: that is none.
            late = now - since >= timedelta(hours=self.workspace.production.alerts.stuck_hours)
            return [*failed_checks(self.instance, self.checks), *([held] if late else [])]


def failed_runs(instance: dg.DagsterInstance, conditions: DataConditions, now: datetime) -> Iterator[Alert]:
    """Yield an alert for each kind of work whose run failed lately and that no later run has done."""
    statuses = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]
    lately = dg.RunsFilter(statuses=statuses, updated_after=now - _LOOK_BACK)
    records = instance.get_run_records(lately, limit=_MOST_RUNS)
    later = [(run, RunScope.of(run)) for run in runs_under_way(instance)]
    seen: set[str] = set()
    # The newest first: a success stands for all earlier failures of its work.
    for record in records:
        run, scope = record.dagster_run, RunScope.of(record.dagster_run)
        if run.status is dg.DagsterRunStatus.SUCCESS:
            later.append((run, scope))
            continue
        done = any(other.job_name == run.job_name and done.contains(scope) for other, done in later)
        if done or _is_done(scope, conditions):
            continue
        key = f"run {run.job_name} {_work_of(run, scope)}"
        if key not in seen:
            seen.add(key)
            yield _of_run(instance, record, key)


def _is_done(scope: RunScope, conditions: DataConditions) -> bool:
    """Return whether the dated work of a run, or its landing, is no longer due."""
    if scope.assets is None:
        return False
    feeds = {
        name.removeprefix(prefix)
        for name in scope.assets
        for prefix in ("posted_", "recorded_")
        if name.startswith(prefix)
    }
    if feeds and scope.first:
        first, last = date.fromisoformat(scope.first), date.fromisoformat(scope.last)
        due = (day for feed in feeds for day in conditions.due.get(feed, ()))
        return not any(first <= day <= last for day in due)
    landed = [name.removeprefix("deliveries_") for name in scope.assets if name.startswith("deliveries_")]
    return bool(landed) and conditions.unlanded.isdisjoint(landed)


def _work_of(run: dg.DagsterRun, scope: RunScope) -> str:
    assets = sha256_framed(sorted(scope.assets or ()))[:_DIGITS]
    return f"{run.tags.get(FEEDS_TAG, '')} {scope.first} {scope.last} {assets}"


def _of_run(instance: dg.DagsterInstance, record: dg.RunRecord, key: str) -> Alert:
    run = record.dagster_run
    failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    steps = sorted({str(entry.step_key) for entry in failures if entry.step_key})
    about = [
        f"run {run.run_id[:_DIGITS]}",
        *(f"{name} {value}" for name, tag in _TAGS if (value := run.tags.get(tag))),
    ]
    end = record.end_time or record.update_timestamp.timestamp()
    return Alert(
        *("failed_run", (key,)),
        f"run of {run.job_name} failed" + (f" in {listed(steps)}" if steps else " before any step"),
        ", ".join(about),
        datetime.fromtimestamp(end, UTC),
        "open the run in the UI, which names the cause; what stays due is requested again by itself",
    )


_TAGS: Final = (("feeds", FEEDS_TAG), ("dates", DATES_TAG))


def failed_checks(instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]) -> Iterator[Alert]:
    """Yield an alert for each check whose last evaluation, of some date or of the whole asset, failed.

    It is open since the first failure after the last success.
    """
    storage = instance.event_log_storage
    for key in keys:
        if key.name == _OF_VERIFICATION:
            continue
        records = storage.get_asset_check_execution_history(key, _MOST_CHECKS, status={Status.FAILED})
        last = _last_per_partition(records)
        # The record of a run over a range has no date; those of its dates are beside it.
        parts: list[str | None] = [part for part in last if part is not None]
        parts = parts or list(last)
        failing: list[tuple[str | None, datetime]] = []
        for part in parts:
            # What a run planned, and then did not evaluate, says nothing.
            evaluated = storage.get_asset_check_execution_history(
                *(key, _MOST_CHECKS, None, _EVALUATED, PartitionKeyFilter(key=part))
            )
            since = list(takewhile(lambda record: record.status is Status.FAILED, evaluated))
            if since and _counts(since[0]):
                failing.append((part, datetime.fromtimestamp(since[-1].create_timestamp, UTC)))
        if failing:
            yield _of_check(key, failing)


def _last_per_partition(
    records: Sequence[AssetCheckExecutionRecord],
) -> dict[str | None, AssetCheckExecutionRecord]:
    last: dict[str | None, AssetCheckExecutionRecord] = {}
    for record in records:
        last.setdefault(record.partition, record)
    return last


def _counts(record: AssetCheckExecutionRecord) -> bool:
    evaluation = record.evaluation
    if evaluation is None or evaluation.severity is dg.AssetCheckSeverity.ERROR:
        return True
    return record.key.name in _ALSO_WARNINGS


def _of_check(key: dg.AssetCheckKey, failing: Sequence[tuple[str | None, datetime]]) -> Alert:
    asset = key.asset_key.to_user_string()
    parts = sorted(part for part, _ in failing if part is not None)
    return Alert(
        *("failed_check", tuple(f"check {asset} {key.name} {part or ''}" for part, _ in failing)),
        f"check {key.name} of {asset} failed",
        listed(parts) or f"asset {asset}",
        min(since for _, since in failing),
        next_step(key.name, asset) or "open the check in the UI, which names the differences",
    )


def check_keys(checks: Iterable[dg.AssetCheckKey]) -> list[dg.AssetCheckKey]:
    """Return the keys of checks in order."""
    return sorted(checks, key=lambda key: (key.asset_key.to_user_string(), key.name))
