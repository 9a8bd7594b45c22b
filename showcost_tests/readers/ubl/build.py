"""Artificial e-invoices for tests: valid by default, with faults in chosen parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

CENT = Decimal("0.01")
NAMESPACES = (
    'xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"'
    ' xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"'
)


@dataclass
class Line:
    """A line, or an allowance or charge on the document (`sort`), with its net amount and VAT.

    `number` is its BT-126 when it is not its place among the lines; `extra` is XML before its item.
    """

    net: str
    code: str = "S"
    percent: str | None = "19"
    sort: str = "line"
    text: str = "Tonangel & Zubehör"
    cost: str = ""
    number: str = ""
    extra: str = ""


@dataclass
class Invoice:
    """A document; `totals` and `taxes` override computed values, by element name or VAT category."""

    lines: list[Line]
    credit: bool = False
    currency: str = "EUR"
    rounding: str | None = None
    prepaid: str | None = None
    totals: Mapping[str, str | None] = field(default_factory=dict)
    taxes: dict[str, tuple[str, str]] = field(default_factory=dict)
    head: str = ""
    type_code: str = ""
    seller: str = "<cac:PartyIdentification><cbc:ID>V-DE-010</cbc:ID></cac:PartyIdentification>"
    tail: str = ""
    tax_currency: tuple[str, str] | None = None

    def xml(self) -> str:
        """Return the document as XML text without a declaration."""
        kind = "CreditNote" if self.credit else "Invoice"
        net = {sort: self._net(sort) for sort in ("line", "allowance", "charge")}
        breakdown = self._breakdown()
        tax = sum((tax for _, tax in breakdown.values()), Decimal(0))
        without = net["line"] - net["allowance"] + net["charge"]
        stated = {
            "LineExtensionAmount": net["line"],
            "TaxExclusiveAmount": without,
            "TaxInclusiveAmount": without + tax,
            "AllowanceTotalAmount": net["allowance"] if self._has("allowance") else None,
            "ChargeTotalAmount": net["charge"] if self._has("charge") else None,
            "PrepaidAmount": self.prepaid,
            "PayableRoundingAmount": self.rounding,
            "PayableAmount": without + tax - Decimal(self.prepaid or 0) + Decimal(self.rounding or 0),
        } | dict(self.totals)
        monetary = "".join(self._amount(name, value) for name, value in stated.items() if value is not None)
        lines = [line for line in self.lines if line.sort == "line"]
        others = [line for line in self.lines if line.sort != "line"]
        return (
            f'<{kind} xmlns="urn:oasis:names:specification:ubl:schema:xsd:{kind}-2" {NAMESPACES}>'
            f"{self.head}<cbc:ID>R-17</cbc:ID><cbc:IssueDate>2026-10-05</cbc:IssueDate>"
            f"<cbc:DueDate>2026-11-04</cbc:DueDate>"
            f"<cbc:{kind}TypeCode>{self.type_code or (381 if self.credit else 380)}</cbc:{kind}TypeCode>"
            f"<cbc:DocumentCurrencyCode>{self.currency}</cbc:DocumentCurrencyCode>"
            "<cbc:AccountingCost>3630</cbc:AccountingCost>"
            "<cac:AccountingSupplierParty><cac:Party>"
            f"{self.seller}"
            "<cac:PartyName><cbc:Name>Wachschutz Drewitz GmbH</cbc:Name></cac:PartyName>"
            "<cac:PostalAddress><cac:Country><cbc:IdentificationCode>DE</cbc:IdentificationCode>"
            "</cac:Country></cac:PostalAddress>"
            "<cac:PartyTaxScheme><cbc:CompanyID>DE999000105</cbc:CompanyID>"
            "<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>"
            "</cac:Party></cac:AccountingSupplierParty>"
            + "".join(self._other(line) for line in others)
            + self._taxes(breakdown, tax)
            + f"<cac:LegalMonetaryTotal>{monetary}</cac:LegalMonetaryTotal>"
            + "".join(self._line(number, line) for number, line in enumerate(lines, start=1))
            + f"{self.tail}</{kind}>"
        )

    def data(self, encoding: str = "utf-8") -> bytes:
        """Return the document as the bytes of a file."""
        return f'<?xml version="1.0" encoding="{encoding}"?>\n{self.xml()}'.encode(encoding)

    def _has(self, sort: str) -> bool:
        return any(line.sort == sort for line in self.lines)

    def _net(self, sort: str) -> Decimal:
        return sum((Decimal(line.net) for line in self.lines if line.sort == sort), Decimal(0))

    def _breakdown(self) -> dict[tuple[str, str | None], tuple[Decimal, Decimal]]:
        taxable: dict[tuple[str, str | None], Decimal] = {}
        for line in self.lines:
            key = line.code, line.percent
            sign = -1 if line.sort == "allowance" else 1
            taxable[key] = taxable.get(key, Decimal(0)) + sign * Decimal(line.net)
        breakdowns = {}
        for (code, percent), base in taxable.items():
            tax = (base * Decimal(percent or 0) / 100).quantize(CENT, ROUND_HALF_UP)
            stated = self.taxes.get(f"{code}{percent}", self.taxes.get(code))
            breakdowns[code, percent] = (Decimal(stated[0]), Decimal(stated[1])) if stated else (base, tax)
        return breakdowns

    def _amount(self, name: str, value: object, currency: str | None = None) -> str:
        return f'<cbc:{name} currencyID="{currency or self.currency}">{value}</cbc:{name}>'

    def _category(self, element: str, code: str, percent: str | None) -> str:
        shown = "" if percent is None else f"<cbc:Percent>{percent}</cbc:Percent>"
        return (
            f"<cac:{element}><cbc:ID>{code}</cbc:ID>{shown}<cac:TaxScheme><cbc:ID>VAT</cbc:ID>"
            f"</cac:TaxScheme></cac:{element}>"
        )

    def _taxes(self, breakdown: dict[tuple[str, str | None], tuple[Decimal, Decimal]], tax: Decimal) -> str:
        subtotals = "".join(
            "<cac:TaxSubtotal>"
            + self._amount("TaxableAmount", base)
            + self._amount("TaxAmount", amount)
            + self._category("TaxCategory", code, percent)
            + "</cac:TaxSubtotal>"
            for (code, percent), (base, amount) in breakdown.items()
        )
        stated = self.totals.get("TaxAmount", str(tax))
        totals_xml = f"<cac:TaxTotal>{self._amount('TaxAmount', stated)}{subtotals}</cac:TaxTotal>"
        if self.tax_currency is not None:
            currency, amount = self.tax_currency
            totals_xml += f"<cac:TaxTotal>{self._amount('TaxAmount', amount, currency)}</cac:TaxTotal>"
        return totals_xml

    def _other(self, line: Line) -> str:
        indicator = "true" if line.sort == "charge" else "false"
        return (
            f"<cac:AllowanceCharge><cbc:ChargeIndicator>{indicator}</cbc:ChargeIndicator>"
            f"<cbc:AllowanceChargeReason>{escape(line.text)}</cbc:AllowanceChargeReason>"
            f"{self._amount('Amount', line.net)}{self._category('TaxCategory', line.code, line.percent)}"
            "</cac:AllowanceCharge>"
        )

    def _line(self, number: int, line: Line) -> str:
        kind = "CreditNoteLine" if self.credit else "InvoiceLine"
        cost = f"<cbc:AccountingCost>{line.cost}</cbc:AccountingCost>" if line.cost else ""
        return (
            f"<cac:{kind}><cbc:ID>{line.number or number}</cbc:ID>"
            f"{self._amount('LineExtensionAmount', line.net)}{cost}{line.extra}"
            f"<cac:Item><cbc:Name>{escape(line.text)}</cbc:Name>"
            f"{self._category('ClassifiedTaxCategory', line.code, line.percent)}</cac:Item></cac:{kind}>\n"
        )
