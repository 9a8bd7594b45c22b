"""The reading of an e-invoice: its rows as records, or one rejection that names the rule it breaks."""

from __future__ import annotations

from decimal import localcontext
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.core.money import EXACT_DIGITS
from showcost.readers.model import CONTROL_TOTAL, RECORD_SCHEMA, Dialect, RecordCounts, Rejected
from showcost.readers.reading import Reading
from showcost.readers.ubl.document import Document, read_document
from showcost.readers.ubl.markup import parse
from showcost.readers.ubl.rows import COLUMNS, Row, rows_of
from showcost.readers.ubl.rules import broken_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.readers.model import Limits

_SHOWN: Final = 5


class TotalsDifferError(Exception):
    """A document does not add up; the error names each broken rule."""


def read_rows(data: bytes, encoding: str | None = None) -> list[Row]:
    """Return the rows of one invoice or credit note.

    `encoding` overrules its XML declaration. Raises UnreadableError for any other content,
    TotalsDifferError when it does not add up.
    """
    return _checked(read_document(parse(data, encoding)))


def check_document(data: bytes) -> None:
    """Raise UnreadableError unless `data` is an invoice or credit note; its sums are not checked."""
    read_document(parse(data))


def _checked(document: Document) -> list[Row]:
    with localcontext(prec=EXACT_DIGITS):
        broken = broken_rules(document)
        if broken:
            more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
            raise TotalsDifferError("; ".join(map(str, broken[:_SHOWN])) + more)
        return rows_of(document)


def no_documents() -> Reading:
    """Return the reading of an API page without a document."""
    reading = Reading(_dialect("no document"), COLUMNS)
    reading.finished = True
    return reading


def _dialect(sort: str) -> Dialect:
    return Dialect(
        "utf-8",
        encoding_sure=True,
        delimiter="",
        quote="",
        escape="",
        columns=COLUMNS,
        assumptions=(f"an e-invoice (UBL 2.1): {sort}",),
    )


class UblReading(Reading):
    """The reading of one invoice or credit note."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Parse the document; UnreadableError for any other content."""
        document = read_document(parse(data))
        kind = "credit note" if document.is_credit_note else "invoice"
        super().__init__(_dialect(f"a {kind} of type {document.type_code or 'unknown'}"), COLUMNS)
        self._rows: list[Row] = []
        try:
            self._rows = _checked(document)
        except TotalsDifferError as error:
            raw = data[: limits.rejected_raw_bytes]
            self.rejected.add(Rejected(0, 0, len(data), CONTROL_TOTAL, str(error), raw))
        self.counts = RecordCounts(accepted=len(self._rows), rejected=len(self.rejected), bytes=len(data))
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
