"""Scale: the minimum rate for an occupation and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from showcost.config.agreements.rule_kinds import Basis, ScaleFloor, WeeklyGuarantee, Workday
from showcost.pay.frame import BASES
from showcost.pay.numbers import ONE, TENTHS, Bools, Ints, day_number, last_day, product, whole
from showcost.pay.verdict import (
    Citation,
    PayVerdict,
    Unchecked,
    as_amount,
    concat,
    covered_rows,
    joined_text,
    only_where,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.model import ScalePeriod
    from showcost.config.agreements.rule_kinds import Certainty, MoneyBreak
    from showcost.pay.frame import Frame
    from showcost.pay.terms import BoundAgreement, BoundRule


def check_scale(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check rates against the scale (SC-PAY-001).

    A scale in another unit of time is converted where a rule says how.
    """
    size = len(frame)
    required, hard_required = np.zeros(size, np.int64), np.zeros(size, np.int64)
    citations: list[Citation] = []
    notes: list[pa.Array] = []
    scheduled: Bools = np.zeros(size, np.bool_)
    matched: Bools = np.zeros(size, np.bool_)
    in_money = frame.currency.among([terms.agreement.currency])
    for bound, period in _periods(terms):
        rows = bound.applies(frame) & in_money & _of_period(period, frame)
        if period.rate.schedule is not None:
            scheduled |= rows
            rows &= frame.schedule.among([period.rate.schedule])
            matched |= rows
        if not rows.any():
            continue
        for place, amount, by in _in_basis(terms, period, frame):
            here = rows & (frame.basis == place) & (amount > 0)
            certainty = period.certainty.less_sure(by.certainty) if by else period.certainty
            required = np.where(here, amount, required)
            if certainty.rejects:
                hard_required = np.where(here, amount, hard_required)
            citations.append(Citation(bound, here, certainty.rejects))
            if by:
                citations.append(Citation(by, here, certainty.rejects))
            notes.append(only_where(here, _note(period, by, certainty)))
    hard = frame.rate < hard_required
    soft = (frame.rate < required) & ~hard
    checked = covered_rows(citations, size)
    unknown = scheduled & ~matched
    without = frame.is_work & in_money & ~checked & ~unknown
    yield PayVerdict(
        "SC-PAY-001",
        "rate",
        hard,
        soft,
        checked,
        lambda only_hard: _words(frame, hard_required if only_hard else required, notes),
        tuple(citations),
        (
            Unchecked(without, _without_scale(frame)),
            Unchecked(frame.is_work & ~in_money, f"the scale is in {terms.agreement.currency}"),
            Unchecked(unknown, "the scale depends on the schedule"),
        ),
    )
    if unknown.any():
        yield _no_schedule(unknown, terms)


def _without_scale(frame: Frame) -> pa.Array:
    codes = pa.array(
        [f"no scale of occupation {code or '(blank)'} per " for code in frame.occupation.texts], pa.string()
    )
    per = pa.array([*BASES, "(unknown unit)"], pa.string()).take(pa.array(frame.basis % (len(BASES) + 1)))
    return concat(codes.take(pa.array(frame.occupation.codes)), per, " on this day in the agreement's file")


def _periods(terms: BoundAgreement) -> Iterator[tuple[BoundRule[ScaleFloor], ScalePeriod]]:
    for bound in terms.of_kind(ScaleFloor):
        for period in terms.agreement.scales:
            if period.rule is bound.rule:
                yield bound, period


def hours_of_day(terms: BoundAgreement, frame: Frame) -> Ints:
    """Return the hours that a day's rate is for, 0 where no rule says it."""
    hours = np.zeros(len(frame), np.int64)
    for day in terms.of_kind(Workday):
        hours = np.where(day.applies(frame), whole(day.rule.hours), hours)
    return hours


