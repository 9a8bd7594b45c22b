"""Columns of dates and timestamps, with formats inferred over the whole delivery.

Digits such as 05/06/2013 are the fifth of June or the sixth of May. A column has one order, in
all its formats:

- Without a hint, a cell that can be read in one order only (13/06/2013) proves that order for the column.
  With no such cell, or with such cells for both orders, nothing is proven: cells that read alike either way
  (05/05/2013) or one way only are read, the rest are "ambiguous".
- The hint `day_first` decides. A cell that only the other order can read is then "invalid"; and where
  every proof of the column contradicts the hint, all cells that depend on it are "ambiguous", since the
  hint or the proof is wrong about the whole delivery.
- `formats` are strict: they are tried in their order, a cell is read by the first that gives a day of
  the calendar, and a cell that fits none is "invalid". `day_first` is ignored then.
- Two digits of the year are its end, never its start. Where the column has cells that can only have
  the year first (99-02-17), cells of two-digit years are "ambiguous" unless there is a hint.
- Day numbers of a spreadsheet (41234) are read when the column has no date in another format, and where
  they name a day from the first to the last of those dates: some of the cells lost their format on the way.
  Other day numbers are "ambiguous" until a feed lists `excel` in its formats: they may be a typing error.
- The day of the week may come first, in English, German, French or a language that the feed names; one that
  contradicts the date makes it "invalid".
- A time with a zone (23:30:00-07:00) is a moment: its date is that of the place, where the place is known. If
  all such times of the column are midnight, they are dates that a program wrote as moments, and stay.
- Days that the calendar lacks (31/02) and years outside 1900 to 2100 are "invalid".

Proof of an order, or doubt, may lie in any part of a long column: `date_evidence` gathers it from a part,
evidence of several parts is joined with `|`, and each part is then parsed with all of it.

The formats themselves are in `showcost.values.date_formats`, times of day in `showcost.values.times`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.values import date_formats
from showcost.values.column import DistinctTexts, any_true
from showcost.values.date_formats import EXCEL, RECOGNISED
from showcost.values.times import micros_of_day, split_after_date
from showcost.values.zones import local_stamps, offset_micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

_TEXT_NULL = pa.scalar(None, pa.string())
_DAY_NULL = pa.scalar(None, pa.date32())
_PIECE = pa.schema(
    {"text": pa.int32(), "written": pa.date32(), "exchanged": pa.date32(), "format_number": pa.int32()}
)


_WHOLE_DATE = (
    r"^(?:[0-9]{1,2}[-/. ]+[0-9]{1,2}[-/. ]+[0-9]{2,4}|[0-9]{4}[-/. ]+[0-9]{1,2}[-/. ]+[0-9]{1,2}"
    r"|[0-9]{1,2}\S*[-/. ]+(?:de )?\p{L}{3,}|\p{L}{3,})"
)
_WEEKDAY = r"^(?P<weekday>\p{L}+)\.?,? (?P<rest>.*[0-9].*)$"
_OF = r"(\p{L}|[0-9]\.?) del? "
"""Matches the word for `of` between the parts of a date in Spanish and Portuguese."""
_PADDED = "([0-9][-/]) +"
"""Matches a separator between numbers and the space after it, by which some systems pad a number."""


@dataclass(frozen=True)
class DateColumn:
    """The dates of a column.

    `values` is date32; `problem` is null, "blank", "invalid" or "ambiguous", and null exactly where there
    is a value; `formats` lists the formats that occur (`showcost.values.date_formats`), both orders of a
    format where the order is open. `zoned` cells were taken in the zone of a place, `moved` of them
    to another date than is written.
    """

    values: pa.Array
    problem: pa.Array
    formats: tuple[str, ...]
    zoned: int = 0
    moved: int = 0


@dataclass(frozen=True)
class TimestampColumn:
    """The timestamps of a column: as `DateColumn`, with `values` timestamp[us], naive local wall time."""

    values: pa.Array
    problem: pa.Array
    formats: tuple[str, ...]
    zoned: int = 0
    moved: int = 0


@dataclass(frozen=True)
class DateEvidence:
    """Evidence of a column's date formats and their order.

    `day` and `month`: a cell can be read with the day, or the month, first only. `written` and `exchanged`:
    the first and the last of the dates with the day first, and with the month first, in the cells other
    than day numbers of a spreadsheet; empty when there is none. `year_first`: a cell can only have two
    digits of the year first. `format_numbers` are the places of the formats that occur, among the
    candidates. `zoned`: a cell has a zone, and a time other than midnight.
    """

    day: bool = False
    month: bool = False
    written: tuple[date, ...] = ()
    exchanged: tuple[date, ...] = ()
    year_first: bool = False
    format_numbers: frozenset[int] = frozenset()
    zoned: bool = False

    def __or__(self, other: DateEvidence) -> DateEvidence:
        return DateEvidence(
            self.day or other.day,
            self.month or other.month,
            _ends(self.written + other.written),
            _ends(self.exchanged + other.exchanged),
            self.year_first or other.year_first,
            self.format_numbers | other.format_numbers,
            self.zoned or other.zoned,
        )

    def spans(self, order: bool | None) -> list[tuple[date, ...]]:
        """Return first and last date in each order of day and month that is possible; empty for none."""
        possible = {True: [self.written], False: [self.exchanged], None: [self.written, self.exchanged]}
        return [span for span in possible[order] if span]


def _ends(days: Sequence[date]) -> tuple[date, ...]:
    """Return the first and the last of some dates; empty for none."""
    return (min(days), max(days)) if days else ()


@dataclass(frozen=True)
class DateStyle:
    """Facts that a feed states about its dates.

    `formats` and `day_first` are in the module's docstring. `period` is that of dates in formats without a
    year, `languages` are those of names of months and days.
    """

    formats: tuple[str, ...] = ()
    day_first: bool | None = None
    period: tuple[date, date] | None = None
    languages: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[date_formats.DateFormat, ...]:
        """The formats to be tried; raises InputError for an invalid one."""
        stated = (date_formats.parse_format(format_, self.period) for format_ in self.formats)
        named = tuple(replace(format_, languages=self.languages) for format_ in stated)
        return named or date_formats.in_languages(self.languages)


NO_STYLE: Final = DateStyle()


def date_evidence(column: pa.Array | pa.ChunkedArray, style: DateStyle = NO_STYLE) -> DateEvidence:
    """Gather the evidence that a part of a column of dates or timestamps gives about the whole."""
    parts = _Parts.of(DistinctTexts.of(column), style)
    return _evidence_of(parts, DistinctTexts.of(parts.day).texts, style)


def infer_dates(
    column: pa.Array | pa.ChunkedArray,
    style: DateStyle = NO_STYLE,
    *,
    evidence: DateEvidence | None = None,
    places: pa.Array | pa.ChunkedArray | str | None = None,
) -> DateColumn:
    """Read a column of dates, or a part of one with the evidence of the whole.

    The rules are in the module's docstring.

    A time of day after the date is dropped. A time with a zone is a date at its place, one of `places` (names
    of the IANA database, for each row or for all): without it, it is "invalid", but at midnight, if all such
    times of the column are. Raises InputError for an invalid format or language.
    """
    cells, inferred, moments = _infer_parts(column, style, evidence)
    no_time = pc.equal(moments.time, "")
    sure = pc.or_(no_time, pc.and_(pc.is_valid(moments.micros), pc.invert(moments.zoned)))
    values, problem = _refuse(inferred, pc.invert(pc.or_(sure, moments.are_dates)))
    dates = DateColumn(cells.spread(values), cells.spread(problem), inferred.formats)
    found = moments.at(places, cells, inferred)
    if found is None:
        return dates
    return _with_moments(dates, found.cast(pa.date32(), safe=False), cells.spread(inferred.values))


def infer_timestamps(
    column: pa.Array | pa.ChunkedArray,
    style: DateStyle = NO_STYLE,
    *,
    evidence: DateEvidence | None = None,
    places: pa.Array | pa.ChunkedArray | str | None = None,
) -> TimestampColumn:
    """Read a column of dates with a time of day, `T` or a space between; the rules for dates hold.

    A date without a time is "invalid": midnight would be a guess. A time with a zone is the wall time at its
    place, one of `places` as for dates, and "invalid" without it. Raises InputError for an invalid format.
    """
    cells, inferred, moments = _infer_parts(column, style, evidence, dates_only=False)
    values, problem = _refuse(inferred, pc.or_(pc.is_null(moments.micros), moments.zoned))
    stamps = pc.add(values.cast(pa.timestamp("us")), moments.micros.cast(pa.duration("us")))
    read = TimestampColumn(cells.spread(stamps), cells.spread(problem), inferred.formats)
    found = moments.at(places, cells, inferred)
    if found is None:
        return read
    dates = cells.spread(inferred.values)
    moved = _with_moments(
        DateColumn(read.values.cast(pa.date32(), safe=False), read.problem, read.formats),
        found.cast(pa.date32(), safe=False),
        dates,
    )
    return TimestampColumn(
        pc.coalesce(found, read.values), moved.problem, read.formats, moved.zoned, moved.moved
    )


def _with_moments(dates: DateColumn, found: pa.Array, written: pa.Array) -> DateColumn:
    """Return dates with those of moments; `written` are the dates as they stand in the cells."""
    problem = pc.if_else(pc.is_valid(found), _TEXT_NULL, dates.problem)
    moved = pc.sum(pc.not_equal(found, written), min_count=0).as_py()
    zoned = len(found) - found.null_count
    return DateColumn(pc.coalesce(found, dates.values), problem, dates.formats, zoned, moved)


@dataclass(frozen=True)
class _Moments:
    """The times of distinct cells: text, microseconds of the day, zone in microseconds east of UTC.

    `are_dates` marks midnights with a zone, where all with a zone are.
    """

    time: pa.Array
    micros: pa.Array
    zoned: pa.Array
    offset: pa.Array
    are_dates: pa.Array

    @classmethod
    def of(cls, parts: _Parts, evidence: DateEvidence, *, dates_only: bool) -> _Moments:
        micros = micros_of_day(parts.time)
        zoned = pc.not_equal(parts.zone, "")
        midnight = pc.fill_null(pc.equal(micros, 0), False)
        dates = pc.and_(pc.and_(zoned, midnight), pa.scalar(dates_only and not evidence.zoned))
        return cls(parts.time, micros, zoned, offset_micros(parts.zone), dates)

    def at(
        self, places: pa.Array | pa.ChunkedArray | str | None, cells: DistinctTexts, inferred: DateColumn
    ) -> pa.Array | None:
        """Return for each row the wall time of a moment at its place, null for others; None without any."""
        are_moments = pc.and_(self.zoned, pc.invert(self.are_dates))
        if places is None or not any_true(are_moments):
            return None
        stamps = pc.add(inferred.values.cast(pa.timestamp("us")), self.micros.cast(pa.duration("us")))
        stamps = pc.if_else(are_moments, stamps, pa.scalar(None, pa.timestamp("us")))
        rows = places.combine_chunks() if isinstance(places, pa.ChunkedArray) else places
        return local_stamps(cells.spread(stamps), cells.spread(self.offset), rows)


@dataclass(frozen=True)
class _Parts:
    """The parts of distinct cells: date, time and zone as text, and the day of the week, null where absent.

    Monday is 0.
    """

    day: pa.Array
    time: pa.Array
    zone: pa.Array
    weekday: pa.Array

    @classmethod
    def of(cls, cells: DistinctTexts, style: DateStyle) -> _Parts:
        texts = pc.replace_substring_regex(pc.utf8_lower(cells.texts), r"[\s\p{Z}]+", " ")
        texts = pc.replace_substring_regex(texts, _PADDED, r"\1")
        weekday = pa.nulls(len(texts), pa.int64())
        if _may_have_words(texts) and any_true(pc.match_substring_regex(texts, _WEEKDAY)):
            groups = pc.extract_regex(texts, _WEEKDAY)
            days = date_formats.weekday_names(style.languages)
            place = pc.index_in(pc.struct_field(groups, "weekday"), value_set=pa.array(list(days)))
            # `mar` is Tuesday in some languages and March in others: only a whole date can follow a day.
            months = pa.array(list(date_formats.month_names(style.languages)), pa.string())
            month = pc.is_in(pc.struct_field(groups, "weekday"), value_set=months)
            whole = pc.match_substring_regex(pc.struct_field(groups, "rest"), _WHOLE_DATE)
            place = pc.if_else(pc.and_(month, pc.invert(whole)), pa.scalar(None, place.type), place)
            weekday = pc.take(pa.array(list(days.values()), pa.int64()), place)
            rest = pc.if_else(pc.is_valid(weekday), pc.struct_field(groups, "rest"), _TEXT_NULL)
            texts = pc.coalesce(rest, texts)
        if any_true(pc.match_substring(texts, " de")):
            texts = pc.replace_substring_regex(texts, _OF, r"\1 ")
        return cls(*split_after_date(texts), weekday)


def _may_have_words(texts: pa.Array) -> bool:
    """Return whether a text may begin with a word; a few are tested here, without compiling a pattern."""
    return len(texts) > date_formats.FEW or any(text[:1].isalpha() for text in texts.to_pylist())


def _infer_parts(
    column: pa.Array | pa.ChunkedArray,
    style: DateStyle,
    evidence: DateEvidence | None,
    *,
    dates_only: bool = True,
) -> tuple[DistinctTexts, DateColumn, _Moments]:
    """Return the distinct cells and, for each, its inferred date, and its time and zone."""
    cells = DistinctTexts.of(column)
    parts = _Parts.of(cells, style)
    dates = DistinctTexts.of(parts.day)
    column_evidence = _evidence_of(parts, dates.texts, style) if evidence is None else evidence
    inferred = _infer(dates.texts, style, column_evidence)
    values, problem = dates.spread(inferred.values), dates.spread(inferred.problem)
    timed = pc.or_(pc.not_equal(parts.time, ""), pc.not_equal(parts.zone, ""))
    problem = pc.if_else(pc.and_(pc.equal(problem, "blank"), timed), "invalid", problem)
    contradicted = pc.fill_null(pc.not_equal(pc.day_of_week(values), parts.weekday), False)
    values, problem = _refuse(DateColumn(values, problem, inferred.formats), contradicted)
    moments = _Moments.of(parts, column_evidence, dates_only=dates_only)
    return cells, DateColumn(values, problem, inferred.formats), moments


def _evidence_of(parts: _Parts, texts: pa.Array, style: DateStyle) -> DateEvidence:
    """Return the evidence of a column; `texts` are its distinct dates without times."""
    candidates = style.candidates
    found = _evidence(texts, _read(texts, candidates), candidates)
    midnight = pc.fill_null(pc.equal(micros_of_day(parts.time), 0), False)
    return replace(found, zoned=any_true(pc.and_not(pc.not_equal(parts.zone, ""), midnight)))


def _refuse(inferred: DateColumn, refused: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Mark dates that were read but are refused as "invalid"; other problems stay."""
    problem = pc.if_else(pc.and_(refused, pc.is_valid(inferred.values)), "invalid", inferred.problem)
    return pc.if_else(pc.is_null(problem), inferred.values, _DAY_NULL), problem


