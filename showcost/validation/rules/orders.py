"""Rules about purchase orders (PO) within one row; SC-PO-001 needs the ledger, see `reports.commitments`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from showcost.validation.rules.model import ColumnRule, Rule
from showcost.values.column import NO, YES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.validation.reference import Reference


def rules(reference: Reference) -> Iterator[Rule]:
    """Return the rules of this module; none for record kinds without fields that say yes or no."""
    feed = reference.feed
    for name, words in feed.kind.yes_or_no.items():
        allowed = (*YES, *NO, *words)
        yield ColumnRule(
            "SC-PO-002",
            name,
            f"one of {', '.join(allowed)}, or nothing",
            f"feed {feed.name}: record kind {feed.kind.name}",
            column=name,
            holds=partial(_is_one_of, pa.array(allowed)),
        )


def _is_one_of(words: pa.Array, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.is_null(texts), pc.is_in(pc.utf8_lower(texts), value_set=words))
