"""Rows that a heading, a title, a sheet, their description or their number calls credits or no costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import openpyxl
import pytest

from showcost.config.feed import FieldHints, Signs
from showcost.ingest.no_costs import said_by, without_no_cost
from showcost_tests.ingest.test_landing import FEED, HEADER, landed

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.config.feed import FeedSpec

TEXTS: Final = FEED.model_copy(update={"fields": {"description": FieldHints(headers=("Text",))}})


def details(path: Path, text: str | None, feed: FeedSpec = FEED) -> dict[str, str | None]:
    """Return the detail of each record with a document number, by this number."""
    with landed(path, text, feed) as content:
        assert content.summary.refused is None
        records = content.records.by_date().read_all().to_pylist()
    return {row["invoice_no"]: row["read_detail"] for row in records if row["invoice_no"]}


def marked(found: dict[str, str | None]) -> set[str]:
    return {number for number, detail in found.items() if detail and "credit or no cost: " in detail}


@pytest.mark.parametrize(
    "heading",
    [
        *("Credit notes", "CREDIT NOTES:", "Gutschriften", "II. Gutschriften", "Avoirs", "Note di credito"),
        *(
            "Notas de cr\u00e9dito",
            "Credits",
            "Void",
            "--- VOID ---",
            "Cancelled invoices",
            "Stornierte Rechnungen",
        ),
        *(
            "Storniert",
            "Not yet invoiced",
            "Noch nicht fakturiert",
            "Pro forma",
            "Proforma invoices",
            "Quotes",
        ),
        *(
            "Disputed",
            "Invoices in dispute",
            "On hold",
            "Payments received",
            "Zahlungen",
            "Refunds",
            "Duplicates",
        ),
        *("Uninvoiced", "Kreditnota", "Credit memos", "Reversals", "Annul\u00e9", "\u00c0 facturer"),
    ],
)
def test_rows_below_a_heading_are_no_costs_until_another_ends_it(heading: str, tmp_path: Path) -> None:
    text = (
        f"{HEADER}\nV1,1,01/02/2025,2.50\n{heading},,,\nV1,2,01/02/2025,3.50\nV1,3,01/02/2025,4.50\n"
        "Invoices,,,\nV1,4,01/02/2025,5.50\n"
    )
    found = details(tmp_path / "any.csv", text)
    assert marked(found) == {"2", "3"}
    assert f'the heading "{heading.strip(":- ")}"' in str(found["2"])


@pytest.mark.parametrize(
    "heading",
    [
        *("Invoices and credit notes", "Charges & credits", "No credit notes this month", "Credit card"),
        *("Camera department", "USD", "Rechnungen und Gutschriften", "excl. credit notes", "Week 42"),
        *("Location Berlin", "Credit Suisse", "Voided cheques are listed by the bank in its own list below"),
    ],
)
def test_other_headings_say_nothing(heading: str, tmp_path: Path) -> None:
    text = f"{HEADER}\nV1,1,01/02/2025,2.50\n{heading},,,\nV1,2,01/02/2025,3.50\n"
    assert marked(details(tmp_path / "any.csv", text)) == set()


def test_negative_amounts_below_credit_notes_say_the_same_and_void_ones_do_not(tmp_path: Path) -> None:
    text = (
        f"{HEADER}\nCredit notes,,,\nV1,1,01/02/2025,-2.50\nV1,2,01/02/2025,2.50\nV1,3,01/02/2025,0\n"
        "Void,,,\nV1,4,01/02/2025,-2.50\nCancelled credit notes,,,\nV1,5,01/02/2025,-2.50\n"
    )
    assert marked(details(tmp_path / "any.csv", text)) == {"2", "4", "5"}


def test_a_heading_that_lacks_cells_counts(tmp_path: Path) -> None:
    rows = "".join(f"V1,{number},01/02/2025,2.50\n" for number in range(2, 9))
    text = f"{HEADER}\nV1,1,01/02/2025,2.50\nCredit notes\n{rows}"
    assert marked(details(tmp_path / "any.csv", text)) == {str(number) for number in range(2, 9)}


@pytest.mark.parametrize(
    ("title", "is_said"),
    [("Credit notes October", True), ("Invoices and credit notes", False), ("Quotation", True)],
)
def test_a_title_counts_for_all_rows(title: str, is_said: bool, tmp_path: Path) -> None:
    text = f"{title}\n\n{HEADER}\nV1,1,01/02/2025,2.50\nV1,2,01/02/2025,3.50\n"
    found = details(tmp_path / "any.csv", text)
    assert marked(found) == ({"1", "2"} if is_said else set())


def test_the_name_of_a_sheet_counts_for_its_rows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, name in enumerate(("Invoices", "Credit notes", "Berlin"), start=1):
        sheet = book.create_sheet(name)
        sheet.append(HEADER.split(","))
        sheet.append(["V1", f"R{number}", "01/02/2025", "2.50"])
        sheet.append(["V1", f"S{number}", "01/02/2025", "3.50"])
    path = tmp_path / "sheets.xlsx"
    book.save(path)
    found = details(path, None)
    assert marked(found) == {"R2", "S2"}
    assert 'the sheet "Credit notes"' in str(found["R2"])


@pytest.mark.parametrize(
    ("description", "is_said"),
    [
        *(("Credit note for invoice 12", True), ("Gutschrift zu RE 12", True), ("Storno Rechnung 12", True)),
        *(("Refund of deposit", True), ("Pro forma", True), ("VOID", True), ("Reversal of accrual", True)),
        *(("Credit card fee", False), ("Credit notes fee", False), ("Stornogeb\u00fchr", False)),
        *(
            ("Storno-Geb\u00fchr Hotel", False),
            ("Refundable deposit", False),
            ("Cancelled shoot day fee", False),
        ),
        *(("Void fill", False), ("Camera hire, no credit note", False), ("Quotations printed", False)),
    ],
)
def test_a_description_that_begins_with_it_counts(description: str, is_said: bool, tmp_path: Path) -> None:
    text = f'{HEADER},Text\nV1,1,01/02/2025,2.50,"{description}"\nV1,2,01/02/2025,-3.50,"{description}"\n'
    assert marked(details(tmp_path / "any.csv", text, TEXTS)) == ({"1"} if is_said else set())


@pytest.mark.parametrize(
    ("number", "is_said"),
    [("CREDIT-12", True), ("Credit Note 12", True), ("CRN0012", True), ("AVOIR12", True), ("CN-12", False)],
)
def test_a_number_that_begins_with_it_counts(number: str, is_said: bool, tmp_path: Path) -> None:
    text = f"{HEADER}\nV1,{number},01/02/2025,2.50\n"
    assert marked(details(tmp_path / "any.csv", text)) == ({number} if is_said else set())


def test_a_feed_with_signs_of_its_own_is_not_asked_about_texts(tmp_path: Path) -> None:
    feed = TEXTS.model_copy(update={"signs": Signs(headers=("D/C",))})
    text = f"{HEADER},Text,D/C\nV1,1,01/02/2025,2.50,Credit note,D\n"
    assert marked(details(tmp_path / "any.csv", text, feed)) == set()


def test_what_is_said_goes_with_the_amount_that_a_person_enters() -> None:
    assert without_no_cost('credit or no cost: the heading "Void"') is None
    assert without_no_cost("repeats record 3; credit or no cost: x; hidden in the workbook") == (
        "repeats record 3; hidden in the workbook"
    )


def test_long_texts_are_no_headings() -> None:
    assert said_by("Please note that credit notes are issued within thirty days of the return") is None
