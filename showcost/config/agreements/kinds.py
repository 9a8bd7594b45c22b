"""The kinds of pay rule: what parameters each has and what they mean. No guild is named here.

Every rule carries where it was read (`source`, `clause`), how sure that is (`certainty`), the unit of its
parameters, from when to when it holds and by which date that is asked. What a rule does to a row is decided
in `showcost.pay`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from showcost.config.loading import ConfigModel
from showcost.config.production import ProductionType


class Certainty(StrEnum):
    """How sure a number is; only H and M may reject a row, D and L ask for a look by hand (SC-PAY-009)."""

    HIGH = "H"
    """Primary text read."""
    MEDIUM = "M"
    """Official or trade summary."""
    DERIVED = "D"
    """Derived by arithmetic."""
    LOW = "L"
    """Unverified."""

    @property
    def rejects(self) -> bool:
        """Say whether a rule of this certainty may reject."""
        return self in {Certainty.HIGH, Certainty.MEDIUM}

    def less_sure(self, other: Certainty) -> Certainty:
        """Return the less sure of two."""
        order = list(Certainty)
        return max(self, other, key=order.index)


class DayKind(StrEnum):
    """What day of the employee's workweek a day is."""

    ORDINARY = "ordinary"
    SIXTH = "sixth"
    SEVENTH = "seventh"
    HOLIDAY = "holiday"


class WorkPlace(StrEnum):
    """Where the day was worked."""

    STUDIO = "studio"
    ZONE = "zone"
    DISTANT = "distant"


class Basis(StrEnum):
    """The unit of time that a rate of pay is for."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class KeyDate(StrEnum):
    """The date by which it is asked whether a rule is in force."""

    WORK_DATE = "work_date"
    PHOTOGRAPHY = "photography"
    """The start of principal photography of the production."""


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError("a number above zero")
    return value


def _tenths(value: Decimal) -> Decimal:
    if value <= 0 or value != round(value, 1):
        raise ValueError("a multiple above zero in tenths, such as 1.5")
    return value


def _place(value: Decimal) -> Decimal:
    if value not in {Decimal(1), Decimal("0.1"), Decimal("0.01")}:
        raise ValueError("1, 0.1 or 0.01")
    return value


def _hours(value: Decimal) -> Decimal:
    if value < 0 or value != round(value, 4):
        raise ValueError("hours from zero with at most 4 decimals")
    return value


Positive = Annotated[Decimal, AfterValidator(_positive)]
Multiple = Annotated[Decimal, AfterValidator(_tenths)]
RoundTo = Annotated[Decimal, AfterValidator(_place)]
Hours = Annotated[Decimal, AfterValidator(_hours)]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,60}$")]
Text = Annotated[str, Field(min_length=1)]


class _AgreementRule(ConfigModel):
    """What every rule has.

    Empty `locals`, `occupations`, `places`, `days` and `production_types` mean all.
    """

    id: RuleId
    unit: Text
    source: Text
    clause: Text
    certainty: Certainty
    start: date | None = Field(default=None, alias="from")
    end: date | None = Field(default=None, alias="to")
    keyed_on: KeyDate = KeyDate.WORK_DATE
    locals: tuple[str, ...] = ()
    occupations: tuple[str, ...] = ()
    places: tuple[WorkPlace, ...] = ()
    days: tuple[DayKind, ...] = ()
    production_types: tuple[ProductionType, ...] = ()
    remark: str = ""

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.start and self.end and self.end < self.start:
            raise ValueError("a date `to` that is not before `from`")
        return self


class ScaleRate(ConfigModel):
    """The scale of an occupation (and schedule, when there are several) from a day on.

    `certainty` and `source` stand in for those of the rule where a rate has its own.
    """

    occupation: Text
    schedule: str | None = None
    title: Text
    on: date
    amount: Positive
    certainty: Certainty | None = None
    source: str | None = None


class ScaleFloor(_AgreementRule):
    """No one is paid less than the scale of occupation and schedule, per hour, day or week."""

    kind: Literal["scale_floor"]
    basis: Basis
    rates: tuple[ScaleRate, ...] = Field(min_length=1)


class Increase(ConfigModel):
    """An increase in percent from a day on."""

    on: date
    percent: Positive


class AnnualIncreases(_AgreementRule):
    """Scales of `raises` (ids of scale rules) go up by percents that compound, rounded at each step."""

    kind: Literal["annual_increases"]
    steps: tuple[Increase, ...] = Field(min_length=1)
    round_to: RoundTo
    raises: tuple[RuleId, ...] = Field(min_length=1)


class Tier(ConfigModel):
    """Beyond `after` hours of the day, `multiple` times the hourly rate."""

    after: Hours
    multiple: Multiple


class _Tiers(_AgreementRule):
    """Tiers of a day's hours, worked or elapsed since the call; the highest one reached counts.

    `increment` is the unit in which hours are counted, in hours; part of one is not.
    """

    tiers: tuple[Tier, ...] = Field(min_length=1)
    measure: Literal["worked", "elapsed"] = "worked"
    increment: Positive = Decimal("0.01")


class DailyOvertime(_Tiers):
    """Overtime of a day in tiers."""

    kind: Literal["daily_overtime"]


class GoldenHours(_Tiers):
    """The long hours of a day, at multiples beyond overtime."""

    kind: Literal["golden_hours"]


class DayMultiple(_Tiers):
    """What the 6th and 7th day of the workweek and holidays are paid at, from their first hour."""

    kind: Literal["day_multiple"]


class WeeklyOvertime(_AgreementRule):
    """Straight time beyond `after` hours of the workweek is paid at `multiple`."""

    kind: Literal["weekly_overtime"]
    after: Hours
    multiple: Multiple


class WeeklyGuarantee(_AgreementRule):
    """A week of `hours` is paid as `multiple` times the hourly rate."""

    kind: Literal["weekly_guarantee"]
    hours: Hours
    multiple: Positive


class Workday(_AgreementRule):
    """A day's rate is for `hours`: it is how an hourly rate is had from it."""

    kind: Literal["workday"]
    hours: Hours


