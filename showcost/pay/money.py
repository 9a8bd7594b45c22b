"""Money of a row: gross as the sum of its parts, meal penalties, contributions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from showcost.config.agreements.rule_kinds import (
    Basis,
    Contribution,
    GrossIsSum,
    MealDue,
    MealPenalty,
    MoneyBreak,
    OvertimeBounds,
    WeeklyGuarantee,
    Workday,
)
from showcost.config.pay_words import EarningType
from showcost.pay.frame import BASES, DEALS, EARNINGS, total
from showcost.pay.minimum import MinimumRequirement
from showcost.pay.numbers import ONE, TENTHS, Bools, Ints, product, whole
from showcost.pay.scale import break_amounts, hours_of_day, rows_above
from showcost.pay.verdict import (
    Citation,
    PayVerdict,
    Unchecked,
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
    """The least and the most that the hours of rows come to, in millionths.

    They differ by rounding: of a line, of the hourly rate, or of the rate of overtime beforehand.
    `exact` is the pay without rounding, within the bounds of overtime; `most` is beyond it where a person is
    paid more than a cap or a money break requires.
    """

    least: Ints
    exact: Ints
    most: Ints


def _pay(terms: BoundAgreement, frame: Frame, per: Ints) -> _Pay:
    """Return the pay for the hours at their multiples of the row's rate."""
    hours_per_rate = np.maximum(per, 1)
    low, high, bounded = _bounds(terms, frame)
    break_rate, over = _break(terms, frame)
    of_day = hours_of_day(terms, frame)
    nothing = np.zeros(len(frame), np.int64)
    pay = _Pay(nothing, nothing, nothing)
    for hours, multiple in zip(frame.paid, frame.multiples, strict=True):
        if not hours.any():
            continue
        line = _line(frame.rate, hours_per_rate, multiple, hours, frame.minor_unit)
        if multiple > TENTHS and bounded.any():
            unit = _units(frame.rate, hours_per_rate, multiple)
            line = _pick(bounded & (unit < low), _of_unit(low, hours, frame.minor_unit), line)
            capped = _of_unit(high, hours, frame.minor_unit)
            capped = _Pay(capped.least, capped.exact, line.most)
            line = _pick(bounded & (unit > high), capped, line)
        if multiple > TENTHS and over.any():
            broken = _line(break_rate, np.maximum(of_day, 1), multiple, hours, frame.minor_unit)
            line = _pick(over, _Pay(broken.least, broken.exact, np.maximum(line.most, broken.most)), line)
        if multiple == TENTHS and over.any():
            # Hours between the workday and the break are in the rate, whether the columns have them or not.
            within = _line(frame.rate, hours_per_rate, multiple, np.minimum(hours, of_day), frame.minor_unit)
            line = _pick(over, _Pay(within.least, within.exact, line.most), line)
        pay = _Pay(pay.least + line.least, pay.exact + line.exact, pay.most + line.most)
    return pay


def _pick(rows: Bools, there: _Pay, elsewhere: _Pay) -> _Pay:
    return _Pay(
        np.where(rows, there.least, elsewhere.least),
        np.where(rows, there.exact, elsewhere.exact),
        np.where(rows, there.most, elsewhere.most),
    )


def _units(rate: Ints, per: Ints, multiple: int) -> Ints:
    """Return the pay of an hour, in millionths, rounded down."""
    return product(rate * multiple, np.full(len(rate), ONE)) // (per * TENTHS)


def _rounded(value: Ints, unit: Ints) -> Ints:
    """Return amounts rounded to the minor unit, halves up."""
    return (2 * value + unit) // (2 * unit) * unit


