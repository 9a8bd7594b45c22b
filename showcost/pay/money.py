"""Money of a row: gross as the sum of its parts, meal penalties, contributions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np

from showcost.config.agreements.rule_kinds import (
    Basis,
    Contribution,
    GrossIsSum,
    MealDue,
    MealPenalty,
    OvertimeBounds,
    WeeklyGuarantee,
    Workday,
)
from showcost.pay.frame import BASES, MULTIPLES
from showcost.pay.minimum import MinimumRequirement
from showcost.pay.numbers import ONE, TENTHS, Bools, Ints, product, whole
from showcost.pay.verdict import (
    Citation,
    PayVerdict,
    as_amount,
    as_hours,
    concat,
    decimal_text,
    joined_text,
    only_where,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from showcost.pay.frame import Frame
    from showcost.pay.terms import BoundAgreement, BoundRule

_PERIOD: Final = 30
"""Minutes for each of which a meal penalty is due."""

_MOST_PENALTIES: Final = 200


def hours_per_unit(terms: BoundAgreement, frame: Frame) -> Ints:
    """Return the hours of a rate's unit: 1 for an hourly rate, else by a rule; 0 without one."""
    hours = np.where(frame.basis == BASES.index(Basis.HOUR), ONE, 0)
    for day in terms.of_kind(Workday):
        rows = day.applies(frame) & (frame.basis == BASES.index(Basis.DAY))
        hours = np.where(rows, whole(day.rule.hours), hours)
    for week in terms.of_kind(WeeklyGuarantee):
        rows = week.applies(frame) & (frame.basis == BASES.index(Basis.WEEK))
        hours = np.where(rows, whole(week.rule.multiple), hours)
    return hours


@dataclass(frozen=True)
class _Pay:
    """Pay of the hours in whole numbers: `amount` over `scale` are millionths of the currency.

    `lines` counts the multiples whose pay is not a whole number of minor units, so was rounded.
    """

    amount: Ints
    scale: Ints
    lines: Ints


def _pay(terms: BoundAgreement, frame: Frame, per: Ints) -> _Pay:
    """Return the pay for the hours at their multiples of the row's rate, within the bounds of overtime."""
    hours_per_rate = np.maximum(per, 1)
    low, high, bounded = _bounds(terms, frame)
    amount: Ints = np.zeros(len(frame), np.int64)
    lines, scale = np.zeros(len(frame), np.int64), hours_per_rate * TENTHS
    for hours, multiple in zip(frame.paid, MULTIPLES.values(), strict=True):
        unit = frame.rate * multiple
        if multiple > TENTHS and bounded.any():
            floor = product(low, hours_per_rate) * TENTHS // ONE
            ceiling = product(high, hours_per_rate) * TENTHS // ONE
            unit = np.where(bounded, np.clip(unit, floor, ceiling), unit)
        line = product(unit, hours)
        amount = amount + line
        lines += (line % (scale * frame.minor_unit) != 0).astype(np.int64)
    return _Pay(amount, scale, lines)


def _bounds(terms: BoundAgreement, frame: Frame) -> tuple[Ints, Ints, Bools]:
    low, high = np.zeros(len(frame), np.int64), np.zeros(len(frame), np.int64)
    bounded: Bools = np.zeros(len(frame), np.bool_)
    for bound in terms.of_kind(OvertimeBounds):
        rows = bound.applies(frame)
        low = np.where(rows, whole(bound.rule.minimum), low)
        high = np.where(rows, whole(bound.rule.maximum), high)
        bounded |= rows
    return low, high, bounded


