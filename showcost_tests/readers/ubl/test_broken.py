"""Documents that break one rule by the least amount: the reason is that rule, with numbers and line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from showcost_tests.readers.ubl.build import Invoice, Line
from showcost_tests.readers.ubl.test_ubl import FULL, read

if TYPE_CHECKING:
    from pathlib import Path


def spread(document: Invoice) -> bytes:
    """Return a document with one total per line."""
    xml = document.xml().replace("<cac:LegalMonetaryTotal>", "\n\n<cac:LegalMonetaryTotal>")
    return re.sub("(<cac:TaxSubtotal>|<cbc:PayableAmount|<cac:InvoiceLine>)", "\n\\1", xml).encode()


def reasons(folder: Path, document: Invoice | bytes) -> dict[str, str]:
    """Return the reasons for which a document is refused, by the name of the rule."""
    reading = read(folder, document)
    if not reading.rejected:
        return {}
    ((code, detail),) = reading.rejected
    assert code == "SC-FIL-003"
    assert reading.rows == []
    parts = re.split(r"; (?=[A-Z-]+[\d-]+[:,])", detail)
    return {part.partition(": ")[0]: part.partition(": ")[2] for part in parts}


SUMS = {
    # Stated, off by one cent either way; the rule, what it says, and the rules that cannot hold either.
    "BR-CO-10": ("LineExtensionAmount", "148.33", "the lines add up to 148.33", {"BR-CO-13"}),
    "BR-CO-11": ("AllowanceTotalAmount", "10.00", "the allowances add up to 10.00", {"BR-CO-13"}),
    "BR-CO-12": ("ChargeTotalAmount", "4.00", "the charges add up to 4.00", {"BR-CO-13"}),
    "BR-CO-13": ("TaxExclusiveAmount", "142.33", "charges are 142.33", {"BR-CO-15"}),
    "BR-CO-14": ("TaxAmount", "18.76", "the taxes of the categories add up to 18.76", {"BR-CO-15"}),
    "BR-CO-15": ("TaxInclusiveAmount", "161.09", "plus tax is 161.09", {"BR-CO-16"}),
    "BR-CO-16": ("PayableAmount", "61.12", "rounded, is 61.12", set()),
}


@pytest.mark.parametrize("cents", [1, -1, 100, -100_000])
@pytest.mark.parametrize("rule", SUMS)
def test_a_sum_off_by_a_cent(tmp_path: Path, rule: str, cents: int) -> None:
    name, right, detail, others = SUMS[rule]
    document = Invoice(list(FULL), prepaid="100.00", rounding="0.03")
    assert reasons(tmp_path, document) == {}
    units = int(right.replace(".", "")) + cents
    wrong = f"{'-' if units < 0 else ''}{abs(units) // 100}.{abs(units) % 100:02}"
    refused = reasons(tmp_path, Invoice(list(FULL), prepaid="100.00", rounding="0.03", totals={name: wrong}))
    assert refused.keys() == {rule} | others
    assert detail in refused[rule]
    assert refused[rule].endswith(f"{name} in line 2 says {wrong}")


def test_the_line_is_the_line_of_the_fault(tmp_path: Path) -> None:
    refused = reasons(tmp_path, spread(Invoice([Line("1.00")], totals={"PayableAmount": "1.20"})))
    assert refused["BR-CO-16"].endswith("is 1.19, PayableAmount in line 5 says 1.20")
    refused = reasons(
        tmp_path,
        spread(Invoice([Line("1.00"), Line("2.00", code="Z", percent="0")], taxes={"Z": ("2.01", "0")})),
    )
    assert refused["BR-Z-08"] == (
        "what is of the category Z with 0% adds up to 2.00, its TaxableAmount in line 3 says 2.01"
    )


def test_prepaid_and_rounding_that_are_off(tmp_path: Path) -> None:
    payable = {"PayableAmount": "119.00"}
    assert reasons(tmp_path, Invoice([Line("100.00")], prepaid="0.01", totals=payable)).keys() == {"BR-CO-16"}
    assert reasons(tmp_path, Invoice([Line("100.00")], rounding="0.01", totals=payable)).keys() == {
        "BR-CO-16"
    }


def test_a_total_that_is_missing(tmp_path: Path) -> None:
    lines = [Line("100.00"), Line("0.00", sort="allowance"), Line("0.00", sort="charge")]
    missing: dict[str, str | None] = {"AllowanceTotalAmount": None, "ChargeTotalAmount": None}
    refused = reasons(tmp_path, Invoice(lines, totals=missing))
    assert refused == {
        "BR-CO-11": "the allowances add up to 0.00, there is no AllowanceTotalAmount",
        "BR-CO-12": "the charges add up to 0.00, there is no ChargeTotalAmount",
    }
    nothing = {"AllowanceTotalAmount": "0.00", "ChargeTotalAmount": "0"}
    assert reasons(tmp_path, Invoice([Line("100.00")], totals=nothing)) == {}


@pytest.mark.parametrize(
    ("code", "rule"),
    [("Z", "BR-Z"), ("E", "BR-E"), ("AE", "BR-AE"), ("K", "BR-IC"), ("G", "BR-G"), ("O", "BR-O")],
)
def test_categories_without_tax_are_exact(tmp_path: Path, code: str, rule: str) -> None:
    lines = [Line("5.00", code=code, percent=None if code == "O" else "0")]
    assert reasons(tmp_path, Invoice(lines)) == {}
    for taxable in ("5.01", "4.99", "-5.00"):
        assert reasons(tmp_path, Invoice(lines, taxes={code: (taxable, "0")})).keys() == {f"{rule}-08"}
    for tax in ("0.01", "-0.01", "0.49"):
        assert reasons(tmp_path, Invoice(lines, taxes={code: ("5.00", tax)})).keys() == {f"{rule}-09"}
    assert reasons(tmp_path, Invoice(lines, taxes={code: ("5.00", "0.50")})).keys() == {
        f"{rule}-09",
        "BR-CO-17",
    }
    other = Line("1.00", code="S")
    refused = reasons(tmp_path, without_breakdown(Invoice([other, *lines]), code))
    assert f"{rule}-01" in refused
    assert "but no breakdown of it" in refused[f"{rule}-01"]


def without_breakdown(document: Invoice, code: str) -> bytes:
    return re.sub(
        rf"<cac:TaxSubtotal>(?:(?!</cac:TaxSubtotal>).)*<cbc:ID>{code}</cbc:ID>.*?</cac:TaxSubtotal>",
        "",
        document.xml(),
    ).encode()


@pytest.mark.parametrize(("code", "rule"), [("S", "BR-S"), ("L", "BR-AF"), ("M", "BR-AG")])
@pytest.mark.parametrize("sign", ["", "-"])
def test_categories_with_tax_may_be_off_by_less_than_one(
    tmp_path: Path, code: str, rule: str, sign: str
) -> None:
    lines = [Line(f"{sign}100.00", code=code, percent="7"), Line(f"{sign}50.00", code=code, percent="3")]
    for taxable, tax, broken in (
        ("100.99", "7.07", set()),
        ("99.01", "6.93", set()),
        ("101.00", "7.07", {f"{rule}-08"}),
        ("99.00", "6.93", {f"{rule}-08"}),
        ("100.00", "7.99", set()),
        ("100.00", "6.01", set()),
        ("100.00", "8.00", {f"BR-CO-17, {rule}-09"}),
        ("100.00", "6.00", {f"BR-CO-17, {rule}-09"}),
        ("100.00", "-7.00", {f"BR-CO-17, {rule}-09"}),
    ):
        stated = f"{sign}{taxable}", f"{sign}{tax}".replace("--", "")
        assert reasons(tmp_path, Invoice(lines, taxes={f"{code}7": stated})).keys() == broken


def test_each_category_has_one_breakdown_and_no_other_has(tmp_path: Path) -> None:
    xml = Invoice([Line("100.00")]).xml()
    subtotal = xml[xml.index("<cac:TaxSubtotal>") : xml.index("</cac:TaxTotal>")]
    of_nothing = subtotal.replace("100.00", "0.00").replace("19.00", "0.40").replace(">19<", ">7<")
    refused = reasons(
        tmp_path, xml.replace(subtotal, subtotal + of_nothing).replace(">19.00<", ">19.40<", 1).encode()
    )
    assert "BR-S-08" in refused
    refused = reasons(tmp_path, xml.replace(subtotal, subtotal * 2).encode())
    assert refused["BR-S-08"] == "a second breakdown of the category S with 19% in line 1"
    xml = Invoice([Line("100.00", code="E", percent="0")]).xml()
    subtotal = xml[xml.index("<cac:TaxSubtotal>") : xml.index("</cac:TaxTotal>")]
    refused = reasons(tmp_path, xml.replace(subtotal, subtotal * 2).encode())
    assert refused == {"BR-E-01": "a second breakdown of the category E with 0% in line 1"}


def test_there_is_one_tax_total_in_the_document_currency(tmp_path: Path) -> None:
    document = Invoice([Line("100.00")], tax_currency=("EUR", "0.00"))
    assert reasons(tmp_path, document) == {
        "BR-CO-15": "there are 2 tax totals in EUR, where there has to be one"
    }
    refused = reasons(
        tmp_path,
        Invoice([Line("100.00", code="E", percent="0")], tax_currency=None)
        .data()
        .replace(b"TaxTotal>", b"Total>"),
    )
    assert refused.keys() == {"BR-CO-15", "BR-E-01"}


def test_more_than_two_decimals(tmp_path: Path) -> None:
    assert reasons(tmp_path, Invoice([Line("0.334"), Line("0.333"), Line("0.333")])).keys() >= {"BR-DEC-23"}
    refused = reasons(tmp_path, Invoice([Line("100.00")], totals={"PayableAmount": "119.000"}))
    assert refused == {"BR-DEC-18": "119.000 in line 2 has more than 2 decimals"}


def test_amounts_without_a_currency(tmp_path: Path) -> None:
    data = (
        Invoice([Line("100.00")])
        .data()
        .replace(b'<cbc:PayableAmount currencyID="EUR"', b"<cbc:PayableAmount")
    )
    assert "no currency" in reasons(tmp_path, data)["PEPPOL-EN16931-R051"]


@pytest.mark.parametrize(("credit", "code"), [(False, "381"), (False, "261"), (True, "380"), (True, "384")])
def test_a_type_that_contradicts_the_root(tmp_path: Path, credit: bool, code: str) -> None:
    ((reason, detail),) = read(tmp_path, Invoice(FULL, credit=credit, type_code=code)).rejected
    assert reason == "SC-FIL-001"
    assert detail.startswith("BR-CL-01: ")


@pytest.mark.parametrize(
    ("part", "by", "expected"),
    [
        (
            ">100.00<",
            ">\u0661\u0660\u0660<",
            "the cac:InvoiceLine in line 2 has a cbc:LineExtensionAmount that",
        ),
        (">100.00<", f">{'9' * 25}<", "is no amount"),
        (">100.00<", ">1,000.00<", "is no amount"),
        (">100.00<", ">1 00.00<", "is no amount"),
        (">100.00<", "><cbc:X/>100.00<", "the cac:InvoiceLine in line 2 has no cbc:LineExtensionAmount"),
        (">100.00<", ">100<cbc:X/>.00<", "is no amount"),
        ("<cac:Item>", "<cac:Item/><cac:Item>", "has 2 cac:Item, where there has to be one"),
        ("<cbc:PayableA", "<cbc:PayableAmount>1</cbc:PayableAmount><cbc:PayableA", "has 2 cbc:PayableAmount"),
        ("<cac:Classi", "<cac:ClassifiedTaxCategory/><cac:Classi", "has 2 cac:ClassifiedTaxCategory"),
        ("InvoiceLine", "CreditNoteLine", "the document has no lines"),
    ],
)
def test_an_ambiguous_or_invalid_amount_is_named(tmp_path: Path, part: str, by: str, expected: str) -> None:
    ((code, detail),) = read(tmp_path, Invoice(FULL).data().replace(part.encode(), by.encode())).rejected
    assert code == "SC-FIL-001"
    assert expected in detail


def test_numbers_of_any_length_are_computed_exactly_or_refused(tmp_path: Path) -> None:
    nines = "9" * 23
    refused = reasons(
        tmp_path, Invoice([Line("100.00", percent=nines)], taxes={"S": ("100.00", f"{nines}.99")})
    )
    assert refused == {}
    refused = reasons(tmp_path, Invoice([Line(nines), Line(nines)], totals={"LineExtensionAmount": nines}))
    assert f"the lines add up to 1{nines[1:]}8.00" in refused["BR-CO-10"]
