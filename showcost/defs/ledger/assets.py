"""The asset of the ledger's daily partitions over all feeds, with their digest."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from showcost.checks import ledger as ledger_checks
from showcost.components import naming
from showcost.components.checks import partition_check, whole_check
from showcost.components.freshness import every_morning
from showcost.components.metadata import column_schema, counts_table
from showcost.components.partitions import daily_partitions, partition_dates
from showcost.components.queue_metadata import QUEUE_COLUMNS, queue_metadata
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.feed import FeedSpec
from showcost.config.production import Production
from showcost.core.money import readable_amount
from showcost.ledger.journal import missing_control_accounts
from showcost.ledger.schema import ENTRY_COLUMNS
from showcost.reports.ledger_days import ledger_days
from showcost.workspace import definitions_workspace


@dg.definitions
def ledger() -> dg.Definitions:
    """Build the asset over the active feeds of the production."""
    workspace = definitions_workspace()
    production, feeds = workspace.production, workspace.feeds
    partitions = daily_partitions(production)
    return dg.Definitions(
        assets=[_entries(production, feeds, partitions), _queue(production, feeds)],
        asset_checks=[
            partition_check(
                asset=naming.LEDGER_ENTRIES,
                name="append_only",
                description="Tables and triggers are unchanged, and the entries of every batch still have "
                "the digest recorded at posting.",
                partitions=partitions,
                evaluate=ledger_checks.append_only,
            ),
            partition_check(
                asset=naming.LEDGER_ENTRIES,
                name="amounts_balance",
                description="Per currency and in base, the entries of the date sum to the totals recorded "
                "with its batches.",
                partitions=partitions,
                evaluate=ledger_checks.batches_balance,
            ),
            partition_check(
                asset=naming.LEDGER_ENTRIES,
                name="documents_balance",
                description="In the journal, every document of the date comes to zero per currency and in "
                "base, with its other side on the control accounts of the production.",
                partitions=partitions,
                evaluate=ledger_checks.documents_balance,
                severity=dg.AssetCheckSeverity.WARN
                if missing_control_accounts(production)
                else dg.AssetCheckSeverity.ERROR,
            ),
            partition_check(
                asset=naming.LEDGER_ENTRIES,
                name="within_purchase_orders",
                description="No invoice exceeds the purchase order that it names, or lacks one where "
                "production.yaml requires it (SC-PO-001). It is posted all the same.",
                partitions=partitions,
                evaluate=ledger_checks.within_purchase_orders,
                severity=dg.AssetCheckSeverity.WARN,
            ),
            whole_check(
                asset=naming.LEDGER_ENTRIES,
                name="audit_chain",
                description="The audit log's hash chain is unbroken, its segments are unchanged, and log "
                "and ledger attest each other transaction by transaction.",
                evaluate=ledger_checks.audit_chain,
            ),
        ],
    )


def _entries(
    production: Production, feeds: Sequence[FeedSpec], partitions: dg.PartitionsDefinition[str]
) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.LEDGER_ENTRIES,
        deps=[naming.posted_key(feed.name) for feed in feeds if not feed.kind.is_plan],
        description="The ledger by transaction date, over all feeds: original and base amount per entry, "
        "append-only. The digest of a date does not depend on the order of work, the chunk size or the "
        "machine.",
        group_name=naming.LEDGER,
        kinds={"duckdb"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.LEDGER},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        freshness_policy=every_morning(production, ledger_checks.FRESH_WITHIN),
        metadata={
            "dagster/table_name": "ledger_entries",
            "dagster/column_schema": column_schema(ENTRY_COLUMNS),
        },
    )
    def ledger_entries(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            workspace = data.workspace()
            days = ledger_days(workspace, partition_dates(context))
        for day, summary in days.items():
            metadata: dict[str, Any] = {
                "dagster/partition_row_count": summary.entries,
                "digest": summary.digest,
                "cost": readable_amount(summary.cost),
                "cost_to_date": readable_amount(summary.cost_to_date),
                "budget": readable_amount(workspace.budget.total),
                "base_currency": production.base_currency,
            }
            if summary.entries:
                names = ["feed", "currency", "entries", "amount", f"base_{production.base_currency}"]
                metadata["totals"] = counts_table(names, summary.totals)
                metadata["largest_accounts"] = counts_table(
                    ["account", "name", f"base_{production.base_currency}"], summary.accounts
                )
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        # The UI shows this at every partition of the run, so the name says what it counts.
        return dg.MaterializeResult(
            metadata={"entries_in_run": sum(summary.entries for summary in days.values())}
        )

    return ledger_entries


def _queue(production: Production, feeds: Sequence[FeedSpec]) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.QUEUE,
        deps=[key for feed in feeds for key in (naming.ledger_key(feed), naming.undated_key(feed.name))],
        description="Rows of all feeds and dates that are not posted or have a decision, by state, reason "
        "code and age. List them with `showcost queue list`, decide with `showcost queue resolve`.",
        group_name=naming.LEDGER,
        kinds={"parquet"},
        owners=list(production.owners),
        tags={"showcost/stage": naming.LEDGER},
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema(QUEUE_COLUMNS)},
    )
    def reconciliation_queue(data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            return dg.MaterializeResult(metadata=queue_metadata(data.workspace()))

    return reconciliation_queue
