"""Single-row rules: rows that meet each rule and rows that do not, at each boundary and date."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.agreements.rule_kinds import (
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
    failures_of,
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
    """Return the fixtures in batches of the same rules and production, which the engine checks together."""
    ordered = sorted(FIXTURES, key=lambda fixture: (fixture.agreements.all[0].name, fixture.rule))
    batches = []
    for _, some in groupby(ordered, key=lambda fixture: (fixture.agreements, fixture.show)):
        batches.append(list(some))
    return batches


@pytest.mark.parametrize(
    "batch", _batches(), ids=lambda batch: f"{batch[0].agreements.all[0].name}: {batch[0].rule}"
)
def test_rows_pass_and_fail_as_expected(batch: list[Fixture]) -> None:
    results = engine([fixture.row for fixture in batch], batch[0].show, batch[0].agreements)
    wrong = {
        fixture.name: (result.get(fixture.check, "none"), fixture.level, fixture.row)
        for fixture, result in zip(batch, results, strict=True)
        if result.get(fixture.check, "none") != fixture.level
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
def test_a_day_of_any_length_is_checked_by_all_rules_together(agreement: Agreement) -> None:
    """A day paid as all rules require passes; with overtime, a hundredth of an hour less fails."""
    rows, short = [], []
    for hours in HOURS:
        for place in WorkPlace:
            for change in OF_DAYS.values():
                last = {"work_date": str(agreement.end or agreement.start), "work_place": place.value}
                full = paid(row(agreement, **last, **change, **clock(Decimal(hours), "06:30")))
                less = Decimal(str(full["hours_1x"])) - Decimal("0.01")
                rows.append(full)
                short.append(with_sums(full | {"hours_1x": str(less)}, agreement))
    assert [failures for failures in engine(rows) if failures] == []
    failing = [failures.get("SC-PAY-002 hours_1_5x") for failures in engine(short)]
    # The first local of the Basic Agreement has no overtime that was read below golden hours.
    if agreement.name == "IATSE Basic Agreement":
        assert any(failing)
    else:
        # The extended days of the DGA's agreement have not been read.
        assert all(failing) is (agreement.name != "DGA Basic Agreement")


def paid_day(hours: str, place: str, columns: tuple[str, str, str, str], **change: object) -> dict[str, str]:
    """Return the engine's result for a Local 80 grip of 2026 whose hours were paid in these columns."""
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    names = ("hours_1x", "hours_1_5x", "hours_2x", "hours_3x")
    grip = {"union_local": "80", "occupation_code": "4551", "schedule": "1", "rate": "65.22"}
    day = row(basic, work_date="2026-10-05", work_place=place, **grip, **clock(Decimal(hours)), **change)
    return failures_of(with_sums(day | dict(zip(names, columns, strict=True)), basic))


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


def test_golden_hours_of_the_sixth_day_reject_and_its_derived_multiple_needs_review() -> None:
    assert paid_day("8.0", "studio", ("8", "0", "0", "0"), day_of_workweek="6") == {
        "SC-PAY-002 hours_1_5x": "soft"
    }
    assert paid_day("8.0", "studio", ("0", "8", "0", "0"), day_of_workweek="6") == {}
    assert paid_day("13.0", "studio", ("0", "12", "0", "1"), day_of_workweek="6") == {}
    assert paid_day("13.0", "studio", ("8", "4", "1", "0"), day_of_workweek="6") == {
        "SC-PAY-002 hours_1_5x": "hard"
    }


@pytest.mark.parametrize("most", ["99999999999999", "-99999999999999"])
def test_extreme_numbers_are_checked_without_an_error(most: str) -> None:
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    day = row(basic, work_date="2026-10-05", union_local="80", occupation_code="4551", schedule="1")
    names = ("rate", "hours_1x", "hours_3x", "meal_penalty_count", "meal_penalty_amount", "gross")
    assert "SC-PAY-006 gross" in failures_of(day | dict.fromkeys(names, most))
    assert "SC-PAY-006 gross" in failures_of(day | {"rate": "9000000", "hours_1x": "9000", "gross": most})


def test_rule_keyed_on_photography_binds_from_its_day_on() -> None:
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    day = row(basic, work_date="2026-10-05", union_local="600", occupation_code="1999", **clock(Decimal(13)))
    flat = with_sums(day | {"hours_1x": "13"}, basic)
    assert "SC-PAY-002 hours_1_5x" in failures_of(flat, production(photography=date(2024, 8, 4)))
    assert failures_of(flat, production(photography=date(2024, 8, 3))) == {}


def _dated_rules() -> list[tuple[Agreement, PayRule, date]]:
    """Return every rule with a first day other than its agreement's."""
    return [
        (agreement, rule, rule.start)
        for agreement in AGREEMENTS
        for rule in agreement.rules
        if rule.start is not None and (rule.keyed_on is KeyDate.PHOTOGRAPHY or rule.start > agreement.start)
    ]


@pytest.mark.parametrize(
    ("agreement", "rule", "day"),
    _dated_rules(),
    ids=lambda value: getattr(value, "id", getattr(value, "name", "")),
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
        bound = [binding for binding in bind(agreement, show).rules if binding.rule is rule]
        if photography:
            assert bool(bound) is binds
        else:
            (binding,) = bound
            assert (binding.first <= day_number(first) <= binding.last) is binds


def test_there_are_rules_with_their_own_first_day() -> None:
    assert {str(day) for _, _, day in _dated_rules()} >= {
        "2024-08-04",
        "2024-11-03",
        "2022-02-13",
        "2022-07-01",
    }
