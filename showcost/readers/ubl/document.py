"""An e-invoice as its business terms (BT-n of EN 16931-1), exactly as the document states them.

Amounts are decimals in the document currency, never rounded here. Sums are checked in `rules`; lines become
rows in `rows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from lxml import etree

from showcost.readers.source import UnreadableError
from showcost.readers.ubl.elements import (
    amount,
    attribute,
    date,
    element,
    elements,
    line_of,
    optional_amount,
    required,
    tag,
    text,
)
from showcost.readers.ubl.markup import CREDIT_NOTE, Markup, check_repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.etree import _Element as Element

ZERO: Final = Decimal(0)

UNTAXED: Final = frozenset(("AE", "E", "G", "K", "O", "Z"))
"""The VAT categories that charge no tax; a document has one breakdown of each, whatever the percentage."""

_CREDIT_NOTES: Final = frozenset(("83", "261", "262", "296", "308", "381", "396", "420", "458", "532"))
"""The codes of UNTDID 1001 that BR-CL-01 allows for credit notes only, in all its versions."""
_ALSO_CREDIT_NOTES: Final = frozenset(("", "81", "502", "503"))
_IN_DOCUMENT_CURRENCY: Final = frozenset(
    tag(f"cbc:{name}")
    for name in (
        *("Amount", "BaseAmount", "PriceAmount", "TaxAmount", "TaxableAmount", "LineExtensionAmount"),
        *("TaxExclusiveAmount", "TaxInclusiveAmount", "AllowanceTotalAmount", "ChargeTotalAmount"),
        *("PrepaidAmount", "PayableRoundingAmount", "PayableAmount"),
    )
)
"""The elements of PEPPOL-EN16931-R051."""


@dataclass(frozen=True)
class TaxRate:
    """A VAT category: its code (BT-151, BT-118) and percentage (BT-152, BT-119), if any."""

    code: str
    percent: Decimal | None

    @property
    def breakdown(self) -> tuple[str, Decimal | None]:
        """The key of a VAT breakdown (BG-23): the code, and the percentage where tax is charged."""
        return self.code, None if self.code in UNTAXED else self.percent or ZERO


@dataclass(frozen=True)
class InvoicePart:
    """A part with a net amount and a VAT category: a line, or an allowance or charge on the whole document.

    `net` of an allowance is negative. `place` is the half-open span in bytes, `line` the line of the
    document, `raw` the XML.
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
    line: int
    raw: str


@dataclass(frozen=True)
class Subtotal:
    """The VAT breakdown of one category: taxable amount (BT-116), tax (BT-117), line of the document."""

    rate: TaxRate
    taxable: Decimal
    tax: Decimal
    line: int


@dataclass(frozen=True)
class Totals:
    """The document totals; None where the document does not state one.

    lines BT-106, allowances BT-107, charges BT-108, without_tax BT-109, taxes BT-110 (exactly one is valid),
    with_tax BT-112, prepaid BT-113, rounding BT-114, payable BT-115. `places` are their lines in the
    document, by the name of the element.
    """

    lines: Decimal
    allowances: Decimal | None
    charges: Decimal | None
    without_tax: Decimal
    taxes: tuple[Decimal, ...]
    with_tax: Decimal
    prepaid: Decimal | None
    rounding: Decimal | None
    payable: Decimal
    places: Mapping[str, int]

    @property
    def tax(self) -> Decimal:
        """The tax of the document; a valid one has a single tax total."""
        return sum(self.taxes, ZERO)


class ForeignAmount(NamedTuple):
    """An amount in another currency than the document: that currency, and the line of the document."""

    currency: str
    line: int


@dataclass(frozen=True)
class Seller:
    """The seller: BT-29 or BT-30 as `code`, BT-28 or BT-27, BT-31 (else BT-32), BT-40."""

    code: str
    name: str
    tax_id: str
    country: str


@dataclass(frozen=True)
class Document:
    """An invoice or credit note; positive amounts of a credit note are credits."""

    is_credit_note: bool
    number: str
    issued: str
    due: str
    type_code: str
    currency: str
    order: str
    accounting_cost: str
    seller: Seller
    parts: tuple[InvoicePart, ...]
    subtotals: tuple[Subtotal, ...]
    totals: Totals
    rounding_place: tuple[int, int]
    rounding_raw: str
    foreign: tuple[ForeignAmount, ...]