@dataclass(frozen=True)
class _DateReadings:
    """Texts parsed in the formats: per text the day as written, with day and month exchanged, the format.

    All three are null for a text in no format; the two days are equal where the order is not in question.
    """

    written: pa.Array
    exchanged: pa.Array
    format_number: pa.Array

    def are(self, numbers: list[int]) -> pa.Array:
        """Return which texts have one of the formats with these numbers."""
        return pc.is_in(self.format_number, value_set=pa.array(numbers, pa.int32()))


def _infer(texts: pa.Array, style: DateStyle, evidence: DateEvidence) -> DateColumn:
    candidates = style.candidates
    readings = _read(texts, candidates)
    formats, day_first = style.formats, style.day_first
    order = None if formats else _order(evidence, day_first)
    values, problem = _by_order(readings, order, None if formats else day_first)
    if not formats:
        doubtful = pc.or_(
            _is_stray_number(readings, evidence, order),
            _is_doubtful(texts, readings, evidence, day_first),
        )
        values = pc.if_else(doubtful, _DAY_NULL, values)
        problem = pc.if_else(doubtful, "ambiguous", problem)
    problem = pc.if_else(pc.equal(texts, ""), "blank", problem)
    return DateColumn(values, problem, _names(candidates, evidence, order))


def _evidence(
    texts: pa.Array, readings: _DateReadings, candidates: tuple[date_formats.DateFormat, ...]
) -> DateEvidence:
    day, month = pc.is_valid(readings.written), pc.is_valid(readings.exchanged)
    dated = pc.invert(
        readings.are([n for n, candidate in enumerate(candidates) if candidate.format == EXCEL])
    )
    no_day = pc.match_substring_regex(texts, date_formats.NO_DAY_AT_START)
    year_first = _read(texts.filter(no_day), date_formats.SHORT_YEAR_FIRST)
    return DateEvidence(
        day=any_true(pc.and_not(day, month)),
        month=any_true(pc.and_not(month, day)),
        written=_ends(_days(readings.written, dated)),
        exchanged=_ends(_days(readings.exchanged, dated)),
        year_first=any_true(pc.is_valid(year_first.format_number)),
        format_numbers=frozenset(pc.drop_null(pc.unique(readings.format_number)).to_pylist()),
    )


