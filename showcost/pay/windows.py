"""Windows over rows: ordered and grouped, with facts about the earlier rows of each group.

Rows are sorted once by whole numbers; a window is then a running sum or maximum over one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from showcost.pay.numbers import MOST, Bools, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


@dataclass(frozen=True)
class Grouped:
    """Ordered rows: `rows` are their places, `begins` marks the first of each group.

    Windows return values by position in this order, not by place.
    """

    rows: Ints
    begins: Bools

    @cached_property
    def first(self) -> Ints:
        """The first position of the group of each position."""
        positions = np.arange(len(self.rows))
        first: Ints = np.maximum.accumulate(np.where(self.begins, positions, 0))
        return first

    @cached_property
    def continued(self) -> Bools:
        """A mask of the positions that are followed by another of the same group."""
        continued: Bools = np.append(~self.begins[1:], False) if len(self.rows) else self.begins
        return continued

    def sum_before(self, values: Ints) -> Ints:
        """Return, by position, the sum of values (by place) over the earlier ones of the group.

        Sums beyond the largest int64 are reduced to it.
        """
        own = values[self.rows]
        if len(own) and int(np.abs(own).max()) > MOST // len(own):
            exact = own.astype(object)
            before = np.cumsum(exact) - exact
            clipped: Ints = np.clip(before - before[self.first], -MOST, MOST).astype(np.int64)
            return clipped
        before = np.cumsum(own) - own
        sums: Ints = before - before[self.first]
        return sums


def beginnings(rows: Ints, keys: Sequence[Ints]) -> Bools:
    """Return the positions of an order at which any key (by place) differs from the one before."""
    begins: Bools = np.zeros(len(rows), np.bool_)
    begins[:1] = True
    for key in keys:
        own = key[rows]
        begins[1:] |= own[1:] != own[:-1]
    return begins


def by_keys(rows: Ints, keys: Sequence[Ints]) -> Ints:
    """Return some places sorted by keys, the first key first; equal ones keep their order."""
    placed: Ints = rows[np.lexsort([key[rows] for key in reversed(keys)])]
    return placed


def ordered(keys: Sequence[Ints], texts: pa.ChunkedArray, rows: Ints) -> Ints:
    """Return some places sorted by keys, the first key first; places with equal keys, by text.

    Texts are compared only where keys are equal.
    """
    order = by_keys(rows, keys)
    begins = beginnings(order, keys)
    equal = ~begins
    equal[:-1] |= ~begins[1:]
    tied = np.flatnonzero(equal)
    if len(tied):
        places = order[tied]
        rank = np.empty(len(tied), np.int64)
        rank[np.asarray(pc.sort_indices(texts.take(places)))] = np.arange(len(tied))
        order[tied] = places[np.lexsort([rank, np.cumsum(begins)[tied]])]
    return order


def highest_before(groups: Grouped, values: Ints, none: int) -> Ints:
    """Return, by position, the highest value (by place) of the group before it; `none` at its first."""
    own = values[groups.rows]
    if not len(own):
        return own
    # Each group is lifted above all before it, so that one running maximum serves all of them.
    least = own.min()
    lift = np.cumsum(groups.begins) * (own.max() - least + 1)
    reached = np.maximum.accumulate(own - least + lift)
    before = np.concatenate([[0], reached[:-1]]) - lift + least
    highest: Ints = np.where(groups.begins, none, before)
    return highest