def read_document(markup: Markup) -> Document:
    """Return the document of some markup; UnreadableError names a missing element or an invalid amount."""
    root = markup.root
    credit = root.tag == f"{{{CREDIT_NOTE}}}CreditNote"
    currency = required(root, "cbc:DocumentCurrencyCode")
    monetary = element(root, "cac:LegalMonetaryTotal")
    of_monetary = next(index for index, child in enumerate(root) if child is monetary)
    taxes = [
        total
        for total in elements(root, "cac:TaxTotal")
        if attribute(element(total, "cbc:TaxAmount"), "currencyID") == currency
    ]
    document = Document(
        is_credit_note=credit,
        number=required(root, "cbc:ID"),
        issued=_required_date(root, "cbc:IssueDate"),
        due=date(root, "cbc:DueDate") or date(root, "cac:PaymentMeans/cbc:PaymentDueDate"),
        type_code=_type_code(root, credit=credit),
        currency=currency,
        order=text(root, "cac:OrderReference/cbc:ID"),
        accounting_cost=text(root, "cbc:AccountingCost"),
        seller=_seller(root),
        parts=tuple(_parts(markup, "cac:CreditNoteLine" if credit else "cac:InvoiceLine")),
        subtotals=tuple(
            _subtotal(subtotal) for total in taxes for subtotal in elements(total, "cac:TaxSubtotal")
        ),
        totals=_totals(monetary, taxes),
        rounding_place=markup.places[of_monetary],
        rounding_raw=_raw(monetary),
        foreign=tuple(_foreign(root, currency)),
    )
    check_repeated("its own fields", _own_characters(document, _period(root)), len(document.parts))
    return document


def _own_characters(document: Document, period: tuple[str, str]) -> int:
    """Return the characters of the document that each row repeats."""
    seller = document.seller
    fields = (
        *(document.number, document.issued, document.due, document.type_code, document.currency),
        *(document.order, document.accounting_cost, *period),
        *(seller.code, seller.name, seller.tax_id, seller.country),
    )
    return sum(map(len, fields))


def _raw(at: Element) -> str:
    return str(etree.tostring(at, encoding="unicode", with_tail=False))


def _required_date(root: Element, path: str) -> str:
    required(root, path)
    return date(root, path)


def _type_code(root: Element, *, credit: bool) -> str:
    """Return the document type (BT-3); UnreadableError when it contradicts the root.

    Such a document does not show whether amounts are owed or credited.
    """
    code = text(root, "cbc:CreditNoteTypeCode" if credit else "cbc:InvoiceTypeCode")
    if credit != (code in _CREDIT_NOTES) and not (credit and code in _ALSO_CREDIT_NOTES):
        root_name = "a CreditNote" if credit else "an Invoice"
        of = "no credit note" if credit else "a credit note"
        raise UnreadableError(f"BR-CL-01: {root_name} with the type code of {of}")
    return code


def _parts(markup: Markup, line_name: str) -> Iterator[InvoicePart]:
    line_tag, other_tag = tag(line_name), tag("cac:AllowanceCharge")
    period = _period(markup.root)
    any_line = False
    for child, place in zip(markup.root, markup.places, strict=True):
        if child.tag == line_tag:
            any_line = True
            yield _line(child, place, period)
        elif child.tag == other_tag:
            yield _allowance_or_charge(child, place, period)
    if not any_line:
        raise UnreadableError("the document has no lines")


def _subtotal(at: Element) -> Subtotal:
    return Subtotal(
        _rate(at, "cac:TaxCategory"),
        amount(at, "cbc:TaxableAmount"),
        amount(at, "cbc:TaxAmount"),
        line_of(at),
    )


def _totals(monetary: Element, taxes: list[Element]) -> Totals:
    places = {str(child.tag).rpartition("}")[2]: line_of(child) for child in monetary}
    return Totals(
        lines=amount(monetary, "cbc:LineExtensionAmount"),
        allowances=optional_amount(monetary, "cbc:AllowanceTotalAmount"),
        charges=optional_amount(monetary, "cbc:ChargeTotalAmount"),
        without_tax=amount(monetary, "cbc:TaxExclusiveAmount"),
        taxes=tuple(amount(total, "cbc:TaxAmount") for total in taxes),
        with_tax=amount(monetary, "cbc:TaxInclusiveAmount"),
        prepaid=optional_amount(monetary, "cbc:PrepaidAmount"),
        rounding=optional_amount(monetary, "cbc:PayableRoundingAmount"),
        payable=amount(monetary, "cbc:PayableAmount"),
        places=places | {"TaxAmount": line_of(taxes[-1]) if taxes else 0},
    )


