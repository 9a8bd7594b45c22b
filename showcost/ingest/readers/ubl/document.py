"""An e-invoice as its business terms (BT-n of EN 16931-1), exactly as the document states them.

Amounts are decimals in the document currency, never rounded here. Whether they add up is `rules`; how lines
become rows is `rows`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lxml import etree

from showcost.ingest.readers.source import UnreadableError
from showcost.ingest.readers.ubl.markup import CREDIT_NOTE, NAMESPACES, Markup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

_DECIMAL: Final = re.compile(r"[+-]?(\d{1,24}(\.\d{0,12})?|\.\d{1,12})")
ZERO: Final = Decimal(0)


@dataclass(frozen=True)
class TaxRate:
    """A VAT category: its code (BT-151, BT-118) and percentage (BT-152, BT-119), None where there is none."""

    code: str
    percent: Decimal | None


@dataclass(frozen=True)
class Part:
    """What has a net amount and a VAT category: a line, or an allowance or charge on the whole document.

    `net` of an allowance is negative. `place` is the half-open span in bytes, `raw` the XML of it.
    """

    sort: str
    name: str
    net: Decimal
    tax: TaxRate
    description: str
    accounting_cost: str
    order: str
    item_class: str
    period: tuple[str, str]
    place: tuple[int, int]
    raw: str


@dataclass(frozen=True)
class Subtotal:
    """The VAT breakdown of one category: taxable amount (BT-116) and tax (BT-117)."""

    rate: TaxRate
    taxable: Decimal
    tax: Decimal


@dataclass(frozen=True)
class Totals:
    """The document totals; None where the document does not state one.

    lines BT-106, allowances BT-107, charges BT-108, without_tax BT-109, tax BT-110, with_tax BT-112, prepaid
    BT-113, rounding BT-114, payable BT-115.
    """

    lines: Decimal
    allowances: Decimal | None
    charges: Decimal | None
    without_tax: Decimal
    tax: Decimal | None
    with_tax: Decimal
    prepaid: Decimal | None
    rounding: Decimal | None
    payable: Decimal


@dataclass(frozen=True)
class Seller:
    """Who sends the document: BT-29 or BT-30 as `code`, BT-28 or BT-27, BT-31 (else BT-32), BT-40."""

    code: str
    name: str
    tax_id: str
    country: str


@dataclass(frozen=True)
class Document:
    """An invoice or credit note; what a credit note states as positive it takes back."""

    is_credit_note: bool
    number: str
    issued: str
    due: str
    type_code: str
    currency: str
    order: str
    accounting_cost: str
    seller: Seller
    parts: tuple[Part, ...]
    subtotals: tuple[Subtotal, ...]
    totals: Totals
    rounding_place: tuple[int, int]
    rounding_raw: str
    other_currencies: tuple[str, ...]


def read_document(markup: Markup) -> Document:
    """Return the document of some markup; UnreadableError names what is missing or no amount."""
    root = markup.root
    reader = _Reader(root)
    credit = root.tag == f"{{{CREDIT_NOTE}}}CreditNote"
    currency = reader.required(root, "cbc:DocumentCurrencyCode")
    monetary = reader.element(root, "cac:LegalMonetaryTotal")
    of_monetary = next(index for index, child in enumerate(root) if child is monetary)
    taxes = [
        total
        for total in reader.all(root, "cac:TaxTotal")
        if _attribute(reader.element(total, "cbc:TaxAmount"), "currencyID") == currency
    ]
    document_period = _period(reader, root)
    parts = [
        _line(reader, child, place, document_period)
        if child.tag.endswith("Line")
        else _allowance_or_charge(reader, child, place, document_period)
        for child, place in zip(root, markup.places, strict=True)
        if child.tag in {_tag("cac:InvoiceLine"), _tag("cac:CreditNoteLine"), _tag("cac:AllowanceCharge")}
    ]
    if not any(part.sort == "line" for part in parts):
        raise UnreadableError("the document has no lines")
    return Document(
        is_credit_note=credit,
        number=reader.required(root, "cbc:ID"),
        issued=reader.required(root, "cbc:IssueDate"),
        due=reader.text(root, "cbc:DueDate") or reader.text(root, "cac:PaymentMeans/cbc:PaymentDueDate"),
        type_code=reader.text(root, "cbc:CreditNoteTypeCode" if credit else "cbc:InvoiceTypeCode"),
        currency=currency,
        order=reader.text(root, "cac:OrderReference/cbc:ID"),
        accounting_cost=reader.text(root, "cbc:AccountingCost"),
        seller=_seller(reader),
        parts=tuple(parts),
        subtotals=tuple(
            Subtotal(
                _rate(reader, subtotal, "cac:TaxCategory"),
                reader.amount(subtotal, "cbc:TaxableAmount"),
                reader.amount(subtotal, "cbc:TaxAmount"),
            )
            for total in taxes
            for subtotal in reader.all(total, "cac:TaxSubtotal")
        ),
        totals=Totals(
            lines=reader.amount(monetary, "cbc:LineExtensionAmount"),
            allowances=reader.optional(monetary, "cbc:AllowanceTotalAmount"),
            charges=reader.optional(monetary, "cbc:ChargeTotalAmount"),
            without_tax=reader.amount(monetary, "cbc:TaxExclusiveAmount"),
            tax=sum((reader.amount(total, "cbc:TaxAmount") for total in taxes), ZERO) if taxes else None,
            with_tax=reader.amount(monetary, "cbc:TaxInclusiveAmount"),
            prepaid=reader.optional(monetary, "cbc:PrepaidAmount"),
            rounding=reader.optional(monetary, "cbc:PayableRoundingAmount"),
            payable=reader.amount(monetary, "cbc:PayableAmount"),
        ),
        rounding_place=markup.places[of_monetary],
        rounding_raw=_raw(monetary),
        other_currencies=tuple(sorted(_currencies(root) - {currency})),
    )


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _attribute(element: Element, name: str) -> str:
    return str(element.get(name, "")).strip()


def _raw(element: Element) -> str:
    return str(etree.tostring(element, encoding="unicode", with_tail=False))


class _Reader:
    """Finds texts and amounts below an element by path, and says what is missing."""

    def __init__(self, root: Element) -> None:
        self.root = root

    def all(self, at: Element, path: str) -> Iterator[Element]:
        """Yield the elements at a path."""
        found = [at]
        for name in path.split("/"):
            tag = _tag(name)
            found = [child for element in found for child in element if child.tag == tag]
        yield from found

    def element(self, at: Element, path: str) -> Element:
        """Return the first element at a path."""
        for element in self.all(at, path):
            return element
        raise UnreadableError(f"the document has no {path}")

    def text(self, at: Element, path: str) -> str:
        """Return the first text at a path that is not blank, or nothing."""
        for element in self.all(at, path):
            if text := " ".join((element.text or "").split()):
                return text
        return ""

    def required(self, at: Element, path: str) -> str:
        """Return the text at a path, which must be there."""
        text = self.text(at, path)
        if not text:
            raise UnreadableError(f"the document has no {path}")
        return text

    def optional(self, at: Element, path: str) -> Decimal | None:
        """Return the amount at a path, if there is one."""
        text = self.text(at, path)
        if not text:
            return None
        if not _DECIMAL.fullmatch(text):
            raise UnreadableError(f"a {path} is no amount")
        return Decimal(text)

    def amount(self, at: Element, path: str) -> Decimal:
        """Return the amount at a path, which must be there."""
        found = self.optional(at, path)
        if found is None:
            raise UnreadableError(f"the document has no {path}")
        return found


def _seller(reader: _Reader) -> Seller:
    party = reader.element(reader.root, "cac:AccountingSupplierParty/cac:Party")
    schemes = [
        (reader.text(scheme, "cac:TaxScheme/cbc:ID").upper(), reader.text(scheme, "cbc:CompanyID"))
        for scheme in reader.all(party, "cac:PartyTaxScheme")
    ]
    vat = [tax_id for scheme, tax_id in schemes if scheme == "VAT" and tax_id]
    others = [tax_id for _, tax_id in schemes if tax_id]
    representative = reader.text(reader.root, "cac:TaxRepresentativeParty/cac:PartyTaxScheme/cbc:CompanyID")
    tax_id = next(iter([*vat, *others, representative]), "")
    registered = reader.text(party, "cac:PartyLegalEntity/cbc:CompanyID")
    return Seller(
        code=reader.text(party, "cac:PartyIdentification/cbc:ID") or registered or tax_id,
        name=reader.text(party, "cac:PartyName/cbc:Name")
        or reader.text(party, "cac:PartyLegalEntity/cbc:RegistrationName"),
        tax_id=tax_id,
        country=reader.text(party, "cac:PostalAddress/cac:Country/cbc:IdentificationCode"),
    )


def _period(reader: _Reader, at: Element) -> tuple[str, str]:
    return (
        reader.text(at, "cac:InvoicePeriod/cbc:StartDate"),
        reader.text(at, "cac:InvoicePeriod/cbc:EndDate"),
    )


def _rate(reader: _Reader, at: Element, path: str) -> TaxRate:
    category = reader.element(at, path)
    percent = reader.optional(category, "cbc:Percent")
    return TaxRate(reader.required(category, "cbc:ID"), None if percent is None else percent.normalize())


def _line(reader: _Reader, line: Element, place: tuple[int, int], document_period: tuple[str, str]) -> Part:
    period = _period(reader, line)
    item = reader.element(line, "cac:Item")
    return Part(
        sort="line",
        name=reader.required(line, "cbc:ID"),
        net=reader.amount(line, "cbc:LineExtensionAmount"),
        tax=_rate(reader, item, "cac:ClassifiedTaxCategory"),
        description=reader.text(item, "cbc:Name") or reader.text(item, "cbc:Description"),
        accounting_cost=reader.text(line, "cbc:AccountingCost"),
        order=reader.text(line, "cac:OrderLineReference/cac:OrderReference/cbc:ID"),
        item_class=reader.text(item, "cac:CommodityClassification/cbc:ItemClassificationCode"),
        period=period if any(period) else document_period,
        place=place,
        raw=_raw(line),
    )


def _allowance_or_charge(
    reader: _Reader, part: Element, place: tuple[int, int], document_period: tuple[str, str]
) -> Part:
    text = reader.required(part, "cbc:ChargeIndicator")
    if text not in {"true", "false", "1", "0"}:
        raise UnreadableError("a cbc:ChargeIndicator is neither true nor false")
    is_charge = text in {"true", "1"}
    amount = reader.amount(part, "cbc:Amount")
    sort = "charge" if is_charge else "allowance"
    return Part(
        sort=sort,
        name=sort,
        net=amount if is_charge else -amount,
        tax=_rate(reader, part, "cac:TaxCategory"),
        description=reader.text(part, "cbc:AllowanceChargeReason")
        or reader.text(part, "cbc:AllowanceChargeReasonCode")
        or sort,
        accounting_cost="",
        order="",
        item_class="",
        period=document_period,
        place=place,
        raw=_raw(part),
    )


def _currencies(root: Element) -> set[str]:
    """Return the currencies of all amounts but the tax total in the currency of the tax accounts (BT-111)."""
    totals = set(root.findall(f"{_tag('cac:TaxTotal')}/{_tag('cbc:TaxAmount')}"))
    return {
        _attribute(element, "currencyID")
        for element in root.iter()
        if element.get("currencyID") is not None and element not in totals
    }