def _line(rate: Ints, per: Ints, multiple: int, hours: Ints, minor: Ints) -> _Pay:
    """Return the pay of hours at a multiple of a rate, rounded at the end, or at the unit of time before."""
    exact = product(rate * multiple, hours) // (per * TENTHS)
    # A rate per hour is the hourly rate as it stands.
    hourly = np.where(per == ONE, rate, _rounded(product(rate, np.full(len(rate), ONE)) // per, minor))
    units = [hourly * multiple // TENTHS]
    if multiple > TENTHS:
        units += [_rounded(_units(rate, per, multiple), minor), _rounded(units[0], minor)]
    amounts = [exact, *(product(unit, hours) // ONE for unit in units)]
    inexact = product(rate * multiple, hours) % (per * TENTHS) != 0
    return _rounding(amounts, exact, inexact.astype(np.int64), minor)


def _of_unit(unit: Ints, hours: Ints, minor: Ints) -> _Pay:
    """Return the pay of hours at an amount per hour."""
    exact = product(unit, hours) // ONE
    inexact = product(unit, hours) % ONE != 0
    return _rounding([exact], exact, inexact.astype(np.int64), minor)


def _rounding(amounts: list[Ints], exact: Ints, inexact: Ints, minor: Ints) -> _Pay:
    """Return the bounds of a line: each amount may be rounded to the minor unit once more."""
    least, most = exact, exact
    for amount in amounts:
        half = np.where((amount % minor != 0) | (inexact != 0), minor // 2, 0)
        least = np.minimum(least, amount - half)
        most = np.maximum(most, amount + half + inexact)
    return _Pay(least, exact, most)


def _bounds(terms: BoundAgreement, frame: Frame) -> tuple[Ints, Ints, Bools]:
    low, high = np.zeros(len(frame), np.int64), np.zeros(len(frame), np.int64)
    bounded: Bools = np.zeros(len(frame), np.bool_)
    for bound in terms.of_kind(OvertimeBounds):
        rows = bound.applies(frame)
        low = np.where(rows, whole(bound.rule.minimum), low)
        high = np.where(rows, whole(bound.rule.maximum), high)
        bounded |= rows
    return low, high, bounded


def _break(terms: BoundAgreement, frame: Frame) -> tuple[Ints, Bools]:
    """Return the amount per day on which overtime above a money break is paid, and the rows above one."""
    amount = np.zeros(len(frame), np.int64)
    over: Bools = np.zeros(len(frame), np.bool_)
    for bound in terms.of_kind(MoneyBreak):
        rows = rows_above(terms, bound, frame)
        amount = np.where(rows, np.maximum(break_amounts(terms, bound, frame), frame.break_rate), amount)
        over |= rows
    return amount, over


def check_gross(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check gross against the pay for the hours plus the penalties (SC-PAY-006)."""
    check = ("SC-PAY-006", "gross")
    rules = terms.of_kind(GrossIsSum)
    if not rules:
        nothing = Unchecked(frame.is_work, "the agreement's file does not say what gross is the sum of")
        yield PayVerdict.nothing(check, [nothing], len(frame))
        return
    per = hours_per_unit(terms, frame)
    pay = _pay(terms, frame, per)
    work = rules[0].applies(frame)
    by_hours = np.isin(frame.deal, [place for place, deal in enumerate(DEALS) if deal.follows_hours])
    straight = total(
        tuple(hours * multiple for hours, multiple in zip(frame.paid, frame.multiples, strict=True))
    )
    whole_unit = (frame.basis != BASES.index(Basis.WEEK)) | (straight >= per * TENTHS)
    rows = work & (per > 0) & by_hours & whole_unit
    penalties = frame.meal_amount + frame.rest_amount
    own = frame.gross - penalties
    citation = Citation(rules[0], rows, rejects=True)
    yield PayVerdict(
        *check,
        rows & ((own < pay.least) | (own > pay.most)).astype(np.bool_),
        np.zeros(len(frame), np.bool_),
        rows,
        lambda _: _gross_words(frame, pay, per, penalties),
        (citation,),
        (
            Unchecked(work & ~by_hours, "a guarantee, flat or on-call deal: gross does not follow the hours"),
            Unchecked(work & by_hours & (per == 0), "no rule says how many hours the rate is for"),
            Unchecked(work & by_hours & (per > 0) & ~whole_unit, "a week's pay on the row of a part of it"),
        ),
    )


def _gross_words(frame: Frame, pay: _Pay, per: Ints, penalties: Ints) -> pa.Array:
    hours = [
        only_where(paid != 0, concat(as_hours(paid), f" h at {decimal_text(multiple * ONE // TENTHS, 0)}x"))
        for paid, multiple in zip(frame.paid, frame.multiples, strict=True)
    ]
    sum_of_parts = (_rounded(pay.exact, frame.minor_unit) + penalties).astype(np.int64)
    return concat(
        "rate ", as_amount(frame.rate), " for ", as_hours(per), " h: ", joined_text(" + ", *hours),
        ", penalties ", as_amount(penalties), " = ", as_amount(sum_of_parts), "; gross is ",
        as_amount(frame.gross),
    )  # fmt: skip


def check_meals(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check the meal penalties paid for a day, over all its lines, against the steps (SC-PAY-003).

    For the delays by the clock, where a rule says when meals are due, and for the count that the lines state.
    """
    size, minimum = len(frame), MinimumRequirement(len(frame))
    counted = np.zeros(size, np.int64)
    in_money = frame.currency.among([terms.agreement.currency])
    untimed, foreign, undated = (np.zeros(size, np.bool_) for _ in range(3))
    for penalty in terms.of_kind(MealPenalty):
        applies = penalty.applies(frame)
        foreign |= applies & ~in_money
        rows = applies & in_money
        if not rows.any():
            continue
        table = _steps(penalty)
        minimum.require(penalty, rows, _stated(table, frame), rejects=penalty.certainty.rejects)
        ruled = np.zeros(size, np.bool_)
        for due in terms.of_kind(MealDue):
            timed = rows & due.applies(frame)
            ruled |= timed
            untimed |= timed & ~frame.day_clocked
            timed &= frame.day_clocked
            counts = late_half_hours(due, frame)
            owed = sum((table[count] for count in counts), np.zeros(size, np.int64))
            certain = penalty.certainty.rejects and due.certainty.rejects
            minimum.require(due, timed, owed, rejects=certain)
            counted = np.where(timed, sum(counts, np.zeros(size, np.int64)), counted)
        undated |= rows & ~ruled
    lines = pc.fill_null(only_where(frame.is_line, " over all lines of the day"), "")
    yield from minimum.verdict(
        ("SC-PAY-003", "meal_penalty_amount"),
        frame.day_meal_amount,
        lambda need: concat(
            "paid ", as_amount(frame.day_meal_amount), lines, ", required at least ", as_amount(need),
            "; half hours late by the clock ", as_hours(counted * ONE), ", penalties that the row states ",
            as_hours(frame.day_meal_count * ONE),
        ),
        of_day=frame,
        unchecked=[
            Unchecked(untimed, "no call and wrap times: late meals are not known, only the stated penalties"),
            Unchecked(foreign, f"the penalties are in {terms.agreement.currency}"),
            Unchecked(undated, "the agreement's file does not say when meals are due"),
        ],
    )  # fmt: skip


def late_half_hours(due: BoundRule[MealDue], frame: Frame) -> list[Ints]:
    """Return, for each period of work between meals, the half hours begun beyond the limit."""
    within = whole(due.rule.within) * 60 // ONE
    counts = []
    for number, (start, end) in enumerate(zip(frame.starts, frame.ends, strict=True)):
        over = end - (_after_meal(due, frame, start, end) if number == 0 else start) - within
        late = np.where(over > due.rule.grace, -(-over // _PERIOD), 0)
        counts.append(np.clip(late, 0, _MOST_PENALTIES))
    return counts


def _after_meal(due: BoundRule[MealDue], frame: Frame, start: Ints, end: Ints) -> Ints:
    """Return from when the hours to the first meal count: the call, or the end of a non-deductible meal."""
    rule = due.rule
    if rule.non_deductible is None:
        return start
    long_enough = (frame.ndm_out >= 0) & (frame.ndm_in - frame.ndm_out >= rule.non_deductible)
    in_time = (frame.ndm_out >= start) & (frame.ndm_in <= end)
    if rule.non_deductible_within is not None:
        in_time &= frame.ndm_out - start <= whole(rule.non_deductible_within) * 60 // ONE
    return np.where(long_enough & in_time, frame.ndm_in, start)


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
    count = np.clip(frame.day_meal_count, 0, _MOST_PENALTIES)
    two = ~frame.day_clocked | (frame.spans[1] > 0)
    as_one: Ints = table[count]
    as_two: Ints = table[count - count // 2] + table[count // 2]
    return np.where(two, as_two, as_one)


_IN_BASE: Final = [
    place
    for place, kind in enumerate(EARNINGS)
    if kind not in {EarningType.ALLOWANCE, EarningType.BONUS, EarningType.BUYOUT}
]
_NOT_SAID: Final = [EARNINGS.index(kind) for kind in (EarningType.BONUS, EarningType.BUYOUT)]


def check_contributions(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Check contributions against their rates (SC-PAY-007); those with a ceiling need other rows.

    A contribution per day is due once for all lines of the day. A loan-out company pays its own.
    """
    by_pay, by_day = MinimumRequirement(len(frame)), MinimumRequirement(len(frame))
    base = contribution_base(frame)
    in_money = frame.currency.among([terms.agreement.currency])
    daily = (frame.basis != BASES.index(Basis.WEEK)) & frame.is_work
    known = ~frame.loan_out & in_money
    owed, weekly = np.zeros(len(frame), np.bool_), np.zeros(len(frame), np.bool_)
    for bound in terms.of_kind(Contribution):
        about = bound.covers(frame)
        owed |= about
        if bound.rule.ceiling is not None:
            continue
        if bound.rule.percent is None:
            weekly |= about & frame.is_work & ~daily
            due = np.full(len(frame), whole(bound.rule.per_day or Decimal(0)))
            by_day.require(bound, about & known & daily, due, rejects=bound.certainty.rejects)
        else:
            due = contribution_due(bound, base, frame.minor_unit)
            rows = about & known & np.isin(frame.earning, _IN_BASE)
            by_pay.require(bound, rows, due, rejects=bound.certainty.rejects)
    unchecked = [
        Unchecked(owed & frame.loan_out, "paid to a loan-out company, which pays its own contributions"),
        Unchecked(owed & ~in_money, f"the agreement's amounts are in {terms.agreement.currency}"),
        Unchecked(owed & np.isin(frame.earning, _NOT_SAID), "no rule says whether a bonus or buyout counts"),
        Unchecked(weekly, "a contribution per day, and pay by the week"),
    ]
    check = ("SC-PAY-007", "benefit_amount")
    yield from by_pay.verdict(
        check,
        frame.benefit,
        lambda need: concat(
            "paid ", as_amount(frame.benefit), ", required at least ", as_amount(need.astype(np.int64)),
            " on pay without penalties of ", as_amount(base),
        ),
        unchecked=unchecked,
    )  # fmt: skip
    yield from by_day.verdict(
        check,
        frame.day_benefit,
        lambda need: concat(
            "paid ", as_amount(frame.day_benefit), " for the day, required at least ",
            as_amount(need.astype(np.int64)), " a day",
        ),
        of_day=frame,
    )  # fmt: skip


def check_tax_form(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Ask for a look (SC-PAY-009) at pay to a loan-out company without a tax form on file."""
    del terms
    text = "yes: the tax form of the loan-out company is on file"
    yield PayVerdict.for_review("tax_form", frame.loan_out & ~frame.has_tax_form, text)


def check_currency(terms: BoundAgreement, frame: Frame) -> Iterator[PayVerdict]:
    """Flag pay in another currency than the agreement's amounts for review (SC-PAY-009).

    Rules with amounts cannot check it.
    """
    currency = terms.agreement.currency
    foreign = frame.currency.among(terms.currencies) & ~frame.currency.among([currency])
    text = f"pay in {currency}, in which the amounts of {terms.agreement.label} are: they were not checked"
    yield PayVerdict.for_review("currency", foreign, text)


def contribution_base(frame: Frame) -> Ints:
    """Return the pay that contributions are due on: gross without penalties, negative in a correction."""
    base: Ints = frame.gross - frame.meal_amount - frame.rest_amount
    counts = np.isin(frame.earning, _IN_BASE)
    corrects = frame.earning == EARNINGS.index(EarningType.ADJUSTMENT)
    return np.where(counts, np.where(corrects, base, np.maximum(base, 0)), 0)


def contribution_due(bound: BoundRule[Contribution], base: Ints, minor_unit: Ints) -> Ints:
    """Return the contribution due, rounded down to the minor unit."""
    due = product(base, np.full(len(base), whole(bound.rule.percent or Decimal(0)))) // (100 * ONE)
    counted: Ints = due // minor_unit * minor_unit
    return counted
