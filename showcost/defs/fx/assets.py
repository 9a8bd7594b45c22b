"""The asset of the daily FX snapshots and the checks of its rate history."""

import dagster as dg

from showcost.checks import fx as fx_checks
from showcost.checks.fx import RATE_COLUMNS, pinned_rates
from showcost.components import naming
from showcost.components.checks import partition_check, whole_check
from showcost.components.metadata import column_schema, counts_table
from showcost.components.partitions import daily_partitions, partition_dates
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.production import Production
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.workspace import definitions_workspace


@dg.definitions
def fx() -> dg.Definitions:
    """Build the asset for the production's dates."""
    production = definitions_workspace().production
    partitions = daily_partitions(production)
    key = naming.FX_SNAPSHOTS
    return dg.Definitions(
        assets=[_snapshots(production, partitions)],
        asset_checks=[
            partition_check(
                asset=key,
                name="snapshot_unchanged",
                description="The rates of a pinned snapshot still have the hash that was pinned (SC-FX-003).",
                partitions=partitions,
                evaluate=fx_checks.snapshots_unchanged,
                blocking=True,
            ),
            whole_check(
                asset=key,
                name="calendar_complete",
                description="The ECB published on every TARGET working day of the production's dates and "
                "on no other day; holidays from the `holidays` package.",
                evaluate=fx_checks.calendar,
            ),
            whole_check(
                asset=key,
                name="day_on_day_jump",
                description=f"No rate of the production's currencies moved by more than "
                f"{production.fx.jump_percent} % from one publication to the next.",
                evaluate=fx_checks.jumps,
                severity=dg.AssetCheckSeverity.WARN,
            ),
            whole_check(
                asset=key,
                name="irs_yearly_average",
                description="The mean of the daily rates of each full year lies within the plausibility "
                "band around the yearly average that the IRS publishes.",
                evaluate=fx_checks.irs_band,
                severity=dg.AssetCheckSeverity.WARN,
            ),
        ],
    )


def _snapshots(production: Production, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.FX_SNAPSHOTS,
        description="The ECB's euro reference rates in force on each date, pinned once and never changed. "
        f"A rate is carried over weekends and TARGET holidays for at most {production.fx.carry_days} days "
        "and keeps its own publication date. Materialising it ahead of the ledger fills the cache: "
        "conversion never looks up a rate.",
        group_name=naming.RATES,
        kinds={"duckdb"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.RATES},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=naming.LEDGER_POOL,
        metadata={
            "dagster/table_name": "fx_rates",
            "dagster/column_schema": column_schema(RATE_COLUMNS),
        },
    )
    def fx_snapshots(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        dates = partition_dates(context)
        with plain_failures():
            workspace = data.workspace()
            outcome = pin_snapshots(workspace, dates)
            rates = pinned_rates(workspace, dates)
        if outcome.unavailable:
            context.log.warning(outcome.unavailable)
        for day in dates:
            rows = rates.get(day, [])
            context.add_asset_metadata(
                {
                    "dagster/partition_row_count": len(rows),
                    "state": "pinned" if rows else "pending" if day in outcome.result.pending else "missing",
                    "rates": counts_table(
                        ["currency", "units_per_eur", "published", "snapshot_id"],
                        [row for row in rows if row[0] in production.currencies],
                    ),
                },
                partition_key=day.isoformat(),
            )
        return dg.MaterializeResult(
            metadata={
                "pinned_in_run": len(outcome.result.pinned),
                "pending_in_run": len(outcome.result.pending),
                "revised_since_pinned_in_run": len(outcome.result.differing),
                "last_publication": outcome.last_publication.isoformat(),
            }
        )

    return fx_snapshots
