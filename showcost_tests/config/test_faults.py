"""Invalid configuration: one sentence with the file, the key and the expected value.

Each fault is one change to a valid data folder, reported by an everyday command.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from showcost.workspace import open_workspace
from showcost_tests.sample.truth import HOME

if TYPE_CHECKING:
    from pathlib import Path

    from showcost_tests.command_line import CommandLine

PRODUCTION, CHART, BUDGET = "production.yaml", "chart_of_accounts.csv", "budget.csv"


@dataclass(frozen=True)
class Fault:
    """One change: `old` text that becomes `new` in `file`, and the error text after the file's name."""

    file: str
    old: str
    new: str
    message: str


FAULTS = {
    "an unknown union of an agreement": Fault(
        PRODUCTION,
        "union: teamsters",
        "union: drivers",
        "agreements, Teamsters 399, union: expected one of actra, bectu, dga, equity-uk, iatse, sag-aftra,"
        " teamsters, wga, none, found 'drivers'",
    ),
    "a signed agreement without an account": Fault(
        CHART,
        "cost,teamsters,6990",
        "cost,none,6990",
        "union_category: expected an account of teamsters, because Teamsters 399 is signed",
    ),
    "labour on a balance account": Fault(
        CHART,
        "9220,Payroll clearing,balance,none",
        "9220,Payroll clearing,balance,iatse",
        "account 9220, union_category: expected none for a balance, found 'iatse'",
    ),
    "a code with a blank": Fault(
        PRODUCTION,
        "code: HRB",
        "code: Harrow Bridge",
        "code: expected text of the form ^[A-Z0-9][A-Z0-9_-]{0,23}$, found 'Harrow Bridge'",
    ),
    "no code": Fault(PRODUCTION, "code: HRB\n", "", "code: expected a value here, but the key is missing"),
    "a misspelt key": Fault(
        PRODUCTION,
        "title: Harrow Bridge",
        "titel: Harrow Bridge",
        "titel: expected no such key (did you mean title?)",
    ),
    "a misspelt key further in": Fault(
        PRODUCTION, "carry_days: 4", "carry: 4", "fx.carry: expected no such key (did you mean carry_days?)"
    ),
    "a key twice": Fault(
        PRODUCTION,
        "title: Harrow Bridge",
        "title: Harrow Bridge\ntitle: Another",
        "line 5, column 1: expected YAML (key 'title' occurs twice)",
    ),
    "a blank title": Fault(
        PRODUCTION, "title: Harrow Bridge", "title: ''", "title: expected text that is not blank, found ''"
    ),
    "an invalid base currency": Fault(
        PRODUCTION,
        "base_currency: USD",
        "base_currency: US$",
        "base_currency: expected an ISO 4217 currency code such as USD, found 'US$'",
    ),
    "a base currency that is not in use": Fault(
        PRODUCTION,
        "base_currency: USD",
        "base_currency: JPY",
        "expected currencies that include the base currency JPY",
    ),
    "an unknown currency in the list": Fault(
        PRODUCTION,
        "[USD, EUR, GBP, CAD, BGN]",
        "[USD, EURO]",
        "currencies.1: expected an ISO 4217 currency code such as USD, found 'EURO'",
    ),
    "no currency": Fault(
        PRODUCTION,
        "[USD, EUR, GBP, CAD, BGN]",
        "[]",
        "currencies: expected at least 1 of them, found '[]'",
    ),
    "an invalid time zone": Fault(
        PRODUCTION,
        "America/Los_Angeles",
        "Hollywood",
        "timezone: expected an IANA time zone such as America/Los_Angeles, found 'Hollywood'",
    ),
    "dates that run backwards": Fault(
        PRODUCTION,
        "end: 2026-11-06",
        "end: 2026-09-01",
        "dates: expected an end that is not before its start",
    ),
    "a date in words": Fault(
        PRODUCTION,
        "end: 2026-11-06",
        "end: 6 November",
        "dates.end: expected a date such as 2026-10-31, found '6 November'",
    ),
    "an impossible date": Fault(
        PRODUCTION,
        "signed_on: 2026-08-10",
        "signed_on: 2026-02-30",
        "line 30, column 65: expected YAML (day is out of range for month)",
    ),
    "photography outside the dates": Fault(
        PRODUCTION,
        "end: 2026-10-23",
        "end: 2026-12-23",
        "expected principal_photography within dates",
    ),
    "an unknown type": Fault(
        PRODUCTION,
        "type: streaming",
        "type: podcast",
        "type: expected 'theatrical', 'television' or 'streaming', found 'podcast'",
    ),
    "a rate with a decimal comma": Fault(
        PRODUCTION,
        "EUR: 1.1500",
        "EUR: 1,15",
        "budget_rates.EUR: expected a valid decimal, found '1,15'",
    ),
    "a negative rate": Fault(
        PRODUCTION, "EUR: 1.1500", "EUR: -1.15", "expected budget_rates above zero, not -1.15 for EUR"
    ),
    "a rate of a currency that is not in use": Fault(
        PRODUCTION,
        "EUR: 1.1500",
        "JPY: 150",
        "expected budget_rates only for the production's currencies, not JPY",
    ),
    "too long a carry": Fault(
        PRODUCTION,
        "carry_days: 4",
        "carry_days: 30",
        "fx.carry_days: expected less than or equal to 10, found 30",
    ),
    "an unknown source": Fault(
        PRODUCTION,
        "[embedded, file]",
        "[bloomberg]",
        "fx.sources.0: expected 'embedded', 'file' or 'ecb', found 'bloomberg'",
    ),
    "a control account that is missing": Fault(
        PRODUCTION,
        "  fringe: 6990\n",
        "",
        "control_accounts.fringe: expected a value here, but the key is missing",
    ),
    "a chart outside the folder": Fault(
        PRODUCTION,
        "title: Harrow Bridge",
        "title: Harrow Bridge\nchart_of_accounts: ../chart.csv",
        "chart_of_accounts: expected a path below the data folder, found '../chart.csv'",
    ),
    "a chart without account numbers": Fault(
        CHART,
        "account,name,kind",
        "number,name,kind",
        "line 1: expected a column account, found 'number,name,kind,union_category,fringe_account,closed_on,"
        "section'",
    ),
    "a column that the chart does not have": Fault(
        CHART,
        "fringe_account,closed_on",
        "fringe_account,closed",
        "line 1: expected only columns account, name, kind, union_category, closed_on, fringe_account, "
        "section, found 'closed'",
    ),
    "an account twice": Fault(
        CHART,
        "1120,Writers",
        "1110,Writers",
        "line 3, account: expected a unique account number, found '1110'",
    ),
    "an account without a name": Fault(CHART, "1120,Writers", "1120,", "line 3, name: expected a value"),
    "an unknown kind of account": Fault(
        CHART,
        "Writers,cost",
        "Writers,expense",
        "line 3, kind: expected one of cost, balance, found 'expense'",
    ),
    "an unknown union": Fault(
        CHART,
        "Writers,cost,wga",
        "Writers,cost,writers",
        "line 3, union_category: expected one of actra, bectu, dga, equity-uk, iatse, sag-aftra, teamsters, "
        "wga, none, found 'writers'",
    ),
    "an unknown fringe account": Fault(
        CHART,
        "Writers,cost,wga,1990",
        "Writers,cost,wga,1991",
        "account 1120, fringe_account: expected an account of this chart, found '1991'",
    ),
    "a closing date in another order": Fault(
        CHART,
        "2026-09-28",
        "28.09.2026",
        "line 27, closed_on: expected a date such as 2026-10-31, found '28.09.2026'",
    ),
    "a row that is cut off": Fault(
        CHART,
        "1120,Writers,cost,wga,1990,,1100 Story and script",
        "1120,Writers,cost",
        "line 3: expected 7 cells, found 3",
    ),
    "a control account that the chart lacks": Fault(
        CHART,
        "9110,",
        "9111,",
        "control account recoverable_tax: expected this account in the chart, found '9110'",
    ),
    "a budget without amounts": Fault(
        BUDGET,
        "account,amount,description",
        "account,total,description",
        "line 1: expected a column amount, found 'account,total,description'",
    ),
    "a budget line of no account": Fault(
        BUDGET,
        "1120,1900000.00",
        "1121,1900000.00",
        "line 3, account: expected an account of the chart, found '1121'",
    ),
    "a budget line twice": Fault(
        BUDGET,
        "1120,1900000.00",
        "1110,1900000.00",
        "line 3, account: expected each account once, found '1110'",
    ),
} | {
    f"a budget of {text or 'nothing'}": Fault(
        BUDGET,
        "1120,1900000.00",
        f"1120,{text}",
        "line 3, amount: expected an amount in USD with at most 2 decimals, such as 125000.00, "
        f"found {text!r}",
    )
    for text in ("", "1.900.000", "1900000.005", "1e6", "1_900_000", "NaN", "١٩٠٠")
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    for name in (PRODUCTION, CHART, BUDGET):
        shutil.copyfile(HOME / name, folder / name)
    return folder


def test_a_valid_folder_has_no_errors(home: Path, showcost: CommandLine) -> None:
    assert open_workspace(home).production.code == "HRB"
    result = showcost(str(home), "status", "--json")
    assert (result.status, result.err) == (0, "")
    assert result.json["balances"]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_sentence_with_file_key_and_expected_value(
    fault: Fault, home: Path, showcost: CommandLine
) -> None:
    path = home / fault.file
    text = path.read_text(encoding="utf-8")
    assert text.count(fault.old) == 1, "the fault must change one place"
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    result = showcost(str(home), "land", "--json")
    assert result.status == 2
    assert result.sentence == f"{path}: {fault.message}"


@pytest.mark.parametrize("name", [CHART, BUDGET])
def test_a_file_that_is_missing_is_named(name: str, home: Path, showcost: CommandLine) -> None:
    (home / name).unlink()
    result = showcost(str(home), "status")
    assert (result.status, result.sentence) == (2, f"{home / name}: expected this file to exist")


def test_a_folder_in_place_of_a_file_is_named(home: Path, showcost: CommandLine) -> None:
    (home / BUDGET).unlink()
    (home / BUDGET).mkdir()
    result = showcost(str(home), "status")
    assert result.status == 2
    assert result.sentence == f"{home / BUDGET}: expected a readable file (Is a directory)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a mapping of keys such as code, title, company"),
        (b"- HRB\n", "expected a mapping of keys such as code, title, company"),
        (b"code: HRB\n---\ncode: HRB\n", "expected one YAML document, found '2 documents'"),
        (b"title: Br\xfccke\n", "expected UTF-8 text (byte 9 is not)"),
        (
            b"title: [",
            "line 1, column 9: expected YAML (expected the node content, but found '<stream end>')",
        ),
    ],
)
def test_a_file_that_does_not_describe_a_production_is_named(
    content: bytes, message: str, home: Path, showcost: CommandLine
) -> None:
    (home / PRODUCTION).write_bytes(content)
    result = showcost(str(home), "status")
    assert (result.status, result.sentence) == (2, f"{home / PRODUCTION}: {message}")
