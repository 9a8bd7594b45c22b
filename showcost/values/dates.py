"""Columns of dates and timestamps, settled over the whole delivery.

Digits such as 05/06/2013 are the fifth of June or the sixth of May. The order is one for the column, in
all its shapes:

- Without a hint, a cell that can be read in one order only (13/06/2013) proves that order for the column.
  With no such cell, or with such cells for both orders, nothing is proven: what reads alike either way
  (05/05/2013) or one way only is read, the rest is "ambiguous".
- The hint `day_first` decides. A cell that only the other order can read is then "invalid"; and where
  every proof of the column is against the hint, what depends on it is "ambiguous", since one of the two
  is wrong about all of the delivery.
- `formats` are strict: they are tried in their order, a cell is read by the first that makes a day of
  the calendar of it, and what fits none is "invalid". `day_first` has no say then.
- Two digits of the year are its end, never its start. Where the column has cells that can only have
  the year first (99-02-17), cells of two-digit years are "ambiguous" unless there is a hint.
- Day numbers of a spreadsheet (41234) are read when the column has no date of another shape, and where
  they name a day from the first to the last of those dates: some of the cells lost their format on the way.
  Outside of that they are "ambiguous" until a feed lists `excel` in its formats, for they may be a slip.
- The day of the week may stand first, in English; one that is not that of the date makes it "invalid".
- Days that the calendar lacks (31/02) and years outside 1900 to 2100 are "invalid".

What proves an order, or casts doubt, may stand in any part of a long column: `date_evidence` gathers it
from a part, evidence of several parts is joined with `|`, and each part is then settled by all of it.

The shapes themselves are in `showcost.values.shapes`, times of day in `showcost.values.times`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from showcost.values import shapes
from showcost.values.column import DistinctTexts, holds
from showcost.values.times import micros_of_day, split_after_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

_TEXT_NULL = pa.scalar(None, pa.string())
_DAY_NULL = pa.scalar(None, pa.date32())
_PIECE = pa.schema(
    {"text": pa.int32(), "written": pa.date32(), "exchanged": pa.date32(), "shape": pa.int32()}
)


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = (
    r"^(?P<weekday>mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?"
    r"|sun(?:day)?)\.?,? (?P<rest>.*[0-9].*)$"
)
_PADDED = "([0-9][-/]) +"
"""Matches a separator between numbers and the space after it, by which some systems pad a number."""


@dataclass(frozen=True)
class DateColumn:
    """The dates of a column.

    `values` is date32; `problem` is null, "blank", "invalid" or "ambiguous", and null exactly where there
    is a value; `shape` lists the formats found (`showcost.values.shapes`), both orders of a format where
    the order was not settled.
    """

    values: pa.Array
    problem: pa.Array
    shape: tuple[str, ...]


@dataclass(frozen=True)
class TimestampColumn:
    """The timestamps of a column: as `DateColumn`, with `values` timestamp[us], naive local wall time."""

    values: pa.Array
    problem: pa.Array
    shape: tuple[str, ...]


@dataclass(frozen=True)
class DateEvidence:
    """What cells say about the column that they stand in.

    `day` and `month`: a cell can be read with the day, or the month, first only. `written` and `exchanged`:
    the first and the last of the dates with the day first, and with the month first, in the cells that are no
    day number of a spreadsheet; empty when there is none. `year_first`: a cell can only have two digits of
    the year first. `shapes` are the numbers of the shapes found, among the candidates.
    """

    day: bool = False
    month: bool = False
    written: tuple[date, ...] = ()
    exchanged: tuple[date, ...] = ()
    year_first: bool = False
    shapes: frozenset[int] = frozenset()

    def __or__(self, other: DateEvidence) -> DateEvidence:
        return DateEvidence(
            self.day or other.day,
            self.month or other.month,
            _ends(self.written + other.written),
            _ends(self.exchanged + other.exchanged),
            self.year_first or other.year_first,
            self.shapes | other.shapes,
        )

    def spans(self, order: bool | None) -> list[tuple[date, ...]]:
        """Return first and last date in each order of day and month that is possible; empty for none."""
        possible = {True: [self.written], False: [self.exchanged], None: [self.written, self.exchanged]}
        return [span for span in possible[order] if span]


def _ends(days: Sequence[date]) -> tuple[date, ...]:
    """Return the first and the last of some dates; empty for none."""
    return (min(days), max(days)) if days else ()


def date_evidence(column: pa.Array | pa.ChunkedArray, *, formats: Sequence[str] = ()) -> DateEvidence:
    """Gather what a part of a column of dates or timestamps says about the whole of it."""
    texts = DistinctTexts.of(_Parts.of(DistinctTexts.of(column)).day).texts
    candidates = _candidates(formats)
    return _evidence(texts, _read(texts, candidates), candidates)


def settle_dates(
    column: pa.Array | pa.ChunkedArray,
    *,
    formats: Sequence[str] = (),
    day_first: bool | None = None,
    evidence: DateEvidence | None = None,
) -> DateColumn:
    """Read a column of dates, or a part of one with the evidence of the whole.

    The rules are in the module's docstring.

    A time of day after the date is dropped. A zone after the time is accepted at midnight only: at any
    other time (23:00:00Z) the day depends on where one is, and the cell is "invalid". Raises InputError
    for a format that is none.
    """
    cells, settled, time, zone = _settle_parts(column, formats, day_first, evidence)
    micros = micros_of_day(time)
    no_time = pc.equal(time, "")
    midnight = pc.fill_null(pc.equal(micros, 0), False)
    sure = pc.or_(no_time, pc.if_else(pc.equal(zone, ""), pc.is_valid(micros), midnight))
    values, problem = _refuse(settled, pc.invert(sure))
    return DateColumn(cells.spread(values), cells.spread(problem), settled.shape)


def settle_timestamps(
    column: pa.Array | pa.ChunkedArray,
    *,
    formats: Sequence[str] = (),
    day_first: bool | None = None,
    evidence: DateEvidence | None = None,
) -> TimestampColumn:
    """Read a column of dates with a time of day, `T` or a space between; the rules for dates hold.

    A date without a time is "invalid": midnight would be a guess. So is a time with a zone, `Z` included:
    the value is the wall time of the place, which another field names. Raises InputError for a format
    that is none.
    """
    cells, settled, time, zone = _settle_parts(column, formats, day_first, evidence)
    micros = micros_of_day(time)
    values, problem = _refuse(settled, pc.or_(pc.is_null(micros), pc.not_equal(zone, "")))
    stamps = pc.add(values.cast(pa.timestamp("us")), micros.cast(pa.duration("us")))
    return TimestampColumn(cells.spread(stamps), cells.spread(problem), settled.shape)


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
    def of(cls, cells: DistinctTexts) -> _Parts:
        texts = pc.replace_substring_regex(pc.utf8_lower(cells.texts), r"[\s\p{Z}]+", " ")
        texts = pc.replace_substring_regex(texts, _PADDED, r"\1")
        weekday = pa.nulls(len(texts), pa.int64())
        if holds(pc.match_substring_regex(texts, _WEEKDAY)):
            found = pc.extract_regex(texts, _WEEKDAY)
            named = pc.utf8_slice_codeunits(pc.struct_field(found, "weekday"), 0, len(_WEEKDAYS[0]))
            weekday = pc.index_in(named, value_set=pa.array(_WEEKDAYS)).cast(pa.int64())
            texts = pc.coalesce(pc.struct_field(found, "rest"), texts)
        return cls(*split_after_date(texts), weekday)


def _settle_parts(
    column: pa.Array | pa.ChunkedArray,
    formats: Sequence[str],
    day_first: bool | None,
    evidence: DateEvidence | None,
) -> tuple[DistinctTexts, DateColumn, pa.Array, pa.Array]:
    """Return the distinct cells and, for each, its settled date, its time text and its zone text."""
    cells = DistinctTexts.of(column)
    parts = _Parts.of(cells)
    dates = DistinctTexts.of(parts.day)
    settled = _settle(dates.texts, formats, day_first, evidence)
    values, problem = dates.spread(settled.values), dates.spread(settled.problem)
    timed = pc.or_(pc.not_equal(parts.time, ""), pc.not_equal(parts.zone, ""))
    problem = pc.if_else(pc.and_(pc.equal(problem, "blank"), timed), "invalid", problem)
    contradicted = pc.fill_null(pc.not_equal(pc.day_of_week(values), parts.weekday), False)
    values, problem = _refuse(DateColumn(values, problem, settled.shape), contradicted)
    return cells, DateColumn(values, problem, settled.shape), parts.time, parts.zone


def _refuse(settled: DateColumn, refused: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Turn what was read but is refused into "invalid"; another problem stays what it is."""
    problem = pc.if_else(pc.and_(refused, pc.is_valid(settled.values)), "invalid", settled.problem)
    return pc.if_else(pc.is_null(problem), settled.values, _DAY_NULL), problem


