"""Fixtures derived from the agreements: for every rule, rows that meet it and rows that do not.

Each names the rule that it is for, the check that tells, and how hard that is. A rule of high certainty is
tried alone, with the others that could hide it left out of the agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.config.agreements import Agreement, Agreements, PayRule
from showcost.config.agreements.rule_kinds import (
    AnnualIncreases,
    Contribution,
    DailyOvertime,
    DayKind,
    DayMultiple,
    GoldenHours,
    GrossIsSum,
    MealDue,
    MealPenalty,
    MinimumCall,
    MoneyBreak,
    OvertimeBounds,
    ScaleFloor,
    WeeklyGuarantee,
    Workday,
    WorkPlace,
)
from showcost_tests.pay.by_hand import HARD, SOFT, Row
from showcost_tests.pay.rows import AGREEMENTS, before, clock, paid, production, row, with_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from showcost.config.production import Production

TENTH: Final = Decimal("0.1")
OF_DAYS: Final = {
    DayKind.ORDINARY: {"day_of_workweek": "2"},
    DayKind.SIXTH: {"day_of_workweek": "6"},
    DayKind.SEVENTH: {"day_of_workweek": "7"},
    DayKind.HOLIDAY: {"is_holiday": "yes"},
}
_NONE: Final = "none"


@dataclass(frozen=True)
class Fixture:
    """A row for a rule; `check` is the check that fails, `level` its level, None for a row that passes."""

    name: str
    rule: str
    agreements: Agreements
    show: Production
    row: Row
    check: str
    level: str = _NONE


def every_fixture() -> list[Fixture]:
    """Return the fixtures of all agreements of the package."""
    return [
        fixture
        for agreement in AGREEMENTS
        for fixture in (
            *_terms(agreement),
            *(fixture for rule in agreement.rules for fixture in _of(agreement, rule)),
        )
    ]


def alone(agreement: Agreement, *rules: PayRule) -> Agreements:
    """Return the agreement with only some of its rules."""
    return Agreements((agreement.model_copy(update={"rules": rules}),))


def _level(rule: PayRule) -> str:
    return HARD if rule.certainty.rejects else SOFT


def show_for(agreement: Agreement, rule: PayRule | None = None) -> Production:
    """Return a production that a rule binds: its type, and photography from the rule's first day on."""
    types = rule.production_types if rule is not None else ()
    photography = agreement.start
    if rule is not None and rule.keyed_on == "photography" and rule.start:
        photography = max(rule.start, date(2020, 1, 1))
    return production(types[0] if types else "streaming", photography)


def _terms(agreement: Agreement) -> Iterator[Fixture]:
    """Yield the days on and around which an agreement comes into and goes out of force."""
    only = alone(agreement, agreement.rules[-1])
    days = {agreement.start: True, before(agreement.start): False}
    if agreement.end:
        days |= {agreement.end: True, agreement.end + timedelta(days=1): False}
    for day, in_force in days.items():
        sample = row(agreement, work_date=str(day), hours_1x="8", gross="40000")
        level = _NONE if in_force else HARD
        yield Fixture(
            f"{agreement.name} on {day}",
            "in force",
            only,
            show_for(agreement),
            sample,
            "SC-PAY-008 agreement",
            level,
        )


def _of(agreement: Agreement, rule: PayRule) -> Iterator[Fixture]:
    for kind, fixtures in _OF_KIND.items():
        if isinstance(rule, kind) and not (isinstance(rule, Contribution) and rule.ceiling):
            yield from fixtures(agreement, rule)


def base(agreement: Agreement, rule: PayRule, **change: object) -> Row:
    """Return a row to which a rule applies."""
    changes: Row = {"work_date": str(_first_day(agreement, rule))}
    if rule.locals:
        local = next(entry for entry in agreement.locals if entry.local == rule.locals[0])
        code = f"{local.prefixes[0]}99" if local.prefixes else (local.codes or ("2201",))[0]
        changes |= {"union_local": local.local, "occupation_code": code}
    if rule.occupations:
        changes |= {"occupation_code": rule.occupations[0]}
    if rule.places:
        changes |= {"work_place": rule.places[0].value}
    return row(agreement, **(changes | OF_DAYS[rule.days[0] if rule.days else DayKind.ORDINARY] | change))


