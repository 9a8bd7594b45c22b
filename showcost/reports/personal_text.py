"""Text of rows without what identifies a person: cells of personal fields and national identifiers."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING

import pyarrow as pa

from showcost.core.national_ids import ID_MARK, MASKED_CELL, masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec


def personal_fields(feed: FeedSpec) -> tuple[str, ...]:
    """Return the personal fields that come from the text of a record."""
    return tuple(
        field.name for field in feed.kind.fields if field.personal and field.name not in feed.constants
    )


def without_personal(feed: FeedSpec, raw: str, cells: Mapping[str, str | None]) -> str:
    """Return the raw text of a record with the cells of personal fields masked, wherever they occur in it.

    Quotes and backslashes that the format adds within a cell do not matter.
    """
    return without_cells(raw, [cells[name] for name in personal_fields(feed)])


def without_cells(raw: str, cells: Sequence[str | None]) -> str:
    """Return a text with the given cells masked."""
    for cell in cells:
        for pattern in _patterns((cell or "").strip()):
            raw = pattern.sub(MASKED_CELL, raw)
    return raw


@lru_cache(maxsize=20_000)
def _patterns(cell: str) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of a cell as plain text and as markup."""
    if cell in {"", ID_MARK}:
        return ()
    return tuple(
        re.compile(rf"(?<![^\W_]){characters}(?![^\W_])")
        for text in dict.fromkeys((cell, escape(cell)))
        for characters in (r"[\\\"]*".join(map(re.escape, text)),)
    )


def masked_columns(rows: pa.Table) -> pa.Table:
    """Return a table with the national identifiers in its texts masked."""
    for place, column in enumerate(rows.schema):
        if pa.types.is_string(column.type):
            rows = rows.set_column(place, column, masked(rows.column(place)))
    return rows


def corrected_fields(feed: FeedSpec, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the corrected texts of a decision; those of personal fields are masked."""
    personal = {field.name for field in feed.kind.fields if field.personal}
    return {name: MASKED_CELL if name in personal and text.strip() else text for name, text in fields.items()}
