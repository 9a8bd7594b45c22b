"""Amounts in pence, cents and agorot."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.core.money import currency_codes
from showcost.values.minor_units import MinorRows, in_major_unit, major_unit


@pytest.mark.parametrize(
    ("code", "currency"),
    [
        ("GBp", "GBP"),
        ("GBX", "GBP"),
        (" GBP  pence ", "GBP"),
        ("ZAc", "ZAR"),
        ("ZAX", "ZAR"),
        ("ILA", "ILS"),
        ("USc", "USD"),
        *((code, None) for code in ("GBP", "gbp", "gbp", "ZAR", "USD", "p", "cents", "", "GB", "XYc")),
    ],
)
def test_a_code_of_a_hundredth_is_known_by_its_letters(code: str, currency: str | None) -> None:
    assert major_unit(code) == currency


@pytest.mark.parametrize("code", sorted(currency_codes()))
def test_no_currency_is_taken_for_a_hundredth(code: str) -> None:
    assert major_unit(code) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20, min_value=-(10**15), max_value=10**15))
def test_a_hundredth_is_exact(amount: Decimal) -> None:
    converted = in_major_unit(amount)
    digits, exponent = amount.as_tuple().digits, amount.as_tuple().exponent
    assert isinstance(exponent, int)
    assert converted == Decimal((amount.as_tuple().sign, digits, exponent - 2))


def test_rows_are_converted_one_by_one() -> None:
    rows = MinorRows.of(pa.array(["GBp", "GBP", None, "ZAc"]))
    assert rows is not None
    assert rows.codes == ("GBp", "ZAc")
    assert rows.converted(pa.array(["1250", "1250", "3", None])).to_pylist() == ["12.50", "1250", "3", None]
    assert rows.currencies.to_pylist() == ["GBP", None, None, "ZAR"]
    assert MinorRows.of(pa.array(["GBP", "USD", None])) is None
