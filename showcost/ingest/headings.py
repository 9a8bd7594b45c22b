"""Headings between the rows, names of sheets and rejected lines: what they say of the rows below them.

Here is where they are and how far they reach. What a text means is the matter of `stated_units` (currencies
and units) and `no_costs` (credits and no costs).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.ingest.line_cells import line_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import Accepted, HeaderMatch
    from showcost.readers import Dialect, Rejected

Meaning: TypeAlias = Callable[[str], str | None]
"""Returns what a text says of the rows below it: empty if it ends what one above says, None for nothing."""

_MOST_CELLS: Final = 2


class Headings:
    """Headings between the rows that say something of those below, such as `USD` alone, or `Credit notes`.

    A heading may be a record, a line that the reader rejected, or the name of a sheet.
    """

    def __init__(
        self,
        feed: FeedSpec,
        match: HeaderMatch,
        lines: Mapping[int, str | None],
        meaning: Meaning,
        above: str | None = None,
    ) -> None:
        """Begin above the first record, for which `above` counts.

        `lines` have what lines outside the records say, by number, None for the end of what one above says.
        """
        names = (feed.kind.primary.field, feed.date_field)
        self._figures = [match.columns[name] for name in names if name in match.columns] or [1]
        self._lines = deque(sorted(lines.items()))
        self._meaning = meaning
        self._current: str | None = above

    def of(self, rows: Accepted) -> pa.Array | None:
        """Return what is said of each record of the next chunk; None if nothing is."""
        count = rows.place.num_rows
        if not count:
            return None
        numbers = np.asarray(rows.place.column("record"))
        stated: dict[int, str | None] = {}
        while self._lines and self._lines[0][0] <= numbers[-1]:
            number, said = self._lines.popleft()
            stated[int(np.searchsorted(numbers, number))] = said
        stated |= self._headings(rows.columns, count)
        if not stated and self._current is None:
            return None
        begins = sorted(stated)
        parts = [pa.repeat(pa.scalar(self._current, pa.string()), begins[0] if begins else count)]
        for begin, end in pairwise([*begins, count]):
            parts.append(pa.repeat(pa.scalar(stated[begin], pa.string()), end - begin))
            self._current = stated[begin]
        return pa.concat_arrays(parts)

    def _headings(self, columns: Sequence[pa.ChunkedArray], count: int) -> dict[int, str | None]:
        """Return what records without a date and an amount say, which have few cells."""
        places = pa.array(np.arange(count))
        for column in (columns[place] for place in self._figures if place < len(columns)):
            has_digit = pc.match_substring_regex(pc.fill_null(column.take(places), ""), "[0-9]")
            places = places.filter(pc.invert(has_digit.combine_chunks()))
        cells = zip(*(column.take(places).to_pylist() for column in columns), strict=True)
        said = zip(places.to_pylist(), (_said(line, self._meaning) for line in cells), strict=True)
        return {place: text or None for place, text in said if text is not None}


def said_by_lines(
    rejected: Iterable[Rejected], dialect: Dialect, meaning: Meaning, longest: int
) -> dict[int, str | None]:
    """Return what rejected lines of at most `longest` bytes say, by number; None for the end of it."""
    lines: dict[int, str | None] = {}
    for item in rejected:
        if item.record and len(item.raw) <= longest:
            text = item.raw.decode(dialect.encoding or "utf-8", errors="replace")
            (cells,) = line_cells([text.strip()], delimiter=dialect.delimiter, quote=dialect.quote)
            if (said := _said(cells, meaning)) is not None:
                lines[item.record] = said or None
    return lines


def said_by_sheets(names: Mapping[int, str], meaning: Meaning) -> dict[int, str | None]:
    """Return what the names of sheets say, None for others, by the sheet's first record."""
    sheets = {begin: meaning(name) or None for begin, name in names.items()}
    return sheets if any(sheets.values()) else {}


def _said(cells: Iterable[str | None], meaning: Meaning) -> str | None:
    """Return what a line says, which may be a heading if it has one cell, or two."""
    filled = [cell.strip() for cell in cells if cell and cell.strip()]
    return meaning(" ".join(filled)) if 0 < len(filled) <= _MOST_CELLS else None
