"""The assets of a feed: the rows stored by each step, with their metadata for the UI.

Deliberately thin: a step calls one function of `showcost.pipeline` and shows its outcome per partition.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg

from showcost.components import naming
from showcost.components.metadata import column_schema, counts_table, lineage
from showcost.components.outcome_metadata import (
    posted_metadata,
    quarantine_metadata,
    queue_table,
    reasons_table,
    recorded_metadata,
    valid_metadata,
)
from showcost.components.partitions import partition_dates
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.feed import FeedSpec
from showcost.config.record_kinds import FieldType
from showcost.ingest.landing import land, landed
from showcost.ledger.schema import ENTRY_COLUMNS, PLAN_COLUMNS, PLAN_FIELDS
from showcost.pipeline.auto_rebook import rebook_by_policy
from showcost.pipeline.posting import post_partitions, posted_days, recorded_days
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.staging import ALL
from showcost.staging.assets import undated_asset as undated_asset_name
from showcost.validation.columns import RowTable
from showcost.validation.columns import column_schema as row_columns

_SINGLE_RUN = dg.BackfillPolicy.single_run()


def deliveries_asset(feed: FeedSpec) -> dg.AssetsDefinition:
    """Return the asset of the feed's deliveries; materialising it lands the feed's inbox."""

    @dg.asset(
        key=naming.deliveries_key(feed.name),
        deps=[naming.pulled_key(feed.name)] if feed.api is not None else [],
        description=f"{feed.description}\n\nThe bytes as they arrived, each kept once by its sha256. "
        f"Materialising it lands the files in `inbox/{feed.inbox_folder}`.",
        kinds={"file", feed.format},
        backfill_policy=_SINGLE_RUN,
        pool=f"landing_{feed.name}",
        owners=list(feed.owners),
        group_name=naming.DELIVERIES,
        tags=naming.step_tags(naming.DELIVERIES, feed.name),
    )
    def landed_deliveries(data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            workspace = data.workspace()
            landing = land(workspace, feed)
            deliveries = landed(workspace, feed)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(delivery.summary.received for delivery in deliveries),
                "deliveries": len(deliveries),
                "read_now": len(landing.read),
                "delivered_again": len(landing.again),
                "still_being_written": len(landing.changing),
                "undated_rows": sum(delivery.summary.undated for delivery in deliveries),
                "last_deliveries": counts_table(
                    [
                        *("arrival", "file", "rows", "undated", "subtotals", "refused", "first_date"),
                        *("last_date", "assumed"),
                    ],
                    [
                        (
                            delivery.arrival.number,
                            delivery.shown_name,
                            delivery.summary.received,
                            delivery.summary.undated,
                            delivery.summary.subtotals,
                            delivery.summary.refused,
                            min(delivery.summary.dates, default=None),
                            max(delivery.summary.dates, default=None),
                            delivery.summary.assumed,
                        )
                        for delivery in deliveries[-20:]
                    ],
                ),
            }
        )

    return landed_deliveries


def raw_rows_asset(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the asset of the feed's raw rows."""

    @dg.asset(
        key=naming.raw_key(feed.name),
        deps=[naming.deliveries_key(feed.name)],
        description=f"{feed.kind.title} as text, with their place in the delivery, by "
        f"transaction date (`{feed.date_field}`).",
        kinds={"parquet"},
        partitions_def=partitions,
        backfill_policy=_SINGLE_RUN,
        metadata={"dagster/column_schema": column_schema(row_columns(feed.kind, RowTable.RAW))},
        owners=list(feed.owners),
        group_name=naming.RAW_ROWS,
        tags=naming.step_tags(naming.RAW_ROWS, feed.name),
    )
    def raw_rows(context: dg.AssetExecutionContext, data: DataFolder) -> None:
        dates = partition_dates(context)
        with plain_failures():
            staged = write_raw_rows(data.workspace(), feed, dates)
        for part in staged:
            context.add_asset_metadata(
                {"dagster/partition_row_count": part.rows, "sha256": part.sha256},
                partition_key=part.partition,
            )
        _add_lineage(context, dates, _raw_lineage(feed))

    return raw_rows


