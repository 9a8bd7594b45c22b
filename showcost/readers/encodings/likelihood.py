"""The likelihood of a word in a language: the sum of logarithms of how often its characters occur there.

Only characters beyond ASCII count, and their neighbours: those alone differ between encodings. The letters
and pairs of letters are counted in the names of the Unicode CLDR (`scripts/encoding_tables.py`); signs and
capitals have fixed likelihoods, by what they stand beside.
"""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from showcost.core.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

START, END = "^", "$"
_RARE: Final = 2e-6
"""The share of a letter of the script of a language that its names do not have."""
_FOREIGN: Final = 1e-9
_PAIRED: Final = 0.8
"""The weight of the pair of letters, against the letter alone."""
_NEVER: Final = -40.0
_REPLACED: Final = "\ufffd"
_OF_OTHER_SCRIPT: Final = -5.0
"""The logarithm of the likelihood of a letter of a script that no language here is written in."""
_LEAST_OF_SCRIPT: Final = 2
_KNOWN_SCRIPTS: Final = frozenset(
    {
        *("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI", "CJK", "HANGUL"),
        *("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HALFWIDTH", "FULLWIDTH"),
    }
)
_ODD: Final = math.log(1e-8)
"""A sign where it makes no sense: within a word, or a line of a drawing anywhere."""
_CAPITAL, _CAPITAL_INSIDE, _SMALL_AFTER_CAPITALS = -1.5, -6.0, -5.0
_BOUND: Final = 3.0

_AT_NUMBERS: Final = {
    "\u00a3": 5e-1,
    "\u20ac": 1e-1,
    **dict.fromkeys("\u00a5\u00a2\u20aa\u20ab\u20a9", 3e-4),
    **dict.fromkeys("\u00a0\u2013", 1e-2),
    **dict.fromkeys("\u00b0\u2014\u2116\u00a7", 2e-3),
    **dict.fromkeys("\u00b1\u00bd\u00bc\u00be\u00b2\u00b3\u00aa\u00ba\u2030\u00d7\u00b5", 2e-4),
    **dict.fromkeys("\u2019\u201d\u2033\u00b4", 2e-4),
}
"""Signs beside a digit, or between marks: `£5`, `(£)`, `10°`."""
_DEGREE: Final = "\u00b0"
_IN_WORDS: Final = {
    "\u2019": 2e-2,
    "\u2018": 2e-4,
    "\u00b4": 2e-4,
    "\u00b7": 1e-4,
    "\u00a0": 1e-3,
    "\u2013": 3e-4,
    "\u2014": 1e-4,
    **dict.fromkeys("\u00ad\u00bf", 1e-5),
}
"""Signs between two letters."""
_BEFORE_WORDS: Final = {
    **dict.fromkeys("\u201c\u201e\u2018\u2022", 1e-3),
    "\u00ab": 3e-4,
    "\u00a0": 1e-2,
    "\u00bf": 2e-3,
    **dict.fromkeys("\u2019\u201d\u00bb\u00a1\u2116", 1e-4),
    **dict.fromkeys("\u201a\u2039\u203a\u20ac\u00a3\u00a9\u2013\u2026", 3e-5),
}
"""Signs at the start of a word."""
_AFTER_WORDS: Final = {
    **dict.fromkeys("\u2019\u201d\u201c\u00bb\u2026", 1e-3),
    "\u00a0": 1e-2,
    **dict.fromkeys("\u00ae\u2122\u00a9", 3e-4),
    **dict.fromkeys("\u2018\u00ba\u00aa\u00b0\u20ac\u00a3\u2013\u00bf", 3e-5),
    **dict.fromkeys("\u00ab\u203a\u00b4\u00b7\u2014\u00b2\u00b3\u00d7", 1e-5),
}
"""Signs at the end of a word."""
_ALONE: Final = {
    "\u2013": 2e-1,
    **dict.fromkeys("\u00a0\u00a3\u20ac", 2e-2),
    **dict.fromkeys("\u2014\u2022\u00b7\u2116\u2026", 2e-3),
    **dict.fromkeys("\u00bd\u00bc\u00be", 1e-3),
    **dict.fromkeys("\u00a7\u00a5\u00ab\u00bb\u00d7\u00b1\u00b0\u2019\u201c\u201d\u2018", 1e-4),
}


