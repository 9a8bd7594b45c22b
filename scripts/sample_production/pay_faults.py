"""Faults of planted payroll rows: each breaks exactly one rule of an agreement.

The sums of a changed row stay right, except the one that the fault is about.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from sample_production.faults import Fault, amount_of
from sample_production.layouts import CENT
from sample_production.payroll import SATURDAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sample_production.layouts import Layout, Record

_MULTIPLES = {
    "hours_1x": Decimal(1),
    "hours_1_5x": Decimal("1.5"),
    "hours_2x": Decimal(2),
    "hours_3x": Decimal(3),
}
_ZERO = Decimal("0.00")
_CONTRIBUTION = Decimal("0.21")
_BASIC = "IATSE Basic Agreement"


def of_basic(record: Record) -> bool:
    """Return whether a row is paid under the Basic Agreement."""
    return record["agreement"] == _BASIC


def _of_grips(record: Record) -> bool:
    return record["union_local"] == "80" and record["occupation_code"] == "4551" and _is_weekday(record)


def _of_actors(record: Record) -> bool:
    return record["occupation_code"] == "DAY" and record["account"] == "1420"


def _of_london(record: Record) -> bool:
    return record["currency"] == "GBP"


def _on_second_day(record: Record) -> bool:
    return _of_actors(record) and record["work_date"] == date(2026, 10, 6)


def _is_weekday(record: Record) -> bool:
    return str(record["day_of_workweek"]) < str(SATURDAY)


def restricted(fault: Fault, fits: Callable[[Record], bool]) -> Fault:
    """Return a fault that is planted only in records for which `fits` returns true."""
    return replace(fault, fits=fits)


def _recompute_gross(record: Record) -> None:
    """Set gross to the sum of pay and penalties."""
    hours = sum((amount_of(record, name) * multiple for name, multiple in _MULTIPLES.items()), Decimal(0))
    per = {"hour": 1, "day": 8}[str(record["rate_basis"])]
    pay = (amount_of(record, "rate") * hours / per).quantize(CENT, rounding=ROUND_HALF_UP)
    record["gross"] = (
        pay + amount_of(record, "meal_penalty_amount") + amount_of(record, "rest_penalty_amount")
    )


def _recompute_contribution(record: Record) -> None:
    pay = amount_of(record, "gross") - amount_of(record, "meal_penalty_amount")
    record["benefit_amount"] = (pay * _CONTRIBUTION).quantize(CENT, rounding=ROUND_HALF_UP)


def _below_scale(record: Record, _: Layout) -> None:
    record["rate"] = Decimal("65.20")
    _recompute_gross(record)


def _flat_overtime(record: Record, _: Layout) -> None:
    hours = sum((amount_of(record, name) for name in _MULTIPLES), Decimal(0))
    record.update(hours_1x=hours, hours_1_5x=_ZERO, hours_2x=_ZERO, hours_3x=_ZERO)
    _recompute_gross(record)


def _cheap_meal(record: Record, _: Layout) -> None:
    record.update(meal_penalty_count="1", meal_penalty_amount=Decimal("20.00"))
    _recompute_gross(record)
    _recompute_contribution(record)


def _minutes(time: object) -> int:
    """Return a time of day in minutes after midnight."""
    hours, minutes = str(time).split(":")
    return int(hours) * 60 + int(minutes)


def _clock(minutes: int) -> str:
    """Return the time of day that is so many minutes after midnight; it may be of another day."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _short_call(record: Record, _: Layout) -> None:
    call = _minutes(record["call_time"])
    record.update(hours_1x=Decimal("6.00"), hours_1_5x=_ZERO, hours_2x=_ZERO, hours_3x=_ZERO)
    record.update(meal1_out="", meal1_in="", wrap_time=_clock(call + 6 * 60))
    _recompute_gross(record)


def _wrong_gross(record: Record, _: Layout) -> None:
    record["gross"] = amount_of(record, "gross") + Decimal("100.00")


def _short_rest(record: Record, _: Layout) -> None:
    """Move the call to 02:30: the rest since any wrap after 14:30 is shorter than twelve hours."""
    shift = _minutes(record["call_time"]) - _minutes("02:30")
    for name in ("call_time", "meal1_out", "meal1_in", "wrap_time"):
        record[name] = _clock(_minutes(record[name]) - shift)


def _below_derived_scale(record: Record, _: Layout) -> None:
    record["rate"] = Decimal("1270.00")
    _recompute_gross(record)
    _recompute_contribution(record)


def _short_contribution(record: Record, _: Layout) -> None:
    record["benefit_amount"] = amount_of(record, "benefit_amount") - Decimal("10.00")


def _set(name: str, code: str, fits: Callable[[Record], bool], **values: str) -> Fault:
    def change(record: Record, _: Layout) -> None:
        record.update(values)

    return Fault(name, code, change, fits=fits)


BELOW_SCALE = Fault("the rate is two cents below scale", "SC-PAY-001", _below_scale, fits=_of_grips)
FLAT_OVERTIME = Fault("overtime is paid flat", "SC-PAY-002", _flat_overtime, fits=_of_grips)
CHEAP_MEAL = Fault("a late meal costs 20 and not 25", "SC-PAY-003", _cheap_meal, fits=_of_actors)
SHORT_CALL = Fault("six hours are paid of a call of eight", "SC-PAY-004", _short_call, fits=_of_grips)
SHORT_REST = Fault("called at half past two, unpaid", "SC-PAY-005", _short_rest, fits=_on_second_day)
WRONG_GROSS = Fault("gross is 100 too much", "SC-PAY-006", _wrong_gross, fits=of_basic)
SHORT_CONTRIBUTION = Fault("contributions are 10 short", "SC-PAY-007", _short_contribution, fits=_of_actors)
EXPIRED = _set("the agreement ended with 2025", "SC-PAY-008", _of_london, agreement="Pact/Bectu TV drama")
BELOW_DERIVED_SCALE = Fault(
    "the rate is below a scale that was derived", "SC-PAY-009", _below_derived_scale, fits=_of_actors
)
OTHER_UNION = _set("labour of one union on an account of another", "SC-MAP-001", of_basic, account="1410")
OTHER_LOCAL = _set("the occupation code is of another local", "SC-MAP-002", _of_grips, union_local="600")
SOCIAL_SECURITY = _set(
    "a social-security number for a pseudonym", "SC-ROW-003", of_basic, employee_ref="078-05-1120"
)