def _add_lineage(
    context: dg.AssetExecutionContext,
    dates: Sequence[date],
    columns: dg.TableColumnLineage,
    asset_key: dg.AssetKey | None = None,
) -> None:
    """Add column lineage to the last date: the UI reads the last event, and all dates have the same."""
    context.add_asset_metadata(
        {"dagster/column_lineage": columns}, asset_key=asset_key, partition_key=max(dates).isoformat()
    )


def _raw_lineage(feed: FeedSpec) -> dg.TableColumnLineage:
    source = naming.deliveries_key(feed.name)
    return lineage(
        {
            field.name: [(source, header) for header in feed.headers_of(field.name)]
            for field in feed.kind.fields
        }
    )


def undated_asset(feed: FeedSpec) -> dg.AssetsDefinition:
    """Return the asset of the feed's rows that have no transaction date, with their reasons."""

    @dg.asset(
        key=naming.undated_key(feed.name),
        deps=[naming.deliveries_key(feed.name)],
        description=f"{feed.kind.title} without a readable date, or dated outside the production: "
        "no delivered row is dropped. Each row keeps its raw text and its reasons.",
        kinds={"parquet"},
        backfill_policy=_SINGLE_RUN,
        metadata={"dagster/column_schema": column_schema(row_columns(feed.kind, RowTable.QUARANTINE))},
        owners=list(feed.owners),
        group_name=naming.VALIDATION,
        tags=naming.step_tags(naming.VALIDATION, feed.name),
    )
    def undated(data: DataFolder) -> dg.MaterializeResult[None]:
        with plain_failures():
            workspace = data.workspace()
            counts = quarantine_undated(workspace, feed)
            rows = workspace.staging.read(undated_asset_name(feed.name), ALL)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": counts.received,
                "reasons": reasons_table(counts),
                "rows": queue_table(feed, rows),
            }
        )

    return undated


