"""Measure posting: rows per second into a fresh ledger, again (nothing to append), and the digest.

    python scripts/bench_posting.py --rows 1000000 --days 365

Rows are made up, two components each, in five currencies, one Parquet file per partition. Rates are made
up too; pinning them is not measured.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from showcost.config.record_kinds import VENDOR_INVOICE
from showcost.fx.history import PUBLICATIONS_SCHEMA, RATES_SCHEMA, RateHistory
from showcost.fx.snapshots import build_snapshots
from showcost.ledger.digest import digest
from showcost.ledger.entries import PostingContext
from showcost.ledger.fx_pinning import pin_recorded
from showcost.ledger.posting import CHUNK_ROWS, post
from showcost.ledger.recovery import writing
from showcost.ledger.store import Ledger
from showcost.staging import PartitionRows, StagingStore, split_by_date

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = date(2025, 1, 1)
TERMS = PostingContext(production="BENCH", base_currency="USD", feed="bench", record_kind=VENDOR_INVOICE)
RATES = {"USD": "1.1172", "GBP": "0.8338", "JPY": "171.53", "CAD": "1.5291"}

VALID_ROWS = """
SELECT sha256('delivery') AS delivery, 1::BIGINT AS arrival, i + 2 AS record,
    sha256(i::VARCHAR)[:32] AS row_key, sha256('c' || i)[:32] AS content,
    $first::DATE + (i * $days // $rows)::INTEGER AS transaction_date,
    ['EUR', 'GBP', 'USD', 'JPY', 'CAD'][1 + i % 5] AS currency,
    'V' || (i % 400) AS vendor_code, 'Vendor number ' || (i % 400) AS vendor_name,
    'Rental of equipment, item ' || (i % 9973) AS description,
    '1' || (i % 8) AS series, 'L' || (i % 12) AS location, 'S' || (i % 90) AS "set",
    'INV-' || (i // 4) AS invoice_no,
    CASE WHEN i % 50 = 0 THEN ['SC-PO-001'] ELSE []::VARCHAR[] END AS flags,
    [{component: 'net', account: (3300 + i % 40)::VARCHAR, union_category: 'camera',
        amount: ((i * 7919) % 5000000)::DECIMAL(18, 0) * 0.01::DECIMAL(4, 4)},
     {component: 'tax', account: '1990', union_category: NULL,
        amount: ((i * 7919) % 1000000)::DECIMAL(18, 0) * 0.01::DECIMAL(4, 4)}
    ]::STRUCT(component VARCHAR, account VARCHAR, union_category VARCHAR, amount DECIMAL(18, 4))[]
    AS components
FROM range($rows::BIGINT) AS numbers(i) ORDER BY i
"""


@contextmanager
def measured(what: str, rows: int) -> Iterator[None]:
    """Print how long a block took."""
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    print(f"{what:<34}{seconds:8.2f} s{rows / seconds:12,.0f} rows/s")


def pin_made_up_rates(ledger: Ledger, days: list[date]) -> None:
    """Pin the same rates on every day."""
    quoted = [(day, currency, rate) for day in days for currency, rate in sorted(RATES.items())]
    history = RateHistory(
        rates=pa.table([pa.array(column) for column in zip(*quoted, strict=True)], schema=RATES_SCHEMA),
        publications=pa.table(
            [pa.array(days), pa.array(["made up"] * len(days)), pa.array(["0" * 64] * len(days))],
            schema=PUBLICATIONS_SCHEMA,
        ),
        currencies=frozenset(RATES),
    )
    with writing(ledger) as connection:
        pin_recorded(ledger, connection, build_snapshots(history, days, carry_days=4), now())


def now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--chunk-rows", type=int, default=CHUNK_ROWS)
    options = parser.parse_args()
    days = [FIRST + timedelta(days=number) for number in range(options.days)]
    names = [day.isoformat() for day in days]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store, ledger = StagingStore(home), Ledger(home / "ledger.duckdb")
        pin_made_up_rates(ledger, days)
        parameters = {"first": FIRST, "days": options.days, "rows": options.rows}
        rows = duckdb.connect().sql(VALID_ROWS, params=parameters).to_arrow_table()
        with measured(f"stage {options.days} partitions", options.rows):
            parts = (
                PartitionRows(day.isoformat(), piece)
                for day, piece in split_by_date(rows, "transaction_date", days)
            )
            store.write_many("valid/bench", parts)
        del rows
        with measured("verify staged files", options.rows):
            paths = store.verified_paths("valid/bench", names)
        for what in ("post", "post again"):
            with measured(what, options.rows):
                results = post(
                    ledger,
                    TERMS,
                    paths,
                    partition_dates=days,
                    run_id=what,
                    clock=now,
                    chunk_rows=options.chunk_rows,
                )
            print(f"  appended entries: {sum(result.appended_entries for result in results):,}")
        with measured("digest", options.rows), ledger.read() as connection:
            found = digest(connection, days[0], days[-1])
        print(f"  {found.hash}")
        print(f"ledger {ledger.path.stat().st_size / 1e6:,.0f} MB")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
