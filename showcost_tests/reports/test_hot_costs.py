"""Hot costs: a day's pay in its parts, against the ledger and the day's budget."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from showcost.config.record_kinds import PAYROLL
from showcost.core.errors import ConfigError, InputError
from showcost.ledger.decisions import DecisionKind
from showcost.ledger.new_entries import PostingContext
from showcost.pay.multiples import MULTIPLES
from showcost.reports.hot_costs import HotCostOptions, hot_costs
from showcost.reports.tables import lines
from showcost.staging.assets import valid_asset
from showcost.workspace import open_workspace
from showcost_tests.ledger.rows import pin_rates, post_rows
from showcost_tests.ledger.test_journal import RATES, ROWS, a_row, decide, last_seq
from showcost_tests.whole.small import FRIDAY, MONDAY, SATURDAY, THURSDAY, WEDNESDAY, WEEK, make_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from showcost.workspace import Workspace

FEED = "payroll_manifest"
_HOURS = pa.decimal128(20, 6)
DETAIL = pa.schema(
    [
        *((name, pa.decimal128(18, 4)) for name in ("gross", "meal_penalty_amount", "rest_penalty_amount")),
        *((name, _HOURS) for name in ("meal_penalty_count", *MULTIPLES)),
        ("hours_at", pa.string()),
    ]
)


def some_pay(number: int, gross: str, *, day: date = THURSDAY, **other: object) -> dict[str, Any]:
    """Return a payroll row of the grips: eight hours, unless something else is said."""
    parts = (("gross", "2510", gross), ("benefit", "6990", "10.00"))
    row = a_row(number, f"PAY-{number}", *parts, day=day, work_date=day, location="LAX", currency="USD")
    return row | {"gross": Decimal(gross), "hours_1x": Decimal(8)} | other


def keep(workspace: Workspace, rows: Sequence[dict[str, Any]], staged: Sequence[dict[str, Any]]) -> None:
    """Post rows, and stage rows as valid."""
    post_rows(
        workspace.ledger,
        pa.Table.from_pylist(sorted(rows, key=lambda row: row["transaction_date"]), schema=ROWS),
        WEEK,
        context=PostingContext("HRB", "USD", FEED, PAYROLL),
    )
    for day in WEEK:
        of_day = [row for row in staged if row["transaction_date"] == day]
        schema = pa.schema([*ROWS, *DETAIL])
        workspace.staging.write(
            valid_asset(FEED), day.isoformat(), pa.Table.from_pylist(of_day, schema=schema)
        )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    opened = make_home(tmp_path / "home")
    pin_rates(opened.ledger, WEEK, RATES)
    return opened


def by_account(workspace: Workspace, as_of: int | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    table, _ = hot_costs(workspace, HotCostOptions(), as_of)
    return {(row["day"], row["account"]): row for row in table.rows.to_pylist()}


def parts(row: dict[str, Any]) -> tuple[Decimal, ...]:
    names = ("straight", "overtime", "meal_penalties", "short_rest", "difference", "gross", "fringe")
    return tuple(row[name] for name in names)


def amounts(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def test_gross_is_divided_by_hours_and_penalties(workspace: Workspace) -> None:
    # 8 h at 1x, 4 h at 1.5x and 1 h at 2x are 16 weighted hours; 1,600.00 without penalties.
    long = some_pay(
        1,
        "1650.00",
        hours_1_5x=Decimal(4),
        hours_2x=Decimal(1),
        meal_penalty_amount=Decimal("20.00"),
        rest_penalty_amount=Decimal("30.00"),
        meal_penalty_count=Decimal(2),
    )
    rows = [long, some_pay(2, "100.01", currency="GBP", hours_1_5x=Decimal(1))]
    keep(workspace, rows, rows)
    row = by_account(workspace)[str(THURSDAY), "2510"]
    # 100.01 GBP are 131.29 USD; of its 9.5 weighted hours 1.5 are overtime: 15.7911 GBP, 20.73 USD.
    assert parts(row) == amounts("910.56", "820.73", "20.00", "30.00", "0", "1781.29", "23.13")
    assert (row["straight_hours"], row["overtime_hours"]) == (16, 6)
    assert (row["meal_count"], row["rest_count"]) == (2, 1)


def test_hours_at_every_multiple_are_overtime(workspace: Workspace) -> None:
    # 8 h at 1x, 1 h at 2.5x, and as pairs 1 h at 1x, 2 h at 4.5x: 20.5 weighted hours, 11.5 of them overtime.
    rows = [some_pay(1, "2050.00", hours_2_5x=Decimal(1), hours_at="1: 1; 4.5: 2")]
    keep(workspace, rows, rows)
    row = by_account(workspace)[str(THURSDAY), "2510"]
    assert parts(row)[:2] == amounts("900.00", "1150.00")
    assert (row["straight_hours"], row["overtime_hours"]) == (9, 3)
    rows = [some_pay(2, "1400.00", day=FRIDAY, hours_1x=None, hours_4x=Decimal(2), hours_6x=Decimal(1))]
    keep(workspace, rows, rows)
    row = by_account(workspace)[str(FRIDAY), "2510"]
    assert parts(row)[:2] == amounts("0", "1400.00")


def test_hours_that_are_missing_make_all_of_it_straight_time(workspace: Workspace) -> None:
    rows = [some_pay(1, "-500.00", hours_1x=None)]
    keep(workspace, rows, rows)
    row = by_account(workspace)[str(THURSDAY), "2510"]
    assert parts(row) == amounts("-500.00", "0", "0", "0", "0", "-500.00", "10.00")


def test_the_budget_of_the_days_adds_up_to_the_budget(workspace: Workspace) -> None:
    rows = [some_pay(number, "100.00", day=day) for number, day in enumerate(WEEK)]
    keep(workspace, rows, rows)
    found = by_account(workspace)
    budgets = [found[str(day), "2510"]["budget"] for day in WEEK]
    # Photography runs from Wednesday to Tuesday: five working days, and a weekend without a budget.
    assert sum(budgets) == workspace.budget.amounts["2510"]
    assert [budgets[3], budgets[4]] == [0, 0]
    assert all(row["variance"] == row["budget"] - row["gross"] for row in found.values())
    assert found[str(WEDNESDAY), "3310"]["gross"] == 0
    assert found[str(WEDNESDAY), "3310"]["budget"] > 0
    assert (str(SATURDAY), "3310") not in found


def test_a_production_may_give_the_budget_of_a_day(workspace: Workspace) -> None:
    (workspace.path / "day_budget.csv").write_text(
        f"account,amount,date\n2510,700.00,\n2510,900.50,{FRIDAY}\n", encoding="utf-8"
    )
    rows = [some_pay(number, "100.00", day=day) for number, day in enumerate((THURSDAY, FRIDAY))]
    keep(workspace, rows, rows)
    found = by_account(workspace)
    assert found[str(THURSDAY), "2510"]["budget"] == Decimal("700.00")
    assert found[str(FRIDAY), "2510"]["budget"] == Decimal("900.50")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("9999,1.00,", "line 2, account: expected an account of the chart, found '9999'"),
        ("2510,1.001,", "line 2, amount: expected an amount in USD"),
        ("2510,1.00,30.10.2026", "line 2, date: expected a date such as 2026-10-31"),
        ("2510,1.00,\n2510,2.00,", "line 3: expected each account and date once"),
    ],
)
def test_a_faulty_budget_of_a_day_is_one_clear_error(workspace: Workspace, line: str, expected: str) -> None:
    (workspace.path / "day_budget.csv").write_text(f"account,amount,date\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=expected):
        hot_costs(workspace, HotCostOptions())


def test_what_manifest_and_ledger_do_not_share_is_said(workspace: Workspace) -> None:
    rows = [some_pay(1, "300.00"), some_pay(2, "400.00")]
    changed = some_pay(2, "450.00", content="changed since")
    keep(workspace, rows, [rows[0], changed, some_pay(3, "50.00", currency="GBP", day=FRIDAY)])
    table, by_location = hot_costs(workspace, HotCostOptions())
    (row,) = [row for row in table.rows.to_pylist() if row["gross"]]
    assert parts(row) == amounts("300.00", "0", "0", "0", "400.00", "700.00", "20.00")
    without_hours, *unposted = table.notes[2:]
    assert without_hours.startswith("1 rows of pay, 400.00 gross: hours and penalties are not available")
    assert unposted == [
        f"{THURSDAY}: 1 valid rows of pay, 450.00 USD gross, are not in the ledger.",
        f"{FRIDAY}: 1 valid rows of pay, 50.00 GBP gross, are not in the ledger.",
    ]
    assert by_location.notes == table.notes
    assert [line.cells["gross"] for line in lines(by_location)][-1] == Decimal("700.00")


def test_a_reversed_row_is_gone_and_as_of_brings_its_pay_back(workspace: Workspace) -> None:
    rows = [some_pay(1, "300.00"), some_pay(2, "400.00")]
    keep(workspace, rows, rows)
    seq = last_seq(workspace.ledger)
    decide(workspace.ledger, rows[0], DecisionKind.REVERSE, FEED)
    keep(workspace, rows[1:], rows[1:])
    assert parts(by_account(workspace)[str(THURSDAY), "2510"])[-2:] == amounts("400.00", "10.00")
    then = by_account(workspace, seq)[str(THURSDAY), "2510"]
    assert parts(then) == amounts("400.00", "0", "0", "0", "300.00", "700.00", "20.00")
    table, _ = hot_costs(workspace, HotCostOptions(), seq)
    assert table.notes[-1] == (
        "As of a past moment, hours and penalties are those of rows that have not changed since."
    )


def test_no_employee_is_named(workspace: Workspace) -> None:
    rows = [some_pay(1, "300.00", description="IATSE 4551")]
    keep(workspace, rows, rows)
    for table in hot_costs(workspace, HotCostOptions()):
        names = {column.name for column in table.columns}
        assert names.isdisjoint({"employee_ref", "row_key", "record", "entry_id", "rate"})


def test_days_in_the_wrong_order_are_refused(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="the end is before the start"):
        hot_costs(workspace, HotCostOptions(MONDAY, WEDNESDAY))


def test_an_empty_ledger_has_empty_tables(workspace: Workspace) -> None:
    assert [table.rows.num_rows for table in hot_costs(open_workspace(workspace.path), HotCostOptions())] == [
        0,
        0,
    ]
