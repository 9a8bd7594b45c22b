"""The lines of the days that have several: what a row's verdict depends on beside the row itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.pay.frame import CELLS

if TYPE_CHECKING:
    from showcost.pay.numbers import Ints

PLACE: Final = ("delivery", "record")
_NEEDED: Final = (*PLACE, *CELLS)


@dataclass(frozen=True)
class DayLines:
    """Lines of days with several lines, as typed cells, each with the number of its day (`group`).

    A line that is `own` belongs to a delivery in question; others are lines that other deliveries have of the
    same day. So a line may be in several groups, and is own in one.
    """

    cells: pa.Table
    group: Ints
    own: pa.Array

    def with_others(self, cells: pa.Table) -> tuple[pa.Table, Ints]:
        """Return rows and, after them, the other lines of their days; and the number of each row's day.

        Rows without other lines have numbers of their own, below zero.
        """
        size = cells.num_rows
        names = _names(cells)
        own = np.flatnonzero(self.own.to_numpy(zero_copy_only=False))
        place = pc.index_in(names, value_set=self._names.take(pa.array(own)))
        found = pc.fill_null(place, -1).to_numpy()
        group = (
            np.where(found >= 0, self.group[own][found], -1 - np.arange(size))
            if len(own)
            else (-1 - np.arange(size))
        )
        wanted = np.isin(self.group, group)
        mine = pc.is_in(self._names, value_set=names).to_numpy(zero_copy_only=False)
        mine &= self.own.to_numpy(zero_copy_only=False)
        others = np.flatnonzero(wanted & ~mine)
        rows = pa.concat_tables([cells.select(_NEEDED), self.cells.select(_NEEDED).take(pa.array(others))])
        return rows, np.concatenate([group, self.group[others]])

    @property
    def _names(self) -> pa.Array:
        return _names(self.cells)


def _names(cells: pa.Table) -> pa.Array:
    """Return the place of each row as one text."""
    record = cells.column("record").cast(pa.string())
    return pc.binary_join_element_wise(cells.column("delivery"), record, " ").combine_chunks()
