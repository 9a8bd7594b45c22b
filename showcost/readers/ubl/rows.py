"""From an e-invoice to rows: one per line, allowance, charge, and rounding; together they are the document.

Tax is stated per VAT category, not per line. It is divided over the rows of its category in proportion to
their net amounts, so that the rows' taxes add up to the stated tax to the cent whatever the rounding. A
prepaid amount is not a cost and has no row.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from showcost.core.money import currency_codes, minor_units
from showcost.readers.ubl.document import ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.readers.ubl.document import Document, InvoicePart, TaxRate

COLUMNS: Final = (
    *("vendor_code", "vendor_name", "vendor_tax_id", "vendor_country", "invoice_no", "invoice_date"),
    *("service_from", "service_to", "po_no", "line_no", "account", "description", "currency"),
    *("net_amount", "tax_code", "tax_amount", "gross_amount", "due_date"),
    *("document_type", "item_class"),
)
"""The header of the rows: fields of the record kind, then fields for account mappings."""

_CENTS: Final = 2
_ROUNDING: Final = "rounding"


class Row(NamedTuple):
    """A row: its place in the bytes, its XML, and its cells under `COLUMNS`."""

    place: tuple[int, int]
    raw: str
    cells: tuple[str, ...]


def rows_of(document: Document) -> list[Row]:
    """Return the rows of a document in document order; those of a credit note are negated."""
    taxes = _taxes(document)
    names = _names(document.parts)
    rows = [
        _row(document, part, name, tax) for part, name, tax in zip(document.parts, names, taxes, strict=True)
    ]
    if document.totals.rounding:
        rows.append(_rounding(document))
    return sorted(rows, key=lambda row: row.place)


def _names(parts: Sequence[InvoicePart]) -> list[str]:
    """Return the line number of each row; allowances and charges are numbered separately.

    All are distinct, even if the document repeats a number: equal ones would count as one row.
    """
    counts: dict[str, int] = defaultdict(int)
    repeats: dict[str, int] = defaultdict(int)
    taken = {_ROUNDING}
    names = []
    for part in parts:
        counts[part.sort] += 1
        name = plain = part.name if part.sort == "line" else f"{part.sort} {counts[part.sort]}"
        while name in taken:
            repeats[plain] += 1
            name = f"{plain} ({repeats[plain] + 1})"
        taken.add(name)
        names.append(name)
    return names


def _taxes(document: Document) -> list[Decimal]:
    """Return the tax of each part: its share of the stated tax of its category."""
    of_breakdown: dict[tuple[str, Decimal | None], list[int]] = defaultdict(list)
    for index, part in enumerate(document.parts):
        of_breakdown[part.tax.breakdown].append(index)
    stated = {subtotal.rate.breakdown: subtotal.tax for subtotal in document.subtotals}
    unit = _unit(document)
    taxes = [ZERO] * len(document.parts)
    for breakdown, indices in of_breakdown.items():
        weights = [document.parts[at].net for at in indices]
        for index, share in zip(indices, shares(weights, stated[breakdown], unit), strict=True):
            taxes[index] = share
    return taxes


def _unit(document: Document) -> Decimal:
    """Return the unit of divided taxes: the currency's minor unit, or a smaller one in the document."""
    amounts = chain((part.net for part in document.parts), (subtotal.tax for subtotal in document.subtotals))
    stated = max(-int(amount.normalize().as_tuple().exponent) for amount in amounts)
    usual = minor_units(document.currency) if document.currency in currency_codes() else _CENTS
    return Decimal(1).scaleb(-max(stated, usual))


def shares(weights: Sequence[Decimal], total: Decimal, unit: Decimal) -> list[Decimal]:
    """Divide a total, in units, in proportion to weights; the shares add up to it exactly.

    With weights that add up to zero the last one takes all.
    """
    whole = sum(weights, ZERO)
    divided, weight_so_far, amounts = ZERO, ZERO, []
    for number, weight in enumerate(weights, start=1):
        weight_so_far += weight
        if number == len(weights):
            target = total
        elif whole:
            target = (total * weight_so_far / whole).quantize(unit, ROUND_HALF_UP)
        else:
            target = ZERO
        amounts.append(target - divided)
        divided = target
    return amounts


def _row(document: Document, part: InvoicePart, name: str, tax: Decimal) -> Row:
    cells = {
        "po_no": part.order or document.order,
        "line_no": name,
        "account": part.accounting_cost or document.accounting_cost,
        "description": part.description,
        "service_from": part.period[0],
        "service_to": part.period[1],
        "tax_code": _tax_code(part.tax),
        "item_class": part.item_class,
    }
    return Row(part.place, part.raw, _cells(document, cells, part.net, tax))


def _rounding(document: Document) -> Row:
    cells = {
        "po_no": document.order,
        "line_no": _ROUNDING,
        "account": document.accounting_cost,
        "description": _ROUNDING,
    }
    amount = document.totals.rounding or ZERO
    return Row(document.rounding_place, document.rounding_raw, _cells(document, cells, amount, ZERO))


def _tax_code(rate: TaxRate) -> str:
    return rate.code if rate.percent is None else f"{rate.code}{rate.percent:f}"


def _cells(document: Document, cells: Mapping[str, str], net: Decimal, tax: Decimal) -> tuple[str, ...]:
    sign = -1 if document.is_credit_note else 1
    values = {
        "vendor_code": document.seller.code,
        "vendor_name": document.seller.name,
        "vendor_tax_id": document.seller.tax_id,
        "vendor_country": document.seller.country,
        "invoice_no": document.number,
        "invoice_date": document.issued,
        "currency": document.currency,
        "net_amount": _amount(sign * net),
        "tax_amount": _amount(sign * tax),
        "gross_amount": _amount(sign * (net + tax)),
        "due_date": document.due,
        "document_type": document.type_code,
        **cells,
    }
    return tuple(values.get(name, "") for name in COLUMNS)


def _amount(amount: Decimal) -> str:
    """Return an amount as text with its own decimals; zero has no sign."""
    return f"{amount or abs(amount):f}"