def _first_day(agreement: Agreement, rule: PayRule) -> date:
    by_work = rule.start is not None and rule.keyed_on == "work_date"
    return max(agreement.start, rule.start) if by_work and rule.start else agreement.start


def _scale(agreement: Agreement, rule: ScaleFloor) -> Iterator[Fixture]:
    """Yield every step of every scale: at the scale and a hundredth below, on its first and its last day."""
    show, only = show_for(agreement, rule), alone(agreement, *agreement.rules)
    for period in (scale for scale in agreement.scales if scale.rule is rule):
        level = HARD if period.certainty.rejects else SOFT
        days = [period.start, *([period.end] if period.end else [])]
        for day in days:
            for cents, outcome in ((0, _NONE), (1, level)):
                rate = period.amount - Decimal(cents).scaleb(-2)
                sample = base(
                    agreement,
                    rule,
                    work_date=str(day),
                    occupation_code=period.rate.occupation,
                    schedule=period.rate.schedule or "",
                    rate_basis=period.basis.value,
                    rate=str(rate),
                    hours_1x="8",
                )
                name = f"{agreement.name}: {period.rate.title} {period.basis} on {day} at {rate}"
                yield Fixture(name, rule.id, only, show, sample, "SC-PAY-001 rate", outcome)


def _tiers(agreement: Agreement, rule: DailyOvertime | GoldenHours | DayMultiple) -> Iterator[Fixture]:
    """Yield each boundary of each tier: at it, a tenth of an hour past it, and paid at the lower tier."""
    show = show_for(agreement, rule)
    unit = max(rule.increment, TENTH)
    lower = Decimal(1)
    for place, tier in enumerate(rule.tiers):
        only = alone(agreement, rule.model_copy(update={"tiers": rule.tiers[: place + 1]}))
        for kind in rule.days or (DayKind.ORDINARY,):
            for where in rule.places or (WorkPlace.STUDIO, WorkPlace.DISTANT):
                case = base(agreement, rule, work_place=where.value, **OF_DAYS[kind])
                yield from _tier(
                    agreement, rule, (only, show), (case, tier.after, lower, tier.multiple, unit)
                )
        lower = tier.multiple


def _tier(
    agreement: Agreement,
    rule: DailyOvertime | GoldenHours | DayMultiple,
    within: tuple[Agreements, Production],
    tier: tuple[Row, Decimal, Decimal, Decimal, Decimal],
) -> Iterator[Fixture]:
    only, show = within
    case, after, lower, multiple, unit = tier
    meals = rule.measure == "worked"
    check = "SC-PAY-002 hours_1_5x"
    name = f"{agreement.name}: {rule.id} {case['work_place']} {case['day_of_workweek']} {case['is_holiday']}"
    mine = only.all[0]
    if after:
        at = paid(case | clock(after, meals=meals), show, mine)
        yield Fixture(f"{name} at {after}", rule.id, only, show, at, check)
    past = case | clock(after + unit, meals=meals)
    full = paid(past, show, mine)
    yield Fixture(f"{name} past {after}", rule.id, only, show, full, check)
    short = Decimal(str(full["hours_1x"])) - unit * (multiple - lower)
    below = with_sums(full | {"hours_1x": str(short)}, mine, show)
    yield Fixture(f"{name} past {after} at {lower}x", rule.id, only, show, below, check, _level(rule))


def _money_break(agreement: Agreement, rule: MoneyBreak) -> Iterator[Fixture]:
    """Yield days of a person at and above the break: overtime after 8 hours, and after 10 hours."""
    show = show_for(agreement, rule)
    kept = [other for other in agreement.rules if isinstance(other, ScaleFloor | Workday | AnnualIncreases)]
    replaced = [other for other in agreement.rules if other.id in rule.replaces]
    only = alone(agreement, *kept, *replaced, rule)
    amount = agreement.scales[0].amount * rule.above
    for rate, hours, columns, level in (
        (amount, "10", ("8", "2", "0"), _NONE),
        (amount, "10", ("10", "0", "0"), HARD),
        (amount + 1, "10", ("8", "0", "0"), _NONE),
        (amount + 1, "12", ("8", "2", "0"), _NONE),
        (amount + 1, "12", ("10", "2", "0"), _NONE),
        (amount + 1, "12", ("12", "0", "0"), HARD),
    ):
        case = base(agreement, rule, rate=str(rate), rate_basis="day", **clock(Decimal(hours)))
        sample = case | dict(zip(("hours_1x", "hours_1_5x", "hours_2x"), columns, strict=True))
        name = f"{agreement.name}: {rule.id} {rate} a day, {hours} h paid {columns}"
        yield Fixture(name, rule.id, only, show, sample, "SC-PAY-002 hours_1_5x", level)


