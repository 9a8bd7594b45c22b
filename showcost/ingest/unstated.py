"""Facts about amounts that a file has and its feed does not state: credits, spilled digits, units.

None of them may pass in silence: a credit would post as a cost, and `1,000.00` without quotes as 1. Such
amounts are unreadable (SC-AMT-001), such files refused (SC-FIL-002), and amounts in units rejected
(SC-CUR-003).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.feed import CREDIT_WORDS
from showcost.config.record_kinds import FieldType
from showcost.core.money import currency_codes
from showcost.ingest.no_costs import CREDIT_PHRASES, VOID_PHRASES
from showcost.ingest.signs import CreditMarks
from showcost.readers.csv.cell_types import DATE, NUMBER, cell_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import Accepted, HeaderMatch

_OF_SIGNS: Final = re.compile(
    r"(?i)^\W*(?:d\W?/?\W?c|dr\W*cr|s\W*h|debit\W*(?:or|/|-|_)?\W*credit|soll\W*haben)\b|debit.?credit|soll.?haben"
    r"|\b(?:dr|db).?cr\b|credit.?debit|^\W*(?:sign|vorzeichen)\W*$"
)
_OF_STATES: Final = re.compile(r"(?i)\bstat(?:us|e|ut|o)\b|\bzustand\b|\bestado\b|^void(?:ed)?\W*$")
_OF_PAYMENTS: Final = re.compile(r"(?i)pay|card|account|zahl|konto|karte|paiement|pago|terms")
_OF_TYPES: Final = re.compile(
    r"(?i)type|\bart\b|\btyp\b|art$|nature|kind|indicator|kennzeichen|\bkz\b|tipo|clase|vorgang|document|beleg|class"
)
_OF_DOCUMENTS: Final = re.compile(
    r"(?i)\b(?:doc(?:ument)?|inv(?:oice)?|trans(?:action)?|trx|voucher|bill|beleg|rechnungs?"
    r"|pi(?:\u00e8|e)ce|fattura)"
    r"[\W_]*(?:types?|kinds?|art|class|typ)\b"
    r"|belegart|dokument(?:en)?art|type (?:de )?(?:pi(?:\u00e8|e)ce|doc)"
    r"|tipo (?:de |di )?doc"
)
_CREDIT: Final = rf"cr|crn|crdt|cred|scr|pcr|kg|td04|381|haben|refund|reversed|reversal|{CREDIT_PHRASES}"
_CODES: Final = "cn|cm|c/n|gs|gu|st|sc|pc|av|nc|kor"
"""Codes of credit notes in a column for kinds of documents; elsewhere they are anything."""
_NO_INVOICES: Final = (
    "po|purchase order|order|bestellung|commande|pf|pro|qu|quo|estimate|statement|delivery note|lieferschein"
    "|payment|pmt|pymt|zahlung|zahlungseingang|paiement|pago|pagamento|kz|325"
)
"""Kinds of documents of which none is an invoice, in a list of invoices."""
_ZERO_REST: Final = r"^\s*0[0-9]{2}[.,][0-9]{2}\)?-?\s*$"
_WHOLE: Final = r"^[^0-9.,]{0,4}[0-9]+$"
_CENTS: Final = r"^[0-9]{2}\)?-?$"
_DIGITS: Final = r"^\s*[0-9]{2,3}\s*$"
_MOSTLY: Final = 4
_OF_TEXTS: Final = re.compile(
    r"(?i)text|desc|memo|note|comment|remark|detail|purpose|particulars|narrat|bezeichnung|beschreibung|zweck"
    r"|libell|bemerkung|concepto|descrizione|omschrijving"
)
_SPILLING: Final = frozenset(", '.")
"""Delimiters that divide the digits of amounts, too."""
_FREE_TEXTS: Final = frozenset(("description", "vendor_name", "reason", "location_name"))
_LEAST_CELLS: Final = 3
_SEVERAL: Final = 2
_CENTS_ALONE: Final = re.compile(r"\W*\d[\d., ]*[.,]\d\d\W*")
_FIRST_ROWS: Final = 3
_OF_CURRENCIES: Final = re.compile(
    r"(?i)^(?:[^\W_]*[ _.-])?(?:currency|currencies|curr|cur|ccy|w(?:\u00e4|ae)hrung|wkz|devise|monnaie"
    r"|valuta|moneda|divisa|moeda|waluta|m\u011bna|mena|munt)(?:[ _.-]?(?:code|kz|iso))?\W*$"
)
_COUNTRIES: Final = frozenset(("CHE", "MEX", "CHW"))
"""Codes of currencies that are those of countries, too."""


def credit_columns(feed: FeedSpec, header: Sequence[str], match: HeaderMatch) -> dict[int, CreditMarks]:
    """Return the columns that no setting names and that may mark credits or voids, with patterns of words."""
    if feed.signs is not None:
        return {}
    figures = (*feed.money_fields, feed.date_field, feed.kind.document, "account", "currency", "vendor_name")
    taken = {match.columns[name] for name in figures if name in match.columns}
    taken |= {*((match.credits or {}).values())}
    marks: dict[int, CreditMarks] = {}
    for place, name in enumerate(header):
        if place in taken:
            continue
        if _OF_SIGNS.search(name):
            marks[place] = _marks("-", *map(str.lower, CREDIT_WORDS[:-1]), _CREDIT)
        elif _OF_STATES.search(name):
            marks[place] = _marks(_CREDIT, void=VOID_PHRASES)
        elif not name.strip():
            marks[place] = _marks("credit", _CREDIT, void=VOID_PHRASES)
        elif _OF_DOCUMENTS.search(name):
            others = [_NO_INVOICES] if feed.kind.identity is not None else []
            marks[place] = _marks("credit", _CODES, _CREDIT, void="|".join([VOID_PHRASES, *others]))
        elif _OF_TYPES.search(name):
            # A way to pay may be by credit.
            credit = [] if _OF_PAYMENTS.search(name) else ["credit"]
            marks[place] = _marks(*credit, _CREDIT, void=VOID_PHRASES)
    return marks


def _marks(*credit: str, void: str = "") -> CreditMarks:
    whole = r"(?i)^[\W_]*(?:{})[\W_]*$"
    return CreditMarks(whole.format("|".join(credit)), whole.format(void) if void else "")


def currency_column(
    header: Sequence[str], columns: Sequence[pa.ChunkedArray], match: HeaderMatch
) -> int | None:
    """Return the column with the currency of each row, where the feed takes one for granted; None if none.

    It is named so, or each cell with content of the first records is the code of a currency.
    """
    if "currency" in match.columns:
        return None
    taken = {*match.columns.values(), *((match.credits or {}).values()), match.accounts, match.signs}
    free = [place for place in range(len(header)) if place not in taken and place < len(columns)]
    named = [place for place in free if _OF_CURRENCIES.search(header[place])]
    for place in (*named, *free):
        cells = pc.fill_null(pc.utf8_trim_whitespace(columns[place]), "")
        texts = set(pc.unique(cells).to_pylist()) - {""}
        is_word = texts and not any(char.isdigit() for text in texts for char in text)
        if is_word and (place in named or texts <= currency_codes() - _COUNTRIES):
            return place
    return None


def spilling_columns(feed: FeedSpec, accepted: Accepted, delimiter: str) -> frozenset[int]:
    """Return the columns of money of which some amounts may go on in the next column, as a chunk shows.

    The delimiter may divide digits, and the next column is for a free text, or has a rest that no number
    begins as (`000.00`).
    """
    if delimiter not in _SPILLING:
        return frozenset()
    match, columns = accepted.match, accepted.columns
    free = {match.columns[name] for name in _FREE_TEXTS if name in match.columns}
    places = {match.columns[name] for name in feed.money_fields if name in match.columns}
    return frozenset(
        place
        for place in places
        if place + 1 < len(columns) and (place + 1 in free or _any(columns[place + 1], _ZERO_REST))
    )


def texts_with_digits(
    feed: FeedSpec, header: Sequence[str], accepted: Accepted, delimiter: str
) -> frozenset[int]:
    """Return the columns of money before a text of which some cells may be the rest of an amount's digits.

    In a file divided by commas, `1,250` without quotes leaves 250 in a column that otherwise has words.
    """
    if delimiter != ",":
        return frozenset()
    match, columns = accepted.match, accepted.columns
    fields = {place: name for name, place in match.columns.items()}
    found = set()
    for place in (match.columns[name] for name in feed.money_fields if name in match.columns):
        after = place + 1
        if after >= min(len(columns), len(header)) or fields.get(after, "description") not in _FREE_TEXTS:
            continue
        is_rest, is_word = (_count(columns[after], pattern) for pattern in (_DIGITS, r"\p{L}"))
        is_text = after in fields or _OF_TEXTS.search(header[after]) is not None
        if is_rest and is_word and (is_text or is_word >= _MOSTLY * is_rest):
            found.add(place)
    return frozenset(found)


def _count(texts: pa.ChunkedArray, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(texts, pattern), min_count=0).as_py())


def _any(texts: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern), min_count=0).as_py())


def spilled_cents(
    feed: FeedSpec, chunks: Iterable[Accepted], match: HeaderMatch, delimiter: str
) -> str | None:
    """Return what is wrong with a file whose amounts are divided at a decimal comma; None for any other file.

    In all its rows the amount is whole, and the next column, which is for a free text or not known, has two
    digits.
    """
    column = match.columns.get(feed.kind.primary.field)
    if delimiter != "," or column is None:
        return None
    fields = {place: name for name, place in match.columns.items()}
    name = fields.get(column + 1)
    if name is not None and feed.kind.by_name[name].type is not FieldType.TEXT:
        return None
    has_zeros, rows = False, 0
    for chunk in chunks:
        if column + 1 >= len(chunk.columns):
            return None
        amount, after = (
            pc.fill_null(pc.utf8_trim_whitespace(chunk.columns[place]), "") for place in (column, column + 1)
        )
        cents = pc.and_(pc.match_substring_regex(amount, _WHOLE), pc.match_substring_regex(after, _CENTS))
        if not pc.all(cents, min_count=0).as_py():
            return None
        rows += len(amount)
        has_zeros |= bool(pc.any(pc.equal(after, "00"), min_count=0).as_py())
    if rows and (has_zeros or name in _FREE_TEXTS):
        return (
            f"column {column + 2} may have the cents of column {column + 1}: a decimal comma without quotes"
        )
    return None


def table_beside(header: Sequence[str], columns: Sequence[pa.ChunkedArray], match: HeaderMatch) -> str | None:
    """Return what is wrong with a file that has another table beside its own; None for any other file.

    Between them is a column without name and content, and the other one has dates and numbers, which no
    record of the table would have. Names of its columns it may lack.
    """
    taken = {*match.columns.values(), *((match.credits or {}).values()), match.accounts, match.signs}
    blank = [
        place
        for place in range(min(len(header), len(columns)))
        if not header[place].strip() and not _any(columns[place], r"[^\s\p{Zs}]")
    ]
    edges = [-1, *blank, len(columns)]
    for before, after in pairwise(edges):
        block = range(before + 1, after)
        if len(block) < _LEAST_CELLS or not match.columns or not taken.isdisjoint(block):
            continue
        names = [place for place in block if place < len(header) and header[place].strip()]
        if _has_rows([columns[place] for place in block], are_named=len(names) >= _LEAST_CELLS):
            return f"another table is beside this one, from column {block.start + 1} on"
    return None


def _has_rows(columns: Sequence[pa.ChunkedArray], *, are_named: bool) -> bool:
    """Return whether columns have the rows of a table: dates and numbers below names, or else full rows.

    Without names, several of the first rows have a word, number or date in three cells at least, and among
    them one of an amount or a date.
    """
    filled = [pc.match_substring_regex(texts, r"[^\s\p{Zs}]") for texts in columns]
    counts = np.sum([np.asarray(pc.fill_null(mask, False), np.int64) for mask in filled], axis=0)
    chosen = np.flatnonzero(counts >= (1 if are_named else _LEAST_CELLS))[:_FIRST_ROWS]
    cells = [texts.take(pa.array(chosen)).to_pylist() for texts in columns]
    rows = [[text.strip() for text in row if text and text.strip()] for row in zip(*cells, strict=True)]
    kinds = [{cell_type(text) for text in row} for row in rows]
    if are_named:
        return {DATE, NUMBER} <= set[str]().union(*kinds)
    figures = [
        DATE in kind or any(_CENTS_ALONE.fullmatch(text) for text in row)
        for row, kind in zip(rows, kinds, strict=True)
    ]
    return len(figures) >= _SEVERAL and all(figures)
