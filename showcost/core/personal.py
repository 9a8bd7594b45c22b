"""Numbers that the state gives to people: what they look like, and the mask for them.

Social-security numbers of the United States, social-insurance numbers of Canada and national-insurance
numbers of the United Kingdom. A manifest names people by pseudonyms; where such a number stands instead, it
is never repeated. Patterns only: whether a number was ever issued is not asked.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

MASKED: Final = "***"
"""Stands for what may identify a person."""

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
_PYTHON: Final = re.compile(re.sub(r"\\x\{([0-9a-f]{4})\}", r"\\u\1", _MASKING))


def looks_personal(texts: pa.ChunkedArray, *, names_person: bool = False) -> pa.ChunkedArray:
    """Say which texts hold what looks like such a number; null for a null.

    Where the text is to name a person, nine digits in a row are one too.
    """
    found = pc.match_substring_regex(texts, ALONE)
    return pc.or_(found, pc.match_substring_regex(texts, NINE_DIGITS)) if names_person else found


def masked(texts: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return texts with such numbers masked."""
    suspects = pc.fill_null(pc.match_substring_regex(texts, ALONE), False)
    if not pc.any(suspects, min_count=0).as_py():
        return texts
    return pc.replace_substring_regex(texts, pattern=_MASKING, replacement=rf"\1{MASKED}\2")


def masked_text(text: str) -> str:
    """Return one text with such numbers masked."""
    return _PYTHON.sub(rf"\g<1>{MASKED}\g<2>", text)
