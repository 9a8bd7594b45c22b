"""Vendors' statements of account: languages, formats, balances, and lines that cannot be read."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import InputError
from showcost.readers.statements.model import StatementFormat, TableHints
from showcost.readers.statements.open import read_statements

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.readers.statements.model import AccountStatement

ENGLISH = """\
Acme Ltd,,,,
Statement of account,,,,
Date,Invoice No.,Details,Currency,Amount
03/13/2026,INV-8,Camera hire,USD,"1,250.00"
03/14/2026,CN-2,Credit note,USD,(50.25)
03/30/2026,,Payment received - thank you,USD,-200.00
"""
GERMAN = """\
Buchungsdatum;Beleg-Nr.;Buchungstext;Soll (EUR);Haben (EUR);Saldo
01.03.2026;;Saldovortrag;;;100,00
13.03.2026;RE 2026/8;Rechnung;1.250,00;;1.350,00
14.03.2026;GS-2;Gutschrift;;50,25;1.299,75
31.03.2026;;Endsaldo;;;1.299,75
"""
FRENCH = """\
Date de facture;N° facture;Libellé;Débit;Crédit;Devise
13/03/2026;F-8;Location caméra;1 250,00;;EUR
14/03/2026;A-2;Avoir;;50,25;EUR
;;Total;1 250,00;50,25;
"""


def read(folder: Path, content: str | bytes, currency: str | None = None) -> AccountStatement:
    path = folder / "statement.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found, (statement,) = read_statements(path, StatementFormat.AUTO, TableHints(currency))
    assert found is StatementFormat.CSV
    return statement


@pytest.mark.parametrize(
    ("content", "documents", "currency"),
    [
        (ENGLISH, ["INV-8", "CN-2"], "USD"),
        (GERMAN, ["RE 2026/8", "GS-2"], "EUR"),
        (GERMAN.encode("cp1252"), ["RE 2026/8", "GS-2"], "EUR"),
        (FRENCH, ["F-8", "A-2"], "EUR"),
        (FRENCH.encode("utf-16"), ["F-8", "A-2"], "EUR"),
    ],
)
def test_a_statement_is_read_in_its_language(
    tmp_path: Path, content: str | bytes, documents: list[str], currency: str
) -> None:
    statement = read(tmp_path, content)
    lines = [line for line in statement.lines if not line.is_payment]
    assert [line.references for line in lines] == [(number,) for number in documents]
    assert [line.owed for line in lines] == [Decimal("1250.00"), Decimal("-50.25")]
    assert {line.currency for line in lines} == {currency}
    assert [str(line.dated) for line in lines] == ["2026-03-13", "2026-03-14"]
    assert statement.unreadable == ()


def test_payments_are_told_from_credit_notes(tmp_path: Path) -> None:
    assert [line.is_payment for line in read(tmp_path, ENGLISH).lines] == [False, False, True]


def test_balances_are_those_of_their_lines_or_of_the_column(tmp_path: Path) -> None:
    stated = read(tmp_path, GERMAN)
    assert (stated.opening, stated.movement, stated.closing) == tuple(
        map(Decimal, ("100.00", "1199.75", "1299.75"))
    )
    assert stated.difference == 0
    lines = GERMAN.splitlines()
    running = read(tmp_path, "\n".join([lines[0], *lines[2:4]]))
    assert (running.opening, running.closing) == (Decimal(100), Decimal("1299.75"))
    assert running.difference == 0
    wrong = read(tmp_path, GERMAN.replace("1.299,75\n", "1.300,00\n"))
    assert wrong.difference == Decimal("-0.25")
    assert read(tmp_path, ENGLISH).difference is None


BANK = """\
Buchungstag;Verwendungszweck;Betrag (EUR);Saldo
02.03.2026;RE INV-8;-23,85;976,15
03.03.2026;Erstattung CN-1;20,00;996,15
"""
SPLIT = """\
Date,Details,Debit,Credit,Balance
2026-03-02,RE INV-8,23.85,,976.15
2026-03-03,Refund CN-1,,20.00,996.15
"""


@pytest.mark.parametrize("content", [BANK, SPLIT])
def test_a_banks_table_says_what_was_paid(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bank.csv"
    path.write_text(content, encoding="utf-8")
    _, (statement,) = read_statements(path, hints=TableHints("EUR", is_bank=True, day_first=True))
    assert [line.owed for line in statement.lines] == [Decimal("23.85"), Decimal("-20.00")]
    assert statement.opening == Decimal("1000.00")
    assert statement.movement == Decimal("-3.85")
    assert statement.difference == 0


def test_dates_that_can_be_read_in_two_ways_are_asked_for(tmp_path: Path) -> None:
    content = "Date,Invoice,Amount\n02/03/2026,INV-8,10.00\n"
    assert read(tmp_path, content, "EUR").unreadable == (
        "record 2: the date can be read with the day or the month first; say --dates",
    )
    path = tmp_path / "statement.csv"
    for day_first, expected in ((True, "2026-03-02"), (False, "2026-02-03")):
        _, (statement,) = read_statements(path, hints=TableHints("EUR", day_first=day_first))
        assert [str(line.dated) for line in statement.lines] == [expected]


def test_a_minus_before_all_credits_is_how_they_are_written(tmp_path: Path) -> None:
    content = "Date,Invoice,Debit,Credit\n2026-03-13,INV-8,10.00,\n2026-03-13,CN-1,,-4.00\n"
    assert [line.owed for line in read(tmp_path, content, "EUR").lines] == [10, -4]
    more = f"{content}2026-03-14,INV-9,-3.00,\n2026-03-14,CN-2,,5.00\n"
    assert [line.owed for line in read(tmp_path, more, "EUR").lines] == [10, 4, -3, -5]


def test_the_most_telling_header_counts(tmp_path: Path) -> None:
    content = "Reference,Net amount,Invoice No,Total,Date\nPO-1,8.00,INV-8,9.52,2026-03-13\n"
    (line,) = read(tmp_path, content, "EUR").lines
    assert (line.references, line.owed) == (("INV-8",), Decimal("9.52"))


def test_a_compressed_statement_is_read(tmp_path: Path) -> None:
    path = tmp_path / "statement.csv.gz"
    path.write_bytes(gzip.compress(ENGLISH.encode()))
    _, (statement,) = read_statements(path)
    assert (statement.name, len(statement.lines)) == ("statement.csv.gz", 3)


def test_a_document_is_never_taken_for_a_balance(tmp_path: Path) -> None:
    content = "Date,Invoice,Text,Amount\n2026-03-13,INV-8,Balance due after deposit,10.00\n"
    statement = read(tmp_path, content, "EUR")
    assert [line.references for line in statement.lines] == [("INV-8",)]
    assert statement.closing is None


def test_whatever_cannot_be_read_is_named(tmp_path: Path) -> None:
    content = (
        "Date,Invoice,Currency,Amount\n"
        "2026-03-13,INV-1,EUR,10.00\n"
        "2026-02-30,INV-2,EUR,10.00\n"
        "2026-03-13,INV-3,EUR,tbc\n"
        "2026-03-13,INV-4,EUR,\n"
        "2026-03-13,INV-5,LST,10.00\n"
        "2026-03-13,INV-6,EUR,10.005\n"
        "2026-03-13,INV-7,EUR,10.00,ragged\n"
    )
    statement = read(tmp_path, content)
    assert [line.references for line in statement.lines] == [("INV-1",)]
    records = [text.partition(":")[0] for text in statement.unreadable]
    assert sorted(records) == [f"record {number}" for number in range(3, 9)]


def test_a_currency_that_is_not_named_is_asked_for(tmp_path: Path) -> None:
    content = "Date,Invoice,Amount\n2026-03-13,INV-8,10.00\n"
    assert read(tmp_path, content).unreadable == ("record 2: no currency; name it with --currency",)
    assert read(tmp_path, content, "CAD").currency == "CAD"
    assert read(tmp_path, content.replace("10.00", "€10.00")).currency == "EUR"
    # A dollar sign alone is not a currency: the user says which.
    dollars = content.replace("10.00", "$10.00")
    assert read(tmp_path, dollars, "CAD").currency == "CAD"
    assert read(tmp_path, dollars).lines == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"),
        ("a,b\n1,2\n3,4\n", "no column for date and document .or text. and amount"),
        (
            "Date,Amount\n2026-03-13,1.00\n2026-03-14,2.00\n",
            "no column for document .or text. among Date, Amount",
        ),
        ("%PDF-1.7\n", "a PDF document"),
        ("<html><body>502 Bad Gateway</body></html>", "the XML is another document"),
    ],
)
def test_a_file_that_is_no_statement_is_one_clear_error(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "statement.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        read_statements(path)


PENCE = """\
Date,Invoice No.,Details,Currency,Amount,Balance
01/03/2026,,Opening balance,,,10000
13/03/2026,INV-8,Camera hire,GBp,125050,135050
14/03/2026,CN-2,Credit note,GBX,-50,135000
"""


def test_pence_are_a_hundredth_of_pounds(tmp_path: Path) -> None:
    statement = read(tmp_path, PENCE)
    assert [(line.currency, line.owed) for line in statement.lines] == [
        ("GBP", Decimal("1250.50")),
        ("GBP", Decimal("-0.50")),
    ]
    assert (statement.opening, statement.closing) == (Decimal("100.00"), Decimal("1350.00"))
    assert statement.unreadable == ()


def test_a_line_in_pence_with_a_pound_sign_contradicts_itself(tmp_path: Path) -> None:
    statement = read(tmp_path, PENCE.replace("125050,", "£1250.50,"), "GBP")
    assert [line.references for line in statement.lines] == [("CN-2",)]
    assert [text.partition(": ")[2] for text in statement.unreadable] == [
        "no currency; name it with --currency"
    ]


def test_a_table_in_several_currencies_is_a_statement_for_each(tmp_path: Path) -> None:
    path = tmp_path / "vendor.csv"
    path.write_text(
        "Date,Invoice,Amount,Currency,Balance\n2026-03-02,INV-1,10.00,EUR,10.00\n"
        "2026-03-03,INV-2,7.50,GBP,17.50\n2026-03-04,INV-3,-2.50,EUR,15.00\n2026-03-05,INV-4,1.00,XXQ,1\n",
        encoding="utf-8",
    )
    _, statements = read_statements(path)
    assert [(found.name, found.currency, found.movement) for found in statements] == [
        ("vendor.csv, EUR", "EUR", Decimal("7.50")),
        ("vendor.csv, GBP", "GBP", Decimal("7.50")),
    ]
    assert [line.number for found in statements for line in found.lines] == [1, 3, 2]
    assert [len(found.unreadable) for found in statements] == [1, 0]
    assert {found.difference for found in statements} == {None}
