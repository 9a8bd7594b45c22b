"""Audit records of landing: the arrival of a delivery, and every record read from it.

The log and its segments contain places, keys and hashes of records, not their text. The text is in the
payload alone, so that a payload can be shredded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from showcost.audit import transitions as states
from showcost.audit.log import FILES
from showcost.audit.transitions import AuditKind
from showcost.core.hashing import SHORT, sha256_framed
from showcost.staging.parquet import write_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from showcost.audit.log import AuditLog, Fact
    from showcost.deliveries.register import Arrival
    from showcost.ingest.delivery_records import DeliveryRecords

_PLACES: Final = ("record", "byte_start", "byte_end", "ordinal", "row_key", "transaction_date", "read_code")
_NOT_HASHED: Final = frozenset({"delivery", "arrival"})


def arrival_hash(arrival: Arrival) -> str:
    """Return the hash that attests a line of the register; the log does not contain the file name."""
    return sha256_framed(
        [
            arrival.number,
            arrival.feed,
            arrival.delivery,
            arrival.size,
            arrival.name,
            arrival.modified_ns,
            arrival.received_at,
            int(arrival.again),
        ]
    )


def record_received(audit: AuditLog, arrival: Arrival, page_hash: str | None = None) -> None:
    """Record the arrival of a delivery, before it is in the register.

    `page_hash` is the sha256 of the line of pull progress, for the page of a vendor's API.
    """
    facts: dict[str, Fact] = {
        "feed": arrival.feed,
        "arrival": arrival.number,
        "delivery": arrival.delivery,
        "size": arrival.size,
        "again": arrival.again,
        "arrival_hash": arrival_hash(arrival),
    }
    if page_hash is not None:
        facts[PAGE_HASH] = page_hash
    audit.append(AuditKind.DELIVERY_RECEIVED, facts, subjects=[states.delivery(arrival.delivery)])


PAGE_HASH: Final = "page_hash"
"""The fact with the sha256 of a line of pull progress."""


def record_read(
    audit: AuditLog,
    arrival: Arrival,
    records: DeliveryRecords,
    fingerprint: str,
    files: Mapping[str, Sequence[str]],
) -> None:
    """Record the result of reading a delivery, each record with its place, key and hash.

    `files` are the sha256 of the staged records, by asset.
    """
    segment = audit.store_segment(
        AuditKind.RECORDS_READ,
        lambda path: write_parquet(record_hashes(records), path, compression_level=1),
    )
    audit.append(
        AuditKind.RECORDS_READ,
        {
            "feed": arrival.feed,
            "delivery": arrival.delivery,
            "arrival": arrival.number,
            "received": records.rows,
            "undated": records.undated,
            "unreadable": records.unreadable,
            "fingerprint": fingerprint,
            FILES: files,
        },
        subjects=[states.delivery(arrival.delivery)],
        segment=segment,
    )


def record_hashes(records: DeliveryRecords) -> pa.RecordBatchReader:
    """Return place, key and hash (over text and typed values) of each record, in order."""
    hashed = ", ".join(f'"{name}"' for name in records.schema.names if name not in _NOT_HASHED)
    return records.select(
        f"SELECT {', '.join(_PLACES)}, sha256(CAST(json_array({hashed}) AS VARCHAR))[:{SHORT}] AS hash"  # noqa: S608 - names of our own columns
        " FROM numbered ORDER BY record, byte_start"
    )
