"""Totals: the programme's currency, caps and the credit, and claims that cannot be."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest

from showcost.config.incentives import packaged_programmes
from showcost.config.incentives.model import CapBase, SpendVerdict
from showcost.core.errors import ConfigError, InputError
from showcost.reports.incentives import SpendOptions, qualified_spend
from showcost.workspace import open_workspace
from showcost_tests.ledger.rows import MONDAY
from showcost_tests.ledger.test_journal import RATES
from showcost_tests.reports.incentives.books import CLAIM, TUESDAY, a_cost, claiming, keep, some_pay, spend
from showcost_tests.whole.small import make_home

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def total_of(workspace: Workspace) -> dict[str, Any]:
    totals, _ = spend(workspace)
    row: dict[str, Any] = totals.rows.to_pylist()[0]
    return row


def test_costs_are_converted_at_the_rates_of_their_own_date(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    costs = [("100.10", "EUR"), ("99.99", "USD"), ("-12.34", "EUR"), ("7.77", "GBP")]
    keep(workspace, [a_cost(n, amount, currency=code) for n, (amount, code) in enumerate(costs)])
    per_euro = RATES | {"EUR": Decimal(1)}
    own = sum(
        Decimal(amount) if code == "GBP" else cents(Decimal(amount) * per_euro["GBP"] / per_euro[code])
        for amount, code in costs
    )
    total = total_of(workspace)
    assert total["qualifying"] == own
    assert total["credit"] == cents(own * Decimal("0.25"))
    assert total["credit_base"] == cents(total["qualifying_base"] * total["credit"] / own)


CAPS = {
    "": ("1000", "250.00"),
    "{id: cap, base: amount, amount: 400, source: s, certainty: M}": ("400", "100.00"),
    "{id: cap, base: amount, amount: 400, categories: [series], source: s, certainty: M}": ("1000", "250.00"),
    "{id: cap, base: credit, amount: 90, source: s, certainty: M}": ("1000", "90.00"),
    "{id: cap, base: core_expenditure, percent: 80, source: s, certainty: M}": ("480", "120.00"),
    "{id: cap, base: production_cost, percent: 60, source: s, certainty: M}": ("1000", "250.00"),
    "{id: cap, base: qualifying_labour, percent: 400, source: s, certainty: M}": ("800", "200.00"),
}


@pytest.mark.parametrize("cap", CAPS)
def test_a_cap_limits_spend_or_credit(tmp_path: Path, cap: str) -> None:
    claim = """
account_categories: {completion_bond: []}
incentives:
  - {programme: test-credit, core_expenditure: 600.00,
     residence: [{in: GB, accounts: [4010], evidence: declarations}]}
"""
    workspace = claiming(tmp_path / "home", claim, caps=f"caps: [{cap}]")
    keep(workspace, [a_cost(1, "800.00")], [some_pay(1, "200.00")])
    total = total_of(workspace)
    assert total["qualifying"] == 1000
    assert (total["eligible"], total["credit"]) == tuple(map(Decimal, CAPS[cap]))
    # An estimate without a cap that the programme has is not sure.
    assert total["certainty"] == ("L" if "production_cost" in cap else "M")
    notes = spend(workspace)[0].notes
    assert any("no production_cost" in note for note in notes) == ("production_cost" in cap)


def test_a_vendor_whose_residence_is_declared_without_a_cost_is_named(tmp_path: Path) -> None:
    claim = """
account_categories: {completion_bond: []}
incentives:
  - {programme: test-credit, residence: [{in: GB, vendors: [v-1, V-77, V-78], evidence: letters}]}
