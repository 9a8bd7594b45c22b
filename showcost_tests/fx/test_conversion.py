"""Conversion is exact: database, reference and an independent recomputation agree to the last digit."""
# ruff: noqa: S608 - statements are put together from constants

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.core.errors import InputError
from showcost.core.money import minor_units
from showcost.fx.conversion import (
    conversion_sql,
    convert,
    cross_rate,
    cross_rate_sql,
    micro_rate_sql,
    policy_stamp,
)
from showcost.fx.pinned_snapshots import dense_rates, pin
from showcost.fx.snapshot_plan import build_snapshots
from showcost.fx.sources import embedded_history
from showcost_tests.fx.tables import create_tables

from .independent import independent_base_amount, independent_rates, published
from .test_store import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = date(2026, 10, 30)
RATES = independent_rates(DAY)[1] | {"KWD": Decimal("0.345678")}
BASES = ("USD", "EUR", "GBP", "JPY", "KWD", "TRL")
LARGEST = Decimal("99999999999999.9999")

amounts = st.decimals(-(10**13), 10**13, places=4).map(lambda value: value.quantize(Decimal("0.0001")))
rates = st.decimals(Decimal("0.000001"), Decimal(9_999_999), places=6)


def in_database(amount: Decimal, currency: str, base: str, original: Decimal, of_base: Decimal) -> Decimal:
    expression = conversion_sql("amount", "currency", "original", "of_base", base)
    columns = f"{micro_rate_sql('o')} AS original, {micro_rate_sql('b')} AS of_base"
    with duckdb.connect(":memory:") as engine:
        row = engine.execute(
            f"SELECT {expression} FROM (SELECT CAST($amount AS DECIMAL(18, 4)) AS amount,"
            f" $currency AS currency, {columns}"
            " FROM (SELECT CAST($o AS DECIMAL(20, 10)) AS o, CAST($b AS DECIMAL(20, 10)) AS b))",
            {"amount": amount, "currency": currency, "o": original, "b": of_base},
        ).fetchone()
    assert row is not None
    assert isinstance(row[0], Decimal)
    return row[0]


def test_the_worked_example_is_exact_and_its_reversal_is_the_exact_negation() -> None:
    amount, expected = Decimal("1234567.89"), Decimal("1654184.75")
    for sign in (1, -1):
        assert convert(sign * amount, "GBP", "USD", RATES) == sign * expected
        assert in_database(sign * amount, "GBP", "USD", RATES["GBP"], RATES["USD"]) == sign * expected
        assert independent_base_amount(sign * amount, "GBP", "USD", DAY) == sign * expected


def test_a_rounded_cross_rate_would_be_wrong() -> None:
    rounded = (RATES["USD"] / RATES["GBP"]).quantize(Decimal("0.0001"))
    assert abs(Decimal("1654184.75") - Decimal("1234567.89") * rounded) > 12


@pytest.mark.parametrize("amount", ["0.005", "-0.005", "1.2345", "0"])
def test_an_amount_in_the_base_currency_is_unchanged(amount: str) -> None:
    assert convert(Decimal(amount), "USD", "USD", {}) == Decimal(amount)
    assert in_database(Decimal(amount), "USD", "USD", Decimal(1), Decimal(1)) == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "base", "expected"),
    [
        ("0.005", "USD", "0.01"),
        ("-0.005", "USD", "-0.01"),
        ("0.0049", "USD", "0"),
        ("2.5", "JPY", "3"),
        ("-2.5", "JPY", "-3"),
        ("2.4999", "JPY", "2"),
        ("0.0005", "KWD", "0.001"),
        ("0.0004", "KWD", "0"),
    ],
)
def test_halves_round_away_from_zero_at_the_minor_unit_of_the_base(
    amount: str, base: str, expected: str
) -> None:
    par = {"EUR": Decimal(1), base: Decimal(1)}
    assert convert(Decimal(amount), "EUR", base, par) == Decimal(expected)
    assert in_database(Decimal(amount), "EUR", base, Decimal(1), Decimal(1)) == Decimal(expected)


@given(amount=amounts, original=rates, of_base=rates, base=st.sampled_from(BASES))
@settings(max_examples=150, deadline=None)
def test_the_database_agrees_with_the_reference(
    amount: Decimal, original: Decimal, of_base: Decimal, base: str
) -> None:
    table = {"XAF": original, base: of_base}
    try:
        expected = convert(amount, "XAF", base, table)
    except InputError:
        with pytest.raises(duckdb.Error):
            in_database(amount, "XAF", base, original, of_base)
        return
    assert in_database(amount, "XAF", base, original, of_base) == expected
    assert convert(-amount, "XAF", base, table) == -expected


@given(amount=amounts, other=amounts, original=rates, of_base=rates, base=st.sampled_from(BASES))
@settings(max_examples=200, deadline=None)
def test_a_larger_amount_never_converts_to_a_smaller_one(
    amount: Decimal, other: Decimal, original: Decimal, of_base: Decimal, base: str
) -> None:
    table = {"XAF": original, base: of_base}
    try:
        low, high = (convert(value, "XAF", base, table) for value in sorted((amount, other)))
    except InputError:
        return
    assert low <= high


@pytest.fixture(scope="module")
def whole_history() -> Iterator[duckdb.DuckDBPyConnection]:
    """Pin every day since 1999."""
    history = embedded_history()
    days = [
        history.first + timedelta(days=offset) for offset in range((history.last - history.first).days + 3)
    ]
    with duckdb.connect(":memory:") as connection:
        create_tables(connection)
        pin(connection, build_snapshots(history, days, 4), NOW)
        yield connection


