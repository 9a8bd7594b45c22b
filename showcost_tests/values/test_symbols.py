"""Currency symbols: a shared one contradicts only what it cannot mean."""

from __future__ import annotations

import pytest
from babel.numbers import get_currency_symbol

from showcost.core.money import currency_codes
from showcost.values.symbols import contradicts, currencies_of, known_symbols, symbol_in_header


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


@pytest.mark.parametrize(
    ("header", "stated"),
    [
        *(
            ("Amount (\u00a3)", "\u00a3"),
            ("\u00a3", "\u00a3"),
            ("Net USD", "USD"),
            ("Betrag in \u20ac", "\u20ac"),
        ),
        *(("AMOUNT_EUR", "EUR"), ("Amount (US$)", "US$"), ("Amount CA$", "CA$"), ("Net (kr)", "kr")),
        *(("Total \u00a3 (inc VAT)", "\u00a3"), ("Amount (GBP, net)", "GBP"), ("Amount (ALL)", "ALL")),
        *(("Amount (\u00a3000)", "\u00a3000"), ("Amount \u00a3k", "\u00a3k"), ("Betrag TEUR", "TEUR")),
        *(("Amount (p)", "p"), ("Amount in pence", "pence"), ("Amount (in thousands)", "in thousands")),
        *(("Amount", ""), ("TOTAL ALL", ""), ("Amount (ex VAT)", ""), ("VAT (20%)", ""), ("Price per m", "")),
        *(("gross_amount", ""), ("Amount in Sterling", ""), ("R", ""), ("Amount (net)", "")),
        ("Net EUR thousands", "thousands"),
        ("Amount (EUR) in thousands", "thousands"),
        ("All amounts in thousands of EUR", "thousands"),
        ("Betrag EUR (Tsd.)", "Tsd."),
        ("Net USD 000", "000"),
    ],
)
def test_the_name_of_a_column_may_state_a_currency_or_a_part_or_multiple(header: str, stated: str) -> None:
    assert symbol_in_header(header) == stated
