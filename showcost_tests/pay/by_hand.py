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
    MoneyBreak,
    OvertimeBounds,
    ScaleFloor,
    WeeklyGuarantee,
    Workday,
    WorkPlace,
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
_TINY: Final = Fraction(8, 1_000_000)


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
    """Return (multiple, hours due) of the day by the tiers of all rules, the rate itself first."""
    points: list[tuple[Decimal, Decimal]] = []
    unit = _CENT
    over = money_break(day)
    for rule in day.of_kind(DailyOvertime, GoldenHours, DayMultiple, MoneyBreak):
        assert isinstance(rule, DailyOvertime | GoldenHours | DayMultiple | MoneyBreak)
        if hard and not rule.certainty.rejects:
            continue
        if rule is not over and (isinstance(rule, MoneyBreak) or (over and rule.id in over.replaces)):
            continue
        unit = max(unit, rule.increment)
        for tier in rule.tiers:
            at = tier.after
            if rule.measure == "elapsed":
                minutes = int(at * 60)
                rested = sum(min(back, minutes) - out for out, back in day.breaks if out < minutes)
                at = max(_hundredths(minutes - rested), Decimal(0))
            points.append((at, tier.multiple))
    if not points:
        return [(Decimal(1), Decimal(0))]
    starts = [
        (Decimal(1), Decimal(0)),
        *(
            (level, min(at for at, multiple in points if multiple >= level))
            for level in sorted({multiple for _, multiple in points})
        ),
    ]
    # At every multiple, part of a unit is not counted.
    from_level = [max(day.worked - start, Decimal(0)) // unit * unit for _, start in starts]
    if over and len(from_level) > 1:
        from_level[0] = min(from_level[0], from_level[1] + (workday_hours(day) or 0))
    own = [lower - higher for lower, higher in zip(from_level, [*from_level[1:], Decimal(0)], strict=True)]
    return [(level, hours) for (level, _), hours in zip(starts, own, strict=True)]


def workday_hours(day: Day) -> Decimal | None:
    """Return the hours that a day's rate is for."""
    return next((rule.hours for rule in day.of_kind(Workday) if isinstance(rule, Workday)), None)


def money_break(day: Day) -> MoneyBreak | None:
    """Return the money break that the person's rate is above."""
    for rule in day.of_kind(MoneyBreak):
        assert isinstance(rule, MoneyBreak)
        amount = break_amount(day, rule)
        hours = workday_hours(day)
        if amount is None or hours is None or not day.in_money or day.basis not in {"hour", "day"}:
            continue
        if _number(day.row, "rate") * (hours if day.basis == "hour" else 1) > amount:
            return rule
    return None


def break_amount(day: Day, rule: MoneyBreak) -> Decimal | None:
    """Return the amount of a money break per day."""
    as_day = Day({**day.row, "rate_basis": "day"}, day.agreement, day.production)
    scale = scale_of(as_day)
    return None if scale is None else scale[0] * rule.above


def is_short(day: Day, *, hard: bool) -> bool:
    """Say whether any multiple is underpaid, from the top: an hour paid stands for one hour due."""
    paid = dict(zip(COLUMNS.values(), day.hours, strict=True))
    for level, due in reversed(multiples(day, hard=hard)):
        need = due
        for column in sorted(column for column in paid if column >= level):
            used = min(paid[column], need)
            paid[column] -= used
            need -= used
        if level not in COLUMNS.values():
            # A multiple without a column is stated as more hours at 3 and at 2 times: those to spare first.
            own = dict(multiples(day, hard=hard))
            for spare in (True, False):
                for column in (Decimal(3), Decimal(2)):
                    kept = own.get(column, Decimal(0)) if spare else Decimal(0)
                    if column < level:
                        value = min(max(paid[column] - kept, Decimal(0)) * column, need * level)
                        paid[column] -= value / column
                        need -= value / level
        if need > Decimal("0.000002"):
            return True
    return False


def steps(rule: MealPenalty, count: int) -> Decimal:
    """Return the penalty for successive late half hours."""
    return sum((rule.steps[min(place, len(rule.steps) - 1)] for place in range(count)), Decimal(0))


def check(row: Mapping[str, object], agreements: Agreements, production: Production) -> dict[str, str]:
    """Return the failures of a row, as `code field`, hard or soft, without the codes of mapping."""
    agreement = agreement_of(row, agreements, production)
    if agreement is None and _text(row, "agreement") == "none":
        return {}
    if agreement is None:
        return {"SC-PAY-008 agreement": HARD}
    day = Day(row, agreement, production)
    failures: dict[str, str] = {}
    _scale(day, failures)
    _hours(day, failures)
    _meals(day, failures)
    _money(day, failures)
    _blanks(day, failures)
    return failures


def _blanks(day: Day, failures: dict[str, str]) -> None:
    """Ask for a look where the row leaves blank what a rule depends on that it reaches."""
    elsewhere = [Day({**day.row, "work_place": place}, day.agreement, day.production) for place in WorkPlace]
    penalised = _number(day.row, "meal_penalty_count") > 0 or _number(day.row, "meal_penalty_amount") > 0
    for rule in day.agreement.rules:
        reached = isinstance(rule, DailyOvertime | GoldenHours | DayMultiple) and day.worked > min(
            tier.after for tier in rule.tiers
        )
        depends = any(there.applies(rule) for there in elsewhere) and rule.places
        matters = reached or (isinstance(rule, MealPenalty) and penalised)
        if not _text(day.row, "work_place") and depends and matters:
            failures["SC-PAY-009 work_place"] = SOFT
        if reached and not _text(day.row, "day_of_workweek") and day.kind == "ordinary":
            late = [Day({**day.row, "day_of_workweek": n}, day.agreement, day.production) for n in "67"]
            if rule.days and not day.applies(rule) and any(later.applies(rule) for later in late):
                failures["SC-PAY-009 day_of_workweek"] = SOFT


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
        if wants and str(day.row.get("schedule") or "") not in {rate.schedule for rate in wants}:
            failures["SC-PAY-009 schedule"] = SOFT


def _hours(day: Day, failures: dict[str, str]) -> None:
    if (
        day.basis in {"hour", "day"}
        and not day.cut
        and any(day.of_kind(DailyOvertime, GoldenHours, DayMultiple))
    ):
        if not day.clocked and day.kind != "ordinary":
            failures["SC-PAY-002 hours_1_5x"] = SOFT
        elif is_short(day, hard=True):
            failures["SC-PAY-002 hours_1_5x"] = HARD
        elif is_short(day, hard=False):
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
    bounds = _lines(day)
    return None if bounds is None else [exact for _, exact, _ in bounds]


def _lines(day: Day) -> list[tuple[Fraction, Fraction, Fraction]] | None:
    """Return the least, the exact and the most pay of each multiple; None where the rate's hours are unknown.

    They differ by what may be rounded to the minor unit: the hourly rate, the rate of overtime, the line.
    """
    per = hours_per_unit(day)
    if per is None:
        return None
    minor = Fraction(Decimal(1).scaleb(-minor_units(str(day.row["currency"]).upper())))
    over = money_break(day)
    broken = max(break_amount(day, over) or 0, _number(day.row, "break_rate")) if over else Decimal(0)
    lines = []
    for hours, multiple in zip(day.hours, COLUMNS.values(), strict=True):
        own = _ways(Fraction(_number(day.row, "rate")), per, multiple, hours, minor)
        least, most = own, own
        unit = Fraction(_number(day.row, "rate")) / Fraction(per) * Fraction(multiple)
        for rule in day.of_kind(OvertimeBounds):
            assert isinstance(rule, OvertimeBounds)
            if multiple > 1 and unit < rule.minimum:
                least = most = [Fraction(rule.minimum) * Fraction(hours)]
            elif multiple > 1 and unit > rule.maximum:
                least = [Fraction(rule.maximum) * Fraction(hours)]
        if over and multiple > 1:
            least = _ways(Fraction(broken), workday_hours(day) or Decimal(1), multiple, hours, minor)
            most = [*own, *least]
        if over and multiple == 1:
            within = min(hours, workday_hours(day) or hours)
            least = _ways(Fraction(_number(day.row, "rate")), per, multiple, within, minor)
        low = min(way - (minor / 2 if way % minor else 0) for way in least)
        high = max(way + (minor / 2 if way % minor else 0) for way in most)
        lines.append((low, least[0], high))
    return lines


def _ways(rate: Fraction, per: Decimal, multiple: Decimal, hours: Decimal, minor: Fraction) -> list[Fraction]:
    """Return the pay of hours, exact first, then with the rates rounded that come before it."""
    hourly, of = rate / Fraction(per), Fraction(multiple)
    # A rate per hour is the hourly rate as it stands.
    rounded = hourly if per == 1 else _to_minor(hourly, minor)
    units = [hourly * of, rounded * of]
    if multiple > 1:
        units += [_to_minor(hourly * of, minor), _to_minor(rounded * of, minor)]
    return [unit * Fraction(hours) for unit in units]


def _to_minor(value: Fraction, minor: Fraction) -> Fraction:
    return ((value / minor + Fraction(1, 2)) // 1) * minor


def _money(day: Day, failures: dict[str, str]) -> None:
    penalties = _number(day.row, "meal_penalty_amount") + _number(day.row, "rest_penalty_amount")
    gross = _number(day.row, "gross")
    cent = Decimal(1).scaleb(-minor_units(str(day.row["currency"]).upper()))
    lines = _lines(day)
    per = hours_per_unit(day)
    part_of_week = day.basis == "week" and per is not None and day.straight < per
    if lines is not None and any(day.of_kind(GrossIsSum)) and not part_of_week:
        own = Fraction(gross - penalties)
        # A millionth either way: the engine counts amounts in millionths.
        if own < sum(low for low, _, _ in lines) - _TINY or own > sum(high for *_, high in lines) + _TINY:
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