def _minimum(agreement: Agreement, rule: MinimumCall) -> Iterator[Fixture]:
    show, only = show_for(agreement, rule), alone(agreement, rule)
    for hours, level in (
        (rule.hours, _NONE),
        (rule.hours - TENTH, _level(rule)),
        (rule.hours + TENTH, _NONE),
    ):
        sample = base(agreement, rule, hours_1x=str(hours), **clock(Decimal(4)))
        yield Fixture(
            f"{agreement.name}: call of {hours} h", rule.id, only, show, sample, "SC-PAY-004 hours_1x", level
        )


def _meal_steps(agreement: Agreement, rule: MealPenalty) -> Iterator[Fixture]:
    """Yield one to seven late half hours of one meal, paid exactly and a cent short."""
    show, only = show_for(agreement, rule), alone(agreement, rule)
    total = Decimal(0)
    for count in range(1, 8):
        total += rule.steps[min(count, len(rule.steps)) - 1]
        for cents, level in ((0, _NONE), (1, _level(rule))):
            amount = total - Decimal(cents).scaleb(-2)
            sample = base(
                agreement,
                rule,
                meal_penalty_count=str(count),
                meal_penalty_amount=str(amount),
                **clock(Decimal(8), meals=False),
            )
            name = f"{agreement.name}: {rule.id} {count} for {amount}"
            yield Fixture(name, rule.id, only, show, sample, "SC-PAY-003 meal_penalty_amount", level)


def _meal_due(agreement: Agreement, rule: MealDue) -> Iterator[Fixture]:
    """Yield meals at the last allowed minute and at the next, and each half hour after."""
    penalty = next(
        candidate
        for candidate in agreement.rules
        if isinstance(candidate, MealPenalty)
        and set(candidate.locals) == set(rule.locals)
        and set(candidate.occupations) == set(rule.occupations)
    )
    show, only = show_for(agreement, penalty), alone(agreement, rule, penalty)
    level = HARD if rule.certainty.rejects and penalty.certainty.rejects else SOFT
    due = int(rule.within * 60)
    for late, halves in ((rule.grace, 0), (rule.grace + 1, 1), (30, 1), (31, 2), (60, 2), (61, 3)):
        out = 7 * 60 + due + late
        times = {
            "call_time": "07:00",
            "meal1_out": f"{out // 60}:{out % 60:02}",
            "meal1_in": f"{(out + 30) // 60}:{(out + 30) % 60:02}",
            "wrap_time": "19:30",
        }
        amount = sum((penalty.steps[min(n, len(penalty.steps) - 1)] for n in range(halves)), Decimal(0))
        for cents, outcome in ((0, _NONE), *(((1, level),) if halves else ())):
            total = str(amount - Decimal(cents).scaleb(-2))
            sample = base(agreement, penalty, **(_codes(agreement, rule) | times), meal_penalty_amount=total)
            name = f"{agreement.name}: {rule.id} {late} min late for {total}"
            yield Fixture(name, rule.id, only, show, sample, "SC-PAY-003 meal_penalty_amount", outcome)


def _codes(agreement: Agreement, rule: PayRule) -> Row:
    whole = base(agreement, rule)
    return {name: whole[name] for name in ("union_local", "occupation_code")}


