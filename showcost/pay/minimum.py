"""The least that several rules together require of an amount or of hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from showcost.pay.verdict import Cited, Verdict, seen

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from showcost.pay.numbers import Bools, Ints
    from showcost.pay.terms import Bound


class Least:
    """What rows must come to at least: by all rules so far, and by those alone that may reject."""

    def __init__(self, size: int) -> None:
        """Begin with nothing required of so many rows."""
        self._by_all: Ints = np.zeros(size, np.int64)
        self._by_sure: Ints = np.zeros(size, np.int64)
        self._cites: list[Cited] = []

    def require(self, rule: Bound[Any], rows: Bools, least: Ints | int, *, rejects: bool) -> None:
        """Require no less than an amount of some rows; the highest that any rule asks counts."""
        self._by_all = np.where(rows, np.maximum(self._by_all, least), self._by_all)
        if rejects:
            self._by_sure = np.where(rows, np.maximum(self._by_sure, least), self._by_sure)
        self._cites.append(Cited(rule, rows, rejects))

    def verdict(self, check: tuple[str, str], paid: Ints, words: Callable[[Ints], pa.Array]) -> list[Verdict]:
        """Return what is to be said of what was paid, if any rule was held against it.

        `check` is (code, field), `words` says the failure, given what is required.
        """
        if not self._cites:
            return []
        hard = (paid < self._by_sure).astype(np.bool_)
        soft = (paid < self._by_all).astype(np.bool_) & ~hard
        judged = seen(self._cites, len(paid))
        return [
            Verdict(
                *check,
                hard,
                soft,
                judged,
                lambda only_hard: words(self._by_sure if only_hard else self._by_all),
                tuple(self._cites),
            )
        ]
