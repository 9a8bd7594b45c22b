"""The reading of an e-invoice: its rows as records, or one rejection that names the rule it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.ingest.readers.model import RECORD_SCHEMA, Counts, Dialect, Rejected
from showcost.ingest.readers.reading import Reading
from showcost.ingest.readers.ubl.document import read_document
from showcost.ingest.readers.ubl.markup import looks_like_ubl, parse
from showcost.ingest.readers.ubl.rows import COLUMNS, rows_of
from showcost.ingest.readers.ubl.rules import broken_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.ingest.readers.model import Limits

__all__ = ["TOTALS_DIFFER", "UblReading", "looks_like_ubl"]

TOTALS_DIFFER: Final = "SC-FIL-003"
_SHOWN: Final = 5


class UblReading(Reading):
    """The reading of one invoice or credit note."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Parse the document; UnreadableError when it is none."""
        document = read_document(parse(data))
        kind = "credit note" if document.is_credit_note else "invoice"
        super().__init__(
            Dialect(
                "utf-8",
                encoding_sure=True,
                delimiter="",
                quote="",
                escape="",
                columns=COLUMNS,
                assumptions=(f"an e-invoice (UBL 2.1): a {kind} of type {document.type_code or 'unknown'}",),
            ),
            COLUMNS,
        )
        self._rows = rows_of(document)
        broken = broken_rules(document)
        if broken:
            shown = "; ".join(map(str, broken[:_SHOWN]))
            more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
            raw = data[: limits.rejected_raw_bytes]
            self.rejected.add(Rejected(0, 0, len(data), TOTALS_DIFFER, shown + more, raw))
            self._rows = []
        self.counts = Counts(accepted=len(self._rows), rejected=len(self.rejected), bytes=len(data))
        self._batches = self._read()

    def _read(self) -> Iterator[pa.RecordBatch]:
        if self._rows:
            yield pa.RecordBatch.from_pydict(
                {
                    "record": list(range(1, len(self._rows) + 1)),
                    "byte_start": [row.place[0] for row in self._rows],
                    "byte_end": [row.place[1] for row in self._rows],
                    "raw": [row.raw for row in self._rows],
                    "cells": [list(row.cells) for row in self._rows],
                },
                schema=RECORD_SCHEMA,
            )
        self.finished = True
