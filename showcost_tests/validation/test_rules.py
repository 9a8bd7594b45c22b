"""One fixture that passes and one that fails for each reason code; then the finer points of the rules."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from showcost.core.reasons import Severity, in_force
from showcost_tests.validation.raw import (
    INVOICE,
    PAY,
    PERMIT,
    PRODUCTION,
    SAMPLES,
    Row,
    feed_of,
    fx,
    posted_table,
    raw_table,
    run,
)

if TYPE_CHECKING:
    from showcost.validation import ValidationResult


@dataclass(frozen=True)
class Case:
    """A code, and changes of a sample row with which it holds to the rule (`good`) and fails it (`bad`)."""

    code: str
    kind: str
    field: str
    good: Row
    bad: Row
    status: str = "ok"
    settings: Row = dataclasses.field(default_factory=dict)
    before: tuple[Row, ...] = ()
    """Rows of the feed that come before the changed one, changed likewise."""


INV, PMT, PAYROLL = "vendor_invoice", "location_permit", "payroll"
CONTROL: Final[Row] = {"event_type": "deposit", "fee_amount": "0", "account": "9120"}

GRIP: Final[Row] = {
    "agreement": "IATSE Basic Agreement",
    "union_local": "80",
    "occupation_code": "4551",
    "schedule": "1",
    "account": "2210",
    "rate": "65.22",
    "gross": "521.76",
}

CASES: Final = (
    Case("SC-ROW-002", INV, "invoice_no", {"invoice_no": " x "}, {"invoice_no": " \u00a0"}),
    Case(
        "SC-ROW-003",
        PAYROLL,
        "employee_ref",
        {"employee_ref": "E-123456"},
        {"employee_ref": "123-45-6789"},
    ),
    Case("SC-DAT-001", INV, "due_date", {"due_date": "2026-11-30"}, {"due_date": "30.02.2026"}),
    Case("SC-DAT-002", INV, "invoice_date", {"invoice_date": "2026-11-06"}, {"invoice_date": "2026-11-07"}),
    Case("SC-AMT-001", INV, "tax_amount", {"tax_amount": "19.000"}, {"tax_amount": "19 %"}),
    Case(
        "SC-AMT-002",
        INV,
        "net_amount",
        {"net_amount": "12.5000", "gross_amount": "31.5"},
        {"net_amount": "12.505", "gross_amount": ""},
    ),
    Case("SC-AMT-003", INV, "gross_amount", {"gross_amount": "119"}, {"gross_amount": "119.01"}),
    Case("SC-CUR-001", INV, "currency", {"currency": "gbp"}, {"currency": "CHF"}),
    Case("SC-CUR-002", INV, "net_amount", {"net_amount": "€100.00"}, {"net_amount": "$100.00"}),
    Case("SC-FX-001", INV, "currency", {"invoice_date": "2026-11-07"}, {}, status="pending"),
    Case("SC-FX-002", INV, "currency", {"invoice_date": "2026-11-07"}, {}, status="missing"),
    Case("SC-FX-003", INV, "currency", {"invoice_date": "2026-11-07"}, {}, status="changed"),
    Case("SC-COA-001", INV, "account", {"account": " 1410"}, {"account": "1411"}),
    Case(
        "SC-COA-002",
        INV,
        "account",
        {"account": "2290", "invoice_date": "2026-09-27"},
        {"account": "2290", "invoice_date": "2026-09-28"},
    ),
    Case(
        "SC-VEN-001",
        INV,
        "vendor_tax_id",
        {"vendor_tax_id": "12-3456789", "vendor_country": "us"},
        {"vendor_tax_id": ""},
    ),
    Case(
        "SC-VEN-002",
        INV,
        "vendor_tax_id",
        {"vendor_tax_id": "GB 980 7806 84", "vendor_country": "UK"},
        {"vendor_tax_id": "DE136695977"},
    ),
    Case("SC-DUP-001", INV, "vendor_code, invoice_no, line_no", {"line_no": "2"}, {}, before=({},)),
    Case(
        "SC-DUP-002",
        INV,
        "vendor_code, invoice_no, line_no",
        {"line_no": "2", "description": "Doors"},
        {"description": "Doors"},
        before=({},),
    ),
    Case("SC-PER-001", INV, "invoice_date", {"invoice_date": "2026-09-21"}, {"invoice_date": "2026-09-20"}),
    Case(
        "SC-PMT-001",
        PMT,
        "end_datetime",
        {"end_datetime": "2026-10-06 06:00"},
        {"end_datetime": "2026-10-06 05:59"},
    ),
    Case("SC-PMT-002", PMT, "account", CONTROL, CONTROL | {"account": "3610"}),
    Case("SC-MAP-001", PAYROLL, "account", {"account": "1420"}, {"account": "2210"}),
    Case("SC-MAP-002", PAYROLL, "occupation_code", {"occupation_code": "day"}, {"union_local": "600"}),
    Case("SC-PAY-001", PAYROLL, "rate", GRIP, GRIP | {"rate": "65.21", "gross": "521.68"}),
    Case(
        "SC-PAY-002",
        PAYROLL,
        "hours_1_5x",
        GRIP | {"hours_1_5x": "2", "gross": "717.42"},
        GRIP | {"hours_1x": "10", "gross": "652.20"},
    ),
    Case(
        "SC-PAY-003",
        PAYROLL,
        "meal_penalty_amount",
        {"meal_penalty_count": "1", "meal_penalty_amount": "25", "gross": "1308"},
        {"meal_penalty_count": "1", "meal_penalty_amount": "24.99", "gross": "1307.99"},
    ),
    Case("SC-PAY-004", PAYROLL, "hours_1x", GRIP, GRIP | {"hours_1x": "7.9", "gross": "515.24"}),
    Case("SC-PAY-006", PAYROLL, "gross", {"gross": "1283"}, {"gross": "1283.01", "benefit_amount": "269.44"}),
    Case(
        "SC-PAY-008",
        PAYROLL,
        "agreement",
        {"agreement": "sag-aftra tv/theatrical 2026"},
        {"agreement": "Pact/Bectu TV drama"},
    ),
)
"""For FX the row that passes is one whose rate is not asked for: it has another fault."""


def outcome(case: Case, change: Row) -> ValidationResult:
    feed = feed_of(case.kind, **case.settings)
    rows = [SAMPLES[case.kind] | changed for changed in (*case.before, change)]
    return run(feed, raw_table(feed, rows), fx_status=fx(case.status))


def codes_of(found: ValidationResult) -> list[str]:
    """Return the codes of the one row that is not valid; none when there is none."""
    rows = found.quarantine.column("codes").to_pylist()
    assert len(rows) <= 1
    return rows[0] if rows else []


def reasons_of(found: ValidationResult, place: int = 0) -> list[dict[str, str]]:
    reasons: list[dict[str, str]] = json.loads(found.quarantine.column("reasons")[place].as_py())
    return reasons


def one(kind: str, change: Row, **settings: object) -> ValidationResult:
    feed = feed_of(kind, **settings)
    return run(feed, raw_table(feed, [SAMPLES[kind] | change]))


def test_every_code_in_force_has_a_case() -> None:
    """Codes of the reader, of people's decisions and of vendors' outages have theirs elsewhere.

    Warnings, which keep no row out, have theirs with the pay rules.
    """
    elsewhere = {"SC-ROW-001", "SC-ROW-004", "SC-COR-001", "SC-API-001"}
    of_rows = {reason.code for reason in in_force() if reason.severity is not Severity.WARNING}
    of_validation = {code for code in of_rows if "-FIL-" not in code} - elsewhere
    assert {case.code for case in CASES} == of_validation


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_row_that_holds_to_the_rule_does_not_carry_its_code(case: Case) -> None:
    found = outcome(case, case.good)
    assert case.code not in codes_of(found)
    if not case.code.startswith("SC-FX"):
        assert found.counts.valid == len(case.before) + 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_row_that_fails_the_rule_carries_its_code_and_no_other(case: Case) -> None:
    found = outcome(case, case.bad)
    assert codes_of(found) == [case.code]
    (reason,) = reasons_of(found)
    assert list(reason) == ["code", "field", "observed", "expected", "source"]
    assert reason["field"] == case.field
    assert reason["observed"] is not None
    assert reason["expected"]
    assert reason["source"]


def test_rate_that_is_known_keeps_no_row_out() -> None:
    assert one(INV, {}).counts.valid == 1


def test_row_that_the_reader_rejected_carries_the_readers_code_alone() -> None:
    feed = feed_of(INV)
    rejected: Row = {"read_code": "SC-ROW-001", "read_detail": "22 cells instead of 21", "row_key": None}
    found = run(feed, raw_table(feed, [rejected]))
    assert found.quarantine.column("disposition").to_pylist() == ["quarantined"]
    (reason,) = reasons_of(found)
    assert (reason["code"], reason["observed"]) == ("SC-ROW-001", "22 cells instead of 21")
    assert (reason["field"], reason["expected"]) == ("record", "as many cells as the header names")
    unread = run(feed, raw_table(feed, [rejected | {"read_code": "SC-FIL-002"}]))
    assert reasons_of(unread)[0]["field"] == "delivery"


def test_all_faults_of_a_row_are_told() -> None:
    found = one(INV, {"account": "", "currency": "CHF", "net_amount": "x", "service_to": "soon"})
    assert codes_of(found) == ["SC-AMT-001", "SC-CUR-001", "SC-DAT-001", "SC-ROW-002"]


@pytest.mark.parametrize("name", ["invoice_date", "currency", "net_amount", "account"])
def test_what_posting_needs_is_required_whatever_the_feed_says(name: str) -> None:
    found = one(INV, {name: ""}, required=("vendor_code",))
    assert codes_of(found) == ["SC-ROW-002"]
    assert reasons_of(found)[0]["field"] == name


def test_optional_part_of_the_key_may_be_blank_while_there_is_a_key() -> None:
    assert one(INV, {"line_no": ""}).counts.valid == 1
    without = one(INV, {"line_no": "", "row_key": None})
    assert reasons_of(without)[0]["field"] == "line_no"


def test_text_that_the_account_mapping_does_not_know_is_an_unknown_account() -> None:
    mapping = {"headers": ["Expense area"], "map": {"Sets": "2210"}}
    assert codes_of(one(INV, {"account": None}, accounts=mapping)) == ["SC-COA-001"]


def test_row_of_another_production_lies_outside_this_one() -> None:
    found = one(INV, {"production_code": "XYZ"})
    assert codes_of(found) == ["SC-DAT-002"]
    assert reasons_of(found)[0]["field"] == "production_code"
    assert one(INV, {"production_code": " hrb"}).counts.valid == 1
    assert one(INV, {"production_code": ""}).counts.valid == 1


@pytest.mark.parametrize(
    ("currency", "amount", "fits"),
    [
        ("JPY", "1200", True),
        ("JPY", "1200.00", True),
        ("JPY", "1200.5", False),
        ("USD", "-0.01", True),
        ("USD", "0.001", False),
        ("USD", "99999999999999.99", True),
        ("USD", "100000000000000", False),
        ("USD", "0", True),
    ],
)
def test_minor_unit_and_length_bind_money(currency: str, amount: str, fits: bool) -> None:
    found = one(INV, {"currency": currency, "net_amount": amount, "tax_amount": "", "gross_amount": ""})
    assert codes_of(found) == ([] if fits else ["SC-AMT-002"])


def test_minor_unit_does_not_bind_rates_hours_and_counts() -> None:
    assert one(PAYROLL, {"rate": "165.223344", "hours_2x": "0.125", "gross": "1363.09"}).counts.valid == 1
    assert codes_of(one(PAYROLL, {"rate": "160.3750001"})) == ["SC-AMT-002"]


def test_total_is_compared_only_when_all_three_amounts_are_there() -> None:
    assert one(INV, {"tax_amount": ""}).counts.valid == 1
    assert "100.0000 + 19.0000 = 119.0000" in reasons_of(one(INV, {"gross_amount": "120"}))[0]["expected"]


def test_tax_may_not_post_to_a_control_account_that_is_closed() -> None:
    feed = feed_of(INV)
    accounts = PRODUCTION.control_accounts.model_copy(update={"recoverable_tax": "2290"})
    closed = PRODUCTION.model_copy(update={"control_accounts": accounts})
    found = run(feed, raw_table(feed, [INVOICE]), production=closed)
    (reason,) = reasons_of(found)
    assert (reason["code"], reason["field"]) == ("SC-COA-002", "tax_amount")
    assert reason["expected"] == "account 2290 open on 2026-10-05; it closed on 2026-09-28"
    untaxed = INVOICE | {"tax_amount": "", "gross_amount": ""}
    assert run(feed, raw_table(feed, [untaxed]), production=closed).counts.valid == 1


@pytest.mark.parametrize(
    ("country", "tax_id", "passes"),
    [
        ("", "DE136695976", True),
        ("", "de136695977", False),
        ("", "136695977", True),
        ("EL", "EL 094259216", True),
        ("US", "07-1144442", False),
        ("CA", "12302 6635 RC 0001", True),
        ("CA", "123456783", False),
        ("BS", "anything", True),
        ("../US", "anything", True),
        ("DE", "DE136695976'; --", False),
        ("DE", "²³", False),
    ],
)
def test_tax_id_by_country(country: str, tax_id: str, passes: bool) -> None:
    found = one(INV, {"vendor_country": country, "vendor_tax_id": tax_id})
    assert codes_of(found) == ([] if passes else ["SC-VEN-002"])


def test_tax_id_that_the_feed_does_not_require_may_be_blank() -> None:
    assert one(INV, {"vendor_tax_id": None}, required=("vendor_code", "invoice_no")).counts.valid == 1


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({"event_type": "Deposit", "deposit_amount": "", "refundable": "Y"}, False),
        ({"fee_amount": "0", "refundable": "TRUE"}, False),
        ({"fee_amount": "0", "refundable": "no"}, True),
        ({"fee_amount": "0", "refundable": ""}, True),
        ({"fee_amount": "0", "deposit_amount": "-2000"}, True),
        ({"event_type": "fee"}, True),
    ],
)
def test_deposit_as_a_cost(change: Row, holds: bool) -> None:
    assert codes_of(one(PMT, change)) == ([] if holds else ["SC-PMT-002"])


def test_row_that_only_waits_is_pending_and_one_with_another_fault_is_not() -> None:
    feed = feed_of(INV)
    rows = raw_table(feed, [INVOICE, INVOICE | {"line_no": "2", "account": "0"}])
    found = run(feed, rows, fx_status=fx("pending"))
    assert found.quarantine.column("disposition").to_pylist() == ["pending", "quarantined"]
    assert found.quarantine.column("codes").to_pylist() == [["SC-FX-001"], ["SC-COA-001", "SC-FX-001"]]


def test_personal_cells_are_masked_in_reasons_and_long_ones_shortened() -> None:
    taxed = one(INV, {"vendor_tax_id": "DE136695977"}).quarantine.column("reasons")[0].as_py()
    assert "136695977" not in taxed
    assert '"observed":"***"' in taxed
    feed = feed_of(PAYROLL)
    twice = run(feed, raw_table(feed, [PAY, PAY]))
    assert reasons_of(twice)[0]["observed"] == "Cast & Crew | CC-9 | *** | 2026-10-05 | DAY"
    assert len(reasons_of(one(INV, {"account": "9" * 500}))[0]["observed"]) == 200


def test_components_and_posting_columns() -> None:
    invoice = one(INV, {"tax_amount": "0", "gross_amount": "100"}).valid.to_pylist()[0]
    assert [part["component"] for part in invoice["components"]] == ["net"]
    nothing = one(INV, {"net_amount": "0", "tax_amount": "", "gross_amount": ""}).valid.to_pylist()[0]
    assert [str(part["amount"]) for part in nothing["components"]] == ["0.0000"]
    permit = one(PMT, {}).valid.to_pylist()[0]
    assert [(part["component"], part["account"]) for part in permit["components"]] == [
        ("fee", "3610"),
        ("deposit", "9120"),
    ]
    assert (permit["document_no"], permit["vendor_name"]) == ("P-7", "FilmLA")
    lost = one(PMT, {"refundable": "no"}).valid.to_pylist()[0]
    assert [part["account"] for part in lost["components"]] == ["3610", "3610"]
    pay = one(PAYROLL, {}).valid.to_pylist()[0]
    assert [(part["account"], part["union_category"]) for part in pay["components"]] == [
        ("1410", "sag-aftra"),
        ("1990", "none"),
    ]
    other = one(PAYROLL, {"account": "1420"}).valid.to_pylist()[0]
    assert other["components"][1]["account"] == "6990"
    assert "E-4711" not in (pay["description"], pay["vendor_name"], pay["vendor_code"])


def test_posted_row_stays_valid_and_carries_its_faults_as_flags() -> None:
    feed = feed_of(INV)
    rows = raw_table(feed, [INVOICE])
    before = run(feed, rows).valid.to_pylist()[0]
    closed = raw_table(feed, [INVOICE | {"account": "0000"}])
    content = run(feed, closed).quarantine
    assert content.num_rows == 1
    key = (before["row_key"], before["delivery"], before["record"], before["content"])
    found = run(feed, closed, posted=posted_table([key]), fx_status=fx("changed"))
    assert found.counts.valid == 1
    assert found.valid.column("flags").to_pylist() == [["SC-COA-001", "SC-DUP-002", "SC-FX-003"]]
    assert found.counts.flags == {"SC-COA-001": 1, "SC-DUP-002": 1, "SC-FX-003": 1}


def test_permit_times_are_typed() -> None:
    row = one(PMT, {}).valid.to_pylist()[0]
    assert row["start_datetime"].hour == int(str(PERMIT["start_datetime"])[11:13])


@pytest.mark.parametrize("field", ["employee_ref", "series", "agreement", "occupation_code", "schedule"])
@pytest.mark.parametrize("number", ["123-45-6789", "046 454 286", "AB 12 34 56 C"])
def test_number_of_a_person_is_refused_in_any_field_and_shown_nowhere(field: str, number: str) -> None:
    found = one(PAYROLL, {field: number})
    assert "SC-ROW-003" in codes_of(found)
    text = found.quarantine.column("reasons")[0].as_py()
    assert number not in text
    assert number.replace(" ", "") not in text
