"""Inference of dates and amounts: columns with repeated texts, and columns in which every text differs.

The shortest of three runs counts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import duckdb

from showcost.values.amounts import infer_amounts
from showcost.values.dates import infer_dates, infer_timestamps

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    import pyarrow as pa

    from benchmarks.harness import Report
    from showcost.values.amounts import AmountColumn
    from showcost.values.dates import DateColumn, TimestampColumn

    Infer = Callable[[pa.ChunkedArray], DateColumn | TimestampColumn | AmountColumn]

COLUMNS: Final[dict[str, tuple[Infer, str]]] = {
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


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the option of the number of rows."""
    parser.add_argument("--rows", type=int, default=1_000_000)


def run(options: argparse.Namespace, report: Report) -> None:
    """Infer every column."""
    connection = duckdb.connect()
    for label, (infer, expression) in COLUMNS.items():
        query = f"SELECT ({expression})::VARCHAR AS text FROM range(?) AS numbers(i)"  # noqa: S608 -- fixed texts
        column: pa.ChunkedArray = connection.sql(query, params=[options.rows]).to_arrow_table()["text"]
        report.best_of(3, label, partial(count_values, infer, column), options.rows)


def count_values(infer: Infer, column: pa.ChunkedArray) -> dict[str, Any]:
    """Infer a column and return the number of its values."""
    values = infer(column).values
    return {"values": len(values) - values.null_count}
