"""Exports: accepted by the programs that they are for, with the balances of the ledger."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from beancount import loader
from beancount.core.data import Transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.core.errors import InputError
from showcost.ledger.journal import open_journal
from showcost.reports.exports import write_export_workbook, write_tables
from showcost.reports.plain_text import Syntax, account_names, write_plain_text
from showcost.reports.writers.flat import TableFormat
from showcost_tests.ledger.rows import WEEK, pin_rates
from showcost_tests.ledger.test_journal import INVOICE, RATES, a_row, post
from showcost_tests.whole.small import make_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.workspace import Workspace

HOSTILE = (
    '=cmd|"/C calc"!A0',
    "@SUM(A1)",
    "+1-1",
    '"; DROP',
    "back\\slash",
    'two\nlines\r\n* "fake" "entry"\n  Expenses:2320  1 USD',
    "\ttab ; comment | pipe",
    "right\N{RIGHT-TO-LEFT OVERRIDE}to left",
    "<script>alert(1)</script>",
    "",
)


def books(folder: Path, rows: Sequence[dict[str, Any]]) -> Workspace:
    """Return a workspace whose ledger has these rows."""
    workspace = make_home(folder)
    pin_rates(workspace.ledger, rates=RATES)
    post(workspace.ledger, sorted(rows, key=lambda row: row["transaction_date"]))
    return workspace


def ledger_balances(workspace: Workspace) -> dict[tuple[str, str], Decimal]:
    """Return the balance of each exported account per currency, by plain addition over the journal.

    Lines without an original amount are in base currency, as in the export.
    """
    names = account_names(workspace)
    balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    with workspace.ledger.read() as connection:
        open_journal(connection, workspace.production)
        lines = connection.sql("FROM journal").to_arrow_table().to_pylist()
    for line in lines:
        if line["amount"]:
            balances[names[line["account"]], line["currency"]] += line["amount"]
        else:
            balances[names[line["account"]], line["base_currency"]] += line["base_amount"]
    return {key: total for key, total in balances.items() if total}


def beancount_balances(path: Path) -> dict[tuple[str, str], Decimal]:
    """Return the same as beancount has it; its own checks must pass."""
    directives, errors, _ = loader.load_file(str(path))
    assert errors == []
    balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for directive in directives:
        if isinstance(directive, Transaction):
            for posting in directive.postings:
                assert posting.units is not None
                assert posting.units.number is not None
                balances[posting.account, posting.units.currency] += posting.units.number
    return {key: total for key, total in balances.items() if total}


def test_beancount_accepts_the_journal_and_agrees_on_every_balance(tmp_path: Path) -> None:
    hostile = [
        a_row(number, f"H-{number}", ("net", "2320", "33.33"), vendor_name=name, currency="GBP")
        for number, name in enumerate(HOSTILE, start=10)
    ]
    workspace = books(tmp_path / "home", [*INVOICE, *hostile])
    path = tmp_path / "journal.beancount"
    # An invoice and its rounding, and one transaction for each of the others.
    assert write_plain_text(workspace, path, Syntax.BEANCOUNT) == 2 + len(HOSTILE)
    assert beancount_balances(path) == ledger_balances(workspace)
    assert beancount_balances(path)["Liabilities:9210", "EUR"] == Decimal("-23.85")
    before = path.read_bytes()
    write_plain_text(workspace, path, Syntax.BEANCOUNT)
    assert path.read_bytes() == before


def test_a_contra_line_whose_sign_rounding_turned_is_accepted(tmp_path: Path) -> None:
    rows = [a_row(number, "N-1", ("net", "2320", "0.04")) for number in range(4)]
    workspace = books(tmp_path / "home", [*rows, a_row(9, "N-1", ("net", "2320", "-0.15"))])
    path = tmp_path / "journal.beancount"
    write_plain_text(workspace, path, Syntax.BEANCOUNT)
    _, errors, _ = loader.load_file(str(path))
    assert errors == []


def test_lines_on_accounts_that_the_chart_lost_are_named(tmp_path: Path) -> None:
    workspace = books(tmp_path / "home", [a_row(1, "N-1", ("net", "2320-OLD", "1.00"))])
    with pytest.raises(InputError, match="does not list 2320-OLD"):
        write_plain_text(workspace, tmp_path / "journal.beancount", Syntax.BEANCOUNT)
    assert list(tmp_path.glob("journal*")) == []


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A-1", "a - 1", "A-2"]),
            st.sampled_from(["EUR", "GBP", "USD"]),
            st.decimals(-500, 500, places=2),
            st.sampled_from(WEEK),
            st.text(max_size=20),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_beancount_agrees_whatever_is_posted(lines: list[tuple[str, str, Decimal, date, str]]) -> None:
    with TemporaryDirectory() as folder:
        rows = [
            a_row(
                number, document, ("net", "2320", str(amount)), day=day, currency=currency, vendor_name=name
            )
            for number, (document, currency, amount, day, name) in enumerate(lines)
        ]
        workspace = books(Path(folder) / "home", rows)
        path = Path(folder) / "journal.beancount"
        write_plain_text(workspace, path, Syntax.BEANCOUNT)
        assert beancount_balances(path) == ledger_balances(workspace)


def test_hledger_gets_a_line_per_posting_and_no_text_that_ends_one(tmp_path: Path) -> None:
    rows = [
        a_row(number, "H;1", ("net", "2320", "33.33"), vendor_name=name, currency="GBP")
        for number, name in enumerate(HOSTILE)
    ]
    workspace = books(tmp_path / "home", rows)
    path = tmp_path / "journal.hledger"
    assert write_plain_text(workspace, path, Syntax.HLEDGER) >= 1
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert first == "; document rounding: document"
    assert [line for line in lines if line.startswith("commodity ")] == [
        "commodity 1.0000 GBP",
        "commodity 1.0000 USD",
    ]
    body = [line for line in lines if not line.startswith(("account ", "commodity "))]
    assert {line[:2] for line in body if line} == {"20", "  "}
    assert len([line for line in body if line.startswith("  Expenses:2320")]) == len(HOSTILE)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_tables_hold_the_ledger_and_explain_every_column(tmp_path: Path) -> None:
    rows = [
        a_row(number, f"H-{number}", ("net", "2320", "33.33"), vendor_name=name)
        for number, name in enumerate(HOSTILE)
    ]
    workspace = books(tmp_path / "home", rows)
    written = write_tables(workspace, tmp_path / "csv", TableFormat.CSV)
    assert write_tables(workspace, tmp_path / "parquet", TableFormat.PARQUET) == written
    assert sorted(path.name for path in (tmp_path / "csv").iterdir()) == [
        f"{name}.csv" for name in sorted(written)
    ]
    explained = {(row["file"], row["column"]) for row in read_csv(tmp_path / "csv" / "dictionary.csv")}
    for name in ("entries", "journal", "accounts"):
        table = pq.read_table(tmp_path / "parquet" / f"{name}.parquet")
        cells = read_csv(tmp_path / "csv" / f"{name}.csv")
        assert len(cells) == table.num_rows == written[name]
        assert {(name, column) for column in table.column_names} == {
            pair for pair in explained if pair[0] == name
        }
    names = {row["vendor_name"] for row in read_csv(tmp_path / "csv" / "entries.csv")}
    assert [name for name in names if name[:1] in {"=", "@", "+", "-", "\t"}] == []
    assert '\'=cmd|"/C calc"!A0' in names
    journal = read_csv(tmp_path / "csv" / "journal.csv")
    assert sum(Decimal(line["base_amount"]) for line in journal) == 0


def test_an_export_never_overwrites_other_files(tmp_path: Path) -> None:
    workspace = books(tmp_path / "home", INVOICE)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "letter.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        write_tables(workspace, tmp_path / "there", TableFormat.CSV)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["letter.txt"]


def test_a_workbook_has_the_same_rows_exactly_and_no_formula(tmp_path: Path) -> None:
    rows = [
        a_row(number, f"H-{number}", ("net", "2320", "33.33"), vendor_name=name)
        for number, name in enumerate(HOSTILE)
    ]
    workspace = books(tmp_path / "home", [*rows, a_row(99, "H-99", ("net", "2320", "12345678901234.5678"))])
    written, rounded = write_export_workbook(workspace, tmp_path / "new" / "ledger.xlsx")
    expected = write_tables(workspace, tmp_path / "csv", TableFormat.CSV)
    assert (written, rounded > 0) == (expected, True)
    book = openpyxl.load_workbook(tmp_path / "new" / "ledger.xlsx")
    assert book.sheetnames == ["entries", "journal", "accounts", "dictionary"]
    for sheet in book:
        header, *lines = sheet.iter_rows()
        assert sheet.freeze_panes == "A2"
        listed = read_csv(tmp_path / "csv" / f"{sheet.title}.csv")
        assert [cell.value for cell in header] == list(listed[0])
        assert len(lines) == len(listed)
        assert {cell.data_type for line in lines for cell in line} <= {"s", "n", "d"}
    names, *cells = book["entries"].iter_rows(values_only=True)
    entries = [dict(zip(names, line, strict=True)) for line in cells]
    assert {entry["vendor_name"] for entry in entries} >= {"@SUM(A1)", "right[U+202E]to left"}
    assert {entry["amount"] for entry in entries if entry["document_no"] != "H-99"} == {33.33}


def test_fava_opens_the_export_with_the_balances_of_the_ledger(tmp_path: Path) -> None:
    core = pytest.importorskip("fava.core", reason="Fava is not installed")
    application = pytest.importorskip("fava.application", reason="Fava is not installed")
    hostile = [
        a_row(number, f"H-{number}", ("net", "2320", "33.33"), vendor_name=name, currency="GBP")
        for number, name in enumerate(HOSTILE, start=10)
    ]
    workspace = books(tmp_path / "home", [*INVOICE, *hostile])
    path = tmp_path / "journal.beancount"
    write_plain_text(workspace, path, Syntax.BEANCOUNT)
    ledger = core.FavaLedger(str(path))
    assert ledger.errors == []
    balances = {
        (name, currency): amount
        for name, node in ledger.get_filtered().root_tree.items()
        for (currency, _), amount in node.balance.items()
        if amount
    }
    assert balances == ledger_balances(workspace)
    client = application.create_app([str(path)], load=True).test_client()
    start = client.get("/", follow_redirects=True)
    assert start.status_code == 200
    (_, name, *_) = start.request.path.split("/")
    for page in ("income_statement", "trial_balance", "journal"):
        assert client.get(f"/{name}/{page}/").status_code == 200
