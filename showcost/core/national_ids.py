"""National identifiers: patterns that detect them and the mark that replaces them.

US Social Security numbers, Canadian Social Insurance numbers and UK National Insurance numbers. A payroll
manifest names people by pseudonyms; a national identifier in its place is replaced by the same mark
everywhere, and text with the mark counts as text with an identifier. Detection is by pattern only; it does
not check whether a number was ever issued.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

MASKED_CELL: Final = "***"
"""Replaces a cell that may identify a person."""

ID_MARK: Final = "[***]"
"""Replaces text that looks like a national identifier."""

_SEPARATED: Final = r"[0-9]{3}[- .\x{2010}-\x{2015}][0-9]{2}[- .\x{2010}-\x{2015}][0-9]{4}"
_IN_THREES: Final = r"[0-9]{3}[- .\x{2010}-\x{2015}][0-9]{3}[- .\x{2010}-\x{2015}][0-9]{3}"
_INSURANCE: Final = (
    r"[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z]"
    r" ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]"
)

_LABEL: Final = r"(?i:SSN|SIN|social security|social insurance)[^0-9A-Za-z]{0,3}(?i:no|number|nr)?"
_LABELLED: Final = rf"{_LABEL}[^0-9A-Za-z]{{0,3}}[0-9]{{9}}"

_SUFFIX: Final = r"(?:-?[A-Za-z]{1,2}[0-9]?)?"
"""Letters after a number, such as those of a beneficiary: they do not make another number of it."""

SEPARATED_FORMS: Final = rf"(?:(?:{_SEPARATED}|{_IN_THREES}|{_LABELLED}){_SUFFIX}|{_INSURANCE})"
"""Formats recognisable by their separators, letters or label, in RE2 syntax."""

_DELIMITED: Final = rf"(?:^|[^0-9A-Za-z-])(?:{SEPARATED_FORMS})(?:$|[^0-9A-Za-z-])"
NINE_DIGITS: Final = r"(?:^|[^0-9A-Za-z])[0-9]{9}(?:$|[^0-9A-Za-z])"
"""Nine digits in a row: a national identifier only in a field that names a person."""

_MASKING: Final = rf"(^|[^0-9A-Za-z-])(?:{SEPARATED_FORMS})($|[^0-9A-Za-z-])"
_MASKING_NINE: Final = r"(^|[^0-9A-Za-z])[0-9]{9}($|[^0-9A-Za-z])"
_PYTHON, _PYTHON_NINE = (
    re.compile(re.sub(r"\\x\{([0-9a-f]{4})\}", r"\\u\1", form)) for form in (_MASKING, _MASKING_NINE)
)
_SHORTEST: Final = 9
"""Bytes of the shortest national identifier."""


def has_national_id(texts: pa.ChunkedArray, *, names_person: bool = False) -> pa.ChunkedArray:
    """Return which texts contain a national identifier or its mark; null for a null.

    In a field that names a person, nine digits in a row count as well.
    """
    matches = pc.or_(pc.match_substring_regex(texts, _DELIMITED), pc.match_substring(texts, ID_MARK))
    return pc.or_(matches, pc.match_substring_regex(texts, NINE_DIGITS)) if names_person else matches


def masked(texts: pa.ChunkedArray | pa.Array, *, names_person: bool = False) -> pa.ChunkedArray | pa.Array:
    """Return texts with national identifiers masked, nine digits in a row too if `names_person`."""
    longest = pc.max(pc.binary_length(texts)).as_py()
    if longest is None or longest < _SHORTEST:
        return texts
    forms = (
        [(_DELIMITED, _MASKING), (NINE_DIGITS, _MASKING_NINE)] if names_person else [(_DELIMITED, _MASKING)]
    )
    # A text that occurs often, such as a vendor's name, is looked at once.
    distinct = pc.unique(texts)
    for form, masking in forms:
        if pc.any(pc.match_substring_regex(distinct, form), min_count=0).as_py():
            # Twice, since two identifiers may share the separator between them.
            for _ in range(2):
                texts = pc.replace_substring_regex(texts, pattern=masking, replacement=rf"\1{ID_MARK}\2")
    return texts


def masked_sql(text: str) -> str:
    """Return the DuckDB expression of `masked` for the expression of a text."""
    once = f"regexp_replace({text}, '{_MASKING}', '\\1{ID_MARK}\\2', 'g')"
    twice = f"regexp_replace({once}, '{_MASKING}', '\\1{ID_MARK}\\2', 'g')"
    return f"CASE WHEN regexp_matches({text}, '{_DELIMITED}') THEN {twice} ELSE {text} END"


def masked_values(value: object) -> object:
    """Return a value of mappings, lists and texts with national identifiers in its texts masked."""
    match value:
        case str():
            return masked_text(value)
        case Mapping():
            return {name: masked_values(member) for name, member in value.items()}
        case tuple():
            return tuple(map(masked_values, value))
        case list():
            return [masked_values(member) for member in value]
        case _:
            return value


def masked_text(text: str, *, names_person: bool = False) -> str:
    """Return one text with national identifiers masked, as `masked` does."""
    for form in (_PYTHON, _PYTHON_NINE) if names_person else (_PYTHON,):
        for _ in range(2):
            text = form.sub(rf"\g<1>{ID_MARK}\g<2>", text)
    return text
