"""Loading a file with the reader into plain values, for the tests that compare tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.readers import Hints, read_delivery
from showcost_tests.readers.measures import Table

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.readers import Rejected


def load(path: Path) -> tuple[Table, list[str], list[Rejected]]:
    """Return the table, the raw texts of the rejected records, and those records, as `parse` shows them."""
    with read_delivery(path, hints=Hints(totals_are_rows=True, as_written=True)) as reading:
        rows = tuple(tuple(cells) for batch in reading.records for cells in batch.column("cells").to_pylist())
        encoding = reading.dialect.encoding or "latin-1"
        rejected = list(reading.rejected)
        return Table(reading.header, rows), [r.raw.decode(encoding, "replace") for r in rejected], rejected
