"""A simulated vendor's invoice as an e-invoice: EN 16931 in UBL 2.1, as Peppol BIS Billing 3 has it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from showcost.simulator.scripts import RATES

if TYPE_CHECKING:
    from showcost.simulator.scripts import Script

_UBL: Final = "urn:oasis:names:specification:ubl:schema:xsd"
_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<Invoice xmlns="{_UBL}:Invoice-2" xmlns:cac="{_UBL}:CommonAggregateComponents-2"'
    f' xmlns:cbc="{_UBL}:CommonBasicComponents-2">'
    "<cbc:CustomizationID>urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
    "</cbc:CustomizationID>"
    "<cbc:ProfileID>urn:fdc:peppol.eu:2017:poacc:billing:01:1.0</cbc:ProfileID>"
)
_SCHEME: Final = "<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>"


def e_invoice(script: Script, invoice: dict[str, Any]) -> bytes:
    """Return an invoice of `scripts.invoices` as a document."""
    currency, tax = invoice["currency"], invoice["tax_total"]
    rate = RATES.get(script.currency, 0)
    category = f"<cbc:ID>{'S' if rate else 'Z'}</cbc:ID><cbc:Percent>{rate}</cbc:Percent>{_SCHEME}"

    def amount(name: str, value: str) -> str:
        return f'<cbc:{name} currencyID="{currency}">{value}</cbc:{name}>'

    lines = "".join(
        f"<cac:InvoiceLine><cbc:ID>{line['id']}</cbc:ID>"
        f'<cbc:InvoicedQuantity unitCode="EA">{line["qty"]}</cbc:InvoicedQuantity>'
        f"{amount('LineExtensionAmount', line['net'])}"
        f"<cbc:AccountingCost>{line['account']}</cbc:AccountingCost>"
        f"<cac:Item><cbc:Name>{escape(line['text'])}</cbc:Name>"
        f"<cac:ClassifiedTaxCategory>{category}</cac:ClassifiedTaxCategory></cac:Item>"
        f"<cac:Price>{amount('PriceAmount', line['unit_price'])}</cac:Price></cac:InvoiceLine>"
        for line in invoice["lines"]
    )
    net = str(Decimal(invoice["payable_amount"]) - Decimal(tax))
    return (
        f"{_HEAD}<cbc:ID>{invoice['id']}</cbc:ID><cbc:IssueDate>{invoice['issued_on']}</cbc:IssueDate>"
        f"<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>"
        f"<cbc:DocumentCurrencyCode>{currency}</cbc:DocumentCurrencyCode>"
        f"<cac:AccountingSupplierParty><cac:Party>"
        f"<cac:PartyIdentification><cbc:ID>{invoice['vendor_id']}</cbc:ID></cac:PartyIdentification>"
        f"<cac:PartyName><cbc:Name>{script.name}</cbc:Name></cac:PartyName></cac:Party>"
        f"</cac:AccountingSupplierParty>"
        f"<cac:TaxTotal>{amount('TaxAmount', tax)}<cac:TaxSubtotal>{amount('TaxableAmount', net)}"
        f"{amount('TaxAmount', tax)}<cac:TaxCategory>{category}</cac:TaxCategory></cac:TaxSubtotal>"
        f"</cac:TaxTotal><cac:LegalMonetaryTotal>{amount('LineExtensionAmount', net)}"
        f"{amount('TaxExclusiveAmount', net)}{amount('TaxInclusiveAmount', invoice['payable_amount'])}"
        f"{amount('PayableAmount', invoice['payable_amount'])}</cac:LegalMonetaryTotal>{lines}</Invoice>"
    ).encode()
