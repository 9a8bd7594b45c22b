"""Lines of a report table: subtotals after each group, a total at the end."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from showcost.core.errors import ShowcostError
from showcost.reports.tables import (
    DETAIL,
    TOTAL,
    ColumnType,
    ReportColumn,
    ReportTable,
    lines,
    per_currency,
)

COLUMNS = (
    ReportColumn("section", "Section", ColumnType.TEXT, "part of the chart"),
    ReportColumn("account", "Account", ColumnType.TEXT, "account of the chart"),
    ReportColumn("cost", "Cost", ColumnType.MONEY, "cost to date", is_summed=True),
)


def table(*rows: tuple[str, str, str | None]) -> ReportTable:
    money = pa.array([None if cost is None else Decimal(cost) for *_, cost in rows], pa.decimal128(18, 4))
    texts = {
        name: pa.array([row[place] for row in rows]) for place, name in enumerate(("section", "account"))
    }
    return ReportTable(
        "costs", "Costs", COLUMNS, pa.table(texts | {"cost": money}), "USD", group_by=("section", "account")
    )


def test_a_subtotal_follows_each_group_and_the_total_comes_last() -> None:
    found = [
        (line.level, line.cells.get("account"), line.cells["cost"], line.first, line.last)
        for line in lines(table(("A", "1", "1.10"), ("A", "1", None), ("A", "2", "2"), ("B", "2", None)))
        if line.level != -1
    ]
    assert found == [
        (1, "1", Decimal("1.10"), 0, 1),
        (1, "2", Decimal(2), 2, 2),
        (0, None, Decimal("3.10"), 0, 2),
        (1, "2", None, 3, 3),
        (0, None, None, 3, 3),
        (TOTAL, None, Decimal("3.10"), 0, 3),
    ]


def test_a_table_without_rows_has_no_lines() -> None:
    assert list(lines(table())) == []


def test_the_columns_of_the_rows_are_those_declared() -> None:
    with pytest.raises(ShowcostError, match="costs: columns"):
        ReportTable("costs", "Costs", COLUMNS[:1], table().rows, "USD")


def test_original_amounts_are_added_up_within_one_currency_only() -> None:
    columns = (
        ReportColumn("currency", "Currency", ColumnType.TEXT, "currency of the row"),
        ReportColumn("amount", "Amount", ColumnType.ORIGINAL, "original amount", is_summed=True),
    )
    rows = pa.table(
        {
            "currency": ["CAD", "CAD", "EUR"],
            "amount": pa.array([Decimal(1), Decimal(2), Decimal(4)], pa.decimal128(18, 4)),
        }
    )
    of_currencies = ReportTable("fx", "FX", columns, rows, "USD", group_by=("currency",))
    sums = [line.cells.get("amount") for line in lines(of_currencies) if line.level != DETAIL]
    assert sums == [Decimal(3), Decimal(4), None]
    parts = per_currency(of_currencies)
    assert [(part.name, part.title, part.rows.num_rows) for part in parts] == [
        ("fx_cad", "FX, CAD", 2),
        ("fx_eur", "FX, EUR", 1),
    ]


def test_a_formula_holds_for_subtotals_of_columns_that_are_not_summed() -> None:
    columns = (
        *COLUMNS,
        ReportColumn("left", "Left", ColumnType.MONEY, "cost less cost", formula="cost - cost + cost"),
    )
    rows = table(("A", "1", "5"), ("A", "1", "6")).rows
    rows = rows.append_column("left", rows.column("cost"))
    with_formula = ReportTable("costs", "Costs", columns, rows, "USD", group_by=("section",))
    assert [line.cells["left"] for line in lines(with_formula)][-2:] == [Decimal(11), Decimal(11)]
    assert columns[-1].terms == ((1, "cost"), (-1, "cost"), (1, "cost"))


def test_a_column_that_is_missing_cannot_be_added() -> None:
    columns = (*COLUMNS[:2], ReportColumn("cost", "Cost", ColumnType.MONEY, "cost", formula="net + tax"))
    with pytest.raises(ShowcostError, match="costs: there is no column net"):
        ReportTable("costs", "Costs", columns, table().rows, "USD")
