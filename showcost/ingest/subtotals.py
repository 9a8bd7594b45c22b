"""Subtotal lines within a delivery: sums between the rows, which are not rows themselves.

A line is a subtotal only when that is certain: it has neither a document number nor a transaction date, and
one of its cells begins with a word for a subtotal. Any other line is a row, and is rejected with its reasons
if it cannot be posted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.readers.csv.cell_types import TEXT, cell_type
from showcost.readers.model import ROW_RAGGED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.feed import FeedSpec
    from showcost.ingest.records import Accepted
    from showcost.readers import Rejected

_LABEL: Final = (
    r"(?:sub[- ]?totals?|(?:amount |balance )?(?:carried|brought) forward|zwischensummen?|teilsummen?"
    r"|(?:ü|ue)bertr(?:a|ä|ae)ge?|sous[- ]?tot(?:al|aux)|total partiel|totaux partiels"
    r"|(?:montant )?(?:à|a) reporter)"
)
_BEGINS: Final = rf"(?i)^\s*{_LABEL}(?:$|[^\p{{L}}\p{{N}}])"
_PYTHON_BEGINS: Final = re.compile(rf"\s*{_LABEL}(?:$|[\W_])", re.IGNORECASE)
_CODE: Final = re.compile(r"[A-Za-z]{3}")
_LONGEST: Final = 80
_FEW: Final = 200
"""Cells that are matched one by one: Arrow compiles a pattern at each call."""


def subtotal_rows(feed: FeedSpec, accepted: Accepted) -> np.ndarray:
    """Return which accepted records (a mask, in their order) are certainly subtotals.

    None is, if the feed has no column for the document number or for the transaction date.
    """
    columns = accepted.match.columns
    places = [columns.get(field) for field in (feed.kind.document, feed.date_field)]
    chosen = np.ones(accepted.place.num_rows, dtype=bool)
    for place in places:
        if place is None:
            return np.zeros(accepted.place.num_rows, dtype=bool)
        cells = pc.fill_null(accepted.columns[place], "")
        blank = pc.equal(pc.utf8_trim_whitespace(cells), "")
        chosen &= np.asarray(pc.or_(blank, _labelled(cells)))
    numbers = np.flatnonzero(chosen)
    if not len(numbers):
        return chosen
    labelled = np.zeros(len(numbers), dtype=bool)
    for column in accepted.columns:
        labelled |= np.asarray(_labelled(pc.fill_null(column.take(pa.array(numbers)), "")))
    chosen[numbers] = labelled
    return chosen


def is_ragged_subtotal(rejected: Rejected, cells: Sequence[str]) -> bool:
    """Return whether a rejected record, with these cells, is certainly a subtotal that lacks cells.

    Its first filled cell begins with a word for a subtotal, the others are values or a currency.
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    if rejected.code != ROW_RAGGED or not filled or len(filled[0]) > _LONGEST:
        return False
    values = all(cell_type(cell) != TEXT or _CODE.fullmatch(cell) for cell in filled[1:])
    return values and _PYTHON_BEGINS.match(filled[0]) is not None


def _labelled(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    if len(cells) <= _FEW:
        return pa.chunked_array([[_is_labelled(text) for text in cells.to_pylist()]], pa.bool_())
    short = pc.less_equal(pc.utf8_length(cells), _LONGEST)
    return pc.and_(short, pc.match_substring_regex(cells, _BEGINS))


def _is_labelled(text: str) -> bool:
    return len(text) <= _LONGEST and _PYTHON_BEGINS.match(text) is not None
