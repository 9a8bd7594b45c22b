"""Columns of amounts, with a decimal mark inferred over the whole delivery.

A cell may have digits with or without groups of three (by comma, point, space or apostrophe, one kind a
cell) or with the groups of India (12,34,567.89), a decimal mark, one sign (before or after, parentheses, CR
or DR) and one currency symbol or ISO code.
`1,234` is a thousand or little more than one, depending on whether the comma groups digits or marks
decimals. Each column has one decimal mark:

- Without a hint, a cell that can be read with one mark only (`1,234.56`, `12,50`, `1,234,567`, `1234.567`,
  `0.125`) proves it for the column. With no such cell, or with such cells for both marks, nothing is
  proven: cells that read alike either way or one way only are read, the rest are "ambiguous". A column of
  nothing but `1.234` stays ambiguous.
- The hint `decimal_mark` decides. A cell that only the other mark can read is then "unparseable"; and
  where every proof of the column contradicts the hint, all cells that depend on it are "ambiguous", since
  the hint or the proof is wrong about the whole delivery.

The proof may stand in any part of a long column: `amount_evidence` gathers it from a part, evidence of
several parts is joined with `|`, and each part is then parsed with all of it.

No digit is lost or added: `12.50` keeps both decimals. Only leading zeros without meaning are dropped, and
the sign of a zero. The decimals of a currency and the permitted amounts are not decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from showcost.values.column import DistinctTexts, any_true
from showcost.values.minor_units import multiplied
from showcost.values.symbols import known_symbols

DecimalMark = Literal[".", ","]

LONGEST_WHOLE, LONGEST_FRACTION = 15, 20
"""Digits before and after the decimal mark: every value fits a DECIMAL(35, 20); a longer one is not read."""

_MINUS: Final = "\u2212-"
_MINUS_FIRST: Final = "\u2212\u2010\u2011\u2012\u2013-"
"""Characters for a minus in front; programs turn it into a dash, but not one at the end."""
_DASHES: Final = "-\u2212\u2010\u2011\u2012\u2013\u2014"
_SPACES: Final = "[\u00a0\u2007\u2009\u202f]"
_APOSTROPHES: Final = "[\u2018\u2019\u02bc]"
_CELL: Final = r"^(?P<lead>[^0-9]*)(?P<body>[0-9][0-9., ']*)(?P<tail>(?:[^0-9., '][^0-9]*)?)$"
"""Simple on purpose: the text around the digits repeats, and is parsed once per distinct text."""
_NEGATIVE: Final = (*_MINUS_FIRST, "()", "CR")
_POSITIVE: Final = ("", "+", "DR")
_SIGN_PARTS: Final = ("sign", "inner_sign", "open", "close", "end_sign")
_SYMBOL_PARTS: Final = ("symbol", "open_symbol", "close_symbol", "end_symbol")

_FEW_FRAMES: Final = 16
_NO_TEXT = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class AmountColumn:
    r"""The amounts of a column.

    `values` is text, a plain decimal `-?\d+(\.\d+)?`; `problem` is null, "blank", "unparseable" or
    "ambiguous", and null exactly where there is a value; `symbol` is the currency symbol or ISO code as
    written, null for a cell without one or that is not an amount. `decimal_mark` is the inferred mark, null
    where the column leaves it open.
    """

    values: pa.Array
    problem: pa.Array
    symbol: pa.Array
    decimal_mark: DecimalMark | None


@dataclass(frozen=True)
class AmountEvidence:
    """Evidence of a column's decimal mark: some cell can be read with a decimal point, or comma, only."""

    point: bool = False
    comma: bool = False

    def __or__(self, other: AmountEvidence) -> AmountEvidence:
        return AmountEvidence(self.point or other.point, self.comma or other.comma)

    def mark(self, hint: DecimalMark | None) -> DecimalMark | None:
        """Return the column's decimal mark from the proofs and the hint; None when not sure."""
        if hint is None:
            return None if self.point == self.comma else ("." if self.point else ",")
        against, in_favour = (self.comma, self.point) if hint == "." else (self.point, self.comma)
        return None if against and not in_favour else hint


