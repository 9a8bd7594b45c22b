"""Figures as text for people: with thousands separators, and negative ones in parentheses."""

from __future__ import annotations

from decimal import Decimal

from showcost.core.money import currency_codes, minor_units, readable_amount, round_half_away
from showcost.reports.tables import ColumnType


def decimals_of(currency: str) -> int | None:
    """Return the decimals of a currency; None for a text that is no currency, as rows in quarantine have."""
    return minor_units(currency) if currency in currency_codes() else None


def figure_text(value: Decimal | int, currency: str) -> str:
    """Return a number with thousands separators; an amount has the decimals of its currency.

    Without a currency it is a count; in an unknown one it has two decimals or four.
    """
    places = decimals_of(currency) if currency else 0
    if places is None:
        return readable_amount(Decimal(value))
    return f"{round_half_away(Decimal(value), places):,f}"


def shown_figure(value: Decimal | int, type_: ColumnType, currency: str) -> str:
    """Return a number as accountants write it: negative in parentheses."""
    size = Decimal(value).copy_abs()
    match type_:
        case ColumnType.MONEY | ColumnType.ORIGINAL:
            text = figure_text(size, currency)
        case ColumnType.COUNT:
            text = f"{size:,f}"
        case ColumnType.PERCENT:
            text = f"{_short_decimal(size)}%"
        case _:
            text = _short_decimal(size)
    return f"({text})" if value < 0 else text


def _short_decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
