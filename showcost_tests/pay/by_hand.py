"""Independent implementation of single-row rules in Decimal, with which the engine is compared.

Shares the data of the agreements with showcost and none of its calculations. Also the slow side of
benchmarks/pay.py.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from showcost.config.agreements.rule_kinds import (
    AnnualIncreases,
    Contribution,
    DailyOvertime,
    DayMultiple,
    GoldenHours,
    GrossIsSum,
    MealDue,
    MealPenalty,
    MinimumCall,
    OvertimeBounds,
    ScaleFloor,
    WeeklyGuarantee,
    Workday,
)
from showcost.core.money import minor_units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from showcost.config.agreements import Agreement, Agreements, PayRule
    from showcost.config.production import Production

Row = dict[str, object]
COLUMNS: Final = {
    "hours_1x": Decimal(1),
    "hours_1_5x": Decimal("1.5"),
    "hours_2x": Decimal(2),
    "hours_3x": Decimal(3),
}
HARD, SOFT = "hard", "soft"
_CENT: Final = Decimal("0.01")


def _text(row: Mapping[str, object], name: str) -> str:
    return " ".join(str(row.get(name) or "").casefold().split())


def _number(row: Mapping[str, object], name: str) -> Decimal:
    return Decimal(str(row.get(name) or 0))


def agreement_of(
    row: Mapping[str, object], agreements: Agreements, production: Production
) -> Agreement | None:
    """Return the agreement in force that the row names."""
    signed = {agreement.name.casefold() for agreement in production.agreements}
    day = date.fromisoformat(str(row["work_date"]))
    for agreement in agreements:
        names = {name.casefold() for name in (agreement.name, *agreement.aliases)}
        key = production.principal_photography.start if agreement.keyed_on == "photography" else day
        if (
            _text(row, "agreement") in names
            and names & signed
            and agreement.start <= key <= (agreement.end or date.max)
        ):
            return agreement
    return None


class Day:
    """One parsed row."""

    def __init__(self, row: Mapping[str, object], agreement: Agreement, production: Production) -> None:
        self.row, self.agreement, self.production = row, agreement, production
        self.date = date.fromisoformat(str(row["work_date"]))
        self.basis = _text(row, "rate_basis")
        self.hours = [_number(row, name) for name in COLUMNS]
        self.paid = sum(self.hours, Decimal(0))
        self.straight = sum((h * m for h, m in zip(self.hours, COLUMNS.values(), strict=True)), Decimal(0))
        workday = {"6": "sixth", "7": "seventh"}.get(_text(row, "day_of_workweek"), "ordinary")
        self.kind = "holiday" if _text(row, "is_holiday") in {"yes", "y", "true", "1"} else workday
        self._clock()

    def _clock(self) -> None:
        zone = ZoneInfo(
            {name.casefold(): zone for name, zone in self.production.location_timezones.items()}.get(
                _text(self.row, "location"), self.production.timezone
            )
        )
        names = ("call_time", "meal1_out", "meal1_in", "meal2_out", "meal2_in", "wrap_time")
        texts = {name: str(self.row.get(name) or "") for name in names}
        pairs = (("meal1_out", "meal1_in"), ("meal2_out", "meal2_in"))
        self.clocked = bool(texts["call_time"] and texts["wrap_time"]) and all(
            bool(texts[out]) == bool(texts[back]) for out, back in pairs
        )
        self.worked = self.elapsed = self.paid
        self.spans: list[int] = []
        self.breaks: list[tuple[int, int]] = []
        self.cut = False
        if not self.clocked:
            return
        wall = datetime.combine(self.date, datetime.min.time())
        moments: dict[str, datetime] = {}
        for name in names:
            if not texts[name]:
                continue
            hour, minute = map(int, texts[name].split(":"))
            following = wall.replace(hour=hour, minute=minute)
            while moments and following < wall:
                following += timedelta(days=1)
            if name == "wrap_time" and len(moments) == 1 and following == wall:
                following += timedelta(days=1)
            wall = following
            moments[name] = wall.replace(tzinfo=zone)
        call = moments["call_time"]

        def since(name: str) -> int:
            return (
                moments[name].astimezone(ZoneInfo("UTC")) - call.astimezone(ZoneInfo("UTC"))
            ) // timedelta(minutes=1)

        self.breaks = [(since(out), since(back)) for out, back in pairs if out in moments]
        length = since("wrap_time")
        edges = [0, *(edge for pair in self.breaks for edge in pair), length]
        self.spans = [edges[place + 1] - edges[place] for place in range(0, len(edges), 2)]
        self.worked = _hundredths(sum(self.spans))
        self.elapsed = _hundredths(length)
        self.cut = texts["call_time"] in {"00:00", "0:00"} or texts["wrap_time"] in {"00:00", "0:00"}

    def applies(self, rule: PayRule) -> bool:
        """Say whether a rule applies to this row."""
        day = self.production.principal_photography.start if rule.keyed_on == "photography" else self.date
        return (
            (rule.start is None or rule.start <= day)
            and (rule.end is None or day <= rule.end)
            and (not rule.production_types or self.production.type in rule.production_types)
            and (
                not rule.locals
                or _text(self.row, "union_local") in {local.casefold() for local in rule.locals}
            )
            and (
                not rule.occupations
                or _text(self.row, "occupation_code") in {local.casefold() for local in rule.occupations}
            )
            and (not rule.places or _text(self.row, "work_place") in rule.places)
            and (not rule.days or self.kind in rule.days)
        )

    def of_kind(self, *kinds: type) -> Iterator[PayRule]:
        """Yield the rules of some kinds that apply."""
        for rule in self.agreement.rules:
            if isinstance(rule, kinds) and self.applies(rule):
                yield rule

    @property
    def in_money(self) -> bool:
        """Say whether the row is paid in the agreement's currency."""
        return _text(self.row, "currency") == self.agreement.currency.casefold()


