"""Write the letter frequencies that the detection of encodings compares, from the names in the Unicode CLDR.

`python scripts/encoding_tables.py` counts the letters, and the pairs of letters with one beyond ASCII, in the
names of countries, languages, cities, currencies, months and time zones of each language. The counts are
stored as powers of two, and kept in the package: another version of babel must not change what a file says.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from babel import Locale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TARGET: Final = Path(__file__).resolve().parent.parent / "showcost/readers/encodings/letters.json"
LANGUAGES: Final = (
    *("bg", "be", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "he"),
    *("hr", "hu", "is", "it", "lt", "lv", "mk", "mt", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sq"),
    *("sr", "sv", "th", "tr", "uk", "ar", "vi"),
)
START, END = "^", "$"
_LATIN: Final = 0x1000
_OTHER_SCRIPTS: Final = 0x0590
"""Names of Hebrew, Arabic and Indic letters occur in texts of all languages; they are no letters of those."""
_OWN_SCRIPT: Final = frozenset({"ar", "he", "th"})
IDEOGRAPHS: Final = {"ja": ("ja",), "ko": ("ko",), "zh": ("zh", "zh_Hant")}
"""Languages whose characters are counted, but not their pairs, and the locales with their names."""
_WORDS: Final[dict[str, str]] = json.loads(
    (Path(__file__).parent / "encoding_words.json").read_text(encoding="utf-8")
)
"""Names and words with the letters that the names of the world's places seldom have."""
_OF_WORDS: Final = 8
"""How much more than a name of a place each of these words counts."""


def names(locale: Locale) -> Iterator[str]:
    """Yield the names that a locale has for things in the world."""
    for names_ in (locale.territories, locale.languages, locale.scripts, locale.currencies):
        yield from names_.values()
    for calendar in (locale.months, locale.days):
        for width in calendar.values():
            for named in width.values():
                yield from named.values()
    for zone in locale.time_zones.values():
        yield from (str(zone[key]) for key in ("city",) if key in zone)
    for zone in locale.meta_zones.values():
        for named in (zone.get("long", {}),):
            yield from map(str, named.values())


def count(language: str) -> tuple[Counter[str], Counter[str]]:
    """Return how often letters, and pairs with a letter beyond ASCII, occur in the words of a language."""
    letters, pairs = Counter[str](), Counter[str]()
    words = _WORDS.get(language, "").split() * _OF_WORDS
    for text in [*sorted(set(names(Locale.parse(language)))), *words]:
        for word in text.lower().split():
            plain = "".join(letter for letter in word if letter.isalpha() or not letter.isascii())
            if language not in _OWN_SCRIPT and any(ord(letter) >= _OTHER_SCRIPTS for letter in plain):
                continue
            letters.update(plain)
            letters[START] += bool(plain)
            framed = f"{START}{plain}{END}"
            pairs.update(a + b for a, b in pairwise(framed) if not (a + b).isascii())
    return letters, pairs


def count_ideographs(locales: Sequence[str]) -> Counter[str]:
    """Return how often characters beyond ASCII occur in the names of locales."""
    return Counter(
        character
        for locale in locales
        for text in sorted(set(names(Locale.parse(locale))))
        for character in text
        if ord(character) > _LATIN
    )


def packed(counts: Mapping[str, int]) -> str:
    """Return texts with the rounded binary logarithm of their counts, as one sorted text."""
    return "".join(f"{text}{min(n.bit_length() - 1, 15):x}" for text, n in sorted(counts.items()))


def main() -> None:
    """Write the tables."""
    tables = {}
    for language in sorted(LANGUAGES):
        letters, pairs = count(language)
        tables[language] = {"letters": packed(letters), "pairs": packed(pairs)}
    for language, locales in sorted(IDEOGRAPHS.items()):
        tables[language] = {"letters": packed(count_ideographs(locales)), "pairs": ""}
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(t, ensure_ascii=False)}" for name, t in tables.items()
    )
    TARGET.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
