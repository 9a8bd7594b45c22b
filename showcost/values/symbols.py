"""Currency symbols as written in cells, and the currencies that each may mean.

A bare `$` or `£` is never taken for one currency: the currency of a row comes from its own field, and a
symbol can only contradict it. Prefixed symbols (`US$`, `CA$`) come from the Unicode CLDR; the shared ones
are listed here, since CLDR gives each only within a country.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from babel import Locale

from showcost.core.money import currency_codes

_SHARED: Final[dict[str, str]] = {
    "$": "ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUP DOP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD SRD"
    " TTD TWD USD UYU XCD",
    "£": "EGP FKP GBP GIP LBP SDG SHP SSP SYP",
    "€": "EUR",
    "¥": "CNH CNY JPY",
    "₩": "KPW KRW",
    "₹": "INR",
    "₪": "ILS",
    "₫": "VND",
    "₱": "PHP",
    "₺": "TRY",
    "₽": "RUB",
    "₴": "UAH",
    "₦": "NGN",
    "₵": "GHS",
    "₡": "CRC",
    "₲": "PYG",
    "₸": "KZT",
    "₼": "AZN",
    "₾": "GEL",
    "฿": "THB",
    "៛": "KHR",
    "kr": "DKK ISK NOK SEK",
    "Rs": "INR LKR MUR NPR PKR SCR",
    "Fr": "CHF",
    "SFr": "CHF",
    "Kč": "CZK",
    "zł": "PLN",
    "Ft": "HUF",
    "RM": "MYR",
    "R": "ZAR",
    "C$": "CAD NIO",
    "S$": "SGD",
    "J$": "JMD",
    "£E": "EGP",
    "E£": "EGP",
    "£GB": "GBP",
    "GB£": "GBP",
    "US$": "USD",
    "AU$": "AUD",
    "CAN$": "CAD",
    "SG$": "SGD",
}


@cache
def known_symbols() -> dict[str, frozenset[str]]:
    """Return every known symbol, with the ISO 4217 codes that it may mean.

    A currency's own code is one of its symbols.
    """
    meaning = {symbol: frozenset(codes.split()) for symbol, codes in _SHARED.items()}
    for code, symbol in Locale.parse("en").currency_symbols.items():
        if code in currency_codes():
            spaced = symbol.replace("\u202f", " ")
            meaning[spaced] = meaning.get(spaced, frozenset()) | {code}
    for symbol in [symbol for symbol in meaning if symbol.isalpha() and not symbol.isupper()]:
        meaning[f"{symbol}."] = meaning[symbol]
    return meaning | {code: frozenset({code}) for code in currency_codes()}


def currencies_of(symbol: str) -> frozenset[str]:
    """Return the ISO codes that a symbol may mean; none for an unknown symbol."""
    return known_symbols().get(symbol, frozenset())


def contradicts(symbol: str, currency: str) -> bool:
    """Return whether a symbol cannot mean a currency.

    Depends on its arguments only, so callers need it once per distinct pair of a column.
    """
    return currency not in currencies_of(symbol)
