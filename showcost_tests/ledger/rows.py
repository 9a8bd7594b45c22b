"""Small valid rows and pinned rates for the tests, and references that share no code with the ledger."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.config.record_kinds import VENDOR_INVOICE
from showcost.fx.history import PUBLICATIONS_SCHEMA, RATES_SCHEMA, RateHistory
from showcost.fx.snapshot_plan import build_snapshots
from showcost.ledger.fx_pinning import pin_recorded
from showcost.ledger.new_entries import PostingContext
from showcost.ledger.posting import PostResult, post
from showcost.ledger.recovery import writing
from showcost.ledger.schema import ENTRY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from showcost.core.file_ranges import FileRange
    from showcost.ledger.digest import RangeDigest
    from showcost.ledger.store import Ledger

MONDAY = date(2026, 3, 2)
WEEK = [MONDAY + timedelta(days=number) for number in range(5)]
CONTEXT = PostingContext(
    production="NIGHTFALL", base_currency="USD", feed="vendors", record_kind=VENDOR_INVOICE
)
RATES = {
    "USD": Decimal("1.1172"),
    "GBP": Decimal("0.8338"),
    "JPY": Decimal("171.53"),
    "CAD": Decimal("1.5291"),
}

LATER_COLUMNS = {
    *("document_id", "po_no", "vendor_country", "tax_code", "service_from", "service_to", "due_date"),
    *("jurisdiction", "loan_out", "earning_type"),
}
"""The columns that line version 2 has and version 1 has not."""

COMPONENTS = pa.list_(
    pa.struct(
        [
            ("component", pa.string()),
            ("account", pa.string()),
            ("union_category", pa.string()),
            ("amount", pa.decimal128(18, 4)),
        ]
    )
)
SCHEMA = pa.schema(
    [
        ("delivery", pa.string()),
        ("arrival", pa.int64()),
        ("record", pa.int64()),
        ("row_key", pa.string()),
        ("content", pa.string()),
        ("transaction_date", pa.date32()),
        ("currency", pa.string()),
        *((name, pa.string()) for name in ("vendor_code", "vendor_name", "description")),
        *((name, pa.string()) for name in ("series", "location", "set", "invoice_no")),
        *((name, pa.string()) for name in ("po_no", "vendor_country", "tax_code")),
        *((name, pa.date32()) for name in ("service_from", "service_to", "due_date")),
        ("flags", pa.list_(pa.string())),
        ("components", COMPONENTS),
    ]
)

Row = dict[str, object]


def short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def row(
    number: int,
    *,
    day: date = MONDAY,
    currency: str = "EUR",
    net: str = "100.10",
    tax: str | None = "20.02",
    description: str = "Beleuchtung — « Gaffer »",
) -> Row:
    parts: list[tuple[str, str, str | None, str]] = [("net", "3300", "camera", net)]
    if tax is not None:
        parts.append(("tax", "1990", None, tax))
    return {
        "delivery": short("delivery") * 2,
        "arrival": 1,
        "record": number + 2,
        "row_key": short(f"key {number}"),
        "content": short(f"{number} {day} {currency} {net} {tax} {description}"),
        "transaction_date": day,
        "currency": currency,
        "vendor_code": f"V{number % 7}",
        "vendor_name": "Lumière & Söhne",
        "description": description,
        "series": None,
        "location": "DE",
        "set": "12",
        "invoice_no": f"R-{number}",
        "po_no": f"PO-{number % 5}" if number % 2 else None,
        "vendor_country": "DE",
        "tax_code": None if tax is None else "S19",
        "service_from": day - timedelta(days=6),
        "service_to": day,
        "due_date": day + timedelta(days=30),
        "flags": ["SC-PO-001", "SC-PAY-009"] if number % 3 == 0 else None,
        "components": [
            {"component": name, "account": account, "union_category": category, "amount": Decimal(amount)}
            for name, account, category, amount in parts
        ],
    }


def table(rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def week_rows(count: int) -> list[Row]:
    currencies = ("EUR", "GBP", "USD", "JPY", "CAD")
    return [
        row(
            number,
            day=WEEK[number % 5],
            currency=currencies[number % 3 + number % 2],
            net=f"{number + 1}.{number % 100:02}",
        )
        for number in range(count)
    ]


def clock() -> datetime:
    return datetime(2026, 3, 9, 8, 30, tzinfo=UTC)


def pin_rates(ledger: Ledger, days: Sequence[date] = WEEK, rates: Mapping[str, Decimal] = RATES) -> None:
    """Pin the same rates on every day, as if published on each."""
    quoted = [(day, currency, str(rate)) for day in days for currency, rate in sorted(rates.items())]
    history = RateHistory(
        rates=pa.table([pa.array(column) for column in zip(*quoted, strict=True)], schema=RATES_SCHEMA),
        publications=pa.table(
            [pa.array(days), pa.array(["embedded"] * len(days)), pa.array(["0" * 64] * len(days))],
            schema=PUBLICATIONS_SCHEMA,
        ),
        currencies=frozenset(rates),
    )
    with writing(ledger) as connection:
        pin_recorded(ledger, connection, build_snapshots(history, days, carry_days=4), clock())


def record_validation(ledger: Ledger, days: Sequence[date] = WEEK, context: PostingContext = CONTEXT) -> None:
    """Record that partitions were validated, as the pipeline does before it posts."""
    ledger.audit.append(
        AuditKind.VALIDATED, {}, subjects=[states.partition(context.feed, day) for day in sorted(set(days))]
    )


def post_rows(
    ledger: Ledger,
    valid: pa.Table | Sequence[FileRange],
    days: Sequence[date] = WEEK,
    *,
    context: PostingContext = CONTEXT,
    run_id: str = "run",
    chunk_rows: int = 1_000_000,
) -> list[PostResult]:
    record_validation(ledger, days, context)
    return post(
        ledger, context, valid, partition_dates=days, run_id=run_id, clock=clock, chunk_rows=chunk_rows
    )


def entries(ledger: Ledger) -> list[dict[str, Any]]:
    with ledger.read() as connection:
        rows: list[dict[str, Any]] = (
            connection.sql("FROM ledger_entries ORDER BY entry_id").to_arrow_table().to_pylist()
        )
    return rows


def reference_digest(entries: list[dict[str, object]]) -> tuple[str, dict[date, tuple[int, str]]]:
    """Recompute the digest of entries by the definition in words, with nothing but json and hashlib."""
    by_day: dict[date, list[dict[str, object]]] = {}
    for entry in entries:
        day = entry["transaction_date"]
        assert isinstance(day, date)
        by_day.setdefault(day, []).append(entry)
    partitions: dict[date, tuple[int, str]] = {}
    framed: list[object] = []
    for day in sorted(by_day):
        lines = [_line(entry) for entry in sorted(by_day[day], key=lambda entry: str(entry["entry_id"]))]
        leaves = [
            _sha("".join(f"{line}\n" for line in lines[start : start + 1024]))
            for start in range(0, len(lines), 1024)
        ]
        day_hash = _sha(_json([day.isoformat(), len(lines), *leaves]))
        partitions[day] = (len(lines), day_hash)
        framed += [day.isoformat(), len(lines), day_hash]
    return _sha(_json(framed)), partitions


def as_pair(digest: RangeDigest) -> tuple[str, dict[date, tuple[int, str]]]:
    return digest.hash, digest.partitions


def _line(entry: dict[str, object]) -> str:
    values = [
        entry[column.name]
        for column in ENTRY_COLUMNS
        if column.name not in {"batch_id", "arrival", "line_version"}
        and (column.name not in LATER_COLUMNS or entry["line_version"] == 2)
    ]
    shown = [
        f"{value:f}" if isinstance(value, Decimal) else str(value) if isinstance(value, date) else value
        for value in values
    ]
    return re.sub(r"\\(u00[0-9a-f]{2}|.)", _escape, _json(shown))


def _escape(match: re.Match[str]) -> str:
    escape = match.group(1)
    return f"\\u00{escape[3:].upper()}" if len(escape) > 1 else match.group(0)


def _json(values: list[object]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
