"""Sorting of rows by date on disk, for any order and batches."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from showcost.ingest import ordering

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema(
    [
        ("record", pa.int64()),
        ("byte_start", pa.int64()),
        ("transaction_date", pa.date32()),
        ("raw", pa.string()),
    ]
)


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_ordered_by_date_and_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(ordering, "BUCKET_ROWS", 16)
    pick = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    days = [None, *(date(2025, 1, 1) + timedelta(pick.choice((0, 0, 0, 1, 2, 9))) for _ in range(9))]
    rows = [(number, 10 * number, pick.choice(days), str(number)) for number in range(1, 300)]
    pick.shuffle(rows)
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=SCHEMA)
    dates = Counter(row[2] for row in rows if row[2] is not None)
    batches = table.to_batches(max_chunksize=pick.choice((1, 7, 64, 1000)))
    ordered = list(ordering.by_date(batches, SCHEMA, dates, tmp_path / "ordered"))
    assert max(batch.num_rows for batch in ordered) <= 32
    expected = sorted(rows, key=lambda row: (row[2] or date.max, row[0]))
    assert [tuple(row.values()) for batch in ordered for row in batch.to_pylist()] == expected


def test_no_rows_yield_no_rows(tmp_path: Path) -> None:
    assert list(ordering.by_date([], SCHEMA, {}, tmp_path / "ordered")) == []