@dataclass(frozen=True)
class LetterTable:
    """The letters of a language by share, and the share of a letter after another one."""

    letters: dict[str, float]
    after: dict[str, float]
    scripts: frozenset[str]

    def letter(self, letter: str) -> float:
        """Return the share of a letter."""
        known = self.letters.get(letter)
        if known is not None:
            return known
        return _RARE if script_of(letter) in self.scripts else _FOREIGN


@cache
def letter_tables() -> dict[str, LetterTable]:
    """Return the tables of the languages that are counted."""
    packed = json.loads((files(__package__) / "letters.json").read_text(encoding="utf-8"))
    return {name: _table(entry["letters"], entry["pairs"]) for name, entry in packed.items()}


def _table(letters: str, pairs: str) -> LetterTable:
    counts = {letters[at]: 1.4 * 2 ** int(letters[at + 1], 16) for at in range(0, len(letters), 2)}
    total = sum(count for letter, count in counts.items() if letter != START)
    after = {
        pairs[at : at + 2]: 1.4 * 2 ** int(pairs[at + 2], 16) / max(counts.get(pairs[at], 1.0), 1.0)
        for at in range(0, len(pairs), 3)
    }
    shares = {letter: count / total for letter, count in counts.items()}
    own = {script_of(letter) for letter, share in shares.items() if not letter.isascii() and share > 1e-3}  # noqa: PLR2004 -- a share
    return LetterTable(
        shares, after, frozenset(own & {"CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI"} or {"LATIN"})
    )


@cache
def script_of(letter: str) -> str:
    """Return the script of a letter by the first word of its Unicode name; COMBINING for a mark."""
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]


def likeliest(word: str, languages: Iterable[str] = LANGUAGES) -> float:
    """Return the logarithm of the likelihood of a word in the language that fits best.

    A word of another script alone, such as Armenian, is as likely as one of a known language.
    """
    return max(_of_other_script(word), *(likelihood(word, language) for language in languages))


def _of_other_script(word: str) -> float:
    beyond = [character for character in word if not character.isascii()]
    scripts = {script_of(letter) for letter in beyond if unicodedata.category(letter)[0] in "LMN"}
    scripts -= {"COMBINING"}
    if len(beyond) < _LEAST_OF_SCRIPT or len(scripts) != 1 or scripts & _KNOWN_SCRIPTS:
        return -math.inf
    is_mixed = any(character.isascii() and character.isalpha() for character in word)
    return -math.inf if is_mixed else _OF_OTHER_SCRIPT * len(beyond)


def likelihood(word: str, language: str) -> float:
    """Return the logarithm of the likelihood of a word; `word` has no spaces and begins at a boundary."""
    if language in _COMMON:
        return _of_ideographs(word, language)
    table = letter_tables()[language]
    total = 0.0
    for at, character in enumerate(word):
        before = word[at - 1] if at else ""
        if character.isascii():
            if before and not before.isascii() and before.isalpha():
                total += _following(before, character, table)
            continue
        after = word[at + 1] if at + 1 < len(word) else ""
        if character.isalpha() or unicodedata.combining(character) or script_of(character) == "THAI":
            total += _of_letter(character, before, after, table)
            if not after or not after.isalnum():
                total += _following(character, END, table)
        else:
            total += _of_sign(character, before, after)
    return total


def _of_letter(letter: str, before: str, after: str, table: LetterTable) -> float:
    """Return the logarithm of the likelihood of a letter after another one, or at the start of a word."""
    low, previous = letter.lower(), before.lower() if before.isalpha() else START
    low = low if len(low) == 1 else letter
    share = table.letter(low)
    paired = table.after.get(f"{previous}{low}", 0.0)
    score = math.log(_PAIRED * paired + (1 - _PAIRED) * share)
    if before.isdigit() or after.isdigit():
        score -= 4.0
    if before.isalpha() and not before.isascii() and script_of(before) != script_of(letter):
        score -= 6.0
    if "LATIN" not in table.scripts:
        score -= 6.0 * sum(beside.isalpha() and beside.isascii() for beside in (before, after))
    if not before.isalpha() and not after.isalpha():
        score -= 0.0 if f"{low}{END}" in table.after else 6.0
        score -= 3.0 if before or after else 0.0
    return score + _of_case(letter, before, after)


