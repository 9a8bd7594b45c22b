"""A person's day over all its lines: one clock, the hours paid on every line, one sum of penalties.

A day is often on several lines: two episodes or accounts, two occupations, or the parts before and after
midnight. Its overtime, minimum call and meals do not depend on how it is divided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from showcost.pay.frame import in_hours
from showcost.pay.numbers import Bools, Ints, distinct_of

if TYPE_CHECKING:
    from showcost.pay.frame import Frame


def with_days(frame: Frame, group: Ints, agreement: Ints) -> Frame:
    """Return a frame whose rows with the same number in `group` are the lines of one day.

    `agreement` is the place of each row's agreement. A row that is no work is a day of its own. The date,
    place and kind of a day that runs past midnight are those of its first line.
    """
    alone = ~frame.is_work
    group = np.where(alone, -1 - np.arange(len(frame)), group)
    _, day = distinct_of(group)
    size = int(day.max(initial=-1)) + 1
    lines = np.bincount(day, minlength=size)
    if size == len(frame):
        return frame
    is_line = lines[day] > 1
    first = _first_lines(frame, day, size)
    spans, reach = _spans(frame, day, size, is_line)
    worked_minutes = sum((end - start for start, end in spans), np.zeros(size, np.int64))
    clocked = _any(frame.clocked, day, size)
    of_day: dict[str, Any] = {
        "day": frame.day[first][day],
        "day_kind": frame.day_kind[first][day],
        "place": np.where(
            is_line & (frame.day != frame.day[first][day]), frame.place[first][day], frame.place
        ),
        "starts": _joined(frame.starts, [start for start, _ in spans], day, is_line, frame.wrap),
        "ends": _joined(frame.ends, [end for _, end in spans], day, is_line, frame.wrap),
        "ndm_out": np.where(is_line, _latest(frame.ndm_out, day, size)[day], frame.ndm_out),
        "ndm_in": np.where(is_line, _latest(frame.ndm_in, day, size)[day], frame.ndm_in),
        "cut": _any(frame.cut, day, size)[day],
        "day_clocked": clocked[day],
        "day_call": np.where(is_line & clocked[day], reach[0][day], frame.call),
        "day_paid": tuple(_sum(hours, day, size)[day] for hours in frame.paid),
        "day_meal_count": _sum(frame.meal_count, day, size)[day],
        "day_meal_amount": _sum(frame.meal_amount, day, size)[day],
        "day_benefit": _sum(frame.benefit, day, size)[day],
        "readable": frame.readable & ~_any(~frame.readable, day, size)[day],
    }
    of_day["worked"] = np.where(
        ~is_line,
        frame.worked,
        np.where(clocked[day], in_hours(worked_minutes)[day], _sum(frame.hours_paid, day, size)[day]),
    )
    of_day["elapsed"] = np.where(
        ~is_line,
        frame.elapsed,
        np.where(clocked[day], in_hours(reach[1] - reach[0])[day], of_day["worked"]),
    )
    lowest = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(lowest, day, agreement)
    highest = np.full(size, -1)
    np.maximum.at(highest, day, agreement)
    return replace(frame, group=day, is_line=is_line, mixed=(lowest != highest)[day], **of_day)


def every_line(frame: Frame, flags: Bools) -> Bools:
    """Return which rows are of a day all of whose lines in the frame are flagged."""
    if not frame.is_line.any():
        return flags
    _, day = distinct_of(frame.group)
    missing = np.bincount(day[~flags], minlength=int(day.max(initial=-1)) + 1)
    every: Bools = missing[day] == 0
    return every


def any_line(frame: Frame, flags: Bools) -> Bools:
    """Return which rows are of a day any of whose lines in the frame is flagged."""
    return ~every_line(frame, ~flags)


def over_lines(frame: Frame, hard: Bools, soft: Bools) -> tuple[Bools, Bools]:
    """Return the failures of days, for each of their lines.

    The lines of a day may be under different rules (two occupations), of which it is not known which hour
    is under which. So a day surely fails only where every line of it does, and none is under another
    agreement; any other failure asks for a review.
    """
    if not frame.is_line.any():
        return hard, soft
    sure = every_line(frame, hard) & ~frame.mixed
    return sure, any_line(frame, hard | soft) & ~sure


def _first_lines(frame: Frame, day: Ints, size: int) -> Ints:
    """Return the first line of each day: by date, by call, those without a clock last."""
    order = np.lexsort([frame.call, ~frame.clocked, frame.day, day])
    first = np.zeros(size, np.int64)
    begins = np.append(True, day[order][1:] != day[order][:-1])
    first[day[order[begins]]] = order[begins]
    return first


def _sum(values: Ints, day: Ints, size: int) -> Ints:
    summed = np.zeros(size, np.int64)
    np.add.at(summed, day, values)
    return summed


def _latest(values: Ints, day: Ints, size: int) -> Ints:
    latest = np.full(size, -1)
    np.maximum.at(latest, day, values)
    return latest


def _any(flags: Bools, day: Ints, size: int) -> Bools:
    found: Bools = np.bincount(day[flags], minlength=size) > 0
    return found


def _spans(
    frame: Frame, day: Ints, size: int, is_line: Bools
) -> tuple[list[tuple[Ints, Ints]], tuple[Ints, Ints]]:
    """Return the stretches of work of days with several lines, and the first call and last wrap.

    A minute counts as work if some line has it between call and wrap and no line has it as a meal, however
    many lines repeat it. Stretches that touch are one.
    """
    rows = np.flatnonzero(is_line & frame.clocked)
    first = np.full(size, np.iinfo(np.int64).max)
    last = np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, day[rows], frame.call[rows])
    np.maximum.at(last, day[rows], frame.wrap[rows])
    days, times, shift, meal = [], [], [], []
    for begin, end, is_meal in _intervals(frame, rows):
        for moments, change in ((begin, 1), (end, -1)):
            days.append(day[rows])
            times.append(moments)
            shift.append(np.full(len(rows), 0 if is_meal else change))
            meal.append(np.full(len(rows), change if is_meal else 0))
    if not len(rows):
        return [], (first, last)
    day_of, time = np.concatenate(days), np.concatenate(times)
    order = np.lexsort([time, day_of])
    day_of, time = day_of[order], time[order]
    at_work = (np.cumsum(np.concatenate(shift)[order]) > 0) & (np.cumsum(np.concatenate(meal)[order]) == 0)
    piece = np.flatnonzero(at_work[:-1] & (day_of[1:] == day_of[:-1]) & (time[1:] > time[:-1]))
    start, end, owner = time[piece], time[piece + 1], day_of[piece]
    if not len(piece):
        return [], (first, last)
    begins = np.append(True, (owner[1:] != owner[:-1]) | (start[1:] != end[:-1]))
    heads = np.flatnonzero(begins)
    tails = np.append(heads[1:], len(piece)) - 1
    start, end, owner = start[heads], end[tails], owner[heads]
    places = np.arange(len(owner))
    new = np.append(True, owner[1:] != owner[:-1])
    number = places - np.maximum.accumulate(np.where(new, places, 0))
    spans = []
    for place in range(int(number.max()) + 1):
        here = number == place
        starts, ends = np.zeros(size, np.int64), np.zeros(size, np.int64)
        starts[owner[here]], ends[owner[here]] = start[here], end[here]
        spans.append((starts, ends))
    return spans, (first, last)


def _intervals(frame: Frame, rows: Ints) -> list[tuple[Ints, Ints, bool]]:
    """Return the shift and the meals of rows, as (begin, end, whether it is a meal)."""
    begins, ends = [start[rows] for start in frame.starts], [end[rows] for end in frame.ends]
    intervals = [(frame.call[rows], frame.wrap[rows], False)]
    intervals += [(ends[n], np.maximum(begins[n + 1], ends[n]), True) for n in range(len(begins) - 1)]
    return intervals


def _joined(
    own: tuple[Ints, ...], spans: list[Ints], day: Ints, is_line: Bools, empty: Ints
) -> tuple[Ints, ...]:
    """Return the bounds of stretches: those of the day for its lines, the row's own elsewhere."""
    columns = []
    for place in range(max(len(own), len(spans))):
        alone = own[place] if place < len(own) else empty
        shared = spans[place][day] if place < len(spans) else np.zeros(len(day), np.int64)
        columns.append(np.where(is_line, shared, alone))
    return tuple(columns)
