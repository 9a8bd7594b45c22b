"""Checked tables refuse other columns; texts are joined row by row without losing rows."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pytest

from showcost.core.arrow import CheckedTable, join_texts
from showcost.core.errors import IntegrityError


def test_rows_of_nulls_stay_and_others_are_joined_without_them() -> None:
    one, other = pa.array(["a", None, "a", None]), pa.array(["b", "b", None, None])
    assert join_texts("; ", one, other).to_pylist() == ["a; b", "b", "a", None]
    assert join_texts("; ", one).to_pylist() == ["a", None, "a", None]
    chunked = pa.chunked_array([one])
    assert join_texts(" ", chunked, other).to_pylist() == ["a b", "b", "a", None]


COLUMNS: Final = pa.schema([("date", pa.date32()), ("amount", pa.decimal128(18, 4))])


class Amounts(CheckedTable):
    @property
    def schema(self) -> pa.Schema:
        return COLUMNS


def test_a_checked_table_has_exactly_the_columns_of_its_class() -> None:
    amounts = Amounts(COLUMNS.empty_table())
    assert (amounts.num_rows, amounts.column("amount").type) == (0, pa.decimal128(18, 4))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([("date", pa.date32())], r"Amounts: the column amount must be decimal128\(18, 4\), found none"),
        ([("date", pa.date32()), ("amount", pa.float64())], "found double"),
        ([("date", pa.date32()), ("amount", pa.decimal128(38, 4))], r"found decimal128\(38, 4\)"),
        ([("amount", pa.decimal128(18, 4)), ("date", pa.date32())], "expected the columns"),
        ([*zip(COLUMNS.names, COLUMNS.types, strict=True), ("more", pa.string())], "expected the columns"),
    ],
)
def test_a_table_with_other_columns_is_refused(columns: list[tuple[str, pa.DataType]], message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        Amounts(pa.schema(columns).empty_table())
