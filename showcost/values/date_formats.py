"""The formats in which dates are written: strptime-like, each with the pattern that matches it.

Directives: `%d` `%m` (one or two digits; two where another number follows at once), `%Y` (four digits),
`%y` (two digits: 50 to 99 are 1950 to 1999, 00 to 49 are 2000 to 2049) and `%b` or `%B` (the name of a
month, long or short, in English, German, French or a language that the feed names). A format without a year
takes it from the period of the dates. `excel` is a whole day number of the 1900
date system of spreadsheets, 20000 (1954) to 60000 (2064). The formats of a column are inferred in
`showcost.values.dates`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from babel import Locale, UnknownLocaleError

from showcost.core.errors import InputError

EXCEL: Final = "excel"
FIRST_YEAR, LAST_YEAR = 1900, 2100
"""A date outside these years is taken for a typing error and is not read."""

_PIVOT = 50
_EXCEL_FIRST, _EXCEL_LAST = 20_000, 60_000
_EXCEL_EPOCH = date(1899, 12, 30)
"""Day 0 for every serial after February 1900, which spreadsheets give 29 days."""

_LOCALES = ("en", "en_GB", "de", "fr")
_MORE_NAMES = {"mrz": 3, "maerz": 3}

_DIRECTIVES = {
    "d": r"(?P<d>[0-9]{1,2})",
    "m": r"(?P<m>[0-9]{1,2})",
    "Y": r"(?P<Y>[0-9]{4})",
    "y": r"(?P<y>[0-9]{2})",
    "b": r"(?P<b>\p{L}+)\.?",
}
FEW: Final = 1_000
"""Texts that are matched one by one: Arrow compiles a pattern at each call."""
_ORDINAL = r"(?:st|nd|rd|th|er|\.)?"
_TIME_PART = re.compile(r"(?:T|,? )(?:%H:%M(?::%S(?:\.%f)?)?|%I:%M(?::%S)? ?%p)$")


@dataclass(frozen=True)
class DateFormat:
    """One way to write a date.

    `pattern` matches a whole cell in lower case. `other_order` is the format with day and month
    exchanged, for the formats in which digits alone do not tell the two apart. `languages` are those of the
    names of months, `period` the first and the last day of dates without a year.
    """

    format: str
    pattern: str
    exchanged_format: str | None = None
    languages: tuple[str, ...] = ()
    period: tuple[date, date] | None = None

    @property
    def has_two_digit_year(self) -> bool:
        """True if the format leaves out the century."""
        return "%y" in self.format

    def read(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Parse texts in this format, as written and with day and month exchanged.

        Two date32 arrays, null where the text has another format or names no day of the calendar; the
        same array twice for a format in which the order is not in question.
        """
        groups = pc.extract_regex(texts, self.pattern)
        if self.format == EXCEL:
            days = _excel_days(pc.struct_field(groups, "n"))
            return days, days
        day = _number(groups, "d")
        named = "%b" in self.format
        month = month_numbers(pc.struct_field(groups, "b"), self.languages) if named else _number(groups, "m")
        if self.period is not None:
            within = _days_within(self.period, month, day)
            return within, within
        year = self._year(groups)
        written = _days(year, month, day)
        return written, (written if self.exchanged_format is None else _days(year, day, month))

    def _year(self, groups: pa.Array) -> pa.Array:
        if not self.has_two_digit_year:
            return _number(groups, "Y")
        short = _number(groups, "y")
        return pc.add(short, pc.if_else(pc.less(short, _PIVOT), 2000, 1900))


def parse_format(format_: str, period: tuple[date, date] | None = None) -> DateFormat:
    """Return a date format that a feed names; its order of day and month is as written.

    A time part at the end (`%H:%M`, `%H:%M:%S`, `%I:%M %p`) is allowed and ignored: times are parsed
    without a format. Raises InputError for anything else that is not one of the directives above, and where
    day, month or year is missing or named twice; a format without a year needs the `period` of its dates.
    """
    if format_ == EXCEL:
        return _EXCEL
    date_part = _TIME_PART.sub("", format_).replace("%B", "%b")
    named = sorted(re.findall(r"%(.?)", date_part))
    if named in (["d", "m"], ["b", "d"]):
        if period is None:
            raise InputError(f"date format {format_!r} has no year: state it with the feed's `year`")
        return DateFormat(date_part, _pattern(date_part), period=period)
    if named not in (["Y", "d", "m"], ["d", "m", "y"], ["Y", "b", "d"], ["b", "d", "y"]):
        raise InputError(
            f"date format {format_!r}: expected a day (%d), a month (%m or %b) and a year (%Y or %y),"
            f" once each, or the word {EXCEL}"
        )
    return DateFormat(date_part, _pattern(date_part))


