"""Records with other numbers of cells than the table has columns, for lack of content and not by error.

Spreadsheets leave out the delimiters at the end of records whose last cells are blank, and some systems write
too many. Such a record is a row only if the cells concerned are blank in every record that has them. A record
that lost a delimiter within looks the same, so a short one is also compared with the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from showcost.readers.csv.cell_types import DATE, NUMBER, TEXT, TIME, cell_type, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Row = tuple[str, ...]

_OFTEN: Final = 0.05
_RARELY: Final = 0.02
_ENOUGH: Final = 3
_PAIR: Final = 2
_DECIMALS: Final = "with decimals"
_CERTAIN: Final = {
    NUMBER: "[0-9]+",
    _DECIMALS: r"-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)\.[0-9]+",
    DATE: "[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{4}",
    TIME: "[0-9]{2}:[0-9]{2}",
}
"""Simple patterns of cells that certainly have a form."""


@dataclass(frozen=True)
class ShortRecords:
    """The form that records must have which leave out blank cells at the end, in one file.

    `content` is the number of columns up to the last one with content. `forms` are those of the cells of each
    column, empty for any: a form is a type of cell, and tells numbers with decimals from others. `filled` are
    the columns that are hardly ever blank.
    """

    content: int = 0
    forms: tuple[frozenset[str], ...] = ()
    filled: tuple[int, ...] = ()

    def allow(self, cells: Sequence[str]) -> bool:
        """Return whether each cell of a short record, completed with blank ones, is in its column.

        A record that lost a delimiter within has cells of the next columns, and the last column with content
        is blank. If it is not, an amount may be the only whole number of its column, or the only other one in
        the last.
        """
        last = self.content - 1
        if last < 0 or not cells[last].strip():
            return all(cells[column].strip() for column in self.filled) and _are_like(cells, self.forms)
        return _are_like(cells, self._forms_of_whole)

    def certain(self, cells: pa.ListArray) -> NDArray[np.bool_]:
        """Return which short records of a block are certainly allowed, without a look at each cell."""
        last = self.content - 1
        if last < 0:
            return np.zeros(len(cells), np.bool_)
        certain = pc.match_substring_regex(pc.list_element(cells, last), r"\S")
        for column, forms in enumerate(self._forms_of_whole):
            if forms:
                pattern = "|".join(_CERTAIN[form] for form in sorted(forms))
                texts = pc.list_element(cells, column)
                certain = pc.and_(certain, pc.match_substring_regex(texts, f"^(?:{pattern})?$"))
        bits = np.unpackbits(np.frombuffer(certain.buffers()[1], np.uint8), bitorder="little")
        return bits[certain.offset : certain.offset + len(certain)].astype(np.bool_)

    @cached_property
    def _forms_of_whole(self) -> list[frozenset[str]]:
        forms = [form | {NUMBER} if _DECIMALS in form else form for form in self.forms]
        last = self.content - 1
        forms[last] = forms[last] | {NUMBER, _DECIMALS} if NUMBER in forms[last] else forms[last]
        return forms


@dataclass(frozen=True)
class Widths:
    """The numbers of cells beyond the width (`surplus`) and below it (`deficit`) that a row may have.

    `notes` are sentences about them.
    """

    surplus: frozenset[int] = frozenset()
    deficit: frozenset[int] = frozenset()
    short: ShortRecords = field(default_factory=ShortRecords)
    notes: tuple[str, ...] = ()


def find_widths(body: Sequence[Row], width: int) -> Widths:
    """Find the other numbers of cells that records of a table of some width have for lack of content."""
    counts = Counter(map(len, body))
    total = counts.total()
    surplus, notes = set[int](), []
    for count, rows in sorted(counts.items()):
        often = rows >= max(2, _OFTEN * total) or rows == total
        if count > width and often and all_empty(body, count, range(width, count)):
            surplus.add(count - width)
            notes.append(f"{count - width} empty cells after the last column are left out")
    content = _content(body, width)
    deficit = range(1, 1 + width - max(content, _PAIR) if counts[width] else 0)
    return Widths(frozenset(surplus), frozenset(deficit), _short_records(body, width, content), tuple(notes))


def are_names_in_place(body: Sequence[Row], usual: int, width: int) -> bool:
    """Return whether rows show that a header of `width` names, more than rows usually have, is in place.

    The first row has as many cells, as where a program drops delimiters later on; or several rows have
    values in the columns that others lack. Their other cells must be of the kinds that are usual.
    """
    short = [row for row in body if len(row) == usual]
    forms = [
        form | {NUMBER, _DECIMALS} if form & {NUMBER, _DECIMALS} else form for form in _seen(short, usual)
    ]
    full = [row for row in body if len(row) == width and _are_like(row[:usual], forms)]
    valued = sum(any(map(str.strip, row[usual:])) for row in full)
    return bool(full) and (full[0] is body[0] or valued >= _PAIR)


def all_empty(body: Sequence[Row], count: int, columns: range) -> bool:
    """Return whether some columns are empty in all records of `count` cells."""
    rows = [row for row in body if len(row) == count]
    return not any(row[column].strip(" \t") for row in rows for column in columns)


def _content(body: Iterable[Row], width: int) -> int:
    """Return the number of columns up to the last one that has content in any record."""
    last = 0
    for row in body:
        if len(row) <= width:
            last = max(last, next((n for n in range(len(row), last, -1) if row[n - 1].strip(" \t")), last))
    return last


def _short_records(body: Iterable[Row], width: int, content: int) -> ShortRecords:
    rows = [(*row, *[""] * (width - len(row))) for row in body if content <= len(row) <= width]
    most = max(1, _RARELY * len(rows))
    filled = [column for column in range(content) if sum(not row[column].strip() for row in rows) <= most]
    filled = filled if len(rows) >= _ENOUGH else []
    return ShortRecords(content, _seen(rows, content), tuple(filled))


def _seen(rows: Sequence[Row], width: int) -> tuple[frozenset[str], ...]:
    """Return the forms of the cells of each column, empty where any is possible; that of one row is none."""
    forms = []
    for column in range(width):
        counts = Counter[str]()
        for cell, count in Counter(row[column] for row in rows).items():
            if cell.strip() and not is_placeholder(cell):
                counts[_form(cell)] += count
        total = counts.total()
        usual = {form for form, count in counts.items() if count >= max(2, _RARELY * total)}
        forms.append(frozenset() if TEXT in usual or total < _ENOUGH else frozenset(usual))
    return tuple(forms)


def _are_like(cells: Sequence[str], forms: Sequence[frozenset[str]]) -> bool:
    return all(
        not form or not cell.strip() or is_placeholder(cell) or _form(cell) in form
        for cell, form in zip(cells, forms, strict=False)
    )


def _form(cell: str) -> str:
    """Return the type of a cell, and for a number whether it has decimals."""
    kind = cell_type(cell)
    return _DECIMALS if kind == NUMBER and not cell.strip().isdigit() else kind
