"""Invoices in two ways: as lines of the German list, and as e-invoices."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from showcost.reconciliation.lookup import find_rows
from showcost.reconciliation.queue import QueueFilter, RowState, queue_rows
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.reconciliation.lookup import FoundRow
    from showcost.reconciliation.queue import QueueRow
    from showcost.workspace import Workspace

LIST: Final = "vendor_invoices_de"
E_INVOICES: Final = "e_invoices"
BOTH: Final = (LIST, E_INVOICES)

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Vendor:
    """A vendor as an invoice names it."""

    code: str = "V-DE-010"
    name: str = "Wachschutz Drewitz GmbH"
    tax_id: str = "DE999000105"


DREWITZ: Final = Vendor()
KANTINE: Final = Vendor("V-DE-005", "Kantine am Filmpark GbR", "DE999000050")


@dataclass(frozen=True)
class Invoice:
    """An invoice in euros with 19% VAT: `nets` are the net amounts of its lines, as text with a point.

    `numbered` says whether the list has line numbers.
    """

    number: str
    nets: tuple[str, ...]
    day: date = small.WEDNESDAY
    vendor: Vendor = field(default_factory=Vendor)
    numbered: bool = True
    lines: tuple[str, ...] = ()
    account: str = "3630"

    def but(self, **changes: object) -> Invoice:
        """Return the invoice with changes."""
        fields: dict[str, Any] = changes
        return replace(self, **fields)

    def cells(self) -> list[list[str]]:
        """Return its lines below the header of the German list."""
        return [
            [
                *("HRB", self.vendor.code, self.vendor.name, self.vendor.tax_id, "DE", self.number),
                *(self.day.strftime("%d.%m.%Y"), "", "", ""),
                *(self._line(place), self.account, "101", "BBG", "", "Objektschutz", "EUR"),
                *(_german(net), "V19", _german(tax_on(net)), _german(Decimal(net) + tax_on(net)), ""),
            ]
            for place, net in enumerate(map(Decimal, self.nets))
        ]

    def _line(self, place: int) -> str:
        if self.lines:
            return self.lines[place]
        return str(place + 1) if self.numbered else ""


def tax_on(net: Decimal) -> Decimal:
    """Return the tax on an amount, rounded to cents."""
    return (net * Decimal("0.19")).quantize(_CENT, ROUND_HALF_UP)


def _german(amount: Decimal) -> str:
    return f"{amount:f}".replace(".", ",")


def listed(*invoices: Invoice) -> str:
    """Return a German list with these invoices."""
    rows = [cells for invoice in invoices for cells in invoice.cells()]
    return "\ufeff" + small.delimited([small.DE_HEADER.split(";"), *rows], ";")


_LINE: Final = """<cac:InvoiceLine><cbc:ID>{number}</cbc:ID>
<cbc:InvoicedQuantity unitCode="C62">1</cbc:InvoicedQuantity>
<cbc:LineExtensionAmount currencyID="EUR">{net}</cbc:LineExtensionAmount>
<cbc:AccountingCost>{account}</cbc:AccountingCost><cac:Item><cbc:Name>Objektschutz</cbc:Name>
<cac:ClassifiedTaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>19</cbc:Percent>
<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:ClassifiedTaxCategory></cac:Item>
<cac:Price><cbc:PriceAmount currencyID="EUR">{net}</cbc:PriceAmount></cac:Price></cac:InvoiceLine>
"""
_INVOICE: Final = """<?xml version="1.0" encoding="UTF-8"?>
<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
 xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
 xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
<cbc:ID>{number}</cbc:ID><cbc:IssueDate>{day}</cbc:IssueDate>
<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode><cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>
<cac:AccountingSupplierParty><cac:Party>
<cac:PartyIdentification><cbc:ID>{code}</cbc:ID></cac:PartyIdentification>
<cac:PartyName><cbc:Name>{name}</cbc:Name></cac:PartyName>
<cac:PostalAddress><cac:Country><cbc:IdentificationCode>DE</cbc:IdentificationCode></cac:Country></cac:PostalAddress>
<cac:PartyTaxScheme><cbc:CompanyID>{tax_id}</cbc:CompanyID>
<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>
<cac:PartyLegalEntity><cbc:RegistrationName>{name}</cbc:RegistrationName></cac:PartyLegalEntity>
</cac:Party></cac:AccountingSupplierParty>
<cac:AccountingCustomerParty><cac:Party><cac:PartyLegalEntity>
<cbc:RegistrationName>Harrow Bridge Pictures LLC</cbc:RegistrationName>
</cac:PartyLegalEntity></cac:Party></cac:AccountingCustomerParty>
<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">{tax}</cbc:TaxAmount><cac:TaxSubtotal>
<cbc:TaxableAmount currencyID="EUR">{net}</cbc:TaxableAmount>
<cbc:TaxAmount currencyID="EUR">{tax}</cbc:TaxAmount>
<cac:TaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>19</cbc:Percent>
<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal>
<cac:LegalMonetaryTotal><cbc:LineExtensionAmount currencyID="EUR">{net}</cbc:LineExtensionAmount>
<cbc:TaxExclusiveAmount currencyID="EUR">{net}</cbc:TaxExclusiveAmount>
<cbc:TaxInclusiveAmount currencyID="EUR">{gross}</cbc:TaxInclusiveAmount>
<cbc:PayableAmount currencyID="EUR">{gross}</cbc:PayableAmount></cac:LegalMonetaryTotal>
{lines}</Invoice>
"""


def e_invoice(invoice: Invoice) -> str:
    """Return an invoice in UBL."""
    net = sum(map(Decimal, invoice.nets), Decimal(0))
    lines = "".join(
        _LINE.format(number=number, net=amount, account=invoice.account)
        for number, amount in enumerate(invoice.nets, start=1)
    )
    return _INVOICE.format(
        number=escape(invoice.number),
        day=invoice.day.isoformat(),
        code=invoice.vendor.code,
        name=escape(invoice.vendor.name),
        tax_id=invoice.vendor.tax_id,
        net=net,
        tax=tax_on(net),
        gross=net + tax_on(net),
        lines=lines,
    )


def posted(workspace: Workspace) -> Decimal:
    """Return the sum of the net amounts in the ledger."""
    with workspace.ledger.read() as connection:
        ((total,),) = connection.execute(
            "SELECT coalesce(sum(amount), 0) FROM ledger_entries WHERE component = 'net'"
        ).fetchall()
    return Decimal(total)


def queued(workspace: Workspace, feeds: Sequence[str] = BOTH) -> list[QueueRow]:
    """Return the rows of the queue in any state, by feed, delivery and record."""
    chosen = [feed for feed in workspace.feeds if feed.name in feeds]
    rows = queue_rows(workspace, chosen, QueueFilter(states=tuple(RowState)))
    return sorted(rows, key=lambda row: (row.arrival, row.place.record))


def codes(workspace: Workspace, feeds: Sequence[str] = BOTH) -> list[str]:
    """Return the reason codes of the rows of the queue, by arrival and record, those of a row joined."""
    return [" ".join(row.codes) for row in queued(workspace, feeds)]


def found(workspace: Workspace, row: QueueRow) -> FoundRow:
    """Return a row of the queue with its entries."""
    (row_found,) = find_rows(workspace, [row.row_id])
    return row_found
