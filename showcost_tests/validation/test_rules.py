"""A passing and a failing case for each reason code, and edge cases of the rules."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from showcost.core.reason_catalogue import Severity, in_force
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
    from showcost.validation.validate import ValidationResult


@dataclass(frozen=True)
class Case:
    """A reason code, and changes of a sample row that pass the rule (`good`) and fail it (`bad`)."""

    code: str
    kind: str
    field: str
    good: Row
    bad: Row
    status: str = "ok"
    settings: Row = dataclasses.field(default_factory=dict)
    before: tuple[Row, ...] = ()
    """Changes of sample rows that precede the changed row."""


INV, PMT, PAYROLL = "vendor_invoice", "location_permit", "payroll"
CONTROL: Final[Row] = {"event_type": "deposit", "fee_amount": "0", "account": "9120"}

GRIP: Final[Row] = {
    "day_of_workweek": "1",
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
    Case(
        "SC-TOT-001",
        INV,
        "net_amount",
        {"vendor_name": "Total Energies"},
        {"read_code": "SC-TOT-001", "read_detail": "the sum of 2 rows above"},
    ),
    Case(
        "SC-AMT-004",
        INV,
        "net_amount",
        {"description": "Credit note"},
        {"read_detail": 'credit or no cost: the heading "Void"'},
    ),
    Case("SC-ROW-004", INV, "vendor_name", {"vendor_name": "# N/A"}, {"vendor_name": " #N/A "}),
    Case("SC-ROW-004", INV, "description", {"description": "#1"}, {"description": "#FORMULA!"}),
    Case("SC-ROW-005", PAYROLL, "rate_basis", {"rate_basis": "HR"}, {"rate_basis": "per job"}),
    Case("SC-ROW-005", PMT, "refundable", {"refundable": "Y"}, {"refundable": "X"}),
    Case("SC-CUR-001", INV, "currency", {"currency": "gbp"}, {"currency": "CHF"}),
    Case("SC-CUR-001", INV, "currency", {"currency": "GBP"}, {"currency": "GBp"}),
    Case("SC-CUR-001", INV, "currency", {"currency": "gbP"}, {"currency": "GBX"}),
    Case("SC-CUR-001", INV, "currency", {"currency": "GBP"}, {"currency": "ZAc"}),
    Case("SC-CUR-001", INV, "currency", {"currency": "GBP"}, {"currency": "ILA"}),
    Case("SC-CUR-002", INV, "net_amount", {"net_amount": "€100.00"}, {"net_amount": "$100.00"}),
    *(
        Case("SC-CUR-003", INV, "net_amount", {"net_amount": "€100.00"}, {"net_amount": f"{unit} 100.00"})
        for unit in ("TEUR", "€ k", "in thousands", "p", "Mio.", "GBp", "T€", "cents")
    ),
    Case("SC-FX-001", INV, "currency", {"invoice_date": "2026-11-07"}, {}, status="pending"),
    Case("SC-FX-002", INV, "currency", {"invoice_date": "2026-11-07"}, {}, status="missing"),
    Case("SC-FX-003", INV, "currency", {"invoice_date": "2026-11-07"}, {}, status="changed"),
    Case("SC-FX-004", INV, "currency", {"invoice_date": "2026-11-07"}, {}, status="jumped"),
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
    Case("SC-DOC-001", INV, "invoice_no", {"invoice_no": "1E+10A"}, {"invoice_no": "1.23457E+11"}),
    Case("SC-DOC-001", INV, "invoice_no", {"invoice_no": "12E5"}, {"invoice_no": "1,23457E+11"}),
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
    Case("SC-COA-003", "estimate", "account", {"account": "2210"}, {"account": "9120"}),
    Case("SC-PO-002", "purchase_order", "is_closed", {"is_closed": "Open"}, {"is_closed": "perhaps"}),
)
"""For FX the passing row is one whose rate is not looked up because of another fault."""


def run_case(case: Case, change: Row) -> ValidationResult:
    feed = feed_of(case.kind, **case.settings)
    rows = [SAMPLES[case.kind] | changed for changed in (*case.before, change)]
    return run(feed, raw_table(feed, rows), fx_status=fx(case.status))


def codes_of(result: ValidationResult) -> list[str]:
    """Return the codes of the row that is not valid; empty if every row is valid."""
    rows = result.quarantine.column("codes").to_pylist()
    assert len(rows) <= 1
    return rows[0] if rows else []


def reasons_of(result: ValidationResult, place: int = 0) -> list[dict[str, str]]:
    reasons: list[dict[str, str]] = json.loads(result.quarantine.column("reasons")[place].as_py())
    return reasons


def run_one(kind: str, change: Row, **settings: object) -> ValidationResult:
    feed = feed_of(kind, **settings)
    return run(feed, raw_table(feed, [SAMPLES[kind] | change]))


def test_every_code_in_force_has_a_case() -> None:
    """Codes of the reader, of decisions, of vendor outages and of other feeds are tested elsewhere.

    Warnings, which keep no row out, have theirs with the pay rules.
    """
    elsewhere = {"SC-ROW-001", "SC-COR-001", "SC-API-001", "SC-DUP-003", "SC-TAX-001"}
    of_rows = {reason.code for reason in in_force() if reason.severity is not Severity.WARNING}
    of_validation = {code for code in of_rows if "-FIL-" not in code} - elsewhere
    assert {case.code for case in CASES} == of_validation


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_row_that_passes_the_rule_does_not_have_its_code(case: Case) -> None:
    result = run_case(case, case.good)
    assert case.code not in codes_of(result)
    if not case.code.startswith("SC-FX"):
        assert result.counts.valid == len(case.before) + 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_row_that_fails_the_rule_has_its_code_and_no_other(case: Case) -> None:
    result = run_case(case, case.bad)
    assert codes_of(result) == [case.code]
    (reason,) = reasons_of(result)
    assert list(reason) == ["code", "field", "observed", "expected", "source"]
    assert reason["field"] == case.field
    assert reason["observed"] is not None
    assert reason["expected"]
    assert reason["source"]


def test_a_row_with_a_rate_is_valid() -> None:
    assert run_one(INV, {}).counts.valid == 1


def test_a_row_that_the_reader_rejected_has_only_the_readers_code() -> None:
    feed = feed_of(INV)
    rejected: Row = {"read_code": "SC-ROW-001", "read_detail": "22 cells instead of 21", "row_key": None}
    result = run(feed, raw_table(feed, [rejected]))
    assert result.quarantine.column("disposition").to_pylist() == ["quarantined"]
    (reason,) = reasons_of(result)
    assert (reason["code"], reason["observed"]) == ("SC-ROW-001", "22 cells instead of 21")
    assert (reason["field"], reason["expected"]) == ("record", "as many cells as the header names")
    unread = run(feed, raw_table(feed, [rejected | {"read_code": "SC-FIL-002"}]))
    assert reasons_of(unread)[0]["field"] == "delivery"


def test_all_faults_of_a_row_are_reported() -> None:
    result = run_one(INV, {"account": "", "currency": "CHF", "net_amount": "x", "service_to": "soon"})
    assert codes_of(result) == ["SC-AMT-001", "SC-CUR-001", "SC-DAT-001", "SC-ROW-002"]


@pytest.mark.parametrize("name", ["invoice_date", "currency", "net_amount", "account"])
def test_fields_that_posting_needs_are_always_required(name: str) -> None:
    result = run_one(INV, {name: ""}, required=("vendor_code",))
    assert codes_of(result) == ["SC-ROW-002"]
    assert reasons_of(result)[0]["field"] == name


def test_optional_part_of_the_key_may_be_blank_while_there_is_a_key() -> None:
    assert run_one(INV, {"line_no": ""}).counts.valid == 1
    without = run_one(INV, {"line_no": "", "row_key": None})
    assert reasons_of(without)[0]["field"] == "line_no"


def test_a_text_not_in_the_account_mapping_is_an_unknown_account() -> None:
    mapping = {"headers": ["Expense area"], "map": {"Sets": "2210"}}
    assert codes_of(run_one(INV, {"account": None}, accounts=mapping)) == ["SC-COA-001"]


def test_a_row_of_another_production_is_rejected() -> None:
    result = run_one(INV, {"production_code": "XYZ"})
    assert codes_of(result) == ["SC-DAT-002"]
    assert reasons_of(result)[0]["field"] == "production_code"
    assert run_one(INV, {"production_code": " hrb"}).counts.valid == 1
    assert run_one(INV, {"production_code": ""}).counts.valid == 1


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
def test_minor_unit_and_length_limit_money(currency: str, amount: str, fits: bool) -> None:
    result = run_one(INV, {"currency": currency, "net_amount": amount, "tax_amount": "", "gross_amount": ""})
    assert codes_of(result) == ([] if fits else ["SC-AMT-002"])


def test_the_minor_unit_does_not_limit_rates_hours_and_counts() -> None:
    assert run_one(PAYROLL, {"rate": "165.223344", "hours_2x": "0.125", "gross": "1363.09"}).counts.valid == 1
    assert codes_of(run_one(PAYROLL, {"rate": "160.3750001"})) == ["SC-AMT-002"]


def test_the_total_is_compared_only_when_all_three_amounts_are_present() -> None:
    assert run_one(INV, {"tax_amount": ""}).counts.valid == 1
    assert "100.0000 + 19.0000 = 119.0000" in reasons_of(run_one(INV, {"gross_amount": "120"}))[0]["expected"]


def test_tax_may_not_post_to_a_control_account_that_is_closed() -> None:
    feed = feed_of(INV)
    accounts = PRODUCTION.control_accounts.model_copy(update={"recoverable_tax": "2290"})
    closed = PRODUCTION.model_copy(update={"control_accounts": accounts})
    result = run(feed, raw_table(feed, [INVOICE]), production=closed)
    (reason,) = reasons_of(result)
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
    result = run_one(INV, {"vendor_country": country, "vendor_tax_id": tax_id})
    assert codes_of(result) == ([] if passes else ["SC-VEN-002"])


def test_tax_id_that_the_feed_does_not_require_may_be_blank() -> None:
    assert run_one(INV, {"vendor_tax_id": None}, required=("vendor_code", "invoice_no")).counts.valid == 1


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
    assert codes_of(run_one(PMT, change)) == ([] if holds else ["SC-PMT-002"])


def test_a_row_is_pending_only_without_another_fault() -> None:
    feed = feed_of(INV)
    rows = raw_table(feed, [INVOICE, INVOICE | {"line_no": "2", "account": "0"}])
    result = run(feed, rows, fx_status=fx("pending"))
    assert result.quarantine.column("disposition").to_pylist() == ["pending", "quarantined"]
    assert result.quarantine.column("codes").to_pylist() == [["SC-FX-001"], ["SC-COA-001", "SC-FX-001"]]


def test_personal_cells_are_masked_in_reasons_and_long_ones_shortened() -> None:
    taxed = run_one(INV, {"vendor_tax_id": "DE136695977"}).quarantine.column("reasons")[0].as_py()
    assert "136695977" not in taxed
    assert '"observed":"***"' in taxed
    feed = feed_of(PAYROLL)
    twice = run(feed, raw_table(feed, [PAY, PAY]))
    assert reasons_of(twice)[0]["observed"] == "Cast & Crew | CC-9 | *** | 2026-10-05 | DAY"
    assert len(reasons_of(run_one(INV, {"account": "9" * 500}))[0]["observed"]) == 200


def test_components_and_posting_columns() -> None:
    invoice = run_one(INV, {"tax_amount": "0", "gross_amount": "100"}).valid.to_pylist()[0]
    assert [part["component"] for part in invoice["components"]] == ["net"]
    nothing = run_one(INV, {"net_amount": "0", "tax_amount": "", "gross_amount": ""}).valid.to_pylist()[0]
    assert [str(part["amount"]) for part in nothing["components"]] == ["0.0000"]
    permit = run_one(PMT, {}).valid.to_pylist()[0]
    assert [(part["component"], part["account"]) for part in permit["components"]] == [
        ("fee", "3610"),
        ("deposit", "9120"),
    ]
    assert (permit["document_no"], permit["vendor_name"]) == ("P-7", "FilmLA")
    cost = run_one(PMT, {"refundable": "no"}).valid.to_pylist()[0]
    assert [part["account"] for part in cost["components"]] == ["3610", "3610"]
    pay = run_one(PAYROLL, {}).valid.to_pylist()[0]
    assert [(part["account"], part["union_category"]) for part in pay["components"]] == [
        ("1410", "sag-aftra"),
        ("1990", "none"),
    ]
    other = run_one(PAYROLL, {"account": "1420"}).valid.to_pylist()[0]
    assert other["components"][1]["account"] == "6990"
    assert "E-4711" not in (pay["description"], pay["vendor_name"], pay["vendor_code"])


def test_a_posted_row_stays_valid_with_its_faults_as_flags() -> None:
    feed = feed_of(INV)
    rows = raw_table(feed, [INVOICE])
    before = run(feed, rows).valid.to_pylist()[0]
    closed = raw_table(feed, [INVOICE | {"account": "0000"}])
    content = run(feed, closed).quarantine
    assert content.num_rows == 1
    key = (before["row_key"], before["delivery"], before["record"], before["content"])
    result = run(feed, closed, posted=posted_table([key]), fx_status=fx("changed"))
    assert result.counts.valid == 1
    assert result.valid.column("flags").to_pylist() == [["SC-COA-001", "SC-DUP-002", "SC-FX-003"]]
    assert result.counts.flags == {"SC-COA-001": 1, "SC-DUP-002": 1, "SC-FX-003": 1}


def test_permit_times_are_typed() -> None:
    row = run_one(PMT, {}).valid.to_pylist()[0]
    assert row["start_datetime"].hour == int(str(PERMIT["start_datetime"])[11:13])


@pytest.mark.parametrize("field", ["employee_ref", "series", "agreement", "occupation_code", "schedule"])
@pytest.mark.parametrize("number", ["123-45-6789", "046 454 286", "AB 12 34 56 C"])
def test_a_national_identifier_is_rejected_in_any_field_and_shown_nowhere(field: str, number: str) -> None:
    result = run_one(PAYROLL, {field: number})
    assert "SC-ROW-003" in codes_of(result)
    text = result.quarantine.column("reasons")[0].as_py()
    assert number not in text
    assert number.replace(" ", "") not in text
