"""Scale: no one is paid less than the floor of occupation and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from showcost.config.agreements.kinds import Basis, ScaleFloor, WeeklyGuarantee, Workday
from showcost.pay.frame import BASES
from showcost.pay.numbers import ONE, Bools, Ints, day_number, last_day, whole
from showcost.pay.verdict import Cited, Verdict, as_amount, joined_text, only_where, seen, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.kinds import Certainty
    from showcost.config.agreements.model import ScalePeriod
    from showcost.pay.frame import Frame
    from showcost.pay.terms import Bound, Terms


def judge_scale(terms: Terms, frame: Frame) -> Iterator[Verdict]:
    """Hold rates against scales (SC-PAY-001).

    A floor in another unit of time is converted where a rule says how.
    """
    size = len(frame)
    floor, hard_floor = np.zeros(size, np.int64), np.zeros(size, np.int64)
    cites: list[Cited] = []
    notes: list[pa.Array] = []
    unknown: Bools = np.zeros(size, np.bool_)
    in_money = frame.currency.among([terms.agreement.currency])
    for bound in terms.of_kind(ScaleFloor):
        applies = bound.applies(frame) & in_money
        for period in (one for one in terms.agreement.scales if one.rule is bound.rule):
            rows = applies & _of_period(period, frame)
            if period.rate.schedule is not None:
                blank = frame.schedule.among([""])
                unknown |= rows & blank
                rows &= frame.schedule.among([period.rate.schedule])
            if not rows.any():
                continue
            for place, required, by in _in_basis(terms, period, frame):
                here = rows & (frame.basis == place)
                certainty = period.certainty.less_sure(by.certainty) if by else period.certainty
                floor = np.where(here, required, floor)
                if certainty.rejects:
                    hard_floor = np.where(here, required, hard_floor)
                cites.append(Cited(bound, here, certainty.rejects))
                if by:
                    cites.append(Cited(by, here, certainty.rejects))
                notes.append(only_where(here, _note(period, by, certainty)))
    hard = frame.rate < hard_floor
    soft = (frame.rate < floor) & ~hard
    yield Verdict(
        "SC-PAY-001",
        "rate",
        hard,
        soft,
        seen(cites, size),
        lambda only_hard: _words(frame, hard_floor if only_hard else floor, notes),
        tuple(cites),
    )
    if unknown.any():
        yield _no_schedule(unknown, cites)


def _of_period(period: ScalePeriod, frame: Frame) -> Bools:
    return (
        frame.occupation.among([period.rate.occupation])
        & (frame.day >= day_number(period.start))
        & (frame.day <= last_day(period.end))
    )


def _in_basis(
    terms: Terms, period: ScalePeriod, frame: Frame
) -> Iterator[tuple[int, Ints | int, Bound[Workday] | Bound[WeeklyGuarantee] | None]]:
    """Yield the floor in each unit of time that it can be had in, with the rule that converts it."""
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
    period: ScalePeriod, by: Bound[Workday] | Bound[WeeklyGuarantee] | None, certainty: Certainty
) -> str:
    made = f" ({period.arithmetic})" if period.arithmetic else ""
    schedule = f", schedule {period.rate.schedule}" if period.rate.schedule else ""
    until = f" to {period.end}" if period.end else ""
    return (
        f"scale of {period.rate.title}, {period.rate.occupation}{schedule}, from {period.start}{until}:"
        f" {period.amount} per {period.basis} by {period.source}{made}{_conversion(by)};"
        f" certainty {certainty}"
    )


def _conversion(by: Bound[Workday] | Bound[WeeklyGuarantee] | None) -> str:
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
    return told(
        "paid ", as_amount(frame.rate), " per ", per, ", required at least ", as_amount(required),
        ", short by ", as_amount(short), "; ", joined_text("; ", *notes) if notes else "",
    )  # fmt: skip


def _no_schedule(unknown: Bools, cites: list[Cited]) -> Verdict:
    text = "a schedule: the scale of this occupation depends on it, so it could not be checked"
    cited = tuple(Cited(one.rule, unknown, rejects=False) for one in cites[:1])
    return Verdict.unchecked("schedule", unknown, text, cited)
