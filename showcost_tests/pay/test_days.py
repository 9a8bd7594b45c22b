"""A person's day over all its lines, tier by tier, and the words and rules that could not be applied."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.feed import FeedSpec
from showcost_tests.pay.rows import AGREEMENTS, FEED, clock, production, row
from showcost_tests.pay.timecards import codes_of, expected_of, validated

if TYPE_CHECKING:
    from showcost_tests.pay.by_hand import Row

BASIC: Final = AGREEMENTS.named("IATSE Basic Agreement")
AREA: Final = AGREEMENTS.named("IATSE Area Standards")
SAG: Final = AGREEMENTS.named("SAG-AFTRA TV/Theatrical 2026")
PACT: Final = AGREEMENTS.named("Pact/Bectu TV drama")
HOURS_2026: Final = "93.06"


def operator(hours: str, columns: str, **change: object) -> Row:
    """Return a camera operator in the studio; `columns` are the hours at 1, 1.5, 2 and 3 times."""
    return _paid(
        row(
            BASIC,
            union_local="600",
            occupation_code="1911",
            work_date="2026-10-05",
            rate=HOURS_2026,
            **(clock(Decimal(hours), "05:00") | change),
        ),
        columns,
    )


def grip(hours: str, columns: str, **change: object) -> Row:
    values = {"union_local": "80", "occupation_code": "4551", "schedule": "1", "rate": "65.22"}
    times = clock(Decimal(hours)) if hours else {}
    return _paid(row(BASIC, work_date="2026-10-05", **(values | times | change)), columns)


def performer(hours: str, columns: str, **change: object) -> Row:
    values = {"occupation_code": "DAY", "rate_basis": "day", "rate": "1283", "work_date": "2026-10-05"}
    return _paid(row(SAG, **(values | clock(Decimal(hours)) | change)), columns, per=8)


def _paid(day: Row, columns: str, per: int = 1) -> Row:
    """Return a row whose gross is the rate times its hours, with benefits of a quarter."""
    hours = dict(zip(("hours_1x", "hours_1_5x", "hours_2x", "hours_3x"), columns.split(), strict=False))
    straight = sum(
        Decimal(value) * multiple
        for value, multiple in zip(hours.values(), map(Decimal, ("1", "1.5", "2", "3")), strict=False)
    )
    penalties = Decimal(str(day.get("meal_penalty_amount") or 0))
    gross = (Decimal(str(day["rate"])) * straight / per).quantize(Decimal("0.01")) + penalties
    benefit = (gross / 4).quantize(Decimal("0.01"))
    return (
        {"gross": str(gross), "benefit_amount": str(benefit)}
        | day
        | hours
        | ({"gross": str(gross)} if day["gross"] == "0" else {})
    )


def test_part_of_a_unit_is_counted_on_no_tier() -> None:
    """10 h 50 of the UK are 10 hours and three quarters; 8 h 05 of SAG-AFTRA are 8 hours."""
    uk = row(PACT, work_date="2025-10-06", rate="500", rate_basis="day", call_time="07:00",
             meal1_out="12:00", meal1_in="13:00", hours_1x="10")  # fmt: skip
    longer = uk | {"wrap_time": "18:50", "hours_1_5x": "0.75", "gross": "556.25"}
    assert codes_of([longer]) == [[]]
    assert codes_of([longer | {"hours_1_5x": "0.5", "gross": "537.50"}]) == [["SC-PAY-002"]]
    assert codes_of([uk | {"wrap_time": "18:10", "gross": "500"}]) == [[]]
    assert codes_of([performer("8", "8", wrap_time="15:35")]) == [[]]
    assert codes_of([performer("8", "8", wrap_time="15:36")]) == [["SC-PAY-002"]]


@pytest.mark.parametrize(
    ("hours", "columns", "holds"),
    [
        ("13", "8 4 1", True),
        ("13", "8 5", False),
        ("13", "0 13", False),
        ("13", "0 0 13", True),
        ("16", "8 4 3 1", True),
        ("16", "8 4 4", False),
        ("16", "8 0 8", False),
    ],
)
def test_a_golden_hour_is_not_made_up_for_by_overtime_below(hours: str, columns: str, holds: bool) -> None:
    assert codes_of([operator(hours, columns)]) == [[] if holds else ["SC-PAY-002"]]


def test_three_times_after_fifteen_elapsed_hours_is_a_tier_of_its_own() -> None:
    key = row(AREA, work_date="2026-10-05", rate="54.55", call_time="06:00", meal1_out="12:00",
              meal1_in="13:00", wrap_time="22:00", benefit_amount="400")  # fmt: skip
    assert codes_of([_paid(key, "8 4 2 1")]) == [[]]
    assert codes_of([_paid(key, "8 4 3")]) == [["SC-PAY-002"]]


def test_multiples_without_a_column_are_pairs_columns_or_more_hours_below() -> None:
    """A 7th day of 13 hours in the studio: twelve at 2 times and one at 4 times."""
    seventh = {"day_of_workweek": "7"}
    as_column = operator("13", "0 0 12", hours_4x="1", gross="2605.68", **seventh)
    as_pair = operator("13", "0 0 12", hours_at="4: 1", gross="2605.68", **seventh)
    for day in (as_column, as_pair, operator("13", "0 0 14", **seventh)):
        assert codes_of([day]) == [[]]
    assert codes_of([operator("13", "0 0 13", **seventh)]) == [["SC-PAY-002"]]
    assert codes_of([operator("13", "0 13", **seventh)]) == [["SC-PAY-002"]]
    assert codes_of([operator("8", "8", hours_at="4 hours")]) == [["SC-AMT-001"]]


def test_overtime_above_twice_the_minimum_begins_after_ten_hours_on_twice_the_minimum() -> None:
    star = {"rate": "4000", "benefit_amount": "2000"}
    assert codes_of([performer("10", "8", gross="4000", **star)]) == [[]]
    # Two hours at 1.5 times 2 x 1,283 / 8.
    assert codes_of([performer("12", "8 2", gross="4962.25", **star)]) == [[]]
    assert codes_of([performer("12", "8 2", gross="4962.20", **star)]) == [["SC-PAY-006"]]
    assert codes_of([performer("12", "8", gross="4000", **star)]) == [["SC-PAY-002"]]
    # Not above it: the usual tiers.
    assert codes_of([performer("10", "8", rate="2566", gross="2566", benefit_amount="900")]) == [
        ["SC-PAY-002"]
    ]


@pytest.mark.parametrize(
    ("out", "back", "restarts"),
    [("09:00", "09:15", True), ("08:00", "08:14", False), ("09:01", "09:20", False), ("", "", False)],
)
def test_non_deductible_meal_within_two_hours_restarts_the_six_hours(
    out: str, back: str, restarts: bool
) -> None:
    times = {"call_time": "07:00", "meal1_out": "13:10", "meal1_in": "13:40", "wrap_time": "15:30"}
    day = performer("8", "8", **times, non_deductible_out=out, non_deductible_in=back)
    assert codes_of([day]) == [[] if restarts else ["SC-PAY-003"]]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("rate_basis", "per job"),
        ("work_place", "Location"),
        ("day_of_workweek", "8th"),
        ("is_holiday", "X"),
        ("loan_out", "maybe"),
        ("earning_type", "misc"),
        ("day_type", "off"),
        ("deal", "special"),
    ],
)
def test_a_word_that_is_not_listed_rejects_the_row(field: str, text: str) -> None:
    assert "SC-ROW-005" in codes_of([grip("8", "8", **{field: text})])[0]


@pytest.mark.parametrize(
    ("field", "text"),
    [("rate_basis", "Hourly"), ("rate_basis", "HR"), ("work_place", "Stage"), ("day_of_workweek", "1st")],
)
def test_usual_ways_of_writing_a_word_are_the_word(field: str, text: str) -> None:
    assert codes_of([grip("8", "8", **{field: text})]) == [[]]
    assert codes_of([grip("8", "8", **{field: text, "rate": "10.00", "gross": "80"})]) == [["SC-PAY-001"]]


def test_a_feed_lists_the_words_of_its_sender() -> None:
    feed = FeedSpec.model_validate(
        FEED.model_dump()
        | {
            "fields": {
                "is_holiday": {"words": {"yes": ["X"]}},
                "work_place": {"words": {"distant": ["Location"]}},
            }
        }
    )
    assert codes_of([grip("8", "8", work_place="location")], feed=feed) == [[]]
    # A holiday pays twice the rate from the first hour (D).
    assert codes_of([grip("8", "8", is_holiday="x")], feed=feed) == [["SC-PAY-009?"]]
    with pytest.raises(ValueError, match="any of yes, no"):
        FeedSpec.model_validate(FEED.model_dump() | {"fields": {"is_holiday": {"words": {"maybe": ["X"]}}}})
    with pytest.raises(ValueError, match="no words"):
        FeedSpec.model_validate(FEED.model_dump() | {"fields": {"account": {"words": {"yes": ["X"]}}}})


def test_a_blank_that_a_rule_needs_asks_for_a_look() -> None:
    assert codes_of([grip("12", "8 4", work_place="")]) == [[]]
    assert codes_of([grip("13", "8 5", work_place="")]) == [["SC-PAY-009?"]]
    assert codes_of([grip("8", "8", day_of_workweek="")]) == [["SC-PAY-009?"]]
    assert codes_of([grip("8", "8", schedule="9")]) == [["SC-PAY-009?"]]


def test_rules_that_could_not_be_applied_are_on_the_row_with_the_reason() -> None:
    unread = grip("8", "8", occupation_code="4599", rate="10", gross="80")
    (text,) = validated([unread]).valid.column("pay_not_checked").to_pylist()
    assert text == "SC-PAY-001: no scale of occupation 4599 per hour on this day in the agreement's file"
    (text,) = validated([grip("8", "8")]).valid.column("pay_not_checked").to_pylist()
    assert text is None
    driver = row(AGREEMENTS.named("Teamsters 399"), work_date="2026-10-05", hours_1x="8", gross="40000")
    (text,) = validated([driver]).valid.column("pay_not_checked").to_pylist()
    assert "no scale of occupation driver per hour" in text


def test_overtime_rate_may_be_rounded_before_it_is_multiplied() -> None:
    # 1.5 x 65.225 is 97.8375: 97.84 x 4.1 is 401.14, the exact 401.13.
    line = {"rate": "65.225", "benefit_amount": "300"}
    assert codes_of([grip("12.1", "8 4 0.1", gross="926.33", **line)]) == [["SC-PAY-006"]]
    assert codes_of([grip("12", "8 4", gross="913.15", **line)]) == [[]]
    assert codes_of([grip("12", "8 4", gross="913.16", **line)]) == [[]]
    assert codes_of([grip("12", "8 4", gross="913.20", **line)]) == [["SC-PAY-006"]]


def test_more_than_a_cap_may_be_paid() -> None:
    day = row(PACT, work_date="2025-10-06", rate="600", rate_basis="day", hours_1x="10", hours_1_5x="1",
              **clock(Decimal(11)))  # fmt: skip
    assert [codes_of([day | {"gross": gross}]) for gross in ("670", "690", "669.90", "690.10")] == [
        [[]],
        [[]],
        [["SC-PAY-006"]],
        [["SC-PAY-006"]],
    ]


def test_a_day_on_two_accounts_or_episodes_is_one_day() -> None:
    """Four hours each: neither line alone meets the minimum call, both together do."""
    half = {"call_time": "", "wrap_time": ""}
    halves = [grip("", "4", series=episode, **half) for episode in ("101", "102")]
    assert codes_of(halves) == [[], []]
    assert codes_of(halves[:1]) == [["SC-PAY-004"]]
    assert codes_of([halves[0], halves[1] | {"employee_ref": "E-2"}]) == [["SC-PAY-004"], ["SC-PAY-004"]]
    # The clock of the whole day on each line counts once.
    both = [grip("12", "8", series="101"), grip("12", "0 4", series="102")]
    assert codes_of(both) == [[], []]
    short = [grip("12", "8", series="101"), grip("12", "2 2", series="102")]
    assert codes_of(short) == [["SC-PAY-002"], ["SC-PAY-002"]]
    assert "worked 12 h by the clock over all lines of the day" in expected_of(
        validated(short).quarantine, "SC-PAY-002"
    )


def test_two_occupations_in_a_day_are_one_day() -> None:
    first = grip("", "4", call_time="07:00", wrap_time="11:00")
    second = grip("", "4", call_time="11:30", wrap_time="15:30", occupation_code="4553")
    assert codes_of([first, second]) == [[], []]
    later = grip("", "0 4 1", call_time="15:30", wrap_time="20:30", occupation_code="4553")
    assert codes_of([first, second, later | {"meal_penalty_count": "0"}]) == [[], [], []]
    unpaid = grip("", "5", call_time="15:30", wrap_time="20:30", occupation_code="4553")
    assert codes_of([first, second, unpaid]) == [["SC-PAY-002"]] * 3


def test_meal_penalties_of_a_day_are_those_of_all_its_lines() -> None:
    first = performer("6", "6", call_time="07:00", wrap_time="13:00", rate_basis="hour", rate="160.38")
    second = performer("2", "2", call_time="13:00", wrap_time="15:00", rate_basis="hour", rate="160.38",
                       series="102")  # fmt: skip
    halves = [
        first | {"gross": "962.28", "benefit_amount": "300"},
        second | {"gross": "320.76", "benefit_amount": "100"},
    ]
    # Eight hours without a meal: four half hours late.
    assert codes_of(halves) == [["SC-PAY-003"], ["SC-PAY-003"]]
    paid = halves[1] | {"meal_penalty_count": "4", "meal_penalty_amount": "160", "gross": "480.76"}
    assert codes_of([halves[0], paid]) == [[], []]


def test_allowances_and_corrections_are_no_hours() -> None:
    kit = {"earning_type": "Kit Rental", "rate": "50", "hours_1x": "0", "benefit_amount": "0", "gross": "50"}
    assert codes_of([grip("8", "8"), grip("", "0", **kit)]) == [[], []]
    less = {"earning_type": "Retro", "rate": "0", "gross": "-12.50", "benefit_amount": "-3"}
    assert codes_of([grip("", "0", **less)]) == [[]]
    assert codes_of([performer("8", "0", day_type="travel only", gross="600", benefit_amount="300")]) == [[]]
    flat = grip("10", "10", deal="flat", gross="1000")
    assert codes_of([flat]) == [[]]
    assert "SC-PAY-002: a guarantee, flat or on-call deal" in str(
        validated([flat]).valid.column("pay_not_checked")[0]
    )


def test_loan_outs_have_no_fringes_and_need_a_tax_form() -> None:
    loan_out = {"loan_out": "yes", "benefit_amount": "0"}
    assert codes_of([performer("8", "8", **loan_out)]) == [["SC-PAY-009?"]]
    assert codes_of([performer("8", "8", **loan_out, tax_form="yes")]) == [[]]
    assert codes_of([performer("8", "8", benefit_amount="0")]) == [["SC-PAY-007?"]]


def test_background_scale_of_2023_rose_by_eleven_percent() -> None:
    sag = AGREEMENTS.named("SAG-AFTRA TV/Theatrical 2023")
    steps = {
        (raised, str(step.on)): step.percent
        for rule in sag.rules
        if rule.kind == "annual_increases"
        for raised in rule.raises
        for step in rule.steps
    }
    assert steps["background-scale", "2023-11-09"] == 11
    assert steps["day-scale", "2023-11-09"] == 7
    assert production().type == "streaming"


@pytest.mark.parametrize("text", ["Local 80", "IATSE 80", "080", "IATSE Local #80", "Loc. 80"])
def test_local_numbers_are_read_as_people_write_them(text: str) -> None:
    assert codes_of([grip("8", "8", union_local=text)]) == [[]]


def test_labour_without_a_union_is_a_real_answer() -> None:
    free = {"agreement": "Non-Union", "union_local": "", "occupation_code": "PA", "account": "3610"}
    assert codes_of([grip("8", "8") | free]) == [[]]
    (text,) = validated([grip("8", "8") | free]).valid.column("pay_not_checked").to_pylist()
    assert text == "SC-PAY-008: labour without a union, so no agreement's rules"
    assert codes_of([grip("8", "8") | free | {"account": "2510"}]) == [["SC-MAP-001"]]
    memo = free | {"agreement": "Non-union crew deal memo", "union_local": "NON-UNION"}
    assert codes_of([grip("9", "8 1") | memo]) == [[]]
    assert codes_of([grip("9", "9") | memo]) == [["SC-PAY-009?"]]


def test_unions_come_from_the_agreements_files() -> None:
    assert {"actra", "dga", "equity-uk", "iatse", "wga"} <= AGREEMENTS.unions
    assert "none" not in AGREEMENTS.unions
    actor = row(AGREEMENTS.named("ACTRA IPA"), work_date="2026-10-05", occupation_code="ACTOR", rate="100",
                hours_1x="8", hours_1_5x="1", gross="950", **clock(Decimal(9)))  # fmt: skip
    assert codes_of([actor]) == [[]]
    assert codes_of([actor | {"account": "2510"}]) == [["SC-MAP-001"]]
    assert codes_of([actor | {"hours_1x": "9", "hours_1_5x": "0", "gross": "900"}]) == [["SC-PAY-009?"]]
    director = row(AGREEMENTS.named("DGA Basic Agreement"), work_date="2026-06-05", occupation_code="1AD",
                   rate="5000", rate_basis="week", gross="1000")  # fmt: skip
    assert codes_of([director]) == [["SC-PAY-009?"]]
    assert codes_of([director | {"rate": "5069"}]) == [[]]
