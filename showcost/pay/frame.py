"""Payroll rows as columns of whole numbers, the input of every rule.

Hours, rates and amounts are millionths, times are minutes. A cell that is blank or cannot be read counts as
zero; its absence is marked where it matters. No rule is checked here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.rule_kinds import Basis, DayKind, WorkPlace
from showcost.pay.numbers import (
    MINUTES_A_DAY,
    NO_DAY,
    ONE,
    Bools,
    Ints,
    days_of,
    millionths,
    minutes_of,
    utc_minutes,
)
from showcost.values.column import BLANK, is_yes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.production import Production

MULTIPLES: Final = {"hours_1x": 10, "hours_1_5x": 15, "hours_2x": 20, "hours_3x": 30}
"""The columns of paid hours, and their multiple in tenths."""

BASES: Final = list(Basis)
"""The units of time of a rate, as `Frame.basis` numbers them."""

HUNDREDTH: Final = ONE // 100
_MOST_HOURS: Final = 10_000 * ONE
"""No row has more hours or penalties; larger numbers are reduced to it."""

_TEXT_COLUMNS: Final = (
    *("agreement", "union_local", "occupation_code", "schedule", "currency", "account__union"),
    *("work_place", "rate_basis", "day_of_workweek", "location"),
)
_CLOCKS: Final = ("call_time", "meal1_out", "meal1_in", "meal2_out", "meal2_in", "wrap_time")
_LAST_DAYS: Final = {"6": DayKind.SIXTH, "7": DayKind.SEVENTH}


@dataclass(frozen=True)
class TextColumn:
    """A column of text as the distinct texts (casefolded, null is empty) and which of them each row has."""

    texts: tuple[str, ...]
    codes: Ints

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> TextColumn:
        """Encode a column."""
        encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
        texts = tuple(" ".join(text.casefold().split()) for text in encoded.dictionary.to_pylist())
        return cls(texts, np.asarray(encoded.indices).astype(np.int64))

    def among(self, choices: Sequence[str]) -> Bools:
        """Return which rows have one of some texts."""
        folded = {text.casefold() for text in choices}
        matches: Bools = np.array([text in folded for text in self.texts], np.bool_)[self.codes]
        return matches

    def numbers(self, order: Sequence[str]) -> Ints:
        """Return for each row the place of its text in an order; -1 for any other text."""
        places = {text: place for place, text in enumerate(order)}
        numbers: Ints = np.array([places.get(text, -1) for text in self.texts], np.int64)[self.codes]
        return numbers

    def take(self, rows: Ints | slice) -> TextColumn:
        """Return some of the rows."""
        return TextColumn(self.texts, self.codes[rows])


@dataclass(frozen=True)
class Frame:
    """Payroll rows, column by column.

    `day` counts days since 1970. `place`, `basis` and `day_kind` number WorkPlace, Basis and DayKind, -1
    for none. `call` and `wrap` are minutes of UTC; they count only where `clocked`. `spans` are the
    stretches of work between meals, `breaks` the meals, as minutes since the call. `worked` and `elapsed`
    are hours. Earlier work of the same shift, when a day is split into several rows, is in
    `worked_before`, `elapsed_before`, `paid_before`; `continued` says that more follows. `cut` rows begin
    or end at midnight, so may be parts of a day. `readable` rows have every amount that they give, and
    rate and gross.
    """

    day: Ints
    agreement_name: TextColumn
    local: TextColumn
    occupation: TextColumn
    schedule: TextColumn
    currency: TextColumn
    union: TextColumn
    place: Ints
    basis: Ints
    day_kind: Ints
    workweek_day: Ints
    rate: Ints
    paid: tuple[Ints, ...]
    meal_count: Ints
    meal_amount: Ints
    rest_amount: Ints
    gross: Ints
    benefit: Ints
    minor_unit: Ints
    clocked: Bools
    call: Ints
    wrap: Ints
    spans: tuple[Ints, ...]
    breaks: tuple[tuple[Ints, Ints], ...]
    worked: Ints
    elapsed: Ints
    worked_before: Ints
    elapsed_before: Ints
    paid_before: Ints
    continued: Bools
    cut: Bools
    readable: Bools

    def __len__(self) -> int:
        return len(self.day)

    @property
    def hours_paid(self) -> Ints:
        """The hours of all columns."""
        return _sum(self.paid)

    @property
    def straight_paid(self) -> Ints:
        """The hours paid, each at its multiple, in tenths of straight hours."""
        return _sum(
            tuple(hours * multiple for hours, multiple in zip(self.paid, MULTIPLES.values(), strict=True))
        )

    def take(self, rows: Ints | slice) -> Frame:
        """Return some of the rows; a slice copies nothing."""
        return Frame(**{column.name: _taken(getattr(self, column.name), rows) for column in fields(self)})


def _taken(column: Any, rows: Ints | slice) -> Any:  # noqa: ANN401 -- a column, or a tuple of columns
    if isinstance(column, TextColumn):
        return column.take(rows)
    if isinstance(column, tuple):
        return tuple(_taken(part, rows) for part in column)
    return column[rows]


def read_frame(cells: pa.Table, production: Production) -> Frame:
    """Return the typed cells of payroll rows (`showcost.validation.cells`) as a frame."""
    size = cells.num_rows
    day = days_of(cells.column("date"))
    clock = _Clock.read(cells, day, production)
    hours = tuple(millionths(cells.column(name), _MOST_HOURS) for name in MULTIPLES)
    paid = _sum(hours)
    none = np.zeros(size, np.int64)
    minor = pc.fill_null(cells.column("minor_units"), 2).to_numpy().astype(np.int64)
    return Frame(
        day=day,
        agreement_name=TextColumn.of(cells.column("agreement")),
        local=TextColumn.of(cells.column("union_local")),
        occupation=TextColumn.of(cells.column("occupation_code")),
        schedule=TextColumn.of(cells.column("schedule")),
        currency=TextColumn.of(cells.column("currency")),
        union=TextColumn.of(cells.column("account__union")),
        place=TextColumn.of(cells.column("work_place")).numbers(list(WorkPlace)),
        basis=TextColumn.of(cells.column("rate_basis")).numbers(BASES),
        day_kind=_day_kind(cells),
        workweek_day=TextColumn.of(cells.column("day_of_workweek")).numbers(["", *"1234567"]),
        rate=millionths(cells.column("rate")),
        paid=hours,
        meal_count=-(-millionths(cells.column("meal_penalty_count"), _MOST_HOURS) // ONE),
        meal_amount=millionths(cells.column("meal_penalty_amount")),
        rest_amount=millionths(cells.column("rest_penalty_amount")),
        gross=millionths(cells.column("gross")),
        benefit=millionths(cells.column("benefit_amount")),
        minor_unit=np.array([10**places for places in range(_MOST_PLACES, -1, -1)])[minor],
        clocked=clock.clocked,
        call=clock.call,
        wrap=clock.wrap,
        spans=clock.spans,
        breaks=clock.breaks,
        worked=np.where(clock.clocked, clock.worked, paid),
        elapsed=np.where(clock.clocked, clock.elapsed, paid),
        worked_before=none,
        elapsed_before=none,
        paid_before=none,
        continued=np.zeros(size, np.bool_),
        cut=clock.clocked & clock.at_midnight,
        readable=_readable(cells),
    )


_MOST_PLACES: Final = 6
_NEEDED: Final = ("rate", "gross")
_OPTIONAL: Final = (
    *MULTIPLES,
    *("meal_penalty_count", "meal_penalty_amount", "rest_penalty_amount", "benefit_amount"),
)


CELLS: Final = (
    *("date", "minor_units", "is_holiday", *_TEXT_COLUMNS, *_CLOCKS, *_NEEDED, *_OPTIONAL),
    *(f"{name}__problem" for name in _OPTIONAL),
)
"""The columns of cells that a frame is made of."""


def _readable(cells: pa.Table) -> Bools:
    """Return which rows have readable amounts only; unreadable ones have a reason code of their own."""
    readable: Bools = np.ones(cells.num_rows, np.bool_)
    for name in _NEEDED:
        readable &= pc.is_valid(cells.column(name)).to_numpy()
    for name in _OPTIONAL:
        blank = pc.fill_null(pc.equal(cells.column(f"{name}__problem"), BLANK), False)
        readable &= pc.or_(pc.is_valid(cells.column(name)), blank).to_numpy()
    return readable


def _day_kind(cells: pa.Table) -> Ints:
    """Return the number of each row's day kind: a holiday first of all, else by its day of the workweek."""
    kinds = list(DayKind)
    weekday = TextColumn.of(cells.column("day_of_workweek"))
    by_text = [kinds.index(_LAST_DAYS.get(text, DayKind.ORDINARY)) for text in weekday.texts]
    of_week: Ints = np.array(by_text, np.int64)[weekday.codes]
    return np.where(is_yes(cells.column("is_holiday")).to_numpy(), kinds.index(DayKind.HOLIDAY), of_week)


