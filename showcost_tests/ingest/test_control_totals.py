"""A delivery whose rows do not add up to the total that it states is found out."""

from __future__ import annotations

import pyarrow as pa
import pytest

from showcost.config.feed import ControlTotal, FeedSpec
from showcost.ingest.control_totals import footer_cells, mismatch

FEED = FeedSpec(
    name="register",
    description="An invoice register",
    record_kind="vendor_invoice",
    decimal_mark=".",
    control_total=ControlTotal(labels=("Report total", "Grand total"), field="gross_amount"),
)
GROSS = 2


def _rows(*values: str | None, problem: str | None = None) -> pa.Table:
    problems = [problem if value is None else None for value in values]
    columns = {"gross_amount__value": values, "gross_amount__problem": problems}
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


def test_a_total_that_the_rows_come_to_holds() -> None:
    assert (
        mismatch(FEED, _rows("10.10", "20.20", "10.10"), [["Report total:", "", "40.40"]], GROSS, whole=True)
        is None
    )


def test_a_total_that_they_do_not_come_to_is_told_with_both_sums() -> None:
    problem = mismatch(FEED, _rows("10.10", "-0.10"), [["", "Report Total", "1,010.00"]], GROSS, whole=True)
    assert problem == "gross_amount comes to 10.00 over the rows, the file states 1010.00"


@pytest.mark.parametrize("footer", [[], [["Printed by", "", "10.00"]]])
def test_a_file_without_its_total_may_be_cut_short(footer: list[list[str]]) -> None:
    problem = mismatch(FEED, _rows("10.00"), footer, GROSS, whole=True)
    assert problem == "no line with the total of gross_amount: the file may be cut short"


@pytest.mark.parametrize("footer", [["Grand totals", "", "n/a"], ["Grand totals"]])
def test_a_total_must_be_an_amount(footer: list[str]) -> None:
    problem = mismatch(FEED, _rows("10.00"), [footer], GROSS, whole=True)
    assert problem == "the total that the file states for gross_amount is no amount"


def test_nothing_is_said_of_the_sum_when_a_row_could_not_be_read() -> None:
    footer = [["Report total", "", "99.00"]]
    assert mismatch(FEED, _rows("10.00", None, problem="unparseable"), footer, GROSS, whole=True) is None
    assert mismatch(FEED, _rows("10.00"), footer, GROSS, whole=False) is None


def test_a_blank_amount_is_nothing_to_the_sum() -> None:
    footer = [["Report total", "", "10.00"]]
    assert mismatch(FEED, _rows("10.00", None, problem="blank"), footer, GROSS, whole=True) is None


def test_a_feed_without_a_control_total_is_not_asked_for_one() -> None:
    feed = FEED.model_copy(update={"control_total": None})
    assert mismatch(feed, _rows("10.00"), [], None, whole=True) is None


def test_cells_of_a_footer_are_parted_as_the_file_is_written() -> None:
    lines = ['Report total,,"1,250.00"']
    assert footer_cells(lines, delimiter=",", quote='"') == [["Report total", "", "1,250.00"]]
    assert footer_cells(["total;1"], delimiter=";", quote="") == [["total", "1"]]
