"""Currency symbols as written in cells, and the currencies that each may mean.

A bare `$` or `£` is never taken for one currency: the currency of a row comes from its own field, and a
symbol can only contradict it. Prefixed symbols (`US$`, `CA$`) come from the Unicode CLDR; the shared ones
are listed here, since CLDR gives each only within a country.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from babel import Locale

from showcost.core.money import currency_codes
from showcost.values.minor_units import is_hundredth, major_unit

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


_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]{1,24})[)\]]")
_BETWEEN_WORDS: Final = re.compile(r"[\s()\[\]_/:,;.-]+")
_SIGNS: Final = "$£€¥₩₹₪₫₱₺₽₴₦₵₡₲₸₼₾฿"
_MONEY: Final = rf"(?:[{_SIGNS}]|[A-Z]{{3}}|[A-Z]{{1,2}}\$)"
_THOUSAND: Final = r"(?:['\u2019]?000s?|[kK]|Tsd\.?)"
_MILLION: Final = r"(?:[mM]|[Mm][Nn]|[Mm]io\.?)"
_UNIT: Final = re.compile(
    rf"(?:in )?{_MONEY}? ?(?:{_THOUSAND}|{_MILLION}) ?{_MONEY}?|T[{_SIGNS}]"
    r"|TEUR|TUSD|TGBP|KEUR|(?:in )?(?:thousands?|millions?|pence|cents?|Cent)|p|c|ct|GBp|GBX|ZAc|ILA"
)
"""Multiples and parts of a currency."""
_OF_THOUSANDS: Final = re.compile(
    rf"(?:in )?({_MONEY})? ?{_THOUSAND} ?({_MONEY})?|T([{_SIGNS}])|[TK]([A-Z]{{3}})"
    r"|(?i:(?:in )?(?:thousands?|tausend|milliers|tsd\.?))"
)
_OF_MILLIONS: Final = re.compile(
    rf"(?:in )?({_MONEY})? ?{_MILLION} ?({_MONEY})?|(?i:(?:in )?(?:millions?|mio\.?))"
)
_UNIT_WORD: Final = re.compile(r"(?i)thousands|millions|tausend|milliers|tsd\.?|['\u2019]?000s?")
_IN_UNIT: Final = re.compile(r"(?i)\bin (pence|cents?|thousands?|millions?|tausend|mio)\b")
_LEAST_WORD: Final = 3
_ALSO_WORDS: Final = frozenset(
    [
        *("ALL", "AMD", "ANG", "BAM", "BOB", "CHE", "CHW", "COP", "CUP", "ERN", "GEL", "GIP", "LAK", "MAD"),
        *("MOP", "NIO", "PEN", "RON", "SHP", "SLE", "SOS", "STN", "SUR", "TOP", "TRY", "XTS", "XXX"),
    ]
)
"""Currency codes that are words of a header in capital letters, too."""


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


def symbol_in_header(header: str) -> str:
    """Return the symbol, code or unit that the name of a column of amounts states; empty for none.

    `Amount (£)`, `Net USD` and `Betrag in €` do. A unit (`£000`, `p`, `TEUR`) is no currency, so that it
    contradicts each: it would change all amounts. Codes that are words, too, count in brackets only.
    """
    inner = [" ".join(text.split()) for text in _BRACKETS.findall(header)]
    words = [word for word in _BETWEEN_WORDS.split(header) if word]
    words = words[1:] + words[:1]
    # A unit counts more than the currency beside it: `EUR thousands`, `(EUR) in thousands`.
    units = [text for text in inner if _UNIT.fullmatch(text) and text not in known_symbols()]
    units += [word for word in words if _UNIT_WORD.fullmatch(word) or _is_unit(word)]
    if in_unit := _IN_UNIT.search(header):
        units.append(in_unit[1])
    money = [text for text in inner if text in known_symbols()]
    money += [word for word in words if _is_money(word)]
    return next(iter(units + money), "")


def _is_unit(word: str) -> bool:
    if word.isalpha() and (word.islower() or len(word) < _LEAST_WORD):
        return False
    return _UNIT.fullmatch(word) is not None and word not in known_symbols()


def _is_money(word: str) -> bool:
    is_sign = word in known_symbols() and not word.isalpha()
    return is_sign or (word in currency_codes() and word not in _ALSO_WORDS)


@dataclass(frozen=True)
class Unit:
    """A part or multiple of a currency, in which amounts are stated.

    `places` are the decimal places that the amounts leave out: 2 for cents, -3 for thousands. `money` is the
    symbol of the currency, if the unit has one.
    """

    places: int
    money: str


@cache
def unit_of(symbol: str) -> Unit | None:
    """Return the part or multiple that a symbol names (`p`, `TEUR`, `£000`); None for any other symbol."""
    if is_hundredth(symbol):
        return Unit(2, major_unit(symbol) or "")
    if symbol in known_symbols():
        return None
    for pattern, places in ((_OF_THOUSANDS, -3), (_OF_MILLIONS, -6)):
        if multiple := pattern.fullmatch(symbol):
            return Unit(places, next((money for money in multiple.groups() if money), ""))
    return None


def contradicts(symbol: str, currency: str) -> bool:
    """Return whether a symbol cannot mean a currency.

    Depends on its arguments only, so callers need it once per distinct pair of a column.
    """
    return currency not in currencies_of(symbol)
