"""Asset checks from check outcomes: one evaluation per partition, also in a run over a range.

The result of a check in a range run carries no partition, so each partition's outcome is reported as an
event of its own beside it. The checks themselves are in `showcost.checks`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import dagster as dg

# A private class of Dagster: without it the UI does not show a partition's outcome, because Dagster takes
# it for an evaluation of an earlier materialisation. The Dagster version is pinned.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from showcost.checks.result import CheckOutcome
from showcost.components.naming import LEDGER_POOL
from showcost.components.partitions import partition_dates
from showcost.components.resources import DataFolder, plain_failures
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
        pool=LEDGER_POOL,
    )
    def check(context: dg.AssetCheckExecutionContext, data: DataFolder) -> dg.AssetCheckResult:
        dates = partition_dates(context)
        with plain_failures():
            outcomes = evaluate(data.workspace(), dates)
        if context.op_execution_context.has_partition_key_range:
            # Every date is reported: if one were left out, the UI would show the whole check as skipped.
            reported = {day: outcomes.get(day, _NOTHING) for day in dates}
            targets = _targets(context.instance, asset, reported)
            for evaluation in _evaluations(asset, name, severity, reported, targets):
                # Logged with the run: a runless evaluation could be stored only once per partition.
                # The annotation of `log_event` omits evaluations, but its code accepts them.
                context.op_execution_context.log_event(evaluation)  # type: ignore[arg-type] # see above
        failed = {day: outcome for day, outcome in outcomes.items() if not outcome.passed}
        return dg.AssetCheckResult(
            passed=not failed,
            severity=severity,
            description=_summary(dates, outcomes, failed),
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

    @dg.asset_check(asset=asset, name=name, description=description, pool=LEDGER_POOL)
    def check(data: DataFolder) -> dg.AssetCheckResult:
        with plain_failures():
            outcome = evaluate(data.workspace())
        return dg.AssetCheckResult(
            passed=outcome.passed,
            severity=severity,
            description=outcome.message,
            metadata=dict(outcome.facts),
        )

    return check


def _evaluations(
    asset: dg.AssetKey,
    name: str,
    severity: dg.AssetCheckSeverity,
    outcomes: Mapping[date, CheckOutcome],
    targets: Mapping[str, Target],
) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the outcome of each partition as an event, tied to the materialisation it evaluates."""
    for day, outcome in outcomes.items():
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=name,
            passed=outcome.passed,
            severity=severity,
            description=outcome.message,
            metadata=dict(outcome.facts),
            target_materialization_data=targets.get(day.isoformat()),
            partition=day.isoformat(),
        )


def _targets(
    instance: dg.DagsterInstance, asset: dg.AssetKey, outcomes: Mapping[date, CheckOutcome]
) -> dict[str, Target]:
    """Return the latest materialisation of each partition that has an outcome, if any."""
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
    if len(dates) == 1:
        return next(iter(outcomes.values())).message
    if not failed:
        return f"passed for all {len(outcomes)} partitions with rows"
    messages = [f"{day}: {outcome.message}" for day, outcome in list(failed.items())[:_LISTED]]
    more = len(failed) - len(messages)
    return "; ".join(messages) + (f"; and {more} more" if more > 0 else "")
