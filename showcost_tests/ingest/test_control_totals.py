"""Control totals: a delivery whose rows do not add up to its stated total is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from showcost.config.feed import ControlTotal, FeedSpec
from showcost.ingest.control_totals import RunningTotal, mismatch, unchecked_totals
from showcost.ingest.line_cells import line_cells

FEED = FeedSpec(
    name="register",
    description="An invoice register",
    record_kind="vendor_invoice",
    decimal_mark=".",
    control_total=ControlTotal(labels=("Report total", "Grand total"), field="gross_amount"),
)
GROSS = 2


def _sum(*values: str | None, problem: str | None = None, whole: bool = True) -> RunningTotal:
    """Add rows, each in its own batch."""
    sums = RunningTotal("gross_amount", whole=whole)
    for value in values:
        cells = {
            "gross_amount__value": value,
            "gross_amount__problem": problem if value is None else None,
            "read_code": None,
        }
        sums.add(pa.table({name: pa.array([cell], pa.string()) for name, cell in cells.items()}))
    return sums


def test_a_total_that_the_rows_add_up_to_is_accepted() -> None:
    sums = _sum("10.10", "20.20", "10.10")
    assert mismatch(FEED, sums, [["Report total:", "", "40.40"]], GROSS) is None


def test_a_different_total_is_reported_with_both_sums() -> None:
    problem = mismatch(FEED, _sum("10.10", "-0.10"), [["", "Report Total", "1,010.00"]], GROSS)
    assert problem == "gross_amount comes to 10.00 over the rows, the file states 1010.00"


@pytest.mark.parametrize("footer", [[], [["Printed by", "", "10.00"]]])
def test_a_file_without_its_total_may_be_cut_short(footer: list[list[str]]) -> None:
    problem = mismatch(FEED, _sum("10.00"), footer, GROSS)
    assert problem == "no line with the total of gross_amount: the file may be cut short"


@pytest.mark.parametrize("footer", [["Grand totals", "", "n/a"], ["Grand totals"]])
def test_a_total_must_be_an_amount(footer: list[str]) -> None:
    problem = mismatch(FEED, _sum("10.00"), [footer], GROSS)
    assert problem == "the total that the file states for gross_amount is no amount"


def test_the_sum_is_not_compared_when_a_row_is_unreadable() -> None:
    footer = [["Report total", "", "99.00"]]
    assert mismatch(FEED, _sum("10.00", None, problem="unparseable"), footer, GROSS) is None
    assert mismatch(FEED, _sum("10.00", whole=False), footer, GROSS) is None


def test_a_total_that_is_not_compared_is_kept_for_later() -> None:
    footer = [["Report total", "", "9,999.00"]]
    assert unchecked_totals(FEED, _sum("10.00", None, problem="unparseable"), footer, GROSS) == ("9999.00",)
    assert unchecked_totals(FEED, _sum("10.00", whole=False), footer, GROSS) == ("9999.00",)
    assert unchecked_totals(FEED, _sum("10.00"), footer, GROSS) == ()


def test_a_blank_amount_does_not_change_the_sum() -> None:
    footer = [["Report total", "", "10.00"]]
    assert mismatch(FEED, _sum("10.00", None, problem="blank"), footer, GROSS) is None


def test_a_feed_without_a_control_total_needs_none() -> None:
    feed = FEED.model_copy(update={"control_total": None})
    assert mismatch(feed, _sum("10.00"), [], None) is None


def test_cells_of_a_footer_are_split_by_the_dialect_of_the_file() -> None:
    lines = ['Report total,,"1,250.00"']
    assert line_cells(lines, delimiter=",", quote='"') == [["Report total", "", "1,250.00"]]
    assert line_cells(["total;1"], delimiter=";", quote="") == [["total", "1"]]
    long = "x" * 200_000
    assert line_cells([f"total;{long}", "a\rb;1"], delimiter=";", quote='"') == [
        ["total", long],
        ["a\rb", "1"],
    ]
