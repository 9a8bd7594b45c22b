"""Hours: overtime, golden hours and day multiples by tiers, and the minimum call.

At every moment of a day the highest multiple of any rule applies, so the tiers of several rules combine. The
hours paid are compared tier by tier from the top: hours paid at a multiple count for it and for all below it,
so that no hour of a tier can be made up for by more hours below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.rule_kinds import Basis, DayKind, MealPenalty, MinimumCall, MoneyBreak
from showcost.pay.days import over_lines
from showcost.pay.frame import BASES, DEALS, HUNDREDTH, Frame, in_hours
from showcost.pay.minimum import MinimumRequirement
from showcost.pay.multiples import EVERYWHERE
from showcost.pay.numbers import MOST, ONE, TENTHS, Bools, Ints, whole
from showcost.pay.scale import hours_of_day, rows_above
from showcost.pay.verdict import (
    Citation,
    PayVerdict,
    Unchecked,
    as_hours,
    concat,
    covered_rows,
    decimal_text,
    joined_text,
    only_where,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from showcost.pay.terms import BoundAgreement, BoundRule

_ORDINARY: Final = list(DayKind).index(DayKind.ORDINARY)
_FOLLOWS_HOURS: Final = [place for place, deal in enumerate(DEALS) if deal.follows_hours]
_NEVER: Final = MOST // 4
_STRAIGHT: Final = TENTHS


@dataclass(frozen=True)
class Ladder:
    """The tiers of each row: the multiples in tenths, ascending, and the hours after which each begins.

    The first multiple is 1, from the beginning. `most_straight` limits the hours that are due at it.
    """

    multiples: tuple[int, ...]
    begins: tuple[Ints, ...]
    increment: Ints
    most_straight: Ints

    def hours_from(self, worked: Ints) -> list[Ints]:
        """Return the hours due at each multiple or a higher one; part of a unit is not counted at any."""
        hours = [np.maximum(worked - begin, 0) // self.increment * self.increment for begin in self.begins]
        above = hours[1] if len(hours) > 1 else np.zeros(len(worked), np.int64)
        hours[0] = np.minimum(hours[0], above + self.most_straight)
        return hours

    def hours_at(self, worked: Ints) -> list[Ints]:
        """Return the hours due at each multiple."""
        hours = self.hours_from(worked)
        return [lower - higher for lower, higher in zip(hours, [*hours[1:], 0 * worked], strict=True)]

    def straight(self, worked: Ints) -> Ints:
        """Return the straight hours, in tenths, equal to some hours of a day."""
        hours = self.hours_at(worked)
        return sum(
            (own * multiple for own, multiple in zip(hours, self.multiples, strict=True)),
            np.zeros(len(worked), np.int64),
        )


Tiers: TypeAlias = "list[tuple[BoundRule[Any], Bools]]"
"""Rules with tiers, each with the rows that it applies to."""


def ladder(tiers: Tiers, frame: Frame, most_straight: Ints | None = None) -> Ladder:
    """Combine the tiers of rules, each for the rows that it applies to."""
    size = len(frame)
    levels = sorted(
        {
            _STRAIGHT,
            *(_in_tenths(bound, place) for bound, _ in tiers for place in range(len(bound.rule.tiers))),
        }
    )
    begins = {level: np.full(size, _NEVER, np.int64) for level in levels}
    ruled = covered_rows([Citation(bound, rows, rejects=True) for bound, rows in tiers], size)
    begins[_STRAIGHT] = np.where(ruled, 0, _NEVER)
    increment = np.full(size, HUNDREDTH, np.int64)
    for bound, rows in tiers:
        for place, tier in enumerate(bound.rule.tiers):
            begin = whole(tier.after)
            at = begin if bound.rule.measure == "worked" else _worked_at(begin, frame)
            level = _in_tenths(bound, place)
            begins[level] = np.where(rows, np.minimum(begins[level], at), begins[level])
        unit = whole(bound.rule.increment)
        increment = np.where(rows, np.maximum(increment, unit), increment)
    for lower, higher in zip(reversed(levels[:-1]), reversed(levels[1:]), strict=True):
        begins[lower] = np.minimum(begins[lower], begins[higher])
    most = np.full(size, _NEVER, np.int64) if most_straight is None else most_straight
    return Ladder(tuple(levels), tuple(begins[level] for level in levels), increment, most)


def _in_tenths(bound: BoundRule[Any], place: int) -> int:
    return int(bound.rule.tiers[place].multiple * TENTHS)


def _worked_at(elapsed: int, frame: Frame) -> Ints:
    """Return the hours worked by the time that some hours had elapsed since the first call of the day."""
    moment = frame.day_call + elapsed * 60 // ONE
    minutes = np.zeros(len(frame), np.int64)
    for start, end in zip(frame.starts, frame.ends, strict=True):
        minutes += np.clip(moment - start, 0, end - start)
    return np.where(frame.day_clocked, in_hours(minutes), elapsed)


def tiers_of(terms: BoundAgreement, frame: Frame) -> tuple[Tiers, Ints]:
    """Return the rules with tiers and their rows, and the most hours due at the rate itself.

    The tiers of a money break replace others for the rows above it.
    """
    most = np.full(len(frame), _NEVER, np.int64)
    tiers: Tiers = [(bound, bound.applies(frame)) for bound in terms.tiers]
    for bound in terms.of_kind(MoneyBreak):
        over = rows_above(terms, bound, frame)
        tiers = [
            (other, rows & ~over if other.rule.id in bound.rule.replaces else rows) for other, rows in tiers
        ]
        tiers.append((bound, over))
        most = np.where(over, hours_of_day(terms, frame), most)
    return tiers, most


def check_hours(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check the paid split of hours against the tiers (SC-PAY-002).

    A multiple for which not every manifest has a column may be stated in others: an hour at 4 times as two
    at 2 times. Days that are not ordinary are checked by the clock alone.
    """
    check = ("SC-PAY-002", "hours_1_5x")
    timed = (frame.basis == BASES.index(Basis.HOUR)) | (frame.basis == BASES.index(Basis.DAY))
    by_hours = timed & np.isin(frame.deal, _FOLLOWS_HOURS)
    ruled, most = tiers_of(terms, frame)
    unchecked = _without_tiers(frame, ruled, timed, by_hours)
    tiers = [(bound, rows & by_hours) for bound, rows in ruled]
    tiers = [(bound, rows) for bound, rows in tiers if rows.any()]
    if not tiers:
        yield PayVerdict.nothing(check, unchecked, len(frame))
        return
    citations = [Citation(bound, rows, bound.certainty.rejects) for bound, rows in tiers]
    covered = covered_rows(citations, len(frame))
    certain = frame.day_clocked | (frame.day_kind == _ORDINARY)
    ladders = {
        only_hard: ladder(
            [(b, rows) for b, rows in tiers if b.certainty.rejects or not only_hard], frame, most
        )
        for only_hard in (True, False)
    }
    short = {only_hard: _is_short(steps, frame) for only_hard, steps in ladders.items()}
    hard, soft = over_lines(frame, covered & certain & short[True], covered & (~certain | short[False]))
    yield PayVerdict(
        *check,
        hard,
        soft & ~hard,
        covered,
        lambda only_hard: _split_words(ladders[only_hard], frame, certain),
        tuple(citations),
        unchecked,
    )