def _contribution(agreement: Agreement, rule: Contribution) -> Iterator[Fixture]:
    show, only = show_for(agreement, rule), alone(agreement, rule)
    due = rule.per_day or Decimal(1000) * (rule.percent or 0) / 100
    first = _first_day(agreement, rule)
    days = {first: True}
    if rule.keyed_on == "work_date" and rule.start and rule.start > agreement.start:
        days[before(first)] = False
    if rule.end:
        days |= {rule.end: True, rule.end + timedelta(days=1): False}
    for day, holds in days.items():
        for cents, level in ((0, _NONE), (1, _level(rule) if holds else _NONE)):
            sample = base(
                agreement,
                rule,
                work_date=str(day),
                gross="1025.00",
                meal_penalty_amount="25.00",
                benefit_amount=str(due - Decimal(cents).scaleb(-2)),
            )
            name = f"{agreement.name}: {rule.id} {due} less {cents} on {day}"
            yield Fixture(name, rule.id, only, show, sample, "SC-PAY-007 benefit_amount", level)


def _gross(agreement: Agreement, rule: GrossIsSum) -> Iterator[Fixture]:
    show, only = show_for(agreement), alone(agreement, rule)
    for gross, level in (("912.33", _NONE), ("912.34", HARD), ("912.32", HARD), ("0", HARD)):
        sample = base(
            agreement,
            rule,
            rate="100.00",
            hours_1x="8",
            hours_1_5x="0.6",
            meal_penalty_amount="12.33",
            rest_penalty_amount="10.00",
            gross=gross,
        )
        yield Fixture(
            f"{agreement.name}: gross {gross}", rule.id, only, show, sample, "SC-PAY-006 gross", level
        )


def _bounds(agreement: Agreement, rule: OvertimeBounds) -> Iterator[Fixture]:
    """Yield an hour of overtime at the minimum, between the bounds, and at the cap, each also a penny off."""
    gross = next(candidate for candidate in agreement.rules if isinstance(candidate, GrossIsSum))
    day = next(candidate for candidate in agreement.rules if isinstance(candidate, Workday))
    show, only = show_for(agreement), alone(agreement, rule, gross, day)
    # More than the cap may be paid, up to 1.5 times the rate.
    for rate, overtime, over in (
        ("200", rule.minimum, HARD),
        ("300", Decimal(45), HARD),
        ("600", rule.maximum, _NONE),
        ("600", Decimal(90), HARD),
    ):
        under = _NONE if overtime > rule.maximum else HARD
        for off, level in (("0", _NONE), ("0.02", over), ("-0.02", under)):
            sample = base(
                agreement,
                rule,
                rate=rate,
                rate_basis="day",
                hours_1x="10",
                hours_1_5x="1",
                gross=str(Decimal(rate) + overtime + Decimal(off)),
            )
            name = f"{agreement.name}: {rule.id} {rate} a day, overtime {overtime} and {off}"
            yield Fixture(name, rule.id, only, show, sample, "SC-PAY-006 gross", level)


def _conversion(agreement: Agreement, rule: Workday | WeeklyGuarantee) -> Iterator[Fixture]:
    """Yield a day or week rate whose gross is right only by the rule's hours."""
    gross = next(candidate for candidate in agreement.rules if isinstance(candidate, GrossIsSum))
    show, only = show_for(agreement), alone(agreement, rule, gross)
    hours = rule.hours if isinstance(rule, Workday) else rule.multiple
    basis = "day" if isinstance(rule, Workday) else "week"
    for gross_, level in (("1000.00", _NONE), ("1000.01", HARD)):
        sample = base(agreement, rule, rate="1000.00", rate_basis=basis, hours_1x=str(hours), gross=gross_)
        yield Fixture(
            f"{agreement.name}: {rule.id} {gross_}", rule.id, only, show, sample, "SC-PAY-006 gross", level
        )


_OF_KIND: Final[dict[type[PayRule], Callable[..., Iterator[Fixture]]]] = {
    ScaleFloor: _scale,
    DailyOvertime: _tiers,
    GoldenHours: _tiers,
    DayMultiple: _tiers,
    MoneyBreak: _money_break,
    MinimumCall: _minimum,
    MealPenalty: _meal_steps,
    MealDue: _meal_due,
    Contribution: _contribution,
    GrossIsSum: _gross,
    OvertimeBounds: _bounds,
    Workday: _conversion,
    WeeklyGuarantee: _conversion,
}
