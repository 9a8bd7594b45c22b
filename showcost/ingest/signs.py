"""Signs and currencies of amounts that stand outside their cell: in another column, or in a pair of columns.

The sign is put in front of the amount's text, which is then read like any other: an amount with a second
sign, with an unknown word, or in both columns of a pair is unparseable, and never positive by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import Signs

_NOTHING: Final = r"^[-\x{2010}-\x{2015}\x{2212}]?$|^[^0-9]*0+(?:[.,]0+)?[^0-9]*$"
"""Matches what a blank half of a pair has: nothing, a dash, or zero."""
_NEGATIVE: Final = r"[-\x{2010}-\x{2015}\x{2212}(]|(?i:cr)"
_GROUP: Final = r"^[^0-9]{0,4}[0-9]{1,3}$"
_WHOLE: Final = r"^[^0-9.,]{0,4}[0-9]+$"
_REST: Final = r"^[0-9]{3}[.,][0-9]{2}\)?-?$"

_NAMES: Final = {
    **dict.fromkeys(("euro", "euros"), "EUR"),
    **dict.fromkeys(
        ("sterling", "pound sterling", "pounds sterling", "british pound", "british pounds"), "GBP"
    ),
    **dict.fromkeys(("us dollar", "us dollars", "u.s. dollar", "u.s. dollars"), "USD"),
    **{code.lower(): code for code in ("EUR", "GBP", "USD", "CAD", "AUD", "CHF")},
}


def signed(amounts: pa.ChunkedArray, words: pa.ChunkedArray, signs: Signs) -> pa.ChunkedArray:
    """Return the texts of amounts with the signs that words in another column say; blank amounts stay."""
    known = {word.strip().lower(): "-" for word in signs.negative}
    known |= {word.strip().lower(): "+" for word in signs.positive}
    spelled = pc.utf8_lower(_trimmed(words))
    place = pc.index_in(spelled, value_set=pa.array(list(known), pa.string()))
    unknown = pc.binary_join_element_wise("?", spelled, " ", "")
    marks = pc.coalesce(pc.take(pa.array(list(known.values()), pa.string()), place), unknown)
    texts = _trimmed(amounts)
    return pc.if_else(pc.equal(texts, ""), texts, pc.binary_join_element_wise(marks, texts, ""))


def debit_or_credit(debits: pa.ChunkedArray, credits_: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the texts of amounts in one of two columns, those of the second negative."""
    debit, credit = _trimmed(debits), _trimmed(credits_)
    no_debit, no_credit = (pc.match_substring_regex(texts, _NOTHING) for texts in (debit, credit))
    negative = pc.binary_join_element_wise("-", credit, "")
    both = pc.binary_join_element_wise(debit, credit, " and ")
    one = pc.if_else(no_credit, debit, pc.if_else(no_debit, negative, both))
    return pc.if_else(pc.and_(no_credit, pc.equal(debit, "")), credit, one)


class CreditMarks(NamedTuple):
    """Patterns of the words in a column that make amounts credits, or no costs; empty for none."""

    credit: str
    void: str = ""


def without_credits(
    texts: pa.ChunkedArray, columns: Sequence[pa.ChunkedArray], marks: Mapping[int, CreditMarks]
) -> pa.ChunkedArray:
    """Return texts of amounts, those that a word in another column makes credits with the word before them.

    Credits with a sign of their own stay: their sender says the same twice. Void rows are marked whatever
    their sign.
    """
    for place, (credit, void) in marks.items():
        said = pc.utf8_lower(_trimmed(columns[place]))
        words = pc.unique(said)
        credits_, voids = (words.filter(_matches(words, pattern)) for pattern in (credit, void))
        if not len(credits_) and not len(voids):
            continue
        amount = _trimmed(texts)
        positive = pc.invert(pc.match_substring_regex(amount, _NEGATIVE))
        is_none = pc.or_(
            pc.is_in(said, value_set=voids), pc.and_(pc.is_in(said, value_set=credits_), positive)
        )
        marked = pc.binary_join_element_wise("?", said, amount, " ")
        texts = pc.if_else(pc.and_(is_none, pc.not_equal(amount, "")), marked, texts)
    return texts


def _matches(words: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(words, pattern) if pattern else pa.repeat(False, len(words))


def without_spilled(
    texts: pa.ChunkedArray, columns: Sequence[pa.ChunkedArray], place: int
) -> pa.ChunkedArray:
    """Return texts of amounts, with the next cell where that has the rest of the digits (1 and `000.00`)."""
    after = _trimmed(columns[place + 1])
    amount = _trimmed(texts)
    spilled = pc.and_(pc.match_substring_regex(after, _REST), pc.match_substring_regex(amount, _GROUP))
    return pc.if_else(spilled, pc.binary_join_element_wise(amount, after, " ? "), texts)


def without_rest_of_digits(
    texts: pa.ChunkedArray, columns: Sequence[pa.ChunkedArray], place: int
) -> pa.ChunkedArray:
    """Return texts of whole amounts, with the next cell where that may have their last digits."""
    after = _trimmed(columns[place + 1])
    amount = _trimmed(texts)
    group = pc.and_(pc.match_substring_regex(after, r"^[0-9]{3}$"), pc.match_substring_regex(amount, _GROUP))
    cents = pc.and_(pc.match_substring_regex(after, r"^[0-9]{2}$"), pc.match_substring_regex(amount, _WHOLE))
    return pc.if_else(pc.or_(group, cents), pc.binary_join_element_wise(amount, after, " ? "), texts)


def stated_currencies(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the currencies of a column as symbols; names of currencies as codes, null for blank cells."""
    trimmed = _trimmed(cells)
    named = pa.array(list(_NAMES))
    place = pc.index_in(pc.utf8_lower(trimmed), value_set=named)
    codes = pc.take(pa.array(list(_NAMES.values())), place)
    return pc.coalesce(codes, pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed))


def _trimmed(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.utf8_trim_whitespace(texts), "")