@dataclass(frozen=True)
class _Readings:
    """What the shapes make of texts: per text the day as written, with day and month exchanged, the shape.

    All three are null for a text without a shape; the two days are equal where the order is no question.
    """

    written: pa.Array
    exchanged: pa.Array
    shape: pa.Array

    def are(self, numbers: list[int]) -> pa.Array:
        """Tell which texts have one of the shapes of these numbers."""
        return pc.is_in(self.shape, value_set=pa.array(numbers, pa.int32()))


def _candidates(formats: Sequence[str]) -> tuple[shapes.Shape, ...]:
    return tuple(shapes.compiled(format_) for format_ in formats) or shapes.RECOGNISED


def _settle(
    texts: pa.Array, formats: Sequence[str], day_first: bool | None, evidence: DateEvidence | None
) -> DateColumn:
    candidates = _candidates(formats)
    found = _read(texts, candidates)
    seen = _evidence(texts, found, candidates) if evidence is None else evidence
    order = None if formats else _order(seen, day_first)
    values, problem = _by_order(found, order, None if formats else day_first)
    if not formats:
        doubtful = pc.or_(_stray_numbers(found, seen, order), _doubtful(texts, found, seen, day_first))
        values = pc.if_else(doubtful, _DAY_NULL, values)
        problem = pc.if_else(doubtful, "ambiguous", problem)
    problem = pc.if_else(pc.equal(texts, ""), "blank", problem)
    return DateColumn(values, problem, _names(candidates, seen, order))