def _seller(root: Element) -> Seller:
    party = element(root, "cac:AccountingSupplierParty/cac:Party")
    schemes = [
        (text(scheme, "cac:TaxScheme/cbc:ID").upper(), text(scheme, "cbc:CompanyID"))
        for scheme in elements(party, "cac:PartyTaxScheme")
    ]
    vat = [tax_id for scheme, tax_id in schemes if scheme == "VAT" and tax_id]
    others = [tax_id for _, tax_id in schemes if tax_id]
    representative = text(root, "cac:TaxRepresentativeParty/cac:PartyTaxScheme/cbc:CompanyID")
    tax_id = next(iter([*vat, *others, representative]), "")
    registered = text(party, "cac:PartyLegalEntity/cbc:CompanyID")
    identified = [
        text(party_id, "cbc:ID")
        for party_id in elements(party, "cac:PartyIdentification")
        # With this scheme it is the number by which the seller collects direct debits (BT-90).
        if not any(attribute(number, "schemeID").upper() == "SEPA" for number in elements(party_id, "cbc:ID"))
    ]
    return Seller(
        code=next(filter(None, [*identified, registered, tax_id]), ""),
        name=text(party, "cac:PartyName/cbc:Name")
        or text(party, "cac:PartyLegalEntity/cbc:RegistrationName"),
        tax_id=tax_id,
        country=text(party, "cac:PostalAddress/cac:Country/cbc:IdentificationCode"),
    )


def _period(at: Element) -> tuple[str, str]:
    return date(at, "cac:InvoicePeriod/cbc:StartDate"), date(at, "cac:InvoicePeriod/cbc:EndDate")


def _rate(at: Element, path: str) -> TaxRate:
    category = element(at, path)
    percent = optional_amount(category, "cbc:Percent")
    return TaxRate(required(category, "cbc:ID"), None if percent is None else percent.normalize())


def _line(line: Element, place: tuple[int, int], document_period: tuple[str, str]) -> InvoicePart:
    period = _period(line)
    item = element(line, "cac:Item")
    return InvoicePart(
        sort="line",
        name=required(line, "cbc:ID"),
        net=amount(line, "cbc:LineExtensionAmount"),
        tax=_rate(item, "cac:ClassifiedTaxCategory"),
        description=text(item, "cbc:Name") or text(item, "cbc:Description"),
        accounting_cost=text(line, "cbc:AccountingCost"),
        order=text(line, "cac:OrderLineReference/cac:OrderReference/cbc:ID"),
        item_class=text(item, "cac:CommodityClassification/cbc:ItemClassificationCode"),
        period=period if any(period) else document_period,
        place=place,
        line=line_of(line),
        raw=_raw(line),
    )


def _allowance_or_charge(
    part: Element, place: tuple[int, int], document_period: tuple[str, str]
) -> InvoicePart:
    indicator = required(part, "cbc:ChargeIndicator")
    if indicator not in {"true", "false", "1", "0"}:
        raise UnreadableError(
            f"the cac:AllowanceCharge in line {line_of(part)} has a cbc:ChargeIndicator that is neither true"
            " nor false"
        )
    is_charge = indicator in {"true", "1"}
    stated = amount(part, "cbc:Amount")
    sort = "charge" if is_charge else "allowance"
    return InvoicePart(
        sort=sort,
        name=sort,
        net=stated if is_charge else stated.copy_negate(),
        tax=_rate(part, "cac:TaxCategory"),
        description=text(part, "cbc:AllowanceChargeReason")
        or text(part, "cbc:AllowanceChargeReasonCode")
        or sort,
        accounting_cost="",
        order="",
        item_class="",
        period=document_period,
        place=place,
        line=line_of(part),
        raw=_raw(part),
    )


def _foreign(root: Element, currency: str) -> Iterator[ForeignAmount]:
    """Yield the amounts in other currencies, but for the tax total in that of the tax accounts (BT-111)."""
    totals = set(elements(root, "cac:TaxTotal/cbc:TaxAmount"))
    for child in root:
        if not str(child.tag).startswith(tag("cac:")):
            continue
        for at in child.iter(*_IN_DOCUMENT_CURRENCY):
            if at not in totals and attribute(at, "currencyID") != currency:
                yield ForeignAmount(attribute(at, "currencyID"), line_of(at))
