"""Verdicts: what qualifies, what does not, and what a person must look at, one fact at a time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.ledger.decisions import DecisionKind
from showcost_tests.ledger.rows import MONDAY, WEEK
from showcost_tests.ledger.test_journal import a_row, decide, last_seq
from showcost_tests.reports.incentives.books import (
    CLAIM,
    PLACES,
    TUESDAY,
    a_cost,
    claiming,
    keep,
    some_pay,
    spend,
    verdicts,
)

YES, LOOK, NO = "qualifies", "needs a look", "does not qualify"

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a supply in the place": ({}, YES, "supply"),
    "a region of the place": ({"location": "ENG"}, YES, "supply"),
    "a country under its other name": ({"location": "UK"}, YES, "supply"),
    "a second place of the programme": ({"location": "TOR"}, YES, "supply"),
    "a country of which a region counts": ({"location": "CAN"}, LOOK, "place"),
    "another region of that country": ({"location": "VAN"}, NO, "place"),
    "elsewhere": ({"location": "BBG"}, NO, "place"),
    "two places in one row": ({"location": "BOTH"}, LOOK, "place"),
    "no place": ({"location": None}, LOOK, "place"),
    "a location without a country": ({"location": "MARS"}, LOOK, "place"),
    "the provider's country in lower case": ({"vendor_country": " gb "}, YES, "supply"),
    "the provider's country under its other name": ({"vendor_country": "uk"}, YES, "supply"),
    "another country of the provider": ({"vendor_country": "US"}, NO, "no-rule"),
    "no country of the provider": ({"vendor_country": None}, LOOK, "supply"),
    "the provider's country in words": ({"vendor_country": "Great Britain"}, LOOK, "supply"),
    "a cost that no person has read the rule of": ({"account": "2220"}, LOOK, "guess"),
    "an excluded category": ({"account": "6720"}, NO, "bond"),
    "an excluded category without dates": ({"account": "6720", "service_from": None}, NO, "bond"),
    "an invoice on an account of union labour": ({"account": "3310"}, LOOK, "pay"),
    "no dates of the service": ({"service_from": None, "service_to": None}, LOOK, "dates-performed"),
    "one date of the service": ({"service_to": None}, LOOK, "dates-performed"),
    "dates the wrong way round": (
        {"service_from": TUESDAY, "service_to": MONDAY},
        LOOK,
        "dates-performed",
    ),
    "performed from before the programme": (
        {"service_from": WEEK[0] - timedelta(1)},
        LOOK,
        "dates-performed",
    ),
    "performed until after it": ({"service_to": WEEK[2] + timedelta(1)}, LOOK, "dates-performed"),
    "a lump sum": (
        {"description": "Lump sum for camera hire", "service_from": None, "service_to": None},
        LOOK,
        "lump-sum",
    ),
    "no detail": ({"description": "Hire 2", "service_from": None, "service_to": None}, LOOK, "lump-sum"),
    "the last day": ({"day": WEEK[2]}, YES, "supply"),
    "the day after": ({"day": WEEK[3]}, NO, "period"),
    "a refund": ({"amount": "-40.00"}, YES, "supply"),
}


def test_each_fact_decides_as_it_should(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    keep(workspace, [a_cost(number, **facts) for number, (facts, _, _) in enumerate(CASES.values())])
    found = verdicts(workspace)
    assert {name: found[f"INV-{number}"] for number, name in enumerate(CASES)} == {
        name: (verdict, rule) for name, (_, verdict, rule) in CASES.items()
    }


def test_a_cost_dated_before_the_first_day_does_not_qualify(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home", CLAIM.replace("test-credit}", "test-credit, from: 2026-03-03}"))
    keep(workspace, [a_cost(1, day=MONDAY), a_cost(2, day=TUESDAY)])
    assert verdicts(workspace) == {"INV-1": (NO, "period"), "INV-2": (YES, "supply")}


LETTER = "letter: {source: the test, clause: letter, certainty: M}"


@pytest.mark.parametrize(
    ("claimed", "first", "second"),
    [
        ("", (LOOK, "letter"), (LOOK, "letter")),
        (", allocation_letter: 2026-03-03", (NO, "letter"), (YES, "supply")),
        (", allocation_letter: 2025-01-01", (YES, "supply"), (YES, "supply")),
    ],
)
def test_spending_counts_from_the_letter_on(
    tmp_path: Path, claimed: str, first: tuple[str, str], second: tuple[str, str]
) -> None:
    claim = CLAIM.replace("test-credit}", f"test-credit{claimed}}}")
    workspace = claiming(tmp_path / "home", claim, letter=LETTER)
    keep(workspace, [a_cost(1, day=MONDAY), a_cost(2, day=TUESDAY), a_cost(3, day=WEEK[3])])
    assert verdicts(workspace) == {"INV-1": first, "INV-2": second, "INV-3": (NO, "period")}


RESIDENCE = """
account_categories: {completion_bond: []}
incentives:
  - programme: test-credit
    residence:
      - {in: %s, accounts: [%s], vendors: [payco], evidence: declarations}