def _evidence(texts: pa.Array, found: _Readings, candidates: tuple[shapes.Shape, ...]) -> DateEvidence:
    day, month = pc.is_valid(found.written), pc.is_valid(found.exchanged)
    dated = pc.invert(found.are([n for n, shape in enumerate(candidates) if shape.format == shapes.EXCEL]))
    no_day = pc.match_substring_regex(texts, shapes.NO_DAY_AT_START)
    year_first = _read(texts.filter(no_day), shapes.SHORT_YEAR_FIRST)
    return DateEvidence(
        day=holds(pc.and_not(day, month)),
        month=holds(pc.and_not(month, day)),
        written=_ends(_days(found.written, dated)),
        exchanged=_ends(_days(found.exchanged, dated)),
        year_first=holds(pc.is_valid(year_first.shape)),
        shapes=frozenset(pc.drop_null(pc.unique(found.shape)).to_pylist()),
    )


def _read(texts: pa.Array, candidates: tuple[shapes.Shape, ...]) -> _Readings:
    """Read each text by the first shape that makes a day of it."""
    everything = pa.array(range(len(texts)), pa.int32())
    left = everything.filter(shapes.any_matches(texts, candidates))
    pieces = []
    for number, shape in enumerate(candidates):
        if not len(left):
            break
        written, exchanged = shape.read(texts.take(left))
        read = pc.or_(pc.is_valid(written), pc.is_valid(exchanged))
        if holds(read):
            shape_number = pa.repeat(pa.scalar(number, pa.int32()), len(left))
            piece = pa.table([left, written, exchanged, shape_number], schema=_PIECE)
            pieces.append(piece.filter(read))
            left = left.filter(pc.invert(read))
    pieces.append(_PIECE.empty_table())
    table = pa.concat_tables(pieces).combine_chunks()
    place = pc.index_in(everything, value_set=table["text"].combine_chunks())
    return _Readings(*(table[name].combine_chunks().take(place) for name in _PIECE.names[1:]))


