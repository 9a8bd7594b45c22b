"""What looks like a number of the state is found and masked; other numbers are left alone."""

from __future__ import annotations

import pyarrow as pa
import pytest

from showcost.core.personal import MASKED, looks_personal, masked, masked_text

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
)


@pytest.mark.parametrize("number", NUMBERS)
def test_number_of_a_person_is_found_and_masked_wherever_it_stands(number: str) -> None:
    texts = pa.chunked_array([[number, f"paid to {number}, again", None]])
    assert looks_personal(texts).to_pylist() == [True, True, None]
    assert masked(texts).to_pylist() == [MASKED, f"paid to {MASKED}, again", None]
    assert masked_text(f"paid to {number}, again") == f"paid to {MASKED}, again"


@pytest.mark.parametrize("text", OTHERS)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert looks_personal(pa.chunked_array([[text]])).to_pylist() == [False]
    assert masked(pa.chunked_array([[text]])).to_pylist() == [text]
    assert masked_text(text) == text


def test_nine_digits_are_one_where_a_person_is_named() -> None:
    texts = pa.chunked_array([["123456789", "E-123456789", "1234567890", "E123456789"]])
    assert looks_personal(texts).to_pylist() == [False, False, False, False]
    assert looks_personal(texts, names_person=True).to_pylist() == [True, True, False, False]