@dataclass(frozen=True)
class _Clock:
    """The times of a row: wall times of its location, each at or after the one before."""

    clocked: Bools
    call: Ints
    wrap: Ints
    spans: tuple[Ints, ...]
    breaks: tuple[tuple[Ints, Ints], ...]
    worked: Ints
    elapsed: Ints
    at_midnight: Bools

    @classmethod
    def read(cls, cells: pa.Table, day: Ints, production: Production) -> _Clock:
        walls = {name: minutes_of(cells.column(name)) for name in _CLOCKS}
        zones, names = _zones(cells, production)
        meals = [("meal1_out", "meal1_in"), ("meal2_out", "meal2_in")]
        clocked = (walls["call_time"] >= 0) & (walls["wrap_time"] >= 0) & (day > NO_DAY)
        for out, back in meals:
            clocked &= (walls[out] >= 0) == (walls[back] >= 0)
        start = walls["call_time"]
        moments, last = (
            {"call_time": utc_minutes(np.where(clocked, day, 0), np.where(clocked, start, 0), zones, names)},
            start,
        )
        for name in (*(name for pair in meals for name in pair), "wrap_time"):
            wall = walls[name]
            given = clocked & (wall >= 0)
            # A time that is not after the one before is of the next day; an hour that a clock change repeats
            # is taken as its first, so that no more is asked for than is certain.
            ahead = np.where(given, (wall - last) % MINUTES_A_DAY, 0)
            if name == "wrap_time":
                ahead = np.where(given & (last == start) & (ahead == 0), MINUTES_A_DAY, ahead)
            last = np.where(given, last + ahead, last)
            moments[name] = utc_minutes(np.where(clocked, day, 0), np.where(clocked, last, 0), zones, names)
        call, wrap = moments["call_time"], moments["wrap_time"]
        breaks = tuple((moments[out] - call, moments[back] - call) for out, back in meals)
        had = [walls[out] >= 0 for out, _ in meals]
        spans = _between_meals(had, wrap - call, breaks)
        rested = sum((back - out for out, back in breaks), np.zeros(len(day), np.int64))
        return cls(
            clocked=clocked,
            call=call,
            wrap=wrap,
            spans=spans,
            breaks=breaks,
            worked=in_hours(wrap - call - rested),
            elapsed=in_hours(wrap - call),
            at_midnight=(walls["call_time"] == 0) | (walls["wrap_time"] == 0),
        )


