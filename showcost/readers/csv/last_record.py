"""The end of a delivery: a last record without a line end, where all others have one, may be cut off.

A cut `12` of `1234.50` is an amount like any other. So such a record is a row only if its last cell is whole:
if it has the form that the column has everywhere, or is a text that cannot be part of a longer code.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from showcost.readers.csv.cell_types import BLANK, DATE, NUMBER, cell_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DECIMALS: Final = re.compile(r"[.,](\d+)\D*$")
_CENTS: Final = 2
_SEVERAL: Final = 3
_JOINS: Final = frozenset("-/_#:+&(\u2010\u2011\u2012\u2013")
"""Marks between the parts of a code or text, at which none ends."""
_MOSTLY: Final = 0.6
_DATES: Final = re.compile(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./](?:19|20)\d\d")
"""Dates that are whole without a comparison."""


def may_be_cut(last: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Return whether the last cell of a record may be the beginning of a longer one.

    `rows` are other rows of the table, maybe with this one among them.
    """
    column, cell = len(last) - 1, last[-1].strip()
    others = [row[column].strip() for row in rows if len(row) > column]
    if cell in others:  # itself
        others.remove(cell)
    filled = [other for other in others if other]
    kind = cell_type(cell)
    if kind == BLANK:
        return len(filled) > _MOSTLY * len(others)
    if Counter(filled)[cell] >= _SEVERAL:
        return False
    if kind == NUMBER:
        return not _has_all_decimals(cell, filled)
    if kind == DATE and _DATES.fullmatch(cell):
        return False
    if _has_digits(cell) and " " not in cell:
        return {_outline(cell)} != set(map(_outline, filled))
    return _begins_a_code(cell, filled)


def _has_digits(cell: str) -> bool:
    return any(char.isdigit() for char in cell)


def _begins_a_code(cell: str, others: Sequence[str]) -> bool:
    """Return whether a text without digits may begin a code: `INV-`, or `IN` among codes with digits."""
    codes = sum(_has_digits(other) and " " not in other for other in others)
    ends = {other[-1] for other in others}
    return (" " not in cell and codes > _MOSTLY * len(others)) or (
        cell[-1] in _JOINS and cell[-1] not in ends
    )


def _has_all_decimals(cell: str, others: Sequence[str]) -> bool:
    """Return whether a number has as many decimals as all others, or those of money without others."""
    counts = {_decimals(other) for other in others if cell_type(other) == NUMBER}
    return _decimals(cell) > 0 and (counts or {_CENTS}) == {_decimals(cell)}


def _decimals(number: str) -> int:
    found = _DECIMALS.search(number)
    return len(found[1]) if found else 0


def _outline(cell: str) -> str:
    """Return a code with each digit as 9 and each letter as A."""
    return re.sub(r"[^\W\d_]", "A", re.sub(r"\d", "9", cell))
