"""Lists of names that are read in the right encoding, refused, or garbled, per language.

Lists of 3 and of 300 rows are written in each encoding of their language, and detected with the language
stated by the feed, and without. The names are invented vendors, or with `--holidays` the public holidays of
the countries, which were not chosen for it. A list is right if its text is read as written, whatever the
encoding is called; garbled if it is another text, and nothing was said. Refused is better than garbled.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holidays import country_holidays

from showcost.readers.encodings import detect, rivals_of_utf8
from showcost.readers.encodings.families import encodings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from benchmarks.harness import Report

NAMES: Final[Mapping[str, Sequence[str]]] = json.loads(
    (Path(__file__).parent / "vendor_names.json").read_text(encoding="utf-8")
)
"""Invented vendors per language; `zh_TW` is Chinese in traditional characters."""
_HEADER: Final = "Supplier,Invoice,Date,Amount"
_COUNTRIES: Final = {
    "ar": ("EG",),
    "bg": ("BG",),
    "cs": ("CZ",),
    "da": ("DK",),
    "de": ("DE", "AT"),
    "el": ("GR",),
    "es": ("ES", "MX", "AR"),
    "et": ("EE",),
    "fi": ("FI",),
    "fr": ("FR",),
    "he": ("IL",),
    "hr": ("HR",),
    "hu": ("HU",),
    "is": ("IS",),
    "it": ("IT",),
    "ja": ("JP",),
    "ko": ("KR",),
    "lt": ("LT",),
    "lv": ("LV",),
    "mk": ("MK",),
    "nb": ("NO",),
    "pl": ("PL",),
    "pt": ("PT", "BR"),
    "ro": ("RO",),
    "ru": ("RU", "BY"),
    "sk": ("SK",),
    "sl": ("SI",),
    "sq": ("AL",),
    "sr": ("RS",),
    "sv": ("SE",),
    "th": ("TH",),
    "tr": ("TR",),
    "uk": ("UA",),
    "vi": ("VN",),
    "zh": ("CN",),
    "zh_TW": ("TW",),
}
_OUTCOMES: Final = ("right", "refused", "garbled")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the number of lists, and of the details."""
    parser.add_argument("--lists", type=int, default=20, help="lists of 3 rows per language and encoding")
    parser.add_argument("--holidays", action="store_true", help="the names of public holidays")
    parser.add_argument("--show", action="store_true", help="print each list that is garbled")


def run(options: argparse.Namespace, report: Report) -> None:
    """Detect the encodings of all lists and report the outcomes per language."""
    names = holiday_names() if options.holidays else NAMES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        for stated in (True, False):
            total = {3: Counter[str](), 300: Counter[str]()}
            for language in names:
                for size, number in ((3, options.lists), (300, max(1, options.lists // 10))):
                    found = Counter(
                        outcome
                        for encoding in written_in(language)
                        for text in lists(names[language], encoding, size, number)
                        for outcome in [outcome_of(path, text, encoding, language, stated=stated)]
                        if note(outcome, text, encoding, show=options.show)
                    )
                    total[size] += found
                    report.note(
                        f"{language}, {size} rows, {'stated' if stated else 'not stated'}",
                        **{name: found[name] for name in _OUTCOMES},
                    )
            for size, found in total.items():
                name = f"all, {size} rows, {'stated' if stated else 'not stated'}"
                report.note(name, **{outcome: found[outcome] for outcome in _OUTCOMES})


def written_in(language: str) -> Sequence[str]:
    """Return the encodings of a language."""
    if language == "zh_TW":
        return ("big5hkscs", "gb18030")
    if language == "zh":
        return ("gb18030",)
    return [name for name, (_, languages) in encodings().items() if language in languages]


def holiday_names() -> dict[str, Sequence[str]]:
    """Return the names of the public holidays of this century in the language of their country."""
    return {
        language: sorted(
            {
                name
                for country in countries
                for name in _holidays_of(country).values()
                if not name.isascii() and "," not in name
            }
        )
        for language, countries in _COUNTRIES.items()
    }


def _holidays_of(country: str) -> Mapping[date, str]:
    usual = country_holidays(country)
    return country_holidays(country, years=range(2000, 2027), language=usual.default_language)


def lists(vendors: Sequence[str], encoding: str, size: int, number: int) -> Iterator[str]:
    """Yield lists of vendors that can be written in an encoding and have text beyond ASCII."""
    rng = random.Random(f"{encoding} {size} {len(vendors)}")  # noqa: S311 -- repeatable, no secret
    names = [name for name in vendors if _fits(name, encoding)]
    for _ in range(number if names else 0):
        rows = [_row(rng, rng.choice(names), at) for at in range(size)]
        text = "\r\n".join([_HEADER, *rows, ""])
        if not text.isascii():
            yield text


def _row(rng: random.Random, name: str, at: int) -> str:
    amount = f"{rng.randint(100, 999_999) / 100:.2f}"
    return f"{name},R-{at:04d},2026-10-{rng.randint(1, 28):02d},{amount}"


def _fits(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False


def outcome_of(path: Path, text: str, encoding: str, language: str, *, stated: bool) -> str:
    """Return whether a list is read right, refused or garbled."""
    path.write_bytes(text.encode(encoding))
    languages = (language.partition("_")[0],) if stated else ()
    if _is_utf8(path.read_bytes()):
        if rivals_of_utf8(path, languages):
            return "refused"
        return "garbled" if text.encode(encoding).decode() != text else "right"
    detected = detect(path, languages)
    if detected is None or not detected.is_sure:
        return "refused"
    return "right" if path.read_bytes().decode(detected.encoding, "replace") == text else "garbled"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def note(outcome: str, text: str, encoding: str, *, show: bool) -> bool:
    """Print a list that is not read right, if `show`; return True."""
    if show and outcome != "right":
        rows = " | ".join(line.partition(",")[0] for line in text.splitlines()[1:4])
        print(f"{outcome}: {encoding}: {rows}")
    return True
