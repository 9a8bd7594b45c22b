"""The arithmetic of EN 16931: checks of the stated sums of a document.

The rules, their names and the way they round are those of EN 16931-1, section 6.4, as the official
schematron of CEN/TC 434 has them (ConnectingEurope/eInvoicing-EN16931). A category's tax, and the taxable
amount of a category that charges one, may be off by less than one unit; all others by nothing. Amounts have
two decimals at most, so that nothing is lost by rounding. R051 is that of Peppol BIS Billing 3.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from showcost.readers.ubl.document import UNTAXED, ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from showcost.readers.ubl.document import Document, InvoicePart, Subtotal, TaxRate

_CENT: Final = Decimal("0.01")
_DECIMALS: Final = 2
_HALF: Final = Decimal("0.5")
_FAMILIES: Final[Mapping[str, str]] = {
    **{code: f"BR-{code}" for code in ("AE", "E", "G", "O", "S", "Z")},
    "K": "BR-IC",
    "L": "BR-AF",
    "M": "BR-AG",
}
"""The schematron's names for the rules of a VAT category."""
_DECIMAL_RULES: Final[Mapping[str, str]] = {
    "LineExtensionAmount": "BR-DEC-09",
    "AllowanceTotalAmount": "BR-DEC-10",
    "ChargeTotalAmount": "BR-DEC-11",
    "TaxExclusiveAmount": "BR-DEC-12",
    "TaxAmount": "BR-DEC-13",
    "TaxInclusiveAmount": "BR-DEC-14",
    "PrepaidAmount": "BR-DEC-16",
    "PayableRoundingAmount": "BR-DEC-17",
    "PayableAmount": "BR-DEC-18",
}
_DECIMALS_OF_PARTS: Final = {"line": "BR-DEC-23", "allowance": "BR-DEC-01", "charge": "BR-DEC-05"}


class BrokenRule(NamedTuple):
    """A rule that a document breaks: its number, and the problem with its place as a sentence."""

    rule: str
    problem: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.problem}"


def broken_rules(document: Document) -> list[BrokenRule]:
    """Return the rules that a document breaks, in order; empty when it adds up."""
    return [*_sums(document), *_breakdown(document), *_decimals(document), *_currencies(document)]


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _total(parts: Iterable[InvoicePart]) -> Decimal:
    return sum((part.net for part in parts), ZERO)


def _sums(document: Document) -> Iterator[BrokenRule]:
    totals, parts = document.totals, document.parts

    def differ(
        rule: str, what: str, computed: Decimal, stated: Decimal | None, name: str
    ) -> Iterator[BrokenRule]:
        if stated is None:
            yield BrokenRule(rule, f"{what} {_rounded(computed)}, there is no {name}")
        elif _rounded(computed) != stated:
            where = totals.places.get(name, 0)
            yield BrokenRule(rule, f"{what} {_rounded(computed)}, {name} in line {where} says {stated}")

    lines = _total(part for part in parts if part.sort == "line")
    yield from differ("BR-CO-10", "the lines add up to", lines, totals.lines, "LineExtensionAmount")
    for rule, sort, stated, name in (
        ("BR-CO-11", "allowance", totals.allowances, "AllowanceTotalAmount"),
        ("BR-CO-12", "charge", totals.charges, "ChargeTotalAmount"),
    ):
        of_sort = [part for part in parts if part.sort == sort]
        if of_sort or stated is not None:
            total = ZERO - _total(of_sort) if sort == "allowance" else _total(of_sort)
            yield from differ(rule, f"the {sort}s add up to", total, stated, name)
    without_tax = totals.lines - (totals.allowances or ZERO) + (totals.charges or ZERO)
    what = "lines less allowances plus charges are"
    yield from differ("BR-CO-13", what, without_tax, totals.without_tax, "TaxExclusiveAmount")
    if document.subtotals:
        tax = sum((subtotal.tax for subtotal in document.subtotals), ZERO)
        yield from differ("BR-CO-14", "the taxes of the categories add up to", tax, totals.tax, "TaxAmount")
    if len(totals.taxes) != 1:
        count = f"there are {len(totals.taxes) or 'no'} tax totals in {document.currency}"
        yield BrokenRule("BR-CO-15", f"{count}, where there has to be one")
    what = "the amount without tax plus tax is"
    yield from differ(
        "BR-CO-15", what, totals.without_tax + totals.tax, totals.with_tax, "TaxInclusiveAmount"
    )
    payable = totals.with_tax - (totals.prepaid or ZERO) + (totals.rounding or ZERO)
    what = "the amount with tax less what is paid, rounded, is"
    yield from differ("BR-CO-16", what, payable, totals.payable, "PayableAmount")