def _without_tiers(frame: Frame, tiers: Tiers, timed: Bools, by_hours: Bools) -> tuple[Unchecked, ...]:
    """Return the rows of work whose hours are checked against no tier, and why."""
    work = frame.is_work
    ruled = np.zeros(len(frame), np.bool_)
    for _, rows in tiers:
        ruled |= rows
    return (
        Unchecked(
            work & (frame.basis == BASES.index(Basis.WEEK)), "pay by the week: its hours have no tiers"
        ),
        Unchecked(work & timed & ~by_hours, "a guarantee, flat or on-call deal: its hours have no tiers"),
        Unchecked(work & by_hours & ~ruled, "the agreement's file has no overtime for this work"),
    )


def shortfalls(steps: Ladder, frame: Frame) -> list[Ints]:
    """Return the hours short at each multiple of the ladder, after hours paid at it and above it.

    From the top: an hour paid is used once. Where a multiple is not one of `EVERYWHERE`, hours at 3 and at 2
    times stand for it by their value.
    """
    left = dict(zip(frame.multiples, frame.day_paid, strict=True))
    short: list[Ints] = []
    due = steps.hours_at(frame.worked)
    for multiple, hours in zip(reversed(steps.multiples), reversed(due), strict=True):
        need = hours
        for column in sorted(column for column in left if column >= multiple):
            used = np.minimum(left[column], need)
            left[column] = left[column] - used
            need = need - used
        if multiple not in EVERYWHERE:
            own = dict(zip(steps.multiples, due, strict=True))
            need = _by_value(left, own, need, multiple)
        short.append(need)
    return list(reversed(short))