class OvertimeBounds(_AgreementRule):
    """An hour of overtime is paid at no less than `minimum` and need not be paid at more than `maximum`."""

    kind: Literal["overtime_bounds"]
    minimum: Positive
    maximum: Positive


class MinimumCall(_AgreementRule):
    """Whoever is called is paid for at least `hours`."""

    kind: Literal["minimum_call"]
    hours: Hours


class MealPenalty(_AgreementRule):
    """What each successive half hour of a late meal costs; the last step repeats."""

    kind: Literal["meal_penalty"]
    steps: tuple[Positive, ...] = Field(min_length=1)


class MealDue(_AgreementRule):
    """A meal is due within `within` hours of call or of the meal before; `grace` minutes are forgiven."""

    kind: Literal["meal_due"]
    within: Hours
    grace: int = Field(default=0, ge=0, le=60)


class WeeklyMealPenalties(_AgreementRule):
    """Beyond `after` meal penalties in a workweek, each costs `hours` of pay."""

    kind: Literal["weekly_meal_penalties"]
    after: int = Field(ge=1)
    hours: Hours


class RestPeriod(_AgreementRule):
    """Between wrap and the next call lie at least `hours`, daily or over a weekend."""

    kind: Literal["rest_period"]
    hours: Hours
    over: Literal["day", "weekend"]


class RestInvasion(_AgreementRule):
    """What invaded rest costs.

    Either `multiple` of the hourly rate for the time invaded, or the lesser of a day's pay and
    `day_pay_up_to`. Time up to `first` hours counts as `first`, more in units of `increment` hours.
    """

    kind: Literal["rest_invasion"]
    multiple: Multiple | None = None
    first: Hours = Decimal(0)
    increment: Positive = Decimal("0.1")
    day_pay_up_to: Positive | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.multiple is None) == (self.day_pay_up_to is None):
            raise ValueError("either `multiple` or `day_pay_up_to`")
        return self


class Contribution(_AgreementRule):
    """Contributions to pension, health and other plans: `percent` of pay without penalties, or `per_day`.

    Beyond `ceiling` of an employee's pay on the production, none are due.
    """

    kind: Literal["contribution"]
    percent: Positive | None = None
    per_day: Positive | None = None
    ceiling: Positive | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.percent is None) == (self.per_day is None):
            raise ValueError("either `percent` or `per_day`")
        if self.ceiling is not None and self.percent is None:
            raise ValueError("a `ceiling` only with `percent`")
        return self


class GrossIsSum(_AgreementRule):
    """Gross is the pay of the hours at their multiples, and the penalties; each line rounded once."""

    kind: Literal["gross_is_sum"]


TierRule = DailyOvertime | GoldenHours | DayMultiple
PayRule = (
    ScaleFloor
    | AnnualIncreases
    | DailyOvertime
    | GoldenHours
    | DayMultiple
    | WeeklyOvertime
    | WeeklyGuarantee
    | Workday
    | OvertimeBounds
    | MinimumCall
    | MealPenalty
    | MealDue
    | WeeklyMealPenalties
    | RestPeriod
    | RestInvasion
    | Contribution
    | GrossIsSum
)