def _read(texts: pa.Array, candidates: tuple[date_formats.DateFormat, ...]) -> _DateReadings:
    """Parse each text in the first format that gives a day."""
    everything = pa.array(range(len(texts)), pa.int32())
    left = everything.filter(date_formats.any_matches(texts, candidates))
    pieces = []
    for number, date_format in enumerate(candidates):
        if not len(left):
            break
        written, exchanged = date_format.read(texts.take(left))
        read = pc.or_(pc.is_valid(written), pc.is_valid(exchanged))
        if any_true(read):
            format_number = pa.repeat(pa.scalar(number, pa.int32()), len(left))
            piece = pa.table([left, written, exchanged, format_number], schema=_PIECE)
            pieces.append(piece.filter(read))
            left = left.filter(pc.invert(read))
    pieces.append(_PIECE.empty_table())
    table = pa.concat_tables(pieces).combine_chunks()
    place = pc.index_in(everything, value_set=table["text"].combine_chunks())
    return _DateReadings(*(table[name].combine_chunks().take(place) for name in _PIECE.names[1:]))


def _days(days: pa.Array, chosen: pa.Array) -> list[date]:
    """Return the first and the last of some of the dates."""
    ends = pc.min_max(days.filter(chosen)).as_py()
    return [day for day in ends.values() if day is not None]


