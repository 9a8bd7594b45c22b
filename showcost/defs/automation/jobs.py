"""The job that takes costs along their whole way, and the schedule that runs it for yesterday."""

from __future__ import annotations

import dagster as dg

from showcost.components import naming
from showcost.components.partitions import daily_partitions
from showcost.config.home import open_home

_HOUR = 6


@dg.definitions
def jobs() -> dg.Definitions:
    """Build the job over the production's partitions and its daily schedule."""
    production = open_home().production
    job = dg.define_asset_job(
        naming.JOB,
        selection=dg.AssetSelection.all(),
        partitions_def=daily_partitions(production),
        description="Lands what is in the inbox and takes the costs of one date, or of a range of dates, "
        "from raw rows into the ledger.",
    )
    schedule = dg.build_schedule_from_partitioned_job(
        job,
        name="yesterday",
        hour_of_day=_HOUR,
        description=f"Every day at {_HOUR:02}:00 in {production.timezone}: the costs of yesterday, whose "
        "rates are published by then.",
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])
