"""Matching: one to one, in parts and together, and nothing guessed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.readers.statements.model import StatementLine
from showcost.reports.statements.documents import LedgerDocument, normal_texts
from showcost.reports.statements.matching import MatchStatus, match, still_open

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.reports.statements.matching import MatchOutcome

DAY = date(2026, 3, 2)
MATCHED, PARTIAL, DIFFERS, AMBIGUOUS, PAYMENT, UNKNOWN, _ = MatchStatus


def a_document(
    number: str, owed: str, vendor: str = "ACME", currency: str = "EUR", days: int = 0
) -> LedgerDocument:
    day = DAY + timedelta(days)
    (normal,) = normal_texts([number], numbers=True)
    return LedgerDocument(
        document_id=f"{vendor} {number} {currency}",
        number=normal,
        shown_number=number,
        vendor_code=vendor,
        vendor_name=f"{vendor} Ltd",
        record_kind="vendor_invoice",
        account="9210",
        currency=currency,
        owed=Decimal(owed),
        first_date=day,
        last_date=day,
        due_date=day + timedelta(30),
    )


_numbers = count(1)


def a_line(
    owed: str, text: str = "", *, currency: str = "EUR", days: int = 10, **other: str
) -> StatementLine:
    number = next(_numbers)
    code, _, amount = other.get("instructed", "").partition(" ")
    return StatementLine(
        number=number,
        place=f"entry {number}",
        dated=DAY + timedelta(days),
        currency=currency,
        owed=Decimal(owed),
        references=(other["reference"],) if "reference" in other else (),
        texts=(text,) if text else (),
        party=other.get("party", ""),
        instructed=(code, Decimal(amount)) if code else None,
        is_payment="payment" in text,
    )


def matched(
    lines: Sequence[StatementLine], documents: Sequence[LedgerDocument], *, parts: bool = True
) -> MatchOutcome:
    return match(lines, documents, 10, allows_parts=parts)


def shown(outcome: MatchOutcome) -> list[tuple[MatchStatus, str, str]]:
    """Return status, document and amount of each result."""
    return [
        (result.status, result.document.shown_number if result.document else "", str(result.amount))
        for result in outcome.results
    ]


NAMES = {
    "INV-8": True,
    "inv - 8": True,
    "Rechnung INV-8.": True,
    "RE: INV-8/INV-9": True,
    "payment of invoice (INV\N{NON-BREAKING HYPHEN}8) of March": True,
    "0INV-8": False,
    "INV-80": False,
    "XINV-8": False,
    "INV8": False,
}


@pytest.mark.parametrize("text", NAMES)
def test_a_number_in_a_text_is_found_whole_or_not_at_all(text: str) -> None:
    outcome = matched([a_line("70.00", text.replace("payment", "paid"))], [a_document("INV-8", "100.00")])
    assert shown(outcome) == [(PARTIAL, "INV-8", "70.00") if NAMES[text] else (UNKNOWN, "", "70.00")]


def test_digits_that_a_text_may_have_by_chance_count_with_the_amount_only() -> None:
    documents = [a_document("2026", "100.00"), a_document("000341", "55.00", days=1)]
    outcome = matched([a_line("99.00", "Rent 2026, 341 Main St")], documents)
    assert shown(outcome) == [(UNKNOWN, "", "99.00")]
    outcome = matched(
        [a_line("55.00", "Rent 2026, 341 Main St"), a_line("90.00", reference="341")], documents
    )
    assert [status for status, *_ in shown(outcome)] == [MATCHED, DIFFERS]
    outcome = matched([a_line("55.00", "Rent 2026, no. 341")], documents)
    assert shown(outcome) == [(MATCHED, "000341", "55.00")]


@pytest.mark.parametrize("number", ["G1", "A12", "12", "B-7", "MP3", "2026", "7/8"])
def test_a_short_number_needs_the_amount_or_the_vendors_name(number: str) -> None:
    document = a_document(number, "1000.00")
    text = f"Parking deck {number} airport"
    assert shown(matched([a_line("12.00", text)], [document])) == [(UNKNOWN, "", "12.00")]
    assert shown(matched([a_line("-12.00", text)], [document])) == [(UNKNOWN, "", "-12.00")]
    assert shown(matched([a_line("1000.00", text)], [document])) == [(MATCHED, number, "1000.00")]
    of_vendor = f"{document.vendor_name.upper()}: {number}"
    for line in (a_line("12.00", of_vendor), a_line("12.00", text, party=document.vendor_name)):
        assert shown(matched([line], [document])) == [(PARTIAL, number, "12.00")]
    assert shown(matched([a_line("12.00", reference=number)], [document])) == [(PARTIAL, number, "12.00")]


def test_documents_that_one_payment_lists_are_settled_together() -> None:
    documents = [a_document("INV-1", "10.00"), a_document("INV-2", "20.00"), a_document("CN-3", "-5.00")]
    outcome = matched([a_line("25.00", "INV-1, INV-2 less CN-3")], documents)
    assert shown(outcome) == [
        (MATCHED, "CN-3", "-5.00"),
        (MATCHED, "INV-1", "10.00"),
        (MATCHED, "INV-2", "20.00"),
    ]
    assert outcome.unsettled == ()
    outcome = matched([a_line("26.00", "INV-1, INV-2 less CN-3")], documents)
    (result,) = outcome.results
    assert result.status is DIFFERS
    assert result.reason == "INV-1 of ACME, INV-2 of ACME, CN-3 of ACME come to 25.00"
    # Nobody knows which of them are paid: none is listed as not on the statement.
    assert outcome.unsettled == ()


def test_parts_add_up_or_leave_something_open() -> None:
    document = a_document("INV-1", "100.00")
    outcome = matched([a_line("60.00", "INV-1"), a_line("40.00", "INV-1 rest")], [document])
    assert shown(outcome) == [(MATCHED, "INV-1", "60.00"), (MATCHED, "INV-1", "40.00")]
    assert still_open(outcome.results) == {document: 0}
    outcome = matched([a_line("60.00", "INV-1"), a_line("30.00", "INV-1")], [document])
    assert shown(outcome) == [(PARTIAL, "INV-1", "60.00"), (PARTIAL, "INV-1", "30.00")]
    assert still_open(outcome.results) == {document: 10}
    # A vendor's statement has whole documents: a smaller amount is a difference.
    outcome = matched([a_line("60.00", "INV-1")], [document], parts=False)
    assert [(result.status, result.reason) for result in outcome.results] == [
        (DIFFERS, "40.00 EUR less than the ledger")
    ]


def test_a_document_that_is_paid_twice_is_not_settled_by_either() -> None:
    outcome = matched([a_line("10.00", "INV-1"), a_line("10.00", "INV-1")], [a_document("INV-1", "10.00")])
    assert [(result.status, result.reason) for result in outcome.results] == [
        (AMBIGUOUS, "2 lines settle the document in full; paid twice?: INV-1 of ACME")
    ] * 2


def test_a_difference_and_an_opposite_sign_are_said() -> None:
    documents = [
        a_document("INV-1", "10.00"),
        a_document("CN-2", "-5.00"),
        a_document("US-3", "7.00", currency="USD"),
    ]
    lines = [a_line("12.00", "INV-1"), a_line("5.00", "CN-2"), a_line("7.00", "US-3")]
    assert [result.reason for result in matched(lines, documents).results] == [
        "2.00 EUR more than the ledger",
        "the amount has the opposite sign",
        "the document is in USD",
    ]


def test_the_amount_of_the_order_matches_a_document_in_its_currency() -> None:
    line = a_line("6.40", "US-3", instructed="USD 7.00")
    assert shown(matched([line], [a_document("US-3", "7.00", currency="USD")])) == [(MATCHED, "US-3", "7.00")]


def test_amount_and_date_match_where_each_has_only_the_other() -> None:
    documents = [
        a_document("INV-1", "10.00"),
        a_document("INV-2", "20.00"),
        a_document("INV-3", "20.00", "OTHER"),
    ]
    outcome = matched([a_line("10.00", "thank you"), a_line("20.00"), a_line("30.00")], documents)
    assert [(result.status, result.basis) for result in outcome.results] == [
        (MATCHED, "amount and date"),
        (AMBIGUOUS, ""),
        (UNKNOWN, ""),
    ]
    assert outcome.results[1].reason == (
        "2 documents and 1 lines have this amount: INV-2 of ACME, INV-3 of OTHER"
    )
    assert shown(matched([a_line("20.00", party="Other, Ltd.")], documents)) == [(MATCHED, "INV-3", "20.00")]
    two = matched([a_line("10.00"), a_line("10.00")], documents)
    assert [status for status, *_ in shown(two)] == [AMBIGUOUS, AMBIGUOUS]


@pytest.mark.parametrize(("days", "status"), [(-10, MATCHED), (-11, UNKNOWN), (40, MATCHED), (41, UNKNOWN)])
def test_the_window_is_from_the_document_to_its_due_date_with_the_tolerance(
    days: int, status: MatchStatus
) -> None:
    outcome = matched([a_line("10.00", days=days)], [a_document("INV-1", "10.00")])
    assert [result.status for result in outcome.results] == [status]
    named = matched([a_line("10.00", "INV-1", days=days)], [a_document("INV-1", "10.00")])
    (result,) = named.results
    assert result.status is MATCHED
    assert result.basis == ("document, amount and date" if status is MATCHED else "document, amount")
    assert bool(result.reason) == (status is UNKNOWN)


def test_a_number_of_two_vendors_is_told_by_name_or_amount_or_is_ambiguous() -> None:
    documents = [a_document("INV-1", "10.00"), a_document("INV-1", "20.00", "OTHER")]
    assert shown(matched([a_line("20.00", "INV-1")], documents)) == [(MATCHED, "INV-1", "20.00")]
    named = matched([a_line("5.00", "INV-1", party="Acme Ltd")], documents)
    assert [result.document for result in named.results] == [documents[0]]
    assert shown(matched([a_line("5.00", "INV-1")], documents)) == [(AMBIGUOUS, "", "5.00")]


def test_a_reference_that_the_ledger_lacks_is_never_replaced_by_an_amount() -> None:
    (result,) = matched([a_line("10.00", reference="INV-99")], [a_document("INV-1", "10.00")]).results
    assert result.status is UNKNOWN
    assert result.reason == "no such document; the same amount has INV-1 of ACME"


def test_a_vendors_payments_are_no_documents() -> None:
    lines = [a_line("-10.00", "payment INV-1"), a_line("10.00", reference="INV-1")]
    outcome = matched(lines, [a_document("INV-1", "10.00")], parts=False)
    assert shown(outcome) == [(PAYMENT, "", "-10.00"), (MATCHED, "INV-1", "10.00")]


books = st.lists(
    st.tuples(
        st.sampled_from(["INV-1", "INV-2", "INV-3", "7", "CN-4"]),
        st.sampled_from(["10.00", "20.00", "-10.00", "30.00"]),
        st.sampled_from(["ACME", "OTHER"]),
        st.sampled_from(["EUR", "USD"]),
    ),
    unique_by=lambda item: (item[0], item[2], item[3]),
    max_size=8,
)
statements = st.lists(
    st.tuples(
        st.sampled_from(["10.00", "20.00", "-10.00", "30.00", "5.00", "40.00"]),
        st.sampled_from(["", "INV-1", "INV-1 INV-2", "INV-3", "7", "CN-4 + INV-3", "nothing"]),
        st.sampled_from(["", "ACME Ltd", "OTHER Ltd"]),
        st.sampled_from(["EUR", "USD"]),
    ),
    max_size=8,
)


@given(books, statements, st.booleans())
def test_nothing_is_counted_twice_and_the_order_of_the_ledger_does_not_matter(
    documents: list[tuple[str, str, str, str]], lines: list[tuple[str, str, str, str]], parts: bool
) -> None:
    known = [a_document(*facts) for facts in documents]
    listed = [a_line(owed, text, party=party, currency=currency) for owed, text, party, currency in lines]
    outcome = matched(listed, known, parts=parts)
    again = matched(listed, known[::-1], parts=parts)
    assert again.results == outcome.results
    assert set(again.unsettled) == set(outcome.unsettled)
    # Every line has a result, and what it settles adds up to it.
    assert {result.line.number for result in outcome.results if result.line} == {
        line.number for line in listed
    }
    for line in listed:
        of_line = [result.amount for result in outcome.results if result.line is line]
        assert sum(amount for amount in of_line if amount is not None) == line.owed
    # No document is settled beyond its amount, and a settled one is not listed as open.
    for document, left in still_open(outcome.results).items():
        assert abs(left) < abs(document.owed)
        assert left * document.owed >= 0
        assert document not in outcome.unsettled
