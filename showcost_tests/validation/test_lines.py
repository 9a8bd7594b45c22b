"""Lines without numbers: which of them repeat others, whatever comes again and in whatever order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.core.ids import line_key
from showcost.validation.duplicates import (
    CANDIDATES,
    CONFLICT,
    DUPLICATE,
    POSTED,
    ClaimKind,
    key_claims,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Place = tuple[str, int]
KEY = "a" * 24 + "f" * 8
"""The key of the document's first line."""


def candidates(deliveries: Sequence[Sequence[int]], unsound: Collection[Place] = ()) -> pa.Table:
    """Return the rows of a document per delivery; a number is the content of a line."""
    rows: list[dict[str, object]] = []
    for arrival, contents in enumerate(deliveries, start=1):
        for line, content in enumerate(contents, start=1):
            place = (f"d{arrival}", line)
            rows.append(
                {
                    "row": len(rows),
                    "row_key": line_key(KEY, line),
                    "delivery": place[0],
                    "arrival": arrival,
                    "record": line,
                    "content": str(content),
                    "comparable": content,
                    "sound": place not in unsound,
                    "priority": 0,
                    "reversed": False,
                    "original": False,
                }
            )
    return pa.Table.from_pylist(rows, CANDIDATES)


def claims(
    deliveries: Sequence[Sequence[int]],
    posted: Collection[Place] = (),
    unsound: Collection[Place] = (),
) -> dict[Place, tuple[str, str]]:
    """Return code and kind of the rows that do not hold a line, by delivery and record."""
    rows = candidates(deliveries, unsound)
    places = [(row["delivery"], row["record"]) for row in rows.to_pylist()]
    in_ledger = [
        {name: row[name] for name in POSTED.names}
        for row, place in zip(rows.to_pylist(), places, strict=True)
        if place in posted
    ]
    found = key_claims(rows, pa.Table.from_pylist(in_ledger, POSTED)).to_pylist()
    return {places[row["row"]]: (row["code"], row["kind"]) for row in found if row["code"] is not None}


def codes(found: Mapping[Place, tuple[str, str]], delivery: str) -> dict[int, str]:
    return {record: code for (name, record), (code, _) in found.items() if name == delivery}


def test_equal_lines_of_one_delivery_are_no_duplicates() -> None:
    assert claims([[500, 500, 70]]) == {}


@pytest.mark.parametrize("again", [[500, 500, 70], [70, 500, 500], [500, 70, 500]])
def test_the_same_lines_again_are_duplicates_in_any_order(again: list[int]) -> None:
    found = claims([[500, 500, 70], again])
    assert found == {("d2", line): (DUPLICATE, "key") for line in (1, 2, 3)}


def test_a_line_more_needs_a_person() -> None:
    found = claims([[500, 500, 70], [500, 90, 500, 70]])
    assert found.pop(("d2", 2)) == (CONFLICT, ClaimKind.MORE)
    assert set(found.values()) == {(DUPLICATE, "key")}
    # What comes again after that is a duplicate of the line that waits.
    assert codes(claims([[500, 500, 70], [500, 90, 500, 70], [500, 500, 70, 90]]), "d3") == dict.fromkeys(
        (1, 2, 3, 4), DUPLICATE
    )


def test_a_line_less_needs_a_person_once() -> None:
    found = claims([[500, 500, 70], [500, 70], [500, 70], [500]])
    assert codes(found, "d2") == {1: DUPLICATE, 2: CONFLICT}
    assert found["d2", 2] == (CONFLICT, ClaimKind.FEWER)
    assert codes(found, "d3") == {1: DUPLICATE, 2: DUPLICATE}
    assert codes(found, "d4") == {1: CONFLICT}


def test_a_changed_line_contradicts_the_line_that_is_left_over() -> None:
    assert claims([[500, 500, 70], [500, 500, 80]])["d2", 3] == (CONFLICT, ClaimKind.KEY)
    found = claims([[500, 500, 70], [80, 500, 500]])
    assert found["d2", 1] == (CONFLICT, ClaimKind.ORDER)
    assert codes(found, "d2") == {1: CONFLICT, 2: DUPLICATE, 3: DUPLICATE}


def test_a_changed_line_where_another_is_missing_needs_a_person() -> None:
    found = claims([[500, 500, 70], [500, 80]])
    assert found["d2", 2] == (CONFLICT, ClaimKind.ORDER)


def test_a_line_that_could_not_post_is_replaced_by_the_next_version() -> None:
    unsound = {("d1", 2)}
    assert claims([[500, 60, 70], [500, 61, 70]], unsound=unsound) == {
        ("d1", 2): (CONFLICT, "key"),
        ("d2", 1): (DUPLICATE, "key"),
        ("d2", 3): (DUPLICATE, "key"),
    }
    # In another order its key is that of a line that posts: a person decides.
    found = claims([[500, 60, 70], [61, 500, 70]], unsound=unsound)
    assert found["d2", 1] == (CONFLICT, ClaimKind.ORDER)


def test_a_document_of_one_line_that_comes_with_two_needs_a_person() -> None:
    assert claims([[500], [500, 70]]) == {
        ("d2", 1): (DUPLICATE, "key"),
        ("d2", 2): (CONFLICT, ClaimKind.MORE),
    }


def test_posted_lines_stay_posted() -> None:
    posted = {("d1", 1), ("d1", 2), ("d1", 3)}
    assert claims([[500, 500, 70], [70, 500, 500]], posted) == {
        ("d2", line): (DUPLICATE, "key") for line in (1, 2, 3)
    }


CONTENTS = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.lists(CONTENTS, min_size=1, max_size=4), st.data())
def test_no_line_posts_twice_and_none_is_lost_without_a_word(
    deliveries: list[list[int]], data: st.DataObject
) -> None:
    everything = {
        (f"d{arrival}", line)
        for arrival, contents in enumerate(deliveries, start=1)
        for line in range(1, len(contents) + 1)
    }
    posted: set[Place] = set()
    order = data.draw(st.permutations(range(1, len(deliveries) + 1)))
    for arrival in [*order, *order]:
        found = claims(deliveries, posted)
        posted |= {place for place in everything if place[0] == f"d{arrival}" and place not in found}
    found = claims(deliveries, posted)
    assert posted == everything - found.keys()
    # Without decisions, what the first delivery has posts, and nothing else.
    assert posted == {("d1", line) for line in range(1, len(deliveries[0]) + 1)}
    for arrival, contents in enumerate(deliveries[1:], start=2):
        before = [Counter(lines) for lines in deliveries[: arrival - 1]]
        if Counter(contents) not in before:
            so_far = [codes(found, f"d{number}").values() for number in range(2, arrival + 1)]
            assert any(CONFLICT in values for values in so_far)
        if Counter(contents) == before[0]:
            assert set(codes(found, f"d{arrival}").values()) == {DUPLICATE}