def _pattern(format_: str) -> str:
    """Translate a format with valid directives into a pattern for RE2."""
    fixed = re.search(r"%[dmYy]%[dmYy]", format_) is not None
    parts = []
    for directive, literal in re.findall(r"%(.)|([^%]+)", format_.replace("%B", "%b")):
        if literal:
            parts.append(re.escape(literal.lower()))
            continue
        part = _DIRECTIVES[directive].replace("{1,2}", "{2}" if fixed else "{1,2}")
        parts.append(part + _ORDINAL if directive == "d" and "%b" in format_ else part)
    return f"^{''.join(parts)}$"


_EXCEL: Final = DateFormat(EXCEL, "^(?P<n>[0-9]{5})$")


def _numeric(format_: str) -> DateFormat:
    """Return a format in which digits alone do not tell the day from the month."""
    return DateFormat(format_, _pattern(format_), format_.translate(str.maketrans("dm", "md")))


_YEAR_FIRST = tuple(f"%Y{mark}%m{mark}%d" for mark in ("-", "/", ".", ""))
_NUMERIC = tuple(f"%d{mark}%m{mark}{year}" for year in ("%Y", "%y") for mark in "/-.")
_NAMED = (
    *(f"%d{mark}%b{mark}{year}" for year in ("%Y", "%y") for mark in ("-", " ", "/", ".", "")),
    "%d %b, %Y",
    "%b %d, %Y",
    "%b %d %Y",
    "%b-%d-%Y",
    "%Y-%b-%d",
)

RECOGNISED: Final[tuple[DateFormat, ...]] = (
    *(DateFormat(format_, _pattern(format_)) for format_ in _YEAR_FIRST),
    *(_numeric(format_) for format_ in _NUMERIC),
    *(DateFormat(format_, _pattern(format_)) for format_ in _NAMED),
    _EXCEL,
)
"""Formats read without a hint; a text that fits two of them is the same day in both."""

SHORT_YEAR_FIRST: Final[tuple[DateFormat, ...]] = tuple(parse_format(f"%y{mark}%m{mark}%d") for mark in "/-.")
"""Read only when a feed names them, but their presence casts doubt on the two-digit formats above."""

NO_DAY_AT_START: Final = "^(?:00|3[2-9]|[4-9][0-9])[-/.]"
"""Matches texts that start with a number that can only be a year."""


def any_matches(texts: pa.Array, candidates: tuple[DateFormat, ...]) -> pa.Array:
    """Return which texts have one of the formats, in a single search, whether or not the day exists.

    Of a few texts, also some that have none of them.
    """
    if len(texts) > FEW:
        return pc.match_substring_regex(texts, "|".join(_without_groups(candidates)))
    matches = _compiled(candidates).match
    return pa.array([matches(text) is not None for text in texts.to_pylist()], pa.bool_())


def _without_groups(candidates: tuple[DateFormat, ...]) -> list[str]:
    return [re.sub(r"\?P<\w+>", "?:", candidate.pattern) for candidate in candidates]


@lru_cache(64)
def _compiled(candidates: tuple[DateFormat, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_without_groups(candidates)).replace(r"\p{L}", r"[^\W\d_]"))


@cache
def in_languages(languages: tuple[str, ...]) -> tuple[DateFormat, ...]:
    """Return the formats that are read without a hint, with the names of months in some more languages."""
    if not languages:
        return RECOGNISED
    return tuple(replace(format_, languages=languages) for format_ in RECOGNISED)


@cache
def month_names(languages: tuple[str, ...] = ()) -> dict[str, int]:
    """Return the names of months in lower case, long and short, with and without accents.

    Those of `languages` go before the usual ones; a name that means two months in them is left out.
    """
    own: dict[str, set[int]] = {}
    for language in languages:
        for name, number in _names_of(language, "months").items():
            own.setdefault(name, set()).add(number)
    usual = dict(_MORE_NAMES)
    for language in _LOCALES:
        usual |= _names_of(language, "months")
    usual = {name: number for name, number in usual.items() if name not in own}
    return usual | {name: number for name, (number, *more) in own.items() if not more}


