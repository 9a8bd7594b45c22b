"""Trace of one row: from its bytes in the delivery to its entries and later reversals.

The only place that returns the raw text of a row, for the id given on the command line. Raw text never goes
into logs or metadata. Personal fields are masked in it and in decisions; the delivery itself keeps them. A
record that the reader rejected has no fields, so its raw text is masked for national identifiers only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.audit import transitions as states
from showcost.config.feeds import choose_feed
from showcost.core.national_ids import masked_values
from showcost.core.reason_catalogue import CATALOGUE
from showcost.ingest.records import records_schema
from showcost.pipeline.periods import current_production
from showcost.pipeline.raw_rows import chosen_records
from showcost.reports.personal_text import corrected_fields, without_personal
from showcost.staging import ALL
from showcost.staging.assets import quarantine_asset, undated_asset
from showcost.validation.reference import FX_STATUS, Reference
from showcost.validation.rules import rules_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.reconciliation.lookup import FoundRow
    from showcost.workspace import Workspace

_ENTRY_FACTS: Final = (
    *("entry_id", "entry_kind", "generation", "reverses", "component", "account", "transaction_date"),
    *("amount", "currency", "base_amount", "base_currency", "rate", "eur_rate_original", "eur_rate_base"),
    *("rate_date", "snapshot_id", "fx_policy", "flags", "batch_id", "run_id", "posted_at"),
)


def trace_row(workspace: Workspace, row: FoundRow, as_of: int | None = None) -> dict[str, Any]:
    """Return all stored facts about a row, after the audit record `as_of`, or now.

    `row` is as of the same record. Observed values of reasons are in the present trace only: the audit log,
    which has the past, stores reason codes and no text of a row.
    """
    feed = choose_feed(workspace.feeds, row.place.feed)
    as_delivered = records_schema(feed).empty_table()
    (record,) = chosen_records(
        workspace, feed, [(row.place.delivery, row.place.record)], as_delivered
    ).to_pylist()
    reasons = _staged_reasons(workspace, row) if as_of is None else _recorded_reasons(row)
    facts = {
        "id": row.row_id,
        "feed": feed.name,
        "partition": row.partition,
        "outcome": row.disposition,
        "codes": row.codes,
        "delivery": _arrival(workspace, row),
        "place": {name: record[name] for name in ("record", "byte_start", "byte_end", "ordinal", "row_key")},
        "raw": without_personal(feed, str(record["raw"]), record),
        "reasons": [dict(zip(_REASON, reason, strict=True)) for reason in reasons],
        "decisions": _decisions(workspace, feed, row, as_of),
        "rules": rules_of_feed(workspace, feed, as_of),
        "entries": [
            {name: entry[name] for name in _ENTRY_FACTS} | {"audit_record": entry["seq"]}
            for entry in row.entries
        ],
        "snapshots": _snapshots(workspace, row),
        "audit_records": _records(workspace, row, as_of),
    }
    return {name: masked_values(fact) for name, fact in facts.items()}


_REASON: Final = ("code", "field", "observed", "expected", "source")


def _staged_reasons(workspace: Workspace, row: FoundRow) -> list[tuple[str, ...]]:
    """Return the staged reasons of a row: code, field, observed, expected and source each."""
    store = workspace.staging
    asset = undated_asset(row.place.feed) if row.partition == ALL else quarantine_asset(row.place.feed)
    if store.metadata(asset, row.partition) is None:
        return []
    rows = store.read(asset, row.partition)
    matching = rows.filter(
        pc.and_(
            pc.equal(rows.column("delivery"), pa.scalar(row.place.delivery)),
            pc.equal(rows.column("record"), pa.scalar(row.place.record)),
        )
    )
    return [
        tuple(str(reason.get(name) or "") for name in _REASON)
        for text in matching.column("reasons").to_pylist()
        for reason in json.loads(text)
    ]


def _recorded_reasons(row: FoundRow) -> list[tuple[str, ...]]:
    return [(code, "", "", CATALOGUE[code].meaning, "") for code in row.codes]


def _arrival(workspace: Workspace, row: FoundRow) -> dict[str, Any]:
    arrivals = workspace.register.deliveries(row.place.feed)
    arrival = next(arrival for arrival in arrivals if arrival.delivery == row.place.delivery)
    return {
        "sha256": arrival.delivery,
        "arrival": arrival.number,
        "name": arrival.name,
        "size": arrival.size,
        "received_at": arrival.received_at,
    }


def _decisions(
    workspace: Workspace, feed: FeedSpec, row: FoundRow, as_of: int | None
) -> list[dict[str, Any]]:
    """Return the decisions on a row, in order; corrected texts of personal fields are masked."""
    ledger = workspace.ledger
    with ledger.read() as connection:
        decisions: list[dict[str, Any]] = (
            connection.sql(_DECISIONS, params={"row_id": row.row_id, "as_of": as_of})
            .to_arrow_table()
            .to_pylist()
        )
    return [
        decision | {"fields": corrected_fields(feed, json.loads(decision["fields"]))}
        for decision in decisions
    ]


def rules_of_feed(workspace: Workspace, feed: FeedSpec, as_of: int | None) -> list[dict[str, str]]:
    """Return the rules that apply to the rows of a feed, with the source of each."""
    rates = None if feed.kind.is_plan else FX_STATUS.empty_table()
    reference = Reference(feed, current_production(workspace, as_of), workspace.chart, rates)
    return [
        {
            "code": rule.code,
            "field": rule.field,
            "expected": rule.expected if isinstance(rule.expected, str) else "depends on the row",
            "source": rule.source if isinstance(rule.source, str) else "depends on the row",
        }
        for rule in rules_for(reference)
    ]


def _snapshots(workspace: Workspace, row: FoundRow) -> list[dict[str, Any]]:
    names = sorted({entry["snapshot_id"] for entry in row.entries if entry["snapshot_id"] is not None})
    if not names:
        return []
    with workspace.ledger.read() as connection:
        snapshots: list[dict[str, Any]] = (
            connection.sql(_SNAPSHOTS, params={"names": names}).to_arrow_table().to_pylist()
        )
    return snapshots


def _records(workspace: Workspace, row: FoundRow, as_of: int | None) -> list[dict[str, Any]]:
    """Return the audit records about a row, its delivery, partitions, batches, plan lines and snapshots."""
    days: Sequence[object] = sorted(
        {row.partition, *(str(entry["transaction_date"]) for entry in row.entries)}
    )
    subjects = {
        str(states.row(row.row_id)),
        str(states.delivery(row.place.delivery)),
        *(str(states.partition(row.place.feed, day)) for day in days),
        *(str(states.batch(entry["batch_id"])) for entry in row.entries if entry["batch_id"]),
        *(str(states.snapshot(entry["transaction_date"])) for entry in row.entries if entry["snapshot_id"]),
    }
    of_lines = {entry["seq"] for entry in row.entries if entry["batch_id"] is None}
    return [
        {"seq": record.seq, "at": record.at, "kind": record.kind.value, "hash": record.hash}
        for record in workspace.audit.records()
        if (record.seq in of_lines or subjects.intersection(record.subjects))
        and (as_of is None or record.seq <= as_of)
    ]


def reversed_by(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return, per reversed entry, the id of its reversal."""
    return {entry["reverses"]: entry["entry_id"] for entry in entries if entry["reverses"]}


_DECISIONS: Final = """
SELECT seq, decided_at, decision, fields, codes, who, why FROM row_decisions
WHERE row_id = $row_id AND (CAST($as_of AS BIGINT) IS NULL OR seq <= $as_of) ORDER BY seq, number
"""

_SNAPSHOTS: Final = """
SELECT snapshot_id, snapshot_date, hash, source, source_sha256, carry_days, pinned_at
FROM fx_snapshots WHERE list_contains($names, snapshot_id) ORDER BY snapshot_id
"""