def check_gross(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check gross against the pay for the hours plus the penalties (SC-PAY-006).

    A line of pay that is not a whole number of minor units may have been rounded before the addition.
    """
    rules = terms.of_kind(GrossIsSum)
    if not rules:
        return
    per = hours_per_unit(terms, frame)
    pay = _pay(terms, frame, per)
    rows = rules[0].applies(frame) & (per > 0)
    penalties = frame.meal_amount + frame.rest_amount
    off = product(frame.gross - penalties, pay.scale) - pay.amount
    allowed = product(pay.lines * (frame.minor_unit // 2), pay.scale)
    citation = Citation(rules[0], rows, rejects=True)
    yield PayVerdict(
        "SC-PAY-006",
        "gross",
        rows & (np.abs(off) > allowed).astype(np.bool_),
        np.zeros(len(frame), np.bool_),
        rows,
        lambda _: _gross_words(frame, pay, per, penalties),
        (citation,),
    )


def _gross_words(frame: Frame, pay: _Pay, per: Ints, penalties: Ints) -> pa.Array:
    hours = [
        only_where(paid != 0, concat(as_hours(paid), f" h at {decimal_text(multiple * ONE // TENTHS, 0)}x"))
        for paid, multiple in zip(frame.paid, MULTIPLES.values(), strict=True)
    ]
    exact = (2 * pay.amount + pay.scale * frame.minor_unit) // (2 * pay.scale * frame.minor_unit)
    total = (exact * frame.minor_unit + penalties).astype(np.int64)
    return concat(
        "rate ", as_amount(frame.rate), " for ", as_hours(per), " h: ", joined_text(" + ", *hours),
        ", penalties ", as_amount(penalties), " = ", as_amount(total), "; gross is ", as_amount(frame.gross),
    )  # fmt: skip


def check_meals(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check the paid meal penalty against the steps (SC-PAY-003).

    For the delays by the clock, where a rule says when meals are due, and for the count that the row states.
    """
    size, minimum = len(frame), MinimumRequirement(len(frame))
    counted = np.zeros(size, np.int64)
    in_money = frame.currency.among([terms.agreement.currency])
    for penalty in terms.of_kind(MealPenalty):
        rows = penalty.applies(frame) & in_money
        if not rows.any():
            continue
        table = _steps(penalty)
        minimum.require(penalty, rows, _stated(table, frame), rejects=penalty.certainty.rejects)
        for due in terms.of_kind(MealDue):
            timed = rows & due.applies(frame) & frame.clocked
            counts = late_half_hours(due, frame)
            owed = sum((table[count] for count in counts), np.zeros(size, np.int64))
            certain = penalty.certainty.rejects and due.certainty.rejects
            minimum.require(due, timed, owed, rejects=certain)
            counted = np.where(timed, sum(counts, np.zeros(size, np.int64)), counted)
    yield from minimum.verdict(
        ("SC-PAY-003", "meal_penalty_amount"),
        frame.meal_amount,
        lambda need: concat(
            "paid ", as_amount(frame.meal_amount), ", required at least ", as_amount(need),
            "; half hours late by the clock ", as_hours(counted * ONE), ", penalties that the row states ",
            as_hours(frame.meal_count * ONE),
        ),
    )  # fmt: skip


def late_half_hours(due: BoundRule[MealDue], frame: Frame) -> list[Ints]:
    """Return, for each period of work between meals, the half hours begun beyond the limit."""
    within = whole(due.rule.within) * 60 // ONE
    counts = []
    for span in frame.spans:
        over = span - within
        late = np.where(over > due.rule.grace, -(-over // _PERIOD), 0)
        counts.append(np.clip(late, 0, _MOST_PENALTIES))
    return counts


def _steps(penalty: BoundRule[MealPenalty]) -> Ints:
    """Return the cost of successive half hours, by their number from 0 on."""
    steps = [whole(step) for step in penalty.rule.steps]
    steps += [steps[-1]] * (_MOST_PENALTIES - len(steps))
    return np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])


def successive_steps(penalty: BoundRule[MealPenalty], counts: Ints) -> Ints:
    """Return the cost of numbers of successive late half hours."""
    total: Ints = _steps(penalty)[np.clip(counts, 0, _MOST_PENALTIES)]
    return total


def _stated(table: Ints, frame: Frame) -> Ints:
    """Return the minimum cost of the stated number of penalties.

    In a day in which two meals can be late, that is as two delays.
    """
    count = np.clip(frame.meal_count, 0, _MOST_PENALTIES)
    two = ~frame.clocked | (frame.spans[1] > 0)
    as_one: Ints = table[count]
    as_two: Ints = table[count - count // 2] + table[count // 2]
    return np.where(two, as_two, as_one)


def check_contributions(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check contributions against their rates (SC-PAY-007); those with a ceiling need other rows."""
    minimum, base = MinimumRequirement(len(frame)), contribution_base(frame)
    in_money = frame.currency.among([terms.agreement.currency])
    daily = frame.basis != BASES.index(Basis.WEEK)
    for bound in terms.of_kind(Contribution):
        if bound.rule.ceiling is not None:
            continue
        rows = bound.applies(frame) & in_money
        if bound.rule.percent is None:
            rows &= daily
        due = contribution_due(bound, base, frame.minor_unit)
        minimum.require(bound, rows, due, rejects=bound.certainty.rejects)
    yield from minimum.verdict(
        ("SC-PAY-007", "benefit_amount"),
        frame.benefit,
        lambda need: concat(
            "paid ", as_amount(frame.benefit), ", required at least ", as_amount(need.astype(np.int64)),
            " on pay without penalties of ", as_amount(base),
        ),
    )  # fmt: skip


def check_currency(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Flag pay in another currency than the agreement's amounts for review (SC-PAY-009).

    Rules with amounts cannot check it.
    """
    currency = terms.agreement.currency
    foreign = frame.currency.among(terms.currencies) & ~frame.currency.among([currency])
    text = f"pay in {currency}, in which the amounts of {terms.agreement.label} are: they were not checked"
    yield PayVerdict.unchecked("currency", foreign, text)


def contribution_base(frame: Frame) -> Ints:
    """Return the pay that contributions are due on: gross without penalties."""
    base: Ints = np.maximum(frame.gross - frame.meal_amount - frame.rest_amount, 0)
    return base


def contribution_due(bound: BoundRule[Contribution], base: Ints, minor_unit: Ints) -> Ints:
    """Return the contribution due, rounded down to the minor unit."""
    if bound.rule.percent is None:
        return np.full(len(base), whole(bound.rule.per_day or Decimal(0)))
    due = product(base, np.full(len(base), whole(bound.rule.percent))) // (100 * ONE)
    counted: Ints = due // minor_unit * minor_unit
    return counted