def _by_value(left: dict[int, Ints], own: dict[int, Ints], need: Ints, multiple: int) -> Ints:
    """Use hours at 3 and at 2 times for hours due at a multiple; return those that are still short.

    First the hours beyond what is due at 3 or 2 times itself, then any. `left` is reduced.
    """
    columns = sorted((c for c in EVERYWHERE if _STRAIGHT * 2 <= c < multiple), reverse=True)
    for spare in (True, False):
        for column in columns:
            kept = own.get(column, 0 * need) if spare else 0 * need
            value = np.minimum(np.maximum(left[column] - kept, 0) * column, need * multiple)
            left[column] = left[column] - value // column
            need = need - value // multiple
    return need


def _is_short(steps: Ladder, frame: Frame) -> Bools:
    short: Bools = np.zeros(len(frame), np.bool_)
    for hours in shortfalls(steps, frame):
        short |= hours > 0
    return short


def _at_multiples(hours: Sequence[Ints], multiples: Sequence[int]) -> pa.Array:
    parts = [
        only_where(own > 0, concat(as_hours(own), f" h at {decimal_text(multiple * ONE // TENTHS, 0)}x"))
        for own, multiple in zip(hours, multiples, strict=True)
    ]
    return joined_text(" + ", *parts)


def _split_words(steps: Ladder, frame: Frame, certain: Bools) -> pa.Array:
    due = steps.hours_at(frame.worked)
    short = _at_multiples(shortfalls(steps, frame), steps.multiples)
    how = pa.array(np.where(frame.day_clocked, "by the clock", "by the hours paid"), pa.string())
    lines = pc.fill_null(only_where(frame.is_line, " over all lines of the day"), "")
    unsure = only_where(~certain, "; call and wrap are needed to check this day")
    return concat(
        "worked ", as_hours(frame.worked), " h ", how, lines,
        ": required ", _at_multiples(due, steps.multiples),
        "; paid ", _at_multiples(frame.day_paid, frame.multiples),
        pc.if_else(pc.equal(short, ""), "", concat(", short by ", short)), pc.fill_null(unsure, ""),
    )  # fmt: skip


def check_blanks(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Ask for a look (SC-PAY-009) at rows that reach a rule, but leave blank what it depends on."""
    nobody = np.zeros(len(frame), np.bool_)
    place, workday = nobody.copy(), nobody.copy()
    for bound in terms.tiers:
        reached = frame.worked > min(whole(tier.after) for tier in bound.rule.tiers)
        place |= bound.lacks_place(frame) & reached
        workday |= bound.lacks_workday(frame) & reached
    penalised = (frame.meal_count > 0) | (frame.meal_amount > 0)
    for penalty in terms.of_kind(MealPenalty):
        place |= penalty.lacks_place(frame) & penalised
    yield PayVerdict.for_review(
        "work_place",
        place,
        "a place of work: studio, zone or distant; rules that reach this day depend on it",
    )
    yield PayVerdict.for_review(
        "day_of_workweek", workday, "the day of the workweek, 1 to 7; rules that reach this day depend on it"
    )


def check_minimum(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check the paid hours of a day, over all its lines, against the minimum call (SC-PAY-004)."""
    minimum = MinimumRequirement(len(frame))
    hourly = frame.basis == BASES.index(Basis.HOUR)
    by_hours = np.isin(frame.deal, _FOLLOWS_HOURS)
    apart = np.zeros(len(frame), np.bool_)
    for bound in terms.of_kind(MinimumCall):
        rows = bound.applies(frame)
        apart |= rows & hourly & ~by_hours
        minimum.require(
            bound, rows & hourly & by_hours, whole(bound.rule.hours), rejects=bound.certainty.rejects
        )
    paid = frame.day_hours_paid
    lines = pc.fill_null(only_where(frame.is_line, " over all lines of the day"), "")
    yield from minimum.verdict(
        ("SC-PAY-004", "hours_1x"),
        paid,
        lambda need: concat(
            "paid ", as_hours(paid), " h", lines, ", required at least ", as_hours(need), " h"
        ),
        of_day=frame,
        unchecked=[Unchecked(apart, "a guarantee, flat or on-call deal: its hours have no minimum call")],
    )
