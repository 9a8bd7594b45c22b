"""What a kind of rule says of the rows of a frame: which fail, what was paid and is required, by which rule.

Texts are made on demand, for the rows that need them. Nothing is calculated here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.arrow import join_texts
from showcost.pay.numbers import Bools, Ints, per_distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.pay.terms import Bound, Terms

_PLACES = 6
_CENTS = 2
_NONE = pa.scalar(None, pa.string())

Told: TypeAlias = Callable[[bool], pa.Array]
"""A text per row; true asks for what rules that may reject require, false for what all rules do."""


@dataclass(frozen=True)
class Cited:
    """A rule (or a step of one) and the rows that it was held against."""

    rule: Bound[Any]
    rows: Bools
    rejects: bool


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check over the rows of a frame.

    `hard` rows fail a rule of certainty H or M, `soft` rows only one of D or L; `judged` rows were held
    against any. `code` and `field` are those of a hard failure.
    """

    code: str
    field: str
    hard: Bools
    soft: Bools
    judged: Bools
    words: Told
    cites: tuple[Cited, ...]

    @classmethod
    def of_rule(
        cls, check: tuple[str, str], bound: Bound[Any], judged: Bools, fails: Bools, words: Told
    ) -> Self:
        """Return the outcome of one rule alone; `check` is (code, field), its certainty says how hard."""
        rejects = bound.certainty.rejects
        nobody: Bools = np.zeros(len(judged), np.bool_)
        hard, soft = (fails, nobody) if rejects else (nobody, fails)
        return cls(*check, hard, soft, judged, words, (Cited(bound, judged, rejects),))

    @classmethod
    def unchecked(cls, field: str, rows: Bools, text: str, cites: tuple[Cited, ...] = ()) -> Self:
        """Ask for a look by hand at rows that a rule could not be held against (SC-PAY-009)."""
        nobody: Bools = np.zeros(len(rows), np.bool_)
        return cls("SC-PAY-009", field, nobody, rows, rows, lambda _: pa.repeat(text, len(rows)), cites)

    def source(self, terms: Terms, *, hard: bool) -> pa.Array:
        """Return, per row, the rules that it was held against, with clause and certainty.

        Where no rule of the terms is cited, it is the agreement.
        """
        size = len(self.hard)
        if not self.cites:
            return pa.repeat(terms.agreement.label, size)
        parts = [
            pc.if_else(pa.array(one.rows), one.rule.cited, _NONE)
            for one in self.cites
            if one.rejects or not hard
        ]
        return joined_text("; ", *parts) if parts else pa.repeat(pa.scalar("", pa.string()), size)


def joined_text(between: str, *parts: pa.Array) -> pa.Array:
    """Join texts of each row, passing over nulls; empty where there are none."""
    return pc.fill_null(join_texts(between, *parts), "")


def told(*parts: pa.Array | str) -> pa.Array:
    """Put texts one behind the other."""
    return pc.binary_join_element_wise(*parts, "")


def as_amount(values: Ints) -> pa.Array:
    """Return amounts as people read them: two decimals, more where there are more."""
    return per_distinct(values, lambda value: plain(value, _CENTS))


def as_hours(values: Ints) -> pa.Array:
    """Return hours without idle decimals."""
    return per_distinct(values, lambda value: plain(value, 0))


def plain(value: int, least: int) -> str:
    """Return millionths as a decimal with at least some decimals."""
    text = f"{Decimal(value).scaleb(-_PLACES):f}"
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{decimals}" if decimals else whole


def only_where(rows: Bools, text: pa.Array | str) -> pa.Array:
    """Return a text where some rows have it, null elsewhere."""
    return pc.if_else(pa.array(rows), text, _NONE)


def seen(rules: Sequence[Cited], size: int) -> Bools:
    """Say which rows any of the rules was held against."""
    mask: Bools = np.zeros(size, np.bool_)
    for one in rules:
        mask |= one.rows
    return mask
