"""Lines of a report table: subtotals after each group, a total at the end."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from showcost.core.errors import ShowcostError
from showcost.reports.tables import TOTAL, ColumnType, ReportColumn, ReportTable, lines

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
