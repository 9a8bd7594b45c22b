"""Kinds of lines around column names: names, units, rulers, numbers of the columns.

A line is classified by its own cells and by the columns below it; its position is considered in `layout`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from showcost.readers.csv.cell_types import DATE, NUMBER, TEXT, TYPED, cell_type, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Sequence

_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_RULER: Final = re.compile(r"[-=_*~+:]{2,}")
_UNIT: Final = re.compile(
    r"""\(.{1,20}\)|\[.{1,20}\]|%|£(?:'?000s?|s|k|m|bn|\ ?million|\ ?thousand)?|€|\$|GBP|EUR|USD
    |(?:dd?|mm?m?|y{2,4})(?:[-/. ]?(?:dd?|mm?m?|y{2,4})){2}|hh:mm(?::ss)?|yyyy
    |(?:[numµμkMG]?(?:s|m|g|N|Pa|J|W|V|A|F|Hz|bar|mol|K|Wh|l|L)|min|h|hr|km|cm|t|ha|°|°C|°F|deg|degC|rad|rpm|dB|dBm
       |ppm|ppb|Ohm|Ω|psu|pH|px|mi|ft|in|mph|kt|lb|kcal|tCO2e?|kVA|Nm)(?:\^?-?[23²³])?
     (?:[/.·* ](?:[numµμk]?(?:s|m|g|l|L|h|min|K|mol)|day|yr|year|°C|kWh)(?:\^?-?[123²³])?){0,2}""",
    re.VERBOSE,
)
_LEAST_NUMBERS: Final = 3
_FIRST_NUMBERS: Final = frozenset(("0", "1", "A"))
_LEAST_COUNTED: Final = 4


@dataclass(frozen=True)
class ColumnProfile:
    """The cells of a column: `kind` is the type of nearly all filled ones, `dense` when most are filled.

    With `years`, most of them could be years; with `counted`, some rows count through the column.
    """

    kind: str = TEXT
    dense: bool = False
    years: bool = False
    counted: bool = False


def is_year(cell: str) -> bool:
    """Return whether a cell can be a year from 1900 to 2099."""
    return _YEAR.fullmatch(cell) is not None


def is_words(row: Sequence[str]) -> bool:
    """Return whether the row consists of words, as column names do."""
    filled = [cell for cell in row if cell.strip()]
    words = sum(cell_type(cell) == TEXT and not is_placeholder(cell) for cell in filled)
    return bool(filled) and words * 5 >= len(filled) * 4 and not is_ruler(row)


def is_names(row: Sequence[str], columns: Sequence[ColumnProfile]) -> bool:
    """Return whether the row can name columns: by words, or by years, dates or a count over other values."""
    return is_words(row) or _is_series(row, columns)


def _is_series(row: Sequence[str], columns: Sequence[ColumnProfile]) -> bool:
    """Return whether all values of the row are rising or falling years, dates, or a count; none is first.

    A row of a table may have such values too, but not where the other rows have values of another kind, or
    none of them counts.
    """
    over = [(cell.strip(), column) for cell, column in zip(row, columns, strict=False) if cell.strip()]
    values = [(cell, column) for cell, column in over if cell_type(cell) != TEXT]
    if len(values) < 2 or cell_type(row[0]) in TYPED or any(is_placeholder(cell) for cell, _ in over):  # noqa: PLR2004 -- one is not a series
        return False
    if all(cell_type(cell) == DATE and column.kind != DATE for cell, column in values):
        return len({cell for cell, _ in values}) == len(values)
    if is_count(row) and not any(column.counted for _, column in values):
        return any(column.kind == NUMBER for _, column in values)
    if not all(is_year(cell) and not column.years for cell, column in values):
        return False
    steps = [after > before for (before, _), (after, _) in pairwise(values)]
    same = any(after == before for (before, _), (after, _) in pairwise(values))
    return not same and len(set(steps)) == 1 and any(column.kind == NUMBER for _, column in values)


def is_count(row: Sequence[str]) -> bool:
    """Return whether the values of the row are whole numbers in equal steps: days, wavelengths."""
    if sum(map(str.isdecimal, map(str.strip, row))) < _LEAST_COUNTED:
        return False
    values = [cell.strip() for cell in row if cell_type(cell) in TYPED]
    if len(values) < _LEAST_COUNTED or not all(value.isdecimal() and value.isascii() for value in values):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(values)}
    return len(steps) == 1 and steps != {0}


def is_units(row: Sequence[str], columns: Sequence[ColumnProfile]) -> bool:
    """Return whether the row has units of measurement only, apart from placeholders.

    Units are above values, or in brackets.
    """
    units = [
        (cell.strip(), column)
        for cell, column in zip(row, columns, strict=False)
        if cell.strip() and not is_placeholder(cell)
    ]
    return bool(units) and all(
        _UNIT.fullmatch(cell) and (column.kind in TYPED or cell[0] in "([") for cell, column in units
    )


def is_ruler(row: Sequence[str]) -> bool:
    """Return whether the row is a line drawn with characters."""
    filled = [cell.strip() for cell in row if cell.strip()]
    return bool(filled) and all(map(_RULER.fullmatch, filled))


def numbers_columns(row: Sequence[str]) -> bool:
    """Return whether the row numbers the columns, from 0, 1, (1) or A on, without a gap."""
    if len(row) < _LEAST_NUMBERS or row[0].strip().strip("()[]") not in _FIRST_NUMBERS:
        return False
    cells = [cell.strip().strip("()[]") for cell in row]
    counts = [[str(number) for number in range(first, first + len(cells))] for first in (0, 1)]
    letters = [chr(ord("A") + number) for number in range(min(len(cells), 26))]
    return cells in counts or (cells == letters)
