"""Signs of amounts that stand outside their cell: in a column of words, or in a pair of columns.

The sign is put in front of the amount's text, which is then read like any other: an amount with a second
sign, with an unknown word, or in both columns of a pair is unparseable, and never positive by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from showcost.config.feed import Signs

_NOTHING: Final = r"^[-\x{2010}-\x{2015}\x{2212}]?$|^[^0-9]*0+(?:[.,]0+)?[^0-9]*$"
"""Matches what a blank half of a pair has: nothing, a dash, or zero."""


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


def _trimmed(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.utf8_trim_whitespace(texts), "")
