"""Time the reading of dates and amounts: `python scripts/bench_values.py [ROWS]`.

Prints the best of three for columns that repeat their texts and for columns in which every text differs.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import duckdb

from showcost.values.amounts import infer_amounts
from showcost.values.dates import infer_dates, infer_timestamps

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    Settle = Callable[[pa.ChunkedArray], object]

COLUMNS: dict[str, tuple[Settle, str]] = {
    "dates, 3,650 days": (infer_dates, "strftime(DATE '2010-01-01' + (i % 3650)::INT, '%d/%m/%Y')"),
    "dates with a time, all differ": (
        infer_dates,
        "strftime(TIMESTAMP '2010-01-01' + to_seconds(i * 200), '%Y-%m-%dT%H:%M:%S')",
    ),
    "timestamps, all differ": (
        infer_timestamps,
        "strftime(TIMESTAMP '2010-01-01' + to_seconds(i * 200), '%Y-%m-%d %H:%M:%S')",
    ),
    "dates, all unreadable and different": (infer_dates, "'nonsense ' || i"),
    "amounts, plain, 100,000 texts": (infer_amounts, "format('{}.{:02d}', hash(i) % 1000, i % 100)"),
    "amounts, grouped with a symbol, all differ": (
        infer_amounts,
        "format('£{:,}.{:02d}', i * 7 + 1000, i % 100)",
    ),
    "amounts, decimal comma, all differ": (
        infer_amounts,
        "replace(format('{:,}', i * 7 + 1000), ',', '.') || format(',{:02d}', i % 100)",
    ),
}


def best_of_three(work: Callable[[], object]) -> float:
    """Return the shortest wall time of three runs, in seconds."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Time every column."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    connection = duckdb.connect()
    for name, (settle, expression) in COLUMNS.items():
        query = f"SELECT ({expression})::VARCHAR AS text FROM range(?) AS numbers(i)"  # noqa: S608 -- fixed texts
        column: pa.ChunkedArray = connection.sql(query, params=[rows]).to_arrow_table()["text"]
        print(f"{name:<45} {rows:>10,} rows {best_of_three(partial(settle, column)):6.2f} s")


if __name__ == "__main__":
    main()
