"""E-invoices of German vendors: EN 16931 in UBL 2.1, written with the standard library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from sample_production.layouts import CENT

if TYPE_CHECKING:
    from datetime import date

    from sample_production.vendors import Vendor

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_CAC, _CBC = f"{{{_UBL}CommonAggregateComponents-2}}", f"{{{_UBL}CommonBasicComponents-2}}"


@dataclass(frozen=True)
class Item:
    """A line of an e-invoice, or a charge or (negative) allowance on the whole document.

    `net` is in euros; `percent` is the rate of VAT.
    """

    text: str
    net: Decimal
    percent: int
    account: str = ""
    on_document: bool = False


@dataclass(frozen=True)
class EInvoice:
    """An invoice or credit note; `overstated` is the amount by which its total exceeds its lines."""

    vendor: Vendor
    number: str
    day: date
    account: str
    items: tuple[Item, ...]
    is_credit_note: bool = False
    rounding: Decimal = Decimal(0)
    overstated: Decimal = Decimal(0)

    @property
    def taxes(self) -> dict[int, tuple[Decimal, Decimal]]:
        """Taxable amount and tax by percentage."""
        bases: dict[int, Decimal] = {}
        for item in self.items:
            bases[item.percent] = bases.get(item.percent, Decimal(0)) + item.net
        return {
            percent: (base, (base * percent / 100).quantize(CENT, ROUND_HALF_UP))
            for percent, base in sorted(bases.items(), reverse=True)
        }

    @property
    def posted(self) -> dict[str, str]:
        """The number of its rows and their sums of net amounts and taxes, as text."""
        sign = -1 if self.is_credit_note else 1
        net = sum((item.net for item in self.items), self.rounding)
        tax = sum((tax for _, tax in self.taxes.values()), Decimal(0))
        rows = len(self.items) + bool(self.rounding)
        return {"rows": str(rows), "net_amount": f"{sign * net:.2f}", "tax_amount": f"{sign * tax:.2f}"}

    def content(self) -> bytes:
        """Return the bytes of the file."""
        return _Writer(self).content()


class _Writer:
    """Writes a document with its elements in the order of the UBL schema."""

    def __init__(self, invoice: EInvoice) -> None:
        self._invoice = invoice
        self._kind = "CreditNote" if invoice.is_credit_note else "Invoice"

    def content(self) -> bytes:
        invoice, kind = self._invoice, self._kind
        register_namespace("", f"{_UBL}{kind}-2")
        register_namespace("cac", _CAC[1:-1])
        register_namespace("cbc", _CBC[1:-1])
        root = Element(f"{{{_UBL}{kind}-2}}{kind}")
        self._text(
            root,
            "CustomizationID",
            "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
        )
        self._text(root, "ProfileID", "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0")
        self._text(root, "ID", invoice.number)
        self._text(root, "IssueDate", invoice.day.isoformat())
        due = (invoice.day + timedelta(days=14)).isoformat()
        if not invoice.is_credit_note:
            self._text(root, "DueDate", due)
        self._text(root, f"{kind}TypeCode", "381" if invoice.is_credit_note else "380")
        self._text(root, "DocumentCurrencyCode", "EUR")
        self._text(root, "AccountingCost", invoice.account)
        self._seller(root)
        buyer = SubElement(SubElement(root, f"{_CAC}AccountingCustomerParty"), f"{_CAC}Party")
        self._text(
            SubElement(buyer, f"{_CAC}PartyLegalEntity"), "RegistrationName", "Harrow Bridge Pictures LLC"
        )
        for item in invoice.items:
            if item.on_document:
                self._on_document(root, item)
        self._tax_total(root)
        self._totals(root)
        lines = [item for item in invoice.items if not item.on_document]
        for number, item in enumerate(lines, start=1):
            self._line(root, number, item)
        indent(root)
        body: bytes = tostring(root, encoding="utf-8")
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"

    def _text(self, parent: Element, name: str, text: str) -> Element:
        child = SubElement(parent, f"{_CBC}{name}")
        child.text = text
        return child

    def _amount(self, parent: Element, name: str, amount: Decimal) -> None:
        self._text(parent, name, f"{amount:.2f}").set("currencyID", "EUR")

    def _category(self, parent: Element, name: str, percent: int) -> None:
        category = SubElement(parent, f"{_CAC}{name}")
        self._text(category, "ID", "S")
        self._text(category, "Percent", str(percent))
        self._text(SubElement(category, f"{_CAC}TaxScheme"), "ID", "VAT")

    def _seller(self, root: Element) -> None:
        vendor = self._invoice.vendor
        party = SubElement(SubElement(root, f"{_CAC}AccountingSupplierParty"), f"{_CAC}Party")
        self._text(SubElement(party, f"{_CAC}PartyIdentification"), "ID", vendor.code)
        self._text(SubElement(party, f"{_CAC}PartyName"), "Name", vendor.name)
        country = SubElement(SubElement(party, f"{_CAC}PostalAddress"), f"{_CAC}Country")
        self._text(country, "IdentificationCode", vendor.country)
        scheme = SubElement(party, f"{_CAC}PartyTaxScheme")
        self._text(scheme, "CompanyID", vendor.tax_id)
        self._text(SubElement(scheme, f"{_CAC}TaxScheme"), "ID", "VAT")
        self._text(SubElement(party, f"{_CAC}PartyLegalEntity"), "RegistrationName", vendor.name)

    def _on_document(self, root: Element, item: Item) -> None:
        part = SubElement(root, f"{_CAC}AllowanceCharge")
        self._text(part, "ChargeIndicator", "false" if item.net < 0 else "true")
        self._text(part, "AllowanceChargeReason", item.text)
        self._amount(part, "Amount", abs(item.net))
        self._category(part, "TaxCategory", item.percent)

    def _tax_total(self, root: Element) -> None:
        taxes = self._invoice.taxes
        total = SubElement(root, f"{_CAC}TaxTotal")
        self._amount(total, "TaxAmount", sum((tax for _, tax in taxes.values()), Decimal(0)))
        for percent, (base, tax) in taxes.items():
            subtotal = SubElement(total, f"{_CAC}TaxSubtotal")
            self._amount(subtotal, "TaxableAmount", base)
            self._amount(subtotal, "TaxAmount", tax)
            self._category(subtotal, "TaxCategory", percent)

    def _totals(self, root: Element) -> None:
        items = self._invoice.items
        lines = sum((item.net for item in items if not item.on_document), self._invoice.overstated)
        allowances = -sum((item.net for item in items if item.on_document and item.net < 0), Decimal(0))
        charges = sum((item.net for item in items if item.on_document and item.net > 0), Decimal(0))
        without_tax = lines - allowances + charges
        with_tax = without_tax + sum((tax for _, tax in self._invoice.taxes.values()), Decimal(0))
        monetary = SubElement(root, f"{_CAC}LegalMonetaryTotal")
        self._amount(monetary, "LineExtensionAmount", lines)
        self._amount(monetary, "TaxExclusiveAmount", without_tax)
        self._amount(monetary, "TaxInclusiveAmount", with_tax)
        if allowances:
            self._amount(monetary, "AllowanceTotalAmount", allowances)
        if charges:
            self._amount(monetary, "ChargeTotalAmount", charges)
        if self._invoice.rounding:
            self._amount(monetary, "PayableRoundingAmount", self._invoice.rounding)
        self._amount(monetary, "PayableAmount", with_tax + self._invoice.rounding)

    def _line(self, root: Element, number: int, item: Item) -> None:
        line = SubElement(root, f"{_CAC}{self._kind}Line")
        self._text(line, "ID", str(number))
        quantity = "CreditedQuantity" if self._invoice.is_credit_note else "InvoicedQuantity"
        self._text(line, quantity, "1").set("unitCode", "C62")
        self._amount(line, "LineExtensionAmount", item.net)
        if item.account:
            self._text(line, "AccountingCost", item.account)
        goods = SubElement(line, f"{_CAC}Item")
        self._text(goods, "Name", item.text)
        self._category(goods, "ClassifiedTaxCategory", item.percent)
        self._amount(SubElement(line, f"{_CAC}Price"), "PriceAmount", item.net)
