"""Windows over sorted rows agree with a loop over the rows; batches do not change the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.pay.findings import findings
from showcost.pay.numbers import MOST
from showcost.pay.windows import Grouped, beginnings, highest_before, ordered
from showcost.pipeline.pay_findings import cells_of_valid
from showcost.validation.reference import Reference
from showcost_tests.pay.rows import AGREEMENTS, CHART, FEED, SHOW, with_sums
from showcost_tests.pay.test_neighbours import BASIC, grip, outcome, performer

if TYPE_CHECKING:
    from showcost.pay.numbers import Ints
    from showcost_tests.pay.by_hand import Row

SMALL: Final = st.integers(-3, 3)
ROWS: Final = st.lists(st.tuples(SMALL, SMALL, st.sampled_from("abcd"), SMALL), max_size=30)


def as_ints(values: list[int]) -> Ints:
    return np.array(values, np.int64)


@given(rows=ROWS)
def test_order_is_that_of_the_keys_and_then_of_the_texts(rows: list[tuple[int, int, str, int]]) -> None:
    keys = [as_ints([row[0] for row in rows]), as_ints([row[1] for row in rows])]
    texts = pa.chunked_array([pa.array([row[2] for row in rows], pa.string())])
    order = ordered(keys, texts, np.arange(len(rows)))
    assert [rows[place][:3] for place in order] == sorted(row[:3] for row in rows)


@given(rows=ROWS)
def test_windows_agree_with_a_loop(rows: list[tuple[int, int, str, int]]) -> None:
    group, value = as_ints([row[0] for row in rows]), as_ints([row[3] for row in rows])
    places = np.argsort(group, kind="stable")
    groups = Grouped(places, beginnings(places, [group]))
    sums, highest, continued = [], [], []
    for position, place in enumerate(places):
        earlier = [value[other] for other in places[:position] if group[other] == group[place]]
        sums.append(sum(earlier))
        highest.append(max(earlier, default=-9))
        continued.append(any(group[other] == group[place] for other in places[position + 1 :]))
    assert groups.sum_before(value).tolist() == sums
    assert highest_before(groups, value, -9).tolist() == highest
    assert groups.continued.tolist() == continued


def test_sums_beyond_the_largest_whole_number_saturate() -> None:
    places = np.arange(4)
    groups = Grouped(places, np.array([True, False, False, True]))
    assert groups.sum_before(as_ints([MOST - 1, 5, 7, 1])).tolist() == [0, MOST - 1, MOST, 0]


def week_of(person: str, number: int) -> list[Row]:
    """Return six days of a person, the last one paid short, and a forced call between two of them."""
    days = [grip(f"2026-10-{day:02}", str(day - 4)) for day in range(5, 10)]
    short = with_sums(grip("2026-10-10", "6") | {"hours_1x": "8", "hours_1_5x": "0"}, BASIC)
    early = {"meal1_out": "11:00", "meal1_in": "11:30"}
    forced = [
        performer("2026-10-19", call_time="12:00", meal1_out="17:00", meal1_in="17:30", wrap_time="22:00"),
        performer("2026-10-20", call_time=f"0{number % 3 + 5}:00", wrap_time="14:30", **early),
    ]
    return [row | {"employee_ref": person} for row in (*days, short, *forced)]


@pytest.mark.parametrize("part", [1, 7, 20])
def test_findings_do_not_depend_on_the_batches(part: int) -> None:
    rows = [row for number in range(9) for row in week_of(f"E-{number}", number)]
    valid = outcome(rows).valid
    valid = valid.take(pa.array(np.random.default_rng(5).permutation(valid.num_rows)))
    reference = Reference(FEED, SHOW, CHART, None, AGREEMENTS)
    cells = cells_of_valid(valid, reference)
    whole = findings(reference.pay, cells, valid)
    assert {"SC-PAY-002", "SC-PAY-005"} <= set(whole.column("code").to_pylist())
    assert findings(reference.pay, cells, valid, part).equals(whole)
