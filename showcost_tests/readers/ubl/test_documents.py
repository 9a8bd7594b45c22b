"""Documents of every kind that the standard allows, read to the totals that an accountant would read.

The figures expected are worked out by hand, not computed as the reader does.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import pytest

from showcost_tests.readers.ubl.build import Invoice, Line
from showcost_tests.readers.ubl.test_ubl import FULL, read

if TYPE_CHECKING:
    from pathlib import Path

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"


class Expected(NamedTuple):
    """A document; the sums of its rows: net, tax, gross; the taxes of its rows in order."""

    document: Invoice
    net: str
    tax: str
    gross: str
    taxes: tuple[str, ...]


def customization(name: str) -> str:
    return f"<cbc:CustomizationID>{name}</cbc:CustomizationID>"


LINE_ALLOWANCE = (
    "<cac:AllowanceCharge><cbc:ChargeIndicator>false</cbc:ChargeIndicator><cbc:AllowanceChargeReason>10 %"
    '</cbc:AllowanceChargeReason><cbc:Amount currencyID="EUR">10.00</cbc:Amount></cac:AllowanceCharge>'
    "<cac:AllowanceCharge><cbc:ChargeIndicator>true</cbc:ChargeIndicator><cbc:AllowanceChargeReason>freight"
    '</cbc:AllowanceChargeReason><cbc:Amount currencyID="EUR">2.50</cbc:Amount></cac:AllowanceCharge>'
)
BASE = "urn:cen.eu:en16931:2017"
DOCUMENTS = {
    "reduced and standard rates": Expected(
        Invoice([Line("1000.00", percent="25"), Line("400.00", percent="15"), Line("100.00", percent="25")]),
        *("1500.00", "335.00", "1835.00", ("250.00", "60.00", "25.00")),
    ),
    "rates written otherwise in the breakdown": Expected(
        Invoice([Line("100.00", percent="19.00"), Line("100.00", percent="7.5")]),
        *("200.00", "26.50", "226.50", ("19.00", "7.50")),
    ),
    "zero rated": Expected(
        Invoice([Line("12.34", code="Z", percent="0")]), "12.34", "0.00", "12.34", ("0.00",)
    ),
    "exempt beside standard": Expected(
        Invoice([Line("50.00"), Line("50.00", code="E", percent="0")]),
        *("100.00", "9.50", "109.50", ("9.50", "0.00")),
    ),
    "reverse charge": Expected(
        Invoice([Line("500.00", code="AE", percent="0")]), "500.00", "0.00", "500.00", ("0.00",)
    ),
    "intra-community": Expected(
        Invoice([Line("500.00", code="K", percent="0")]), "500.00", "0.00", "500.00", ("0.00",)
    ),
    "export": Expected(
        Invoice([Line("500.00", code="G", percent="0")]), "500.00", "0.00", "500.00", ("0.00",)
    ),
    "outside the scope of VAT": Expected(
        Invoice([Line("500.00", code="O", percent=None)]), "500.00", "0.00", "500.00", ("0.00",)
    ),
    "two rates of the Canary Islands": Expected(
        Invoice([Line("100.00", code="L", percent="7"), Line("200.00", code="L", percent="3")]),
        *("300.00", "13.00", "313.00", ("7.00", "6.00")),
    ),
    "two rates of Ceuta, one of them nought": Expected(
        Invoice([Line("100.00", code="M", percent="4"), Line("10.00", code="M", percent="0")]),
        *("110.00", "4.00", "114.00", ("4.00", "0.00")),
    ),
    "a category of a profile": Expected(
        Invoice([Line("1000", code="AA", percent="8"), Line("1000", percent="10")], currency="JPY"),
        *("2000", "180.00", "2180.00", ("80.00", "100.00")),
    ),
    "prepaid": Expected(Invoice([Line("100.00")], prepaid="119.00"), "100.00", "19.00", "119.00", ("19.00",)),
    "prepaid too much": Expected(
        Invoice([Line("100.00")], prepaid="200.00"), "100.00", "19.00", "119.00", ("19.00",)
    ),
    "rounded down": Expected(
        Invoice([Line("100.02")], rounding="-0.02"), "100.00", "19.00", "119.00", ("0.00", "19.00")
    ),
    "rounded up, prepaid": Expected(
        Invoice([Line("100.00", percent="25")], rounding="0.50", prepaid="25.00"),
        *("100.50", "25.00", "125.50", ("0.00", "25.00")),
    ),
    "allowance and charge of two rates": Expected(
        Invoice(
            [
                Line("1000.00", percent="25"),
                Line("500.00", percent="12"),
                Line("100.00", sort="allowance", percent="25"),
                Line("25.00", sort="charge", percent="12"),
            ]
        ),
        *("1425.00", "288.00", "1713.00", ("-25.00", "3.00", "250.00", "60.00")),
    ),
    "an allowance that takes all": Expected(
        Invoice([Line("100.00"), Line("100.00", sort="allowance")]),
        *("0.00", "0.00", "0.00", ("0.00", "0.00")),
    ),
    "an allowance of nothing": Expected(
        Invoice([Line("100.00"), Line("0.00", sort="allowance")]),
        *("100.00", "19.00", "119.00", ("0.00", "19.00")),
    ),
    "allowance and charge on the line": Expected(
        Invoice([Line("92.50", extra=LINE_ALLOWANCE, percent="20")]),
        *("92.50", "18.50", "111.00", ("18.50",)),
    ),
    "a line taken back": Expected(
        Invoice([Line("100.00"), Line("-30.00")]), "70.00", "13.30", "83.30", ("19.00", "-5.70")
    ),
    "all of it negative": Expected(
        Invoice([Line("-625743.54", percent="25")]), "-625743.54", "-156435.89", "-782179.43", ("-156435.89",)
    ),
    "corrective": Expected(
        Invoice([Line("-10.00")], type_code="384"), "-10.00", "-1.90", "-11.90", ("-1.90",)
    ),
    "self-billed": Expected(Invoice([Line("10.00")], type_code="389"), "10.00", "1.90", "11.90", ("1.90",)),
    "partial": Expected(Invoice([Line("10.00")], type_code="326"), "10.00", "1.90", "11.90", ("1.90",)),
    "self-billed credit note": Expected(
        Invoice([Line("10.00")], credit=True, type_code="261"), "-10.00", "-1.90", "-11.90", ("-1.90",)
    ),
    "credit note with all": Expected(
        Invoice(
            [Line("100.00"), Line("10.00", sort="allowance"), Line("5.00", sort="charge")],
            credit=True,
            rounding="0.01",
        ),
        *("-95.01", "-18.05", "-113.06", ("1.90", "-0.95", "0.00", "-19.00")),
    ),
    "negative credit note": Expected(
        Invoice([Line("-10.00")], credit=True), "10.00", "1.90", "11.90", ("1.90",)
    ),
    "tax of the sum, not of the lines": Expected(
        Invoice([Line("0.33"), Line("0.33"), Line("0.33")]), "0.99", "0.19", "1.18", ("0.06", "0.07", "0.06")
    ),
    "tax summed by lines, within the tolerance": Expected(
        Invoice([Line("0.33"), Line("0.33"), Line("0.33")], taxes={"S": ("0.99", "0.18")}),
        *("0.99", "0.18", "1.17", ("0.06", "0.06", "0.06")),
    ),
    "taxable amount within the tolerance": Expected(
        Invoice([Line("100.00")], taxes={"S": ("100.99", "19.19")}), "100.00", "19.19", "119.19", ("19.19",)
    ),
    "yen": Expected(
        Invoice(
            [Line("333", percent="10"), Line("333", percent="10")], currency="JPY", taxes={"S": ("666", "67")}
        ),
        *("666", "67", "733", ("34", "33")),
    ),
    "dinars of three decimals": Expected(
        Invoice([Line("10.55", percent="5"), Line("10.55", percent="5")], currency="BHD"),
        *("21.10", "1.06", "22.16", ("0.530", "0.530")),
    ),
    "tax currency": Expected(
        Invoice([Line("100.00", percent="25")], tax_currency=("SEK", "281.75")),
        *("100.00", "25.00", "125.00", ("25.00",)),
    ),
    "many digits": Expected(
        Invoice([Line("99999999999999999.99", percent="100")]),
        *("99999999999999999.99", "99999999999999999.99", "199999999999999999.98", ("99999999999999999.99",)),
    ),
    "XRechnung": Expected(
        Invoice([Line("1.00")], head=customization(f"{BASE}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0")),
        *("1.00", "0.19", "1.19", ("0.19",)),
    ),
    "NLCIUS": Expected(
        Invoice([Line("1.00")], head=customization(f"{BASE}#compliant#urn:fdc:nen.nl:nlcius:v1.0")),
        *("1.00", "0.19", "1.19", ("0.19",)),
    ),
    "PINT": Expected(
        Invoice([Line("1.00")], head=customization("urn:peppol:pint:billing-1@jp-1")),
        *("1.00", "0.19", "1.19", ("0.19",)),
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_read_to_its_totals(tmp_path: Path, name: str) -> None:
    expected = DOCUMENTS[name]
    reading = read(tmp_path, expected.document)
    assert reading.rejected == []
    for column, total in (
        ("net_amount", expected.net),
        ("tax_amount", expected.tax),
        ("gross_amount", expected.gross),
    ):
        assert reading.total(column) == Decimal(total)
    assert [Decimal(row["tax_amount"]) for row in reading.rows] == [Decimal(tax) for tax in expected.taxes]
    assert {row["currency"] for row in reading.rows} == {expected.document.currency}


AS_TEXT = {
    "other prefixes": lambda xml: (
        xml.replace("cbc:", "ns2:")
        .replace("cac:", "x-1:")
        .replace(":cbc=", ":ns2=")
        .replace(":cac=", ":x-1=")
    ),
    "a prefix for the root": lambda xml: xml.replace("<Invoice xmlns=", "<inv:Invoice xmlns:inv=").replace(
        "</Invoice>", "</inv:Invoice>"
    ),
    "a default namespace on each element": lambda xml: xml.replace(
        "<cbc:ID>", f'<ID xmlns="{UBL}CommonBasicComponents-2">'
    ).replace("</cbc:ID>", "</ID>"),
    "comments": lambda xml: xml.replace(">100.00<", "><!-- a -->10<!-- b -->0.00<!-- c --><"),
    "CDATA": lambda xml: xml.replace(">100.00<", "><![CDATA[100]]>.<![CDATA[00]]><"),
    "processing instructions": lambda xml: (
        '<?xml-stylesheet type="text/xsl" href="http://127.0.0.1:9/x.xsl"?>'
        + xml.replace(">100.00<", ">100<?a b?>.00<").replace("<cac:", "<?x y?><cac:")
    ),
    "white space": lambda xml: xml.replace(">100.00<", ">\n\t 100.00\r\n<").replace("><", "> \n <"),
    "character references": lambda xml: xml.replace(">100.00<", ">&#49;00&#x2e;00<"),
    "leading zeros and signs": lambda xml: xml.replace(">100.00<", ">+00100.0<"),
    "single quotes and empty elements": lambda xml: xml.replace('"', "'").replace(
        "<cac:Item>", "<cac:Item><cbc:Note/>"
    ),
    "attributes beside the currency": lambda xml: xml.replace(
        'currencyID="EUR"', 'currencyID=" EUR " languageID="de" currencyCodeListVersionID="x"'
    ),
    "extensions in another currency": lambda xml: xml.replace(
        "<cbc:ID>R-17",
        f'<ext:UBLExtensions xmlns:ext="{UBL}CommonExtensionComponents-2"><ext:UBLExtension>'
        '<ext:ExtensionContent><cbc:Amount currencyID="USD">1</cbc:Amount></ext:ExtensionContent>'
        "</ext:UBLExtension>"
        "</ext:UBLExtensions><cbc:ID>R-17",
    ),
    "an amount that is not of the standard in another currency": lambda xml: xml.replace(
        "</cac:TaxSubtotal>",
        '<cbc:TransactionCurrencyTaxAmount currencyID="NOK">1</cbc:TransactionCurrencyTaxAmount>'
        "</cac:TaxSubtotal>",
    ),
}


@pytest.mark.parametrize("form", AS_TEXT)
def test_the_form_of_the_xml_does_not_change_the_reading(tmp_path: Path, form: str) -> None:
    plain = Invoice(FULL).xml()
    changed = AS_TEXT[form](plain)
    assert changed != plain
    reading, expected = read(tmp_path, changed.encode()), read(tmp_path, plain.encode())
    assert reading.rejected == []
    amounts = ("net_amount", "tax_amount", "gross_amount")
    assert [[Decimal(row[name]) for name in amounts] for row in reading.rows] == [
        [Decimal(row[name]) for name in amounts] for row in expected.rows
    ]
    assert [row["line_no"] for row in reading.rows] == [row["line_no"] for row in expected.rows]


@pytest.mark.parametrize(
    ("encoding", "declared", "mark"),
    [
        ("utf-8", "UTF-8", b"\xef\xbb\xbf"),
        ("utf-8", None, b"\xef\xbb\xbf"),
        ("utf-16-le", "UTF-16", b"\xff\xfe"),
        ("utf-16-be", "UTF-16", b"\xfe\xff"),
        ("utf-16-le", None, b"\xff\xfe"),
        ("iso-8859-1", "ISO-8859-1", b""),
        ("iso-8859-15", "ISO-8859-15", b""),
        ("windows-1252", "Windows-1252", b""),
    ],
)
@pytest.mark.parametrize("expected", ["ubl", "csv"])
def test_every_encoding_with_its_mark(
    tmp_path: Path, encoding: str, declared: str | None, mark: bytes, expected: str
) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    data = mark + (declaration + Invoice(FULL).xml()).encode(encoding)
    reading = read(tmp_path, data, expected)
    assert reading.rejected == []
    assert reading.rows[-1]["description"] == "Tonangel & Zubehör"
    for start, end in reading.places:
        assert data[start:end].decode(encoding).startswith("<cac:")


def test_the_number_for_direct_debits_is_not_the_sellers(tmp_path: Path) -> None:
    debit, own = (
        f'<cac:PartyIdentification><cbc:ID schemeID="{scheme}">{number}</cbc:ID></cac:PartyIdentification>'
        for scheme, number in (("SEPA", "DE98ZZZ09999999999"), ("0088", "4000001123452"))
    )
    assert read(tmp_path, Invoice(FULL, seller=debit)).rows[0]["vendor_code"] == "DE999000105"
    assert read(tmp_path, Invoice(FULL, seller=debit + own)).rows[0]["vendor_code"] == "4000001123452"


def test_dates_are_calendar_days_whatever_their_zone(tmp_path: Path) -> None:
    document = (
        Invoice(FULL).xml().replace("2026-10-05<", "2026-10-05+02:00<").replace("2026-11-04<", "2026-11-04Z<")
    )
    row = read(tmp_path, document.encode()).rows[0]
    assert (row["invoice_date"], row["due_date"]) == ("2026-10-05", "2026-11-04")


def test_lines_of_the_same_number_stay_apart(tmp_path: Path) -> None:
    lines = [Line("1.00", number=number) for number in ("1", "1", "1 (2)", "1", "rounding", "allowance 1")]
    reading = read(tmp_path, Invoice([*lines, Line("1.00", sort="allowance")], rounding="0.01"))
    names = [row["line_no"] for row in reading.rows]
    assert len(set(names)) == len(names)
    assert names == [
        "allowance 1",
        "rounding",
        "1",
        "1 (2)",
        "1 (2) (2)",
        "1 (3)",
        "rounding (2)",
        "allowance 1 (2)",
    ]


def test_large_attachments_are_accepted(tmp_path: Path) -> None:
    attachment = (
        "<cac:AdditionalDocumentReference><cbc:ID>plan</cbc:ID><cac:Attachment>"
        '<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="plan.pdf">'
        + "\n".join(["QUJD" * 19] * 60_000)
        + "</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
    )
    assert len(read(tmp_path, Invoice(FULL, head=attachment * 3)).rows) == len(FULL)
