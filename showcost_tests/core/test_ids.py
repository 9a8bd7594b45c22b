"""Ids are over framed values, however they are computed."""

from __future__ import annotations

import pytest

from showcost.core.hashing import SHORT, sha256_framed
from showcost.core.ids import row_id


@pytest.mark.parametrize(
    "place", [("vendor_invoices_us", "ab" * 32, 7), ('a "feed" für\n', "x\\", 0), ("", "", 10**12)]
)
def test_the_id_of_a_row_is_over_its_place_as_one_array(place: tuple[str, str, int]) -> None:
    assert row_id(*place) == sha256_framed(place)[:SHORT]
