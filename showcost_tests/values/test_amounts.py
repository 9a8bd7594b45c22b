"""Amounts: digits read, texts refused, and decimal marks that are inferred and never guessed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.values.amounts import AmountColumn, DecimalMark, amount_evidence, infer_amounts, scaled

if TYPE_CHECKING:
    from random import Random

AMBIGUOUS, BLANK, UNPARSEABLE = "ambiguous", "blank", "unparseable"
CANONICAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def outcomes(column: AmountColumn) -> list[str]:
    """Return per row the value or the problem; they exclude each other."""
    pairs = list(zip(column.values.to_pylist(), column.problem.to_pylist(), strict=True))
    assert all((value is None) != (problem is None) for value, problem in pairs)
    assert all(CANONICAL.fullmatch(value) for value, _ in pairs if value is not None)
    return [problem or value for value, problem in pairs]


def infer(*cells: str | None, mark: DecimalMark | None = None, dash_is_zero: bool = False) -> AmountColumn:
    return infer_amounts(pa.array(cells, pa.string()), decimal_mark=mark, dash_is_zero=dash_is_zero)


def read(*cells: str | None, mark: DecimalMark | None = None, dash_is_zero: bool = False) -> list[str]:
    return outcomes(infer(*cells, mark=mark, dash_is_zero=dash_is_zero))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1.234,56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("(1,234.56)", "-1234.56"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234,56", "1234.56"),
        ("1\u202f234\u202f567,5", "1234567.5"),
        ("1'234.56", "1234.56"),
        ("1\u2019234.56", "1234.56"),
        ("1,234,567", "1234567"),
        ("1 234", "1234"),
        ("1234.567", "1234.567"),
        ("12.50", "12.50"),
        ("0,125", "0.125"),
        ("0", "0"),
        ("007.50", "7.50"),
        (".50", "0.50"),
        ("-,5", "-0.5"),
        ("-0.00", "0.00"),
        ("+5", "5"),
        ("\u22125.5", "-5.5"),
        ("\u20135.5", "-5.5"),
        ("\u00a3\u20135.5", "-5.5"),
        ("\u2010 5.5", "-5.5"),
        ("1234.5-", "-1234.5"),
        (" 43,786.00 ", "43786.00"),
        ("1,234.00 CR", "-1234.00"),
        ("1,234.00cr", "-1234.00"),
        ("1,234.00 DR", "1234.00"),
        ("123456789012345.12345678901234567890", "123456789012345.12345678901234567890"),
    ],
)
def test_an_amount_that_can_be_read_in_one_way_is_read(cell: str, expected: str) -> None:
    assert read(cell) == [expected]


@pytest.mark.parametrize(
    ("cell", "expected", "symbol"),
    [
        ("\u00a31,234.00", "1234.00", "\u00a3"),
        ("-\u00a31,234.00", "-1234.00", "\u00a3"),
        ("\u00a3-1,234.00", "-1234.00", "\u00a3"),
        ("(\u00a31,234.00)", "-1234.00", "\u00a3"),
        ("\u00a3(1,234.00)", "-1234.00", "\u00a3"),
        (" \u00a3   1,234.00 ", "1234.00", "\u00a3"),
        ("EUR 12,50", "12.50", "EUR"),
        ("12,50\u00a0\u20ac", "12.50", "\u20ac"),
        ("12,50- EUR", "-12.50", "EUR"),
        ("EUR 12,50 CR", "-12.50", "EUR"),
        ("US$5.25", "5.25", "US$"),
        ("CA$ 5.25", "5.25", "CA$"),
        ("C$5.25", "5.25", "C$"),
        ("Rs. 5.25", "5.25", "Rs."),
        ("kr 5,25", "5.25", "kr"),
        ("5,25 K\u010d", "5.25", "K\u010d"),
        ("5 000 F\u202fCFA", "5000", "F CFA"),
        ("12.50", "12.50", None),
    ],
)
def test_one_currency_symbol_is_reported_as_written(cell: str, expected: str, symbol: str | None) -> None:
    column = infer(cell)
    assert outcomes(column) == [expected]
    assert column.symbol.to_pylist() == [symbol]


@pytest.mark.parametrize(
    "cell",
    [
        *("12_3", "1e3", "2.00E+11", "NaN", "inf", "infinity", "0x10", "12%", "1/2", "a5", "5a"),
        *("\uff11\uff12", "\u0661\u0662", "1\u00b2", "\u00bd"),
        *("1,23,4", "1,23,4567.00", "123,45,678", "1,234,56", "1.234.56", "0,123,456", "1,234.567,8"),
        *("1 23", "5 5", "1  234", "1\t234", "1,234 567", "1'234,567.00", "5.", "5,", "1..2", ".", ","),
        *(
            "--5",
            "-5-",
            "(-5)",
            "-(5)",
            "-5 CR",
            "(5) DR",
            "5 CR CR",
            "+-5",
            "(5",
            "5)",
            "((5))",
            "()",
            "( )",
        ),
        *(
            "\u00a3",
            "\u00a3\u00a35",
            "$5 \u00a3",
            "EUR 5 \u20ac",
            "ABC 5",
            "eur 5",
            "R 12 $",
            "-",
            "-   ",
            "\u2013",
            "5\u2013",
            "\u2014 5",
            "\u2013(5)",
        ),
        *("1234567890123456", "0.123456789012345678901", "1" * 10_000),
    ],
)
def test_a_text_that_is_not_an_amount_is_unparseable(cell: str) -> None:
    column = infer(cell)
    assert outcomes(column) == [UNPARSEABLE]
    assert column.symbol.to_pylist() == [None]


def test_a_null_or_blank_cell_is_blank() -> None:
    assert read(None, "", "  ", "\u00a0\t") == [BLANK] * 4
    assert outcomes(infer_amounts(pa.chunked_array([], pa.string()))) == []


def test_a_lone_dash_is_zero_only_where_the_feed_says_so() -> None:
    column = infer("-", " -   ", "\u00a3 -  ", "\u2013", "--", "", dash_is_zero=True)
    assert outcomes(column) == ["0", "0", "0", "0", UNPARSEABLE, BLANK]
    assert column.symbol.to_pylist() == [None, None, "\u00a3", None, None, None]


@pytest.mark.parametrize("proof", ["1,234.56", "1,234,567", "12.5", "1234.567", "0.125", "1'234.567"])
def test_one_provable_cell_decides_the_mark_of_the_column(proof: str) -> None:
    column = infer("1,234", proof, "5.678", "12")
    assert (outcomes(column)[0], outcomes(column)[2:]) == ("1234", ["5.678", "12"])
    assert column.decimal_mark == "."
    other = infer(*(cell.translate(str.maketrans(",.", ".,")) for cell in ("1,234", proof, "5.678")))
    assert (outcomes(other), other.decimal_mark) == (outcomes(column)[:3], ",")


@pytest.mark.parametrize("cells", [("1.234", "5.678"), ("1,234", "5,678"), ("1.234", "1,234")])
def test_three_digits_after_a_single_mark_prove_nothing(cells: tuple[str, ...]) -> None:
    column = infer(*cells, "\u00a31,234", "-123,456", "12", "1 234")
    assert outcomes(column) == [AMBIGUOUS] * 4 + ["12", "1234"]
    assert column.symbol.to_pylist()[2] == "\u00a3"
    assert column.decimal_mark is None


def test_contradicting_proofs_leave_the_rest_ambiguous() -> None:
    column = infer("1,234.56", "12,50", "1,234", "1234")
    assert outcomes(column) == ["1234.56", "12.50", AMBIGUOUS, "1234"]
    assert column.decimal_mark is None


def test_a_text_that_is_not_an_amount_proves_nothing() -> None:
    assert read("\u00a35.5 $", "--1.5", "1,234") == [UNPARSEABLE, UNPARSEABLE, AMBIGUOUS]


def test_a_hint_decides_and_a_cell_that_contradicts_it_is_unparseable() -> None:
    assert read("1,234", "5.678", mark=".") == ["1234", "5.678"]
    assert read("1,234", "5.678", mark=",") == ["1.234", "5678"]
    assert read("1,234.56", "12,50", "1,234", mark=".") == ["1234.56", UNPARSEABLE, "1234"]
    assert read("1,234.56", "12,50", "1,234", mark=",") == [UNPARSEABLE, "12.50", "1.234"]


def test_a_hint_that_every_proof_contradicts_decides_nothing() -> None:
    column = infer("1,234.56", "1,234", "99", mark=",")
    assert outcomes(column) == [UNPARSEABLE, AMBIGUOUS, "99"]
    assert column.decimal_mark is None


AMOUNTS = st.decimals(Decimal(-(10**12)), Decimal(10**12), allow_nan=False, places=2)
STYLES = st.tuples(
    st.sampled_from(
        [
            (",", "."),
            (".", ","),
            (" ", ","),
            ("\u00a0", "."),
            ("'", "."),
            ("\u202f", ","),
            ("", "."),
            ("", ","),
        ]
    ),
    st.sampled_from(
        ["-{}", "{}-", "({})", "{} CR", "-\u00a3{}", "\u00a3-{}", "(\u00a3{})", "-{} \u20ac", "EUR -{}"]
    ),
)


def write(amount: Decimal, separators: tuple[str, str], negative: str) -> str:
    """Write an amount as a spreadsheet of some country would."""
    group, mark = separators
    digits = f"{abs(amount):,}".replace(",", "\0").replace(".", mark).replace("\0", group)
    if amount < 0:
        return negative.format(digits)
    return re.sub(r"[-()]| CR", "", negative).format(digits)


@settings(deadline=None)
@given(st.lists(AMOUNTS, min_size=1), STYLES)
def test_amounts_written_in_any_style_come_back_to_the_digit(
    amounts: list[Decimal], style: tuple[tuple[str, str], str]
) -> None:
    column = infer_amounts(pa.array([write(amount, *style) for amount in amounts]))
    assert [str(value) for value in column.values.to_pylist()] == [
        str(abs(amount) if amount == 0 else amount) for amount in amounts
    ]
    assert column.decimal_mark == style[0][1]


@settings(deadline=None)
@given(st.lists(st.integers(-(10**12), 10**12), min_size=1), STYLES)
def test_whole_amounts_are_read_right_or_not_at_all(
    amounts: list[int], style: tuple[tuple[str, str], str]
) -> None:
    cells = pa.array([write(Decimal(amount), *style) for amount in amounts])
    column = infer_amounts(cells)
    for amount, value, problem in zip(
        amounts, column.values.to_pylist(), column.problem.to_pylist(), strict=True
    ):
        assert (value, problem) in [(str(amount), None), (None, AMBIGUOUS)]
    hinted = infer_amounts(cells, decimal_mark="." if style[0][1] == "." else ",")
    assert hinted.values.to_pylist() == [str(amount) for amount in amounts]


CELLS = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.from_regex(r"[-+(]?[\u00a3$]? ?[0-9]{1,4}([.,' ][0-9]{1,3}){0,2}[-)]?( CR| EUR)?", fullmatch=True),
)


@settings(deadline=None)
@given(st.lists(CELLS), st.sampled_from([None, ".", ","]), st.booleans(), st.randoms(use_true_random=False))
def test_any_text_gets_one_outcome_whatever_the_order_of_rows(
    cells: list[str | None], mark: DecimalMark | None, dash_is_zero: bool, random: Random
) -> None:
    expected = read(*cells, mark=mark, dash_is_zero=dash_is_zero)
    places = list(range(len(cells)))
    random.shuffle(places)
    shuffled = pa.chunked_array([[cells[place]] for place in places], pa.string())
    column = infer_amounts(shuffled, decimal_mark=mark, dash_is_zero=dash_is_zero)
    assert outcomes(column) == [expected[place] for place in places]
    assert [outcome == BLANK for outcome in expected] == [cell is None or not cell.strip() for cell in cells]


def test_large_strings_and_dictionaries_are_columns_of_text_and_numbers_are_not() -> None:
    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        assert outcomes(infer_amounts(pa.array(["12.50", None]).cast(kind))) == ["12.50", BLANK]
    with pytest.raises(TypeError, match="expected a column of text, got int64"):
        infer_amounts(pa.array([1]))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["1,234", "1.234", "1,234.56", "1.234,56", "12,5", "12.5", "7", "-", "", "x"])),
    st.integers(0, 8),
    st.sampled_from([None, ".", ","]),
)
def test_a_column_in_parts_is_inferred_as_a_whole(
    cells: list[str], at: int, mark: DecimalMark | None
) -> None:
    whole = infer(*cells, mark=mark)
    parts = [pa.array(part, pa.string()) for part in (cells[:at], cells[at:])]
    evidence = amount_evidence(parts[0]) | amount_evidence(parts[1])
    inferred = [infer_amounts(part, decimal_mark=mark, evidence=evidence) for part in parts]
    assert [outcome for part in inferred for outcome in outcomes(part)] == outcomes(whole)
    assert {part.decimal_mark for part in inferred} == {whole.decimal_mark}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12,34,567.89", "1234567.89"),
        ("1,25,000", "125000"),
        ("-1,00,00,000.00", "-10000000.00"),
        ("₹ 1,25,000.50", "125000.50"),
        ("12,34,5678", None),
        ("123,45,678", None),
        ("0,25,000", None),
        ("1.25.000,00", None),
    ],
)
def test_groups_of_india_are_read_with_commas_alone(cell: str, value: str | None) -> None:
    assert infer_amounts(pa.array([cell])).values.to_pylist() == [value]


def test_amounts_in_cents_are_whole_numbers() -> None:
    cells = pa.array(["12345", "-5", "0", "12.50", "", "£ 100", "1,234,567"])
    amounts = scaled(infer_amounts(cells), 2)
    assert amounts.values.to_pylist() == ["123.45", "-0.05", "0.00", None, None, "1.00", "12345.67"]
    assert amounts.problem.to_pylist() == [None, None, None, "unparseable", "blank", None, None]