def validated_assets(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the two assets of one validation: valid rows and quarantined rows."""
    valid, quarantine = naming.valid_key(feed.name), naming.quarantine_key(feed.name)
    owners, tags = list(feed.owners), naming.step_tags(naming.VALIDATION, feed.name)
    deps = [naming.raw_key(feed.name), *(() if feed.kind.is_plan else (naming.FX_SNAPSHOTS,))]
    typed = "typed" if feed.kind.is_plan else "typed, with a pinned rate for their date"
    specs = [
        dg.AssetSpec(
            valid,
            deps=deps,
            description=f"{feed.kind.title} that pass every rule, {typed}.",
            kinds={"pandas", "parquet"},
            partitions_def=partitions,
            metadata={"dagster/column_schema": column_schema(row_columns(feed.kind, RowTable.VALID))},
            owners=owners,
            group_name=naming.VALIDATION,
            tags=tags,
        ),
        dg.AssetSpec(
            quarantine,
            deps=deps,
            description=f"{feed.kind.title} that were rejected, are duplicates, or wait for a rate: "
            "raw text, position, and every reason with field, observed and expected.",
            kinds={"pandas", "parquet"},
            partitions_def=partitions,
            metadata={"dagster/column_schema": column_schema(row_columns(feed.kind, RowTable.QUARANTINE))},
            owners=owners,
            group_name=naming.VALIDATION,
            tags=tags,
        ),
    ]

    @dg.multi_asset(name=f"validate_{feed.name}", specs=specs, backfill_policy=_SINGLE_RUN)
    def validated(
        context: dg.AssetExecutionContext, data: DataFolder
    ) -> Iterator[dg.MaterializeResult[None]]:
        workspace, dates = data.workspace(), partition_dates(context)
        with plain_failures():
            outcome = validate_partitions(workspace, feed, dates)
        store = workspace.staging
        for day, counts in outcome.items():
            key = day.isoformat()
            context.add_asset_metadata(
                valid_metadata(store, feed, key, counts), asset_key=valid, partition_key=key
            )
            context.add_asset_metadata(
                quarantine_metadata(store, feed, key, counts), asset_key=quarantine, partition_key=key
            )
        yield dg.MaterializeResult(asset_key=quarantine)
        _add_lineage(context, dates, _valid_lineage(feed), valid)
        yield dg.MaterializeResult(asset_key=valid)

    return validated


def _valid_lineage(feed: FeedSpec) -> dg.TableColumnLineage:
    source = naming.raw_key(feed.name)
    columns = {field.name: [(source, field.name)] for field in feed.kind.fields}
    if feed.kind.is_plan:
        return lineage(columns)
    amounts = feed.kind.of_type(FieldType.AMOUNT)
    return lineage(columns | {"components": [(source, name) for name in amounts]})


def posted_asset(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the asset of the ledger entries that were posted from the feed."""

    @dg.asset(
        key=naming.posted_key(feed.name),
        deps=[
            naming.valid_key(feed.name),
            # A run that dies before the pay findings are evaluated has not posted either.
            *((naming.pay_findings_key(feed.name),) if feed.kind.has_pay_rules else ()),
            naming.FX_SNAPSHOTS,
        ],
        description=f"Ledger entries of {feed.kind.title.lower()}: original and base amount, rate, rate "
        "date and snapshot. Append-only: materialising again appends nothing.",
        kinds={"duckdb"},
        partitions_def=partitions,
        backfill_policy=_SINGLE_RUN,
        pool=naming.LEDGER_POOL,
        metadata={
            "dagster/table_name": "ledger_entries",
            "dagster/column_schema": column_schema(ENTRY_COLUMNS),
        },
        owners=list(feed.owners),
        group_name=naming.LEDGER,
        tags=naming.step_tags(naming.LEDGER, feed.name),
    )
    def posted(context: dg.AssetExecutionContext, data: DataFolder) -> None:
        with plain_failures():
            workspace, dates = data.workspace(), partition_dates(context)
            appended = post_partitions(workspace, feed, dates, context.run.run_id)
            appended.update(rebook_by_policy(workspace, feed))
            outcome = posted_days(workspace, feed, dates, appended)
        for day, posting in outcome.items():
            context.add_asset_metadata(posted_metadata(posting), partition_key=day.isoformat())
        _add_lineage(context, dates, _posted_lineage(feed))

    return posted


def recorded_asset(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the asset of the plan lines that were recorded from the feed."""

    @dg.asset(
        key=naming.recorded_key(feed.name),
        deps=[naming.valid_key(feed.name)],
        description=f"{feed.kind.title} in the ledger database, by the date from which they hold. They are "
        "plan lines, not entries: no rate, and no part of the cost or the digest. Append-only: materialising "
        "again records nothing.",
        kinds={"duckdb"},
        partitions_def=partitions,
        backfill_policy=_SINGLE_RUN,
        pool=naming.LEDGER_POOL,
        metadata={
            "dagster/table_name": "plan_lines",
            "dagster/column_schema": column_schema(PLAN_COLUMNS),
        },
        owners=list(feed.owners),
        group_name=naming.LEDGER,
        tags=naming.step_tags(naming.LEDGER, feed.name),
    )
    def recorded(context: dg.AssetExecutionContext, data: DataFolder) -> None:
        with plain_failures():
            workspace, dates = data.workspace(), partition_dates(context)
            appended = post_partitions(workspace, feed, dates, context.run.run_id)
            appended.update(rebook_by_policy(workspace, feed))
            outcome = recorded_days(workspace, feed, dates, appended)
        for day, lines in outcome.items():
            context.add_asset_metadata(recorded_metadata(lines), partition_key=day.isoformat())
        source = naming.valid_key(feed.name)
        fields = [column.name for column in PLAN_FIELDS if column.name in feed.kind.by_name]
        _add_lineage(context, dates, lineage({name: [(source, name)] for name in fields}))

    return recorded


def _posted_lineage(feed: FeedSpec) -> dg.TableColumnLineage:
    valid = naming.valid_key(feed.name)
    rates = [(naming.FX_SNAPSHOTS, column) for column in ("snapshot_id", "currency", "rate")]
    amount = (valid, "components")
    return lineage(
        {
            "amount": [amount],
            "base_amount": [amount, (valid, "currency"), *rates],
            "rate": rates,
            "rate_date": [(naming.FX_SNAPSHOTS, "publication_date")],
            "snapshot_id": [(naming.FX_SNAPSHOTS, "snapshot_id")],
        }
        | {
            name: [(valid, name)]
            for name in (
                *("transaction_date", "document_no", "vendor_code", "description", "currency", "flags"),
                *(("pay_rules",) if feed.kind.has_pay_rules else ()),
            )
        }
        | {"account": [amount], "union_category": [amount]}
    )
