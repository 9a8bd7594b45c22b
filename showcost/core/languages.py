"""The languages whose alphabets tell the encoding of a file."""

from __future__ import annotations

from typing import Final

from babel.languages import get_official_languages

LANGUAGES: Final = (
    *("ar", "be", "bg", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "ga", "gl"),
    *("he", "hr", "hu", "is", "it", "ja", "ko", "lt", "lv", "mk", "mt", "nb", "nl", "pl", "pt", "ro", "ru"),
    *("sk", "sl", "sq", "sr", "sv", "th", "tr", "uk", "vi", "zh"),
)
"""ISO 639-1 codes; `nb` is Norwegian, `hr` also Bosnian and Serbian in Latin letters."""
ALSO_KNOWN_AS: Final = {"no": "nb", "nn": "nb", "bs": "hr", "cnr": "hr", "gsw": "de", "lb": "de"}
"""Languages that are written in the letters of another one."""


def languages_of_country(country: str) -> tuple[str, ...]:
    """Return the official languages of a country (ISO 3166, such as `CH`), of those in LANGUAGES."""
    official = (code.partition("_")[0] for code in get_official_languages(country.upper(), de_facto=True))
    named = [ALSO_KNOWN_AS.get(code, code) for code in official]
    named += ["hr"] * ("sr" in named)
    return tuple(dict.fromkeys(language for language in named if language in LANGUAGES))
