"""Dry run: land and validate one delivery without storing anything.

Checks that need the ledger or other deliveries are left out: rates, and rows that were posted before.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.hashing import sha256_file
from showcost.core.ids import DOCUMENT_SQL
from showcost.ingest.landing import DeliveryContent, inferred_content, origin_of
from showcost.ingest.masking import cells_of_feed
from showcost.pipeline.validation import judged
from showcost.readers.export import write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.ingest.landing import DeliverySummary
    from showcost.readers import Reading
    from showcost.validation.validate import ValidationResult
    from showcost.workspace import Workspace

_CHUNK_ROWS: Final = 100_000
_SHOWN: Final = ("record", "byte_start", "byte_end", "raw", "codes", "reasons")


@dataclass
class DryRun:
    """Result: the summary of landing, and the rows that would be valid, rejected or duplicates.

    `written` is the number of records in the CSV; `codes` counts rejected rows per reason code.
    """

    summary: DeliverySummary
    written: int
    valid: int = 0
    quarantined: int = 0
    duplicate: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: ValidationResult) -> None:
        """Add the counts of a chunk of rows."""
        counts = outcome.counts
        self.valid += counts.valid
        self.quarantined += counts.quarantined
        self.duplicate += counts.duplicate
        self.codes.update(counts.codes)


def dry_run(
    workspace: Workspace, feed: FeedSpec, delivery: Path, reading: Reading, csv: IO[bytes], rejects: IO[bytes]
) -> DryRun:
    """Land and validate a delivery without storing it; exhausts the reading.

    The accepted records go to `csv` as they were read, with national identifiers masked; each record that
    would not be posted goes to `rejects` as a line of JSON, with all its reason codes and reasons.
    """
    origin = origin_of(workspace, sha256_file(delivery), 1, delivery.stat().st_size)
    with inferred_content(feed, reading, origin) as content:
        shown = cells_of_feed(
            *(feed, reading.header, content.summary.columns), numbers=workspace.production.numbers_of_people
        )
        run = DryRun(content.summary, write_csv(reading, csv, content.accepted.batches(), shown))
        same_key_rows = content.records.select(
            f"SELECT {_columns(content)} FROM numbered"  # noqa: S608 - names of our own columns
            f" QUALIFY count(*) OVER (PARTITION BY {DOCUMENT_SQL}) > 1"
        ).read_all()
        day_rows = _whole(content) if feed.kind.has_pay_rules else None
        for rows in _chunks(content):
            outcome = judged(
                workspace,
                feed,
                rows,
                fx_status=None,
                same_key_rows=same_key_rows.cast(rows.schema),
                day_rows=day_rows,
            )
            run.add(outcome)
            _write(outcome.quarantine, rejects)
        return run


def _columns(content: DeliveryContent) -> str:
    return ", ".join(f'"{name}"' for name in content.records.schema.names)


def _whole(content: DeliveryContent) -> pa.Table:
    """Return all records: a person's day may have lines anywhere in the delivery."""
    every = content.records.select(f"SELECT {_columns(content)} FROM numbered").read_all()  # noqa: S608 - names of our own columns
    return every.cast(content.records.schema)


def _chunks(content: DeliveryContent) -> Iterator[pa.Table]:
    """Yield the records in chunks of bounded size, roughly in the order of the delivery."""
    schema = content.records.schema
    batches: list[pa.RecordBatch] = []
    for batch in content.records.select(f"SELECT {_columns(content)} FROM numbered"):  # noqa: S608 - the same
        batches.append(batch.cast(schema))
        if sum(part.num_rows for part in batches) >= _CHUNK_ROWS:
            yield pa.Table.from_batches(batches, schema)
            batches = []
    if batches:
        yield pa.Table.from_batches(batches, schema)


def _write(quarantine: pa.Table, rejects: IO[bytes]) -> None:
    order = pc.sort_indices(quarantine, [("record", "ascending"), ("byte_start", "ascending")])
    for row in quarantine.select(list(_SHOWN)).take(order).to_pylist():
        entry = {
            "record": row["record"],
            "start": row["byte_start"],
            "end": row["byte_end"],
            "code": row["codes"][0],
            "codes": row["codes"],
            "reasons": json.loads(row["reasons"]),
            "raw": row["raw"].removesuffix("\n").removesuffix("\r"),
        }
        rejects.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
