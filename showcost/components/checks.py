"""Asset checks from check outcomes: one evaluation per partition, also in a run over a range.

The result of a check in a range run carries no partition, so each partition's outcome is reported as an
event of its own beside it. The checks themselves are in `showcost.checks`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date

import dagster as dg

# A private class of Dagster: without it the UI does not show a partition's outcome, because Dagster takes
# it for an evaluation of an earlier materialisation. The Dagster version is pinned.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from showcost.checks.next_steps import with_next_step
from showcost.checks.result import CheckOutcome
from showcost.components.partitions import partition_dates
from showcost.components.resources import DataFolder, plain_failures
from showcost.event_storage import WITHOUT_ROWS, BatchedSqliteEventLogStorage
from showcost.workspace import Workspace

PartitionCheck = Callable[[Workspace, Sequence[date]], Mapping[date, CheckOutcome]]
WholeCheck = Callable[[Workspace], CheckOutcome]

_LISTED = 5
_NOTHING = CheckOutcome(passed=True, message="no rows to check")


def partition_check(
    *,
    asset: dg.AssetKey,
    name: str,
    description: str,
    partitions: dg.PartitionsDefinition[str],
    evaluate: PartitionCheck,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    blocking: bool = False,
) -> dg.AssetChecksDefinition:
    """Return a check of a partitioned asset; `evaluate` returns an outcome per date that has rows."""

    @dg.asset_check(
        asset=asset,
        name=name,
        description=description,
        partitions_def=partitions,
        blocking=blocking,
    )
    def check(context: dg.AssetCheckExecutionContext, data: DataFolder) -> dg.AssetCheckResult:
        dates = partition_dates(context)
        with plain_failures():
            outcomes = evaluate(data.workspace(), dates)
        if context.op_execution_context.has_partition_key_range:
            _log_by_date(context, _Check(asset, name, severity), dates, outcomes)
        failed = {day: outcome for day, outcome in outcomes.items() if not outcome.passed}
        summary = _summary(dates, outcomes, failed)
        return dg.AssetCheckResult(
            passed=not failed,
            severity=severity,
            description=with_next_step(name, summary, asset.to_user_string()) if failed else summary,
            metadata={"partitions": len(dates), "checked": len(outcomes), "failed": len(failed)}
            | (dict(next(iter(outcomes.values())).facts) if len(outcomes) == 1 else {}),
        )

    return check


def whole_check(
    *,
    asset: dg.AssetKey,
    name: str,
    description: str,
    evaluate: WholeCheck,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetChecksDefinition:
    """Return a check of an asset as a whole."""

    @dg.asset_check(asset=asset, name=name, description=description)
    def check(data: DataFolder) -> dg.AssetCheckResult:
        with plain_failures():
            outcome = evaluate(data.workspace())
        return dg.AssetCheckResult(
            passed=outcome.passed,
            severity=severity,
            description=_description(name, asset, outcome),
            metadata=dict(outcome.facts),
        )

    return check


def _description(name: str, asset: dg.AssetKey, outcome: CheckOutcome) -> str:
    """Return the message of an outcome, with the next step if it failed."""
    if outcome.passed:
        return outcome.message
    return with_next_step(name, outcome.message, asset.to_user_string())


@dataclass(frozen=True)
class _Check:
    asset: dg.AssetKey
    name: str
    severity: dg.AssetCheckSeverity


def _log_by_date(
    context: dg.AssetCheckExecutionContext,
    check: _Check,
    dates: Sequence[date],
    outcomes: Mapping[date, CheckOutcome],
) -> None:
    """Log the outcome of each date of a range; every date gets one, or the UI would show it as skipped.

    All dates without rows share an event, if the event log can store it.
    """
    step, storage = context.op_execution_context, context.instance.event_log_storage
    batched = storage if isinstance(storage, BatchedSqliteEventLogStorage) else None
    reported = dict(outcomes) if batched else {day: outcomes.get(day, _NOTHING) for day in dates}
    evaluations = [*_evaluations(check, reported, _targets(context.instance, check.asset, reported))]
    if len(reported) < len(dates):
        evaluations.append(_without_rows(check, len(dates) - len(reported)))
    with batched.transaction(context.run.run_id) if batched else nullcontext():
        for evaluation in evaluations:
            # Logged with the run: a runless evaluation could be stored only once per partition.
            # The annotation of `log_event` omits evaluations, but its code accepts them.
            step.log_event(evaluation)  # type: ignore[arg-type] # see above


def _without_rows(check: _Check, dates: int) -> dg.AssetCheckEvaluation:
    """Return the one evaluation of all dates of a run that have no rows."""
    return dg.AssetCheckEvaluation(
        asset_key=check.asset,
        check_name=check.name,
        passed=True,
        severity=check.severity,
        description=_NOTHING.message,
        metadata={WITHOUT_ROWS: dates},
    )


def _evaluations(
    check: _Check, outcomes: Mapping[date, CheckOutcome], targets: Mapping[str, Target]
) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the outcome of each partition as an event, tied to the materialisation it evaluates."""
    for day, outcome in outcomes.items():
        yield dg.AssetCheckEvaluation(
            asset_key=check.asset,
            check_name=check.name,
            passed=outcome.passed,
            severity=check.severity,
            description=_description(check.name, check.asset, outcome),
            metadata=dict(outcome.facts),
            target_materialization_data=targets.get(day.isoformat()),
            partition=day.isoformat(),
        )


def _targets(
    instance: dg.DagsterInstance, asset: dg.AssetKey, outcomes: Mapping[date, CheckOutcome]
) -> dict[str, Target]:
    """Return the latest materialisation of each partition that has an outcome, if any."""
    if not outcomes:
        return {}
    latest = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, {day.isoformat() for day in outcomes}
    )
    targets: dict[str, Target] = {}
    if latest:
        query = dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(latest.values()))
        for record in instance.fetch_materializations(query, limit=len(latest)).records:
            targets[str(record.partition_key)] = Target(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
    return targets


def _summary(
    dates: Sequence[date], outcomes: Mapping[date, CheckOutcome], failed: Mapping[date, CheckOutcome]
) -> str:
    """Return one text for all partitions of a run: the first few failures in full, by date."""
    if not outcomes:
        return "no rows to check"
    if len(dates) == 1 and not failed:
        return next(iter(outcomes.values())).message
    if not failed:
        return f"passed for all {len(outcomes)} partitions with rows"
    messages = [f"{day}: {outcome.message}" for day, outcome in list(failed.items())[:_LISTED]]
    more = len(failed) - len(messages)
    return "; ".join(messages) + (f"; and {more} more" if more > 0 else "")