def _hundredths(minutes: int) -> Decimal:
    return (Decimal(minutes) / 60).quantize(_CENT, ROUND_FLOOR)


def scale_of(day: Day) -> tuple[Decimal, bool] | None:
    """Return the scale in the basis of the row, and whether it may reject."""
    for rule in day.of_kind(ScaleFloor):
        assert isinstance(rule, ScaleFloor)
        rates = [
            rate
            for rate in rule.rates
            if rate.occupation.casefold() == _text(day.row, "occupation_code")
            and rate.on <= day.date
            and rate.schedule in {None, str(day.row.get("schedule") or "")}
        ]
        if not rates:
            continue
        rate = rates[-1]
        amount, sure = rate.amount, (rate.certainty or rule.certainty).rejects
        for raise_ in day.agreement.rules:
            if isinstance(raise_, AnnualIncreases) and rule.id in raise_.raises:
                for step in raise_.steps:
                    if rate.on < step.on <= day.date:
                        raised = amount * (1 + step.percent / 100)
                        amount, sure = _half_up(raised, raise_.round_to), False
        converted = _in_basis(day, rule, amount, sure=sure)
        if converted:
            return converted
    return None


def _in_basis(day: Day, rule: ScaleFloor, amount: Decimal, *, sure: bool) -> tuple[Decimal, bool] | None:
    if rule.basis == day.basis:
        return amount, sure
    for other in day.of_kind(Workday, WeeklyGuarantee):
        sure_too = sure and other.certainty.rejects
        if isinstance(other, Workday) and (rule.basis, day.basis) == ("hour", "day"):
            return amount * other.hours, sure_too
        if isinstance(other, Workday) and (rule.basis, day.basis) == ("day", "hour"):
            return amount / other.hours, sure_too
        if isinstance(other, WeeklyGuarantee) and (rule.basis, day.basis) == ("hour", "week"):
            return amount * other.multiple, sure_too
    return None


