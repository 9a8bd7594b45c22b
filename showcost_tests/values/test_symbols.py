"""Currency symbols: a shared one contradicts only what it cannot mean."""

from __future__ import annotations

import pytest
from babel.numbers import get_currency_symbol

from showcost.core.money import currency_codes
from showcost.values.symbols import contradicts, currencies_of, known_symbols


@pytest.mark.parametrize(
    ("symbol", "currency", "contradiction"),
    [
        ("\u00a3", "GBP", False),
        ("\u00a3", "EGP", False),
        ("\u00a3", "USD", True),
        ("$", "USD", False),
        ("$", "CAD", False),
        ("$", "EUR", True),
        ("US$", "CAD", True),
        ("CA$", "CAD", False),
        ("kr.", "DKK", False),
        ("EUR", "EUR", False),
        ("EUR", "USD", True),
        ("\u00a4", "USD", True),
    ],
)
def test_a_symbol_contradicts_the_currencies_that_it_cannot_mean(
    symbol: str, currency: str, contradiction: bool
) -> None:
    assert contradicts(symbol, currency) is contradiction


def test_every_symbol_stands_for_known_currencies() -> None:
    for symbol in known_symbols():
        assert currencies_of(symbol)
        assert currencies_of(symbol) <= currency_codes()


@pytest.mark.parametrize(
    ("currency", "locale"),
    [
        *(("USD", "en_US"), ("CAD", "en_CA"), ("AUD", "en_AU"), ("NZD", "en_NZ"), ("MXN", "es_MX")),
        *(("GBP", "en_GB"), ("EUR", "de_DE"), ("JPY", "ja_JP"), ("CNY", "zh_CN"), ("KRW", "ko_KR")),
        *(("SEK", "sv_SE"), ("NOK", "nb_NO"), ("DKK", "da_DK"), ("CZK", "cs_CZ"), ("PLN", "pl_PL")),
        *(("HUF", "hu_HU"), ("ZAR", "en_ZA"), ("INR", "en_IN"), ("BRL", "pt_BR"), ("CHF", "de_CH")),
    ],
)
def test_the_symbol_used_in_a_country_may_stand_for_its_currency(currency: str, locale: str) -> None:
    symbol = get_currency_symbol(currency, locale).replace("\uffe5", "\u00a5")
    assert not contradicts(symbol, currency)
