"""Joining of texts row by row, without losing rows."""

from __future__ import annotations

import pyarrow as pa

from showcost.core.arrow import join_texts


def test_rows_of_nulls_stay_and_others_are_joined_without_them() -> None:
    one, other = pa.array(["a", None, "a", None]), pa.array(["b", "b", None, None])
    assert join_texts("; ", one, other).to_pylist() == ["a; b", "b", "a", None]
    assert join_texts("; ", one).to_pylist() == ["a", None, "a", None]
    chunked = pa.chunked_array([one])
    assert join_texts(" ", chunked, other).to_pylist() == ["a b", "b", "a", None]
