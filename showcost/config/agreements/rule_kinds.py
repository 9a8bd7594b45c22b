"""Kinds of pay rule and their parameters, independent of any guild.

Every rule has its origin (`source`, `clause`), its `certainty`, the unit of its parameters, the dates from
and to which it is in force, and the date by which that is decided. `showcost.pay` applies the rules to rows.
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
    """Certainty of a number; H and M may reject a row, D and L ask for a review (SC-PAY-009)."""

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
        """Return the lower of two certainties."""
        order = list(Certainty)
        return max(self, other, key=order.index)


class DayKind(StrEnum):
    """Kind of a day in the employee's workweek."""

    ORDINARY = "ordinary"
    SIXTH = "sixth"
    SEVENTH = "seventh"
    HOLIDAY = "holiday"


class WorkPlace(StrEnum):
    """Place of work on a day."""

    STUDIO = "studio"
    ZONE = "zone"
    DISTANT = "distant"


class Basis(StrEnum):
    """The unit of time that a rate of pay is for."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class KeyDate(StrEnum):
    """The date that decides whether a rule is in force."""

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
    """Attributes of every rule.

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

    `certainty` and `source` of a rate override those of the rule.
    """

    occupation: Text
    schedule: str | None = None
    title: Text
    on: date
    amount: Positive
    certainty: Certainty | None = None
    source: str | None = None


class ScaleFloor(_AgreementRule):
    """Minimum pay: the scale of occupation and schedule, per hour, day or week."""

    kind: Literal["scale_floor"]
    basis: Basis
    rates: tuple[ScaleRate, ...] = Field(min_length=1)


class Increase(ConfigModel):
    """An increase in percent from a day on."""

    on: date
    percent: Positive


class AnnualIncreases(_AgreementRule):
    """Compounded increases in percent of the scales `raises` (ids of scale rules), rounded at each step."""

    kind: Literal["annual_increases"]
    steps: tuple[Increase, ...] = Field(min_length=1)
    round_to: RoundTo
    raises: tuple[RuleId, ...] = Field(min_length=1)


class Tier(ConfigModel):
    """Pay of `multiple` times the hourly rate beyond `after` hours of the day."""

    after: Hours
    multiple: Multiple


class _Tiers(_AgreementRule):
    """Tiers of a day's hours, worked or elapsed since the call; the highest tier reached applies.

    `increment` is the unit of counting, in hours; a partial unit does not count.
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
    """Multiples for the 6th and 7th day of the workweek and for holidays, from the first hour."""

    kind: Literal["day_multiple"]


class MoneyBreak(_Tiers):
    """Overtime of a person whose rate is above `above` times the scale: other tiers, on a lower amount.

    The `tiers` replace the rules `replaces`, and their hours are paid on `above` times the scale (the amount
    of the break), not on the person's own rate. Hours between the workday and the first tier are in the rate.
    """

    kind: Literal["money_break"]
    above: Positive
    replaces: tuple[RuleId, ...] = Field(min_length=1)


class WeeklyOvertime(_AgreementRule):
    """Pay at `multiple` for straight time beyond `after` hours of the workweek."""

    kind: Literal["weekly_overtime"]
    after: Hours
    multiple: Multiple


class WeeklyGuarantee(_AgreementRule):
    """Weekly pay of `multiple` times the hourly rate for `hours`."""

    kind: Literal["weekly_guarantee"]
    hours: Hours
    multiple: Positive


class Workday(_AgreementRule):
    """Hours that a day rate pays for, from which the hourly rate is derived."""

    kind: Literal["workday"]
    hours: Hours


class OvertimeBounds(_AgreementRule):
    """Bounds of the pay for an hour of overtime: at least `minimum`, and at most `maximum` is required."""

    kind: Literal["overtime_bounds"]
    minimum: Positive
    maximum: Positive


class MinimumCall(_AgreementRule):
    """Minimum hours paid to an employee who is called."""

    kind: Literal["minimum_call"]
    hours: Hours


class MealPenalty(_AgreementRule):
    """Penalty for each successive half hour of a late meal; the last step repeats."""

    kind: Literal["meal_penalty"]
    steps: tuple[Positive, ...] = Field(min_length=1)


class MealDue(_AgreementRule):
    """Maximum hours from call, or from the meal before, to a meal; `grace` minutes are allowed.

    A non-deductible meal of at least `non_deductible` minutes, begun within `non_deductible_within` hours of
    the call, restarts the hours to the first meal at its end; by default none does.
    """

    kind: Literal["meal_due"]
    within: Hours
    grace: int = Field(default=0, ge=0, le=60)
    non_deductible: int | None = Field(default=None, ge=1, le=60)
    non_deductible_within: Hours | None = None

    @model_validator(mode="after")
    def _limit_of_a_meal(self) -> Self:
        if self.non_deductible_within is not None and self.non_deductible is None:
            raise ValueError("non_deductible together with non_deductible_within")
        return self


class WeeklyMealPenalties(_AgreementRule):
    """Penalty of `hours` of pay for each meal penalty beyond `after` in a workweek."""

    kind: Literal["weekly_meal_penalties"]
    after: int = Field(ge=1)
    hours: Hours


class RestPeriod(_AgreementRule):
    """Minimum hours between wrap and the next call, daily or over a weekend."""

    kind: Literal["rest_period"]
    hours: Hours
    over: Literal["day", "weekend"]


class RestInvasion(_AgreementRule):
    """Penalty for invaded rest.

    Either `multiple` of the hourly rate for the time invaded, or the lesser of a day's pay and
    `day_pay_up_to`. Time up to `first` hours counts as `first`, more in units of `increment` hours.
    """

    kind: Literal["rest_invasion"]
    multiple: Multiple | None = None
    first: Hours = Decimal(0)
    increment: Positive = Decimal("0.1")
    day_pay_up_to: Positive | None = None

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        if (self.multiple is None) == (self.day_pay_up_to is None):
            raise ValueError("either `multiple` or `day_pay_up_to`")
        return self


class Contribution(_AgreementRule):
    """Contributions to pension, health and other plans: `percent` of pay without penalties, or `per_day`.

    No contributions are due on an employee's pay on the production beyond `ceiling`.
    """

    kind: Literal["contribution"]
    percent: Positive | None = None
    per_day: Positive | None = None
    ceiling: Positive | None = None

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        if (self.percent is None) == (self.per_day is None):
            raise ValueError("either `percent` or `per_day`")
        if self.ceiling is not None and self.percent is None:
            raise ValueError("a `ceiling` only with `percent`")
        return self


class GrossIsSum(_AgreementRule):
    """Gross pay as the sum of hours at their multiples and of penalties, each line rounded once."""

    kind: Literal["gross_is_sum"]


TierRule = DailyOvertime | GoldenHours | DayMultiple
PayRule = (
    ScaleFloor
    | AnnualIncreases
    | DailyOvertime
    | GoldenHours
    | DayMultiple
    | MoneyBreak
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
