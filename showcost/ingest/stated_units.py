"""Units and currencies that a file states beside its rows: in titles, notes and headings between rows.

Amounts in another currency than the row's, or in a multiple of one, may not pass in silence (SC-CUR-002,
SC-CUR-003).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.values.amounts import infer_amounts
from showcost.values.symbols import known_symbols, symbol_in_header, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import HeaderMatch

_UNITS_STATED: Final = re.compile(
    r"(?i)\b(?:amounts?|figures|values|all|betr\u00e4ge|angaben|werte|montants|importi?|importes|currency"
    r"|w\u00e4hrung|devise|valuta|moneda|divisa|functional|units?\W|einheit|unit\u00e9|unidad)\b"
    r"|^\W*units?\s*[:=,;\t]"
)
_ENDING: Final = re.compile(r"(?i:\b(?:in|en|ledger|journal|book|register)\s+)(\S+(?: \S+)?)\W*$")
"""A line that ends with its unit: `Cost report in USD`."""
_OTHER_ENDING: Final = re.compile(
    r"(?i)\b(?:rates?|kurse?|exchange|fx|taux|cambio|accounts?|konto|bank|limit|budget)\b"
)
"""Words of lines whose currency is not that of the amounts."""
_ONE_THOUSAND: Final = re.compile(
    r"(?i)^\W*(?:units?|einheit|unit\u00e9|unidad|scale|fa[ck]tor)\W+1[., '\u2019]?000\W*$"
)
_ABOUT: Final = frozenset(("in", "en", "of", "de", "us", "d", "des"))
"""Words beside a unit that has a cell for itself."""
_DEPARTMENT: Final = "DOP"
"""A director of photography far more often than a Dominican peso."""
_CELLS: Final = re.compile(r"[,;\t|]")
_WORDS: Final = re.compile(r"[\s()\[\]_/:.-]+")
LONGEST_LINE: Final = 120
"""Characters of a line that may state a unit."""
_LONGEST_UNIT: Final = 24
_SHORT: Final = 2
_FIRST_ROWS: Final = 3
_FIRST_AMOUNTS: Final = 20
_DOLLARS: Final = r"[- ]?(?:dollars?|d\u00f3lares)\b"
_CURRENCY_WORDS: Final = {
    rf"(?i)\b(?:us|u\.s\.|american){_DOLLARS}|\bd\u00f3lares (?:de los )?(?:ee\W?uu|estadounidenses)": "US$",
    rf"(?i)\b(?:canadian|kanadische){_DOLLARS}|\bdollars canadiens": "CA$",
    rf"(?i)\b(?:australian|australische){_DOLLARS}": "A$",
    r"(?i)\b(?:dollars?|d\u00f3lar(?:es)?|dollar[oi])\b": "$",
    r"(?i)\bpounds?\b|\bsterling\b|\bpfund\b|\blivres\b|\blibras\b|\bsterline\b": "\u00a3",
    r"(?i)\beuros?\b": "\u20ac",
    r"(?i)\bswiss francs?\b|\bschweizer franken\b|\bfrancs? suisses?\b": "CHF",
}
"""Patterns of the names of currencies in a text, each with a symbol; of dollars the first one counts."""


def stated_unit(above: Iterable[str], below: Iterable[str] = ()) -> str:
    """Return the currency, part or multiple that lines outside the rows state for all amounts; else empty.

    Lines are such as `Amounts in \u00a3000`, `Currency: USD` and `Cost report in thousands`. Above the rows a
    cell may have nothing but the unit. A unit counts more than a currency, wherever it is.
    """
    lines = [text for text in above if len(text) <= LONGEST_LINE]
    found = [_stated(text) for text in (*lines, *(text for text in below if len(text) <= LONGEST_LINE))]
    alone = {unit for text in lines for cell in _CELLS.split(text) if (unit := _alone(cell))}
    units = sorted(unit for unit in alone if not _is_currency(unit))
    currencies = sorted(alone.difference(units))
    found = [unit for unit in found if unit] + units + (currencies if len(currencies) == 1 else [])
    return next((unit for unit in found if not _is_currency(unit)), next(iter(found), ""))


def _is_currency(symbol: str) -> bool:
    return symbol in known_symbols()


def _stated(text: str) -> str:
    """Return the unit that a line states by its words; empty for none, or for several currencies."""
    joined = " ".join(_CELLS.split(text))
    if _ONE_THOUSAND.match(joined):
        return "thousands"
    for part in dict.fromkeys((joined, *re.split(r"[;|]|\. ", text))):
        is_stated = _UNITS_STATED.search(part) is not None
        ending = None if is_stated or _OTHER_ENDING.search(part) else _ENDING.search(part.strip(" ,"))
        if is_stated and (unit := _one_unit(part)):
            return unit
        if ending is not None and (unit := _alone(ending[1])):
            return unit
    return ""


def _one_unit(text: str) -> str:
    unit = symbol_in_header(" ".join(_CELLS.split(text)))
    if unit and (not _is_currency(unit) or len(_codes(text)) <= 1):
        return unit
    return "" if unit else _named(text)


def _named(text: str) -> str:
    """Return the symbol of the currency whose name a text has; empty for none or several."""
    named = []
    for pattern, symbol in _CURRENCY_WORDS.items():
        text, count = re.subn(pattern, " ", text)
        named += [symbol] * bool(count)
    return named[0] if len(named) == 1 else ""


def _alone(cell: str) -> str:
    """Return the unit or currency that a cell has and nothing else; empty for any other cell."""
    text = cell.strip(" ()[]:=*-\"'\r\n")
    if not text or len(text) > _LONGEST_UNIT or text.isdecimal() or text == _DEPARTMENT:
        return ""
    words = [word for word in _WORDS.split(text) if word]
    begins_with_in = words[0].lower() in {"in", "en"}
    if not begins_with_in and len(text) <= _SHORT and text.isalpha():
        return ""  # `M`, `ct` and `MN` may be anything.
    rest = [word for word in words if word.lower() not in _ABOUT and not symbol_in_header(f"in {word}")]
    if rest and any(not _named(word) for word in rest):
        return ""
    return symbol_in_header(f"in {text}") or _named(text)


def units_below_names(
    feed: FeedSpec, columns: Sequence[pa.ChunkedArray], match: HeaderMatch
) -> dict[str, str]:
    """Return the unit or currency of each field that a line of units below the column names states.

    Such a line has no date, and in a column of amounts nothing but `in TEUR`, `(\u00a3000)` or `USD`.
    """
    stated: dict[str, str] = {}
    dates = match.columns.get(feed.date_field)
    for name in feed.money_fields:
        place = match.columns.get(name)
        for row in range(min(_FIRST_ROWS, len(columns[0]) if columns and place is not None else 0)):
            date = columns[dates][row].as_py() if dates is not None else ""
            text = (columns[place or 0][row].as_py() or "").strip(" ()[]:")
            unit = symbol_in_header(text) or (text if unit_of(text) or text in known_symbols() else "")
            if unit and len(text) <= _LONGEST_UNIT and not any(char.isdigit() for char in date or ""):
                stated.setdefault(name, unit)
    return stated


def symbols_of_first_rows(
    feed: FeedSpec, columns: Sequence[pa.ChunkedArray], match: HeaderMatch
) -> dict[str, str]:
    """Return the symbol of each field of which the first amount alone has one, as accountants write it.

    The last one, a total, may have it too. Other amounts below are in the same currency.
    """
    stated: dict[str, str] = {}
    for name in feed.money_fields:
        place = match.columns.get(name)
        if place is None:
            continue
        # Most columns have no symbol where the first amounts are.
        if not infer_amounts(columns[place].slice(0, _FIRST_AMOUNTS)).symbol.drop_null():
            continue
        amounts = infer_amounts(columns[place], decimal_mark=feed.decimal_mark)
        is_amount = pc.is_valid(amounts.values)
        symbols = pc.filter(amounts.symbol, is_amount)
        named = pc.unique(symbols.slice(1, max(0, len(symbols) - _SHORT))).drop_null()
        first = symbols[0].as_py() if len(symbols) > 1 else None
        if first is not None and not len(named):
            stated[name] = first
    return stated


def unit_of_heading(text: str) -> str | None:
    """Return the unit that a heading between the rows states; None for any other line."""
    if len(text) > LONGEST_LINE:
        return None
    word = text.strip(" :-=*()[]")
    return word if word in known_symbols() else _alone(text) or _stated(text) or None


def unit_of_sheet(name: str) -> str | None:
    """Return the unit that the name of a sheet states; None for none."""
    symbol = symbol_in_header(name)
    return _alone(name) or _stated(name) or (symbol if symbol in known_symbols() else None)


def _codes(text: str) -> set[str]:
    """Return the codes of currencies in a text, without those that are words, too."""
    return {word for word in re.findall(r"\b[A-Z]{3}\b", text) if symbol_in_header(f"in {word}") == word}
