"""Mapping of columns to fields, by the header names in spending files of departments."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.feed import normal_header
from showcost.config.feeds import load_feeds
from showcost.ingest.records import match_header

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import HeaderMatch

COLUMNS: Final = {
    "series": "Department Family",
    "location": "Entity",
    "invoice_date": "Date",
    "account": "Expense Type",
    "set": "Expense Area",
    "vendor_code": "Supplier",
    "invoice_no": "Transaction Number",
    "net_amount": "Amount",
}


@cache
def feed() -> FeedSpec:
    (feed,) = load_feeds("UKSPEND")
    return feed


def matched(*header: str) -> HeaderMatch:
    return match_header(feed(), header, [True] * len(header))


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("invoice_date", ("Payment date (DD/MM/YYYY)", "Invoice Date", "DATE_PAID", "Actual Payment Date")),
        ("vendor_code", ("Supplier\nName", "Supplier/Payee", "Vendor Name", "Merchant", "Recipient")),
        ("invoice_no", ("Transaction No.", "Voucher number", "SAP Document Number", "Our Ref", "URN")),
        (
            "net_amount",
            ("\u00a3", "Amount (\u00a3)", "Sum of \u00a3", "Total (inc VAT)", "Gross Amount", "Net"),
        ),
    ],
)
def test_a_field_is_matched_by_its_usual_names(field: str, names: tuple[str, ...]) -> None:
    place = list(COLUMNS).index(field)
    for name in names:
        match = matched(*(COLUMNS | {field: name}).values())
        assert (match.problem, match.columns.get(field)) == (None, place), name


@pytest.mark.parametrize("name", ["Amount (\u00a3000)", "Amount \u00a3k", "Amount (\u00a3m)", ""])
def test_thousands_of_pounds_are_not_pounds(name: str) -> None:
    assert "no column for net_amount" in str(matched(*(COLUMNS | {"net_amount": name}).values()).problem)


def test_of_several_amounts_the_line_amount_comes_first() -> None:
    header = [*list(COLUMNS.values())[:-1], "Invoice Amount", "Line Amount", "Gross Amount", "VAT"]
    assert matched(*header).columns["net_amount"] == header.index("Line Amount")
    header = [*list(COLUMNS.values())[:-1], "Gross Amount", "Net Amount"]
    assert matched(*header).columns["net_amount"] == header.index("Net Amount")


def test_equal_names_are_ambiguous_if_both_columns_have_content() -> None:
    header = [*COLUMNS.values(), "Supplier", "suppliers "]
    assert matched(*header).problem == (
        "columns 6 (Supplier) and 9 (Supplier) and 10 (suppliers) mean vendor_code alike"
    )
    match = match_header(feed(), header, [True] * len(COLUMNS) + [False, False])
    assert (match.problem, match.columns["vendor_code"]) == (None, header.index("Supplier"))


def test_accounts_are_mapped_by_a_column_that_is_named_as_the_field() -> None:
    match = matched(*(COLUMNS | {"account": "Account"}).values())
    assert match.accounts == list(COLUMNS).index("account")
    assert "account" not in match.columns


def test_the_format_of_a_date_is_not_part_of_its_name() -> None:
    same = (
        "Payment Date",
        "payment_date",
        "Payment Date (dd/mm/yyyy)",
        "Payment date DD-MMM-YY",
        "PAYMENT DATES",
        "PaymentDate",
        "paymentDate",
    )
    assert {normal_header(name) for name in same} == {"paymentdate"}
    assert normal_header(" \u00a3 ") == "\u00a3"
    assert normal_header("  ") == ""