def _breakdown(document: Document) -> Iterator[BrokenRule]:
    for subtotal in document.subtotals:
        yield from _tax(subtotal)
    of_breakdown: dict[tuple[str, Decimal | None], list[InvoicePart]] = {}
    for part in document.parts:
        of_breakdown.setdefault(part.tax.breakdown, []).append(part)
    stated: set[tuple[str, Decimal | None]] = set()
    for subtotal in document.subtotals:
        breakdown = subtotal.rate.breakdown
        if breakdown in stated:
            problem = f"a second breakdown of the category {_shown(subtotal.rate)} in line {subtotal.line}"
            yield BrokenRule(_rule(subtotal.rate.code, 1 if breakdown[0] in UNTAXED else 8), problem)
        stated.add(breakdown)
        yield from _taxable(subtotal, of_breakdown.get(breakdown, []))
    for breakdown, parts in sorted(of_breakdown.items(), key=str):
        if breakdown not in stated:
            yield BrokenRule(
                _rule(breakdown[0], 1),
                f"there is a {parts[0].sort} of the category {_shown(parts[0].tax)} in line {parts[0].line},"
                " but no breakdown of it",
            )


def _tax(subtotal: Subtotal) -> Iterator[BrokenRule]:
    rate, where = (
        subtotal.rate,
        f"the category {subtotal.rate.code} in line {subtotal.line} says {subtotal.tax}",
    )
    percent = rate.percent or ZERO
    tax = _rounded(subtotal.taxable * percent / 100)
    tolerated = abs(subtotal.tax - tax) < 1 if percent else -_HALF <= subtotal.tax < _HALF
    if not tolerated:
        rules = "BR-CO-17" if rate.code in UNTAXED else f"BR-CO-17, {_rule(rate.code, 9)}"
        yield BrokenRule(rules, f"{percent:f}% of {subtotal.taxable} are {tax}, {where}")
    if rate.code in UNTAXED and subtotal.tax:
        yield BrokenRule(_rule(rate.code, 9), f"no tax is charged, {where}")


def _taxable(subtotal: Subtotal, parts: list[InvoicePart]) -> Iterator[BrokenRule]:
    total, code = _total(parts), subtotal.rate.code
    exact = code in UNTAXED or not parts
    if abs(total - subtotal.taxable) < (_CENT if exact else 1) and (parts or not subtotal.tax):
        return
    yield BrokenRule(
        _rule(code, 8),
        f"what is of the category {_shown(subtotal.rate)} adds up to {total}, its TaxableAmount in line"
        f" {subtotal.line} says {subtotal.taxable}",
    )


def _shown(rate: TaxRate) -> str:
    return rate.code if rate.percent is None else f"{rate.code} with {rate.percent:f}%"


def _rule(code: str, number: int) -> str:
    """Return the name of a rule of a VAT category; for one without rules, that of all VAT breakdowns."""
    return f"{_FAMILIES[code]}-{number:02}" if code in _FAMILIES else "BG-23"


def _decimals(document: Document) -> Iterator[BrokenRule]:
    totals = document.totals
    amounts = {
        "LineExtensionAmount": totals.lines,
        "AllowanceTotalAmount": totals.allowances,
        "ChargeTotalAmount": totals.charges,
        "TaxExclusiveAmount": totals.without_tax,
        "TaxAmount": totals.taxes[0] if totals.taxes else None,
        "TaxInclusiveAmount": totals.with_tax,
        "PrepaidAmount": totals.prepaid,
        "PayableRoundingAmount": totals.rounding,
        "PayableAmount": totals.payable,
    }
    stated = [
        *((_DECIMAL_RULES[name], amount, totals.places.get(name, 0)) for name, amount in amounts.items()),
        *((_DECIMALS_OF_PARTS[part.sort], part.net, part.line) for part in document.parts),
        *(("BR-DEC-19", subtotal.taxable, subtotal.line) for subtotal in document.subtotals),
        *(("BR-DEC-20", subtotal.tax, subtotal.line) for subtotal in document.subtotals),
    ]
    for rule, amount, line in stated:
        if amount is not None and -int(amount.as_tuple().exponent) > _DECIMALS:
            yield BrokenRule(rule, f"{abs(amount)} in line {line} has more than {_DECIMALS} decimals")


def _currencies(document: Document) -> Iterator[BrokenRule]:
    if document.foreign:
        names = sorted({foreign.currency or "no currency" for foreign in document.foreign})
        yield BrokenRule(
            "PEPPOL-EN16931-R051",
            f"there are amounts in {', '.join(names)}, the first in line {document.foreign[0].line}; the"
            f" document is in {document.currency}",
        )
