"""Rules about vendors (VEN)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from showcost.validation.rules.model import ColumnRule, RowRule, Rule
from showcost.validation.tax_ids import failing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.validation.reference import Reference

_FIELD = "vendor_tax_id"


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none for record kinds without a tax id."""
    feed = reference.feed
    if _FIELD not in feed.kind.by_name:
        return
    if _FIELD in feed.required_fields:
        yield ColumnRule(
            "SC-VEN-001",
            _FIELD,
            "a VAT number, EIN or business number",
            f"feed {feed.name}: required",
            column=_FIELD,
            holds=pc.is_valid,
        )
    yield RowRule("SC-VEN-002", _FIELD, _expected, "python-stdnum: check of the country", holds=_passes)


def _passes(cells: pa.Table) -> pa.Array:
    return pc.invert(failing(cells.column("vendor_country"), cells.column(_FIELD)))


def _expected(failed: pa.Table) -> pa.ChunkedArray:
    country = pc.fill_null(failed.column("vendor_country"), "the EU state of its prefix")
    return pc.binary_join_element_wise("a tax id that passes the check of ", country, "")
