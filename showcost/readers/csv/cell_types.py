"""Types of cells by appearance: number, date, time, blank, text. Only to tell tables from prose.

The values of a delivery are parsed in `showcost.values`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NUMBER, DATE, TIME, BLANK, TEXT = "n", "d", "t", "", "x"
_LONGEST: Final = 100
"""Characters: a longer cell is always text."""
TYPED: Final = frozenset((NUMBER, DATE, TIME))
NAME_STARTS: Final = frozenset(
    [*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1), *b" _*#", *range(0x80, 0x100)]
)
"""Bytes that a column name may begin with, and a value hardly ever."""

_NUMBER: Final = re.compile(
    r"""[-+(]{0,2}\s*(?:[£$€¥]|[A-Z]{3}\s)?\s*-?
        (?:\d{1,3}(?:[,.' \u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d*)?|[.,]\d+)
        (?:[eE][-+]?\d+)?\s*[%)]?\s*(?:[£$€¥]|CR|DR|-)?""",
    re.VERBOSE,
)
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE: Final = re.compile(
    rf"""(?:\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}
        |\d{{1,2}}[-/.\s]?{_MONTH}[-/.\s,]*\d{{2,4}}
        |{_MONTH}[-/.\s]\s?(?:\d{{1,2}},?\s)?\d{{2,4}})
        (?:[T\s]\d{{1,2}}:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?[ap]m)?(?:Z|[+-]\d\d:?\d\d)?)?""",
    re.VERBOSE | re.IGNORECASE,
)
_TIME: Final = re.compile(r"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?[ap]m)?", re.IGNORECASE)
_WORD: Final = re.compile(r"(?!'[^']*$)[\w£$€%&@#+*./:()'\u2019\-]+(?:,? [\w£$€%&@#+*./:()'\u2019\-]+)*")
"""A leading apostrophe without a second one is half of a quotation that ends elsewhere."""
_DASHES: Final = re.compile(r"[-\u2012-\u2015\u2212£$€¥\s]*")
FILLER_BYTES: Final = "-\u2012\u2013\u2014\u2015\u2212£$€¥\u00a0\u2007\u202f".encode()
"""The bytes of dashes, currency signs and spaces beyond ASCII."""
_PLACEHOLDER: Final = frozenset(("n/a", "na", "none", "null", "nil", "tbc", "tba", "-", "--", "?", "nan"))


def cell_type(text: str) -> str:
    """Return the type of a cell: one of the five letters above."""
    return _type_of(text) if len(text) <= _LONGEST else _type_of_long(text)


def _type_of_long(text: str) -> str:
    text = text.strip()
    if len(text) > _LONGEST:
        return TEXT
    return _type_of(text)


@lru_cache(2**14)
def _type_of(text: str) -> str:
    text = text.strip()
    if not text:
        return BLANK
    if text[0].isalpha() and not _DATE.fullmatch(text) and not _NUMBER.fullmatch(text):
        return TEXT
    if _NUMBER.fullmatch(text):
        return NUMBER
    if _DATE.fullmatch(text):
        return DATE
    return TIME if _TIME.fullmatch(text) else TEXT


def is_tidy(text: str) -> bool:
    """Return whether a cell is typical of tables: a value, or words without odd marks."""
    text = text.strip()
    return not text or cell_type(text) != TEXT or _WORD.fullmatch(text) is not None


def is_placeholder(text: str) -> bool:
    """Return whether a cell is a placeholder for a missing value."""
    return text.strip().lower() in _PLACEHOLDER


def is_filler(cells: Iterable[str]) -> bool:
    """Return whether cells have nothing but dashes, at least one, with or without a currency sign."""
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and all(_DASHES.fullmatch(cell) and cell.strip("£$€¥ \u00a0") for cell in filled)
