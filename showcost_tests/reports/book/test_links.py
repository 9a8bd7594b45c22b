"""Links from figures: only a sum of entries leads to entries, and to those that it adds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from showcost.reports.book.links import EntryLinks, linked_column
from showcost.reports.tables import Cell, ColumnType, ReportColumn, ReportTable

LINKS = EntryLinks(date(2026, 10, 26), "EUR", frozenset({"3320", "4910"}))
ROWS: list[dict[str, Cell]] = [
    {"account": "3320", "currency": "USD", "amount": Decimal(10), "base_amount": Decimal(9)},
    {"account": "4910", "currency": "JPY", "amount": Decimal(1000), "base_amount": Decimal(6)},
]


def table(name: str) -> ReportTable:
    columns = (
        ReportColumn("account", "Account", ColumnType.TEXT, "account"),
        ReportColumn("currency", "Currency", ColumnType.TEXT, "currency"),
        ReportColumn("amount", "Amount", ColumnType.ORIGINAL, "amount", is_summed=True),
        ReportColumn("base_amount", "In base", ColumnType.MONEY, "amount in base", is_summed=True),
    )
    return ReportTable(name, name, columns, pa.Table.from_pylist(ROWS), "EUR")


@pytest.mark.parametrize("name", ["estimates", "commitments", "budget_revisions"])
def test_amounts_of_a_plan_lead_to_no_entries(name: str) -> None:
    lines = table(name)
    for column in ("amount", "base_amount"):
        assert LINKS.of_figure(lines, ROWS[0], lines.by_name[column]) is None
        assert LINKS.of_sum(lines, ROWS, {}, lines.by_name[column]) is None
    # The account itself leads to all of its entries.
    assert LINKS.of_account(ROWS[0]) == "#/account/3320"
    assert LINKS.of_account({"account": "9999"}) is None


def test_lines_of_a_plan_lead_to_their_rows() -> None:
    column = ReportColumn("row_id", "Row", ColumnType.TEXT, "row")
    plain = table("estimates")
    ids = pa.array(["aa", "bb"])
    lines = replace(plain, columns=(*plain.columns, column), rows=plain.rows.append_column("row_id", ids))
    links = EntryLinks(LINKS.first, "EUR", LINKS.accounts, rows={"aa": 7})
    assert linked_column(lines) == "row_id"
    assert links.of_figure(lines, ROWS[0] | {"row_id": "aa"}, lines.by_name["amount"]) == "#/row/7"
    assert links.of_row(lines, ROWS[0] | {"row_id": "aa"}) == "#/row/7"
    # A row whose delivery is not known leads nowhere.
    assert links.of_row(lines, ROWS[1] | {"row_id": "bb"}) is None


def test_a_sum_over_some_currencies_has_no_link_and_each_currency_has_one() -> None:
    variance = table("fx_variance")
    posted = variance.by_name["base_amount"]
    assert LINKS.of_sum(variance, ROWS, {}, posted) is None
    assert LINKS.of_sum(variance, ROWS[:1], {"currency": "USD"}, posted) == (
        "#/search?accounts=3320&currency=USD"
    )
    assert LINKS.of_figure(variance, ROWS[1], posted) == "#/account/4910?currency=JPY"