def _between_meals(had: list[Bools], length: Ints, breaks: tuple[tuple[Ints, Ints], ...]) -> tuple[Ints, ...]:
    """Return the periods of work in minutes: to the first meal, between meals, and to the wrap."""
    first = np.where(had[0], breaks[0][0], np.where(had[1], breaks[1][0], length))
    second = np.where(had[0], np.where(had[1], breaks[1][0], length) - breaks[0][1], 0)
    third = np.where(had[1], length - breaks[1][1], 0)
    return first, second, third


def in_hours(minutes: Ints) -> Ints:
    """Return minutes as hours, rounded down to hundredths so that no excess is required."""
    return minutes * ONE // 60 // HUNDREDTH * HUNDREDTH


def _zones(cells: pa.Table, production: Production) -> tuple[Ints, list[str]]:
    """Return each row's zone by its location, else the production's, as a number among the names."""
    places = TextColumn.of(cells.column("location"))
    by_place = {place.casefold(): zone for place, zone in production.location_timezones.items()}
    names = sorted({production.timezone, *by_place.values()})
    by_text = [names.index(by_place.get(text, production.timezone)) for text in places.texts]
    return np.array(by_text, np.int64)[places.codes], names


def _sum(columns: tuple[Ints, ...]) -> Ints:
    total = columns[0]
    for column in columns[1:]:
        total = total + column
    return total
