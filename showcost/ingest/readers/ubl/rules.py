"""The arithmetic of EN 16931: whether what a document states adds up.

The rules, their numbers and the way they round are those of EN 16931-1, section 6.4, as the official
schematron of CEN/TC 434 has them (ConnectingEurope/eInvoicing-EN16931); BR-CO-17 and the taxable amount of
a standard-rated category may be off by less than one unit, all others by nothing. R051 is that of Peppol
BIS Billing 3.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from showcost.ingest.readers.ubl.document import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from showcost.ingest.readers.ubl.document import Document, Part, Subtotal

_CENT: Final = Decimal("0.01")
_STANDARD: Final = "S"
_FAMILIES: Final[Mapping[str, str]] = {"K": "IC", "L": "IG", "M": "IP"}
"""By what name the rules call a VAT category, where it is not its code."""


class Broken(NamedTuple):
    """A rule that a document does not hold to: its number, and what was found, as a sentence."""

    rule: str
    problem: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.problem}"


def broken_rules(document: Document) -> list[Broken]:
    """Return the rules that a document breaks, in order of their numbers; none when it adds up."""
    return [*_sums(document), *_breakdown(document), *_currencies(document)]


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _total(parts: Iterable[Part]) -> Decimal:
    return sum((part.net for part in parts), ZERO)


def _differ(rule: str, what: str, computed: Decimal, stated: Decimal, name: str) -> Iterator[Broken]:
    if _rounded(computed) != stated:
        yield Broken(rule, f"{what} {_rounded(computed)}, {name} says {stated}")


def _sums(document: Document) -> Iterator[Broken]:
    totals, parts = document.totals, document.parts
    lines = _total(part for part in parts if part.sort == "line")
    yield from _differ("BR-CO-10", "the lines add up to", lines, totals.lines, "LineExtensionAmount")
    allowances = -_total(part for part in parts if part.sort == "allowance")
    stated = totals.allowances or ZERO
    yield from _differ("BR-CO-11", "the allowances add up to", allowances, stated, "AllowanceTotalAmount")
    charges = _total(part for part in parts if part.sort == "charge")
    stated = totals.charges or ZERO
    yield from _differ("BR-CO-12", "the charges add up to", charges, stated, "ChargeTotalAmount")
    without_tax = totals.lines - (totals.allowances or ZERO) + (totals.charges or ZERO)
    yield from _differ(
        "BR-CO-13",
        "lines less allowances plus charges are",
        without_tax,
        totals.without_tax,
        "TaxExclusiveAmount",
    )
    if totals.tax is not None and document.subtotals:
        tax = sum((subtotal.tax for subtotal in document.subtotals), ZERO)
        yield from _differ("BR-CO-14", "the taxes of the categories add up to", tax, totals.tax, "TaxAmount")
    with_tax = totals.without_tax + (totals.tax or ZERO)
    yield from _differ(
        "BR-CO-15", "the amount without tax plus tax is", with_tax, totals.with_tax, "TaxInclusiveAmount"
    )
    payable = totals.with_tax - (totals.prepaid or ZERO) + (totals.rounding or ZERO)
    yield from _differ(
        "BR-CO-16",
        "the amount with tax less what is paid, rounded, is",
        payable,
        totals.payable,
        "PayableAmount",
    )


def _breakdown(document: Document) -> Iterator[Broken]:
    for subtotal in document.subtotals:
        percent = subtotal.rate.percent or ZERO
        tax = _rounded(abs(subtotal.taxable) * percent / 100)
        if not abs(subtotal.tax) - 1 < tax < abs(subtotal.tax) + 1:
            yield Broken(
                "BR-CO-17",
                f"{percent:f}% of {subtotal.taxable} are {tax.copy_sign(subtotal.taxable)}, the category"
                f" {subtotal.rate.code} says {subtotal.tax}",
            )
    for subtotal in document.subtotals:
        yield from _taxable(document, subtotal)
    known = {_group(subtotal.rate.code, subtotal.rate.percent) for subtotal in document.subtotals}
    missing = {
        (part.tax.code, part.tax.percent)
        for part in document.parts
        if _group(part.tax.code, part.tax.percent) not in known
    }
    for code, rate in sorted(missing, key=str):
        shown = code if rate is None else f"{code} with {rate:f}%"
        yield Broken(_rule(code, 1), f"there are lines of the category {shown}, but no breakdown of it")


def _taxable(document: Document, subtotal: Subtotal) -> Iterator[Broken]:
    group = _group(subtotal.rate.code, subtotal.rate.percent)
    of_group = _total(part for part in document.parts if _group(part.tax.code, part.tax.percent) == group)
    tolerance = Decimal(1) if subtotal.rate.code == _STANDARD else _CENT
    if not abs(of_group - subtotal.taxable) < tolerance:
        yield Broken(
            _rule(subtotal.rate.code, 8),
            f"what is of the category {subtotal.rate.code} adds up to {of_group}, its TaxableAmount says"
            f" {subtotal.taxable}",
        )


def _rule(code: str, number: int) -> str:
    return f"BR-{_FAMILIES.get(code, code)}-{number:02}"


def _group(code: str, percent: Decimal | None) -> tuple[str, Decimal | None]:
    """Return what tells breakdowns apart: only standard-rated ones come once per rate."""
    return code, (percent or ZERO) if code == _STANDARD else None


def _currencies(document: Document) -> Iterator[Broken]:
    if document.other_currencies:
        yield Broken(
            "PEPPOL-EN16931-R051",
            f"there are amounts in {', '.join(document.other_currencies)}, the document is in"
            f" {document.currency}",
        )
