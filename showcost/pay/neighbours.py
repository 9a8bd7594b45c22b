"""An employee's neighbouring days: facts that need several rows, as windows over all of them.

A day that was split into rows is joined again; then come the rest between days, the day of the workweek, the
hours and meal penalties of a week, and earlier pay. The windows see every row that they are given, of any
partition: the caller hands in the neighbours. The pay rules over these facts are in `findings`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from showcost.config.agreements.rule_kinds import DayKind
from showcost.pay.days import with_days
from showcost.pay.numbers import Bools, Ints, distinct_of
from showcost.pay.windows import Grouped, beginnings, by_keys, highest_before, ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from showcost.pay.frame import Frame

_ORDINARY: Final = list(DayKind).index(DayKind.ORDINARY)
_SIXTH: Final = list(DayKind).index(DayKind.SIXTH)
_SEVENTH: Final = list(DayKind).index(DayKind.SEVENTH)

_SIXTH_DAY: Final = 6


@dataclass(frozen=True)
class Neighbours:
    """Facts about each row of a frame from the other rows of the employee; an array per fact.

    `rest` is minutes since the work before ended, -1 where a row begins none or nothing came before;
    `previous` is the row after which rest began, -1 for none, `days_apart` the days between. `straight` and
    `meals` count the workweek before the row, -1 where no row says which it is. `in_a_row` counts days
    worked without one off, `earned` is pay before the row that contributions are due on.
    """

    rest: Ints
    previous: Ints
    days_apart: Ints
    straight: Ints
    meals: Ints
    in_a_row: Ints
    earned: Ints

    def take(self, rows: Ints | slice) -> Neighbours:
        """Return some of the rows; `previous` still counts all of them."""
        return Neighbours(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})


def join_days(
    frame: Frame, employee: Ints, agreement: Ints, base: Ints, keys: pa.ChunkedArray
) -> tuple[Frame, Neighbours]:
    """Return the rows as lines of their periods of work, and their neighbours.

    `employee` tells people apart, `agreement` is the place of each row's agreement, `base` the pay that
    contributions are due on; `keys` decide the order of rows with the same time. A period of work is a date,
    and what follows it without a break: the parts of a day that runs past midnight are one.
    """
    size = len(frame)
    people = Grouped(*_by_call(frame, employee, keys))
    period = _periods(frame, employee, people)
    joined = with_days(frame, period, agreement)
    starts = beginnings(people.rows, [employee, period])
    reached = highest_before(people, frame.wrap, 0)
    call = np.where(frame.clocked, frame.call, 0)
    by_day = ordered([employee, agreement, frame.day, call], keys, np.arange(size))
    earned = Grouped(by_day, beginnings(by_day, [employee, agreement]))
    weeks = _weeks(frame, by_day, employee, agreement)
    heads = np.flatnonzero(starts & ~people.begins)
    shifts = Grouped(people.rows, starts)
    later, earlier = shifts.rows[heads], shifts.rows[heads - 1]
    first_of_earlier = shifts.rows[shifts.first[heads - 1]]
    ended = reached[heads]
    return joined, Neighbours(
        rest=_scattered(size, later, frame.call[later] - ended),
        previous=_scattered(size, later, earlier),
        days_apart=_scattered(size, later, frame.day[later] - frame.day[first_of_earlier]),
        straight=_scattered(size, weeks.rows, weeks.sum_before(frame.paid[0])),
        meals=_scattered(size, weeks.rows, weeks.sum_before(frame.meal_count)),
        in_a_row=_in_a_row(frame, employee),
        earned=_scattered(size, earned.rows, earned.sum_before(base.astype(np.int64))),
    )


def _periods(frame: Frame, employee: Ints, people: Grouped) -> Ints:
    """Return the number of each row's period of work.

    Rows that begin when all earlier ones of the person have ended belong to the period before; all other rows
    of a person and date are of one period, those without a clock too.
    """
    reached = highest_before(people, frame.wrap, 0)
    begins = people.begins | (frame.call[people.rows] > reached)
    chain = np.cumsum(begins) - 1
    # A chain is of the date of its first row; the chains of a date are one period.
    heads = people.rows[np.flatnonzero(begins)]
    day = frame.day.copy()
    day[people.rows] = frame.day[heads][chain]
    _, person = distinct_of(employee)
    days, number = distinct_of(day)
    return person * (len(days) + 1) + number


def _by_call(frame: Frame, employee: Ints, keys: pa.ChunkedArray) -> tuple[Ints, Bools]:
    """Return the rows with times by each employee's calls, and where another employee begins."""
    rows = ordered([employee, frame.call, frame.wrap, frame.day], keys, np.flatnonzero(frame.clocked))
    return rows, beginnings(rows, [employee])


def _weeks(frame: Frame, by_day: Ints, employee: Ints, agreement: Ints) -> Grouped:
    """Return the rows that state their day of the workweek, by workweek of employee and agreement."""
    stated = by_day[frame.workweek_day[by_day] > 0]
    first_day = frame.day - (frame.workweek_day - 1)
    keys = [employee, agreement, first_day]
    rows = by_keys(stated, keys)
    return Grouped(rows, beginnings(rows, keys))


def _in_a_row(frame: Frame, employee: Ints) -> Ints:
    """Return the consecutive working days of each row's employee up to it.

    Counted since the last day off, or since the last day that a row states as the first of the workweek.
    """
    rows = np.lexsort([frame.day, employee])
    days = Grouped(rows, beginnings(rows, [employee, frame.day]))
    begins = np.flatnonzero(days.begins)
    if not len(begins):
        return np.zeros(0, np.int64)
    heads = rows[begins]
    stated_first = np.bitwise_or.reduceat(frame.workweek_day[rows] == 1, begins)
    another = beginnings(heads, [employee])
    day = frame.day[heads]
    off = np.concatenate([[True], day[1:] - day[:-1] > 1])
    runs = Grouped(heads, another | off | stated_first)
    in_a_row = np.arange(len(heads)) - runs.first + 1
    return _scattered(len(rows), rows, in_a_row[np.cumsum(days.begins) - 1])


def _scattered(size: int, rows: Ints, values: Ints, missing: int = -1) -> Ints:
    """Return values of some rows as a column of all rows, with a number for the rest."""
    column = np.full(size, missing, np.int64)
    column[rows] = values
    return column


def with_counted_days(frame: Frame, neighbours: Neighbours) -> tuple[Frame, Bools]:
    """Return the frame with the 6th and 7th day as worked, and the rows that state another day."""
    sixth, seventh = neighbours.in_a_row == _SIXTH_DAY, neighbours.in_a_row > _SIXTH_DAY
    differ = (frame.day_kind == _ORDINARY) & (sixth | seventh)
    kind = np.where(differ, np.where(seventh, _SEVENTH, _SIXTH), frame.day_kind)
    return replace(frame, day_kind=kind), differ


def employees(columns: Sequence[pa.ChunkedArray]) -> Ints:
    """Return a number per row that tells employees apart; the pseudonym itself goes no further."""
    combined: Ints = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        encoded = pc.fill_null(column, "").combine_chunks().dictionary_encode()
        combined = combined * (len(encoded.dictionary) + 1) + np.asarray(encoded.indices)
    return combined