def break_amounts(terms: BoundAgreement, bound: BoundRule[MoneyBreak], frame: Frame) -> Ints:
    """Return the amount per day of a money break: a multiple of the scale, 0 where there is no scale."""
    scale = np.zeros(len(frame), np.int64)
    for rule, period in _periods(terms):
        if period.rate.schedule is not None:
            continue
        rows = rule.applies(frame) & _of_period(period, frame)
        if period.basis is Basis.DAY:
            scale = np.where(rows, whole(period.amount), scale)
        elif period.basis is Basis.HOUR:
            by_day = whole(period.amount) * hours_of_day(terms, frame) // ONE
            scale = np.where(rows & (by_day > 0), by_day, scale)
    return np.where(bound.applies(frame), scale * int(bound.rule.above * TENTHS) // TENTHS, 0)


def rows_above(terms: BoundAgreement, bound: BoundRule[MoneyBreak], frame: Frame) -> Bools:
    """Return the rows whose rate, by the day, is above the amount of a money break."""
    amount = break_amounts(terms, bound, frame)
    by_hour = frame.basis == BASES.index(Basis.HOUR)
    daily = np.where(by_hour, product(frame.rate, hours_of_day(terms, frame)) // ONE, frame.rate)
    timed = by_hour | (frame.basis == BASES.index(Basis.DAY))
    above: Bools = timed & (amount > 0) & (daily > amount).astype(np.bool_)
    above &= frame.currency.among([terms.agreement.currency])
    return above


def _of_period(period: ScalePeriod, frame: Frame) -> Bools:
    return (
        frame.occupation.among([period.rate.occupation])
        & (frame.day >= day_number(period.start))
        & (frame.day <= last_day(period.end))
    )


def _in_basis(
    terms: BoundAgreement, period: ScalePeriod, frame: Frame
) -> Iterator[tuple[int, Ints | int, BoundRule[Workday] | BoundRule[WeeklyGuarantee] | None]]:
    """Yield the scale in each available unit of time, with the rule that converts it."""
    amount = whole(period.amount)
    yield BASES.index(period.basis), amount, None
    for day in terms.of_kind(Workday):
        hours = whole(day.rule.hours)
        if period.basis is Basis.HOUR:
            yield BASES.index(Basis.DAY), np.where(day.applies(frame), amount * hours // ONE, 0), day
        if period.basis is Basis.DAY:
            an_hour = -(-amount * ONE // hours)
            yield BASES.index(Basis.HOUR), np.where(day.applies(frame), an_hour, 0), day
    for week in terms.of_kind(WeeklyGuarantee):
        if period.basis is Basis.HOUR:
            required = amount * whole(week.rule.multiple) // ONE
            yield BASES.index(Basis.WEEK), np.where(week.applies(frame), required, 0), week


def _note(
    period: ScalePeriod, by: BoundRule[Workday] | BoundRule[WeeklyGuarantee] | None, certainty: Certainty
) -> str:
    arithmetic = f" ({period.arithmetic})" if period.arithmetic else ""
    schedule = f", schedule {period.rate.schedule}" if period.rate.schedule else ""
    until = f" to {period.end}" if period.end else ""
    return (
        f"scale of {period.rate.title}, {period.rate.occupation}{schedule}, from {period.start}{until}:"
        f" {period.amount} per {period.basis} by {period.source}{arithmetic}{_conversion(by)};"
        f" certainty {certainty}"
    )


def _conversion(by: BoundRule[Workday] | BoundRule[WeeklyGuarantee] | None) -> str:
    match by.rule if by else None:
        case Workday(hours=hours):
            return f", a day being {hours} hours"
        case WeeklyGuarantee(hours=hours, multiple=multiple):
            return f", a week of {hours} hours being {multiple} times the hourly rate"
        case _:
            return ""


def _words(frame: Frame, required: Ints, notes: list[pa.Array]) -> pa.Array:
    per = pa.array(BASES).take(pa.array(np.maximum(frame.basis, 0)))
    short = np.maximum(required - frame.rate, 0)
    return concat(
        "paid ", as_amount(frame.rate), " per ", per, ", required at least ", as_amount(required),
        ", short by ", as_amount(short), "; ", joined_text("; ", *notes) if notes else "",
    )  # fmt: skip


def _no_schedule(unknown: Bools, terms: BoundAgreement) -> PayVerdict:
    text = (
        "a schedule for which the agreement's file has a scale: that of this occupation depends on it, so it"
        " could not be checked"
    )
    first = tuple(Citation(bound, unknown, rejects=False) for bound, _ in list(_periods(terms))[:1])
    return PayVerdict.for_review("schedule", unknown, text, first)