def amount_evidence(column: pa.Array | pa.ChunkedArray, *, dash_is_zero: bool = False) -> AmountEvidence:
    """Gather the evidence that a part of a column of amounts gives about the whole."""
    texts = _uniform(DistinctTexts.of(column).texts, dash_is_zero=dash_is_zero)
    return _readings(*_take_apart(texts)).evidence()


def infer_amounts(
    column: pa.Array | pa.ChunkedArray,
    *,
    decimal_mark: DecimalMark | None = None,
    dash_is_zero: bool = False,
    evidence: AmountEvidence | None = None,
) -> AmountColumn:
    """Read a column of amounts, or a part of one with the evidence of the whole.

    The rules are in the module's docstring.

    With `dash_is_zero` a lone dash, with or without a symbol, is 0, as spreadsheets show it; without it
    such a cell is "unparseable".
    """
    cells = DistinctTexts.of(column)
    sign, symbol, body = _take_apart(_uniform(cells.texts, dash_is_zero=dash_is_zero))
    readings = _readings(sign, symbol, body)
    column_evidence = readings.evidence() if evidence is None else evidence
    mark = column_evidence.mark(decimal_mark)
    plain, ambiguous = readings.choose(mark, decimal_mark)
    values = _signed(plain, sign)
    problem = pc.if_else(ambiguous, "ambiguous", pc.if_else(pc.is_valid(values), _NO_TEXT, "unparseable"))
    problem = pc.if_else(pc.equal(cells.texts, ""), "blank", problem)
    shown = pc.and_(pc.or_(ambiguous, pc.is_valid(values)), pc.not_equal(symbol, ""))
    symbol = pc.if_else(pc.fill_null(shown, False), symbol, _NO_TEXT)
    return AmountColumn(cells.spread(values), cells.spread(problem), cells.spread(symbol), mark)


def _uniform(texts: pa.Array, *, dash_is_zero: bool) -> pa.Array:
    """Normalise spaces and apostrophes, and turn a lone dash into zero if `dash_is_zero`."""
    if any_true(pc.match_substring_regex(texts, f"{_SPACES}|{_APOSTROPHES}")):
        texts = pc.replace_substring_regex(texts, _SPACES, " ")
        texts = pc.replace_substring_regex(texts, _APOSTROPHES, "'")
    if dash_is_zero:
        symbol = _symbol_pattern()
        texts = pc.replace_substring_regex(texts, rf"^({symbol})? *[{_DASHES}] *({symbol})?$", r"\1 0 \2")
        texts = pc.utf8_trim_whitespace(texts)
    return texts


