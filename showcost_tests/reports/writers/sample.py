"""Report tables with hostile text, several currencies, subtotals and formulas."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.reports.scope import ReportScope
from showcost.reports.tables import ColumnType, HeadlineFigure, ReportColumn, ReportTable

if TYPE_CHECKING:
    from collections.abc import Sequence

MONEY: Final = pa.decimal128(18, 4)

HOSTILE: Final = (
    '=cmd|"/C calc"!A0',
    "@SUM(A1)",
    "+1-1",
    "\ttab",
    "right\u202eto left",
    "</script><script>document.title='owned'</script>",
    "<!--",
    "<img src=x onerror=document.title='owned'>",
    "line\u2028separator",
    "null\x00bell\x07",
    "<r>not rich</r>",
    "https://example.com/",
    "_x0041_",
    "Ελλάδα Москва Łódź 東京",
)

SCOPE: Final = ReportScope(
    code="NORTHLIGHT",
    title="Northern <Light>",
    company="Light & Co",
    base_currency="USD",
    currency="USD",
    first=date(2026, 10, 1),
    last=date(2026, 10, 31),
    as_of=42,
    moment=datetime(2026, 11, 2, 18, 0, tzinfo=UTC),
    head="a" * 64,
    digest="b" * 64,
    entries=7,
)

HEADLINE: Final = (
    HeadlineFigure("Cost to date", Decimal("1234567.8900"), ColumnType.MONEY, "Cost of all days", "USD"),
    HeadlineFigure("Variance", Decimal("-17.5000"), ColumnType.MONEY, "Budget less cost", "USD"),
    HeadlineFigure("Entries", 7, ColumnType.COUNT, "Ledger entries"),
)


def money(*amounts: str | None) -> pa.Array:
    """Return amounts as a column of money."""
    return pa.array([None if amount is None else Decimal(amount) for amount in amounts], MONEY)


def costs(count: int = 4) -> ReportTable:
    """Return a cost report with `count` accounts in sections of three."""
    numbers = range(count)
    cost = [Decimal(number * 1000 + 100) + Decimal("0.10") for number in numbers]
    committed = [None if number % 2 else number + Decimal("0.05") for number in numbers]
    total = [paid + (open_order or 0) for paid, open_order in zip(cost, committed, strict=True)]
    rows = pa.table(
        {
            "section": [f"Section {number // 3}" for number in numbers],
            "account": [f"{1000 + number}" for number in numbers],
            "name": [HOSTILE[number % len(HOSTILE)] for number in numbers],
            "cost_to_date": pa.array(cost, MONEY),
            "commitments": pa.array(committed, MONEY),
            "total_cost": pa.array(total, MONEY),
            "budget": pa.array([Decimal(900)] * count, MONEY),
            "variance": pa.array([900 - amount for amount in total], MONEY),
        }
    )
    return ReportTable("cost_report", "Cost report", _COST_COLUMNS, rows, "USD", ("section",), HOSTILE[:2])


_COST_COLUMNS: Final = (
    ReportColumn("section", "Section", ColumnType.TEXT, "part of the chart"),
    ReportColumn("account", "Account", ColumnType.TEXT, "account of the chart"),
    ReportColumn("name", "Name", ColumnType.TEXT, HOSTILE[0]),
    ReportColumn("cost_to_date", "Cost to date", ColumnType.MONEY, "sum of base amounts", is_summed=True),
    ReportColumn("commitments", "Commitments", ColumnType.MONEY, "open orders", is_summed=True),
    ReportColumn(
        "total_cost",
        "Total cost",
        ColumnType.MONEY,
        "cost to date and commitments",
        is_summed=True,
        formula="cost_to_date + commitments",
    ),
    ReportColumn("budget", "Budget", ColumnType.MONEY, "budget", is_summed=True),
    ReportColumn(
        "variance", "Variance", ColumnType.MONEY, "budget less total", formula="budget - total_cost"
    ),
)


def payables(texts: Sequence[str] = HOSTILE) -> ReportTable:
    """Return open documents of vendors with hostile names, in several currencies (one does not exist)."""
    names = ("EUR", "EURO", "JPY", "KWD")
    currencies = [names[number * len(names) // len(texts)] for number in range(len(texts))]
    days = [date(2026, 10, 1 + number) for number in range(len(texts))]
    rows = pa.table(
        {
            "currency": currencies,
            "vendor_name": list(texts),
            "due_date": pa.array(days, pa.date32()),
            "amount": money(*(f"{-1 if number % 3 else 1}000" for number in range(len(texts)))),
            "rate": pa.array([Decimal("1.1172")] * len(texts), pa.decimal128(20, 10)),
            "share": pa.array([Decimal("12.5")] * len(texts), pa.decimal128(18, 4)),
            "base_amount": money(*(f"{number}.33" for number in range(len(texts)))),
            "documents": pa.array(range(len(texts)), pa.int64()),
        }
    )
    columns = (
        ReportColumn("currency", "Currency", ColumnType.TEXT, "original currency"),
        ReportColumn("vendor_name", "Vendor", ColumnType.TEXT, "name of the vendor"),
        ReportColumn("due_date", "Due", ColumnType.DATE, "day of payment"),
        ReportColumn("amount", "Amount", ColumnType.ORIGINAL, "original amount", is_summed=True),
        ReportColumn("rate", "Rate", ColumnType.RATE, "rate"),
        ReportColumn("share", "Share", ColumnType.PERCENT, "share of the total"),
        ReportColumn("base_amount", "In base", ColumnType.MONEY, "amount in base", is_summed=True),
        ReportColumn("documents", "Documents", ColumnType.COUNT, "number of documents", is_summed=True),
    )
    return ReportTable("payables", "Payables: [aged]", columns, rows, "USD", ("currency",))
