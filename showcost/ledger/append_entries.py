"""Appending: the only function that appends entries to the ledger, and its protocol.

    1. the entries as a segment of the audit log, durable
    2. INTENT: batches with counts, totals and digests, snapshots, head of the chain, durable
    3. one transaction: insert the entries of the segment, and the INTENT's number and hash as chain head;
       recompute counts, sums and digests from the ledger, compare with the INTENT; commit
    4. COMMITTED, durable

This is the protocol of `recorded_transaction`. After a crash between any two steps, `recovery` tells them
apart: without an INTENT, nothing happened; an INTENT whose chain head is missing from the ledger is written
again from its segment; an INTENT whose chain head is in the ledger is acknowledged.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.log import CONFIGURATION
from showcost.audit.transitions import AuditKind
from showcost.core.clock import utc_timestamp
from showcost.core.errors import IntegrityError
from showcost.fx.pinned_snapshots import IDENTITY
from showcost.ledger.batches import Batch, batch_table, batches_of, from_facts
from showcost.ledger.recorded_transaction import NewRecord, Writer, record_and_write, segment_parameter
from showcost.ledger.schema import ENTRY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import duckdb

    from showcost.audit.log import AuditLog, Record
    from showcost.audit.transitions import Subject
    from showcost.ledger.store import Ledger


def commit_entries(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    new_entries: str,
    *,
    run_id: str,
    now: datetime,
    configuration: str | None = None,
) -> list[Batch]:
    """Append entries of one feed as a batch per date, by the protocol, and return the batches.

    `new_entries` is the SQL after FROM that yields the content columns and `arrival`; the connection is that
    of `recovery.writing`. Each partition must have been validated, or a correction recorded for it, and the
    snapshots of the dates be pinned. `configuration` is the id of the recorded configuration, if there is
    one. Raises IntegrityError, and nothing is committed, if the entries in the ledger after the insert differ
    from those to be appended.
    """
    batches = batches_of(connection, new_entries)
    if not batches:
        return []
    posted_at = utc_timestamp(now)
    intent = NewRecord(
        AuditKind.INTENT,
        {
            "run_id": run_id,
            "posted_at": posted_at.isoformat(timespec="microseconds"),
            CONFIGURATION: configuration,
            "batches": [batch.as_facts() for batch in batches],
        },
        subjects=_subjects(batches),
        needs=[states.snapshot(day) for day in _converted_on(batches)],
        rows=partial(_copy_entries, connection, new_entries, batches),
    )
    record_and_write(ledger, connection, intent, BATCHES)
    return batches


def _converted_on(batches: Sequence[Batch]) -> list[date]:
    """Return the dates of which a rate was used; the base currency needs none."""
    return sorted({batch.partition_date for batch in batches if set(batch.snapshot_ids) - {IDENTITY}})


def _copy_entries(
    connection: duckdb.DuckDBPyConnection, new_entries: str, batches: Sequence[Batch], path: Path
) -> None:
    connection.register("posting_batch_ids", _batch_ids(batches))
    try:
        connection.execute(_COPY.format(new_entries=new_entries), {"path": str(path)})
    finally:
        connection.unregister("posting_batch_ids")


def _write(connection: duckdb.DuckDBPyConnection, intent: Record, segment: Path | None) -> None:
    """Insert the entries of an INTENT's segment and compare them with the INTENT."""
    facts: Mapping[str, Any] = intent.facts
    batches = batches_of_record(intent)
    table = batch_table(batches, facts["run_id"], datetime.fromisoformat(facts["posted_at"]), intent.seq)
    # Unregistered only on success: a statement after a failed one would hide its error, and the rollback
    # drops the view.
    connection.register("posting_batches", table)
    connection.execute(_INSERT_ENTRIES, segment_parameter(intent, segment))
    connection.execute(_INSERT_BATCHES)
    _compare(connection, batches)
    connection.unregister("posting_batches")


def acknowledge(audit: AuditLog, intent: Record) -> Record:
    """Record that the transaction of an INTENT has committed."""
    batches = batches_of_record(intent)
    return audit.append(
        AuditKind.COMMITTED,
        {
            "intent": intent.seq,
            "batches": len(batches),
            "entries": sum(batch.entries for batch in batches),
        },
        subjects=_subjects(batches),
    )


BATCHES: Final = Writer(_write, acknowledge)
"""Writes INTENT, and COMMITTED after it."""


def batches_of_record(intent: Record) -> list[Batch]:
    """Return the batches of an INTENT."""
    facts: Mapping[str, Any] = intent.facts
    return [from_facts(batch) for batch in facts["batches"]]


def _batch_ids(batches: Sequence[Batch]) -> pa.Table:
    return pa.table(
        {
            "batch_id": [batch.batch_id for batch in batches],
            "transaction_date": [batch.partition_date for batch in batches],
        }
    )


def _compare(connection: duckdb.DuckDBPyConnection, batches: Sequence[Batch]) -> None:
    appended = batches_of(connection, _APPENDED)
    if appended != list(batches):
        raise IntegrityError(
            f"{batches[0].feed}, from {batches[0].partition_date}: the entries written to the ledger differ"
            " from those to be posted; nothing was committed"
        )


def _subjects(batches: Sequence[Batch]) -> list[Subject]:
    return [
        *(states.partition(batch.feed, batch.partition_date) for batch in batches),
        *(states.batch(batch.batch_id) for batch in batches),
    ]


def date_range(batches: Sequence[Batch]) -> tuple[date, date]:
    """Return the first and last transaction date of batches."""
    days = [batch.partition_date for batch in batches]
    return min(days), max(days)


_NAMES: Final = ", ".join(column.name for column in ENTRY_COLUMNS if column.name != "batch_id")

_COPY: Final = f"""
COPY (
    SELECT batch_id, {_NAMES}
    FROM (FROM {{new_entries}})
    JOIN posting_batch_ids USING (transaction_date)
) TO $path (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)
"""

# A segment from before the columns of line version 2 lacks them: BY NAME gives each its default.
_INSERT_ENTRIES: Final = "INSERT INTO ledger_entries BY NAME FROM read_parquet($path)"

_INSERT_BATCHES: Final = "INSERT INTO batches BY NAME FROM posting_batches"

_APPENDED: Final = "(FROM ledger_entries SEMI JOIN posting_batches USING (batch_id))"
