"""Text for people: characters that cannot be seen, or that change what is seen, are shown as marks.

Text comes from vendors. A control character, a mark that reverses the direction of writing or a separator
that no reader sees is replaced by its name, never dropped: on a terminal, in the book, the workbook, the
cover and in CSV. Parquet, which programs read, has the text as it is.
"""

from __future__ import annotations

import json
import re
from typing import Final

_RANGES: Final = (
    *((0x0, 0x8), (0xB, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E)),
    *((0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF)),
    *((0xFFF9, 0xFFFB), (0xFFFE, 0xFFFF), (0xE0000, 0xE007F)),
)
_SURROGATES: Final = "\ud800-\udfff"
_HIDDEN: Final = re.compile(
    "["
    + "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in _RANGES)
    + f"{_SURROGATES}]"
)

HIDDEN_CLASS: Final = "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in _RANGES)
"""The hidden characters as a class in RE2 syntax, without its brackets; the engine has no surrogates."""

_CONTROL_PICTURES: Final = 0x2400
_DELETE, _DELETE_PICTURE = 0x7F, "\N{SYMBOL FOR DELETE}"


def visible(text: str) -> str:
    """Return a text with hidden characters as marks; tabs and line feeds stay."""
    return _HIDDEN.sub(_mark, text)


def visible_line(text: str) -> str:
    """Return the same on one line: tabs and line feeds are marks too."""
    return (
        visible(text)
        .replace("\t", "\N{SYMBOL FOR HORIZONTAL TABULATION}")
        .replace("\n", "\N{SYMBOL FOR LINE FEED}")
    )


def visible_json(text: str) -> str:
    """Return JSON with hidden characters as escapes: the same values, and nothing that a terminal obeys."""
    return _HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], text)


def visible_sql(text: str) -> str:
    """Return the DuckDB expression of `visible` for the expression of a text."""
    code = "unicode(sign)"
    mark = (
        f"CASE WHEN NOT regexp_matches(sign, '[{HIDDEN_CLASS}]') THEN sign"
        f" WHEN {code} < 32 THEN chr({_CONTROL_PICTURES} + {code})"
        f" WHEN {code} = {_DELETE} THEN '{_DELETE_PICTURE}' ELSE format('[U+{{:04X}}]', {code}) END"
    )
    signs = f"regexp_extract_all({text}, '(?s).')"
    return (
        f"CASE WHEN regexp_matches({text}, '[{HIDDEN_CLASS}]')"
        f" THEN array_to_string(list_transform({signs}, lambda sign: {mark}), '') ELSE {text} END"
    )


def _mark(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < ord(" "):
        return chr(_CONTROL_PICTURES + code)
    return _DELETE_PICTURE if code == _DELETE else named(match.group())


def named(sign: str) -> str:
    """Return the number of a character as text; a picture of a control character counts as that character."""
    code = ord(sign)
    is_picture = _CONTROL_PICTURES <= code < _CONTROL_PICTURES + ord(" ")
    return f"[U+{code - _CONTROL_PICTURES if is_picture else code:04X}]"
