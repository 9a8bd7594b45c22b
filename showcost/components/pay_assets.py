"""The pay findings asset of a payroll feed: pay rules over an employee's neighbouring days.

Deliberately thin: the rules are in `showcost.pay`, the days that a change affects in
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
from showcost.core.reason_catalogue import CATALOGUE
from showcost.pay.findings import FINDINGS
from showcost.pay.findings_log import FindingLine, PayFinding
from showcost.pipeline.pay_findings import write_pay_findings
from showcost.validation.columns import ColumnInfo

_SHOWN = 20
_MEANINGS = {
    "finding_id": "hash of the finding's content",
    "row_key": "key of the row concerned",
    "delivery": "sha256 of that row's delivery",
    "record": "number of the record in the delivery",
    "content": "hash of the row's typed values",
    "transaction_date": "day of work",
    "code": "reason code",
    "field": "field concerned",
    "told": "amount paid, amount required, and the arithmetic",
    "source": "the rules with clause and certainty",
    "pay_rules": "agreement, version and hash of the rules",
    "cause": "key of the neighbouring row that caused it",
}


def pay_findings_asset(feed: FeedSpec, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the pay findings asset of a payroll feed."""
    columns = [ColumnInfo(field.name, field.type, _MEANINGS[field.name]) for field in FINDINGS]

    @dg.asset(
        key=naming.pay_findings_key(feed.name),
        deps=[naming.valid_key(feed.name)],
        description="Findings of the pay rules that block no row: turnaround, consecutive days worked, "
        "weekly hours and penalties, ceilings, and rules of low certainty. Append-only: when a day arrives "
        "late, its neighbouring days are evaluated again and new findings are appended.",
        kinds={"duckdb", "jsonl"},
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={"dagster/column_schema": column_schema(columns)},
        owners=list(feed.owners),
        group_name=naming.VALIDATION,
        tags=naming.step_tags(naming.VALIDATION, feed.name),
    )
    def pay_findings(context: dg.AssetExecutionContext, data: DataFolder) -> dg.MaterializeResult[None]:
        dates = partition_dates(context)
        with plain_failures():
            result = write_pay_findings(data.workspace(), feed, dates)
        for day in map(str, dates):
            metadata = findings_metadata(day, result.open_findings, result.dismissed)
            context.add_asset_metadata(metadata, partition_key=day)
        waiting = {} if result.missing is None else {"waits_for_valid_rows_of": str(result.missing)}
        return dg.MaterializeResult(
            metadata={
                **waiting,
                "evaluated_from": str(result.first),
                "evaluated_to": str(result.last),
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


def findings_metadata(
    day: str, findings: Iterable[PayFinding], dismissed: Iterable[FindingLine]
) -> dict[str, Any]:
    """Return the metadata of a day of work: open and dismissed findings."""
    active = [finding for finding in findings if finding.transaction_date == day]
    closed = [line for line in dismissed if line.finding.transaction_date == day]
    metadata: dict[str, Any] = {"dagster/partition_row_count": len(active)}
    if active:
        metadata["findings"] = counts_table(
            ["finding_id", "row_key", "code", "field", "told", "source"],
            [
                (
                    finding.finding_id,
                    finding.row_key,
                    finding.code,
                    finding.field,
                    finding.told,
                    finding.source,
                )
                for finding in active[:_SHOWN]
            ],
            longest=SENTENCES,
        )
    if closed:
        metadata["dismissed"] = counts_table(
            ["finding_id", "code", "told", "dismissed_at", "who", "why"],
            [
                (line.finding.finding_id, line.finding.code, line.finding.told, line.at, line.who, line.why)
                for line in closed[:_SHOWN]
            ],
            longest=SENTENCES,
        )
    return metadata
