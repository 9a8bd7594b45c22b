"""Asset checks from verdicts: one evaluation per partition, in a run over a range too.

A check's result in a run over a range carries no partition; so the verdict of each partition is reported
as an event of its own beside it. What is checked is decided in `showcost.checks`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import dagster as dg

# Not among Dagster's public names, but without it a partition's verdict is not shown: Dagster takes it for
# one on an earlier materialisation. The version is pinned.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from showcost.checks.result import Verdict
from showcost.components.naming import LEDGER_POOL
from showcost.components.partitions import partition_dates
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.home import Home

PartitionVerdicts = Callable[[Home, Sequence[date]], Mapping[date, Verdict]]
WholeVerdict = Callable[[Home], Verdict]

_NAMED = 5
_NOTHING = Verdict(passed=True, message="no rows to check")


def partition_check(
    *,
    asset: dg.AssetKey,
    name: str,
    description: str,
    partitions: dg.PartitionsDefinition[str],
    judge: PartitionVerdicts,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    blocking: bool = False,
) -> dg.AssetChecksDefinition:
    """Return a check of a partitioned asset; `judge` gives a verdict per date that has anything to judge."""

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
            verdicts = judge(data.home(), dates)
        if context.op_execution_context.has_partition_key_range:
            # For every date: one that is left out shows as skipped, and all of the check with it.
            shown = {day: verdicts.get(day, _NOTHING) for day in dates}
            targets = _targets(context.instance, asset, shown)
            for evaluation in _evaluations(asset, name, severity, shown, targets):
                # Of this run: without one, an evaluation could be stored once per partition and never again.
                # The annotation of `log_event` leaves out evaluations, its code takes them.
                context.op_execution_context.log_event(evaluation)  # type: ignore[arg-type]
        failed = {day: verdict for day, verdict in verdicts.items() if not verdict.passed}
        return dg.AssetCheckResult(
            passed=not failed,
            severity=severity,
            description=_together(dates, verdicts, failed),
            metadata={"partitions": len(dates), "judged": len(verdicts), "failed": len(failed)}
            | (dict(next(iter(verdicts.values())).facts) if len(verdicts) == 1 else {}),
        )

    return check


def whole_check(
    *,
    asset: dg.AssetKey,
    name: str,
    description: str,
    judge: WholeVerdict,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetChecksDefinition:
    """Return a check of an asset as a whole."""

    @dg.asset_check(asset=asset, name=name, description=description, pool=LEDGER_POOL)
    def check(data: DataFolder) -> dg.AssetCheckResult:
        with plain_failures():
            verdict = judge(data.home())
        return dg.AssetCheckResult(
            passed=verdict.passed,
            severity=severity,
            description=verdict.message,
            metadata=dict(verdict.facts),
        )

    return check


def _evaluations(
    asset: dg.AssetKey,
    name: str,
    severity: dg.AssetCheckSeverity,
    verdicts: Mapping[date, Verdict],
    targets: Mapping[str, Target],
) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the verdict of each partition as an event, tied to the materialisation that it is about."""
    for day, verdict in verdicts.items():
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=name,
            passed=verdict.passed,
            severity=severity,
            description=verdict.message,
            metadata=dict(verdict.facts),
            target_materialization_data=targets.get(day.isoformat()),
            partition=day.isoformat(),
        )


def _targets(
    instance: dg.DagsterInstance, asset: dg.AssetKey, verdicts: Mapping[date, Verdict]
) -> dict[str, Target]:
    """Return the latest materialisation of each partition that has a verdict, where there is one."""
    latest = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, {day.isoformat() for day in verdicts}
    )
    found: dict[str, Target] = {}
    if latest:
        wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=list(latest.values()))
        for record in instance.fetch_materializations(wanted, limit=len(latest)).records:
            found[str(record.partition_key)] = Target(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
    return found


def _together(dates: Sequence[date], verdicts: Mapping[date, Verdict], failed: Mapping[date, Verdict]) -> str:
    """Return one text for all partitions of a run: the failures by date, the first few in full."""
    if not verdicts:
        return "no rows to check"
    if len(dates) == 1:
        return next(iter(verdicts.values())).message
    if not failed:
        return f"holds for all {len(verdicts)} partitions with rows"
    named = [f"{day}: {verdict.message}" for day, verdict in list(failed.items())[:_NAMED]]
    more = len(failed) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")
