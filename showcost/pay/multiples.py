"""Hours paid at multiples of the rate: the columns of a manifest, and hours as pairs `multiple: hours`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from showcost.pay.numbers import TENTHS, Ints, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MULTIPLES: Final = {
    "hours_1x": 10,
    "hours_1_5x": 15,
    "hours_2x": 20,
    "hours_2_5x": 25,
    "hours_3x": 30,
    "hours_4x": 40,
    "hours_6x": 60,
}
"""The columns of paid hours, and their multiple in tenths."""

EVERYWHERE: Final = frozenset({10, 15, 20, 30})
"""The multiples for which every manifest has a column; hours at another may be written as more hours here."""

_PAIR: Final = re.compile(
    r"\s*(?P<multiple>[0-9]{1,2}(?:\.[0-9])?)\s*x?\s*[:=@]\s*(?P<hours>[0-9]{1,4}(?:\.[0-9]{1,6})?)\s*"
)


def pairs_of(text: str) -> dict[int, int] | None:
    """Return the hours (millionths) by multiple (tenths) of a text such as `4.5: 1; 8: 0.5`.

    None for a text that is not a list of such pairs, or has a multiple twice or below 1.
    """
    hours: dict[int, int] = {}
    for part in text.split(";"):
        pair = _PAIR.fullmatch(part)
        if pair is None:
            return None
        multiple = int(Decimal(pair["multiple"]) * TENTHS)
        if multiple < TENTHS or multiple in hours:
            return None
        hours[multiple] = whole(Decimal(pair["hours"]))
    return hours


def hours_at_multiples(columns: Mapping[int, Ints], texts: Sequence[str], codes: Ints) -> dict[int, Ints]:
    """Return the hours of each row by multiple, in ascending order: those of the columns and of the pairs.

    `codes` number the text of pairs of each row. A text that is not a list of pairs adds nothing; it is a
    fault with a code of its own.
    """
    read = [pairs_of(text) or {} if text else {} for text in texts]
    stated = sorted({multiple for entry in read for multiple in entry})
    if not stated:
        return dict(columns)
    none = np.zeros(len(codes), np.int64)
    hours: dict[int, Ints] = {}
    for multiple in sorted({*columns, *stated}):
        of_text = np.array([entry.get(multiple, 0) for entry in read], np.int64)
        hours[multiple] = columns.get(multiple, none) + of_text[codes]
    return hours
