"""Measure the validation: invoices with one in a hundred bad, in chunks.

    python scripts/bench_validation.py [--rows 1000000] [--bad 0.01] [--chunk 250000] [--rivals]

`--rivals` delivers everything a second time: every key is contested.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.chart import load_chart
from showcost.config.feed import FeedSpec
from showcost.config.production import load_production
from showcost.config.record_kinds import FieldType
from showcost.validation import CHUNK_ROWS, RowTable, arrow_schema, validate
from showcost.validation.duplicates import POSTED
from showcost.validation.reference import FX_STATUS

HOME: Final = Path(__file__).resolve().parents[1] / "data"
FEED: Final = FeedSpec(name="bench", description="invoices for a measurement", record_kind="vendor_invoice")
TAX_IDS: Final = ("DE136695976", "GB980780684", "12-3456789", "123026635")
COUNTRIES: Final = ("DE", "GB", "US", "CA")
CURRENCIES: Final = ("EUR", "GBP", "USD", "CAD")
WRONG_SUM: Final = 4
ACCOUNTS: Final = ("2010", "2210", "2220", "1410")


def invoices(rows: int, bad: float) -> pa.Table:
    """Return raw invoices; the bad ones fail one of five rules each."""
    random = np.random.default_rng(20261005)
    number = np.arange(rows)
    vendor = random.integers(0, 4, rows)
    fault = np.where(random.random(rows) < bad, random.integers(1, 6, rows), 0)
    days = np.sort(random.integers(0, 30, rows)).astype(np.int32) + (date(2026, 9, 28).toordinal() - 719_163)
    cents = random.integers(100, 10_000_000, rows)
    tax = cents // 5

    def pick(options: tuple[str, ...]) -> pa.Array:
        return pa.array(options).take(pa.array(vendor))

    def spoilt(values: pa.Array, code: int, instead: str) -> pa.Array:
        return pc.if_else(pa.array(fault == code), instead, values)

    def money(amounts: np.ndarray) -> pa.Array:
        whole, part = pa.array(amounts // 100), pa.array(amounts % 100)
        padded = pc.utf8_lpad(part.cast(pa.string()), 2, "0")
        return pc.binary_join_element_wise(whole.cast(pa.string()), padded, ".")

    dates = pa.array(days).cast(pa.date32())
    text = {
        "vendor_code": pc.binary_join_element_wise("V", pa.array(number % 900).cast(pa.string()), ""),
        "vendor_name": pc.binary_join_element_wise(
            "Vendor of stages", pa.array(number % 900).cast(pa.string()), " "
        ),
        "vendor_tax_id": spoilt(pick(TAX_IDS), 1, "DE136695977"),
        "vendor_country": pick(COUNTRIES),
        "invoice_no": pc.binary_join_element_wise("R", pa.array(number // 3).cast(pa.string()), "-"),
        "line_no": pa.array(number % 3 + 1).cast(pa.string()),
        "invoice_date": dates.cast(pa.string()),
        "account": spoilt(pick(ACCOUNTS), 2, "0000"),
        "description": pc.binary_join_element_wise(
            "Rental of package", pa.array(number).cast(pa.string()), " "
        ),
        "currency": spoilt(pick(CURRENCIES), 3, "ZZZ"),
        "net_amount": money(cents),
        "tax_amount": money(tax),
        "gross_amount": money(cents + tax + (fault == WRONG_SUM)),
        "series": spoilt(pa.repeat("101", rows), 0, "101"),
    }
    text["vendor_code"] = spoilt(text["vendor_code"], 5, " ")
    return raw_rows(text, dates, number)


def raw_rows(text: dict[str, pa.Array], dates: pa.Array, number: np.ndarray) -> pa.Table:
    """Return the raw columns of a record kind around the given cells."""
    rows = len(number)
    columns: dict[str, pa.Array] = dict(text)
    for name in FEED.kind.of_type(FieldType.DATE):
        columns[f"{name}__value"] = dates if name == "invoice_date" else pa.nulls(rows, pa.date32())
        columns[f"{name}__problem"] = (
            pa.nulls(rows, pa.string()) if name in text else pa.repeat("blank", rows)
        )
    for name in FEED.kind.of_type(FieldType.AMOUNT):
        columns[f"{name}__value"] = text[name]
    columns["delivery"] = pa.repeat("d" * 64, rows)
    columns["arrival"] = pa.repeat(pa.scalar(1, pa.int64()), rows)
    columns["record"] = pa.array(number + 2)
    columns["row_key"] = pc.binary_join_element_wise(
        pa.array(number).cast(pa.string()), pa.repeat("k" * 24, rows), ""
    )
    columns["transaction_date"] = dates
    columns["raw"] = pc.binary_join_element_wise(*(text[name] for name in text), ";")
    schema = arrow_schema(FEED.kind, RowTable.RAW)
    filled = [columns.get(column.name, pa.nulls(rows, column.type)) for column in schema]
    return pa.table(
        [values.cast(column.type) for values, column in zip(filled, schema, strict=True)], schema=schema
    )


def rate_status() -> pa.Table:
    """Return a known rate for every date and currency of the sample production."""
    production = load_production(HOME)
    first, last = production.dates.start.toordinal(), production.dates.end.toordinal()
    pairs = [
        (date.fromordinal(day), code) for day in range(first, last + 1) for code in production.currencies
    ]
    return pa.table(
        [[day for day, _ in pairs], [code for _, code in pairs], ["ok"] * len(pairs)], schema=FX_STATUS
    )


def main() -> None:
    """Print rows a second and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--bad", type=float, default=0.01)
    parser.add_argument("--chunk", type=int, default=CHUNK_ROWS)
    parser.add_argument("--rivals", action="store_true")
    options = parser.parse_args()
    rows = invoices(options.rows, options.bad)
    rivals = rows.slice(0, 0)
    if options.rivals:
        later = rows.schema.get_field_index("arrival")
        again = rows.set_column(later, "arrival", pa.repeat(pa.scalar(2, pa.int64()), len(rows)))
        rivals = again.set_column(
            rows.schema.get_field_index("delivery"), "delivery", pa.repeat("e" * 64, len(rows))
        )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    production = load_production(HOME)
    started, started_cpu = time.perf_counter(), time.process_time()
    outcome = validate(
        rows,
        feed=FEED,
        production=production,
        chart=load_chart(HOME / production.chart_of_accounts, production),
        fx_status=rate_status(),
        posted=POSTED.empty_table(),
        same_key_rows=rivals,
        chunk_rows=options.chunk,
    )
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = outcome.counts
    print(f"{counts.valid:,} valid, {counts.quarantined:,} quarantined, {counts.duplicate:,} duplicate")
    print(f"{options.rows / seconds:,.0f} rows/s ({seconds:.2f} s, processor {cpu:.2f} s)")
    print(
        f"input {rows.nbytes / 1e6:,.0f} MB, peak {peak / 1e3:,.0f} MB, of it before {before / 1e3:,.0f} MB"
    )


if __name__ == "__main__":
    main()
