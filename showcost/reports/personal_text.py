"""Text of rows without what identifies a person: cells of personal fields and national identifiers."""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.national_ids import ID_MARK, MASKED_CELL, masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec

_MANY: Final = 8
"""Texts of one cell from which a column function is faster than a loop."""


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


def without_column(texts: pa.ChunkedArray, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts, each with its cell masked as by `without_cells`; those of one cell at once."""
    encoded = pc.utf8_trim_whitespace(cells.fill_null("")).combine_chunks().dictionary_encode()
    values = encoded.dictionary.to_pylist()
    order = pc.sort_indices(encoded.indices)
    ordered = texts.take(order)
    counts = pc.value_counts(encoded.indices.take(order)).to_pylist()
    parts, first = [], 0
    for count in counts:
        part = ordered.slice(first, count["counts"])
        parts.append(_without_value(part, values[count["values"]]))
        first += count["counts"]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], texts.type).take(
        pc.sort_indices(order)
    )


def _without_value(texts: pa.ChunkedArray, cell: str) -> pa.ChunkedArray:
    if len(texts) < _MANY:
        few = [text if text is None else without_cells(text, [cell]) for text in texts.to_pylist()]
        return pa.chunked_array([pa.array(few, texts.type)])
    for characters in _forms(cell):
        # Twice, since two occurrences may share the separator between them.
        for _ in range(2):
            texts = pc.replace_substring_regex(
                texts,
                pattern=rf"(^|[^\pL\pN]){characters}($|[^\pL\pN])",
                replacement=rf"\1{MASKED_CELL}\2",
            )
    return texts


@lru_cache(maxsize=20_000)
def _patterns(cell: str) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of a cell as plain text and as markup."""
    return tuple(re.compile(rf"(?<![^\W_]){characters}(?![^\W_])") for characters in _forms(cell))


def _forms(cell: str) -> list[str]:
    """Return regular expressions of a cell as plain text and as markup, for `re` and for RE2."""
    if cell in {"", ID_MARK}:
        return []
    return [r"[\\\"]*".join(map(re.escape, text)) for text in dict.fromkeys((cell, escape(cell)))]


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