@cache
def weekday_names(languages: tuple[str, ...] = ()) -> dict[str, int]:
    """Return the names of days in lower case, long and short; Monday is 0."""
    names = {"tues": 1, "thur": 3, "thurs": 3}
    for language in (*_LOCALES, *languages):
        names |= _names_of(language, "days")
    return names


def _names_of(language: str, what: str) -> dict[str, int]:
    """Return the long and short names of months or days in a language, as babel has them."""
    names: dict[str, int] = {}
    try:
        known = getattr(Locale.parse(language, sep="-" if "-" in language else "_"), what)
    except (UnknownLocaleError, ValueError):
        raise InputError(f"{language!r} is not a language such as de, es or pt_BR") from None
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in known[context][width].items():
                plain = name.lower().rstrip(".")
                names[plain] = names[_without_accents(plain)] = int(number)
    return names


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def month_numbers(names: pa.Array, languages: tuple[str, ...] = ()) -> pa.Array:
    """Return the number of each month named in lower case, null for any other text."""
    numbers = month_names(languages)
    position = pc.index_in(names, value_set=pa.array(list(numbers)))
    return pc.take(pa.array(list(numbers.values()), pa.int32()), position)


def _number(groups: pa.Array, group: str) -> pa.Array:
    return pc.struct_field(groups, group).cast(pa.int32())


def _epoch_day(year: int, month: int, day: int) -> int:
    return (date(year, month, day) - date(1970, 1, 1)).days


@cache
def _calendar() -> pa.Array:
    """Return the date32 at each place of `_place`, null where the calendar has no such day."""
    days = pa.array(range(_epoch_day(FIRST_YEAR, 1, 1), _epoch_day(LAST_YEAR, 12, 31) + 1), pa.int32())
    days = days.cast(pa.date32())
    places = _place(*(part(days).cast(pa.int32()) for part in (pc.year, pc.month, pc.day)))
    return days.take(pc.index_in(pa.array(range(pc.max(places).as_py() + 1), pa.int32()), value_set=places))


def _place(year: pa.Array, month: pa.Array, day: pa.Array) -> pa.Array:
    """Return the number of each day if every month had the days 0 to 31."""
    months = pc.add(pc.multiply(pc.subtract(year, FIRST_YEAR), 12), pc.subtract(month, 1))
    return pc.add(pc.multiply(months, 32), day)


def _days(year: pa.Array, month: pa.Array, day: pa.Array) -> pa.Array:
    """Return the date32 of each year, month and day, null where the calendar has no such day."""
    within = pc.and_kleene(_between(year, FIRST_YEAR, LAST_YEAR), _between(month, 1, 12))
    within = pc.and_kleene(within, _between(day, 1, 31))
    return _calendar().take(pc.if_else(within, _place(year, month, day), pa.scalar(None, pa.int32())))


def _days_within(period: tuple[date, date], month: pa.Array, day: pa.Array) -> pa.Array:
    """Return the date32 of each month and day in a period, null for none and where two years are possible."""
    first, last = period
    found = pa.nulls(len(month), pa.date32())
    twice = pa.repeat(pa.scalar(False), len(month))
    for year in range(first.year, last.year + 1):
        days = _days(pa.repeat(pa.scalar(year, pa.int32()), len(month)), month, day)
        inside = pc.fill_null(
            pc.and_(
                pc.greater_equal(days, pa.scalar(first, pa.date32())),
                pc.less_equal(days, pa.scalar(last, pa.date32())),
            ),
            False,
        )
        twice = pc.or_(twice, pc.and_(inside, pc.is_valid(found)))
        found = pc.if_else(inside, days, found)
    return pc.if_else(twice, pa.scalar(None, pa.date32()), found)


def _between(number: pa.Array, low: int, high: int) -> pa.Array:
    return pc.and_(pc.greater_equal(number, low), pc.less_equal(number, high))


def _excel_days(serials: pa.Array) -> pa.Array:
    number = serials.cast(pa.int32())
    usual = _between(number, _EXCEL_FIRST, _EXCEL_LAST)
    epoch = _epoch_day(_EXCEL_EPOCH.year, _EXCEL_EPOCH.month, _EXCEL_EPOCH.day)
    days = pc.add(number, epoch).cast(pa.int32())
    return pc.if_else(usual, days, pa.scalar(None, pa.int32())).cast(pa.date32())