def _half_up(value: Decimal, to: Decimal) -> Decimal:
    return ((value / to + Decimal("0.5")) // 1) * to


def multiples(day: Day, *, hard: bool) -> list[tuple[Decimal, Decimal]]:
    """Return (multiple, hours) of the day by the tiers of all rules, hour by hour."""
    points: list[tuple[Decimal, Decimal]] = []
    unit = _CENT
    for rule in day.of_kind(DailyOvertime, GoldenHours, DayMultiple):
        assert isinstance(rule, DailyOvertime | GoldenHours | DayMultiple)
        if hard and not rule.certainty.rejects:
            continue
        unit = max(unit, rule.increment)
        for tier in rule.tiers:
            at = tier.after
            if rule.measure == "elapsed":
                minutes = int(at * 60)
                rested = sum(min(back, minutes) - out for out, back in day.breaks if out < minutes)
                at = max(at - _hundredths(rested), Decimal(0))
            points.append((at, tier.multiple))
    hours_and_multiples = []
    begin, level = Decimal(0), Decimal(1)
    for level_ in sorted({multiple for _, multiple in points}):
        start = min(at for at, multiple in points if multiple >= level_)
        hours_and_multiples.append((level_, start))
    spans = []
    for place, (multiple, start) in enumerate([(level, begin), *hours_and_multiples]):
        counted = (
            max(day.worked - start, Decimal(0)) // (unit if place else _CENT) * (unit if place else _CENT)
        )
        spans.append([multiple, counted])
    for place in range(len(spans) - 1):
        spans[place][1] -= spans[place + 1][1]
    return [(multiple, hours) for multiple, hours in spans]


def straight(day: Day, *, hard: bool) -> Decimal:
    """Return the straight hours of the day."""
    return sum((multiple * hours for multiple, hours in multiples(day, hard=hard)), Decimal(0))


def steps(rule: MealPenalty, count: int) -> Decimal:
    """Return the penalty for successive late half hours."""
    return sum((rule.steps[min(place, len(rule.steps) - 1)] for place in range(count)), Decimal(0))


def check(row: Mapping[str, object], agreements: Agreements, production: Production) -> dict[str, str]:
    """Return the failures of a row, as `code field`, hard or soft, without the codes of mapping."""
    agreement = agreement_of(row, agreements, production)
    if agreement is None:
        return {"SC-PAY-008 agreement": HARD}
    day = Day(row, agreement, production)
    failures: dict[str, str] = {}
    _scale(day, failures)
    _hours(day, failures)
    _meals(day, failures)
    _money(day, failures)
    return failures


def _scale(day: Day, failures: dict[str, str]) -> None:
    if not day.in_money:
        failures["SC-PAY-009 currency"] = SOFT
        return
    floor = scale_of(day)
    if floor and _number(day.row, "rate") < floor[0]:
        failures["SC-PAY-001 rate"] = HARD if floor[1] else SOFT
    for rule in day.of_kind(ScaleFloor):
        assert isinstance(rule, ScaleFloor)
        wants = [
            rate
            for rate in rule.rates
            if rate.occupation.casefold() == _text(day.row, "occupation_code")
            and rate.schedule
            and rate.on <= day.date
        ]
        if wants and not _text(day.row, "schedule"):
            failures["SC-PAY-009 schedule"] = SOFT


def _hours(day: Day, failures: dict[str, str]) -> None:
    if (
        day.basis in {"hour", "day"}
        and not day.cut
        and any(day.of_kind(DailyOvertime, GoldenHours, DayMultiple))
    ):
        if not day.clocked and day.kind != "ordinary":
            failures["SC-PAY-002 hours_1_5x"] = SOFT
        elif day.straight < straight(day, hard=True):
            failures["SC-PAY-002 hours_1_5x"] = HARD
        elif day.straight < straight(day, hard=False):
            failures["SC-PAY-002 hours_1_5x"] = SOFT
    for rule in day.of_kind(MinimumCall):
        assert isinstance(rule, MinimumCall)
        if day.basis == "hour" and not day.cut and day.paid < rule.hours:
            failures["SC-PAY-004 hours_1x"] = HARD if rule.certainty.rejects else SOFT


def _meals(day: Day, failures: dict[str, str]) -> None:
    paid = _number(day.row, "meal_penalty_amount")
    count = int(_number(day.row, "meal_penalty_count"))
    owed = {HARD: Decimal(0), SOFT: Decimal(0)}
    for rule in day.of_kind(MealPenalty):
        assert isinstance(rule, MealPenalty)
        if not day.in_money or day.cut:
            continue
        two = not day.clocked or (len(day.spans) > 1 and day.spans[1] > 0)
        least = steps(rule, count - count // 2) + steps(rule, count // 2) if two else steps(rule, count)
        sure = HARD if rule.certainty.rejects else SOFT
        owed[sure] = max(owed[sure], least)
        for due in day.of_kind(MealDue):
            assert isinstance(due, MealDue)
            late = [span - int(due.within * 60) for span in day.spans]
            total = sum((steps(rule, -(-over // 30)) for over in late if over > due.grace), Decimal(0))
            surely = HARD if rule.certainty.rejects and due.certainty.rejects else SOFT
            owed[surely] = max(owed[surely], total)
    if paid < owed[HARD]:
        failures["SC-PAY-003 meal_penalty_amount"] = HARD
    elif paid < owed[SOFT]:
        failures["SC-PAY-003 meal_penalty_amount"] = SOFT


def hours_per_unit(day: Day) -> Decimal | None:
    """Return the hours that the rate is for."""
    if day.basis == "hour":
        return Decimal(1)
    for rule in day.of_kind(Workday, WeeklyGuarantee):
        if isinstance(rule, Workday) and day.basis == "day":
            return rule.hours
        if isinstance(rule, WeeklyGuarantee) and day.basis == "week":
            return rule.multiple
    return None


def pay_of(day: Day) -> list[Fraction] | None:
    """Return the pay of the hours by the row's own rate, a line per multiple, not rounded.

    None where the hours that the rate is for are unknown.
    """
    per = hours_per_unit(day)
    if per is None:
        return None
    lines = []
    for hours, multiple in zip(day.hours, COLUMNS.values(), strict=True):
        unit = Fraction(_number(day.row, "rate")) / Fraction(per) * Fraction(multiple)
        for rule in day.of_kind(OvertimeBounds):
            assert isinstance(rule, OvertimeBounds)
            if multiple > 1:
                unit = min(max(unit, Fraction(rule.minimum)), Fraction(rule.maximum))
        lines.append(unit * Fraction(hours))
    return lines


def _money(day: Day, failures: dict[str, str]) -> None:
    penalties = _number(day.row, "meal_penalty_amount") + _number(day.row, "rest_penalty_amount")
    gross = _number(day.row, "gross")
    cent = Decimal(1).scaleb(-minor_units(str(day.row["currency"]).upper()))
    pay = pay_of(day)
    if pay is not None and any(day.of_kind(GrossIsSum)):
        rounded = sum(1 for line in pay if line % Fraction(cent))
        if abs(Fraction(gross - penalties) - sum(pay)) > rounded * Fraction(cent) / 2:
            failures["SC-PAY-006 gross"] = HARD
    base = max(gross - penalties, Decimal(0))
    owed = {HARD: Decimal(0), SOFT: Decimal(0)}
    for rule in day.of_kind(Contribution):
        assert isinstance(rule, Contribution)
        if not day.in_money or rule.ceiling is not None or (rule.per_day and day.basis == "week"):
            continue
        due = rule.per_day or (base * (rule.percent or 0) / 100).quantize(cent, ROUND_FLOOR)
        sure = HARD if rule.certainty.rejects else SOFT
        owed[sure] = max(owed[sure], due)
    paid = _number(day.row, "benefit_amount")
    if paid < owed[HARD]:
        failures["SC-PAY-007 benefit_amount"] = HARD
    elif paid < owed[SOFT]:
        failures["SC-PAY-007 benefit_amount"] = SOFT


def formed(code: str, pattern: str) -> bool:
    """Say whether an occupation code has the form of an agreement."""
    return re.fullmatch(pattern, code, re.IGNORECASE) is not None
