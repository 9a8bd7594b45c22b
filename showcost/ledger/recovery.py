"""Recovery: before every write, make ledger and audit log agree, or stop.

Each transaction of the ledger has a record in the audit log (INTENT, FX_PINNED, FX_REPINNED, DECIDED,
PLANNED, and the records of periods, accruals and fallback steps) and stores that record's number and hash as
its chain head. So log and ledger are compared record by record:

| in the audit log          | chain head in the ledger | action                                         |
|---------------------------|--------------------------|------------------------------------------------|
| recorded, acknowledged    | yes                      | none                                           |
| recorded                  | yes                      | compare with the recorded digest, acknowledge  |
| recorded                  | no                       | write again from the record or its segment     |
| recorded, acknowledged    | no                       | stop: the ledger lost a transaction            |
| missing, or another hash  | yes                      | stop: the log lost records, or was replaced    |

The entries of each batch are counted as well; that detects removed and foreign rows, but not altered rows,
which `showcost verify` finds.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from showcost.audit.transitions import AuditKind, SubjectType, parse
from showcost.core.durable import raise_after_failure
from showcost.core.errors import IntegrityError
from showcost.ledger.accruals import ACCRUALS
from showcost.ledger.append_entries import BATCHES, batches_of_record, date_range
from showcost.ledger.decisions import DECISIONS
from showcost.ledger.digest import batch_hashes
from showcost.ledger.fallback_log import FALLBACK_STEPS
from showcost.ledger.fx_pinning import SNAPSHOTS
from showcost.ledger.fx_repinning import REPINS
from showcost.ledger.periods import PERIODS
from showcost.ledger.plan_lines import PLAN_LINES
from showcost.ledger.recorded_transaction import write_recorded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

    from showcost.audit.log import AuditLog, Record
    from showcost.ledger.recorded_transaction import Writer
    from showcost.ledger.store import Ledger

WRITERS: Final[Mapping[AuditKind, Writer]] = {
    AuditKind.INTENT: BATCHES,
    AuditKind.FX_PINNED: SNAPSHOTS,
    AuditKind.FX_REPINNED: REPINS,
    AuditKind.DECIDED: DECISIONS,
    AuditKind.PERIOD_CLOSED: PERIODS,
    AuditKind.PERIOD_REOPENED: PERIODS,
    AuditKind.ACCRUED: ACCRUALS,
    AuditKind.RELEASED: ACCRUALS,
    AuditKind.PLANNED: PLAN_LINES,
    AuditKind.FALLBACK_APPLIED: FALLBACK_STEPS,
    AuditKind.FALLBACK_RELEASED: FALLBACK_STEPS,
}
"""The writer of each record kind that has a ledger transaction."""


@contextmanager
def writing(ledger: Ledger) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the only connection that may write, as `Ledger.write` does, after recovery.

    Raises IntegrityError, with advice, for differences that no crash can explain.
    """
    raise_after_failure()
    with ledger.write() as connection:
        recover(ledger, connection)
        yield connection


def recover(ledger: Ledger, connection: duckdb.DuckDBPyConnection) -> list[Record]:
    """Finish or repeat unfinished transactions, and return their records (usually none)."""
    chain_heads = _chain_heads(connection)
    recorded = ledger.audit.transactions()
    for seq, record_hash in chain_heads.items():
        if seq not in recorded or recorded[seq].hash != record_hash:
            raise IntegrityError(
                f"{ledger.path}: ledger transaction {seq} ({record_hash}) is missing from the audit log"
                f" {ledger.audit.path}; restore the audit folder from a copy that contains it"
            )
    recovered = []
    for seq, transaction in recorded.items():
        if transaction.acknowledged and seq not in chain_heads:
            raise IntegrityError(
                f"{ledger.path}: record {seq} of the audit log was committed, but its transaction is missing"
                " from the ledger; restore the ledger (with its .wal file) from a copy that contains it"
            )
        unacknowledged = WRITERS[transaction.kind].acknowledge is not None and not transaction.acknowledged
        if seq not in chain_heads or unacknowledged:
            record = next(ledger.audit.records(seq))
            _finish(ledger, connection, record, committed=seq in chain_heads)
            recovered.append(record)
    _refuse_unexplained(ledger, connection)
    return recovered


def _chain_heads(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Return the chain heads of the ledger: number to hash of the record."""
    return dict(connection.execute("SELECT seq, hash FROM chain_heads ORDER BY seq").fetchall())


def _finish(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, record: Record, *, committed: bool
) -> None:
    """Acknowledge a committed transaction, or write an uncommitted one again."""
    writer = WRITERS[record.kind]
    if committed:
        _refuse_altered(ledger, connection, record)
    _note(ledger.audit, record, committed=committed)
    if not committed:
        segment = None if record.segment is None else ledger.audit.segment_path(record.segment)
        write_recorded(ledger, connection, record, segment, writer)
    elif writer.acknowledge is not None:
        writer.acknowledge(ledger.audit, record)


def _note(audit: AuditLog, record: Record, *, committed: bool) -> None:
    audit.append(
        AuditKind.RECOVERED,
        {"record": record.seq, "found": "committed" if committed else "absent"},
        subjects=[parse(text) for text in record.subjects],
    )


def _refuse_altered(ledger: Ledger, connection: duckdb.DuckDBPyConnection, intent: Record) -> None:
    """Raise IntegrityError if an unacknowledged batch does not hash to the digest of its INTENT."""
    batches = batches_of_record(intent)
    hashes = batch_hashes(connection, *date_range(batches))
    for batch in batches:
        if hashes.get((batch.partition_date, batch.batch_id)) != (batch.entries, batch.digest):
            raise IntegrityError(
                f"{ledger.path}: batch {batch.batch_id} of {batch.partition_date} does not match record"
                f" {intent.seq} of the audit log; restore the ledger from a copy"
            )


def _refuse_unexplained(ledger: Ledger, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise IntegrityError if a batch has another number of entries, or is not in the log."""
    rows: list[tuple[str, int | None, int | None]] = connection.execute(_COUNTS).fetchall()
    for batch_id, recorded, stored in rows:
        if recorded != stored:
            raise IntegrityError(
                f"{ledger.path}: batch {batch_id} should have {recorded or 0} entries, but the ledger has"
                f" {stored or 0}; run `showcost verify`, then restore the ledger from a copy"
            )
    in_log = ledger.audit.committed(SubjectType.BATCH)
    in_ledger = {batch_id for batch_id, _, _ in rows}
    if unmatched := sorted(in_ledger ^ in_log):
        place = (
            "ledger, but not in the audit log"
            if unmatched[0] in in_ledger
            else "audit log, but not in the ledger"
        )
        raise IntegrityError(
            f"{ledger.path}: batch {unmatched[0]} is in the {place}; restore both from the same copy"
        )


_COUNTS: Final = """
SELECT batch_id, recorded, stored
FROM (SELECT batch_id, any_value(entry_count) AS recorded FROM batches GROUP BY batch_id)
FULL JOIN (SELECT batch_id, count(*) AS stored FROM ledger_entries GROUP BY batch_id) USING (batch_id)
ORDER BY batch_id
"""
