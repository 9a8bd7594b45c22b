"""Blank cells that have the value of the row above, as merged cells of a workbook do.

A value is never carried over a record that the reader rejected: that may have had the next one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from showcost.ingest.records import Accepted


class FillDown:
    """Fills the chunks of one delivery, in order; `count` is the number of cells filled per column."""

    def __init__(self, columns: Iterable[int], rejected: Iterable[int]) -> None:
        """Begin with the columns, and the numbers of rejected records."""
        self._columns = tuple(columns)
        self._rejected = np.array(sorted(rejected), np.int64)
        self._above: dict[int, tuple[str, int]] = {}
        self.count = dict.fromkeys(self._columns, 0)

    def fill(self, chunk: Accepted) -> Accepted:
        """Return the next chunk with its blank cells filled."""
        if not self._columns or not chunk.place.num_rows:
            return chunk
        stretches = np.searchsorted(self._rejected, np.asarray(chunk.place.column("record")))
        columns = list(chunk.columns)
        for column in self._columns:
            columns[column] = pa.chunked_array([self._filled(column, columns[column], stretches)])
        return replace(chunk, columns=columns)

    def _filled(self, column: int, texts: pa.ChunkedArray, stretches: np.ndarray) -> pa.Array:
        cells = texts.combine_chunks()
        blank = np.asarray(pc.equal(pc.utf8_trim_whitespace(pc.fill_null(cells, "")), ""))
        value, stretch = self._above.get(column, ("", -1))
        # The value from the chunk before goes first, so that each row looks at a place above it.
        every = pa.concat_arrays([pa.array([value], cells.type), cells])
        whose = np.concatenate(([stretch], stretches))
        place = np.maximum.accumulate(
            np.where(np.concatenate(([value == ""], blank)), 0, np.arange(len(every)))
        )
        taken = blank & (whose[place[1:]] == stretches) & ((place[1:] > 0) | (value != ""))
        self.count[column] += int(taken.sum())
        filled = every.take(pa.array(np.where(taken, place[1:], np.arange(1, len(every)))))
        if not blank[-1] or taken[-1]:
            self._above[column] = (filled[-1].as_py(), int(stretches[-1]))
        elif place[-1] > 0:
            self._above[column] = (every[int(place[-1])].as_py(), int(whose[place[-1]]))
        return filled
