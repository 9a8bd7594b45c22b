"""Scale: the minimum rate for an occupation and schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from showcost.config.agreements.rule_kinds import Basis, ScaleFloor, WeeklyGuarantee, Workday
from showcost.pay.frame import BASES
from showcost.pay.numbers import ONE, Bools, Ints, day_number, last_day, whole
from showcost.pay.verdict import (
    Citation,
    PayVerdict,
    as_amount,
    concat,
    covered_rows,
    joined_text,
    only_where,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.agreements.model import ScalePeriod
    from showcost.config.agreements.rule_kinds import Certainty
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
    unknown: Bools = np.zeros(size, np.bool_)
    in_money = frame.currency.among([terms.agreement.currency])
    for bound in terms.of_kind(ScaleFloor):
        applies = bound.applies(frame) & in_money
        for period in (period for period in terms.agreement.scales if period.rule is bound.rule):
            rows = applies & _of_period(period, frame)
            if period.rate.schedule is not None:
                blank = frame.schedule.among([""])
                unknown |= rows & blank
                rows &= frame.schedule.among([period.rate.schedule])
            if not rows.any():
                continue
            for place, amount, by in _in_basis(terms, period, frame):
                here = rows & (frame.basis == place)
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
    yield PayVerdict(
        "SC-PAY-001",
        "rate",
        hard,
        soft,
        covered_rows(citations, size),
        lambda only_hard: _words(frame, hard_required if only_hard else required, notes),
        tuple(citations),
    )
    if unknown.any():
        yield _no_schedule(unknown, citations)


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


def _no_schedule(unknown: Bools, citations: list[Citation]) -> PayVerdict:
    text = "a schedule: the scale of this occupation depends on it, so it could not be checked"
    first = tuple(Citation(citation.rule, unknown, rejects=False) for citation in citations[:1])
    return PayVerdict.unchecked("schedule", unknown, text, first)
