"""The verdict of a rule on the rows of a frame: failures, paid and required amounts, cited rules.

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

    from showcost.pay.terms import BoundAgreement, BoundRule

_PLACES = 6
_CENTS = 2
_NONE = pa.scalar(None, pa.string())

RowTexts: TypeAlias = Callable[[bool], pa.Array]
"""A text per row; true for the requirement of rules that may reject, false for that of all rules."""


@dataclass(frozen=True)
class Citation:
    """A rule (or a step of one) and the rows that were checked against it."""

    rule: BoundRule[Any]
    rows: Bools
    rejects: bool


@dataclass(frozen=True)
class Unchecked:
    """Rows that could not be checked, and why: a text for all of them, or one per row."""

    rows: Bools
    why: str | pa.Array

    def reasons(self, places: Ints) -> pa.Array:
        """Return the reason for some of the rows, by their places."""
        if isinstance(self.why, str):
            return pa.repeat(self.why, len(places))
        return self.why.take(pa.array(places))


@dataclass(frozen=True)
class PayVerdict:
    """The outcome of one check over the rows of a frame.

    `hard` rows fail a rule of certainty H or M, `soft` rows only one of D or L; `checked` rows were
    checked against any. `code` and `field` are those of a hard failure. `unchecked` has the rows for which
    a rule could not be applied.
    """

    code: str
    field: str
    hard: Bools
    soft: Bools
    checked: Bools
    words: RowTexts
    citations: tuple[Citation, ...]
    unchecked: tuple[Unchecked, ...] = ()

    @classmethod
    def of_rule(
        cls, check: tuple[str, str], bound: BoundRule[Any], checked: Bools, fails: Bools, words: RowTexts
    ) -> Self:
        """Return the verdict of one rule; `check` is (code, field), its certainty decides hard or soft."""
        rejects = bound.certainty.rejects
        nobody: Bools = np.zeros(len(checked), np.bool_)
        hard, soft = (fails, nobody) if rejects else (nobody, fails)
        return cls(*check, hard, soft, checked, words, (Citation(bound, checked, rejects),))

    @classmethod
    def nothing(cls, check: tuple[str, str], unchecked: Sequence[Unchecked], size: int) -> Self:
        """Return the verdict of a check without a rule: nothing was checked."""
        nobody: Bools = np.zeros(size, np.bool_)
        return cls(*check, nobody, nobody, nobody, lambda _: pa.repeat("", size), (), tuple(unchecked))

    @classmethod
    def for_review(cls, field: str, rows: Bools, text: str, citations: tuple[Citation, ...] = ()) -> Self:
        """Flag rows that could not be checked against a rule for review (SC-PAY-009)."""
        nobody: Bools = np.zeros(len(rows), np.bool_)
        return cls("SC-PAY-009", field, nobody, rows, rows, lambda _: pa.repeat(text, len(rows)), citations)

    def source(self, terms: BoundAgreement, *, hard: bool) -> pa.Array:
        """Return, per row, the rules that it was checked against, with clause and certainty.

        Where no rule is cited, it is the agreement.
        """
        size = len(self.hard)
        if not self.citations:
            return pa.repeat(terms.agreement.label, size)
        parts = [
            pc.if_else(pa.array(citation.rows), citation.rule.cited, _NONE)
            for citation in self.citations
            if citation.rejects or not hard
        ]
        return joined_text("; ", *parts) if parts else pa.repeat(pa.scalar("", pa.string()), size)


def joined_text(between: str, *parts: pa.Array) -> pa.Array:
    """Join the non-null texts of each row; empty for a row without any."""
    return pc.fill_null(join_texts(between, *parts), "")


def concat(*parts: pa.Array | str) -> pa.Array:
    """Concatenate texts row by row."""
    return pc.binary_join_element_wise(*parts, "")


def as_amount(values: Ints) -> pa.Array:
    """Return amounts as text: two decimals, or more where needed."""
    return per_distinct(values, lambda value: decimal_text(value, _CENTS))


def as_hours(values: Ints) -> pa.Array:
    """Return hours as text without trailing zeros."""
    return per_distinct(values, lambda value: decimal_text(value, 0))


def decimal_text(value: int, decimals_shown: int) -> str:
    """Return millionths as a decimal with at least some decimals."""
    text = f"{Decimal(value).scaleb(-_PLACES):f}"
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(decimals_shown, "0")
    return f"{whole}.{decimals}" if decimals else whole


def only_where(rows: Bools, text: pa.Array | str) -> pa.Array:
    """Return a text where some rows have it, null elsewhere."""
    return pc.if_else(pa.array(rows), text, _NONE)


def covered_rows(citations: Sequence[Citation], size: int) -> Bools:
    """Return which rows any of the rules covers."""
    mask: Bools = np.zeros(size, np.bool_)
    for citation in citations:
        mask |= citation.rows
    return mask
