"""Cells of single lines outside the rows that were read: footers, and records that were rejected."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def line_cells(texts: Iterable[str], *, delimiter: str, quote: str) -> list[list[str]]:
    """Return the cells of each line; without a `delimiter` it is a comma, and `quote` may be "" for none.

    A line that no CSV reader takes, such as one with a very long cell, is divided at the delimiters.
    """
    return [_cells(text, delimiter or ",", quote) for text in texts]


def _cells(text: str, delimiter: str, quote: str) -> list[str]:
    try:
        if not quote:
            return next(csv.reader([text], delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
        return next(csv.reader([text], delimiter=delimiter, quotechar=quote), [])
    except csv.Error:
        return text.split(delimiter)
