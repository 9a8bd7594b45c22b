"""The encodings that programs of a language write, besides Unicode.

Windows, ISO 8859, DOS and Mac OS each have one per group of languages; Windows's is by far the most common.
The prior of an encoding is the natural logarithm of how much rarer it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

_ISO, _DOS, _MAC, _OTHER = -1.0, -2.0, -5.0, -5.0


@dataclass(frozen=True)
class Family:
    """Encodings of a group of languages, with their priors; the first one is that of Windows."""

    languages: tuple[str, ...]
    encodings: tuple[tuple[str, float], ...]


_FAMILIES: Final = (
    Family(
        (
            *("en", "de", "fr", "es", "it", "nl", "pt", "da", "sv", "nb", "fi", "is", "ga", "ca", "eu", "gl"),
            *("sq",),
        ),
        (
            ("cp1252", 0.0),
            *(("iso-8859-15", _ISO), ("cp850", _DOS), ("cp437", _DOS), ("cp858", _DOS - 1)),
            ("mac-roman", _MAC),
        ),
    ),
    Family(("da", "nb"), (("cp865", _DOS - 1),)),
    Family(("pt",), (("cp860", _DOS - 1),)),
    Family(("fr",), (("cp863", _DOS - 1),)),
    Family(("is",), (("cp861", _DOS), ("mac_iceland", _MAC))),
    Family(
        ("pl", "cs", "sk", "hu", "sl", "hr", "ro", "sq"),
        (("cp1250", 0.0), ("iso-8859-2", _ISO), ("cp852", _DOS), ("mac_latin2", _MAC)),
    ),
    Family(("hr", "sl"), (("mac_croatian", _MAC),)),
    Family(("ro",), (("iso-8859-16", _ISO), ("mac_romanian", _MAC))),
    Family(
        ("ru", "uk", "be", "bg", "sr", "mk"),
        (("cp1251", 0.0), ("iso-8859-5", _OTHER), ("mac-cyrillic", _MAC)),
    ),
    Family(("ru", "uk", "be"), (("cp866", _DOS),)),
    Family(("uk",), (("cp1125", _OTHER), ("koi8-u", _ISO))),
    Family(("ru", "bg"), (("koi8-r", _ISO),)),
    Family(("bg", "sr", "mk"), (("cp855", _DOS),)),
    Family(
        ("el",),
        (("cp1253", 0.0), ("iso-8859-7", _ISO), ("cp737", _DOS), ("cp869", _DOS - 1), ("mac-greek", _MAC)),
    ),
    Family(
        ("tr",),
        (("cp1254", 0.0), ("iso-8859-9", _ISO), ("cp857", _DOS), ("mac-turkish", _MAC)),
    ),
    Family(
        ("lt", "lv", "et"),
        (("cp1257", 0.0), ("iso-8859-13", _ISO), ("iso-8859-4", _OTHER), ("cp775", _DOS)),
    ),
    Family(("mt",), (("iso-8859-3", 0.0),)),
    Family(("cy",), (("iso-8859-14", 0.0), ("cp1252", 0.0))),
    Family(("he",), (("cp1255", 0.0), ("iso-8859-8", _ISO), ("cp862", _DOS))),
    Family(("ar",), (("cp1256", 0.0), ("iso-8859-6", _ISO), ("cp720", _DOS))),
    Family(("th",), (("cp874", 0.0),)),
    Family(("vi",), (("cp1258", 0.0),)),
    Family(("ja",), (("cp932", 0.0), ("euc_jp", _ISO))),
    Family(("zh",), (("gb18030", 0.0), ("big5hkscs", 0.0))),
    Family(("ko",), (("cp949", 0.0),)),
)

WIDE_CHARACTERS: Final = frozenset(
    {
        *("cp932", "shift_jis", "shift_jis_2004", "shift_jisx0213", "euc_jp", "euc_jis_2004", "euc_jisx0213"),
        *("iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_2004", "iso2022_jp_ext"),
        *("gb2312", "gbk", "gb18030", "hz", "big5", "big5hkscs", "cp950"),
        *("euc_kr", "cp949", "johab", "iso2022_kr"),
    }
)
"""Encodings in which a character may have several bytes, of which some may be those of ASCII."""


@cache
def encodings() -> dict[str, tuple[float, tuple[str, ...]]]:
    """Return each encoding with its prior and its languages, the most common encodings first."""
    found: dict[str, tuple[float, tuple[str, ...]]] = {}
    for family in _FAMILIES:
        for encoding, prior in family.encodings:
            before = found.get(encoding, (prior, ()))[1]
            found[encoding] = prior, tuple(dict.fromkeys((*before, *family.languages)))
    return found
