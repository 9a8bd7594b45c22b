"""Metadata of a partition's outcome: valid rows, queue rows and ledger entries.

Everyone who can open the UI can read metadata: ids, codes, positions and masked reasons, no raw text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from showcost.components.metadata import SENTENCES, counts_table, preview
from showcost.core.ids import row_id
from showcost.core.reason_catalogue import CATALOGUE
from showcost.pay.checker import PAY_UNCHECKED, unchecked_codes
from showcost.reconciliation.queue import RowState
from showcost.staging.assets import quarantine_asset, valid_asset
from showcost.validation.decisions import WITHHELD

if TYPE_CHECKING:
    import dagster as dg

    from showcost.config.feed import FeedSpec
    from showcost.pipeline.posting import PostedDay, RecordedDay
    from showcost.pipeline.validation import DayCounts
    from showcost.staging import StagingStore

_ROWS_SHOWN: Final = 20
_ID_SHOWN: Final = 12


def valid_metadata(store: StagingStore, feed: FeedSpec, key: str, counts: DayCounts) -> dict[str, Any]:
    """Return the metadata of a partition's valid rows."""
    metadata: dict[str, Any] = {"dagster/partition_row_count": counts.valid}
    if counts.valid:
        columns = [feed.date_field, "document_no", "account", "currency", "description", "flags"]
        rows = store.read(valid_asset(feed.name), key)
        metadata["preview"] = preview(rows, columns)
        if feed.kind.has_pay_rules and PAY_UNCHECKED in rows.column_names:
            metadata |= unchecked_metadata(rows)
    return metadata


def unchecked_metadata(rows: pa.Table) -> dict[str, Any]:
    """Return how many rows have a pay rule that could not be applied, in all and per rule."""
    unchecked = unchecked_codes(rows.column(PAY_UNCHECKED))
    metadata: dict[str, Any] = {"rows_with_rules_not_checked": unchecked.pop("rows", 0)}
    if unchecked:
        metadata["rules_not_checked"] = counts_table(
            ["code", "rows", "meaning"],
            [(code, number, CATALOGUE[code].meaning) for code, number in sorted(unchecked.items())],
        )
    return metadata


def quarantine_metadata(store: StagingStore, feed: FeedSpec, key: str, counts: DayCounts) -> dict[str, Any]:
    """Return the metadata of a partition's rows that are not posted."""
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": counts.not_posted,
        "quarantined": counts.quarantined,
        "duplicate": counts.duplicate,
        "pending": counts.pending,
        "discarded": counts.discarded,
    }
    if counts.unsettled:
        metadata["reasons"] = reasons_table(counts)
        metadata["rows"] = queue_table(feed, store.read(quarantine_asset(feed.name), key))
    return metadata


def queue_table(feed: FeedSpec, rows: pa.Table) -> dg.TableMetadataValue:
    """Return the first rows to work on, a line per reason, with the ids that `showcost queue` takes.

    Discarded rows are left out. Personal data is masked in the reasons.
    """
    unsettled = pa.array(
        [WITHHELD not in (codes or ()) for codes in rows.column("codes").to_pylist()], pa.bool_()
    )
    first_rows = (
        rows.select(["delivery", "arrival", "record", "disposition", "reasons"])
        .filter(unsettled)
        .slice(0, _ROWS_SHOWN)
    )
    lines = [
        (
            row_id(feed.name, row["delivery"], row["record"])[:_ID_SHOWN],
            RowState.OPEN.value if row["disposition"] == "quarantined" else row["disposition"],
            reason.get("code"),
            row["arrival"],
            row["record"],
            *(reason.get(name) for name in ("field", "observed", "expected", "source")),
        )
        for row in first_rows.to_pylist()
        for reason in json.loads(row["reasons"])
    ]
    names = ["id", "state", "code", "arrival", "record", "field", "observed", "expected", "source"]
    return counts_table(names, lines, longest=SENTENCES)


def reasons_table(counts: DayCounts) -> dg.TableMetadataValue:
    """Return the reason codes of a partition's rows to work on, with row counts and the action to take."""
    return counts_table(
        ["code", "rows", "meaning", "what_to_do"],
        [
            (code, rows, CATALOGUE[code].meaning, CATALOGUE[code].action)
            for code, rows in sorted(counts.codes.items())
        ],
    )


def recorded_metadata(day: RecordedDay) -> dict[str, Any]:
    """Return the metadata of a feed's plan lines of a date."""
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": day.lines,
        "withdrawn": day.withdrawn,
        "recorded_now": day.appended,
    }
    if day.totals:
        metadata["totals"] = counts_table(["currency", "lines", "amount"], day.totals)
    if day.largest:
        metadata["largest_lines"] = counts_table(
            ["trace", "document", "account", "amount", "currency"],
            [(f"showcost trace {line[:_ID_SHOWN]}", *rest) for line, *rest in day.largest],
        )
    return metadata


def posted_metadata(day: PostedDay) -> dict[str, Any]:
    """Return the metadata of a feed's entries of a date, with the commands that trace the largest ones."""
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": day.entries,
        "appended_now": day.appended,
        "digest": day.digest,
    }
    if day.totals:
        metadata["totals"] = counts_table(["currency", "amount", f"base_{day.base_currency}"], day.totals)
    if day.largest:
        metadata["largest_entries"] = counts_table(
            ["trace", "kind", "document", "account", "amount", "currency", f"base_{day.base_currency}"],
            [(f"showcost trace {entry[:_ID_SHOWN]}", *rest) for entry, *rest in day.largest],
        )
    return metadata
