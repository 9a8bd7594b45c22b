"""The closed lists of words of payroll's coded fields, each with the usual ways of writing it.

A text that is none of them is rejected (SC-ROW-005): a rule that cannot understand a row must not pass it. A
feed adds the words of its sender: `fields: {work_place: {words: {distant: [Location]}}}`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class EarningType(StrEnum):
    """The type of earning of a line of pay.

    Hour rules (scale, overtime, meals, minimum call, rest) are about work alone.
    """

    WORK = "work"
    """Hours worked, at their multiples, with the penalties of the day."""
    OVERTIME = "overtime"
    """Overtime of a day whose other hours are on a line of their own."""
    ALLOWANCE = "allowance"
    """Box and kit rental, per diem, mileage: a reimbursement, not pay."""
    PREMIUM = "premium"
    """Stunt adjustment, bump, night premium: pay on top of the hours."""
    ADJUSTMENT = "adjustment"
    """Retroactive pay and corrections; may be negative."""
    HOLIDAY_PAY = "holiday_pay"
    """Pay for a holiday not worked."""
    VACATION_PAY = "vacation_pay"
    """Vacation pay."""
    BONUS = "bonus"
    """A completion bonus or the like."""
    BUYOUT = "buyout"
    """A sum for use or for hours beyond the deal."""

    @property
    def is_for_hours(self) -> bool:
        """Say whether hour rules are about this type."""
        return self in {EarningType.WORK, EarningType.OVERTIME}


class DayType(StrEnum):
    """The type of a day of the engagement."""

    WORK = "work"
    REHEARSAL = "rehearsal"
    NEARBY = "nearby"
    """Work on a nearby location."""
    OVERNIGHT = "overnight"
    """Work on an overnight location."""
    WRAP = "wrap"
    TRAVEL = "travel"
    """Travel only."""
    IDLE = "idle"
    """A day without work on an overnight location."""
    HOLD = "hold"
    """A day on which the person is held for the production."""

    @property
    def is_worked(self) -> bool:
        """Say whether hour rules are about this type."""
        return self not in {DayType.TRAVEL, DayType.IDLE, DayType.HOLD}


class Deal(StrEnum):
    """The way in which pay follows from time."""

    RATE = "rate"
    """By the hours worked."""
    GUARANTEE = "guarantee"
    """A guaranteed number of hours of a day or week, worked or not."""
    ON_CALL = "on_call"
    """A sum for the day or week, without hours."""
    FLAT = "flat"
    """A sum for the engagement."""

    @property
    def follows_hours(self) -> bool:
        """Say whether the pay of a day is that of its hours."""
        return self is Deal.RATE


YES_OR_NO: Final[Mapping[str, tuple[str, ...]]] = {"yes": ("y", "true", "1"), "no": ("n", "false", "0")}
RATE_BASIS: Final[Mapping[str, tuple[str, ...]]] = {
    "hour": ("hourly", "hours", "hr", "hrs", "h", "per hour", "/hour", "/hr", "ph"),
    "day": ("daily", "days", "d", "per day", "/day", "pd"),
    "week": ("weekly", "weeks", "wk", "w", "per week", "/week", "/wk", "pw"),
}
WORK_PLACE: Final[Mapping[str, tuple[str, ...]]] = {
    "studio": ("stage", "lot", "on lot"),
    "zone": ("studio zone", "in zone"),
    "distant": ("distant location", "overnight location"),
}
DAY_OF_WORKWEEK: Final[Mapping[str, tuple[str, ...]]] = {
    "1": ("1st", "first", "day 1"),
    "2": ("2nd", "second", "day 2"),
    "3": ("3rd", "third", "day 3"),
    "4": ("4th", "fourth", "day 4"),
    "5": ("5th", "fifth", "day 5"),
    "6": ("6th", "sixth", "day 6"),
    "7": ("7th", "seventh", "day 7"),
}
EARNING_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    EarningType.WORK: ("worked", "regular", "reg", "straight time", "st", "hours"),
    EarningType.OVERTIME: ("ot", "o/t"),
    EarningType.ALLOWANCE: (
        *("box rental", "kit rental", "box", "kit", "rental", "per diem", "mileage", "car allowance"),
        *("phone allowance", "living allowance", "expenses"),
    ),
    EarningType.PREMIUM: ("stunt adjustment", "stunt", "bump", "night", "night premium", "night shift"),
    EarningType.ADJUSTMENT: ("retroactive", "retroactive pay", "retro", "retro pay", "correction", "adj"),
    EarningType.HOLIDAY_PAY: ("holiday pay", "holiday", "hol"),
    EarningType.VACATION_PAY: ("vacation pay", "vacation", "vac"),
    EarningType.BONUS: ("completion bonus",),
    EarningType.BUYOUT: ("buy-out", "buy out"),
}
DAY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    DayType.WORK: ("worked", "shoot", "shooting", "prep", "preparation"),
    DayType.REHEARSAL: ("rehearse", "fitting"),
    DayType.NEARBY: ("nearby location",),
    DayType.OVERNIGHT: ("overnight working", "overnight location", "overnight work"),
    DayType.WRAP: ("wrap day",),
    DayType.TRAVEL: ("travel only", "travel day", "travelling"),
    DayType.IDLE: ("overnight idle", "idle day"),
    DayType.HOLD: ("held", "hold day", "on hold"),
}
DEAL: Final[Mapping[str, tuple[str, ...]]] = {
    Deal.RATE: ("hourly deal", "by the hour", "daily deal"),
    Deal.GUARANTEE: ("guaranteed", "guaranteed hours", "weekly guarantee"),
    Deal.ON_CALL: ("on call", "on-call", "exempt"),
    Deal.FLAT: ("flat deal", "flat rate", "all-in", "all in"),
}
