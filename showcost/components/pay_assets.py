"""The asset of a payroll feed's findings: what pay rules say of an employee's neighbouring days.

Thin on purpose: what is found is decided in `showcost.pay`, how far a day reaches in
`showcost.pipeline.pay_findings`.
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from showcost.components import naming
from showcost.components.metadata import SENTENCES, column_schema, counts_table
from showcost.components.partitions import partition_dates
from showcost.components.resources import DataFolder, plain_failures
from showcost.config.feed import FeedSpec
from showcost.core.reasons import CATALOGUE
from showcost.pay.findings import FINDINGS
from showcost.pay.findings_log import Finding, Line
from showcost.pipeline.pay_findings import stage_pay_findings
from showcost.validation.columns import ColumnInfo

_SHOWN = 20
_MEANINGS = {
    "finding_id": "hash of what the finding says",
    "row_key": "key of the row that it is about",
    "delivery": "sha256 of the delivery of that row",
    "record": "number of the record in the delivery",
    "content": "hash of the row's typed values",
    "transaction_date": "day of work",
    "code": "reason code",
    "field": "field that it is about",
    "told": "what was paid, what is required, and the arithmetic",
    "source": "the rules with clause and certainty",
    "pay_rules": "agreement, version and hash of the rules",
    "cause": "key of the neighbouring row that brought it about",
}


def pay_findings_asset(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the asset of what is found in a payroll feed's pay."""
    columns = [ColumnInfo(field.name, field.type, _MEANINGS[field.name]) for field in FINDINGS]

    @dg.asset(
        key=naming.pay_findings_key(feed.name),
        deps=[naming.valid_key(feed.name)],
        description="What pay rules find that keeps no row out: turnaround, days worked in a row, weekly "
        "hours and penalties, ceilings, and rules of low certainty. Append-only: a day that comes late has "
        "its neighbours looked at again, and what is found about them is a new record.",
        kinds={"duckdb", "jsonl"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema(columns)},
        owners=list(feed.owners),
        group_name=naming.VALIDATION,
        tags=naming.stage_tags(naming.VALIDATION, feed.name),
    )
    def pay_findings(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        dates = partition_dates(context)
        with plain_failures():
            result = stage_pay_findings(data.home(), feed, dates)
        for day in map(str, dates):
            metadata = findings_metadata(day, result.standing, result.dismissed)
            context.add_asset_metadata(metadata, partition_key=day)
        waiting = {} if result.missing is None else {"waits_for_valid_rows_of": str(result.missing)}
        return dg.MaterializeResult(
            metadata={
                **waiting,
                "looked_at_from": str(result.first),
                "looked_at_to": str(result.last),
                "opened_now": result.opened,
                "cleared_now": result.cleared,
                "reasons": counts_table(
                    ["code", "findings", "meaning", "what_to_do"],
                    [
                        (code, count, CATALOGUE[code].meaning, CATALOGUE[code].action)
                        for code, count in sorted(result.codes.items())
                    ],
                ),
            }
        )

    return pay_findings


def findings_metadata(day: str, findings: Iterable[Finding], dismissed: Iterable[Line]) -> dict[str, Any]:
    """Return the metadata of a day of work: what waits for a look about its rows, and what was dismissed."""
    waiting = [one for one in findings if one.transaction_date == day]
    answered = [line for line in dismissed if line.finding.transaction_date == day]
    metadata: dict[str, Any] = {"dagster/partition_row_count": len(waiting)}
    if waiting:
        metadata["findings"] = counts_table(
            ["finding_id", "row_key", "code", "field", "told", "source"],
            [
                (one.finding_id, one.row_key, one.code, one.field, one.told, one.source)
                for one in waiting[:_SHOWN]
            ],
            longest=SENTENCES,
        )
    if answered:
        metadata["dismissed"] = counts_table(
            ["finding_id", "code", "told", "dismissed_at", "who", "why"],
            [
                (one.finding.finding_id, one.finding.code, one.finding.told, one.at, one.who, one.why)
                for one in answered[:_SHOWN]
            ],
            longest=SENTENCES,
        )
    return metadata