def _take_apart(texts: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return the sign ("-" or ""), the symbol ("" for none) and the digits with their marks of each text.

    Where a text is not an amount, the sign or the symbol is null.
    """
    groups = pc.extract_regex(texts, _CELL)
    lead, body, tail = (pc.struct_field(groups, name) for name in ("lead", "body", "tail"))
    around = DistinctTexts.of(pc.binary_join_element_wise(lead, tail, "0"))
    frame = _frames(around.texts)
    sign, symbol = around.spread(_sign(frame)), around.spread(_symbol(frame))
    body = pc.ascii_rtrim(body, " ")
    mark = pc.struct_field(frame, "mark")
    if any_true(pc.not_equal(mark, "")):
        body = pc.binary_join_element_wise(around.spread(mark), body, "")
    return sign, symbol, body


def _frames(texts: pa.Array) -> pa.Array:
    """Return the parts of texts around digits; a few are the same in most columns."""
    if len(texts) > _FEW_FRAMES:
        return pc.extract_regex(texts, _frame_pattern())
    return _known_frames(tuple(texts.to_pylist()))


@lru_cache(1_000)
def _known_frames(texts: tuple[str, ...]) -> pa.Array:
    return pc.extract_regex(pa.array(texts, pa.string()), _frame_pattern())


@cache
def _symbol_pattern() -> str:
    """Return a pattern that every known symbol matches; `_symbol` tells whether the match is a known one."""
    words = (word for word in known_symbols() if re.fullmatch(r"[^\W\d_]+( [^\W\d_]+)?\.?", word))
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    listed = "|".join(re.escape(word) for word in longest_first if not re.fullmatch("[A-Z]{3}", word))
    return rf"[A-Z]{{0,3}}\p{{Sc}}[A-Z]{{0,2}}|{listed}|[A-Z]{{3}}"


@cache
def _frame_pattern() -> str:
    """Return a pattern for the text around the digits of an amount, which are a single 0 here."""
    symbol = _symbol_pattern()
    parts = (
        rf"(?P<sign>[+{_MINUS_FIRST}])?",
        rf"(?P<symbol>{symbol})?",
        rf"(?P<inner_sign>[+{_MINUS_FIRST}])?",
        r"(?P<open>\()?",
        rf"(?P<open_symbol>{symbol})?",
        r"(?P<mark>[.,]?)0",
        rf"(?P<close_symbol>{symbol})?",
        r"(?P<close>\))?",
        rf"(?P<end_sign>[{_MINUS}]|(?i:cr|dr))?",
        rf"(?P<end_symbol>{symbol})?",
    )
    return f"^{' *'.join(parts)}$"


def _sign(groups: pa.Array) -> pa.Array:
    """Return "-" or "" for each cell, null where it makes no sense.

    Joined, two signs or half a pair of parentheses make a text that is not a sign.
    """
    joined = pc.utf8_upper(
        pc.binary_join_element_wise(*(pc.struct_field(groups, part) for part in _SIGN_PARTS), "")
    )
    negative = pc.is_in(joined, value_set=pa.array(_NEGATIVE))
    positive = pc.is_in(joined, value_set=pa.array(_POSITIVE))
    return pc.if_else(negative, "-", pc.if_else(positive, "", _NO_TEXT))


def _symbol(groups: pa.Array) -> pa.Array:
    """Return the symbol of each cell, empty for none, null where it is unknown or there are two.

    Joined by a bar that is trimmed off at the ends, two symbols make a text that is not a symbol.
    """
    joined = pc.binary_join_element_wise(*(pc.struct_field(groups, part) for part in _SYMBOL_PARTS), "|")
    single = pc.utf8_trim(joined, "|")
    symbols = pa.array(["", *known_symbols()])
    return pc.if_else(pc.is_in(single, value_set=symbols), single, _NO_TEXT)


def _number_pattern(mark: DecimalMark) -> str:
    """Return a pattern for numbers with a decimal mark; the other mark, if present, groups digits."""
    other = "," if mark == "." else "."
    groups = "|".join(rf"(?:{re.escape(separator)}[0-9]{{3}})+" for separator in (other, " ", "'"))
    indian = "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if mark == "." else ""
    whole = rf"[0-9]+|[1-9][0-9]{{0,2}}(?:{groups}){indian}"
    return rf"^(?:{whole})?(?:{re.escape(mark)}[0-9]+)?$"


@dataclass(frozen=True)
class _AmountReadings:
    """Bodies of digits and marks, and the ways to read them.

    Per body: whether it is a number with a decimal point, with a decimal comma, and whether the number
    depends on the choice. All false for a null body.
    """

    body: pa.Array
    point: pa.Array
    comma: pa.Array
    depends: pa.Array

    @classmethod
    def of(cls, body: pa.Array) -> _AmountReadings:
        point, comma, marked = (
            pc.fill_null(pc.match_substring_regex(body, pattern), False)
            for pattern in (_number_pattern("."), _number_pattern(","), "[.,]")
        )
        return cls(body, point, comma, pc.and_(pc.and_(point, comma), marked))

    def evidence(self) -> AmountEvidence:
        """Return the evidence of these bodies about their column."""
        return AmountEvidence(
            point=any_true(pc.and_not(self.point, self.comma)),
            comma=any_true(pc.and_not(self.comma, self.point)),
        )

    def choose(self, mark: DecimalMark | None, hint: DecimalMark | None) -> tuple[pa.Array, pa.Array]:
        """Return each body as a plain decimal without sign, or null, and a mask of the ambiguous ones."""
        digits = pc.replace_substring(pc.replace_substring(self.body, " ", ""), "'", "")
        with_point = pc.replace_substring(digits, ",", "")
        with_comma = pc.replace_substring(pc.replace_substring(digits, ".", ""), ",", ".")
        as_point = pc.and_not(self.point, self.comma) if mark == "," else self.point
        plain = pc.if_else(as_point, with_point, with_comma)
        hinted = self.comma if hint == "," else self.point
        number = pc.or_(self.point, self.comma) if hint is None else hinted
        ambiguous = pc.and_(self.depends, pa.scalar(mark is None))
        return pc.if_else(pc.and_not(number, ambiguous), plain, _NO_TEXT), ambiguous


def _readings(sign: pa.Array, symbol: pa.Array, body: pa.Array) -> _AmountReadings:
    """Return the readings of the bodies whose sign and symbol make sense."""
    sound = pc.and_(pc.is_valid(sign), pc.is_valid(symbol))
    return _AmountReadings.of(pc.if_else(sound, body, _NO_TEXT))


def _signed(plain: pa.Array, sign: pa.Array) -> pa.Array:
    """Normalise plain decimals: a digit before the point, no leading zeros, no negative zero."""
    if any_true(pc.match_substring_regex(plain, r"^(?:0[0-9]|\.)")):
        plain = pc.replace_substring_regex(plain, r"^\.", "0.")
        plain = pc.replace_substring_regex(plain, "^0+([0-9])", r"\1")
    size = rf"^[0-9]{{1,{LONGEST_WHOLE}}}(?:\.[0-9]{{1,{LONGEST_FRACTION}}})?$"
    plain = pc.if_else(pc.match_substring_regex(plain, size), plain, _NO_TEXT)
    zero = pc.match_substring_regex(plain, "^[0.]+$")
    return pc.binary_join_element_wise(pc.if_else(zero, "", sign), plain, "")


def scaled(amounts: AmountColumn, places: int) -> AmountColumn:
    """Return amounts that are written in hundredths (`places` 2), thousands (-3) or other units.

    Those in parts are whole numbers: one with decimals is "unparseable".
    """
    if not places:
        return amounts
    if places < 0:
        cells = DistinctTexts.of(amounts.values)
        plain = [
            f"{multiplied(Decimal(text), -places):f}" if text else None for text in cells.texts.to_pylist()
        ]
        return AmountColumn(
            cells.spread(pa.array(plain, pa.string())), amounts.problem, amounts.symbol, amounts.decimal_mark
        )
    whole = pc.invert(pc.match_substring(amounts.values, "."))
    negative = pc.starts_with(amounts.values, "-")
    digits = pc.utf8_lpad(pc.ascii_ltrim(amounts.values, "-"), width=places + 1, padding="0")
    shifted = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(digits, 0, -places), pc.utf8_slice_codeunits(digits, -places), "."
    )
    values = pc.binary_join_element_wise(pc.if_else(negative, "-", ""), shifted, "")
    values = pc.if_else(pc.fill_null(whole, False), values, _NO_TEXT)
    unread = pc.and_(pc.is_null(amounts.problem), pc.is_null(values))
    problem = pc.if_else(unread, "unparseable", amounts.problem)
    return AmountColumn(values, problem, amounts.symbol, amounts.decimal_mark)
