"""Validation of generated invoices in chunks; one in a hundred is invalid.

`--contested` adds a second delivery of all rows, so that every key is contested.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.harness import SAMPLE
from showcost.config.feed import FeedSpec
from showcost.config.production import load_production
from showcost.config.record_kinds import FieldType
from showcost.validation.columns import RowTable, arrow_schema
from showcost.validation.duplicates import POSTED
from showcost.validation.reference import FX_STATUS
from showcost.validation.validate import CHUNK_ROWS, validate
from showcost.workspace import open_workspace

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Report
    from showcost.config.production import Production

FEED: Final = FeedSpec(name="bench", description="invoices for a measurement", record_kind="vendor_invoice")
TAX_IDS: Final = ("DE136695976", "GB980780684", "12-3456789", "123026635")
COUNTRIES: Final = ("DE", "GB", "US", "CA")
CURRENCIES: Final = ("EUR", "GBP", "USD", "CAD")
WRONG_SUM: Final = 4
ACCOUNTS: Final = ("2010", "2210", "2220", "1410")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of sizes and of the share of invalid rows."""
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--invalid", type=float, default=0.01)
    parser.add_argument("--chunk", type=int, default=CHUNK_ROWS)
    parser.add_argument("--contested", action="store_true")


def run(options: argparse.Namespace, report: Report) -> None:
    """Validate the rows."""
    with report.timed("make rows", options.rows) as results:
        rows = invoices(options.rows, options.invalid)
        results["megabytes"] = rows.nbytes // 1_000_000
    contested = redelivered(rows) if options.contested else rows.slice(0, 0)
    production = load_production(SAMPLE)
    rates = rate_status(production)
    with report.timed("validate", options.rows) as results:
        outcome = validate(
            rows,
            feed=FEED,
            production=production,
            chart=open_workspace(SAMPLE).chart,
            fx_status=rates,
            posted=POSTED.empty_table(),
            same_key_rows=contested,
            chunk_rows=options.chunk,
        )
        counts = outcome.counts
        results |= {
            "valid": counts.valid,
            "quarantined": counts.quarantined,
            "duplicate": counts.duplicate,
        }


def invoices(rows: int, invalid: float) -> pa.Table:
    """Return raw invoices; the share `invalid` of them breaks one of five rules."""
    random = np.random.default_rng(20261005)
    number = np.arange(rows)
    vendor = random.integers(0, 4, rows)
    fault = np.where(random.random(rows) < invalid, random.integers(1, 6, rows), 0)
    days = np.sort(random.integers(0, 30, rows)).astype(np.int32) + (date(2026, 9, 28).toordinal() - 719_163)
    cents = random.integers(100, 10_000_000, rows)
    tax = cents // 5

    def pick(options: tuple[str, ...]) -> pa.Array:
        return pa.array(options).take(pa.array(vendor))

    def with_fault(values: pa.Array, code: int, replacement: str) -> pa.Array:
        return pc.if_else(pa.array(fault == code), replacement, values)

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
        "vendor_tax_id": with_fault(pick(TAX_IDS), 1, "DE136695977"),
        "vendor_country": pick(COUNTRIES),
        "invoice_no": pc.binary_join_element_wise("R", pa.array(number // 3).cast(pa.string()), "-"),
        "line_no": pa.array(number % 3 + 1).cast(pa.string()),
        "invoice_date": dates.cast(pa.string()),
        "account": with_fault(pick(ACCOUNTS), 2, "0000"),
        "description": pc.binary_join_element_wise(
            "Rental of package", pa.array(number).cast(pa.string()), " "
        ),
        "currency": with_fault(pick(CURRENCIES), 3, "ZZZ"),
        "net_amount": money(cents),
        "tax_amount": money(tax),
        "gross_amount": money(cents + tax + (fault == WRONG_SUM)),
        "series": with_fault(pa.repeat("101", rows), 0, "101"),
    }
    text["vendor_code"] = with_fault(text["vendor_code"], 5, " ")
    return raw_rows(text, dates, number)


def raw_rows(text: dict[str, pa.Array], dates: pa.Array, number: np.ndarray) -> pa.Table:
    """Return raw rows of the record kind with the given cells; columns without a value are null."""
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
    arrays = [columns.get(column.name, pa.nulls(rows, column.type)) for column in schema]
    return pa.table(
        [values.cast(column.type) for values, column in zip(arrays, schema, strict=True)], schema=schema
    )


def redelivered(rows: pa.Table) -> pa.Table:
    """Return the same rows as of a later delivery."""
    columns = {"arrival": pa.scalar(2, pa.int64()), "delivery": pa.scalar("e" * 64)}
    for name, value in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.repeat(value, len(rows)))
    return rows


def rate_status(production: Production) -> pa.Table:
    """Return the status `ok` for every date and currency of a production."""
    first, last = production.dates.start.toordinal(), production.dates.end.toordinal()
    pairs = [
        (date.fromordinal(day), code) for day in range(first, last + 1) for code in production.currencies
    ]
    return pa.table(
        [[day for day, _ in pairs], [code for _, code in pairs], ["ok"] * len(pairs)], schema=FX_STATUS
    )
