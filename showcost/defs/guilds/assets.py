"""The guild audit packs asset: one pack per signed agreement."""

from typing import Any

import dagster as dg

from showcost.components import naming
from showcost.components.metadata import column_schema, counts_table
from showcost.components.partitions import daily_partitions, partition_dates
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.production import Production
from showcost.pay.applied import APPLIED
from showcost.reports.guild_pack import write_signed_packs
from showcost.validation.columns import ColumnInfo
from showcost.workspace import definitions_workspace

_MEANINGS = {
    "row_key": "key of the row",
    "field": "field that was checked",
    "check": "reason code of a failure",
    "rules": "the rules with clause and certainty",
    "result": "holds, fails, or look",
    "told": "amount paid, amount required, and the arithmetic",
}


@dg.definitions
def guilds() -> dg.Definitions:
    """Build the asset if the production has a payroll feed."""
    workspace = definitions_workspace()
    feeds = [feed.name for feed in workspace.feeds if feed.kind.has_pay_rules]
    return dg.Definitions(assets=[_packs(workspace.production, feeds)] if feeds else [])


def _packs(production: Production, feeds: list[str]) -> dg.AssetsDefinition:
    columns = [ColumnInfo(field.name, field.type, _MEANINGS[field.name]) for field in APPLIED]

    @dg.asset(
        key=naming.GUILD_PACKS,
        deps=[key(feed) for feed in feeds for key in (naming.valid_key, naming.pay_findings_key)],
        description="Audit pack for each signed agreement over the days of the run: rows, rules applied, "
        "clauses, rates and results, as a workbook and as CSV with a manifest.",
        kinds={"xlsx", "csv"},
        partitions_def=daily_partitions(production),
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema(columns)},
        owners=list(production.owners),
        group_name=naming.REPORTS,
        tags={"showcost/stage": naming.REPORTS},
    )
    def guild_packs(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        dates = partition_dates(context)
        with plain_failures():
            packs = write_signed_packs(data.workspace(), min(dates), max(dates))
        metadata: dict[str, Any] = {
            "packs": counts_table(
                ["agreement", "from", "to", "rows", "holds", "look", "fails", "findings"],
                [
                    (
                        pack.agreement,
                        pack.first,
                        pack.last,
                        pack.rows,
                        *(pack.results.get(result, 0) for result in ("holds", "look", "fails")),
                        pack.findings,
                    )
                    for pack in packs
                ],
            ),
            "rows": sum(pack.rows for pack in packs),
        }
        return dg.MaterializeResult(metadata=metadata)

    return guild_packs
