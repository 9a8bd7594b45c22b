"""Small books with claims: a production, costs that differ in one fact each, and their verdicts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from showcost.config.record_kinds import PAYROLL, VENDOR_INVOICE
from showcost.ledger.new_entries import PostingContext
from showcost.reports.incentives import SpendOptions, qualified_spend
from showcost.workspace import open_workspace
from showcost_tests.ledger.rows import MONDAY, pin_rates, post_rows
from showcost_tests.ledger.test_journal import RATES, ROWS, a_row
from showcost_tests.whole.small import make_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from showcost.reports.tables import ReportTable
    from showcost.workspace import Workspace

TUESDAY = MONDAY + timedelta(days=1)

PROGRAMME = """\
programme: test-credit
title: Test credit
authority: Test authority
currency: GBP
jurisdictions: [GB, CA-ON]
from: 2026-03-02
to: 2026-03-04
source: the test
certainty: H
place: {source: the test, clause: place, certainty: H}
period: {source: the test, clause: period, certainty: M}
{letter}
rules:
  - {id: bond, verdict: does not qualify, reason: a bond, when: {categories: [completion_bond]},
     source: the test, certainty: H}
  - {id: guess, verdict: qualifies, reason: perhaps, when: {accounts: ["22*"]}, source: memory, certainty: L}
  - {id: pay, verdict: qualifies, reason: pay of residents, when: {cost_kinds: [labour], resident_in: [GB]},
     source: the test, certainty: H}
  - {id: pay-of-others, verdict: does not qualify, reason: pay of others, source: the test, certainty: M,
     when: {cost_kinds: [labour, fringe]}}
  - {id: supply, verdict: qualifies, reason: supplies, when: {vendor_countries: [GB, DE]}, source: the test,
     certainty: M}
rates:
  - {category: film, percent: 25, source: the test, certainty: M}
  - {category: series, percent: 20, source: the test, certainty: H}
{caps}
"""

CLAIM = """
account_categories: {completion_bond: [6720]}
incentives:
  - {programme: test-credit}
"""


def claiming(
    folder: Path, claim: str = CLAIM, *, letter: str = "", caps: str = "", programme: str = PROGRAMME
) -> Workspace:
    """Return a workspace whose production claims the test's programme."""
    home = make_home(folder).path
    own = home / "incentives"
    own.mkdir()
    text = programme.replace("{letter}", letter).replace("{caps}", caps)
    (own / "test_credit.yaml").write_text(text, encoding="utf-8")
    with (home / "production.yaml").open("a", encoding="utf-8") as file:
        file.write(claim)
    return open_workspace(home)


UNIONS = {"3310": "iatse"}


def a_cost(
    number: int, amount: str = "100.00", account: str = "3320", *, day: date = MONDAY, **other: object
) -> dict[str, Any]:
    """Return a valid row of an invoice that qualifies, unless something else is said."""
    facts = {
        "vendor_code": "V-1",
        "vendor_name": "Any Vendor Ltd",
        "vendor_country": "GB",
        "description": "Camera body hire",
        "location": "LDN",
        "service_from": day,
        "service_to": day,
        "currency": "GBP",
    }
    row = a_row(number, f"INV-{number}", ("net", account, amount), day=day, **(facts | other))
    row["components"][0]["union_category"] = UNIONS.get(account)
    return row


def some_pay(
    number: int, gross: str = "100.00", benefit: str = "20.00", *, day: date = MONDAY, **other: object
) -> dict[str, Any]:
    """Return a valid payroll row on the camera crew's account."""
    parts = (("gross", "4010", gross), ("benefit", "4090", benefit))
    facts = {"work_date": day, "location": "LDN", "currency": "GBP", "vendor_code": "PAYCO"}
    return a_row(number, f"PAY-{number}", *parts, day=day, **(facts | other))


def keep(workspace: Workspace, costs: Sequence[dict[str, Any]], pay: Sequence[dict[str, Any]] = ()) -> None:
    """Post rows of invoices and of payroll, performed where `PLACES` says."""
    pin_rates(workspace.ledger, rates=RATES)
    for feed, rows, kind in (("vendors", costs, VENDOR_INVOICE), ("payroll", pay, PAYROLL)):
        if rows:
            ordered = sorted(rows, key=lambda row: row["transaction_date"])
            context = PostingContext("NIGHTFALL", "USD", feed, kind, PLACES)
            post_rows(workspace.ledger, pa.Table.from_pylist(ordered, schema=ROWS), context=context)


PLACES = {
    "LDN": "GB",
    "ENG": "gb-eng ",
    "UK": "UK",
    "TOR": "CA-ON",
    "CAN": "CA",
    "VAN": "CA-BC",
    "BBG": "DE-BB",
    "BOTH": "GB/DE",
}


def spend(
    workspace: Workspace, as_of: int | None = None, programme: str = "test-credit"
) -> tuple[ReportTable, ReportTable]:
    """Return the totals and the lines of the test's programme, elsewhere included."""
    options = SpendOptions(programmes=(programme,), elsewhere=True)
    totals, lines = qualified_spend(workspace, options, as_of)
    return totals, lines


def verdicts(workspace: Workspace, programme: str = "test-credit") -> dict[str, tuple[str, str]]:
    """Return verdict and rule of each line by its document, and by `document/fringe` for contributions."""
    _, lines = spend(workspace, programme=programme)
    return {
        row["document"] + ("/fringe" if row["labour"] == "fringe" else ""): (row["verdict"], row["rule"])
        for row in lines.rows.to_pylist()
    }
