"""Hours: overtime, golden hours and day multiples by tiers, and the minimum call.

The requirement for a day is in straight hours: each hour times its multiple. At every moment of the day the
highest multiple of any rule applies, so the tiers of several rules combine. The requirement grows with the
hours, and the parts of a split day add up to the requirement of the whole day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.agreements.rule_kinds import (
    Basis,
    DayKind,
    MinimumCall,
)
from showcost.pay.frame import BASES, HUNDREDTH, MULTIPLES, Frame, in_hours
from showcost.pay.minimum import MinimumRequirement
from showcost.pay.numbers import MOST, ONE, TENTHS, Bools, Ints, whole
from showcost.pay.verdict import (
    Citation,
    PayVerdict,
    as_hours,
    concat,
    covered_rows,
    decimal_text,
    joined_text,
    only_where,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.rule_kinds import TierRule
    from showcost.pay.terms import BoundAgreement, BoundRule

_ORDINARY: Final = list(DayKind).index(DayKind.ORDINARY)
_NEVER: Final = MOST // 4
_STRAIGHT: Final = TENTHS


@dataclass(frozen=True)
class Ladder:
    """The tiers of each row: the multiples in tenths, ascending, and the hours after which each begins."""

    multiples: tuple[int, ...]
    begins: tuple[Ints, ...]
    increment: Ints

    def hours_at(self, worked: Ints) -> list[Ints]:
        """Return the hours beyond the beginning of each multiple, counted in the increment."""
        return [np.maximum(worked - begin, 0) // self.increment * self.increment for begin in self.begins]

    def straight(self, worked: Ints) -> Ints:
        """Return the straight hours, in tenths, equal to some hours of a day."""
        total = worked // HUNDREDTH * HUNDREDTH * _STRAIGHT
        below = _STRAIGHT
        for multiple, hours in zip(self.multiples, self.hours_at(worked), strict=True):
            total = total + hours * (multiple - below)
            below = multiple
        return total


def ladder(tiers: list[tuple[BoundRule[TierRule], Bools]], frame: Frame) -> Ladder:
    """Combine the tiers of rules, each for the rows that it applies to."""
    size = len(frame)
    levels = sorted(
        {_in_tenths(bound, place) for bound, _ in tiers for place in range(len(bound.rule.tiers))}
    )
    begins = {level: np.full(size, _NEVER, np.int64) for level in levels}
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
    return Ladder(tuple(levels), tuple(begins[level] for level in levels), increment)


def _in_tenths(bound: BoundRule[TierRule], place: int) -> int:
    return int(bound.rule.tiers[place].multiple * TENTHS)


def _worked_at(elapsed: int, frame: Frame) -> Ints:
    """Return the hours worked by the time that some hours had elapsed since the call."""
    minutes = elapsed * 60 // ONE
    start = frame.elapsed_before * 60 // ONE
    rested = np.zeros(len(frame), np.int64)
    for out, back in frame.breaks:
        rested += np.clip(minutes - start - out, 0, back - out)
    before = frame.elapsed_before - frame.worked_before
    at: Ints = np.maximum(elapsed - before - in_hours(rested), 0)
    return at


def check_hours(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check the paid split of hours against the tiers (SC-PAY-002).

    Hours at a multiple without a column are stated in others: an hour at 4 times as two at 2 times. So the
    sum of the columns is compared. Days that are not ordinary are checked by the clock alone.
    """
    rules = terms.tiers
    timed = (frame.basis == BASES.index(Basis.HOUR)) | (frame.basis == BASES.index(Basis.DAY))
    tiers = [(bound, bound.applies(frame) & timed) for bound in rules]
    tiers = [(bound, rows) for bound, rows in tiers if rows.any()]
    if not tiers:
        return
    citations = [Citation(bound, rows, bound.certainty.rejects) for bound, rows in tiers]
    covered = covered_rows(citations, len(frame))
    certain = frame.clocked | (frame.day_kind == _ORDINARY)
    paid = frame.straight_paid
    need = {
        only_hard: required_straight(
            ladder([(b, rows) for b, rows in tiers if b.certainty.rejects or not only_hard], frame), frame
        )
        for only_hard in (True, False)
    }
    hard = covered & certain & (paid < need[True])
    soft = covered & ~hard & (~certain | (paid < need[False]))
    yield PayVerdict(
        "SC-PAY-002",
        "hours_1_5x",
        hard,
        soft,
        covered,
        lambda only_hard: _split_words(
            ladder([(b, rows) for b, rows in tiers if b.certainty.rejects or not only_hard], frame),
            frame,
            need[only_hard],
            certain,
        ),
        tuple(citations),
    )


def required_straight(steps: Ladder, frame: Frame) -> Ints:
    """Return the straight hours, in tenths, required for each row's hours, after those before it."""
    whole_day = steps.straight(frame.worked_before + frame.worked)
    return whole_day - steps.straight(frame.worked_before)


def _split_words(steps: Ladder, frame: Frame, required: Ints, certain: Bools) -> pa.Array:
    counted = "by the clock"
    after = [frame.worked, *steps.hours_at(frame.worked_before + frame.worked)]
    before = [np.zeros(len(frame), np.int64), *steps.hours_at(frame.worked_before)]
    own = [later - earlier for later, earlier in zip(after, before, strict=True)]
    parts = []
    for place, multiple in enumerate((_STRAIGHT, *steps.multiples)):
        hours: Ints = own[place] - own[place + 1] if place + 1 < len(own) else own[place]
        parts.append(
            only_where(
                hours > 0, concat(as_hours(hours), f" h at {decimal_text(multiple * ONE // TENTHS, 0)}x")
            )
        )
    paid = [
        only_where(hours > 0, concat(as_hours(hours), f" h at {decimal_text(multiple * ONE // TENTHS, 0)}x"))
        for hours, multiple in zip(frame.paid, MULTIPLES.values(), strict=True)
    ]
    how = pa.array(np.where(frame.clocked, counted, "by the hours paid"), pa.string())
    unsure = only_where(~certain, "; call and wrap are needed to check this day")
    return concat(
        "worked ", as_hours(frame.worked), " h ", how, ": required ", joined_text(" + ", *parts), " = ",
        as_hours(required // TENTHS), " straight hours; paid ", joined_text(" + ", *paid), " = ",
        as_hours(frame.straight_paid // TENTHS), ", short by ",
        as_hours(np.maximum(required - frame.straight_paid, 0) // TENTHS), pc.fill_null(unsure, ""),
    )  # fmt: skip


def check_minimum(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check the paid hours of a day against the minimum call (SC-PAY-004)."""
    minimum = MinimumRequirement(len(frame))
    hourly = (frame.basis == BASES.index(Basis.HOUR)) & ~frame.continued
    for bound in terms.of_kind(MinimumCall):
        rows = bound.applies(frame) & hourly
        minimum.require(bound, rows, whole(bound.rule.hours), rejects=bound.certainty.rejects)
    paid = frame.paid_before + frame.hours_paid
    yield from minimum.verdict(
        ("SC-PAY-004", "hours_1x"),
        paid,
        lambda need: concat("paid ", as_hours(paid), " h, required at least ", as_hours(need), " h"),
    )
