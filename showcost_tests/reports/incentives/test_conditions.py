"""Conditions of rules, one kind at a time: met, not met, and not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from showcost.core.errors import ConfigError
from showcost.reports.incentives import SpendOptions, qualified_spend
from showcost.workspace import open_workspace
from showcost_tests.reports.incentives.books import a_cost, claiming, keep, some_pay

if TYPE_CHECKING:
    from pathlib import Path

YES, LOOK, NO = "qualifies", "needs a look", "does not qualify"
COST, PAY = "INV", "PAY"

PROGRAMME = """\
programme: {programme}
title: One rule
authority: Test authority
currency: USD
jurisdictions: [GB]
source: the test
certainty: H
place: {source: the test, certainty: H}
rules:
  - {id: the-rule, verdict: qualifies, reason: it does, source: the test, certainty: H, {conditions}}
rates: [{category: all, percent: 10, source: the test, certainty: H}]
"""

CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "an account": ("when: {accounts: [3320]}", {}, COST, YES),
    "another account": ("when: {accounts: [3310]}", {}, COST, NO),
    "a range of accounts": ("when: {accounts: [3300-3399]}", {}, COST, YES),
    "a pattern of accounts": ("when: {accounts: ['33*']}", {}, COST, YES),
    "an account that the chart lacks": ("when: {accounts: [77-78]}", {}, COST, NO),
    "a union": ("when: {unions: [none]}", {}, COST, YES),
    "another union": ("when: {unions: [iatse]}", {}, COST, NO),
    "a kind of record": ("when: {record_kinds: [vendor_invoice]}", {}, COST, YES),
    "another kind of record": ("when: {record_kinds: [payroll]}", {}, COST, NO),
    "a component": ("when: {components: [gross]}", {}, PAY, YES),
    "an earning type that is not known": ("when: {earning_types: [overtime]}", {}, PAY, LOOK),
    "a kind of cost": ("when: {cost_kinds: [labour, fringe]}", {}, PAY, YES),
    "a loan-out": ("when: {loan_out: true}", {"loan_out": "yes"}, PAY, YES),
    "no loan-out": ("when: {loan_out: false}", {"loan_out": "yes"}, PAY, NO),
    "a loan-out that is not known": ("when: {loan_out: true}", {"loan_out": "perhaps"}, PAY, LOOK),
    "a place": ("when: {performed_in: [GB-ENG]}", {"location": "ENG"}, COST, YES),
    "a part of the place": ("when: {performed_in: [GB-ENG]}", {}, COST, LOOK),
    "a country": ("when: {vendor_countries: [DE]}", {}, COST, NO),
    "a foreign residence": ("when: {resident_in: [DE]}", {}, COST, NO),
    "a residence that is not known": ("when: {resident_in: [GB]}", {}, COST, LOOK),
    "two conditions": ("when: {accounts: [3320], vendor_countries: [GB]}", {}, COST, YES),
    "one of two conditions": ("when: {accounts: [3310], resident_in: [GB]}", {}, COST, NO),
    "an exception": ("when: {accounts: ['33*']}, unless: {accounts: [3320]}", {}, COST, NO),
    "an exception that does not apply": (
        "when: {accounts: ['33*']}, unless: {accounts: [3310]}",
        {},
        COST,
        YES,
    ),
    "an exception that is not known": ("unless: {resident_in: [GB]}", {}, COST, LOOK),
    "no condition": ("when: {}", {}, COST, YES),
}


def programme(conditions: str, name: str = "one-rule") -> str:
    return PROGRAMME.replace("{programme}", name).replace("{conditions}", conditions)


def test_a_condition_is_met_or_not_or_not_known(tmp_path: Path) -> None:
    ids = [f"case-{number}" for number in range(len(CASES))]
    claims = ", ".join(f"{{programme: {name}}}" for name in ids)
    home = claiming(tmp_path / "home", "", programme=programme("when: {}")).path
    for name, (conditions, _, _, _) in zip(ids, CASES.values(), strict=True):
        text = programme(conditions, name)
        (home / "incentives" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with (home / "production.yaml").open("a", encoding="utf-8") as file:
        file.write(f"incentives: [{claims}]\n")
    workspace = open_workspace(home)
    facts = [(number, facts, document) for number, (_, facts, document, _) in enumerate(CASES.values())]
    keep(
        workspace,
        [a_cost(number, **given) for number, given, document in facts if document == COST],
        [some_pay(number, **given) for number, given, document in facts if document == PAY],
    )
    _, *tables = qualified_spend(workspace, SpendOptions(elsewhere=True))
    found = {}
    for number, (name, table) in enumerate(zip(CASES, tables, strict=True)):
        rows = {row["document"]: row for row in table.rows.to_pylist() if row["labour"] != "fringe"}
        found[name] = rows[f"{CASES[name][2]}-{number}"]["verdict"]
    assert found == {name: expected for name, (_, _, _, expected) in CASES.items()}


FAULTS = {
    "verdict: qualifies": "verdict: perhaps",
    "certainty: H, when": "certainty: X, when",
    "source: the test\n": "",
    "percent: 10": "percent: 110",
    "jurisdictions: [GB]": "jurisdictions: [Great Britain]",
    "title: One rule": "titel: One rule",
    "place: {": "from: 2026-01-02\nto: 2026-01-01\nperiod: {source: s, certainty: H}\nplace: {",
    "currency: USD": "currency: USD\nfrom: 2026-01-02",
}


@pytest.mark.parametrize("good", FAULTS)
def test_a_faulty_file_names_the_file_and_the_key(tmp_path: Path, good: str) -> None:
    text = programme("when: {}").replace(good, FAULTS[good])
    with pytest.raises(ConfigError, match=r"incentives/test_credit\.yaml: "):
        claiming(tmp_path / "home", "incentives: [{programme: one-rule}]\n", programme=text)


def test_a_file_that_nothing_claims_is_checked_as_well(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home", "", programme=programme("when: {}"))
    assert workspace.incentives == ()
    (workspace.path / "incentives" / "second.yaml").write_text("programme: x\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"second\.yaml"):
        open_workspace(workspace.path)
