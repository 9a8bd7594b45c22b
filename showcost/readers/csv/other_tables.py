"""Column names of other tables: lines in a delivery below which the cells have another meaning.

A second table in the same file is never read by the names of the first, but by its own if they are the same
in another order. A line begins one if it can only be column names: it has names of this table or of the feed,
or words in every column of values. Records are compared in two steps, so that nearly all rows cost one look
at the first byte of a cell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from showcost.config.feed import normal_header
from showcost.readers.csv.cell_types import NAME_STARTS, TEXT, TYPED, cell_type, is_placeholder
from showcost.readers.csv.headers import is_count, is_year, numbers_columns
from showcost.readers.csv.layout import begins_table, count_filled, names_total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from showcost.readers.csv.grammar import Grammar
    from showcost.readers.csv.layout import Layout

_PAIR: Final = 2
_SEVERAL: Final = 3
_LONGEST_NAME: Final = 100
_IS_FIRST: Final = np.array([byte in NAME_STARTS for byte in range(256)])
OTHER_DELIMITERS: Final = (";", "\t", "|", ",")
"""Usual delimiters, for lines that do not have that of the table."""
_AMOUNT: Final = re.compile(r"\D*\d[\d,.' ]*[.,]\d\d\D*")


class OtherTables:
    """Recognises column names of other tables, and those of this table in another spelling."""

    def __init__(self, layout: Layout, lines: Iterable[Sequence[str]], feed_names: Iterable[str]) -> None:
        """Prepare for a table with some header lines; `feed_names` are other names of the feed's columns."""
        self._layout = layout
        headers = [list(map(normal_header, line)) for line in lines]
        self._headers = {_without_end(names) for names in headers if sum(map(bool, names)) >= _PAIR}
        spelled = [name for name in (*(n for line in lines for n in line), *feed_names) if name.strip()]
        self._known = frozenset(map(normal_header, spelled)) - {""}
        self._bytes = frozenset(name.strip().lower().encode() for name in spelled if name.isascii())
        self._is_able = bool(layout.header_records) and layout.header_differs

    def may_concern(self, cells: Sequence[bytes]) -> bool:
        """Return whether the cells of a row may be names: the first step."""
        if not self._is_able:
            return False
        if self._layout.plain:
            return any(cells[column][:1] and cells[column][0] in NAME_STARTS for column in self._layout.plain)
        return not self._bytes.isdisjoint(cell.strip().lower() for cell in cells)

    def may_concern_ragged(self, body: bytes, grammar: Grammar) -> bool:
        """Return whether a line that is not a row may be names: the first step."""
        if not self._is_able:
            return False
        return not self._bytes.isdisjoint(map(bytes.strip, split_line(body.lower(), grammar)))

    def concerned(self, cells: pa.ListArray) -> NDArray[np.bool_]:
        """Return which rows of a block are names of a table."""
        width = self._layout.width
        result = np.zeros(len(cells), np.bool_)
        if not self._is_able or not len(cells):
            return result
        texts = cells.flatten()
        if self._layout.plain:
            places = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
            data = np.frombuffer(texts.buffers()[2], np.uint8)
            for column in self._layout.plain:
                starts, ends = places[column:-1:width], places[column + 1 :: width]
                result |= _IS_FIRST[data[np.minimum(starts, len(data) - 1)]] & (ends > starts)
        else:
            result[:] = True
        for row in np.flatnonzero(result).tolist():
            names = texts.slice(row * width, width).to_pylist()
            result[row] = (
                bool(self._layout.plain) or self.may_concern([name.encode() for name in names])
            ) and (self.repeats(names) or self.begins(names))
        return result

    def repeats(self, cells: Sequence[str]) -> bool:
        """Return whether a record has the names of this table, maybe in another spelling."""
        return _without_end(list(map(normal_header, cells))) in self._headers

    def order_of(self, cells: Sequence[str]) -> tuple[int, ...] | None:
        """Return where each column of this table is, if a record has the same names in another order."""
        own, names = (
            [normal_header(name) or str(place) for place, name in enumerate(line)]
            for line in (self._layout.columns, cells)
        )
        if own == names or len(set(own)) < len(own) or sorted(own) != sorted(names):
            return None
        return tuple(map(names.index, own))

    def is_row_above(self, cells: Sequence[str]) -> bool:
        """Return whether a broken line above the column names is a row of another table, or has its names."""
        return is_row_above(cells, self._known)

    def begins(self, cells: Sequence[str], *, fits: bool = True, apart: bool = False) -> bool:
        """Return whether a record can only be the column names of another table: the second step.

        `fits` tells whether it has the cells of a row; `apart` that it comes after a blank record, or after
        titles that do.
        """
        filled = [cell.strip() for cell in cells if cell.strip()]
        known = len({name for name in map(normal_header, filled) if name in self._known})
        if known >= _SEVERAL or (known >= _PAIR and not fits):
            return True
        if len(filled) < _PAIR or len(set(filled)) < len(filled) or not all(map(_is_name, filled)):
            return False
        if known >= _PAIR or (apart and begins_table(cells, self._layout)):
            return True
        if not fits:
            return known > 0 and not _has_digits(filled)
        over = [cells[column].strip() for column in self._layout.values]
        if not over or not all(over):
            return False
        return known > 0 or (len(over) >= _PAIR and len(filled) >= _SEVERAL and not _has_digits(filled))


