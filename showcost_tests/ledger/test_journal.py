"""The journal: both sides of every document, line by line as decision record 24 writes them out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.config.production import ControlAccounts, FxPolicy
from showcost.config.record_kinds import LOCATION_PERMIT, PAYROLL, VENDOR_INVOICE, RecordKind
from showcost.core.errors import InputError
from showcost.ledger.decisions import Decision, DecisionKind, record_decisions
from showcost.ledger.journal import COLUMNS, open_journal
from showcost.ledger.new_entries import PostingContext
from showcost.ledger.recovery import writing
from showcost.ledger.store import Ledger
from showcost_tests.ledger.rows import MONDAY, SCHEMA, WEEK, entries, pin_rates, post_rows, short
from showcost_tests.ledger.test_migrations import home_of
from showcost_tests.validation.raw import PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.production import Production

CONTROL = ControlAccounts(
    recoverable_tax="9110",
    refundable_deposit="9120",
    fringe="6990",
    accounts_payable="9210",
    payroll_clearing="9220",
    permits_payable="9230",
    currency_rounding="6895",
)
RATES = {"USD": Decimal("1.1203"), "GBP": Decimal("0.8534")}
BOOKS = PRODUCTION.model_copy(update={"control_accounts": CONTROL})
TUESDAY = WEEK[1]

Line = tuple[str, str, str, str, str]
"""Kind of line, kind of entry, account, amount and base amount."""


def context_of(kind: RecordKind) -> PostingContext:
    return PostingContext("NIGHTFALL", "USD", "vendors", kind)


def a_row(
    number: int, document: str, *parts: tuple[str, str, str], day: date = MONDAY, **other: object
) -> dict[str, Any]:
    """Return a valid row of a document; `parts` are component, account and amount."""
    return {
        "delivery": short("delivery") * 2,
        "arrival": 1,
        "record": number,
        "row_key": short(f"key {number}"),
        "content": short(f"{number} {parts} {day}"),
        "transaction_date": day,
        "currency": "EUR",
        "vendor_code": "ACME",
        "invoice_no": document,
        "permit_id": document,
        "payroll_invoice_no": document,
        "components": [
            {"component": name, "account": account, "union_category": None, "amount": Decimal(amount)}
            for name, account, amount in parts
        ],
    } | other


EXTRA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("permit_id", "payroll_invoice_no", "pay_rules", "loan_out", "jurisdiction")
        ),
        ("start_datetime", pa.timestamp("s")),
        ("end_datetime", pa.timestamp("s")),
        ("work_date", pa.date32()),
    ]
)
ROWS = pa.schema([*SCHEMA, *EXTRA])


def post(ledger: Ledger, rows: Sequence[dict[str, Any]], kind: RecordKind = VENDOR_INVOICE) -> None:
    table = pa.Table.from_pylist(list(rows), schema=ROWS)
    post_rows(ledger, table, context=context_of(kind))


def journal(ledger: Ledger, production: Production = BOOKS, as_of: int | None = None) -> list[dict[str, Any]]:
    with ledger.read() as connection:
        open_journal(connection, production, as_of)
        lines: list[dict[str, Any]] = connection.sql("FROM journal ORDER BY ALL").to_arrow_table().to_pylist()
        return lines


def shown(lines: list[dict[str, Any]]) -> list[Line]:
    return sorted(
        (
            line["line_kind"],
            line["entry_kind"] or "",
            line["account"],
            f"{line['amount']:.2f}",
            f"{line['base_amount']:.2f}",
        )
        for line in lines
    )


def assert_balanced(lines: list[dict[str, Any]]) -> None:
    """Assert that each document comes to zero per currency and in base."""
    original: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    base: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        original[line["document_id"], line["currency"]] += line["amount"]
        base[line["document_id"]] += line["base_amount"]
    assert {key: total for key, total in original.items() if total} == {}
    assert {key: total for key, total in base.items() if total} == {}


def decide(ledger: Ledger, row: dict[str, Any], kind: DecisionKind, feed: str = "vendors") -> None:
    decision = Decision(feed, row["delivery"], row["record"], kind, {}, ())
    now = datetime(2026, 3, 9, 9, tzinfo=UTC)
    with writing(ledger) as connection:
        record_decisions(ledger, connection, [decision], who="R. Auditor", why="asked", now=now)


def last_seq(ledger: Ledger) -> int:
    return max(record.seq for record in ledger.audit.records())


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    books = Ledger(tmp_path / "ledger.duckdb")
    pin_rates(books, rates=RATES)
    return books


INVOICE = (
    a_row(1, "INV-8", ("net", "2320", "10.02"), ("tax", "9110", "3.81")),
    a_row(2, "INV-8", ("net", "3220", "10.02")),
)


def test_an_invoice_has_its_payable_and_its_rounding(ledger: Ledger) -> None:
    post(ledger, INVOICE)
    lines = journal(ledger)
    assert list(lines[0]) == list(COLUMNS)
    assert shown(lines) == [
        ("contra", "posting", "9210", "-23.85", "-26.73"),
        ("entry", "posting", "2320", "10.02", "11.23"),
        ("entry", "posting", "3220", "10.02", "11.23"),
        ("entry", "posting", "9110", "3.81", "4.27"),
        ("rounding", "", "6895", "0.00", "-0.01"),
        ("rounding", "", "9210", "0.00", "0.01"),
    ]
    assert_balanced(lines)


def test_a_permit_with_a_deposit(ledger: Ledger) -> None:
    permit = a_row(1, "P-1", ("fee", "3610", "450.00"), ("deposit", "9120", "1000.00"), currency="GBP")
    post(ledger, [permit], LOCATION_PERMIT)
    lines = journal(ledger)
    assert shown(lines) == [
        ("contra", "posting", "9230", "-1450.00", "-1903.49"),
        ("entry", "posting", "3610", "450.00", "590.74"),
        ("entry", "posting", "9120", "1000.00", "1312.75"),
    ]
    assert_balanced(lines)


def test_a_payroll_week_with_fringes_balances_each_day(ledger: Ledger) -> None:
    monday = a_row(1, "PAY-31", ("gross", "2510", "812.40"), ("benefit", "6990", "211.22"), currency="USD")
    tuesday = a_row(
        2, "PAY-31", ("gross", "2510", "640.00"), ("benefit", "6990", "166.40"), day=TUESDAY, currency="USD"
    )
    post(ledger, [monday | {"loan_out": "Yes"}, tuesday | {"work_date": TUESDAY, "loan_out": "no"}], PAYROLL)
    lines = journal(ledger)
    assert len({line["document_id"] for line in lines}) == 1
    assert shown([line for line in lines if line["transaction_date"] == MONDAY]) == [
        ("contra", "posting", "9220", "-1023.62", "-1023.62"),
        ("entry", "posting", "2510", "812.40", "812.40"),
        ("entry", "posting", "6990", "211.22", "211.22"),
    ]
    assert shown([line for line in lines if line["transaction_date"] == TUESDAY]) == [
        ("contra", "posting", "9220", "-806.40", "-806.40"),
        ("entry", "posting", "2510", "640.00", "640.00"),
        ("entry", "posting", "6990", "166.40", "166.40"),
    ]
    assert {
        (entry["transaction_date"], entry["loan_out"], entry["service_from"]) for entry in entries(ledger)
    } == {
        (MONDAY, True, None),
        (TUESDAY, False, TUESDAY),
    }


def test_a_corrected_line_is_reversed_and_the_rounding_follows_the_document(ledger: Ledger) -> None:
    post(ledger, INVOICE)
    before = journal(ledger)
    seq = last_seq(ledger)
    corrected = INVOICE[1] | a_row(2, "INV-8", ("net", "3220", "12.00"), record=9, arrival=2)
    decide(ledger, INVOICE[1], DecisionKind.REVERSE)
    decide(ledger, corrected, DecisionKind.REBOOK)
    post(ledger, [INVOICE[0], corrected])
    lines = journal(ledger)
    fresh = [line for line in shown(lines) if line not in shown(before)]
    assert fresh == [
        ("contra", "posting", "9210", "-12.00", "-13.44"),
        ("contra", "reversal", "9210", "10.02", "11.23"),
        ("entry", "posting", "3220", "12.00", "13.44"),
        ("entry", "reversal", "3220", "-10.02", "-11.23"),
    ]
    assert [line for line in lines if line["line_kind"] == "rounding"] == []
    assert_balanced(lines)
    assert journal(ledger, as_of=seq) == before


def test_a_hundred_small_lines_come_to_the_converted_total(ledger: Ledger) -> None:
    post(ledger, [a_row(number, "INV-9", ("net", "2320", "0.33")) for number in range(100)])
    by_account: dict[str, Decimal] = defaultdict(Decimal)
    for line in journal(ledger):
        by_account[line["account"]] += line["base_amount"]
    assert by_account == {"2320": Decimal("37.00"), "9210": Decimal("-36.97"), "6895": Decimal("-0.03")}
    # The policy is that of the posting, whatever the production says later.
    by_line = BOOKS.model_copy(update={"fx": FxPolicy(document_rounding="line")})
    assert journal(ledger, by_line) == journal(ledger)


def test_lines_that_were_posted_by_line_have_no_rounding_of_their_document(ledger: Ledger) -> None:
    rows = [a_row(number, "INV-9", ("net", "2320", "0.33")) for number in range(100)]
    context = replace(context_of(VENDOR_INVOICE), document_rounding="line")
    post_rows(ledger, pa.Table.from_pylist(rows, schema=ROWS), context=context)
    by_account: dict[str, Decimal] = defaultdict(Decimal)
    for line in journal(ledger):
        by_account[line["account"]] += line["base_amount"]
    assert by_account == {"2320": Decimal("37.00"), "9210": Decimal("-37.00")}
    assert {entry["fx_policy"] for entry in entries(ledger)} == {
        "ecb-daily/carry-4/cross-eur/half-away/line-total"
    }


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("INV-8", "inv - 8", True),
        ("INV-8", "INV\N{NON-BREAKING HYPHEN}8", True),
        ("000123", "123", True),
        ("\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}", "12", True),
        ("INV-8", "INV8", False),
        ("A-0012", "A-12", False),
        ("INV-8", "INV\N{SOFT HYPHEN}-8\N{RIGHT-TO-LEFT MARK}", True),
        ("0", "00", True),
    ],
)
def test_one_document_is_one_however_its_number_is_written(
    ledger: Ledger, first: str, second: str, is_one: bool
) -> None:
    post(ledger, [a_row(1, first, ("net", "2320", "1.00")), a_row(2, second, ("net", "2320", "2.00"))])
    posted = entries(ledger)
    assert {entry["document_no"] for entry in posted} == {first, second}
    assert len({entry["document_id"] for entry in posted}) == (1 if is_one else 2)


def test_vendors_whose_codes_differ_in_zeros_are_two(ledger: Ledger) -> None:
    rows = [
        a_row(number, "I-1", ("net", "2320", "1.00"), vendor_code=vendor)
        for number, vendor in enumerate(["007", "7", "acme", "ACME"])
    ]
    post(ledger, rows)
    assert len({entry["document_id"] for entry in entries(ledger)}) == 3


def test_the_payable_of_a_document_is_on_one_vendor_however_its_code_is_written(ledger: Ledger) -> None:
    rows = [
        a_row(1, "I-1", ("net", "2320", "10.00"), vendor_code="ACME"),
        a_row(2, "I-1", ("net", "2320", "5.00"), vendor_code="acme"),
    ]
    post(ledger, rows)
    decide(ledger, rows[1], DecisionKind.REVERSE)
    post(ledger, rows[:1])
    contra = [line for line in journal(ledger) if line["line_kind"] == "contra"]
    assert {line["vendor_code"] for line in contra} == {"ACME"}
    assert sum(line["amount"] for line in contra) == Decimal("-10.00")


def test_a_document_beyond_the_type_of_amounts_has_no_rounding(ledger: Ledger) -> None:
    post(ledger, [a_row(number, "BIG", ("net", "2320", "50000000000000.00")) for number in range(3)])
    lines = journal(ledger)
    assert_balanced(lines)
    assert [line for line in lines if line["line_kind"] == "rounding"] == []


def test_a_number_without_a_letter_or_digit_is_no_number(ledger: Ledger) -> None:
    post(
        ledger,
        [a_row(number, text, ("net", "2320", "1.00")) for number, text in enumerate(["-", "\u00ad", " "])],
    )
    assert len({entry["document_id"] for entry in entries(ledger)}) == 3


def test_document_ids_follow_from_their_definition_in_words(ledger: Ledger) -> None:
    post(
        ledger,
        [
            a_row(1, "inv 7", ("net", "2320", "1.00"), vendor_code="Acme"),
            a_row(2, "", ("net", "2320", "2.00")),
        ],
    )
    by_record = {entry["record"]: entry["document_id"] for entry in entries(ledger)}
    assert by_record == {
        1: short('["document","NIGHTFALL","vendor_invoice","ACME","INV7","2026"]'),
        2: short(f'["row","NIGHTFALL","vendors","{short("key 2")}"]'),
    }


def test_no_zero_component_is_written_beside_others(ledger: Ledger) -> None:
    post(
        ledger,
        [
            a_row(1, "INV-1", ("net", "2320", "0.00"), ("tax", "9110", "3.80")),
            a_row(2, "INV-2", ("net", "2320", "0.00"), ("tax", "9110", "0.00")),
        ],
    )
    assert [
        (entry["record"], entry["component"])
        for entry in sorted(entries(ledger), key=lambda entry: entry["record"])
    ] == [
        (1, "tax"),
        (2, "net"),
    ]
    assert {line["document_no"] for line in journal(ledger)} == {"INV-1"}


def test_entries_from_before_the_document_ids_are_in_the_journal_with_theirs(tmp_path: Path) -> None:
    ledger = home_of(7, tmp_path)
    lines = journal(ledger)
    assert_balanced(lines)

    assert len([line for line in lines if line["line_kind"] == "entry"]) == 42
    documents: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        documents[line["document_no"]].add(line["document_id"])
    assert documents["R-5"] == {short('["document","NIGHTFALL","vendor_invoice","V5","R-5","2026"]')}
    assert {len(ids) for ids in documents.values()} == {1}


def test_a_journal_without_control_accounts_is_refused(ledger: Ledger) -> None:
    with pytest.raises(
        InputError, match="accounts_payable, payroll_clearing, permits_payable, currency_rounding"
    ):
        journal(ledger, PRODUCTION)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A-1", "A-2", "A-3"]),
            st.sampled_from(["EUR", "GBP", "USD"]),
            st.decimals(-500, 500, places=2),
            st.sampled_from(WEEK),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_every_document_balances(lines: list[tuple[str, str, Decimal, date]]) -> None:
    with TemporaryDirectory() as folder:
        books = Ledger(Path(folder) / "ledger.duckdb")
        pin_rates(books, rates=RATES)
        rows = [
            a_row(number, document, ("net", "2320", str(amount)), day=day, currency=currency)
            for number, (document, currency, amount, day) in enumerate(lines)
        ]
        post(books, sorted(rows, key=lambda row: row["transaction_date"]))
        assert_balanced(journal(books))
