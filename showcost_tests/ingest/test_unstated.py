"""Facts about amounts that only the file has: credits, digits beyond a delimiter, units of all amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import openpyxl
import pytest

from showcost.config.feed import FieldHints, Signs
from showcost_tests.ingest.test_landing import FEED, HEADER, landed

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.config.feed import FeedSpec

TEXTS: Final = FEED.model_copy(update={"fields": {"description": FieldHints(headers=("Text",))}})


def read(
    folder: Path, text: str, feed: FeedSpec = TEXTS
) -> tuple[str | None, list[tuple[str | None, str | None]]]:
    """Return the code of a refusal, and value and symbol of the net amount of each record."""
    with landed(folder / "any.csv", text, feed) as content:
        records = content.records.by_date().read_all().to_pylist()
    records.sort(key=lambda row: row["record"])
    return content.summary.refused, [
        (row["net_amount__value"], row["net_amount__symbol"])
        for row in records
        if not content.summary.refused
    ]


@pytest.mark.parametrize(
    ("name", "word", "is_credit"),
    [
        *(("Type", "Credit note", True), ("Belegart", "Gutschrift", True), ("Type", "CR", True)),
        *(("Document type", "credit memo", True), ("Type", "Avoir", True), ("Type", "Invoice", False)),
        *(
            ("D/C", "C", True),
            ("Dr/Cr", "CR", True),
            ("Soll/Haben-Kennzeichen", "H", True),
            ("S/H", "S", False),
        ),
        *(("Debit/Credit", "Credit", True), ("D/C", "D", False), ("Sign", "-", True)),
        *(
            ("Type", "CREDIT", True),
            ("Type", "Credit-Note", True),
            ("Type", "KG", True),
            ("Type", "KR", False),
        ),
        *(("Document type", "CN", True), ("Doc type", "PCR", True), ("Invoice type", "381", True)),
        *(("Belegart", "GU", True), ("Belegart", "RE", False), ("Type de pi\u00e8ce", "AV", True)),
        *(("Unit type", "ST", False), ("Type", "AV", False), ("Document type", "Invoice", False)),
        *(("Type", "Nota di credito", True), ("Tipo documento", "TD04", True), ("Type", "TD01", False)),
        *(("Payment type", "Credit", False), ("Card type", "credit", False), ("Type", "Reversed", True)),
        *(("Payment method", "Credit", False), ("Set", "C", False), ("Type", "C", False)),
        *(("Status", "paid", False), ("", "CR", True), ("", "reversed", True), ("", "x", False)),
    ],
)
def test_an_amount_that_an_unnamed_column_makes_a_credit_is_no_cost(
    name: str, word: str, is_credit: bool, tmp_path: Path
) -> None:
    text = f"{HEADER},{name}\nV1,1,01/02/2025,2.50,{word}\nV1,2,01/02/2025,-3.50,{word}\n"
    assert read(tmp_path, text) == (None, [(None if is_credit else "2.50", None), ("-3.50", None)])


@pytest.mark.parametrize(
    ("name", "word"),
    [
        *(("Status", "VOID"), ("Document status", "Cancelled"), ("Status", "draft"), ("Type", "void")),
        *(("Estado", "anulado"), ("Type", "Proforma"), ("Document type", "PO"), ("Belegart", "Storniert")),
        *(("Status", "not yet invoiced"), ("Doc. Type", "Payment"), ("Status", "in dispute")),
    ],
)
def test_an_amount_that_an_unnamed_column_makes_void_is_no_cost_whatever_its_sign(
    name: str, word: str, tmp_path: Path
) -> None:
    text = f"{HEADER},{name}\nV1,1,01/02/2025,2.50,{word}\nV1,2,01/02/2025,-3.50,{word}\nV1,3,01/02/2025,1,\n"
    assert read(tmp_path, text) == (None, [(None, None), (None, None), ("1", None)])


def test_a_feed_that_names_the_signs_decides(tmp_path: Path) -> None:
    feed = FEED.model_copy(update={"signs": Signs(headers=("D/C",))})
    text = f"{HEADER},D/C,Type\nV1,1,01/02/2025,2.50,C,credit note\nV1,2,01/02/2025,3.50,D,credit note\n"
    assert read(tmp_path, text, feed) == (None, [("-2.50", None), ("3.50", None)])


@pytest.mark.parametrize(
    ("rows", "name", "values"),
    [
        (("1,000.00", "2,500.00"), "Text", [None, None]),
        (("1,000.00", "2,500.00"), "Unit", [None, None]),
        (("12,101", "13,102"), "Set", ["12", "13"]),
        (("100,119.25", "2,2.38"), "Gross amount", ["100", "2"]),
        (("100.00,119.25", "2.00,238.25"), "Text", ["100.00", "2.00"]),
        (("12,40", "13,41"), "Week", ["12", "13"]),
    ],
)
def test_a_thousands_comma_without_quotes_makes_no_small_amount(
    rows: tuple[str, ...], name: str, values: list[str | None], tmp_path: Path
) -> None:
    lines = [f"V1,{n},01/02/2025,{row}" for n, row in enumerate(rows)]
    refused, read_ = read(tmp_path, "\n".join([f"{HEADER},{name}", *lines, ""]))
    assert (refused, [value for value, _ in read_]) == (None, values)


@pytest.mark.parametrize(
    ("name", "rows", "values"),
    [
        ("Text", ("1,250", "12.00,lamp", "12.50,lamp"), [None, "12.00", "12.50"]),
        ("Text", ("1,250", "12,200", "125,grip"), [None, None, "125"]),
        ("Text", ("99,50", "12,lamp", "125,grip"), [None, "12", "125"]),
        ("Memo", ("99,50", "12,lamp", "125,grip"), [None, "12", "125"]),
        ("For", ("1,250", "2,lamp", "3,grip", "4,gaffer", "5,lift"), [None, "2", "3", "4", "5"]),
        ("Set", ("1,101", "2,101", "3,GEN"), ["1", "2", "3"]),
        ("Text", ("1.00,250", "2.00,lamp"), ["1.00", "2.00"]),
        ("Text", ("1234,250", "2,4711", "3,lamp"), ["1234", "2", "3"]),
    ],
)
def test_digits_in_a_text_may_be_the_rest_of_an_amount(
    name: str, rows: tuple[str, ...], values: list[str | None], tmp_path: Path
) -> None:
    lines = [f"V1,{n},01/02/2025,{row}" for n, row in enumerate(rows)]
    refused, found = read(tmp_path, "\n".join([f"{HEADER},{name}", *lines, ""]))
    assert (refused, [value for value, _ in found]) == (None, values)


def test_a_thousands_blank_in_columns_divided_by_blanks_makes_no_small_amount(tmp_path: Path) -> None:
    lines = [f"V{n} {n} 01/02/2025 {n} 000.00" for n in range(1, 5)]
    text = "\n".join(["Vendor_code Invoice_no Invoice_date Net_amount Text", *lines, ""])
    refused, read_ = read(tmp_path, text)
    assert refused is not None or {value for value, _ in read_} == {None}


@pytest.mark.parametrize(
    ("rows", "name", "refused"),
    [
        (("10,00", "20,50"), "Text", "SC-FIL-002"),
        (("10,25", "20,50"), "Text", "SC-FIL-002"),
        (("10,00", "20,50"), "Unit", "SC-FIL-002"),
        (("10,25", "20,50"), "Week", None),
        (("10,00", "20.5,50"), "Text", None),
        (("10,00", "20,lamp"), "Text", None),
    ],
)
def test_a_decimal_comma_without_quotes_refuses_the_file(
    rows: tuple[str, ...], name: str, refused: str | None, tmp_path: Path
) -> None:
    lines = [f"V1,{n},01/02/2025,{row}" for n, row in enumerate(rows)]
    assert read(tmp_path, "\n".join([f"{HEADER},{name}", *lines, ""]))[0] == refused


@pytest.mark.parametrize(
    ("line", "symbol"),
    [
        ("Amounts in \u00a3000", "\u00a3000"),
        ("All figures in thousands", "thousands"),
        ("Angaben in TEUR", "TEUR"),
        ("Currency: USD", "USD"),
        ("All amounts in US dollars", "US$"),
        ("ALL AMOUNTS IN USD", "USD"),
        ("All amounts in dollars", "$"),
        ("Betr\u00e4ge in Pfund", "\u00a3"),
        ("Importes en d\u00f3lares", "$"),
        (",,,in TEUR", "TEUR"),
        (",,,k\u20ac", "k\u20ac"),
        (",,,T\u20ac", "T\u20ac"),
        (",,,\u20ack", "\u20ack"),
        (",,,KEUR", "KEUR"),
        (",,,in Tsd. \u20ac", "Tsd"),
        (",,,in thousands", "thousands"),
        (",,,in $", "$"),
        ("Ledger,,,USD", "USD"),
        ("CAD", "CAD"),
        ("US dollars", "US$"),
        ("Unit:,thousands", "thousands"),
        ("Unit,,1000,", "thousands"),
        ("Batch type: Entered - Functional: CAD", "CAD"),
        ("Ledger USD", "USD"),
        ("Cost report in USD", "USD"),
        ("Invoices in thousands", "thousands"),
        ("Currency: EUR,,,in thousands", "thousands"),
        ("Unit: Camera", None),
        ("Unit: M", None),
        ("DOP", None),
        ("Rates in USD", None),
        ("ALL", None),
        ("CT", None),
        ("Dollar General", None),
        ("EUR,USD", None),
        ("All amounts in thousands of US dollars", "thousands"),
        ("W\u00e4hrung:,USD,,", "USD"),
        ("Currencies: USD and EUR", None),
        ("Report for the USD account", None),
    ],
)
def test_a_title_or_note_may_state_the_unit_of_all_amounts(
    line: str, symbol: str | None, tmp_path: Path
) -> None:
    row = "V1,1,01/02/2025,2.50\nV1,2,01/02/2025,\u20ac3.50"
    expected = [("2.50", symbol), ("3.50", "\u20ac")]
    assert read(tmp_path, f"{line}\n\n{HEADER}\n{row}\n") == (None, expected)


@pytest.mark.parametrize(
    ("names", "cells", "is_table"),
    [
        (",Shop,Slip,Bought,Cost", ",B,S1,2025-02-01,5.00", True),
        (",,Shop,Bought,Cost", ",,B,2025-02-01,5.00", True),
        (",Shop,Slip,Note,Who", ",B,S1,paid,me", False),
        (",Approved on,Units", ",2025-02-01,5", False),
        ("x,Shop,Slip,Bought,Cost", "seen,B,S1,2025-02-01,5.00", False),
        (",Cash book,,", ",S1,2025-02-01,5.00", True),
        (",,,", ",Taxi,S1,5.00", True),
        (",,,", ",Taxi,S1,5", False),
        (",,", ",S1,5.00", False),
    ],
)
def test_a_table_beside_the_own_one_refuses_the_file(
    names: str, cells: str, is_table: bool, tmp_path: Path
) -> None:
    rows = "".join(f"V1,{n},0{n}/02/2025,{n}.50,{cells}\n" for n in (1, 2, 3))
    refused, found = read(tmp_path, f"{HEADER},{names}\n{rows}")
    assert (refused, len(found)) == (("SC-FIL-002", 0) if is_table else (None, 3))


@pytest.mark.parametrize(
    ("unit", "stated"),
    [
        *(("in TEUR", "TEUR"), ("(\u00a3000)", "\u00a3000"), ("USD", "USD"), ("[thousands]", "thousands")),
        *(("net", None), ("", None), ("see below", None)),
    ],
)
def test_a_line_of_units_below_the_column_names_counts_for_its_column(
    unit: str, stated: str | None, tmp_path: Path
) -> None:
    text = f"{HEADER}\n,,,{unit}\nV1,1,01/02/2025,2.50\nV1,2,02/02/2025,3.50\n"
    refused, rows = read(tmp_path, text)
    # Where it may be a second line of column names, the header is not certain.
    assert refused == "SC-FIL-002" or rows[-2:] == [("2.50", stated), ("3.50", stated)]
    assert (refused is None) or unit[:2] != "in"


@pytest.mark.parametrize(
    ("name", "symbol"), [("Net amount EUR", "thousands"), ("Net amount k\u20ac", "k\u20ac")]
)
def test_a_unit_of_all_amounts_counts_more_than_the_currency_of_a_column(
    name: str, symbol: str, tmp_path: Path
) -> None:
    fields = {**TEXTS.fields, "net_amount": FieldHints(headers=(name,))}
    feed = TEXTS.model_copy(update={"fields": fields})
    header = HEADER.replace("Net amount", name)
    assert name in header
    text = f"in thousands\n\n{header}\nV1,1,01/02/2025,2.50\nV1,2,01/02/2025,3.50\n"
    assert read(tmp_path, text, feed) == (None, [("2.50", symbol), ("3.50", symbol)])


def test_a_note_with_rates_may_state_the_currency(tmp_path: Path) -> None:
    text = f"{HEADER}\nV1,1,01/02/2025,2.50\nV1,2,01/02/2025,3.50\n\nRates: 1 EUR = 1.1 USD; amounts in USD\n"
    assert read(tmp_path, text) == (None, [("2.50", "USD"), ("3.50", "USD")])


def test_a_note_below_the_rows_may_state_it_too(tmp_path: Path) -> None:
    text = f"{HEADER}\nV1,1,01/02/2025,2.50\nV1,2,01/02/2025,3.50\nNote: all amounts in USD,,,\n"
    assert read(tmp_path, text) == (None, [("2.50", "USD"), ("3.50", "USD")])


@pytest.mark.parametrize(
    ("name", "cells", "symbols"),
    [
        ("Curr.", ("USD", "EUR"), ["USD", "EUR"]),
        ("W\u00e4hrung", ("usd", ""), ["USD", None]),
        ("Document currency", ("US Dollars", "Euro"), ["USD", "EUR"]),
        ("Ccy", ("US$", "yen"), ["US$", "yen"]),
        ("Unit", ("USD", "GBP"), ["USD", "GBP"]),
        ("Unit", ("USD", "each"), [None, None]),
        ("Valuta", ("01.02.2025", "02.02.2025"), [None, None]),
        ("Country", ("CHE", "CHE"), [None, None]),
    ],
)
def test_a_currency_in_an_unnamed_column_contradicts_the_one_taken_for_granted(
    name: str, cells: tuple[str, str], symbols: list[str | None], tmp_path: Path
) -> None:
    feed = TEXTS.model_copy(update={"default_currency": "EUR"})
    text = f"{HEADER},{name}\nV1,1,01/02/2025,2.50,{cells[0]}\nV1,2,01/02/2025,3.50,{cells[1]}\n"
    assert read(tmp_path, text, feed) == (None, list(zip(["2.50", "3.50"], symbols, strict=True)))


def test_a_named_currency_column_is_the_only_one(tmp_path: Path) -> None:
    header = f"{HEADER},Currency,Base currency"
    assert read(tmp_path, f"{header}\nV1,1,01/02/2025,2.50,USD,EUR\n") == (None, [("2.50", None)])


@pytest.mark.parametrize("chunk_bytes", [2**23, 1])
def test_a_heading_between_the_rows_states_the_currency_below_it(
    chunk_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("showcost.ingest.delivery_records.CHUNK_BYTES", chunk_bytes)
    lines = [
        "V1,1,01/02/2025,1.50",
        "USD,,,",
        "V1,2,01/02/2025,2.50",
        "V1,3,01/02/2025,£3.50",
        "Currency: GBP,,,",
        "V1,4,01/02/2025,4.50",
        "Catering,,,",
        "V1,5,01/02/2025,5.50",
        "EUR,6,01/02/2025,6.50",
    ]
    refused, found = read(tmp_path, "\n".join([HEADER, *lines, ""]))
    assert refused is None
    assert [symbol for value, symbol in found if value] == [None, "USD", "£", "GBP", "GBP", "GBP"]
    named = "\n".join([f"{HEADER},Currency", *(f"{line}," for line in lines), ""])
    assert [symbol for value, symbol in read(tmp_path, named)[1] if value] == [
        None,
        None,
        "£",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("chunk_bytes", [2**23, 1])
@pytest.mark.parametrize(
    ("heading", "symbol"),
    [
        *(("Currency: GBP", "GBP"), ("Invoices in USD,,,", "USD"), ("US Dollar,,,", "US$")),
        *(("Pounds sterling,,,", "\u00a3"), (",,USD,", "USD"), ("Currency,USD,,", "USD")),
        *(("UNIT LONDON - all amounts in GBP", "GBP"), ("in TUSD,,,", "TUSD"), ("Unit London", None)),
    ],
)
def test_a_line_between_the_rows_states_the_currency_below_it(
    heading: str, symbol: str | None, chunk_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("showcost.ingest.delivery_records.CHUNK_BYTES", chunk_bytes)
    lines = ["V1,1,01/02/2025,1.50", heading, "V1,2,01/02/2025,2.50", "V1,3,01/02/2025,3.50"]
    refused, found = read(tmp_path, "\n".join([HEADER, *lines, ""]))
    assert refused is None
    assert [unit for value, unit in found if value] == [None, symbol, symbol]
    refused, found = read(tmp_path, "\n".join(["Currency: CHF", "", HEADER, *lines, ""]))
    assert [unit for value, unit in found if value] == ["CHF", symbol or "CHF", symbol or "CHF"]


@pytest.mark.parametrize(
    ("names", "symbols"),
    [
        (("EUR", "USD", "October"), ["EUR", "USD", None]),
        (("2025", "in TUSD", "Kosten USD"), [None, "TUSD", "USD"]),
        (("A", "B", "Unit M"), [None, None, None]),
    ],
)
def test_the_name_of_a_sheet_states_the_currency_of_its_rows(
    names: tuple[str, ...], symbols: list[str | None], tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for number, name in enumerate(names):
        sheet = book.create_sheet(name)
        sheet.append(HEADER.split(","))
        sheet.append(["V1", f"N{number}", "2025-02-01", 2.5])
    book.save(tmp_path / "any.xlsx")
    with landed(tmp_path / "any.xlsx", None, TEXTS) as content:
        rows = sorted(content.records.by_date().read_all().to_pylist(), key=lambda row: row["record"])
    assert [row["net_amount__symbol"] for row in rows] == symbols


def test_a_symbol_of_the_first_amount_alone_is_that_of_all(tmp_path: Path) -> None:
    text = f"{HEADER}\nV1,1,01/02/2025,US$ 2.50\nV1,2,01/02/2025,3.50\nV1,3,01/02/2025,4.50\n"
    assert read(tmp_path, text) == (None, [("2.50", "US$"), ("3.50", "US$"), ("4.50", "US$")])
    rows = (
        "V1,1,01/02/2025,US$ 2.50",
        "V1,2,01/02/2025,\u20ac 3.50",
        "V1,3,01/02/2025,4.50",
        "V1,4,01/02/2025,5",
    )
    mixed = "\n".join((HEADER, *rows, ""))
    assert read(tmp_path, mixed)[1][2:] == [("4.50", None), ("5", None)]
    own = ("V1,1,01/02/2025,US$ 2.50,USD", "V1,2,01/02/2025,3.50,EUR", "V1,3,01/02/2025,4.50,EUR")
    coded = "\n".join((f"{HEADER},Currency", *own, ""))
    assert read(tmp_path, coded)[1][1:] == [("3.50", None), ("4.50", None)]


@pytest.mark.parametrize(
    ("note", "symbol"),
    [
        *(
            ("All amounts in USD", "USD"),
            ("Betr\u00e4ge in TEUR", "TEUR"),
            ("Amounts in thousands", "thousands"),
        ),
        *(("Figures in \u00a3000", "\u00a3000"), ("Thank you for your business", None)),
    ],
)
@pytest.mark.parametrize("ending", ["", ",,,"])
def test_a_note_below_the_rows_is_about_all_amounts(
    note: str, symbol: str | None, ending: str, tmp_path: Path
) -> None:
    text = f"{HEADER}\nV1,1,01/02/2025,2.50\nV1,2,01/02/2025,3.50\n{note}{ending}\n"
    assert read(tmp_path, text)[1][:2] == [("2.50", symbol), ("3.50", symbol)]


def test_a_multiple_counts_more_than_the_currency_of_a_column_or_amount(tmp_path: Path) -> None:
    feed = FEED.model_copy(update={"fields": {"net_amount": FieldHints(headers=("Net amount EUR",))}})
    header = HEADER.replace("Net amount", "Net amount EUR")
    text = f"{header}\nV1,1,01/02/2025,2.50\nin TEUR,,,\nV1,2,01/02/2025,\u20ac 3.50\nV1,3,01/02/2025,4.50\n"
    found = read(tmp_path, text, feed)[1]
    assert [found[0], *found[2:]] == [("2.50", "EUR"), ("3.50", "TEUR"), ("4.50", "TEUR")]


@pytest.mark.parametrize(
    ("total", "note"),
    [
        ("7.50", ()),
        ("99.00", ("the total below the rows says net_amount 99.00, but the rows come to 7.50",)),
        ("tbc", ()),
    ],
)
def test_a_total_that_no_feed_declares_is_compared_and_a_difference_is_noted(
    total: str, note: tuple[str, ...], tmp_path: Path
) -> None:
    rows = "".join(f"V1,{number},01/02/2025,{number}.50\n" for number in range(1, 4))
    with landed(tmp_path / "any.csv", f"{HEADER}\n{rows}Total,,,{total}\n", FEED) as content:
        assert content.summary.received == 3
        assert content.summary.notes == note
    unreadable = rows.replace("2.50", "n/a")
    with landed(tmp_path / "other.csv", f"{HEADER}\n{unreadable}Total,,,{total}\n", FEED) as content:
        assert all("which is not compared" in text for text in content.summary.notes)
        assert len(content.summary.notes) == (total != "tbc")