def split_line(line: bytes, grammar: Grammar) -> list[bytes]:
    """Return the cells of a line without regard to quotes; a line without delimiters may have others."""
    plain = line.replace(grammar.quote, b"") if grammar.quote else line
    marks = (grammar.delimiter, *map(str.encode, OTHER_DELIMITERS))
    return plain.split(next((mark for mark in marks if mark and mark in plain), b"\n"))


def rows_above(
    head: Sequence[Sequence[str]], layout: Layout, feed_names: Iterable[str], first: int
) -> frozenset[int]:
    """Return the numbers of the records above the column names that are not preamble, but of another table.

    A line with several cells and a value is, or with two names of columns; so are the lines right above it
    with several cells, and all lines after it. `first` is the index of the first record that may be one.
    """
    last = layout.header_records[0] - 1 if layout.header_records else 0
    known = frozenset(map(normal_header, (*layout.columns, *feed_names))) - {""}
    found = next((i for i in range(first, last) if is_row_above(head[i], known, next_to=i == last - 1)), None)
    if found is None:
        return frozenset()
    begin = found
    while begin > first and count_filled(tuple(head[begin - 1])) >= _PAIR:
        begin -= 1
    return frozenset(number + 1 for number in range(begin, last))


def is_row_above(cells: Sequence[str], known: frozenset[str], *, next_to: bool = False) -> bool:
    """Return whether a line above the column names is a row of another table, or has its names.

    `next_to` tells that the column names come next: then words with gaps between them are headings of groups.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len({name for name in map(normal_header, filled) if name in known}) >= _PAIR:
        return not next_to or all(map(str.strip, cells[: len(filled)]))
    if any(len(parts) >= _SEVERAL and is_row_above(parts, known) for parts in _otherwise(filled)):
        return True
    values = [cell for cell in filled if cell_type(cell) in TYPED and not is_year(cell)]
    if not values or is_count(cells) or numbers_columns(cells):
        return False
    if len(filled) >= _SEVERAL or len(values) >= _PAIR:
        return True
    is_labelled = len(filled) == _PAIR and (filled[0].endswith((":", "-")) or names_total(filled[0]))
    return _AMOUNT.fullmatch(values[0]) is not None and not is_labelled


def _otherwise(filled: Sequence[str]) -> Iterator[list[str]]:
    """Yield the cells of a line with other delimiters than the table."""
    if len(filled) <= _PAIR:
        yield from (cell.split(mark) for cell in filled for mark in OTHER_DELIMITERS if mark in cell)


def _without_end(names: list[str]) -> tuple[str, ...]:
    """Return names without the blank ones at the end."""
    end = len(names)
    while end and not names[end - 1]:
        end -= 1
    return tuple(names[:end])


def _is_name(cell: str) -> bool:
    return cell_type(cell) == TEXT and not is_placeholder(cell) and len(cell) <= _LONGEST_NAME


def _has_digits(cells: Iterable[str]) -> bool:
    return any(char.isdigit() for cell in cells for char in cell)
