"""Texts without the cells of personal fields: a column at a time as one by one."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from showcost.reports.personal_text import without_cells, without_column

CELLS = st.sampled_from(
    ["DE 123", "12", "é1", 'a"b', "O'Neil & Co", "1.5", "***", " 12 ", "", "²", "_x_", "\\d"]
)
PIECES = st.lists(
    st.one_of(
        CELLS, st.sampled_from([" ", ",", '"', "_", "-", "é", "12", "\n", "&amp;", "O&#x27;Neil &amp; Co"])
    ),
    max_size=6,
).map("".join)


@given(st.lists(st.tuples(st.none() | PIECES, st.none() | CELLS), max_size=12), st.integers(1, 10))
def test_a_column_is_masked_as_each_of_its_texts(
    rows: list[tuple[str | None, str | None]], repeated: int
) -> None:
    texts = [text for text, _ in rows] * repeated
    cells = [cell for _, cell in rows] * repeated
    columns = (pa.chunked_array([pa.array(values, pa.string())]) for values in (texts, cells))
    assert without_column(*columns).to_pylist() == [
        text if text is None else without_cells(text, [cell]) for text, cell in zip(texts, cells, strict=True)
    ]
