"""The payroll manifest: hours and pay of cast and crew, with one record per person and day.

Rates are at or above the scales of the agreements in force, which include the production's own crew deals
(`agreements/` in the data folder). Hours, rest, meals and contributions comply with the agreements.
Employees are pseudonyms.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from sample_production.layouts import CENT

if TYPE_CHECKING:
    from sample_production.draw import Draw
    from sample_production.layouts import Record

SATURDAY = 6
"""The ISO number of the weekday; Monday is 1."""


@dataclass(frozen=True)
class Job:
    """A job: agreement, local, occupation code, account, rate, its basis, and the number of people."""

    agreement: str
    local: str
    occupation: str
    account: str
    rate: Decimal
    basis: str
    people: int


@dataclass(frozen=True)
class Crew:
    """A group of people, paid by one payroll company in one currency.

    `guaranteed` hours are paid on each day. `half_hours` are the least and the most half hours worked in a
    day, `calls` the earliest and the latest hour of the call; `meal` is in minutes. `days` has the unit of
    each day.
    """

    company: str
    prefix: str
    currency: str
    guaranteed: Decimal
    double_after: Decimal
    benefit_percent: int
    half_hours: tuple[int, int]
    calls: tuple[int, int]
    meal: int
    first_employee: int
    days: dict[date, str]
    jobs: tuple[Job, ...]


def _jobs(agreement: str, table: str) -> tuple[Job, ...]:
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(
        Job(agreement, local, occupation, account, Decimal(rate), basis, int(people))
        for local, occupation, account, rate, basis, people in rows
    )


_HOURLY = _jobs(
    "IATSE Basic Agreement",
    """
    600 1911 3310 93.06 hour 3
    600 1915 3310 61.40 hour 3
    80  4551 2510 65.22 hour 3
    80  4553 2510 56.90 hour 3
    728 5411 3210 64.85 hour 3
    44  7311 2710 58.75 hour 3
    44  7321 2810 57.10 hour 2
    695 8111 3410 88.40 hour 2
    700 4111 4510 79.35 hour 2
    """,
)
_DRIVERS = _jobs("Teamsters 399", "399 3513 3510 49.80 hour 3")
_CAST = _jobs(
    "SAG-AFTRA TV/Theatrical 2026",
    """
    SAG-AFTRA DAY 1420 1283.00 day 6
    SAG-AFTRA DAY 1410 4200.00 day 3
    SAG-AFTRA DAY 1430 1650.00 day 2
    SAG-AFTRA BACKGROUND 2110 231.00 day 2
    """,
)
_BRITISH = _jobs(
    "Harrow Bridge UK crew deal",
    """
    BECTU CAM-OP 4010 460.00 day 3
    BECTU CAM-1AC 4010 420.00 day 3
    BECTU GRIP 4020 410.00 day 4
    BECTU SPARK 4020 400.00 day 6
    BECTU SND-BOOM 4030 380.00 day 3
    BECTU COS-STBY 4040 390.00 day 4
    BECTU MU-ART 4040 400.00 day 3
    BECTU ART-PROP 4050 390.00 day 4
    """,
)
_CANADIAN = _jobs(
    "Toronto technicians",
    """
    667 T-CAM-OP 4110 71.20 hour 2
    667 T-CAM-1A 4110 56.10 hour 2
    873 T-GRIP 4120 46.80 hour 4
    873 T-ELEC 4120 46.80 hour 4
    873 T-SND 4130 52.35 hour 2
    873 T-COS 4140 44.90 hour 3
    873 T-MUH 4140 47.25 hour 2
    """,
)


def _days(*spans: tuple[int, int, str]) -> dict[date, str]:
    return {
        date(2026, 10, day): unit
        for first, last, unit in spans
        for day in range(first, last + 1)
        if date(2026, 10, day).isoweekday() <= SATURDAY
    }


CREWS = (
    Crew(
        "Meridian Reel Payroll Inc.",
        "MRP-41",
        "USD",
        Decimal(8),
        Decimal(14),
        24,
        (19, 31),
        (5, 8),
        30,
        100,
        _days((5, 6, "BBG"), (7, 8, "LDN"), (9, 10, "TOR"), (13, 16, "TOR")),
        _HOURLY,
    ),
    Crew(
        "Meridian Reel Payroll Inc.",
        "MRP-43",
        "USD",
        Decimal(8),
        Decimal(14),
        24,
        (19, 28),
        (5, 8),
        30,
        150,
        _days((5, 6, "BBG"), (7, 8, "LDN"), (9, 10, "TOR"), (13, 16, "TOR")),
        _DRIVERS,
    ),
    Crew(
        "Meridian Reel Payroll Inc.",
        "MRP-42",
        "USD",
        Decimal(8),
        Decimal(10),
        21,
        (16, 20),
        (7, 7),
        30,
        200,
        _days((5, 6, "BBG"), (8, 8, "LDN"), (9, 10, "TOR"), (15, 15, "TOR")),
        _CAST,
    ),
    Crew(
        "Quayside Paymaster Ltd",
        "QPM",
        "GBP",
        Decimal(10),
        Decimal(24),
        15,
        (20, 22),
        (7, 7),
        60,
        300,
        _days((7, 9, "LDN")),
        _BRITISH,
    ),
    Crew(
        "Maple Slate Payroll Corp.",
        "MSP",
        "CAD",
        Decimal(8),
        Decimal(12),
        17,
        (19, 23),
        (7, 8),
        30,
        400,
        _days((9, 10, "TOR"), (13, 17, "TOR")),
        _CANADIAN,
    ),
)


def records(draw: Draw, first: date, last: date) -> list[Record]:
    """Return the records from `first` to `last` inclusive, by company, person and day."""
    return [
        _record(draw, crew, job, crew.first_employee + number, day)
        for crew in CREWS
        for number, job in enumerate(job for job in crew.jobs for _ in range(job.people))
        for day in crew.days
        if first <= day <= last
    ]


def _record(draw: Draw, crew: Crew, job: Job, employee: int, day: date) -> Record:
    hours = Decimal(draw.between(*crew.half_hours)) / 2
    if job.basis == "day" and crew.currency == "GBP":
        hours = crew.guaranteed + Decimal(draw.pick((0, 0, 0, 1, 2, 3, 4))) / 4
    single, half, double, triple = _split(crew, job, hours, day)
    penalties = draw.pick((0, 0, 0, 0, 0, 1, 2)) if crew.currency == "USD" and job.basis == "hour" else 0
    penalty = Decimal(("0.00", "7.50", "17.50")[penalties])
    hourly = job.rate if job.basis == "hour" else job.rate / crew.guaranteed
    pay = hourly * (single + half * Decimal("1.5") + double * 2 + triple * 3)
    gross = pay.quantize(CENT, rounding=ROUND_HALF_UP) + penalty
    return _clock(draw, crew, day, hours) | {
        "production_code": "HRB",
        "payroll_company": crew.company,
        "payroll_invoice_no": f"{crew.prefix}-W{day.isocalendar().week}",
        "employee_ref": f"E-{employee:04d}",
        "loan_out": "no",
        "agreement": job.agreement,
        "union_local": job.local,
        "occupation_code": job.occupation,
        "schedule": "1" if job.local == "80" else "",
        "account": job.account,
        "series": "101",
        "location": crew.days[day],
        "work_date": day,
        "work_place": "distant" if crew.currency == "USD" else "zone",
        "day_of_workweek": str(day.isoweekday()),
        "is_holiday": "no",
        "currency": crew.currency,
        "rate": job.rate,
        "rate_basis": job.basis,
        "hours_1x": _hours(single),
        "hours_1_5x": _hours(half),
        "hours_2x": _hours(double),
        "hours_3x": _hours(triple),
        "meal_penalty_count": str(penalties),
        "meal_penalty_amount": penalty,
        "rest_penalty_amount": Decimal("0.00"),
        "gross": gross,
        "benefit_amount": (gross * crew.benefit_percent / 100).quantize(CENT, rounding=ROUND_HALF_UP),
    }


def _split(crew: Crew, job: Job, hours: Decimal, day: date) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """Return the hours at 1, 1.5, 2 and 3 times; on the sixth day of the Basic Agreement none at 1."""
    zero, basic = Decimal(0), job.agreement == "IATSE Basic Agreement"
    triple = max(hours - _TRIPLE_AFTER, zero) if basic else zero
    double = max(hours - crew.double_after - triple, zero)
    if basic and day.isoweekday() == SATURDAY:
        # Golden hours of that day are paid 3 times and 4.5 times. There is no column for 4.5 times, so an
        # hour of it counts as 1.5 hours at 3 times.
        return zero, hours - double - triple, zero, double + triple * Decimal("1.5")
    half = max(hours - crew.guaranteed, zero) - double - triple
    return crew.guaranteed, half, double, triple


_TRIPLE_AFTER = Decimal(15)


def _hours(hours: Decimal) -> Decimal:
    return hours.quantize(CENT)


def _clock(draw: Draw, crew: Crew, day: date, hours: Decimal) -> Record:
    call = datetime.combine(day, time(draw.between(*crew.calls), draw.pick((0, 30))))
    meal = call + timedelta(hours=6)
    wrap = call + timedelta(minutes=int(hours * 60) + crew.meal)
    times = {
        "call_time": call,
        "meal1_out": meal,
        "meal1_in": meal + timedelta(minutes=crew.meal),
        "wrap_time": wrap,
    }
    return {name: time_of_day.strftime("%H:%M") for name, time_of_day in times.items()}
