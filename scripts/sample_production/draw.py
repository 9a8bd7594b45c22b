"""Drawing by lot, the same on every machine and Python: only `random.random()` is promised to stay."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")


class Draw:
    """A stream of draws that its name alone determines, so that one part never shifts another's."""

    def __init__(self, *names: str | int) -> None:
        self._random = random.Random("/".join(map(str, names)))  # noqa: S311 -- a repeatable sample

    def below(self, end: int) -> int:
        """Return a whole number from 0 to `end` - 1."""
        return int(self._random.random() * end)

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return true in about `percent` of a hundred draws."""
        return self.below(100) < percent

    def pick(self, items: Sequence[_T]) -> _T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def several(self, items: Sequence[_T], count: int) -> list[_T]:
        """Return `count` different items, in their order."""
        left = list(range(len(items)))
        chosen = [left.pop(self.below(len(left))) for _ in range(count)]
        return [items[index] for index in sorted(chosen)]

    def money(self, low: int, high: int) -> Decimal:
        """Return an amount as they stand on invoices: mostly even, sometimes to the cent."""
        amount = Decimal(self.between(low, high))
        if self.chance(55):
            return amount.quantize(Decimal("0.01"))
        return amount + Decimal(self.below(100)).scaleb(-2)

    def workday(self, first: date, last: date) -> date:
        """Return a day from Monday to Saturday, Saturdays seldom; the span must hold a working day."""
        while True:
            day = first + timedelta(days=self.below((last - first).days + 1))
            if day.weekday() < 5 or (day.weekday() == 5 and self.chance(30)):  # noqa: PLR2004 -- Saturday
                return day
