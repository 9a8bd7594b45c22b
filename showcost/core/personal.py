"""Numbers that the state gives to people: what they look like, and the mask for them.

Social-security numbers of the United States, social-insurance numbers of Canada and national-insurance
numbers of the United Kingdom. A manifest names people by pseudonyms; where such a number stands instead, it
is never repeated: the same mark stands for it everywhere, and text with the mark counts as text with a
number. Patterns only: whether a number was ever issued is not asked.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

MASKED: Final = "***"
"""Stands for a cell that may identify a person."""

NUMBER: Final = "[***]"
"""Stands for what looks like a number that the state gave to a person."""

_SEPARATED: Final = r"[0-9]{3}[- .\x{2010}-\x{2015}][0-9]{2}[- .\x{2010}-\x{2015}][0-9]{4}"
_IN_THREES: Final = r"[0-9]{3}[- .\x{2010}-\x{2015}][0-9]{3}[- .\x{2010}-\x{2015}][0-9]{3}"
_INSURANCE: Final = (
    r"[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z]"
    r" ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]"
)

SEPARATED_FORMS: Final = rf"(?:{_SEPARATED}|{_IN_THREES}|{_INSURANCE})"
"""The forms that are told from other numbers by their separators or letters, in the syntax of RE2."""

ALONE: Final = rf"(?:^|[^0-9A-Za-z-])(?:{SEPARATED_FORMS})(?:$|[^0-9A-Za-z-])"
NINE_DIGITS: Final = r"(?:^|[^0-9A-Za-z])[0-9]{9}(?:$|[^0-9A-Za-z])"
"""Nine digits in a row: a number of a person only where a person is named."""

_MASKING: Final = rf"(^|[^0-9A-Za-z-])(?:{SEPARATED_FORMS})($|[^0-9A-Za-z-])"
_MASKING_NINE: Final = r"(^|[^0-9A-Za-z])[0-9]{9}($|[^0-9A-Za-z])"
_PYTHON, _PYTHON_NINE = (
    re.compile(re.sub(r"\\x\{([0-9a-f]{4})\}", r"\\u\1", form)) for form in (_MASKING, _MASKING_NINE)
)
_SHORTEST: Final = 9
"""Bytes of the shortest such number."""


def looks_personal(texts: pa.ChunkedArray, *, names_person: bool = False) -> pa.ChunkedArray:
    """Say which texts hold what looks like such a number, or the mark of one; null for a null.

    Where the text is to name a person, nine digits in a row are one too.
    """
    found = pc.or_(pc.match_substring_regex(texts, ALONE), pc.match_substring(texts, NUMBER))
    return pc.or_(found, pc.match_substring_regex(texts, NINE_DIGITS)) if names_person else found


def masked(texts: pa.ChunkedArray | pa.Array, *, names_person: bool = False) -> pa.ChunkedArray | pa.Array:
    """Return texts with such numbers masked; nine digits in a row too where the text may name a person."""
    longest = pc.max(pc.binary_length(texts)).as_py()
    if longest is None or longest < _SHORTEST:
        return texts
    forms = [(ALONE, _MASKING), (NINE_DIGITS, _MASKING_NINE)] if names_person else [(ALONE, _MASKING)]
    for form, masking in forms:
        if pc.any(pc.match_substring_regex(texts, form), min_count=0).as_py():
            # Twice, since two numbers may share the sign that stands between them.
            for _ in range(2):
                texts = pc.replace_substring_regex(texts, pattern=masking, replacement=rf"\1{NUMBER}\2")
    return texts


def masked_text(text: str, *, names_person: bool = False) -> str:
    """Return one text with such numbers masked, as `masked` does."""
    for form in (_PYTHON, _PYTHON_NINE) if names_person else (_PYTHON,):
        for _ in range(2):
            text = form.sub(rf"\g<1>{NUMBER}\g<2>", text)
    return text
