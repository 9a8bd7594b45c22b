"""Text for people: characters that cannot be seen, or that change what is seen, are shown as marks.

Text comes from vendors. A control character, a mark that reverses the direction of writing or a separator
that no reader sees is replaced by its name, never dropped. CSV and Parquet have the text as it is.
"""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
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
