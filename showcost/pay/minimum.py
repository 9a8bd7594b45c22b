"""The minimum amount or hours that several rules require together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from showcost.pay.days import over_lines
from showcost.pay.verdict import Citation, PayVerdict, Unchecked, covered_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from showcost.pay.frame import Frame
    from showcost.pay.numbers import Bools, Ints
    from showcost.pay.terms import BoundRule


class MinimumRequirement:
    """The minimum for each row: by all rules so far, and by those alone that may reject."""

    def __init__(self, size: int) -> None:
        """Begin with a minimum of zero for `size` rows."""
        self._by_all: Ints = np.zeros(size, np.int64)
        self._by_sure: Ints = np.zeros(size, np.int64)
        self._citations: list[Citation] = []

    def require(self, rule: BoundRule[Any], rows: Bools, amount: Ints | int, *, rejects: bool) -> None:
        """Raise the minimum of some rows to an amount; the highest of all rules applies."""
        self._by_all = np.where(rows, np.maximum(self._by_all, amount), self._by_all)
        if rejects:
            self._by_sure = np.where(rows, np.maximum(self._by_sure, amount), self._by_sure)
        self._citations.append(Citation(rule, rows, rejects))

    def verdict(
        self,
        check: tuple[str, str],
        paid: Ints,
        words: Callable[[Ints], pa.Array],
        *,
        of_day: Frame | None = None,
        unchecked: Sequence[Unchecked] = (),
    ) -> list[PayVerdict]:
        """Return the verdict on the paid amounts, if any rule applies or could not be applied.

        `check` is (code, field), `words` describes the failure, given the required amounts. With `of_day`,
        the amounts are those of the days of a frame: a day fails where every line of it does.
        """
        if not self._citations:
            return [PayVerdict.nothing(check, unchecked, len(paid))] if unchecked else []
        hard = (paid < self._by_sure).astype(np.bool_)
        soft = (paid < self._by_all).astype(np.bool_) & ~hard
        if of_day is not None:
            hard, soft = over_lines(of_day, hard, soft)
        checked = covered_rows(self._citations, len(paid))
        return [
            PayVerdict(
                *check,
                hard,
                soft,
                checked,
                lambda only_hard: words(self._by_sure if only_hard else self._by_all),
                tuple(self._citations),
                tuple(unchecked),
            )
        ]
