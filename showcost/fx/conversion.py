"""Conversion to the base currency: exact, through the euro, rounded once.

base = round(amount * (base units per euro) / (original units per euro)), halves away from zero, to the
minor unit of the base currency (ISO 4217). No cross rate and no inverse is rounded on the way: the model
is article 4 of Council Regulation (EC) 1103/97. `convert` is the reference; `conversion_sql` computes the
same in the database. `snapshot_plan` determines the rates.

Bounds. Amounts are DECIMAL(18, 4), below 10^14; rates in millionths are below 10^16. The largest
intermediate is 2 * 10^18 * 10^16, far below 1.7 * 10^38, so that the integers of the database (HUGEINT,
128 bits) cannot overflow for any stored amount and rates. The result must fit DECIMAL(18, 4) as well: it
does for every amount below 10^14 divided by the cross rate; else the conversion raises, it never wraps.
No cross rate in the ECB's history reaches 5 million, so that no amount below 20 million can raise in any
pair; into USD, EUR or GBP none below 10^13 can.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

from showcost.core.errors import InputError
from showcost.core.money import AMOUNT_DIGITS, AMOUNT_SCALE, EXACT_DIGITS, minor_units, round_half_away
from showcost.fx.history import RATE_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Mapping

AMOUNT_TYPE: Final = f"DECIMAL({AMOUNT_DIGITS}, {AMOUNT_SCALE})"
CROSS_RATE_DECIMALS: Final = 10
CROSS_RATE_TYPE: Final = f"DECIMAL(28, {CROSS_RATE_DECIMALS})"
"""A cross rate as shown: rounded, for people to read; no amount is computed from it."""

_LARGEST: Final = Decimal(10) ** (AMOUNT_DIGITS - AMOUNT_SCALE)


IDENTITY_POLICY: Final = "base-currency"
"""The policy of entries in the base currency, which are converted by no rate."""


def policy_stamp(carry_days: int, document_rounding: str) -> str:
    """Return the name of the conversion policy, which each ledger entry stores.

    `document_rounding` is that of the production: whether a document's base total is its converted total
    (`document`), or the sum of its lines (`line`).
    """
    return f"ecb-daily/carry-{carry_days}/cross-eur/half-away{_ROUNDED[document_rounding]}"


_ROUNDED: Final = {"document": "/document-total", "line": "/line-total"}


def rounds_documents_sql(policy: str, otherwise: str) -> str:
    """Return the SQL expression that says whether entries of a policy are rounded per document.

    `otherwise` is the expression for policies that do not say it: those of entries posted before they did,
    and of entries in the base currency.
    """
    return (
        f"CASE WHEN ends_with({policy}, '{_ROUNDED['document']}') THEN true"
        f" WHEN ends_with({policy}, '{_ROUNDED['line']}') THEN false ELSE {otherwise} END"
    )


def convert(amount: Decimal, currency: str, base: str, rates: Mapping[str, Decimal]) -> Decimal:
    """Return the amount in the base currency, at its minor unit; an amount in base is returned unchanged.

    `rates` are units per euro, including the euro at 1. Raises InputError when a rate is missing or the
    result is too large to store.
    """
    if currency == base:
        return amount
    for needed in (currency, base):
        if needed not in rates:
            raise InputError(f"conversion of {currency} to {base}: no rate of {needed}")
    with localcontext() as context:
        # Sixty digits decide every half: a quotient that is not exactly a half differs from a half by more
        # than 1 / (2 * 10^16 * 10^4), far above the last digit of any quotient that passes the check below.
        context.prec = EXACT_DIGITS
        exact = amount * rates[base] / rates[currency]
    converted = round_half_away(exact, minor_units(base))
    if abs(converted) >= _LARGEST:
        raise InputError(f"conversion of {currency} to {base}: the result does not fit {AMOUNT_TYPE}")
    return converted


def cross_rate(currency: str, base: str, rates: Mapping[str, Decimal]) -> Decimal:
    """Return units of the base per unit of the currency, rounded to ten decimals, for display only."""
    with localcontext() as context:
        context.prec = EXACT_DIGITS
        return round_half_away(rates[base] / rates[currency], CROSS_RATE_DECIMALS)


def conversion_sql(amount: str, currency: str, micro_original: str, micro_base: str, base: str) -> str:
    """Return a DuckDB expression of type DECIMAL(18, 4) for the amount in the base currency.

    All but `base` (a currency code) are SQL expressions: the amount, DECIMAL(18, 4); its currency; and
    the two rates as integers in millionths, from `pinned_snapshots.dense_rates` or `micro_rate_sql`. Null
    in, null out. A result that does not fit raises an error and never wraps; in TRY it is null. A rate of
    type DECIMAL is refused when the statement is bound.
    """
    decimals = minor_units(base)
    signed = f"CAST(CAST({amount} AS DECIMAL(38, {AMOUNT_SCALE})) * {10**AMOUNT_SCALE} AS HUGEINT)"
    # Decimals of the amount beyond the minor unit are divided away with the rate, and restored afterwards.
    step = 10 ** (AMOUNT_SCALE - decimals)
    denominator = f"({_whole(micro_original)} * {step})"
    units = f"((2 * abs({signed}) * {_whole(micro_base)} + {denominator}) // (2 * {denominator}))"
    sign = f"CASE WHEN {amount} < 0 THEN {-step} ELSE {step} END"
    converted = _decimal(f"{units} * {sign}", AMOUNT_SCALE, AMOUNT_TYPE)
    return f"CASE WHEN {currency} = '{base}' THEN CAST({amount} AS {AMOUNT_TYPE}) ELSE {converted} END"


def micro_rate_sql(eur_rate: str) -> str:
    """Return a DuckDB expression of type BIGINT for a rate in millionths; it raises if that is inexact."""
    exact = f"CAST({eur_rate} AS DECIMAL(38, {RATE_DECIMALS}))"
    return (
        f"CAST(CASE WHEN {eur_rate} > 0 AND {exact} = {eur_rate} THEN {exact}"
        f" WHEN {eur_rate} IS NOT NULL THEN error('rate not positive or finer than {RATE_DECIMALS} decimals')"
        f" END * {10**RATE_DECIMALS} AS BIGINT)"
    )


def cross_rate_sql(micro_original: str, micro_base: str) -> str:
    """Return a DuckDB expression of type DECIMAL(28, 10) for `cross_rate`, over rates in millionths."""
    original = _whole(micro_original)
    units = f"((2 * {_whole(micro_base)} * {10**CROSS_RATE_DECIMALS} + {original}) // (2 * {original}))"
    return _decimal(units, CROSS_RATE_DECIMALS, CROSS_RATE_TYPE)


def _whole(micro_rate: str) -> str:
    """Return an expression for a rate in millionths as a HUGEINT; a DECIMAL does not bind.

    The operator `|` takes integers only. Without it, a rate given in units by mistake would silently be
    truncated to whole units.
    """
    return f"CAST({micro_rate} | 0 AS HUGEINT)"


def _decimal(units: str, scale: int, type_name: str) -> str:
    """Return an expression for an integer of units of 10^-scale as a decimal; `/` would give a DOUBLE."""
    unit = f"CAST('{Decimal(1).scaleb(-scale):f}' AS DECIMAL({scale + 1}, {scale}))"
    return f"CAST(CAST({units} AS DECIMAL(38, 0)) * {unit} AS {type_name})"
