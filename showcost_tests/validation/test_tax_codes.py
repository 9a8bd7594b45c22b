"""Tax by its code: the share that is recovered, the cost, unknown codes, and the rate."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest

from showcost.config.agreements import packaged
from showcost.config.chart import load_chart
from showcost.config.production import Production
from showcost.core.errors import ConfigError
from showcost_tests.sample.truth import HOME
from showcost_tests.validation.raw import INVOICE, PRODUCTION, Row, feed_of, raw_table, run

FEED: Final = feed_of("vendor_invoice")
CODES: Final = (
    {"country": "DE", "code": "V19", "rate": "19", "recoverable": "100"},
    {"country": "GB", "code": "BLK", "rate": "20", "recoverable": "0"},
    {"country": "GB", "code": "HALF", "rate": "20", "recoverable": "50", "account": "9120"},
    {"country": "US", "code": "ST", "recoverable": "0"},
    {"country": "US", "code": "", "recoverable": "0"},
    {"country": "IE", "code": "S", "rate": "21", "recoverable": "100", "to": "2026-09-30"},
    {"country": "IE", "code": "S", "rate": "23", "recoverable": "100", "from": "2026-10-01"},
)


def show(*codes: dict[str, str]) -> Production:
    return Production.model_validate(PRODUCTION.model_dump(by_alias=True) | {"tax_codes": codes or CODES})


def posted(**change: object) -> tuple[list[tuple[str, str, Decimal]], list[str]]:
    """Return the components of an invoice of 100.00, or the codes of its rejection, and the flags."""
    row: Row = INVOICE | {"tax_amount": "20.00", "gross_amount": "120.00"} | change
    result = run(FEED, raw_table(FEED, [row]), production=show())
    if result.quarantine.num_rows:
        return [], result.quarantine.column("codes")[0].as_py()
    (valid,) = result.valid.to_pylist()
    parts = [(part["component"], part["account"], part["amount"].normalize()) for part in valid["components"]]
    return parts, [f"{flag}?" for flag in valid["flags"]]


def test_recoverable_tax_goes_to_its_account_and_the_rest_is_cost() -> None:
    german = {"vendor_country": "DE", "tax_code": "v19", "tax_amount": "19.00", "gross_amount": "119.00"}
    assert posted(**german) == ([("net", "2210", Decimal(100)), ("tax", "9110", Decimal(19))], [])
    british = {"vendor_country": "UK", "vendor_tax_id": "GB980780684"}
    assert posted(**british, tax_code="BLK") == (
        [("net", "2210", Decimal(100)), ("tax_cost", "2210", Decimal(20))],
        [],
    )
    uneven = {"net_amount": "100.05", "tax_amount": "20.01", "gross_amount": "120.06"}
    assert posted(**british, tax_code="HALF", **uneven)[0][1:] == [
        ("tax", "9120", Decimal("10.01")),
        ("tax_cost", "2210", Decimal(10)),
    ]


@pytest.mark.parametrize("code", ["ST", ""])
def test_sales_tax_of_the_united_states_is_cost(code: str) -> None:
    american = {"vendor_country": "US", "vendor_tax_id": "12-3456789", "tax_code": code, "currency": "USD"}
    assert posted(**american) == ([("net", "2210", Decimal(100)), ("tax_cost", "2210", Decimal(20))], [])


def test_an_unknown_code_asks_a_person_unless_there_is_no_tax() -> None:
    assert posted(tax_code="V99") == ([], ["SC-TAX-001"])
    assert posted(tax_code="") == ([], ["SC-TAX-001"])
    assert posted(tax_code="V99", tax_amount="0", gross_amount="100")[1] == []


def test_a_code_means_what_it_meant_on_the_date() -> None:
    irish = {"vendor_country": "IE", "vendor_tax_id": "IE6388047V", "tax_code": "S"}
    of = {"tax_amount": "23.00", "gross_amount": "123.00"}
    assert posted(**irish, **of, invoice_date="2026-10-05")[1] == []
    assert posted(**irish, **of, invoice_date="2026-09-28")[1] == ["SC-TAX-002?"]


def test_without_tax_codes_all_tax_is_recoverable() -> None:
    result = run(FEED, raw_table(FEED, [INVOICE | {"tax_code": "V99"}]))
    assert [part["account"] for part in result.valid.to_pylist()[0]["components"]] == ["2210", "9110"]


def test_a_code_has_one_meaning_a_day_and_an_account_of_the_chart() -> None:
    twice = {"country": "DE", "code": "v19", "recoverable": "0"}
    with pytest.raises(ValueError, match="one meaning"):
        show(CODES[0], twice)
    wrong = show(CODES[0] | {"account": "9999"})
    with pytest.raises(ConfigError, match="tax_codes, DE V19"):
        load_chart(HOME / "chart_of_accounts.csv", wrong, packaged().unions)
