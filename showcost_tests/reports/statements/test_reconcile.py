"""The command: a bank's and a vendor's statement against posted books; nothing in the home changes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from showcost_tests.ledger.rows import MONDAY
from showcost_tests.ledger.test_journal import a_row
from showcost_tests.readers.statements.camt import balance, detail, document, entry, statement
from showcost_tests.reports.test_exports import books

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine, Ended

ROWS = [
    a_row(1, "INV-8", ("net", "2320", "10.02"), ("tax", "9110", "3.81"), due_date=MONDAY + timedelta(30)),
    a_row(2, "INV-8", ("net", "3220", "10.02"), due_date=MONDAY + timedelta(30)),
    a_row(3, "INV-9", ("net", "2320", "100.00"), due_date=MONDAY + timedelta(30)),
    a_row(4, "CN-1", ("net", "2320", "-20.00"), due_date=MONDAY + timedelta(30)),
    a_row(5, "INV-8", ("net", "2320", "55.00"), vendor_code="OTHER", vendor_name="Other", currency="GBP"),
]


def state(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass(frozen=True)
class Reconciliation:
    """Runs the command on a file beside the data folder, and sees that the folder stays as it is."""

    workspace: Workspace
    showcost: CommandLine

    def __call__(self, data: bytes | str, *options: str) -> Ended:
        path = self.workspace.path.parent / "statement"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        before = state(self.workspace.path)
        ended = self.showcost(self.workspace, "reconcile", "--statement", str(path), *options)
        assert state(self.workspace.path) == before
        return ended

    def facts(self, data: bytes | str, *options: str) -> tuple[int, dict[str, Any]]:
        """Return the exit status and the JSON object."""
        ended = self(data, "--json", *options)
        return ended.status, ended.json


@pytest.fixture
def reconcile(tmp_path: Path, showcost: CommandLine) -> Reconciliation:
    return Reconciliation(books(tmp_path / "home", ROWS), showcost)


BANK = [
    balance("OPBD", "1000.00"),
    entry("103.85", detail("103.85", "INV-8, INV-9 less CN-1 of ACME"), day="2026-03-20"),
    balance("CLBD", "896.15"),
]


def test_a_bank_statement_that_is_explained_has_status_0(reconcile: Reconciliation) -> None:
    status, facts = reconcile.facts(document(statement(*BANK)))
    assert (status, facts["reconciled"], facts["format"]) == (0, True, "camt053")
    assert facts["counts"]["matched"] == 3
    assert [(row["document"], row["amount"], row["left_open"]) for row in facts["lines"]] == [
        ("CN-1", "-20.0000", "0.0000"),
        ("INV-8", "23.8500", "0.0000"),
        ("INV-9", "100.0000", "0.0000"),
    ]
    (stated,) = facts["balances"]
    assert (stated["check"], stated["account"], stated["movement"]) == ("agrees", "…2051", "-103.8500")


def test_a_balance_that_does_not_add_up_has_status_1(reconcile: Reconciliation) -> None:
    status, facts = reconcile.facts(document(statement(*BANK[:2], balance("CLBD", "896.16"))))
    assert (status, facts["balances"][0]["check"]) == (1, "differs")


def test_a_line_that_the_ledger_lacks_has_status_1(reconcile: Reconciliation) -> None:
    status, facts = reconcile.facts(document(statement(entry("7.00", detail("7.00", "lunch")))))
    assert (status, facts["counts"]["not in the ledger"]) == (1, 1)


def test_documents_of_the_period_that_the_statement_lacks_are_listed(reconcile: Reconciliation) -> None:
    period = "<FrToDt><FrDtTm>2026-03-30T00:00:00</FrDtTm><ToDtTm>2026-04-02T00:00:00</ToDtTm></FrToDt>"
    status, facts = reconcile.facts(document(statement(period, entry("23.85", detail("23.85", "INV-8")))))
    assert status == 0
    assert [(row["status"], row["document"]) for row in facts["lines"]] == [
        ("matched", "INV-8"),
        ("not on the statement", "CN-1"),
        ("not on the statement", "INV-9"),
    ]
    assert (
        "1 documents without a line are of another period or currency, and are not listed." in facts["notes"]
    )


VENDOR = "Date,Invoice,Currency,Amount\n2026-03-02,inv 8,EUR,23.85\n2026-03-02,CN-1,EUR,-20.00\n"


def test_a_vendors_statement_is_compared_with_its_own_documents(reconcile: Reconciliation) -> None:
    status, facts = reconcile.facts(VENDOR.replace("inv 8", "INV - 8"), "--vendor", "acme")
    assert status == 0
    assert [(row["status"], row["document"]) for row in facts["lines"]] == [
        ("matched", "INV-8"),
        ("matched", "CN-1"),
        ("not on the statement", "INV-9"),
    ]
    status, facts = reconcile.facts(VENDOR, "--vendor", "OTHER")
    assert status == 1
    assert facts["counts"]["matched"] == 0
    inverted = VENDOR.replace("EUR,", "EUR,-").replace("--", "").replace("inv 8", "INV-8")
    assert reconcile.facts(inverted, "--vendor", "ACME", "--inverted")[0] == 0


def test_a_banks_table_is_compared_like_its_camt053(reconcile: Reconciliation) -> None:
    table = (
        "Date,Details,Currency,Amount\n2026-03-20,INV-8 in part,EUR,-20.00\n2026-03-21,INV-9,EUR,-100.00\n"
    )
    status, facts = reconcile.facts(table, "--bank", "--vendor", "ACME")
    assert status == 0
    assert [(row["status"], row["document"]) for row in facts["lines"]] == [
        ("paid in part", "INV-8"),
        ("matched", "INV-9"),
    ]
    assert "--inverted is for a vendor's table" in reconcile(table, "--bank", "--inverted").sentence


def test_the_tables_are_written_for_a_spreadsheet_and_hold_no_formula(
    reconcile: Reconciliation, tmp_path: Path
) -> None:
    hostile = document(
        statement(entry("7.00", detail("7.00", "=cmd|'/C calc'!A0 123-45-6789", party="A Person")))
    )
    out = tmp_path / "out"
    status, _ = reconcile.facts(hostile, "--out", str(out))
    assert status == 1
    assert sorted(path.name for path in out.iterdir()) == [
        "dictionary.csv",
        "statement_balances.csv",
        "statement_lines.csv",
    ]
    with (out / "statement_lines.csv").open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["text"] == "'=cmd|'/C calc'!A0 [***]"
    assert "A Person" not in (out / "statement_lines.csv").read_text(encoding="utf-8")


def test_the_text_says_what_is_left(reconcile: Reconciliation) -> None:
    ended = reconcile(document(statement(*BANK, entry("7.00", detail("7.00", "[bold]lunch")))))
    assert ended.status == 1
    assert "[bold]lunch" in ended.out
    assert "no document of this amount near the date" in ended.out
    assert "NOT reconciled" in ended.out


def test_no_hidden_character_reaches_the_terminal(reconcile: Reconciliation) -> None:
    hostile = "Date,Invoice,Currency,Amount\n2026-03-13,\x1b[2JX\N{RIGHT-TO-LEFT OVERRIDE}Y,EUR,7.00\n"
    ended = reconcile(hostile)
    assert ended.status == 1
    assert {"\x1b", "\N{RIGHT-TO-LEFT OVERRIDE}"}.isdisjoint(ended.out)
    assert "\N{SYMBOL FOR ESCAPE}[2JX" in ended.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vendor", "NOBODY"], "the ledger has no document of the vendor 'NOBODY'"),
        (["--account", "2320"], "2320 is no payable account; payable accounts: 9210, 9220, 9230"),
        (["--currency", "eur"], "--currency eur: expected an ISO 4217 code such as EUR"),
        (["--format", "camt053"], "no well-formed XML"),
        (["--inverted", "--format", "camt053"], "no well-formed XML"),
    ],
)
def test_wrong_usage_is_one_sentence(reconcile: Reconciliation, options: list[str], message: str) -> None:
    ended = reconcile(VENDOR, *options)
    assert ended.status == 2
    assert message in ended.sentence


def test_nothing_is_written_where_something_is(reconcile: Reconciliation, tmp_path: Path) -> None:
    inside = str(reconcile.workspace.path / "out")
    assert "outside the data folder" in reconcile(VENDOR, "--out", inside).sentence
    assert "is not empty" in reconcile(VENDOR, "--out", str(tmp_path)).sentence