def sample(seed: int, rows: int, base: str) -> pa.Table:
    """Return rows of random days, currencies quoted on them and amounts, reproducible by the seed."""
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    days = sorted(published())
    lines: list[tuple[date, str, Decimal]] = []
    while len(lines) < rows:
        day = dice.choice(days) + timedelta(days=dice.randrange(3))
        try:
            quoted = independent_rates(day)[1]
        except LookupError:
            continue
        if base in quoted:
            amount = Decimal(dice.randrange(-(10 ** dice.randrange(1, 11)), 10**10)).scaleb(
                -dice.randrange(5)
            )
            lines.append((day, dice.choice(sorted(quoted)), amount))
    kinds = (pa.date32(), pa.string(), pa.decimal128(18, 4))
    columns = [pa.array(column, kind) for column, kind in zip(zip(*lines, strict=True), kinds, strict=True)]
    return pa.table(columns, names=["date", "currency", "amount"])


@pytest.mark.parametrize("base", ["USD", "EUR", "GBP", "JPY", "CAD", "HUF"])
def test_amounts_of_all_currencies_and_27_years_agree_with_an_independent_recomputation(
    base: str, whole_history: duckdb.DuckDBPyConnection
) -> None:
    lines = sample(minor_units(base) + ord(base[0]), 2_000, base)
    dense = dense_rates(whole_history, lines.column("date").unique().to_pylist(), base)
    expression = conversion_sql("amount", "currency", "micro_original", "micro_base", base)
    whole_history.register("lines", lines)
    whole_history.register("dense", dense.table)
    rows = whole_history.execute(
        f"SELECT date, currency, amount, {expression} FROM lines LEFT JOIN dense USING (date, currency)"
    ).fetchall()
    assert len(rows) == lines.num_rows
    for day, currency, amount, base_amount in rows:
        expected = independent_base_amount(amount, currency, base, day, minor_unit_digits=minor_units(base))
        assert base_amount == expected, (day, currency, amount)


def test_intermediate_values_of_the_largest_amount_and_rates_do_not_overflow() -> None:
    largest_rate = Decimal("9999999999.999999")
    amount = Decimal("99999999999999.99")
    assert in_database(amount, "XAF", "USD", largest_rate, largest_rate) == amount
    assert in_database(amount, "XAF", "KWD", largest_rate, Decimal("0.000001")) == Decimal("0.010")


def test_a_result_that_does_not_fit_raises_and_never_wraps() -> None:
    table = {"XAF": Decimal(1), "USD": Decimal("1.000001")}
    with pytest.raises(InputError, match="does not fit"):
        convert(LARGEST, "XAF", "USD", table)
    with pytest.raises(duckdb.Error, match=r"out of range|Out of Range"):
        in_database(LARGEST, "XAF", "USD", Decimal(1), Decimal("1.000001"))
    fits = Decimal("99999999999999.99")
    assert in_database(fits, "XAF", "USD", Decimal(1), Decimal(1)) == fits


def test_every_cross_rate_of_the_history_is_within_the_documented_bounds() -> None:
    largest = max(max(rates.values()) / min(rates.values()) for rates in published().values())
    assert largest < 5_000_000
    for base in ("USD", "EUR", "GBP"):
        assert max(rates[base] / min(rates.values()) for rates in published().values()) < 10


@pytest.mark.parametrize("rate", ["0", "-1", "1.1234567"])
def test_a_rate_out_of_bounds_raises_in_the_database(rate: str) -> None:
    with pytest.raises(duckdb.Error, match="not positive or finer than 6 decimals"):
        in_database(Decimal(1), "XAF", "USD", Decimal(rate), Decimal(1))


def test_a_rate_in_units_instead_of_millionths_does_not_bind() -> None:
    expression = conversion_sql(
        "1.00", "'GBP'", "CAST(0.8338 AS DECIMAL(20, 10))", "CAST(1.1172 AS DECIMAL(20, 10))", "USD"
    )
    with duckdb.connect(":memory:") as engine, pytest.raises(duckdb.BinderException):
        engine.execute(f"SELECT {expression}")


def test_null_converts_to_null() -> None:
    expression = conversion_sql("a", "c", "o", "b", "USD")
    values = "CAST(NULL AS DECIMAL(18, 4)) AS a, 'GBP' AS c, 1000000::BIGINT AS o, NULL::BIGINT AS b"
    with duckdb.connect(":memory:") as engine:
        assert engine.execute(f"SELECT {expression} FROM (SELECT {values})").fetchall() == [(None,)]


@pytest.mark.parametrize(("currency", "base"), [("XXX", "USD"), ("GBP", "XXX")])
def test_a_missing_rate_raises_an_error(currency: str, base: str) -> None:
    with pytest.raises(InputError, match="no rate of XXX"):
        convert(Decimal(1), currency, base, RATES)


@given(original=rates, of_base=rates)
@settings(max_examples=50, deadline=None)
def test_the_displayed_cross_rate_is_the_same_in_both(original: Decimal, of_base: Decimal) -> None:
    micros = [int(rate.scaleb(6)) for rate in (original, of_base)]
    expression = cross_rate_sql(*(f"CAST({micro} AS BIGINT)" for micro in micros))
    with duckdb.connect(":memory:") as engine:
        row = engine.execute(f"SELECT {expression}").fetchone()
    assert row == (cross_rate("GBP", "USD", {"GBP": original, "USD": of_base}),)


def test_the_policy_name_has_the_carry_days() -> None:
    assert policy_stamp(4, "document") == "ecb-daily/carry-4/cross-eur/half-away/document-total"
    assert policy_stamp(4, "line") == "ecb-daily/carry-4/cross-eur/half-away/line-total"
