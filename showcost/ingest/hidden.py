"""Rows that a workbook hides: each says so, since whoever sent the file may not know that they are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.readers.model import HIDDEN

if TYPE_CHECKING:
    from showcost.ingest.records import Accepted
    from showcost.readers.model import HiddenCells


def with_hidden(records: pa.Table, accepted: Accepted, hidden: HiddenCells) -> pa.Table:
    """Return records, in the order of `accepted`, with a detail for those that the workbook hides.

    A record is hidden if its row or sheet is, or the column of one of its fields that is not blank.
    """
    mask = _mask(accepted, hidden) if hidden else None
    if mask is None or not mask.any():
        return records
    detail = pc.binary_join_element_wise(records.column("read_detail"), HIDDEN, "; ", null_handling="skip")
    place = records.schema.get_field_index("read_detail")
    marked = pc.if_else(pa.array(mask), detail, records.column("read_detail"))
    return records.set_column(place, records.schema.field(place), marked)


def _mask(accepted: Accepted, hidden: HiddenCells) -> np.ndarray:
    numbers = accepted.place.column("record")
    mask = np.asarray(pc.is_in(numbers, value_set=pa.array(sorted(hidden.records), pa.int64())))
    numbered = np.asarray(numbers)
    for records, columns in hidden.columns.items():
        within = (numbered >= records.start) & (numbered < records.stop)
        for column in columns & set(accepted.match.columns.values()):
            cells = pc.fill_null(pc.utf8_trim_whitespace(accepted.columns[column]), "")
            mask = mask | (within & np.asarray(pc.not_equal(cells, "")))
    return mask


def after_correction(detail: str | None) -> str | None:
    """Return the detail of a record that is in no other doubt any more."""
    return HIDDEN if detail is not None and detail.endswith(HIDDEN) else None
