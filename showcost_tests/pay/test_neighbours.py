"""Rules over an employee's neighbouring days, and the late day that breaks its neighbour's turnaround."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pytest

from showcost.pipeline.pay_findings import pay_findings
from showcost.validation.validate import ValidationResult, validate
from showcost_tests.pay.rows import (
    AGREEMENTS,
    CHART,
    FEED,
    SHOW,
    clock,
    paid,
    production,
    row,
    with_sums,
)
from showcost_tests.validation.raw import fx, posted_table, raw_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.production import Production
    from showcost_tests.pay.by_hand import Row

BASIC: Final = AGREEMENTS.named("IATSE Basic Agreement")
SAG: Final = AGREEMENTS.named("SAG-AFTRA TV/Theatrical 2026")


def outcome(rows: Sequence[Row], show: Production = SHOW) -> ValidationResult:
    numbered = [row | {"payroll_invoice_no": f"M-{n}"} for n, row in enumerate(rows)]
    raw = raw_table(FEED, numbered)
    dated = raw.set_column(
        raw.column_names.index("transaction_date"), "transaction_date", raw.column("work_date__value")
    )
    return validate(
        dated,
        feed=FEED,
        production=show,
        chart=CHART,
        fx_status=every_rate(dated),
        posted=posted_table(),
        same_key_rows=dated,
        agreements=AGREEMENTS,
    )


def every_rate(rows: pa.Table) -> pa.Table:
    days = rows.column("transaction_date").unique()
    pairs = [(day, currency) for day in days.to_pylist() for currency in SHOW.currencies]
    return pa.table([[p[0] for p in pairs], [p[1] for p in pairs], ["ok"] * len(pairs)], schema=fx().schema)


def findings_of(rows: Sequence[Row], show: Production = SHOW) -> list[dict[str, object]]:
    """Return the findings about rows, all of which must be valid."""
    valid = outcome(rows, show)
    assert valid.counts.valid == len(rows), valid.quarantine.column("reasons").to_pylist()
    table = pay_findings(valid.valid, feed=FEED, production=show, chart=CHART, agreements=AGREEMENTS)
    # The codes of Local 892 are unknown: each of its rows needs a review, which is irrelevant here.
    return [finding for finding in table.to_pylist() if finding["field"] != "occupation_code"]


def performer(day: str, **change: object) -> Row:
    values = {"occupation_code": "DAY", "rate_basis": "day", "rate": "1283", "work_date": day} | change
    return paid(row(SAG, **values))


def grip(day: str, workday: str, hours: str = "8", **change: object) -> Row:
    values = {
        "union_local": "80",
        "occupation_code": "4551",
        "schedule": "1",
        "rate": "65.22",
        "work_date": day,
        "day_of_workweek": workday,
    }
    return paid(row(BASIC, **(values | change), **clock(Decimal(hours), str(change.get("call", "07:00")))))


def codes(findings: list[dict[str, object]]) -> list[tuple[str, str, str]]:
    return [
        (str(finding["transaction_date"]), str(finding["code"]), str(finding["field"]))
        for finding in findings
    ]


def test_rest_of_twelve_hours_is_rest_and_a_minute_less_is_not() -> None:
    first = performer("2026-10-05", call_time="08:00", meal1_out="13:00", meal1_in="13:30", wrap_time="18:00")
    rested = performer(
        "2026-10-06", call_time="06:00", meal1_out="11:00", meal1_in="11:30", wrap_time="14:30"
    )
    assert findings_of([first, rested]) == []
    early = performer("2026-10-06", call_time="05:59", meal1_out="11:00", meal1_in="11:30", wrap_time="14:29")
    (finding,) = findings_of([first, early])
    assert (finding["code"], finding["field"], str(finding["transaction_date"])) == (
        "SC-PAY-005",
        "rest_penalty_amount",
        "2026-10-06",
    )
    assert "rested 11:59 h after the work before, 12:00 h are due: invaded by 0:01 h" in str(finding["told"])
    assert "paid 0.00, required at least 900.00" in str(finding["told"])
    assert "sagaftra.org, rest page (M)" in str(finding["source"])
    assert finding["cause"] is not None
    forced = with_sums(early | {"rest_penalty_amount": "900"}, SAG)
    forced["gross"] = str(Decimal(str(early["gross"])) + 900)
    assert findings_of([first, forced]) == []


def test_a_forced_call_costs_at_most_a_days_pay() -> None:
    background = {"rate": "850", "occupation_code": "DAY"}
    first = performer(
        "2026-10-05", **background, call_time="08:00", meal1_out="13:00", meal1_in="13:30", wrap_time="18:00"
    )
    early = performer(
        "2026-10-06", **background, call_time="05:00", meal1_out="10:00", meal1_in="10:30", wrap_time="13:30"
    )
    texts = [
        str(finding["told"]) for finding in findings_of([first, early]) if finding["code"] == "SC-PAY-005"
    ]
    assert "required at least 850.00" in texts[0]


def test_a_late_day_flags_its_neighbours_entry_and_changes_no_row() -> None:
    """The 6th is posted before the 5th arrives: its row does not change, and a finding names the late row."""
    late = performer("2026-10-05", call_time="12:00", meal1_out="17:00", meal1_in="17:30", wrap_time="22:00")
    posted = performer(
        "2026-10-06", call_time="06:00", meal1_out="11:00", meal1_in="11:30", wrap_time="14:30"
    )
    before = outcome([posted])
    assert findings_of([posted]) == []
    both = outcome([posted, late])
    kept = both.valid.filter(
        pa.compute.equal(both.valid.column("row_key"), before.valid.column("row_key")[0])
    )
    assert kept.drop(["record"]).equals(before.valid.drop(["record"]))
    table = pay_findings(both.valid, feed=FEED, production=SHOW, chart=CHART, agreements=AGREEMENTS)
    (finding,) = table.to_pylist()
    assert finding["row_key"] == kept.column("row_key")[0].as_py()
    assert finding["cause"] not in {None, finding["row_key"]}
    assert finding["code"] == "SC-PAY-005"


def costume(day: str, call: str, wrap: str, **change: object) -> Row:
    values = {
        "union_local": "892",
        "occupation_code": "2201",
        "rate": "60",
        "work_date": day,
        "call_time": call,
    }
    return paid(row(BASIC, **(values | {"wrap_time": wrap} | change)))


@pytest.mark.parametrize(
    ("call", "minutes", "owed"),
    [
        ("06:00", "0:00", None),
        ("05:59", "0:01", "30.00"),
        ("05:30", "0:30", "30.00"),
        ("05:29", "0:31", "36.00"),
    ],
)
def test_rest_invaded_by_half_an_hour_counts_as_half_and_then_in_tenths(
    call: str, minutes: str, owed: str | None
) -> None:
    first = costume("2026-10-05", "14:00", "20:00")
    findings = [
        finding
        for finding in findings_of([first, costume("2026-10-06", call, "11:00")])
        if finding["code"] == "SC-PAY-005"
    ]
    if owed is None:
        assert findings == []
    else:
        text = str(findings[0]["told"])
        assert f"invaded by {minutes} h" in text
        assert f"required at least {owed}" in text
        assert "2024 MOA, s.5 (H)" in str(findings[0]["source"])


@pytest.mark.parametrize(("call", "invaded"), [("06:00", False), ("05:59", True)])
def test_violated_statutory_rest_needs_a_review(call: str, invaded: bool) -> None:
    """Eleven hours between days in the United Kingdom; a collective agreement may vary them."""
    pact = AGREEMENTS.named("Pact/Bectu TV drama")
    end = {"06:00": "10:00", "05:59": "09:59"}[call]
    days = [("2025-10-06", "13:00", "19:00"), ("2025-10-07", call, end)]
    shifts = [
        paid(row(pact, work_date=day, call_time=begin, wrap_time=wrap, rate="40"), SHOW)
        for day, begin, wrap in days
    ]
    about = [finding for finding in findings_of(shifts) if finding["field"] == "rest_penalty_amount"]
    assert [finding["code"] for finding in about] == (["SC-PAY-009"] if invaded else [])
    assert all("Working Time Regulations 1998, reg. 10(1)" in str(finding["source"]) for finding in about)


@pytest.mark.parametrize(("call", "invaded"), [("02:00", False), ("01:59", True)])
def test_weekend_is_54_hours(call: str, invaded: bool) -> None:
    friday, monday = costume("2026-10-09", "14:00", "20:00"), costume("2026-10-12", call, "07:00")
    assert any(finding["code"] == "SC-PAY-005" for finding in findings_of([friday, monday])) is invaded


def test_rest_is_counted_across_time_zones() -> None:
    """Wrapped in Berlin at 22:00, called in London at 08:00: eleven hours later, not ten."""
    show = production(zones={"BBG": "Europe/Berlin", "LDN": "Europe/London"})
    first = costume("2026-10-05", "16:00", "22:00", location="BBG")
    assert findings_of([first, costume("2026-10-06", "07:00", "12:00", location="LDN")], show) == []
    here = findings_of([first, costume("2026-10-06", "07:00", "12:00", location="BBG")], show)
    assert [finding["code"] for finding in here] == ["SC-PAY-005"]


def test_sixth_day_in_a_row_that_the_row_does_not_state() -> None:
    days = [grip(f"2026-10-{day:02}", str(day - 4)) for day in range(5, 10)]
    assert findings_of(days) == []
    stated = grip("2026-10-10", "6")
    assert findings_of([*days, stated]) == [
        finding
        for finding in findings_of([*days, stated])
        if finding["code"] not in {"SC-PAY-002", "SC-PAY-009"}
    ]
    wrong = grip("2026-10-10", "5", "13", work_place="studio")
    about = [
        finding for finding in findings_of([*days, wrong]) if str(finding["transaction_date"]) == "2026-10-10"
    ]
    assert ("2026-10-10", "SC-PAY-002", "hours_1_5x") in codes(about)
    assert any(
        "day 6 worked in a row, which the row does not say" in str(finding["told"]) for finding in about
    )


def test_the_first_day_of_a_new_workweek_is_not_a_sixth_day() -> None:
    days = [grip(f"2026-10-{day:02}", str(day - 4)) for day in range(7, 10)]
    again = [grip(f"2026-10-{day:02}", str(day - 9)) for day in range(10, 14)]
    assert findings_of([*days, *again]) == []


def test_straight_time_beyond_40_hours_of_the_week_is_overtime() -> None:
    days = [grip(f"2026-10-{day:02}", str(day - 4)) for day in range(5, 10)]
    sixth = grip("2026-10-10", "6")
    assert findings_of([*days, sixth]) == []
    flat = with_sums(sixth | {"hours_1x": "8", "hours_1_5x": "0"}, BASIC)
    by_field = {str(finding["field"]): finding for finding in findings_of([*days, flat])}
    assert "paid 8 h at 1x beyond 40 h of the workweek (40 h at 1x before this row)" in str(
        by_field["hours_1x"]["told"]
    )
    assert by_field["hours_1x"]["code"] == "SC-PAY-002"
    assert by_field["hours_1_5x"]["code"] == "SC-PAY-009"


def test_penalties_after_the_twentieth_of_a_week_cost_an_hours_pay() -> None:
    week = {"union_local": "892", "occupation_code": "2201", "rate": "60", "hours_1x": "8"}
    days = []
    for number, count in enumerate((10, 10, 1)):
        late = {"work_date": f"2026-10-{5 + number:02}", "day_of_workweek": str(number + 1)}
        day = row(BASIC, **week, **late, meal_penalty_count=str(count))
        # Without a clock they may be two delays: 10 at the least are two of 5.
        amount = {10: "135.00", 1: "7.50"}[count]
        gross = Decimal(480) + Decimal(amount)
        days.append(day | {"meal_penalty_amount": amount, "gross": str(gross)})
    assert codes(findings_of(days)) == [("2026-10-07", "SC-PAY-003", "meal_penalty_count")]
    assert findings_of(days)[0]["told"] == (
        "paid 7.50, required at least 60.00; 1 meal penalties are beyond 20 of the workweek"
        " (20 before this row), each at an hour's pay"
    )
    assert findings_of(days[:2]) == []


def test_contributions_end_at_the_ceiling() -> None:
    show = production("theatrical")

    def earned(day: str, benefit: str) -> Row:
        return performer(day, rate="100000", hours_1x="8", gross="100000", benefit_amount=benefit) | {
            "hours_1x": "8",
            "gross": "100000",
            "benefit_amount": benefit,
        }

    days = [earned("2026-10-05", "21000"), earned("2026-10-06", "21000")]
    assert findings_of([*days, earned("2026-10-07", "6720.00")], show) == []
    assert codes(findings_of([*days, earned("2026-10-07", "6719.99")], show)) == [
        ("2026-10-07", "SC-PAY-007", "benefit_amount")
    ]
    over = findings_of([*days, earned("2026-10-07", "21000")], show)
    assert over[0]["told"] == (
        "paid 21000.00, required 6720.00 on 32000.00 of pay within the ceiling of 232000"
        " (200000.00 earned before this row)"
    )


def split_at_midnight(whole: Row, first_hours: str, later_hours: str, wrap: str) -> list[Row]:
    first = whole | {"wrap_time": "00:00", "hours_1x": first_hours, "hours_1_5x": "0", "hours_2x": "0"}
    other = whole | {
        "work_date": "2026-10-06",
        "day_of_workweek": "2",
        "call_time": "00:00",
        "wrap_time": wrap,
        "hours_1x": "0",
        "hours_1_5x": later_hours,
        "hours_2x": "0",
    }
    return [with_sums(part, BASIC) for part in (first, other)]


def test_a_day_split_at_midnight_is_checked_as_one_day() -> None:
    whole = row(
        BASIC,
        union_local="80",
        occupation_code="4551",
        schedule="1",
        rate="65.22",
        work_date="2026-10-05",
        call_time="16:00",
        wrap_time="03:00",
    )
    # Eight hours before midnight, three after it: those are overtime, though alone they are a short day.
    assert findings_of(split_at_midnight(whole, "8", "3", "03:00")) == []
    cheap = split_at_midnight(whole, "8", "0", "03:00")
    cheap[1] = with_sums(cheap[1] | {"hours_1x": "3"}, BASIC)
    findings = findings_of(cheap)
    assert {finding["code"] for finding in findings} == {"SC-PAY-002"}
    assert [str(finding["transaction_date"]) for finding in findings] == ["2026-10-05", "2026-10-06"]
    assert str(findings[1]["told"]) == (
        "worked 11 h by the clock over all lines of the day: required 8 h at 1x + 3 h at 1.5x;"
        " paid 11 h at 1x, short by 3 h at 1.5x"
    )


def test_findings_do_not_depend_on_the_order_of_rows_and_name_no_person() -> None:
    days = [grip(f"2026-10-{day:02}", str(day - 4)) for day in range(5, 10)]
    rows = [*days, with_sums(grip("2026-10-10", "6") | {"hours_1x": "8", "hours_1_5x": "0"}, BASIC)]
    valid = outcome(rows).valid
    backwards = valid.take(pa.array(range(valid.num_rows - 1, -1, -1)))
    here, turned = (
        pay_findings(rows, feed=FEED, production=SHOW, chart=CHART, agreements=AGREEMENTS)
        for rows in (valid, backwards)
    )
    assert here.equals(turned)
    assert "employee_ref" not in here.column_names
    assert "E-1" not in str(here.to_pylist())
