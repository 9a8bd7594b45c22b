"""Text that was UTF-8, was read in another encoding and saved again: `CafÃ©` for `Café`.

The bytes of such a file are sound; only its characters tell. A word is garbled if it is UTF-8 again in an
encoding that it may have been read in, and if it was much likelier before.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from showcost.readers.encodings.likelihood import likeliest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UNICODE: Final = "utf-8"
_LEADS: Final = range(0xC2, 0xF0)
_READ_AS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "cp1252": (bytes(_LEADS).decode("cp1252"), ()),
    "cp1250": ("\u0102\u0139\u0110\u0158\u016e", ()),
    "cp1251": ("\u0420\u0413\u0414\u0415\u041e", ("\u0432\u0402",)),
    "mac-roman": ("\u221a\u00ac\u0192\u2248\u0152\u2013\u2014\u25ca\u00ff\u0178", ("\u201a\u00c4",)),
    "cp850": ("\u251c\u2500\u253c\u256c\u2568\u2518", ("\u00d4\u00c7",)),
    "cp437": ("\u251c\u2500\u253c\u256c\u2568\u256b", ("\u0393\u00c7",)),
}
"""Encodings that programs take UTF-8 for; the characters, and texts, that most garbled letters begin with."""
_FOLLOWING: Final = range(0x80, 0xC0)
_SURE: Final = 5.0
"""The logarithm of how much likelier a word must be as it was before."""
_WORD: Final = re.compile(rb'[^\x00-\x20,;|"]*')
_START: Final = re.compile(rb'[^\x00-\x20,;|"]*\Z')
_LONGEST: Final = 200
_KEPT: Final = 2**14


def _one_of(characters: Iterable[str]) -> bytes:
    """Return a pattern for one of some characters, in UTF-8."""
    by_start: dict[bytes, bytes] = {}
    for code in sorted(character.encode() for character in characters):
        by_start[code[:-1]] = by_start.get(code[:-1], b"") + code[-1:]
    return b"|".join(re.escape(start) + b"[" + re.escape(ends) + b"]" for start, ends in by_start.items())


@cache
def _patterns(own: str) -> dict[bytes, re.Pattern[bytes]]:
    """Return a pattern for garbled text by the byte that it begins with: a search for one byte is fast.

    `own` is the encoding of the file: in another one than UTF-8, all characters in UTF-8 would be garbled.
    """
    starts: dict[bytes, set[bytes]] = {}
    following: dict[bytes, set[str]] = {}
    read_as = _READ_AS | ({} if own == _UNICODE else {own: (_letters_of(own, _LEADS), ())})
    for encoding, (letters, longer) in read_as.items():
        for code in map(str.encode, (*letters, *longer)):
            starts.setdefault(code[:1], set()).add(code[1:])
            following.setdefault(code[:1], set()).update(_letters_of(encoding, _FOLLOWING))
    return {
        byte: re.compile(
            b"%s(?:%s)(?:%s)"
            % (re.escape(byte), b"|".join(map(re.escape, sorted(rest))), _one_of(following[byte]))
        )
        for byte, rest in starts.items()
    }


def _letters_of(encoding: str, codes: Iterable[int]) -> str:
    """Return the characters of some bytes beyond ASCII, those that an encoding has."""
    letters = (bytes([code]).decode(encoding, "ignore") for code in codes)
    return "".join(letter for letter in letters if not letter.isascii())


def garbled_places(text: bytes, own: str = _UNICODE) -> Iterator[int]:
    """Yield the places of garbled words in a text in UTF-8 of a file in its `own` encoding."""
    for byte, pattern in _patterns(own).items():
        if byte in text:
            for match in pattern.finditer(text):
                if _is_garbled(_word(text, match.start()), own):
                    yield match.start()


def is_garbled(text: bytes, own: str = _UNICODE) -> bool:
    """Return whether a text in UTF-8 has a garbled word."""
    return next(garbled_places(text, own), None) is not None


def _word(text: bytes, place: int) -> bytes:
    """Return the word around a place; of a very long one the part around it."""
    begun = _START.search(text, max(0, place - _LONGEST), place)
    rest = _WORD.match(text, place, place + _LONGEST)
    return (begun[0] if begun else b"") + (rest[0] if rest else b"")


@lru_cache(_KEPT)
def _is_garbled(word: bytes, own: str) -> bool:
    text = word.decode("utf-8", "ignore")
    return any(
        (before := _before(text, encoding)) is not None and likeliest(before) - likeliest(text) > _SURE
        for encoding in {*_READ_AS, own} - {_UNICODE}
    )


def _before(text: str, encoding: str) -> str | None:
    """Return the text that was read in an encoding; None if it was not UTF-8."""
    try:
        return text.encode(encoding).decode()
    except UnicodeError:
        return None
