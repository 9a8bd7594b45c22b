"""Currencies and exact rounding.

Amounts are `decimal.Decimal` in Python and DECIMAL in the database; no float comes near them. Minor
units are those of ISO 4217 as carried by the Unicode CLDR (through babel).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache

from babel.core import get_global
from babel.numbers import get_currency_precision

AMOUNT_DIGITS, AMOUNT_SCALE = 18, 4
"""Stored amounts are DECIMAL(18, 4): four decimals cover every ISO 4217 minor unit."""

EXACT_DIGITS = 60
"""Working precision for exact intermediate results: a product of any two stored decimals fits."""


@cache
def known_currencies() -> frozenset[str]:
    """Return the three-letter codes of all currencies that CLDR knows, past ones included."""
    return frozenset(get_global("all_currencies"))


@cache
def minor_units(currency: str) -> int:
    """Return the number of decimals of a currency's minor unit (JPY 0, USD 2, BHD 3).

    Raises KeyError for a code that is no currency.
    """
    if currency not in known_currencies():
        raise KeyError(currency)
    return int(get_currency_precision(currency))


def round_half_away(value: Decimal, decimals: int) -> Decimal:
    """Round to `decimals` places, halves away from zero, so that a reversal is the exact negation."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def readable_amount(amount: Decimal) -> str:
    """Return an amount with thousands set apart, and without idle decimals beyond the second."""
    return f"{amount:,.4f}".removesuffix("00")
