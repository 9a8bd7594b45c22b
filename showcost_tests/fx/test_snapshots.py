"""The rates in force on a date depend on the published history only."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import InputError
from showcost.fx.snapshot_plan import (
    RateStatus,
    SnapshotPlan,
    build_snapshots,
    rate_text,
    snapshot_hash,
    snapshot_id,
)

from .independent import independent_rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.fx.history import RateHistory

    Reader = Callable[[str], RateHistory]

OK, PENDING, MISSING = RateStatus.OK, RateStatus.PENDING, RateStatus.MISSING
FRIDAY = date(2026, 10, 30)
SATURDAY, SUNDAY, MONDAY = (FRIDAY + timedelta(days=days) for days in (1, 2, 3))


def status(plan: SnapshotPlan, day: date, currency: str) -> str:
    (row,) = [r for r in plan.rate_states.to_pylist() if r["date"] == day and r["currency"] == currency]
    return str(row["status"])


def in_force(plan: SnapshotPlan, day: date) -> list[tuple[str, Decimal, date]]:
    return [
        (row["currency"], row["rate"], row["publication_date"])
        for row in plan.rate_states.to_pylist()
        if row["date"] == day and row["status"] == OK
    ]


def test_a_published_day_has_its_own_rates_and_the_euro_at_one(week: RateHistory) -> None:
    plan = build_snapshots(week, [FRIDAY], 4)
    assert in_force(plan, FRIDAY) == [
        ("EUR", Decimal(1), FRIDAY),
        ("GBP", Decimal("0.8338"), FRIDAY),
        ("USD", Decimal("1.1172"), FRIDAY),
    ]


def test_a_weekend_has_fridays_rates_with_fridays_date(week: RateHistory) -> None:
    plan = build_snapshots(week, [SATURDAY, SUNDAY], 4)
    assert plan.dates(OK) == (SATURDAY, SUNDAY)
    assert {published for _, _, published in in_force(plan, SUNDAY)} == {FRIDAY}


def test_a_working_day_after_the_last_publication_is_pending(week: RateHistory) -> None:
    plan = build_snapshots(week, [MONDAY, MONDAY + timedelta(days=365)], 4)
    assert plan.dates(PENDING) == (MONDAY, MONDAY + timedelta(days=365))
    assert plan.snapshots.num_rows == 0
    assert status(plan, MONDAY, "USD") == PENDING


def test_a_skipped_working_day_is_missing_and_so_is_the_weekend_after_it(read: Reader) -> None:
    history = read("Date,USD,\n2026-11-02,1.1,\n2026-10-29,1.1,\n")
    plan = build_snapshots(history, [FRIDAY, SATURDAY, SUNDAY, MONDAY], 4)
    assert plan.dates(MISSING) == (FRIDAY, SATURDAY, SUNDAY)
    assert plan.dates(OK) == (MONDAY,)


def test_a_currency_not_quoted_that_day_is_missing_while_the_day_has_a_snapshot(week: RateHistory) -> None:
    plan = build_snapshots(week, [date(2026, 10, 27), date(2026, 10, 28), FRIDAY, SATURDAY, MONDAY], 4)
    assert [status(plan, day, "ISK") for day in (date(2026, 10, 27), FRIDAY, SATURDAY)] == [MISSING] * 3
    assert status(plan, date(2026, 10, 28), "ISK") == OK


def test_a_discontinued_currency_is_missing_not_pending(week: RateHistory, ecb: RateHistory) -> None:
    assert status(build_snapshots(week, [MONDAY], 4), MONDAY, "ISK") == MISSING
    plan = build_snapshots(ecb, [date(2022, 3, 1), date(2022, 3, 2), MONDAY], 4)
    assert [status(plan, day, "RUB") for day in (date(2022, 3, 1), date(2022, 3, 2), MONDAY)] == [
        OK,
        MISSING,
        MISSING,
    ]


@pytest.mark.parametrize(("carry", "expected"), [(0, MISSING), (1, MISSING), (2, OK), (4, OK)])
def test_a_carry_longer_than_the_policy_is_missing(
    carry: int, expected: RateStatus, week: RateHistory
) -> None:
    assert build_snapshots(week, [SUNDAY], carry).dates(expected) == (SUNDAY,)


def test_days_before_the_first_publication_are_missing(ecb: RateHistory) -> None:
    days = [date(1998, 12, 31), date(1999, 1, 3), date(1999, 1, 4)]
    plan = build_snapshots(ecb, days, 4)
    assert plan.dates(MISSING) == tuple(days[:2])
    assert plan.dates(OK) == (days[2],)


def test_rates_are_carried_four_days_over_easter(ecb: RateHistory) -> None:
    plan = build_snapshots(ecb, [date(2026, 4, 6)], 4)
    assert {published for _, _, published in in_force(plan, date(2026, 4, 6))} == {date(2026, 4, 2)}


def test_every_day_of_the_history_has_a_snapshot_that_agrees_with_an_independent_reading(
    ecb: RateHistory,
) -> None:
    days = [ecb.first + timedelta(days=offset) for offset in range((ecb.last - ecb.first).days + 3)]
    plan = build_snapshots(ecb, days, 4)
    assert plan.snapshots.num_rows == len(days)
    rates: dict[date, dict[str, Decimal]] = {day: {} for day in days}
    published = {}
    for row in plan.rate_states.filter(plan.rate_states.column("rate").is_valid()).to_pylist():
        rates[row["date"]][row["currency"]] = row["rate"]
        published[row["date"]] = row["publication_date"]
    for day in days:
        assert (published[day], rates[day]) == independent_rates(day)


def test_the_hash_from_the_database_equals_the_reference(ecb: RateHistory) -> None:
    days = [date(2001, 1, 1), date(2004, 12, 31), SUNDAY]
    plan = build_snapshots(ecb, days, 4)
    for row in plan.snapshots.to_pylist():
        digest = snapshot_hash(row["snapshot_date"], in_force(plan, row["snapshot_date"]))
        assert row["hash"] == digest
        assert row["snapshot_id"] == snapshot_id(row["snapshot_date"], digest)
    assert plan.snapshots.column("snapshot_id").to_pylist()[-1] == "ecb-2026-11-01-c611543d4df0"


def test_the_hash_depends_on_date_currency_rate_and_publication_and_not_on_order() -> None:
    rows = [("USD", Decimal("1.1172"), FRIDAY), ("EUR", Decimal(1), FRIDAY)]
    digest = snapshot_hash(FRIDAY, rows)
    assert digest == snapshot_hash(FRIDAY, rows[::-1])
    assert digest == snapshot_hash(FRIDAY, [("USD", Decimal("1.11720000"), FRIDAY), rows[1]])
    others = [
        snapshot_hash(SATURDAY, rows),
        snapshot_hash(FRIDAY, rows[1:]),
        snapshot_hash(FRIDAY, [("USD", Decimal("1.1173"), FRIDAY), rows[1]]),
        snapshot_hash(FRIDAY, [("CAD", Decimal("1.1172"), FRIDAY), rows[1]]),
        snapshot_hash(FRIDAY, [("USD", Decimal("1.1172"), SATURDAY), rows[1]]),
    ]
    assert len({digest, *others}) == len(others) + 1


def test_the_same_rates_in_another_file_give_the_same_snapshot(week: RateHistory, read: Reader) -> None:
    other = read("Date,GBP,USD,ISK,CAD,\n2026-10-30,0.83380,1.117200,N/A,N/A,\n")
    of_week, of_other = (build_snapshots(history, [FRIDAY], 4).snapshots for history in (week, other))
    assert of_week.column("snapshot_id").equals(of_other.column("snapshot_id"))
    assert not of_week.column("source_sha256").equals(of_other.column("source_sha256"))


def test_later_publications_and_other_dates_change_no_snapshot(ecb: RateHistory) -> None:
    days = [date(2026, 8, 1) + timedelta(days=offset) for offset in range(60)]
    whole = build_snapshots(ecb, days, 4).snapshots
    shorter = ecb.between(ecb.first, date(2026, 9, 30))
    assert build_snapshots(shorter, days, 4).snapshots.equals(whole)
    singly = [build_snapshots(ecb, [day], 4).snapshots for day in (days[0], days[-1])]
    assert [part.to_pylist()[0] for part in singly] == [whole.to_pylist()[0], whole.to_pylist()[-1]]
    assert build_snapshots(ecb, days[::-1] + days, 4).snapshots.equals(whole)


@pytest.mark.parametrize(("days", "carry"), [([], 4), ([FRIDAY], -1)])
def test_no_dates_or_a_negative_carry_are_refused(days: list[date], carry: int, week: RateHistory) -> None:
    with pytest.raises(InputError, match="at least one date"):
        build_snapshots(week, days, carry)


@pytest.mark.parametrize(
    ("rate", "text"),
    [("1.1172000000", "1.1172"), ("10.0000000000", "10"), ("1912400", "1912400"), ("0.5", "0.5")],
)
def test_a_rate_has_one_canonical_text(rate: str, text: str) -> None:
    assert rate_text(Decimal(rate)) == text
