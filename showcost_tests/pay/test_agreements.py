"""Agreements as data: loading, errors of one sentence, and compounding to the cent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.agreements import Certainty, ScalePeriod, load_agreements, packaged
from showcost.config.agreements.loading import packaged_files
from showcost.config.agreements.model import Agreement, compounded
from showcost.config.agreements.rule_kinds import ScaleFloor
from showcost.config.loading import load_model
from showcost.core.errors import ConfigError
from showcost_tests.pay.rows import AGREEMENTS, engine, production, row

if TYPE_CHECKING:
    from pathlib import Path

GOOD: Final = """
agreement: House terms
version: "2026.1"
union: bectu
currency: GBP
from: 2026-01-01
source: deal memo
certainty: H
locals: [{local: HOUSE, title: all, source: deal memo, certainty: H}]
rules:
  - {id: call, kind: minimum_call, unit: hours, hours: 4, source: deal memo, clause: "3", certainty: H}
"""


def home_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "agreements").mkdir()
    (tmp_path / "agreements" / "house.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_package_has_its_agreements() -> None:
    assert {agreement.name for agreement in packaged()} == {
        "ACTRA IPA",
        "DGA Basic Agreement",
        "Equity UK TV",
        "IATSE Area Standards",
        "IATSE Basic Agreement",
        "Non-union crew deal memo (California)",
        "Pact/Bectu TV drama",
        "SAG-AFTRA TV/Theatrical 2023",
        "SAG-AFTRA TV/Theatrical 2026",
        "Teamsters 399",
    }


@pytest.mark.parametrize("path", packaged_files(), ids=lambda path: path.stem)
def test_every_rule_has_a_source_and_a_certainty(path: Path) -> None:
    agreement = load_model(path, Agreement)
    assert all(rule.source and rule.clause and rule.unit for rule in agreement.rules)
    for period in agreement.scales:
        assert period.certainty is Certainty.DERIVED if period.arithmetic else period.certainty


def test_local_80_schedule_1_of_2026_is_compounded_from_2024_to_the_cent() -> None:
    basic = packaged().named("IATSE Basic Agreement")
    scale = [period for period in basic.scales if period.rate.occupation == "4551"]
    assert [(period.start, period.amount) for period in scale] == [
        (date(2024, 8, 4), Decimal("60.59")),
        (date(2025, 8, 3), Decimal("63.01")),
        (date(2026, 8, 2), Decimal("65.22")),
    ]
    cent = Decimal("0.01")
    # No other amount in cents does: the scale of 2024, which was not read, is certain by arithmetic alone.
    starts = [Decimal(cents) * cent for cents in range(6000, 6200)]
    reached = [
        start
        for start in starts
        if compounded(compounded(start, Decimal(4), cent), Decimal("3.5"), cent) == Decimal("65.22")
    ]
    assert reached == [Decimal("60.59")]
    # Rounded once at the end it would not come out to the cent of every scale.
    assert compounded(Decimal("50.68"), Decimal(4), cent) == Decimal("52.71")
    assert compounded(Decimal("52.71"), Decimal("3.5"), cent) == Decimal("54.55")


@pytest.mark.parametrize(("rate", "fails"), [("3978.42", {}), ("3978.41", {"SC-PAY-001 rate": "soft"})])
def test_weekly_guarantee_of_54_hours_is_61_times_the_hourly_rate(rate: str, fails: dict[str, str]) -> None:
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    assert (
        Decimal("3978.42")
        == 61 * Decimal("65.22")
        == 40 * Decimal("65.22") + 14 * Decimal("1.5") * Decimal("65.22")
    )
    week = row(
        basic,
        work_date="2026-10-05",
        union_local="80",
        occupation_code="4551",
        schedule="1",
        rate=rate,
        rate_basis="week",
        hours_1x="40",
        hours_1_5x="14",
        gross=rate,
    )
    assert engine([week])[0] == fails


def test_scale_periods_follow_each_other_without_a_gap() -> None:
    for agreement in AGREEMENTS:
        by_rule: dict[tuple[str, str], list[ScalePeriod]] = {}
        for period in agreement.scales:
            by_rule.setdefault((period.rule.id, period.rate.occupation), []).append(period)
        for periods in by_rule.values():
            for period, following in pairwise(periods):
                assert period.end is not None
                assert (following.start - period.end).days == 1


def test_a_production_adds_its_own_agreement(tmp_path: Path) -> None:
    agreements = load_agreements(home_with(tmp_path, GOOD))
    assert len(agreements.all) == len(packaged().all) + 1
    assert agreements.named("house TERMS").label.startswith("House terms 2026.1@")


def test_the_version_hash_depends_on_content_and_not_on_layout(tmp_path: Path) -> None:
    first = load_agreements(home_with(tmp_path, GOOD)).named("House terms")
    path = tmp_path / "agreements" / "house.yaml"
    path.write_text(
        "# a comment\n" + GOOD.replace("hours: 4", "hours: 4.0").replace("4.0", "4"), encoding="utf-8"
    )
    assert load_agreements(tmp_path).named("House terms").version_hash == first.version_hash
    path.write_text(GOOD.replace("hours: 4", "hours: 5"), encoding="utf-8")
    assert load_agreements(tmp_path).named("House terms").version_hash != first.version_hash


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        (("hours: 4,", "hours: -4,"), "rules.0.minimum_call.hours", "hours from zero"),
        (("kind: minimum_call", "kind: minimum"), "rules.0", "minimum_call"),
        (('clause: "3", ', ""), "rules.0.minimum_call.clause", "the key is missing"),
        (("hours: 4,", "hours: 4, hour: 5,"), "rules.0.minimum_call.hour", "no such key"),
        (("from: 2026-01-01", "from: 2026-13-01"), "line 6", "YAML"),
        (("from: 2026-01-01", "from: 2026-01-01\nto: 2025-01-01"), "", "not before `from`"),
        (("union: bectu", "union: The Union"), "union", "of the form"),
        (("currency: GBP", "currency: GPB"), "currency", "ISO 4217"),
        (("House terms", "Teamsters 399"), "agreement", "a name that no other file has"),
        (("House terms\n", "House terms\naliases: [Teamsters Local 399]\n"), "aliases", "at the same time"),
    ],
)
def test_an_invalid_file_is_one_clear_sentence(
    tmp_path: Path, change: tuple[str, str], key: str, expected: str
) -> None:
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(ConfigError) as caught:
        load_agreements(home_with(tmp_path, text))
    sentence = str(caught.value)
    assert "house.yaml" in sentence
    assert key in sentence
    assert expected in sentence
    assert "\n" not in sentence


def test_increase_that_contradicts_a_scale_that_was_read_is_refused(tmp_path: Path) -> None:
    text = next(path for path in packaged_files() if "area" in path.name).read_text(encoding="utf-8")
    wrong = text.replace("amount: 52.71", "amount: 52.72").replace("IATSE Area Standards", "Another area")
    with pytest.raises(ConfigError, match=r"50\.68 raised by 4% on 2025-08-03.*52\.71, and not 52\.72"):
        load_agreements(home_with(tmp_path, wrong.replace("aliases: [Another area Agreement, ASA]\n", "")))


def test_no_scale_of_low_certainty_rejects() -> None:
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    grip = {"union_local": "80", "occupation_code": "4551", "schedule": "1", "hours_1x": "8"}
    day = row(basic, work_date="2025-08-03", rate="63.00", gross="504.00", **grip)
    assert engine([day]) == [{"SC-PAY-001 rate": "soft"}]
    assert engine([day | {"work_date": "2026-08-02"}]) == [{"SC-PAY-001 rate": "hard"}]


def test_scale_that_depends_on_the_schedule_is_not_guessed() -> None:
    basic = AGREEMENTS.named("IATSE Basic Agreement")
    assert any(isinstance(rule, ScaleFloor) for rule in basic.rules)
    day = row(
        basic,
        work_date="2026-08-02",
        union_local="80",
        occupation_code="4551",
        rate="1",
        gross="8",
        hours_1x="8",
    )
    assert engine([day]) == [{"SC-PAY-009 schedule": "soft"}]
    assert engine([day | {"schedule": "1"}])[0] == {"SC-PAY-001 rate": "hard"}


def test_agreement_that_the_production_has_not_signed_is_not_in_force() -> None:
    show = production().model_copy(update={"agreements": ()})
    assert engine([row(AGREEMENTS.all[0])], show) == [{"SC-PAY-008 agreement": "hard"}]