def _order(evidence: DateEvidence, day_first: bool | None) -> bool | None:
    """Return whether the day comes first: true, false, or None when neither is sure.

    The formats in question are written day first (`showcost.values.date_formats.RECOGNISED`).
    """
    if day_first is None:
        return None if evidence.day == evidence.month else evidence.day
    against = evidence.month if day_first else evidence.day
    in_favour = evidence.day if day_first else evidence.month
    return None if against and not in_favour else day_first


def _by_order(
    readings: _DateReadings, order: bool | None, day_first: bool | None
) -> tuple[pa.Array, pa.Array]:
    """Choose between the two days of each text; returns values and problems."""
    either = pc.coalesce(readings.written, readings.exchanged)
    depends = pc.fill_null(pc.not_equal(readings.written, readings.exchanged), False)
    ordered = readings.exchanged if order is False else readings.written
    values = pc.if_else(depends, _DAY_NULL if order is None else ordered, either)
    if day_first is not None:
        hinted = readings.written if day_first else readings.exchanged
        values = pc.if_else(pc.is_valid(hinted), values, _DAY_NULL)
    ambiguous = pc.and_(depends, pc.is_null(values))
    problem = pc.if_else(ambiguous, "ambiguous", pc.if_else(pc.is_valid(values), _TEXT_NULL, "invalid"))
    return values, problem


