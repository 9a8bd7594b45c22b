"""Recorded transactions: the protocol of every write to the ledger.

    1. the rows of the transaction, if it has any, as a segment of the audit log, durable
    2. the audit record, durable
    3. one database transaction: write the rows of the record, and the record's number and hash as the chain
       head; commit
    4. an acknowledging record, for the kinds that have one, durable

Each record kind has a `Writer`, for the first write and for a repeated write after a crash; `recovery` has
the table of them. With the chain heads, recovery finds unfinished transactions, and verification checks that
ledger and audit log belong together. The callers decide what is written, and when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from showcost.core.durable import transaction
from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from showcost.audit.log import AuditLog, Fact, Record
    from showcost.audit.transitions import AuditKind, Subject
    from showcost.ledger.store import Ledger


@dataclass(frozen=True)
class NewRecord:
    """An audit record to be written: `rows` are a table, or a function that writes them to a path."""

    kind: AuditKind
    facts: Mapping[str, Fact]
    subjects: Iterable[Subject]
    needs: Iterable[Subject] = ()
    rows: pa.Table | Callable[[Path], object] | None = None


@dataclass(frozen=True)
class Writer:
    """The functions that write one kind of record to the ledger.

    `write` is called in the transaction, with the connection, the record and the file of its segment (None
    for a record without a segment); an error rolls the transaction back. `acknowledge` writes the record that
    follows the commit, for kinds that have one.
    """

    write: Callable[[duckdb.DuckDBPyConnection, Record, Path | None], None]
    acknowledge: Callable[[AuditLog, Record], object] | None = None


def record_and_write(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, new: NewRecord, writer: Writer
) -> Record:
    """Record a transaction, write it, and return its record.

    The connection is that of `recovery.writing`.
    """
    record = append_record(ledger.audit, new)
    segment = None if record.segment is None else ledger.audit.segments / record.segment.name
    write_recorded(ledger, connection, record, segment, writer)
    return record


def append_record(audit: AuditLog, new: NewRecord) -> Record:
    """Append a record to the audit log, its rows first, and return it once both are durable."""
    segment = None if new.rows is None else audit.store_segment(new.kind, new.rows)
    return audit.append(new.kind, new.facts, subjects=new.subjects, needs=new.needs, segment=segment)


def write_recorded(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    record: Record,
    segment: Path | None,
    writer: Writer,
) -> None:
    """Write a record in one transaction that stores its hash, and acknowledge it."""
    with transaction(connection, ledger.path):
        writer.write(connection, record, segment)
        attest(connection, record)
    if writer.acknowledge is not None:
        writer.acknowledge(ledger.audit, record)


def attest(connection: duckdb.DuckDBPyConnection, record: Record) -> None:
    """Store the number and hash of a record as chain head, in the current transaction."""
    connection.execute(
        "INSERT INTO chain_heads VALUES ($seq, $hash, $kind)",
        {"seq": record.seq, "hash": record.hash, "kind": record.kind.value},
    )


def segment_parameter(record: Record, segment: Path | None) -> dict[str, str]:
    """Return the file of a record's segment as the parameter `path`; IntegrityError without a segment."""
    if segment is None:
        raise IntegrityError(f"audit log: record {record.seq} has no segment to write from")
    return {"path": str(segment)}
