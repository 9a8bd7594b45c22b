"""Minor units, from ISO 4217 or, for a withdrawn currency, from CLDR."""

import runpy
from pathlib import Path

import pytest
from iso4217 import Currency

from showcost.core.money import currency_codes, minor_units


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("JPY", 0), ("ISK", 0), ("USD", 2), ("RSD", 2), ("ALL", 2), ("IQD", 3), ("KWD", 3), ("CLF", 4)],
)
def test_minor_units_follow_the_standard(currency: str, decimals: int) -> None:
    """ISO 4217, list one; dinars of Serbia and Iraq and lek of Albania are written without decimals."""
    assert minor_units(currency) == decimals


def test_a_withdrawn_currency_keeps_its_minor_units() -> None:
    """Lire had none, German marks two."""
    assert [minor_units("ITL"), minor_units("DEM")] == [0, 2]


def test_every_currency_fits_the_stored_scale() -> None:
    """Four decimals are stored."""
    assert {minor_units(each) for each in currency_codes()} <= {0, 2, 3, 4}


def test_an_unknown_code_has_no_minor_units() -> None:
    """The error names the code."""
    with pytest.raises(KeyError, match="QQQ"):
        minor_units("QQQ")


def test_the_outside_verifier_rounds_to_the_same_units() -> None:
    """The verifier imports nothing of showcost and has its own table."""
    table = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "verify_pack.py"))["DECIMALS"]
    assert {each.code: table.get(each.code, 2) for each in Currency if each.exponent is not None} == {
        each.code: minor_units(each.code) for each in Currency if each.exponent is not None
    }
