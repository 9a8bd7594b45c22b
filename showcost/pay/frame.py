"""Payroll rows as columns of whole numbers, the input of every rule.

Hours, rates and amounts are millionths, times are minutes. A cell that is blank or cannot be read counts as
zero; its absence is marked where it matters. No rule is checked here.

A row is a line of a person's day. What the lines of a day share (its clock, the hours paid, its penalties) is
in the columns that begin with `day_`: those of the row alone until `showcost.pay.days` joins the lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.rule_kinds import Basis, DayKind, WorkPlace
from showcost.config.pay_words import DayType, Deal, EarningType
from showcost.pay.multiples import MULTIPLES, hours_at_multiples
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
from showcost.values.column import BLANK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.config.production import Production

BASES: Final = list(Basis)
"""The units of time of a rate, as `Frame.basis` numbers them."""

EARNINGS: Final = list(EarningType)
"""The types of earning, as `Frame.earning` numbers them."""

DAY_TYPES: Final = list(DayType)
DEALS: Final = list(Deal)
"""The types of day and of deal, as `Frame.day_type` and `Frame.deal` number them."""

HUNDREDTH: Final = ONE // 100
_MOST_HOURS: Final = 10_000 * ONE
"""No row has more hours or penalties; larger numbers are reduced to it."""

_TEXT_COLUMNS: Final = (
    *("agreement", "union_local", "occupation_code", "schedule", "currency", "account__union"),
    *("location", "hours_at"),
)
CODED: Final = (
    *("work_place", "rate_basis", "day_of_workweek", "is_holiday", "earning_type", "day_type", "deal"),
    *("loan_out", "tax_form"),
)
"""Fields with a closed list of words; `<field>__word` has the word of the list that a text stands for."""

_CLOCKS: Final = (
    *("call_time", "meal1_out", "meal1_in", "meal2_out", "meal2_in", "wrap_time"),
    *("non_deductible_out", "non_deductible_in"),
)
_LAST_DAYS: Final = {"6": DayKind.SIXTH, "7": DayKind.SEVENTH}


_LOCAL: Final = re.compile(r"(?:[^0-9]*[^0-9a-z])?(?:local|loc|no)?[ .#]*0*(?P<number>[1-9][0-9]*)")


def normal_local(text: str) -> str:
    """Return the number of a local as people write it (`Local 80`, `IATSE 80`, `080`), or any other text."""
    number = _LOCAL.fullmatch(text)
    return number["number"] if number else text


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

    def renamed(self, name: Callable[[str], str]) -> TextColumn:
        """Return the column with each distinct text replaced; several may become one."""
        return TextColumn(tuple(map(name, self.texts)), self.codes)

    def take(self, rows: Ints | slice) -> TextColumn:
        """Return some of the rows."""
        return TextColumn(self.texts, self.codes[rows])


@dataclass(frozen=True)
class Frame:
    """Payroll rows, column by column.

    `day` counts days since 1970. `place`, `basis`, `day_kind`, `earning`, `day_type` and `deal` number the
    words of their lists, -1 for none; `is_work` rows are pay for hours. `multiples` are those of `paid`, in
    tenths. `call` and `wrap` are minutes of UTC; they count only where `clocked`. `starts` and `ends` are
    the stretches of work between meals, in minutes of UTC, empty ones with a start at their end; a
    non-deductible meal is from `ndm_out` to `ndm_in`, -1 where there was none. `readable` rows have every
    amount that they give, and rate and gross. `cut` rows begin or end at midnight, so may be parts of a day.

    `group` numbers the day that a row is a line of; `is_line` rows share it with others, and `mixed` ones
    with lines under another agreement. `day_call` is the first call of the day, `worked` and `elapsed` are
    hours of the whole day.
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
    earning: Ints
    day_type: Ints
    deal: Ints
    loan_out: Bools
    has_tax_form: Bools
    is_work: Bools
    rate: Ints
    break_rate: Ints
    multiples: tuple[int, ...]
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
    starts: tuple[Ints, ...]
    ends: tuple[Ints, ...]
    ndm_out: Ints
    ndm_in: Ints
    readable: Bools
    cut: Bools
    group: Ints
    is_line: Bools
    mixed: Bools
    day_clocked: Bools
    day_call: Ints
    day_paid: tuple[Ints, ...]
    day_meal_count: Ints
    day_meal_amount: Ints
    day_benefit: Ints
    worked: Ints
    elapsed: Ints

    def __len__(self) -> int:
        return len(self.day)

    @property
    def hours_paid(self) -> Ints:
        """The hours of all columns of the row."""
        return total(self.paid)

    @property
    def day_hours_paid(self) -> Ints:
        """The hours of all columns of all lines of the day."""
        return total(self.day_paid)

    @property
    def spans(self) -> tuple[Ints, ...]:
        """The stretches of work between meals, in minutes."""
        return tuple(end - start for start, end in zip(self.starts, self.ends, strict=True))

    @property
    def straight_paid(self) -> Ints:
        """The hours paid for the day, each at its multiple, in tenths of straight hours."""
        return total(
            tuple(hours * multiple for hours, multiple in zip(self.day_paid, self.multiples, strict=True))
        )

    def take(self, rows: Ints | slice) -> Frame:
        """Return some of the rows; a slice copies nothing."""
        columns = {
            column.name: _taken(getattr(self, column.name), rows)
            for column in fields(self)
            if column.name != "multiples"
        }
        return Frame(**columns, multiples=self.multiples)