"""
    workspace = claiming(tmp_path / "home", claim)
    keep(workspace, [a_cost(1)])
    totals, _ = spend(workspace)
    assert "test-credit: no cost is of V-77, V-78, whose residence is declared" in totals.notes


def test_an_account_that_the_chart_lost_counts_as_a_cost(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    keep(workspace, [a_cost(1, account="3320-OLD"), a_cost(2, account="9110")])
    totals, lines = spend(workspace)
    assert lines.rows.column("account").to_pylist() == ["3320-OLD"]
    assert (
        "1 active entries, 131.27 USD, on account 3320-OLD, which the chart does not list: they count as"
        " costs" in totals.notes
    )


def test_a_category_of_the_claim_chooses_the_rate(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home", CLAIM.replace("test-credit}", "test-credit, category: series}"))
    keep(workspace, [a_cost(1, "1000.00")])
    assert total_of(workspace)["credit"] == 200


def test_costs_without_a_rate_of_the_programmes_currency_are_said(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    path = workspace.path / "incentives" / "test_credit.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("currency: GBP", "currency: CHF"), encoding="utf-8"
    )
    workspace = open_workspace(workspace.path)
    keep(workspace, [a_cost(1, "1000.00")])
    totals, lines = spend(workspace)
    note = "Not in the totals: test-credit: 1 costs, 1,312.75 USD, because they have no pinned rate of CHF."
    assert totals.by_name["qualifying"].title == "Qualifying (incomplete)"
    assert note in totals.notes
    assert lines.rows.column("flags").to_pylist() == ["no rate of the programme's currency"]


FAULTS = {
    "incentives: [{programme: no-such}]": r"incentives\.0\.programme: expected one of .*, found 'no-such'",
    "incentives: [{programme: uk-avec}, {programme: uk-avec}]": "each programme once",
    "incentives: [{programme: ca-pstc}, {programme: ca-cptc}]": "together with ca-pstc",
    "incentives: [{programme: uk-avec, category: opera}]": "expected one of film-or-television",
    "incentives: [{programme: uk-avec, from: 2026-02-01, to: 2026-01-01}]": "not before `from`",
    "incentives: [{programme: uk-avec, core_expenditure: -1}]": "greater than 0",
    "incentives: [{programme: uk-avec, residence: [{in: GB, evidence: e}]}]": "vendors or accounts",
    "incentives: [{programme: uk-avec, residence: [{in: gb, vendors: [V], evidence: e}]}]": "of the form",
    "account_categories: {performers: [9999]}": r"account_categories\.performers: expected accounts of",
    "account_categories: {performer: [1410]}\nincentives: [{programme: uk-avec}]": "found 'performer'",
    "incentives: [{programme: uk-avec, residence: [{in: GB, accounts: ['77*'], evidence: e}]}]": "'77\\*'",
    "incentives: [{programme: uk-avec, residence: [{in: GB, vendors: [V], evidence: e},"
    " {in: US, vendors: [V], evidence: e}]}]": "declared twice",
}


@pytest.mark.parametrize("claim", FAULTS)
def test_a_claim_that_cannot_be_is_one_clear_error(tmp_path: Path, claim: str) -> None:
    home = make_home(tmp_path / "home").path
    with (home / "production.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{claim}\n")
    with pytest.raises(ConfigError, match=FAULTS[claim]):
        open_workspace(home)


def test_a_programme_that_is_not_claimed_is_refused(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    with pytest.raises(InputError, match="does not claim the programme 'uk-avec'; claimed: test-credit"):
        qualified_spend(workspace, SpendOptions(programmes=("uk-avec",)))


def test_without_claims_the_report_says_so(tmp_path: Path) -> None:
    (totals,) = qualified_spend(make_home(tmp_path / "home"), SpendOptions())
    assert totals.rows.num_rows == 0
    assert "production.yaml claims no incentive programme" in totals.notes


@pytest.mark.parametrize("name", packaged_programmes())
def test_what_was_not_read_never_decides_alone(name: str) -> None:
    programme = packaged_programmes()[name]
    for rule in programme.rules:
        assert rule.certainty.rejects or rule.effective is SpendVerdict.REVIEW
        assert rule.source != "not read" or rule.certainty.value == "L"
    assert all(cap.base is not CapBase.CREDIT or cap.amount for cap in programme.caps)
    assert programme.unmodelled


def test_spend_of_a_report_ends_with_its_last_day(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    keep(workspace, [a_cost(1, "100.00"), a_cost(2, "40.00", day=TUESDAY)])
    for last, amount in ((MONDAY, 100), (TUESDAY, 140)):
        totals, lines = qualified_spend(workspace, SpendOptions(last=last))
        assert totals.title == f"Qualified spend to {last}"
        assert totals.rows.column("qualifying").to_pylist() == [amount]
        assert lines.title == f"Qualified spend to {last}: Test credit"
        assert lines.rows.num_rows == (1 if last == MONDAY else 2)
