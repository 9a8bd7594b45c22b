"""Rows in pence, cents or agorot, converted to the currency before they are stored.

The text of the record stays as delivered; its fields are those of the currency. A row whose amount has a
currency sign of its own (`£12.50` in a row of `GBp`) contradicts itself and is left as it is, for SC-CUR-001;
so are rows of kinds with hours and rates, where a hundredth of an amount is not one of the others.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import FieldType
from showcost.values.minor_units import MinorRows

if TYPE_CHECKING:
    from showcost.config.feed import FeedSpec


def in_major_units(feed: FeedSpec, records: pa.Table) -> tuple[pa.Table, int, tuple[str, ...]]:
    """Return records in the currencies themselves, with the number of converted ones, and their codes."""
    amounts = feed.kind.of_type(FieldType.AMOUNT)
    minor = None if feed.kind.quantities else MinorRows.of(records.column("currency"))
    if minor is not None:
        signs = (pc.is_valid(records.column(f"{field}__symbol")) for field in amounts)
        minor = minor.without(reduce(pc.or_, signs))
    if minor is None:
        return records, 0, ()
    columns = {name: records.column(name) for name in records.column_names}
    columns["currency"] = pc.if_else(minor.mask, minor.currencies, columns["currency"])
    for field in amounts:
        values = minor.converted(columns[f"{field}__value"])
        known = pc.and_(minor.mask, pc.is_valid(values))
        columns[field] = pc.if_else(known, values, columns[field])
        columns[f"{field}__value"] = values
    count = pc.sum(minor.mask, min_count=0).as_py()
    return pa.table(columns, schema=records.schema), count, minor.codes
