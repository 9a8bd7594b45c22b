"""The job over the whole pipeline, and the schedule that runs it for yesterday."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.config.production import Production
from showcost.workspace import definitions_workspace

_HOUR = 6


@dg.definitions
def jobs() -> dg.Definitions:
    """Build the job over the production's partitions and its daily schedule."""
    production = definitions_workspace().production
    job = dg.define_asset_job(
        naming.JOB,
        selection=dg.AssetSelection.all(),
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

    return dg.Definitions(jobs=[job], schedules=[yesterday])


def request_yesterday(
    context: dg.ScheduleEvaluationContext, production: Production
) -> dg.RunRequest | dg.SkipReason:
    """Request the day before the tick, if it is within the production's dates."""
    today = context.scheduled_execution_time.astimezone(ZoneInfo(production.timezone)).date()
    day = today - timedelta(days=1)
    if day not in production.dates:
        return dg.SkipReason(f"{day} is outside the production's dates")
    return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())
