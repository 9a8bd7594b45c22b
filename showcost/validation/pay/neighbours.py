"""An employee's days side by side: what only several rows tell, as window queries over all of them.

A day that was split into rows is put together again; from it follow rest between days, the day of the
workweek, the hours and meal penalties of a week, and what was earned before. The queries see every row that
they are given, of whatever partition: the caller hands in the neighbours. What follows for pay is in
`findings`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.kinds import DayKind
from showcost.validation.arrow_sql import query
from showcost.validation.pay.frame import Frame, Words
from showcost.validation.pay.numbers import ONE, Bools, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

_ORDINARY: Final = list(DayKind).index(DayKind.ORDINARY)
_SIXTH: Final = list(DayKind).index(DayKind.SIXTH)
_SEVENTH: Final = list(DayKind).index(DayKind.SEVENTH)

_SIXTH_DAY: Final = 6

_SHIFTS: Final = """
WITH marked AS (
    SELECT *, coalesce(call > max(wrap) OVER earlier, true) AS begins
    FROM rows WHERE clocked
    WINDOW earlier AS (PARTITION BY employee ORDER BY call, wrap, place
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), numbered AS (
    SELECT *, sum(begins::INTEGER) OVER (PARTITION BY employee ORDER BY call, wrap, place) AS shift
    FROM marked
), parts AS (
    SELECT *,
        first_value(place) OVER own AS first_part,
        min(call) OVER whole AS begun, max(wrap) OVER whole AS ended,
        coalesce(sum(worked) OVER before, 0)::BIGINT AS worked_before,
        coalesce(sum(paid) OVER before, 0)::BIGINT AS paid_before,
        coalesce(lag(tail) OVER own, 0) AS carried,
        lead(place) OVER own IS NOT NULL AS continued
    FROM numbered
    WINDOW own AS (PARTITION BY employee, shift ORDER BY call, wrap, place),
        whole AS (PARTITION BY employee, shift),
        before AS (PARTITION BY employee, shift ORDER BY call, wrap, place
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), heads AS (
    SELECT place, employee, shift, begun, ended, day,
        lag(ended) OVER days AS rested_from, lag(last_part) OVER days AS previous,
        lag(day) OVER days AS previous_day
    FROM (
        SELECT *, last_value(place) OVER (PARTITION BY employee, shift ORDER BY call, wrap, place
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_part
        FROM parts
    ) WHERE place = first_part
    WINDOW days AS (PARTITION BY employee ORDER BY shift)
)
SELECT parts.place, parts.first_part, parts.worked_before, parts.paid_before, parts.carried, parts.continued,
    parts.call - parts.begun AS since_call,
    heads.begun - heads.rested_from AS rest, heads.day - heads.previous_day AS days_apart, heads.previous
FROM parts LEFT JOIN heads ON heads.place = parts.place
ORDER BY parts.place
"""
"""A stretch of work that begins when the one before has ended belongs to it. `rest` is given for the row with
which a stretch begins, in minutes since the stretch before ended."""

_WEEKS: Final = """
SELECT place,
    coalesce(sum(straight) OVER before, 0)::BIGINT AS straight_before,
    coalesce(sum(meals) OVER before, 0)::BIGINT AS meals_before
FROM rows WHERE week_begins IS NOT NULL
WINDOW before AS (PARTITION BY employee, agreement, week_begins ORDER BY day, call, place
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
ORDER BY place
"""

_RUNS: Final = """
WITH days AS (
    SELECT employee, day, bool_or(week_begins = day) AS stated_first FROM rows GROUP BY ALL
), marked AS (
    SELECT *, coalesce(stated_first, false) OR coalesce(day - lag(day) OVER ordered > 1, true) AS begins
    FROM days WINDOW ordered AS (PARTITION BY employee ORDER BY day)
), numbered AS (
    SELECT *, sum(begins::INTEGER) OVER (PARTITION BY employee ORDER BY day) AS run FROM marked
), counted AS (
    SELECT employee, day, row_number() OVER (PARTITION BY employee, run ORDER BY day) AS in_a_row
    FROM numbered
)
SELECT rows.place, counted.in_a_row FROM rows JOIN counted USING (employee, day) ORDER BY rows.place
"""
"""The days that an employee has worked in a row, since the last day that a row states as the first of the
workweek."""

_EARNED: Final = """
SELECT place, coalesce(sum(base) OVER (PARTITION BY employee, agreement ORDER BY day, call, place
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::BIGINT AS earned_before
FROM rows ORDER BY place
"""


@dataclass(frozen=True)
class Neighbours:
    """What the rows of a frame are among those of the same employee; an array per fact, a row each.

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

    def take(self, rows: Ints) -> Neighbours:
        """Return some of the rows; `previous` still counts all of them."""
        return Neighbours(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})


def put_together(
    frame: Frame, employee: pa.ChunkedArray, agreement: Ints, base: Ints
) -> tuple[Frame, Neighbours]:
    """Return the rows with what came before them in the same stretch of work, and their neighbours.

    `employee` tells people apart, `agreement` is the place of each row's agreement, `base` the pay that
    contributions are due on. Parts of a day take the date, place and kind of day of the part that it began
    with.
    """
    rows = _table(frame, employee, agreement, base)
    shifts = query(_SHIFTS, rows=rows)
    place = _ints(shifts, "place")
    whole = _spread(frame, place, shifts)
    rest = _scattered(len(frame), place, shifts, "rest")
    weeks, runs, earned = (query(sql, rows=rows) for sql in (_WEEKS, _RUNS, _EARNED))
    week = _ints(weeks, "place")
    return whole, Neighbours(
        rest=rest,
        previous=_scattered(len(frame), place, shifts, "previous"),
        days_apart=_scattered(len(frame), place, shifts, "days_apart"),
        straight=_scattered(len(frame), week, weeks, "straight_before"),
        meals=_scattered(len(frame), week, weeks, "meals_before"),
        in_a_row=_ints(runs, "in_a_row"),
        earned=_ints(earned, "earned_before"),
    )


def _table(frame: Frame, employee: pa.ChunkedArray, agreement: Ints, base: Ints) -> pa.Table:
    size = len(frame)
    stated = frame.workweek_day > 0
    first = frame.day - (frame.workweek_day - 1)
    tail = np.where(
        frame.spans[2] > 0, frame.spans[2], np.where(frame.spans[1] > 0, frame.spans[1], frame.spans[0])
    )
    return pa.table(
        {
            "place": pa.array(np.arange(size)),
            "employee": employee.combine_chunks() if isinstance(employee, pa.ChunkedArray) else employee,
            "agreement": pa.array(agreement),
            "day": pa.array(frame.day),
            "call": pa.array(np.where(frame.clocked, frame.call, 0)),
            "wrap": pa.array(np.where(frame.clocked, frame.wrap, 0)),
            "clocked": pa.array(frame.clocked),
            "worked": pa.array(frame.worked),
            "paid": pa.array(frame.hours_paid),
            "straight": pa.array(frame.paid[0]),
            "meals": pa.array(frame.meal_count),
            "tail": pa.array(tail),
            "week_begins": pa.array(first, mask=~stated),
            "base": pa.array(base.astype(np.int64)),
        }
    )


def _spread(frame: Frame, place: Ints, shifts: pa.Table) -> Frame:
    """Return the frame with what the shifts say of its rows."""
    first = np.arange(len(frame))
    first[place] = _ints(shifts, "first_part")
    continued = np.zeros(len(frame), np.bool_)
    continued[place] = np.asarray(shifts.column("continued"))
    since = _scattered(len(frame), place, shifts, "since_call", 0)
    carried = _scattered(len(frame), place, shifts, "carried", 0)
    head = frame.take(first)
    last = np.where(frame.spans[2] > 0, 2, np.where(frame.spans[1] > 0, 1, 0))
    spans = [
        # The stretch that a part ends in goes on in the next, and is looked at there.
        np.where(continued & (last == number), 0, span + (carried if number == 0 else 0))
        for number, span in enumerate(frame.spans)
    ]
    return replace(
        frame,
        day=head.day,
        day_kind=head.day_kind,
        place=head.place,
        spans=tuple(spans),
        worked_before=_scattered(len(frame), place, shifts, "worked_before", 0),
        elapsed_before=since * ONE // 60,
        paid_before=_scattered(len(frame), place, shifts, "paid_before", 0),
        continued=continued,
        cut=np.zeros(len(frame), np.bool_),
    )


def is_part(frame: Frame) -> Bools:
    """Say which rows are parts of a day that stands in several."""
    part: Bools = frame.continued | (frame.worked_before > 0)
    return part


def of_later_days(frame: Frame, neighbours: Neighbours) -> tuple[Frame, Bools]:
    """Return the frame with the 6th and 7th day as they were worked, and the rows that say otherwise."""
    sixth, seventh = neighbours.in_a_row == _SIXTH_DAY, neighbours.in_a_row > _SIXTH_DAY
    differ = (frame.day_kind == _ORDINARY) & (sixth | seventh)
    kind = np.where(differ, np.where(seventh, _SEVENTH, _SIXTH), frame.day_kind)
    return replace(frame, day_kind=kind), differ


def _ints(table: pa.Table, name: str) -> Ints:
    return np.asarray(table.column(name)).astype(np.int64)


def _scattered(size: int, place: Ints, table: pa.Table, name: str, missing: int = -1) -> Ints:
    """Return a column of some rows as one of all, with a number for those that it does not have."""
    found = np.full(size, missing, np.int64)
    found[place] = np.asarray(pc.fill_null(table.column(name), missing)).astype(np.int64)
    return found


def employees(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """Return a number per row that tells employees apart; the pseudonym itself goes no further."""
    combined = None
    for column in columns:
        words = Words.of(column)
        combined = words.codes if combined is None else combined * len(words.texts) + words.codes
    return pa.array(combined)
