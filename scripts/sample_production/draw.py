"""Repeatable random draws.

Only `random.random()` is guaranteed to give the same numbers in every version of Python, so all draws use it.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")


class Draw:
    """A stream of random draws that depends only on its name, so that no part shifts the draws of another."""

    def __init__(self, *names: str | int) -> None:
        self._random = random.Random("/".join(map(str, names)))  # noqa: S311 -- a repeatable sample

    def below(self, end: int) -> int:
        """Return an integer from 0 to `end` - 1."""
        return int(self._random.random() * end)

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both inclusive."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return true with a probability of `percent`."""
        return self.below(100) < percent

    def pick(self, items: Sequence[_T]) -> _T:
        """Return a random item."""
        return items[self.below(len(items))]

    def several(self, items: Sequence[_T], count: int) -> list[_T]:
        """Return `count` different items, in their original order."""
        remaining = list(range(len(items)))
        indices = [remaining.pop(self.below(len(remaining))) for _ in range(count)]
        return [items[index] for index in sorted(indices)]

    def money(self, low: int, high: int) -> Decimal:
        """Return an amount as invoices have them: often a whole number, otherwise with cents."""
        amount = Decimal(self.between(low, high))
        if self.chance(55):
            return amount.quantize(Decimal("0.01"))
        return amount + Decimal(self.below(100)).scaleb(-2)

    def workday(self, first: date, last: date) -> date:
        """Return a day from Monday to Saturday, rarely a Saturday; the span must contain a working day."""
        while True:
            day = first + timedelta(days=self.below((last - first).days + 1))
            if day.weekday() < 5 or (day.weekday() == 5 and self.chance(30)):  # noqa: PLR2004 -- Saturday
                return day
