"""The job over the whole pipeline, the job of the lender snapshot, and their schedules."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.config.production import Production
from showcost.config.reporting_periods import reporting_periods
from showcost.workspace import definitions_workspace

_HOUR = 6
_SNAPSHOT = dg.AssetSelection.assets(naming.LENDER_SNAPSHOT) | dg.AssetSelection.checks_for_assets(
    naming.LENDER_SNAPSHOT
)


@dg.definitions
def jobs() -> dg.Definitions:
    """Build the job over the production's partitions and its daily schedule."""
    production = definitions_workspace().production
    job = dg.define_asset_job(
        naming.JOB,
        # Each snapshot is kept for good, so it is made per period, not by every run.
        selection=dg.AssetSelection.all() - _SNAPSHOT,
        partitions_def=daily_partitions(production),
        description="Lands the inbox and takes the costs of one date, or of a range of dates, from raw rows "
        "into the ledger.",
    )

    # Not built from the job: its latest partition is today's, whose costs have no rate yet.
    @dg.schedule(
        name="yesterday",
        job=job,
        cron_schedule=f"0 {_HOUR} * * *",
        execution_timezone=production.timezone,
        description=f"Every day at {_HOUR:02}:00 in {production.timezone}: yesterday's costs, whose "
        "rates are published by then.",
    )
    def yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_yesterday(context, production)

    lender_job = dg.define_asset_job(
        naming.LENDER_JOB,
        selection=_SNAPSHOT,
        description="Seals the report of a period as a pack for lenders, below `published/reports/`.",
    )

    @dg.schedule(
        name="period_end",
        job=lender_job,
        cron_schedule=f"0 {_HOUR + 1} * * *",
        execution_timezone=production.timezone,
        description="On the day after the last day of a reporting period: its lender snapshot.",
    )
    def period_end(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return request_snapshot(context, production)

    return dg.Definitions(jobs=[job, lender_job], schedules=[yesterday, period_end])


def request_snapshot(
    context: dg.ScheduleEvaluationContext, production: Production
) -> dg.RunRequest | dg.SkipReason:
    """Request the snapshot of the reporting period that ended on the day before the tick."""
    today = context.scheduled_execution_time.astimezone(ZoneInfo(production.timezone)).date()
    day = today - timedelta(days=1)
    ended = [period for period in reporting_periods(production) if period.end == day]
    if not ended:
        return dg.SkipReason(f"no reporting period ended on {day}")
    name = naming.LENDER_SNAPSHOT.to_python_identifier()
    config = {"ops": {name: {"config": {"period": ended[0].name}}}}
    return dg.RunRequest(run_key=f"{name} {day}", run_config=config)


def request_yesterday(
    context: dg.ScheduleEvaluationContext, production: Production
) -> dg.RunRequest | dg.SkipReason:
    """Request the day before the tick, if it is within the production's dates."""
    today = context.scheduled_execution_time.astimezone(ZoneInfo(production.timezone)).date()
    day = today - timedelta(days=1)
    if day not in production.dates:
        return dg.SkipReason(f"{day} is outside the production's dates")
    return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())
