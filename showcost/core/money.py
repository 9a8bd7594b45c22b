"""Currencies and exact rounding.

Amounts are `decimal.Decimal` in Python and DECIMAL in the database, never a float. Minor units are those of
ISO 4217; for a withdrawn currency, those of the Unicode CLDR (babel).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cache

from babel.core import get_global
from babel.numbers import get_currency_precision
from iso4217 import Currency

AMOUNT_DIGITS, AMOUNT_SCALE = 18, 4
"""Stored amounts are DECIMAL(18, 4): four decimals cover every ISO 4217 minor unit."""

EXACT_DIGITS = 60
"""Working precision for exact intermediate results: a product of any two stored decimals fits."""


@cache
def currency_codes() -> frozenset[str]:
    """Return the three-letter codes of all currencies in ISO 4217 or CLDR, withdrawn ones included."""
    return frozenset(get_global("all_currencies")) | _exponents().keys()


@cache
def minor_units(currency: str) -> int:
    """Return the number of decimals of a currency's minor unit (JPY 0, USD 2, BHD 3).

    ISO 4217 comes first, because CLDR follows everyday use: it has no decimals for the Serbian dinar or the
    Albanian lek, where ISO 4217 has two and an invoice over 1,200.50 RSD is valid.

    Raises KeyError for an unknown currency code.
    """
    if currency not in currency_codes():
        raise KeyError(currency)
    listed = _exponents().get(currency)
    return int(get_currency_precision(currency)) if listed is None else listed


@cache
def _exponents() -> dict[str, int | None]:
    return {currency.code: currency.exponent for currency in Currency}


def round_half_away(value: Decimal, decimals: int) -> Decimal:
    """Round to `decimals` places, halves away from zero, so that a reversal is the exact negation."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def readable_amount(amount: Decimal) -> str:
    """Return an amount with thousands separators and two decimals, four where it has more."""
    return f"{amount:,.4f}".removesuffix("00")
