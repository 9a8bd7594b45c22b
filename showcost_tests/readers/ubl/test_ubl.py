"""E-invoices: rows that agree with the document to the cent, or a refusal by the broken rule."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.readers import read_delivery
from showcost.readers.ubl.rows import COLUMNS, shares
from showcost_tests.corpus import corpus_dir
from showcost_tests.readers.ubl.build import Invoice, Line

if TYPE_CHECKING:
    from pathlib import Path

MONETARY = {
    "BR-CO-10": "LineExtensionAmount",
    "BR-CO-11": "AllowanceTotalAmount",
    "BR-CO-12": "ChargeTotalAmount",
    "BR-CO-13": "TaxExclusiveAmount",
    "BR-CO-14": "TaxAmount",
    "BR-CO-15": "TaxInclusiveAmount",
    "BR-CO-16": "PayableAmount",
}
FULL = [
    Line("100.00"),
    Line("33.33", percent="7"),
    Line("-5.00"),
    Line("10.00", sort="allowance"),
    Line("4.00", sort="charge", percent="7"),
    Line("20.00", code="E", percent="0"),
]


class Read:
    """A reading: rows as dictionaries, rejections as (code, detail)."""

    def __init__(self, path: Path, expected: str = "ubl") -> None:
        with read_delivery(path, format=expected) as reading:
            table = reading.table()
            self.header = reading.header
            self.rows = [
                dict(zip(reading.header, cells, strict=True)) for cells in table["cells"].to_pylist()
            ]
            self.raw = table["raw"].to_pylist()
            self.places = list(
                zip(table["byte_start"].to_pylist(), table["byte_end"].to_pylist(), strict=True)
            )
            self.rejected = [(rejected.code, rejected.detail) for rejected in reading.rejected]
            assert reading.counts.total == len(self.rows) + len(self.rejected)

    def total(self, name: str) -> Decimal:
        return sum((Decimal(row[name]) for row in self.rows), Decimal(0))


def read(folder: Path, content: Invoice | bytes, expected: str = "ubl") -> Read:
    path = folder / "e-invoice.xml"
    path.write_bytes(content.data() if isinstance(content, Invoice) else content)
    return Read(path, expected)


def test_a_document_becomes_rows_of_the_record_kind(tmp_path: Path) -> None:
    reading = read(tmp_path, Invoice([Line("100.00", cost="3650"), Line("50.10", percent="7")]))
    assert reading.header == COLUMNS
    assert reading.rows[0] == {
        "vendor_code": "V-DE-010",
        "vendor_name": "Wachschutz Drewitz GmbH",
        "vendor_tax_id": "DE999000105",
        "vendor_country": "DE",
        "invoice_no": "R-17",
        "invoice_date": "2026-10-05",
        "service_from": "",
        "service_to": "",
        "po_no": "",
        "line_no": "1",
        "account": "3650",
        "description": "Tonangel & Zubehör",
        "currency": "EUR",
        "net_amount": "100.00",
        "tax_code": "S19",
        "tax_amount": "19.00",
        "gross_amount": "119.00",
        "due_date": "2026-11-04",
        "document_type": "380",
        "item_class": "",
    }
    assert [row["account"] for row in reading.rows] == ["3650", "3630"]
    assert [row["tax_amount"] for row in reading.rows] == ["19.00", "3.51"]


def test_rows_add_up_to_the_document_and_have_its_places(tmp_path: Path) -> None:
    document = Invoice(FULL, rounding="0.03", prepaid="50.00")
    reading = read(tmp_path, document)
    assert [row["line_no"] for row in reading.rows] == [
        "allowance 1",
        "charge 1",
        "rounding",
        "1",
        "2",
        "3",
        "4",
    ]
    assert reading.total("net_amount") == Decimal("142.33") + Decimal("0.03")
    assert reading.total("tax_amount") == Decimal("16.15") + Decimal("2.61")
    assert reading.total("gross_amount") == reading.total("net_amount") + reading.total("tax_amount")
    data = document.data()
    for (start, end), raw in zip(reading.places, reading.raw, strict=True):
        assert data[start:end].startswith(b"<cac:")
        assert data[start:end].endswith(b">")
        assert data[start:end].decode().split(">", 1)[1] == raw.split(">", 1)[1]


def test_a_credit_note_has_negative_amounts(tmp_path: Path) -> None:
    invoice, note = read(tmp_path, Invoice(FULL)), read(tmp_path, Invoice(FULL, credit=True))
    for name in ("net_amount", "tax_amount", "gross_amount"):
        assert note.total(name) == -invoice.total(name)
    assert {row["document_type"] for row in note.rows} == {"381"}


@pytest.mark.parametrize(("code", "percent"), [("Z", "0"), ("E", "0"), ("AE", "0"), ("K", "0"), ("O", None)])
def test_categories_without_tax(tmp_path: Path, code: str, percent: str | None) -> None:
    reading = read(
        tmp_path,
        Invoice([Line("-3.10", code=code, percent=percent), Line("0.00", code=code, percent=percent)]),
    )
    assert [row["tax_amount"] for row in reading.rows] == ["0.00", "0.00"]
    assert [row["net_amount"] for row in reading.rows] == ["-3.10", "0.00"]
    assert reading.rows[0]["tax_code"] == code + (percent or "")


@pytest.mark.parametrize("rule", MONETARY)
def test_a_wrong_sum_refuses_the_document_by_its_rule(tmp_path: Path, rule: str) -> None:
    assert read(tmp_path, Invoice(list(FULL))).rejected == []
    reading = read(tmp_path, Invoice(list(FULL), totals={MONETARY[rule]: "77.77"}))
    ((code, detail),) = reading.rejected
    assert code == "SC-FIL-003"
    assert reading.rows == []
    assert f"{rule}: " in detail
    assert "77.77" in detail


def test_a_missing_total_counts_as_nothing(tmp_path: Path) -> None:
    document = Invoice(FULL).data().replace(b"AllowanceTotalAmount", b"OtherAmount")
    assert [detail.split(":")[0] for _, detail in read(tmp_path, document).rejected] == ["BR-CO-11"]


def test_the_breakdown_must_follow_from_the_lines(tmp_path: Path) -> None:
    lines = [Line("100.00")]
    assert read(tmp_path, Invoice(lines, taxes={"S": ("100.00", "19.99")})).rejected == []
    for taxes, rule in ((("100.00", "20.00"), "BR-CO-17, BR-S-09"), (("101.00", "19.19"), "BR-S-08")):
        ((_, detail),) = read(tmp_path, Invoice(lines, taxes={"S": taxes})).rejected
        assert detail.startswith(f"{rule}: ")
    exempt = Invoice([Line("5.00", code="K", percent="0")], taxes={"K": ("5.01", "0")})
    ((_, detail),) = read(tmp_path, exempt).rejected
    assert detail.startswith("BR-IC-08: ")
    other = Invoice([Line("5.00", code="Z", percent="0")]).data()
    wrong = other[::-1].replace(b">DI:cbc/<Z>DI:cbc<", b">DI:cbc/<E>DI:cbc<", 1)[::-1]
    ((_, detail),) = read(tmp_path, wrong).rejected
    assert "BR-E-01: " in detail


def test_amounts_in_another_currency_are_not_added_up(tmp_path: Path) -> None:
    assert read(tmp_path, Invoice(FULL, tax_currency=("SEK", "211.00"))).rejected == []
    mixed = (
        Invoice(FULL)
        .data()
        .replace(b'<cbc:PayableAmount currencyID="EUR"', b'<cbc:PayableAmount currencyID="USD"')
    )
    ((_, detail),) = read(tmp_path, mixed).rejected
    assert detail == (
        "PEPPOL-EN16931-R051: there are amounts in USD, the first in line 2; the document is in EUR"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    reading = read(tmp_path, Invoice(FULL).data(encoding))
    assert reading.rows[-1]["description"] == "Tonangel & Zubehör"


def test_an_envelope_is_opened(tmp_path: Path) -> None:
    envelope = f"<Envelope xmlns='urn:x'><Header><A/></Header>{Invoice(FULL).xml()}<B/></Envelope>"
    reading = read(tmp_path, envelope.encode())
    assert len(reading.rows) == len(FULL)
    data = envelope.encode()
    assert all(data[start:end].startswith(b"<cac:") for start, end in reading.places)
    twice = f"<E>{Invoice(FULL).xml()}{Invoice(FULL).xml()}</E>".encode()
    assert "there has to be one" in read(tmp_path, twice).rejected[0][1]


def test_an_e_invoice_is_recognised_by_its_bytes(tmp_path: Path) -> None:
    assert len(read(tmp_path, Invoice(FULL), expected="csv").rows) == len(FULL)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><x>&l9;</x>',
    "an external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "an external document type": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><x/>',
    "a quadratic blowup": f'<!DOCTYPE x [<!ENTITY a "{"a" * 10_000}">]><x>{"&a;" * 10_000}</x>',
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_entities_and_document_types_are_refused(tmp_path: Path, attack: str) -> None:
    ((code, detail),) = read(tmp_path, HOSTILE[attack].encode()).rejected
    assert (code, detail) == ("SC-FIL-001", "XML with a document type or entities, which no e-invoice needs")


XINCLUDE = 'xmlns:xi="http://www.w3.org/2001/XInclude"'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<a>" * 200 + b"</a>" * 200, "more than 100 levels"),
        (b"<Invoice><ID>1</Invoice>", "no well-formed XML: line 1, column 17: mismatched tag"),
        (Invoice(FULL).data()[:-200], "unclosed token"),
        (Invoice(FULL).data() * 2, "junk after document element"),
        (Invoice(FULL).data() + Invoice(FULL).xml().encode(), "junk after document element"),
        (Invoice(FULL).data().replace(b"R-17", b"R\0-17"), "no well-formed XML: line 2"),
        (Invoice(FULL).data().replace(b"R-17", b"R\xff-17"), "no well-formed XML: line 2"),
        (Invoice(FULL).data("iso-8859-1").replace(b"iso-8859-1", b"utf-8"), "no well-formed XML: line 2"),
        (Invoice(FULL).data().replace(b"R-17", b"R&#0;-17"), "no well-formed XML: line 2"),
        (Invoice(FULL).data().replace(b"R-17", b"R&undeclared;-17"), "undefined entity"),
        (Invoice(FULL).data().replace(b"<cbc:ID>", b"<q:ID>", 1), "unbound prefix"),
        (Invoice(FULL).data().replace(b"Invoice-2", b"Order-2"), "0 invoices or credit notes of UBL 2.1"),
        (b"<rsm:CrossIndustryInvoice xmlns:rsm='urn:x'/>", "its root is CrossIndustryInvoice"),
        (f"<a {XINCLUDE}><xi:include href='file:///etc/passwd' parse='text'/></a>".encode(), "inclusions"),
        (b"<a " + b"".join(b"a%d='' " % n for n in range(200_000)) + b"/>", "a tag or comment of more than"),
        (b"<a>" + b"<b c='' d='' e=''/>" * 600_000 + b"</a>", "more than 2000000 elements and attributes"),
        (b"<a><!--" + b"x" * 2**21 + b"--></a>", "a tag or comment of more than"),
        (b"vendor;amount\nx;1\n", "no well-formed XML: line 1, column 7"),
        (b"<html><body>503</body></html>", "0 invoices or credit notes"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "encoding"),
        (b"\xff\xfe\x00", "XML"),
        (b"", "the file is empty"),
    ],
)
def test_a_file_that_is_not_an_e_invoice_is_named_so(tmp_path: Path, content: bytes, expected: str) -> None:
    ((code, detail),) = read(tmp_path, content).rejected
    assert code == "SC-FIL-001"
    assert expected in detail


def test_text_repeated_in_every_row_is_limited(tmp_path: Path) -> None:
    many = [Line("1.00")] * 1_000
    long = "9" * 300_000
    for lines, accepted in ((FULL, True), (many, False)):
        xml = Invoice(lines).xml()
        own = xml.replace("R-17", long)
        namespaces = xml.replace(" xmlns:cac", f' xmlns:n="{long}" xmlns:cac', 1)
        for content, kind in ((own, "its own fields"), (namespaces, "namespaces")):
            reading = read(tmp_path, content.encode())
            assert (reading.rejected == []) == accepted
            assert accepted or f"characters of {kind}, which 10" in reading.rejected[0][1]


@pytest.mark.parametrize(
    ("part", "by", "expected"),
    [
        ("<cbc:ID>R-17</cbc:ID>", "", "the document has no cbc:ID"),
        (
            ">100.00<",
            ">1e2<",
            "the cac:InvoiceLine in line 2 has a cbc:LineExtensionAmount that is no amount",
        ),
        (
            ">100.00<",
            ">NaN<",
            "the cac:InvoiceLine in line 2 has a cbc:LineExtensionAmount that is no amount",
        ),
        (">100.00<", "><", "the cac:InvoiceLine in line 2 has no cbc:LineExtensionAmount"),
        (">false<", ">perhaps<", "neither true nor false"),
        ("InvoiceLine", "InvoiceRow", "the document has no lines"),
        ("DocumentCurrencyCode", "Currency", "the document has no cbc:DocumentCurrencyCode"),
        ("LegalMonetaryTotal", "Total", "the document has no cac:LegalMonetaryTotal"),
    ],
)
def test_a_missing_or_invalid_element_is_named(tmp_path: Path, part: str, by: str, expected: str) -> None:
    ((code, detail),) = read(tmp_path, Invoice(FULL).data().replace(part.encode(), by.encode())).rejected
    assert code == "SC-FIL-001"
    assert expected in detail


def test_a_document_beyond_the_limit_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    with path.open("wb") as file:
        file.write(Invoice(FULL).data()[:-20])
        file.truncate(2**30)
    ((code, detail),) = Read(path).rejected
    assert (code, detail) == ("SC-FIL-001", f"the e-invoice is larger than {64 * 2**20} bytes")


def test_a_large_attachment_is_accepted(tmp_path: Path) -> None:
    attachment = (
        "<cac:AdditionalDocumentReference><cbc:ID>plan</cbc:ID><cac:Attachment>"
        f"<cbc:EmbeddedDocumentBinaryObject>{'QUJD' * 4_000_000}</cbc:EmbeddedDocumentBinaryObject>"
        "</cac:Attachment></cac:AdditionalDocumentReference>"
    )
    assert len(read(tmp_path, Invoice(FULL, head=attachment)).rows) == len(FULL)


AMOUNTS = st.decimals(-10_000, 10_000, places=2)


@given(weights=st.lists(AMOUNTS, min_size=1, max_size=20), total=AMOUNTS)
def test_shares_add_up_to_the_total(weights: list[Decimal], total: Decimal) -> None:
    amounts = shares(weights, total, Decimal("0.01"))
    assert sum(amounts, Decimal(0)) == total
    assert len(amounts) == len(weights)
    assert all(share == round(share, 2) for share in amounts)


RATES = st.sampled_from(
    [("S", "19"), ("S", "7.5"), ("L", "7"), ("L", "0"), ("M", "4"), ("E", "0"), ("AE", "0"), ("O", None)]
)
SORTS = st.sampled_from(["line", "line", "allowance", "charge"])


@settings(max_examples=100, deadline=None)
@given(
    parts=st.lists(st.tuples(AMOUNTS, RATES, SORTS), min_size=1, max_size=12),
    rounding=st.none() | st.decimals(-1, 1, places=2).map(str),
    credit=st.booleans(),
    currency=st.sampled_from(["EUR", "SEK", "RSD"]),
)
def test_every_document_that_adds_up_is_accepted_whole(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[Decimal, tuple[str, str | None], str]],
    rounding: str | None,
    credit: bool,
    currency: str,
) -> None:
    lines = [Line("1.00"), *(Line(f"{net}", *rate, sort) for net, rate, sort in parts)]
    document = Invoice(lines, credit=credit, rounding=rounding, currency=currency)
    reading = read(tmp_path_factory.mktemp("ubl"), document)
    assert reading.rejected == []
    signed = [Decimal(line.net) * (-1 if line.sort == "allowance" else 1) for line in lines]
    total = sum(signed, Decimal(rounding or 0))
    assert reading.total("net_amount") == (-total if credit else total)
    tax = re.search(r"<cac:TaxTotal><cbc:TaxAmount[^>]*>([^<]*)<", document.xml())
    assert tax is not None
    assert reading.total("tax_amount") == (-Decimal(tax[1]) if credit else Decimal(tax[1]))
    assert reading.total("gross_amount") == reading.total("net_amount") + reading.total("tax_amount")


@pytest.mark.corpus
def test_the_standards_own_examples_are_read_to_their_totals() -> None:
    import xml.etree.ElementTree as ET  # noqa: PLC0415 - a reader of its own, to compare with

    files = sorted(corpus_dir("ubl").iterdir())
    assert files
    for path in files:
        root = ET.parse(path).getroot()  # noqa: S314 - files of the standard
        sign = -1 if root.tag.endswith("CreditNote") else 1
        monetary = next(element for element in root if element.tag.endswith("LegalMonetaryTotal"))
        stated = {element.tag.split("}")[1]: Decimal(str(element.text)) for element in monetary}
        reading = Read(path)
        assert reading.rejected == [], path.name
        rounding = stated.get("PayableRoundingAmount", Decimal(0))
        assert reading.total("net_amount") == sign * (stated["TaxExclusiveAmount"] + rounding), path.name
        assert reading.total("gross_amount") == sign * (stated["TaxInclusiveAmount"] + rounding), path.name
