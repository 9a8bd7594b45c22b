"""Detection and masking of national identifiers; other numbers are left alone."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.core.engine import engine
from showcost.core.national_ids import (
    ID_MARK,
    has_national_id,
    masked,
    masked_sql,
    masked_text,
    masked_values,
)

NUMBERS = (
    "123-45-6789",
    "123 45 6789",
    "123.45.6789",
    "123\u201345\u20136789",
    "046-454-286",
    "046 454 286",
    "AB123456C",
    "ab 12 34 56 c",
    "QQ 12 34 56 A".replace("QQ", "JK"),
    "SSN 123456789",
    "sin#046454286",
    "123-45-6789-A",
    "123-45-6789A",
    "123-45-6789-B1",
    "046-454-286-X",
    "SSN 123456789-A",
    "Social Security No. 123456789",
)
OTHERS = (
    "E-4711",
    "MRP-41-W41",
    "12-3456789",
    "2026-10-05",
    "DE136695976",
    "4551",
    "0123-45-67890",
    "DZ123456A9",
    "100.00",
    "basin 123456789",
    "SINGLE 123456789",
    "123-45-6789-01",
    "123-45-6789-ABC",
)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_national_identifier_is_masked_anywhere_in_a_text(number: str) -> None:
    texts = pa.chunked_array([[number, f"paid to {number}, again", None]])
    assert has_national_id(texts).to_pylist() == [True, True, None]
    assert masked(texts).to_pylist() == [ID_MARK, f"paid to {ID_MARK}, again", None]
    assert masked_text(f"paid to {number}, again") == f"paid to {ID_MARK}, again"


@pytest.mark.parametrize("text", OTHERS)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert has_national_id(pa.chunked_array([[text]])).to_pylist() == [False]
    assert masked(pa.chunked_array([[text]])).to_pylist() == [text]
    assert masked_text(text) == text


def test_nine_digits_are_an_identifier_in_a_field_that_names_a_person() -> None:
    texts = pa.chunked_array([["123456789", "E-123456789", "1234567890", "E123456789"]])
    assert has_national_id(texts).to_pylist() == [False, False, False, False]
    assert has_national_id(texts, names_person=True).to_pylist() == [True, True, False, False]


def test_adjacent_identifiers_are_all_masked() -> None:
    text = "E-1,123-45-6789,046-454-286,AB123456C,123456789,987654321,x"
    assert masked_text(text) == f"E-1,{ID_MARK},{ID_MARK},{ID_MARK},123456789,987654321,x"
    whole = f"E-1,{ID_MARK},{ID_MARK},{ID_MARK},{ID_MARK},{ID_MARK},x"
    assert masked_text(text, names_person=True) == whole
    assert masked(pa.array([text, None]), names_person=True).to_pylist() == [whole, None]


def test_the_mark_counts_as_an_identifier_and_stays() -> None:
    texts = pa.chunked_array([[ID_MARK, f"paid to {ID_MARK}", "***", "[**]"]])
    assert has_national_id(texts).to_pylist() == [True, True, False, False]
    assert masked(texts, names_person=True).equals(texts)


@given(st.lists(st.one_of(st.none(), st.text(alphabet="123456789- ABSN:'", max_size=30)), max_size=20))
def test_the_engine_masks_as_python_does(texts: list[str | None]) -> None:
    texts += ["SSN guy 123-45-6789", "123-45-6789 123-45-6789", "it's 123-45-6789"]
    with engine() as connection:
        connection.register("texts", pa.table({"text": pa.array(texts, pa.string())}))
        found = connection.execute(f"SELECT {masked_sql('text')} FROM texts").fetchall()  # noqa: S608 - a test
    assert [text for (text,) in found] == [None if text is None else masked_text(text) for text in texts]


def test_texts_within_facts_are_masked_and_all_else_stays() -> None:
    facts = {"raw": "a 123-45-6789", "codes": ("SC-1", "123-45-6789"), "rows": [{"n": 1}, None, "x"]}
    assert masked_values(facts) == {
        "raw": masked_text("a 123-45-6789"),
        "codes": ("SC-1", masked_text("123-45-6789")),
        "rows": [{"n": 1}, None, "x"],
    }