def _taken(column: Any, rows: Ints | slice) -> Any:  # noqa: ANN401 -- a column, or a tuple of columns
    if isinstance(column, TextColumn):
        return column.take(rows)
    if isinstance(column, tuple):
        return tuple(_taken(part, rows) for part in column)
    return column[rows]


def read_frame(cells: pa.Table, production: Production) -> Frame:
    """Return the typed cells of payroll rows (`showcost.validation.cells`) as a frame of single rows."""
    size = cells.num_rows
    day = days_of(cells.column("date"))
    clock = _Clock.read(cells, day, production)
    words = {name: TextColumn.of(cells.column(f"{name}__word")) for name in CODED}
    pairs = TextColumn.of(cells.column("hours_at"))
    hours = hours_at_multiples(
        {multiple: millionths(cells.column(name), _MOST_HOURS) for name, multiple in MULTIPLES.items()},
        pairs.texts,
        pairs.codes,
    )
    paid = tuple(hours.values())
    minor = pc.fill_null(cells.column("minor_units"), 2).to_numpy().astype(np.int64)
    earning = _stated(cells, words, "earning_type", EARNINGS)
    day_type = _stated(cells, words, "day_type", DAY_TYPES)
    meal_count = -(-millionths(cells.column("meal_penalty_count"), _MOST_HOURS) // ONE)
    meal_amount = millionths(cells.column("meal_penalty_amount"))
    benefit = millionths(cells.column("benefit_amount"))
    hours_paid = total(paid)
    return Frame(
        day=day,
        agreement_name=TextColumn.of(cells.column("agreement")),
        local=TextColumn.of(cells.column("union_local")).renamed(normal_local),
        occupation=TextColumn.of(cells.column("occupation_code")),
        schedule=TextColumn.of(cells.column("schedule")),
        currency=TextColumn.of(cells.column("currency")),
        union=TextColumn.of(cells.column("account__union")),
        place=words["work_place"].numbers(list(WorkPlace)),
        basis=words["rate_basis"].numbers(BASES),
        day_kind=_day_kind(words),
        workweek_day=words["day_of_workweek"].numbers(["", *"1234567"]),
        earning=earning,
        day_type=day_type,
        deal=_stated(cells, words, "deal", DEALS),
        loan_out=words["loan_out"].among(["yes"]),
        has_tax_form=words["tax_form"].among(["yes"]),
        is_work=np.isin(earning, [place for place, kind in enumerate(EARNINGS) if kind.is_for_hours])
        & np.isin(day_type, [place for place, kind in enumerate(DAY_TYPES) if kind.is_worked]),
        rate=millionths(cells.column("rate")),
        break_rate=millionths(cells.column("break_rate")),
        multiples=tuple(hours),
        paid=paid,
        meal_count=meal_count,
        meal_amount=meal_amount,
        rest_amount=millionths(cells.column("rest_penalty_amount")),
        gross=millionths(cells.column("gross")),
        benefit=benefit,
        minor_unit=np.array([10**places for places in range(_MOST_PLACES, -1, -1)])[minor],
        clocked=clock.clocked,
        call=clock.call,
        wrap=clock.wrap,
        starts=clock.starts,
        ends=clock.ends,
        ndm_out=clock.ndm_out,
        ndm_in=clock.ndm_in,
        readable=_readable(cells),
        cut=clock.clocked & clock.at_midnight,
        group=np.arange(size),
        is_line=np.zeros(size, np.bool_),
        mixed=np.zeros(size, np.bool_),
        day_clocked=clock.clocked,
        day_call=clock.call,
        day_paid=paid,
        day_meal_count=meal_count,
        day_meal_amount=meal_amount,
        day_benefit=benefit,
        worked=np.where(clock.clocked, clock.worked, hours_paid),
        elapsed=np.where(clock.clocked, clock.elapsed, hours_paid),
    )


def _stated(
    cells: pa.Table, words: dict[str, TextColumn], name: str, choices: Sequence[EarningType | DayType | Deal]
) -> Ints:
    """Return the number of each row's word; a blank is the first word, an unknown one -1."""
    unstated = pc.is_null(cells.column(name)).to_numpy()
    return np.where(unstated, 0, words[name].numbers(choices))


_MOST_PLACES: Final = 6
_NEEDED: Final = ("rate", "gross")
_OPTIONAL: Final = (
    *MULTIPLES,
    *("meal_penalty_count", "meal_penalty_amount", "rest_penalty_amount", "benefit_amount", "break_rate"),
)


CELLS: Final = (
    *("date", "minor_units", *_TEXT_COLUMNS, *CODED, *_CLOCKS, *_NEEDED, *_OPTIONAL),
    *(f"{name}__word" for name in CODED),
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


def _day_kind(words: dict[str, TextColumn]) -> Ints:
    """Return the number of each row's day kind: a holiday first of all, else by its day of the workweek."""
    kinds = list(DayKind)
    weekday = words["day_of_workweek"]
    by_text = [kinds.index(_LAST_DAYS.get(text, DayKind.ORDINARY)) for text in weekday.texts]
    of_week: Ints = np.array(by_text, np.int64)[weekday.codes]
    return np.where(words["is_holiday"].among(["yes"]), kinds.index(DayKind.HOLIDAY), of_week)


@dataclass(frozen=True)
class _Clock:
    """The times of a row: wall times of its location, each at or after the one before."""

    clocked: Bools
    call: Ints
    wrap: Ints
    starts: tuple[Ints, ...]
    ends: tuple[Ints, ...]
    ndm_out: Ints
    ndm_in: Ints
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
        counted_day = np.where(clocked, day, 0)
        moments, last = (
            {"call_time": utc_minutes(counted_day, np.where(clocked, start, 0), zones, names)},
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
            moments[name] = utc_minutes(counted_day, np.where(clocked, last, 0), zones, names)
        call, wrap = moments["call_time"], moments["wrap_time"]
        had = [walls[out] >= 0 for out, _ in meals]
        starts, ends = _between_meals(had, moments, meals)
        rested = sum((moments[back] - moments[out] for out, back in meals), np.zeros(len(day), np.int64))
        given = clocked & (walls["non_deductible_out"] >= 0) & (walls["non_deductible_in"] >= 0)
        out_wall = start + np.where(given, (walls["non_deductible_out"] - start) % MINUTES_A_DAY, 0)
        back_wall = out_wall + np.where(given, (walls["non_deductible_in"] - out_wall) % MINUTES_A_DAY, 0)
        ndm = [
            np.where(given, utc_minutes(counted_day, np.where(given, wall, 0), zones, names), -1)
            for wall in (out_wall, back_wall)
        ]
        return cls(
            clocked=clocked,
            call=call,
            wrap=wrap,
            starts=starts,
            ends=ends,
            ndm_out=ndm[0],
            ndm_in=ndm[1],
            worked=in_hours(wrap - call - rested),
            elapsed=in_hours(wrap - call),
            at_midnight=(walls["call_time"] == 0) | (walls["wrap_time"] == 0),
        )


def _between_meals(
    had: list[Bools], moments: dict[str, Ints], meals: list[tuple[str, str]]
) -> tuple[tuple[Ints, ...], tuple[Ints, ...]]:
    """Return begin and end of the stretches of work: to the first meal, between meals, and to the wrap."""
    call, wrap = moments["call_time"], moments["wrap_time"]
    (out1, back1), (out2, back2) = [(moments[out], moments[back]) for out, back in meals]
    either, both = had[0] | had[1], had[0] & had[1]
    starts = (
        call,
        np.where(either, np.where(had[0], back1, back2), wrap),
        np.where(both, back2, wrap),
    )
    first_end = np.where(either, np.where(had[0], out1, out2), wrap)
    return starts, (first_end, np.where(both, out2, wrap), wrap)


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


def total(columns: tuple[Ints, ...]) -> Ints:
    """Return the sum of columns."""
    summed = columns[0]
    for column in columns[1:]:
        summed = summed + column
    return summed
