"""Every rule of one row has a row that holds to it and one that does not, at each boundary and date."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.agreements.kinds import (
    AnnualIncreases,
    Contribution,
    KeyDate,
    RestInvasion,
    RestPeriod,
    WeeklyMealPenalties,
    WeeklyOvertime,
    WorkPlace,
)
from showcost.pay.numbers import day_number
from showcost.pay.terms import bind
from showcost_tests.pay.fixtures import OF_DAYS, Fixture, every_fixture
from showcost_tests.pay.rows import (
    AGREEMENTS,
    before,
    clock,
    engine,
    one,
    paid,
    production,
    row,
    with_sums,
)

if TYPE_CHECKING:
    from showcost.config.agreements import Agreement, PayRule

FIXTURES: Final = every_fixture()
OVER_SEVERAL_DAYS: Final = (WeeklyOvertime, WeeklyMealPenalties, RestPeriod, RestInvasion)


def _batches() -> list[list[Fixture]]:
    """Return the fixtures in batches of the same rules and production, which the engine judges at once."""
    ordered = sorted(FIXTURES, key=lambda one: (one.agreements.all[0].name, one.rule))
    batches = []
    for _, some in groupby(ordered, key=lambda one: (one.agreements, one.show)):
        batches.append(list(some))
    return batches


@pytest.mark.parametrize(
    "batch", _batches(), ids=lambda batch: f"{batch[0].agreements.all[0].name}: {batch[0].rule}"
)
def test_rows_hold_and_fail_as_they_must(batch: list[Fixture]) -> None:
    found = engine([one.row for one in batch], batch[0].show, batch[0].agreements)
    wrong = {
        fixture.name: (found_.get(fixture.check, "none"), fixture.level, fixture.row)
        for fixture, found_ in zip(batch, found, strict=True)
        if found_.get(fixture.check, "none") != fixture.level
    }
    assert wrong == {}


def test_no_rule_is_missed() -> None:
    levels = defaultdict(set)
    for fixture in FIXTURES:
        levels[fixture.agreements.all[0].name, fixture.rule].add(fixture.level == "none")
    for agreement in AGREEMENTS:
        assert levels[agreement.name, "in force"] == {True, False}
        for rule in agreement.rules:
            needs_others = isinstance(rule, OVER_SEVERAL_DAYS) or (
                isinstance(rule, Contribution) and rule.ceiling
            )
            if not needs_others and not isinstance(rule, AnnualIncreases):
                assert levels[agreement.name, rule.id] == {True, False}, f"{agreement.name}: {rule.id}"
        raised = {scale for rule in agreement.of_kind(AnnualIncreases) for scale in rule.raises}
        assert all(levels[agreement.name, scale] == {True, False} for scale in raised)


HOURS: Final = ("8.0", "8.1", "10.0", "10.1", "12.0", "12.1", "14.0", "14.1", "15.0", "15.1", "16.0", "16.1")


@pytest.mark.parametrize("agreement", AGREEMENTS.all, ids=lambda agreement: agreement.name)
def test_day_of_any_length_is_judged_by_all_rules_together(agreement: Agreement) -> None:
    """Paid as all rules ask a day passes; a hundredth of an hour less does not, once there is overtime."""
    rows, short = [], []
    for hours in HOURS:
        for place in WorkPlace:
            for change in OF_DAYS.values():
                last = {"work_date": str(agreement.end or agreement.start), "work_place": place.value}
                full = paid(row(agreement, **last, **change, **clock(Decimal(hours), "06:30")))
                less = Decimal(str(full["hours_1x"])) - Decimal("0.01")
                rows.append(full)
                short.append(with_sums(full | {"hours_1x": str(less)}, agreement))
    assert [found for found in engine(rows) if found] == []
    failing = [found.get("SC-PAY-002 hours_1_5x") for found in engine(short)]
    # The first local of the Basic Agreement has no overtime that was read below golden hours.
    assert all(failing) if agreement.name != "IATSE Basic Agreement" else any(failing)


def paid_day(hours: str, place: str, columns: tuple[str, str, str, str], **change: object) -> dict[str, str]:
    """Return what the engine says of a Local 80 grip of 2026 whose hours were paid in these columns."""
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    names = ("hours_1x", "hours_1_5x", "hours_2x", "hours_3x")
    grip = {"union_local": "80", "occupation_code": "4551", "schedule": "1", "rate": "65.22"}
    day = row(basic, work_date="2026-10-05", work_place=place, **grip, **clock(Decimal(hours)), **change)
    return one(with_sums(day | dict(zip(names, columns, strict=True)), basic))


@pytest.mark.parametrize(
    ("hours", "place", "columns", "holds"),
    [
        ("8.0", "studio", ("8", "0", "0", "0"), True),
        ("8.1", "studio", ("8.1", "0", "0", "0"), False),
        ("8.1", "studio", ("8", "0.1", "0", "0"), True),
        ("12.0", "studio", ("8", "4", "0", "0"), True),
        ("12.1", "studio", ("8", "4.1", "0", "0"), False),
        ("12.1", "studio", ("8", "4", "0.1", "0"), True),
        ("14.0", "distant", ("8", "6", "0", "0"), True),
        ("14.1", "distant", ("8", "6.1", "0", "0"), False),
        ("14.1", "distant", ("8", "6", "0.1", "0"), True),
        ("15.0", "distant", ("8", "6", "1", "0"), True),
        ("15.1", "distant", ("8", "6", "1.1", "0"), False),
        ("15.1", "distant", ("8", "6", "1", "0.1"), True),
        ("15.1", "studio", ("8", "4", "3", "0.1"), True),
        ("15.1", "studio", ("8", "4", "3.1", "0"), False),
    ],
)
def test_tiers_of_a_grip(hours: str, place: str, columns: tuple[str, str, str, str], holds: bool) -> None:
    assert paid_day(hours, place, columns) == ({} if holds else {"SC-PAY-002 hours_1_5x": "hard"})


def test_golden_hours_of_the_sixth_day_reject_and_its_derived_multiple_asks_for_a_look() -> None:
    assert paid_day("8.0", "studio", ("8", "0", "0", "0"), day_of_workweek="6") == {
        "SC-PAY-002 hours_1_5x": "soft"
    }
    assert paid_day("8.0", "studio", ("0", "8", "0", "0"), day_of_workweek="6") == {}
    assert paid_day("13.0", "studio", ("0", "12", "0", "1"), day_of_workweek="6") == {}
    assert paid_day("13.0", "studio", ("8", "4", "1", "0"), day_of_workweek="6") == {
        "SC-PAY-002 hours_1_5x": "hard"
    }


@pytest.mark.parametrize("most", ["99999999999999", "-99999999999999"])
def test_numbers_beyond_all_pay_are_judged_and_break_nothing(most: str) -> None:
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    day = row(basic, work_date="2026-10-05", union_local="80", occupation_code="4551", schedule="1")
    names = ("rate", "hours_1x", "hours_3x", "meal_penalty_count", "meal_penalty_amount", "gross")
    assert "SC-PAY-006 gross" in one(day | dict.fromkeys(names, most))
    assert "SC-PAY-006 gross" in one(day | {"rate": "9000000", "hours_1x": "9000", "gross": most})


def test_rule_keyed_on_photography_binds_from_its_day_on() -> None:
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    day = row(basic, work_date="2026-10-05", union_local="600", occupation_code="1999", **clock(Decimal(13)))
    flat = with_sums(day | {"hours_1x": "13"}, basic)
    assert "SC-PAY-002 hours_1_5x" in one(flat, production(photography=date(2024, 8, 4)))
    assert one(flat, production(photography=date(2024, 8, 3))) == {}


def _dated_rules() -> list[tuple[Agreement, PayRule, date]]:
    """Return every rule with a first day of its own, which its agreement's is not."""
    return [
        (agreement, rule, rule.start)
        for agreement in AGREEMENTS
        for rule in agreement.rules
        if rule.start is not None and (rule.keyed_on is KeyDate.PHOTOGRAPHY or rule.start > agreement.start)
    ]


@pytest.mark.parametrize(
    ("agreement", "rule", "day"), _dated_rules(), ids=lambda one: getattr(one, "id", getattr(one, "name", ""))
)
def test_rule_binds_on_its_first_day_and_not_on_the_day_before(
    agreement: Agreement, rule: PayRule, day: date
) -> None:
    photography = rule.keyed_on is KeyDate.PHOTOGRAPHY
    for first, binds in ((day, True), (before(day), False)):
        show = production(
            rule.production_types[0] if rule.production_types else "streaming",
            first if photography else agreement.start,
        )
        bound = [one for one in bind(agreement, show).rules if one.rule is rule]
        if photography:
            assert bool(bound) is binds
        else:
            (one,) = bound
            assert (one.first <= day_number(first) <= one.last) is binds


def test_rules_with_a_first_day_of_their_own_are_there() -> None:
    assert {str(day) for _, _, day in _dated_rules()} >= {
        "2024-08-04",
        "2024-11-03",
        "2022-02-13",
        "2022-07-01",
    }