def _is_doubtful(
    texts: pa.Array, readings: _DateReadings, evidence: DateEvidence, day_first: bool | None
) -> pa.Array:
    """Return which texts the rest of the column casts doubt on, whatever their own format."""
    if not evidence.year_first or day_first is not None:
        return pa.repeat(pa.scalar(False), len(texts))
    numbered = enumerate(RECOGNISED)
    return readings.are(
        [n for n, candidate in numbered if candidate.has_two_digit_year and candidate.exchanged_format]
    )


def _is_stray_number(readings: _DateReadings, evidence: DateEvidence, order: bool | None) -> pa.Array:
    """Return which texts are day numbers of a spreadsheet for a day outside the other dates of the column."""
    serial = readings.are([n for n, date_format in enumerate(RECOGNISED) if date_format.format == EXCEL])
    stray = pa.repeat(pa.scalar(False), len(serial))
    for first, last in evidence.spans(order):
        outside = pc.or_(pc.less(readings.written, first), pc.greater(readings.written, last))
        stray = pc.or_(stray, pc.fill_null(outside, False))
    return pc.and_(serial, stray)


def _names(
    candidates: tuple[date_formats.DateFormat, ...], evidence: DateEvidence, order: bool | None
) -> tuple[str, ...]:
    """Name the formats that occur, in the catalogue's order, with the inferred order of day and month."""
    names = []
    for number in sorted(evidence.format_numbers):
        date_format = candidates[number]
        if order is not False or date_format.exchanged_format is None:
            names.append(date_format.format)
        if order is not True and date_format.exchanged_format is not None:
            names.append(date_format.exchanged_format)
    return tuple(names)