def _of_case(letter: str, before: str, after: str) -> float:
    """Return the logarithm of how much rarer capitals are, above all after small letters."""
    if letter.isupper():
        if before.isalpha() and (before.islower() or after.islower()):
            return _CAPITAL_INSIDE
        return _CAPITAL
    if letter.islower() and before.isupper() and after.isupper() and letter != "\u00df":
        return _SMALL_AFTER_CAPITALS
    return 0.0


def _following(before: str, letter: str, table: LetterTable) -> float:
    """Return how much likelier a letter of ASCII, or the end of a word, is after a letter beyond it."""
    previous = before.lower()
    low = letter.lower() if letter.isalpha() else END
    share = table.letters.get(low, 0.0) if low != END else table.letters.get(START, 0.0)
    if not share:
        share = 1e-4
    paired = table.after.get(f"{previous}{low}", 0.0)
    ratio = math.log((_PAIRED * paired + (1 - _PAIRED) * share) / share)
    case = _CAPITAL_INSIDE if letter.isupper() and before.islower() else 0.0
    return max(-_BOUND, min(_BOUND, ratio)) + case


def _of_sign(sign: str, before: str, after: str) -> float:
    """Return the logarithm of the likelihood of a character that is no letter."""
    if sign == _REPLACED or unicodedata.category(sign) in {"Cc", "Cn", "Co", "Cs"}:
        return _NEVER
    left, right = before.isalpha(), after.isalpha()
    if left and right:
        share = _IN_WORDS.get(sign, 0.0)
    elif left or right:
        share = (_AFTER_WORDS if left else _BEFORE_WORDS).get(sign, 0.0)
        if before.isdigit() or after.isdigit():
            share = max(share, _AT_NUMBERS.get(sign, 0.0) / 10)
    elif not before and not after:
        share = _ALONE.get(sign, 0.0)
    else:
        share = max(_AT_NUMBERS.get(sign, 0.0), _AFTER_WORDS.get(sign, 0.0) / 10)
        if sign == _DEGREE and not before.isdigit():
            share /= 10
    return math.log(share) if share else _ODD


_COMMON: Final = {
    "ja": (("cp932", 0x8880, 0x9872),),
    "zh": (("gb2312", 0xB0A1, 0xD7F9), ("big5", 0xA440, 0xC67E)),
    "ko": (("euc_kr", 0xB0A1, 0xC8FE),),
}
"""The ranges of the common ideographs or syllables in the standards of a language."""
_COMMON_SHARE: Final = {"ja": 2e-4, "zh": 2e-4, "ko": 4e-4}
_KANA: Final = frozenset({"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})
_BESIDE_LATIN: Final = -3.0


def _of_ideographs(word: str, language: str) -> float:
    """Return the logarithm of the likelihood of a word in Japanese, Chinese or Korean."""
    total = 0.0
    for at, character in enumerate(word):
        if character.isascii():
            continue
        total += _of_ideograph(character, language)
        beside = word[at - 1 : at] + word[at + 1 : at + 2]
        total += _BESIDE_LATIN * sum(letter.isascii() and letter.isalpha() for letter in beside)
    return total


@cache
def _of_ideograph(letter: str, language: str) -> float:
    if unicodedata.category(letter) in {"Cc", "Cn", "Co", "Cs"} or letter == _REPLACED:
        return _NEVER
    counted = letter_tables()[language].letters.get(letter, 0.0) / 2
    return math.log(counted + _share_of_ideograph(letter, language))


def _share_of_ideograph(letter: str, language: str) -> float:
    script = script_of(letter)
    if script in _KANA:
        return 4e-3 if language == "ja" else 1e-7
    if script == "HALFWIDTH":
        return 1e-4 if language == "ja" else 1e-8
    if script == "FULLWIDTH" or "\u3000" <= letter <= "\u3020" or letter == "\u30fb":
        return 1e-3
    if any(_is_within(letter, area) for area in _COMMON[language]):
        return _COMMON_SHARE[language]
    if script == "CJK":
        return 1e-6 if language == "ko" else 1e-5
    return 1e-6 if (script, language) == ("HANGUL", "ko") else 1e-8


def _is_within(letter: str, area: tuple[str, int, int]) -> bool:
    encoding, first, last = area
    try:
        code = int.from_bytes(letter.encode(encoding))
    except UnicodeEncodeError:
        return False
    return first <= code <= last
