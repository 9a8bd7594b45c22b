"""Times of day."""

from __future__ import annotations

from datetime import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.values.times import parse_times


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("9:05", time(9, 5)),
        ("09:05:30", time(9, 5, 30)),
        ("09:05:30.25", time(9, 5, 30, 250_000)),
        ("12:00 AM", time(0)),
        ("12:30 p.m.", time(12, 30)),
        ("11:59pm", time(23, 59)),
        (" 00:00 ", time(0)),
    ],
)
def test_a_time_of_day_is_read(cell: str, expected: time) -> None:
    column = parse_times(pa.array([cell]))
    assert (column.values.to_pylist(), column.problem.to_pylist()) == ([expected], [None])


@pytest.mark.parametrize(
    "cell", ["24:00", "9:60", "9:05:60", "13:00 PM", "0:30 AM", "9.05", "905", "9:05Z", "9:5"]
)
def test_a_text_that_is_not_a_time_is_invalid(cell: str) -> None:
    column = parse_times(pa.array([cell, None, " "]))
    assert column.values.to_pylist() == [None] * 3
    assert column.problem.to_pylist() == ["invalid", "blank", "blank"]


@given(st.lists(st.times()))
def test_times_written_in_iso_come_back(times: list[time]) -> None:
    assert (
        parse_times(pa.array([moment.isoformat() for moment in times], pa.string())).values.to_pylist()
        == times
    )
