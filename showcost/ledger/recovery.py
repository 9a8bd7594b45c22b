"""Recovery: at the start of every write, ledger and audit log are made to agree, or the program stops.

Each transaction of the ledger was announced by a record (INTENT, FX_PINNED, DECIDED, those of periods, of
accruals and of the fallback's steps) and carries that record's number and hash as its chain head. So the two
sides can be compared record by record:

| the log says              | the ledger has its head | then                                            |
|---------------------------|-------------------------|-------------------------------------------------|
| announced, acknowledged   | yes                     | nothing is to be done                           |
| announced                 | yes                     | checked against its digest and acknowledged     |
| announced                 | no                      | repeated from the record or its segment         |
| announced, acknowledged   | no                      | stop: the ledger lost what it had               |
| nothing, or another hash  | yes                     | stop: the log lost what it had, or was replaced |

Entries are also counted against their batches; that finds removed and foreign rows, not altered ones,
which is the work of `showcost verify`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from showcost.audit.transitions import AuditKind, SubjectType, parse
from showcost.core.durable import raise_after_failure
from showcost.core.errors import IntegrityError
from showcost.ledger.accruals import ACCRUALS
from showcost.ledger.commit import BATCHES, batches_of_record, dates_of
from showcost.ledger.decisions import DECISIONS
from showcost.ledger.digest import batch_hashes
from showcost.ledger.fallback_log import FALLBACK_STEPS
from showcost.ledger.fx_pinning import SNAPSHOTS
from showcost.ledger.periods import PERIODS
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
    AuditKind.DECIDED: DECISIONS,
    AuditKind.PERIOD_CLOSED: PERIODS,
    AuditKind.PERIOD_REOPENED: PERIODS,
    AuditKind.ACCRUED: ACCRUALS,
    AuditKind.RELEASED: ACCRUALS,
    AuditKind.FALLBACK_APPLIED: FALLBACK_STEPS,
    AuditKind.FALLBACK_RELEASED: FALLBACK_STEPS,
}
"""How each kind of record that has a transaction of the ledger is written."""


@contextmanager
def writing(ledger: Ledger) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the one connection that may write, as `Ledger.write` does, once ledger and log agree.

    Raises IntegrityError, saying what to do, when something is found that no crash can explain.
    """
    raise_after_failure()
    with ledger.write() as connection:
        recover(ledger, connection)
        yield connection


def recover(ledger: Ledger, connection: duckdb.DuckDBPyConnection) -> list[Record]:
    """Finish or repeat what was under way, and return the records of it; nothing to do is the rule."""
    attested = _attested(connection)
    announced = ledger.audit.transactions()
    for seq, found in attested.items():
        if seq not in announced or announced[seq].hash != found:
            raise IntegrityError(
                f"{ledger.path}: it was written by record {seq} of the audit log, {found}, which"
                f" {ledger.audit.path} does not have; restore the audit folder from a copy that has it"
            )
    recovered = []
    for seq, transaction in announced.items():
        if transaction.acknowledged and seq not in attested:
            raise IntegrityError(
                f"{ledger.path}: record {seq} of the audit log was committed, but the ledger does not have"
                " it; restore the ledger (with its .wal file) from a copy that is no older"
            )
        unacknowledged = WRITERS[transaction.kind].acknowledge is not None and not transaction.acknowledged
        if seq not in attested or unacknowledged:
            record = next(ledger.audit.records(seq))
            _settle(ledger, connection, record, committed=seq in attested)
            recovered.append(record)
    _refuse_unexplained(ledger, connection)
    return recovered


def _attested(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Return the chain heads that the ledger has, by number."""
    return dict(connection.execute("SELECT seq, hash FROM chain_heads ORDER BY seq").fetchall())


def _settle(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, record: Record, *, committed: bool
) -> None:
    """Acknowledge a transaction that committed, or write one again that did not."""
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
    """Raise unless the entries of a batch that committed unacknowledged hash to what was announced."""
    batches = batches_of_record(intent)
    found = batch_hashes(connection, *dates_of(batches))
    for batch in batches:
        if found.get((batch.partition_date, batch.batch_id)) != (batch.entries, batch.digest):
            raise IntegrityError(
                f"{ledger.path}: batch {batch.batch_id} of {batch.partition_date} is not what record"
                f" {intent.seq} announced; restore the ledger from a copy"
            )


def _refuse_unexplained(ledger: Ledger, connection: duckdb.DuckDBPyConnection) -> None:
    """Raise if a batch has not the entries that it counts, or is none of the log's."""
    rows: list[tuple[str, int | None, int | None]] = connection.execute(_COUNTS).fetchall()
    for batch_id, recorded, found in rows:
        if recorded != found:
            raise IntegrityError(
                f"{ledger.path}: batch {batch_id} counts {recorded or 0} entries, the ledger has"
                f" {found or 0}; run `showcost verify`, then restore the ledger from a copy"
            )
    known = ledger.audit.committed(SubjectType.BATCH)
    ours = {batch_id for batch_id, _, _ in rows}
    if unknown := sorted(ours ^ known):
        where = (
            "ledger, but not in the audit log" if unknown[0] in ours else "audit log, but not in the ledger"
        )
        raise IntegrityError(
            f"{ledger.path}: batch {unknown[0]} is in the {where}; restore both from the same copy"
        )


_COUNTS: Final = """
SELECT batch_id, recorded, found
FROM (SELECT batch_id, any_value(entry_count) AS recorded FROM batches GROUP BY batch_id)
FULL JOIN (SELECT batch_id, count(*) AS found FROM ledger_entries GROUP BY batch_id) USING (batch_id)
ORDER BY batch_id
"""