def _days(days: pa.Array, chosen: pa.Array) -> list[date]:
    """Return the first and the last of some of the dates."""
    ends = pc.min_max(days.filter(chosen)).as_py()
    return [day for day in ends.values() if day is not None]


def _order(seen: DateEvidence, day_first: bool | None) -> bool | None:
    """Settle whether the day comes first: true, false, or null when neither is sure.

    The shapes in question are written day first (`showcost.values.shapes.RECOGNISED`).
    """
    if day_first is None:
        return None if seen.day == seen.month else seen.day
    against = seen.month if day_first else seen.day
    in_favour = seen.day if day_first else seen.month
    return None if against and not in_favour else day_first


def _by_order(found: _Readings, order: bool | None, day_first: bool | None) -> tuple[pa.Array, pa.Array]:
    """Choose between the two days of each text; returns values and problems."""
    either = pc.coalesce(found.written, found.exchanged)
    depends = pc.fill_null(pc.not_equal(found.written, found.exchanged), False)
    settled = found.exchanged if order is False else found.written
    values = pc.if_else(depends, _DAY_NULL if order is None else settled, either)
    if day_first is not None:
        hinted = found.written if day_first else found.exchanged
        values = pc.if_else(pc.is_valid(hinted), values, _DAY_NULL)
    ambiguous = pc.and_(depends, pc.is_null(values))
    problem = pc.if_else(ambiguous, "ambiguous", pc.if_else(pc.is_valid(values), _TEXT_NULL, "invalid"))
    return values, problem


def _doubtful(texts: pa.Array, found: _Readings, seen: DateEvidence, day_first: bool | None) -> pa.Array:
    """Tell which texts the rest of the column casts doubt on, whatever their own shape says."""
    if not seen.year_first or day_first is not None:
        return pa.repeat(pa.scalar(False), len(texts))
    numbered = enumerate(shapes.RECOGNISED)
    return found.are([n for n, shape in numbered if shape.two_digit_year and shape.other_order])


def _stray_numbers(found: _Readings, seen: DateEvidence, order: bool | None) -> pa.Array:
    """Tell which texts are day numbers of a spreadsheet for a day outside the other dates of the column."""
    serial = found.are([n for n, shape in enumerate(shapes.RECOGNISED) if shape.format == shapes.EXCEL])
    stray = pa.repeat(pa.scalar(False), len(serial))
    for first, last in seen.spans(order):
        outside = pc.or_(pc.less(found.written, first), pc.greater(found.written, last))
        stray = pc.or_(stray, pc.fill_null(outside, False))
    return pc.and_(serial, stray)


def _names(candidates: tuple[shapes.Shape, ...], seen: DateEvidence, order: bool | None) -> tuple[str, ...]:
    """Name the shapes that occur, in the catalogue's order, with the order that was settled on."""
    names = []
    for number in sorted(seen.shapes):
        shape = candidates[number]
        if order is not False or shape.other_order is None:
            names.append(shape.format)
        if order is not True and shape.other_order is not None:
            names.append(shape.other_order)
    return tuple(names)
