"""Posting into a new ledger, posting again with nothing to append, and the digest.

Rows are generated: two components each, in five currencies, one Parquet file per partition. Rates are
generated, too; pinning them is not measured.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.config.record_kinds import VENDOR_INVOICE
from showcost.fx.history import PUBLICATIONS_SCHEMA, RATES_SCHEMA, RateHistory
from showcost.fx.snapshot_plan import build_snapshots
from showcost.ledger.digest import digest
from showcost.ledger.fx_pinning import pin_recorded
from showcost.ledger.new_entries import PostingContext
from showcost.ledger.posting import CHUNK_ROWS, post
from showcost.ledger.recovery import writing
from showcost.ledger.store import Ledger
from showcost.staging import PartitionRows, StagingStore, split_by_date

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Report

FIRST: Final = date(2025, 1, 1)
CONTEXT: Final = PostingContext(
    production="BENCH", base_currency="USD", feed="bench", record_kind=VENDOR_INVOICE
)
RATES: Final = {"USD": "1.1172", "GBP": "0.8338", "JPY": "171.53", "CAD": "1.5291"}

VALID_ROWS: Final = """
SELECT sha256('delivery') AS delivery, 1::BIGINT AS arrival, i + 2 AS record,
    sha256(i::VARCHAR)[:32] AS row_key, sha256('c' || i)[:32] AS content,
    $first::DATE + (i * $days // $rows)::INTEGER AS transaction_date,
    ['EUR', 'GBP', 'USD', 'JPY', 'CAD'][1 + i % 5] AS currency,
    'V' || (i % 400) AS vendor_code, 'Vendor number ' || (i % 400) AS vendor_name,
    'Rental of equipment, item ' || (i % 9973) AS description,
    '1' || (i % 8) AS series, 'L' || (i % 12) AS location, 'S' || (i % 90) AS "set",
    'INV-' || (i // 4) AS invoice_no, 'PO-' || (i % 700) AS po_no, 'US' AS vendor_country,
    NULL::VARCHAR AS tax_code, NULL::DATE AS service_from, NULL::DATE AS service_to, NULL::DATE AS due_date,
    CASE WHEN i % 50 = 0 THEN ['SC-PO-001'] ELSE []::VARCHAR[] END AS flags,
    [{component: 'net', account: (3300 + i % 40)::VARCHAR, union_category: 'camera',
        amount: ((i * 7919) % 5000000 + 1)::DECIMAL(18, 0) * 0.01::DECIMAL(4, 4)},
     {component: 'tax', account: '1990', union_category: NULL,
        amount: ((i * 7919) % 1000000 + 1)::DECIMAL(18, 0) * 0.01::DECIMAL(4, 4)}
    ]::STRUCT(component VARCHAR, account VARCHAR, union_category VARCHAR, amount DECIMAL(18, 4))[]
    AS components
FROM range($rows::BIGINT) AS numbers(i) ORDER BY i
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of sizes."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--chunk-rows", type=int, default=CHUNK_ROWS)


def run(options: argparse.Namespace, report: Report) -> None:
    """Stage rows, post them, post again and compute the digest."""
    days = [FIRST + timedelta(days=number) for number in range(options.days)]
    with tempfile.TemporaryDirectory() as folder:
        store, ledger = StagingStore(Path(folder)), Ledger(Path(folder) / "ledger.duckdb")
        pin_generated_rates(ledger, days)
        parameters = {"first": FIRST, "days": options.days, "rows": options.rows}
        rows = duckdb.connect().sql(VALID_ROWS, params=parameters).to_arrow_table()
        with report.timed(f"stage {options.days} partitions", options.rows):
            parts = (
                PartitionRows(day.isoformat(), piece)
                for day, piece in split_by_date(rows, "transaction_date", days)
            )
            store.write_many("valid/bench", parts)
        del rows
        with report.timed("verify staged files", options.rows):
            ranges = store.ranges("valid/bench", [day.isoformat() for day in days])
        subjects = [states.partition(CONTEXT.feed, day) for day in days]
        ledger.audit.append(AuditKind.VALIDATED, {}, subjects=subjects)
        for label in ("post", "post again"):
            with report.timed(label, options.rows) as results:
                batches = post(
                    ledger,
                    CONTEXT,
                    ranges,
                    partition_dates=days,
                    run_id=label,
                    clock=now,
                    chunk_rows=options.chunk_rows,
                )
                results["entries"] = sum(batch.appended_entries for batch in batches)
        with report.timed("digest", options.rows) as results, ledger.read() as connection:
            results["hash"] = digest(connection, days[0], days[-1]).hash
        report.note("ledger", megabytes=round(ledger.path.stat().st_size / 1e6))


def pin_generated_rates(ledger: Ledger, days: list[date]) -> None:
    """Pin the same rates on every day."""
    quotes = [(day, currency, rate) for day in days for currency, rate in sorted(RATES.items())]
    history = RateHistory(
        rates=pa.table([pa.array(column) for column in zip(*quotes, strict=True)], schema=RATES_SCHEMA),
        publications=pa.table(
            [pa.array(days), pa.array(["made up"] * len(days)), pa.array(["0" * 64] * len(days))],
            schema=PUBLICATIONS_SCHEMA,
        ),
        currencies=frozenset(RATES),
    )
    with writing(ledger) as connection:
        pin_recorded(ledger, connection, build_snapshots(history, days, carry_days=4), now())


def now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)
