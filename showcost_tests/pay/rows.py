"""Payroll rows that meet every rule, by the independent implementation, and the engine's results."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from showcost.config.agreements import Agreement, Agreements, packaged
from showcost.config.agreements.rule_kinds import Contribution, MealDue, MealPenalty
from showcost.config.chart import NO_UNION, Account, AccountKind, Chart
from showcost.config.production import Production
from showcost.core.money import minor_units
from showcost.pay.checker import CHECKS
from showcost.validation.cells import read_cells
from showcost.validation.reference import Reference, look_up
from showcost_tests.pay import by_hand
from showcost_tests.pay.by_hand import HARD, SOFT, Day, Row
from showcost_tests.validation.raw import PRODUCTION, feed_of, raw_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from showcost.config.feed import FeedSpec

FEED: Final[FeedSpec] = feed_of("payroll")
AGREEMENTS: Final[Agreements] = packaged()
ACCOUNTS: Final = {
    "iatse": "2510",
    "sag-aftra": "1410",
    "teamsters": "3510",
    "bectu": "4010",
    "actra": "1420",
    "dga": "2020",
    "equity-uk": "1430",
    NO_UNION: "3610",
}
CHART: Final = Chart(
    {
        number: Account(number, f"Account {number}", AccountKind.COST, union, None, None, "Accounts")
        for union, number in [*ACCOUNTS.items(), (NO_UNION, "6990")]
    }
)


def production(
    kind: str = "streaming",
    photography: date = date(2026, 10, 5),
    zones: dict[str, str] | None = None,
    timezone: str = "America/Los_Angeles",
) -> Production:
    """Return a production that has signed every agreement."""
    return Production.model_validate(
        PRODUCTION.model_dump()
        | {
            "type": kind,
            "timezone": timezone,
            "location_timezones": zones or {},
            "dates": {"start": date(2020, 1, 1), "end": date(2031, 12, 31)},
            "principal_photography": {"start": photography, "end": date(2031, 12, 31)},
            "closed_periods": [],
            "agreements": [{"name": agreement.name, "union": agreement.union} for agreement in AGREEMENTS],
        }
    )


SHOW: Final = production()


def row(agreement: Agreement, **change: object) -> Row:
    """Return a row of an agreement with 8 hours in the studio, not yet paid."""
    local = agreement.locals[0]
    code = local.codes[0] if local.codes else (f"{local.prefixes[0]}99" if local.prefixes else "DRIVER")
    return {
        "payroll_company": "Meridian",
        "payroll_invoice_no": "M-1",
        "employee_ref": "E-1",
        "agreement": agreement.name,
        "union_local": local.local,
        "occupation_code": code,
        "schedule": "",
        "account": ACCOUNTS[agreement.union],
        "work_date": str(agreement.start),
        "work_place": "studio",
        "day_of_workweek": "1",
        "is_holiday": "no",
        "currency": agreement.currency,
        "rate": "5000",
        "rate_basis": "hour",
        "gross": "0",
        **change,
    }


def clock(hours: Decimal, call: str = "07:00", *, meals: bool = True) -> Row:
    """Return the times of a day of so many hours of work, its meals after six hours each and half an hour."""
    minutes = int(hours * 60)
    begin = int(call[:2]) * 60 + int(call[3:])
    now, left = begin, minutes
    times: Row = {"call_time": call}
    for number in ("1", "2"):
        if meals and left > 360:
            now, left = now + 360, left - 360
            times |= {f"meal{number}_out": _wall(now), f"meal{number}_in": _wall(now + 30)}
            now += 30
    return times | {"wrap_time": _wall(now + left)}


def _wall(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def paid(unpaid: Row, show: Production = SHOW, agreement: Agreement | None = None) -> Row:
    """Return the row paid exactly as all rules require, including rules of low certainty."""
    agreement = agreement or by_hand.agreement_of(unpaid, AGREEMENTS, show)
    assert agreement is not None
    hours = hours_in_columns(by_hand.multiples(Day(unpaid, agreement, show), hard=False))
    full = unpaid | {name: str(value) for name, value in hours.items()}
    return with_sums(full, agreement, show)


def with_sums(unpaid: Row, agreement: Agreement, show: Production = SHOW) -> Row:
    """Return the row with the penalties, gross and contributions for its hours."""
    day = Day(unpaid, agreement, show)
    count, amount = _penalties(day)
    full = unpaid | {"meal_penalty_count": str(count), "meal_penalty_amount": str(amount)}
    day = Day(full, agreement, show)
    cent = Decimal(1).scaleb(-minor_units(agreement.currency))
    pay = sum(by_hand.pay_of(day) or [])
    gross = amount + Decimal(int(pay / Fraction(cent) + Fraction(1, 2))) * cent
    full |= {"gross": str(gross)}
    benefit = Decimal(0)
    for rule in day.of_kind(Contribution):
        assert isinstance(rule, Contribution)
        due = rule.per_day or ((gross - amount) * (rule.percent or 0) / 100).quantize(cent, ROUND_HALF_UP)
        benefit = max(benefit, due)
    return full | {"benefit_amount": str(benefit)}


def _penalties(day: Day) -> tuple[int, Decimal]:
    count, amount = 0, Decimal(0)
    for rule in day.of_kind(MealPenalty):
        for due in day.of_kind(MealDue):
            assert isinstance(rule, MealPenalty)
            assert isinstance(due, MealDue)
            late = [span - int(due.within * 60) for span in day.spans]
            counts = [-(-over // 30) for over in late if over > due.grace]
            count = sum(counts)
            amount = max(amount, sum((by_hand.steps(rule, count) for count in counts), Decimal(0)))
    return count, amount


def hours_in_columns(multiples: list[tuple[Decimal, Decimal]]) -> dict[str, Decimal]:
    """Return hours in the available columns; other multiples become more hours at 2 times."""
    columns = dict.fromkeys(by_hand.COLUMNS, Decimal(0))
    names = {multiple: name for name, multiple in by_hand.COLUMNS.items()}
    for multiple, hours in multiples:
        if multiple in names:
            columns[names[multiple]] += hours
        else:
            columns["hours_2x"] += hours * multiple / 2
    return columns


def engine(
    rows: Iterable[Row], show: Production = SHOW, agreements: Agreements = AGREEMENTS
) -> list[dict[str, str]]:
    """Return the engine's results: the checks that each row fails, hard or soft."""
    reference = Reference(FEED, show, CHART, None, agreements)
    cells = look_up(read_cells(raw_table(FEED, rows), FEED), reference)
    failures: list[dict[str, str]] = [{} for _ in range(cells.num_rows)]
    soft = [name for name in CHECKS if name.startswith("SC-PAY-009")]
    hard_names = {name.partition(" ")[2]: name for name in CHECKS if name not in soft}
    for name in CHECKS:
        for place, holds in enumerate(cells.column(name).to_pylist()):
            if not holds:
                own = hard_names.get(name.partition(" ")[2], name) if name in soft else name
                failures[place][own] = SOFT if name in soft else HARD
    return failures


def failures_of(change: Row, show: Production = SHOW) -> dict[str, str]:
    """Return the engine's result for one row."""
    return engine([change], show)[0]


def before(day: date) -> date:
    """Return the day before."""
    return day - timedelta(days=1)