"""


@pytest.mark.parametrize(
    ("jurisdiction", "account", "expected"),
    [
        ("GB", "4010", (YES, "pay")),
        ("GB-SCT", "40*", (YES, "pay")),
        ("US", "4000-4099", (NO, "pay-of-others")),
        ("GB", "4020", (LOOK, "pay")),  # the payroll company's own residence is not that of the crew
    ],
)
def test_pay_qualifies_by_declared_residence_only(
    tmp_path: Path, jurisdiction: str, account: str, expected: tuple[str, str]
) -> None:
    workspace = claiming(tmp_path / "home", RESIDENCE % (jurisdiction, account))
    keep(workspace, [], [some_pay(1)])
    assert verdicts(workspace) == {"PAY-1": expected, "PAY-1/fringe": (NO, "pay-of-others")}


def test_an_undefined_category_asks_for_a_look_and_says_why(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home", "incentives: [{programme: test-credit}]\n")
    keep(workspace, [a_cost(1)])
    _, lines = spend(workspace)
    (line,) = lines.rows.to_pylist()
    assert (line["verdict"], line["rule"]) == (LOOK, "bond")
    assert line["reason"] == "not known: which accounts are completion_bond (account_categories) (a bond)"


def test_a_reversed_cost_is_gone_and_as_of_brings_it_back(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    first = a_cost(1)
    keep(workspace, [first, a_cost(2, "-30.00")])
    seq = last_seq(workspace.ledger)
    before = spend(workspace)
    decide(workspace.ledger, first, DecisionKind.REVERSE)
    keep(workspace, [a_cost(2, "-30.00")])
    totals, lines = spend(workspace)
    assert lines.rows.column("document").to_pylist() == ["INV-2"]
    assert totals.rows.column("qualifying").to_pylist() == [Decimal("-30.0000")]
    assert totals.rows.column("credit").to_pylist() == [Decimal(0)]
    assert [table.rows for table in spend(workspace, seq)] == [table.rows for table in before]


def test_recoverable_tax_is_no_cost_and_a_number_like_an_identifier_is_masked(tmp_path: Path) -> None:
    workspace = claiming(tmp_path / "home")
    row = a_cost(1, description="Hire for 123-45-6789 =cmd <script>")
    row["components"] += a_row(1, "INV-1", ("tax", "9110", "20.00"))["components"]
    keep(workspace, [row])
    _, lines = spend(workspace)
    (line,) = lines.rows.to_pylist()
    assert line["description"] == "Hire for [***] =cmd <script>"
    assert line["base_amount"] == Decimal("131.27")


def by_hand(facts: dict[str, Any]) -> str:
    """Return the verdict of the test's programme on an invoice, in plain Python."""
    place = PLACES.get(facts["location"] or "", "").strip().upper().replace("UK", "GB")
    day = facts["day"]
    if not WEEK[0] <= day <= WEEK[2] or place in {"CA-BC", "DE-BB"}:
        return NO
    if facts["account"] == "6720":
        return NO
    known = facts["vendor_country"] in {"GB", "DE", "US"}
    if facts["account"] == "3320" and known and facts["vendor_country"] == "US":
        return NO
    in_dates = facts["service_from"] and facts["service_to"] and facts["service_from"] >= WEEK[0]
    in_dates = in_dates and facts["service_from"] <= facts["service_to"] <= WEEK[2]
    sure = place in {"GB", "GB-ENG", "CA-ON"} and in_dates and known
    return YES if sure and facts["account"] == "3320" else LOOK


days = st.sampled_from([WEEK[0] - timedelta(1), *WEEK])
invoices = st.fixed_dictionaries(
    {
        "amount": st.decimals(-900, 900, places=2).map(str),
        "account": st.sampled_from(["3320", "6720", "2220", "3310"]),
        "location": st.sampled_from([*PLACES, None, "MARS"]),
        "vendor_country": st.sampled_from(["GB", "DE", "US", None, "??"]),
        "currency": st.sampled_from(["GBP", "EUR", "USD"]),
        "service_from": st.none() | days,
        "service_to": st.none() | days,
        "day": st.sampled_from(WEEK),
    }
)


@settings(max_examples=25, deadline=None)
@given(st.lists(invoices, min_size=1, max_size=30))
def test_verdicts_equal_those_by_hand_and_every_cost_is_in_one_part(costs: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        workspace = claiming(Path(folder) / "home")
        keep(workspace, [a_cost(number, **facts) for number, facts in enumerate(costs)])
        totals, lines = spend(workspace)
        found = {row["document"]: row["verdict"] for row in lines.rows.to_pylist()}
        (total,) = totals.rows.to_pylist()
    assert found == {f"INV-{number}": by_hand(facts) for number, facts in enumerate(costs)}
    parts = ("qualifying_base", "review_base", "refused_base", "elsewhere_base")
    assert sum(total[part] for part in parts) == total["cost_base"]
    assert total["cost_base"] == sum(row["base_amount"] for row in lines.rows.to_pylist())
