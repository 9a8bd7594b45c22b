"""The reading of a bank statement as a delivery: each line a record, with the columns below.

A debit of the account, what the production paid, is a positive amount; a credit is negative.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.readers.model import CONTROL_TOTAL, RECORD_SCHEMA, Dialect, RecordCounts, Rejected
from showcost.readers.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from showcost.readers.model import Limits
    from showcost.readers.statements.model import AccountStatement, StatementLine

COLUMNS: Final = (
    *("entry", "account", "statement", "line", "booked_on", "currency", "amount", "party", "reference"),
    "text",
)
"""The columns of the records of a statement, which a feed maps to its fields by `headers`; `entry` joins
account, statement and line, and is unique."""


class StatementReading(Reading):
    """The reading of the statements of one file."""

    def __init__(
        self, statements: Sequence[AccountStatement], data: bytes, kind: str, limits: Limits
    ) -> None:
        """Check that each statement adds up; one that does not rejects the whole file (SC-FIL-003)."""
        kind = f"a bank statement ({kind})"
        super().__init__(
            Dialect("utf-8", encoding_sure=True, delimiter="", quote="", escape="", assumptions=(kind,)),
            COLUMNS,
        )
        self._size = len(data)
        self._lines = [(statement, line) for statement in statements for line in statement.lines]
        self.notes += [note for statement in statements for note in statement.notes]
        wrong = [statement for statement in statements if statement.difference]
        for statement in wrong[:1]:
            why = (
                f"{statement.name}: opening balance and lines differ from the closing balance by"
                f" {statement.difference:f} {statement.currency}"
            )
            raw = data[: limits.rejected_raw_bytes]
            self.rejected.add(Rejected(0, 0, len(data), CONTROL_TOTAL, why, raw))
            self._lines = []
        self.counts = RecordCounts(accepted=len(self._lines), rejected=len(self.rejected), bytes=self._size)
        self._batches = self._read()

    def _read(self) -> Iterator[pa.RecordBatch]:
        if self._lines:
            cells = [_cells(statement, line) for statement, line in self._lines]
            yield pa.RecordBatch.from_pydict(
                {
                    "record": list(range(1, len(cells) + 1)),
                    "byte_start": [0] * len(cells),
                    "byte_end": [self._size] * len(cells),
                    "raw": [_raw(row) for row in cells],
                    "cells": cells,
                },
                schema=RECORD_SCHEMA,
            )
        self.finished = True


def _cells(statement: AccountStatement, line: StatementLine) -> list[str]:
    reference = line.references[0] if line.references else ""
    entry = f"{statement.account}/{statement.name}/{line.number}"
    return [
        *(entry, statement.account, statement.name, str(line.number), line.dated.isoformat(), line.currency),
        *(f"{line.owed:f}", line.party, reference, " ".join(line.texts)),
    ]


def _raw(cells: Sequence[str]) -> str:
    return json.dumps(dict(zip(COLUMNS, cells, strict=True)), ensure_ascii=False)
