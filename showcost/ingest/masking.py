"""Masking of national identifiers before anything is derived from a delivery.

The bytes of a payroll delivery are stored as they arrived, and can be encrypted and shredded. Everything
derived from them (records, hashes, keys and displayed texts) has a mark in place of a national identifier
(`showcost.core.national_ids`), so that no later step can repeat it, or a hash of it. Reading the bytes again
gives the same records: the mark depends on the text alone.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from showcost.config.feed import normal_header
from showcost.core.national_ids import ID_MARK, masked, masked_text
from showcost.readers.export import as_read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    import pyarrow as pa

    from showcost.config.feed import FeedSpec
    from showcost.readers.export import ShownCells

    Column: TypeAlias = pa.Array | pa.ChunkedArray

_NUMBERS: Final = frozenset(
    map(
        normal_header,
        (
            *("SSN", "SS number", "SS no", "social security", "social security number", "social security no"),
            *("SIN number", "SIN no", "social insurance", "social insurance number", "social insurance no"),
            *("NI number", "NI no", "NINO", "national insurance", "national insurance number"),
            "national insurance no",
        ),
    )
)
"""Headers of columns with national identifiers, in their normal form."""


def names_people(feed: FeedSpec) -> bool:
    """Return whether national identifiers are masked in the records of a feed."""
    return feed.kind.has_pay_rules


def masked_fields(feed: FeedSpec, columns: Mapping[str, Column]) -> dict[str, Column]:
    """Return the masked columns of records (`records_schema`) that have texts to mask.

    In dates and amounts only unreadable text is masked: `123 456 789` may be an amount. In the raw text nine
    digits in a row are masked too, since any column may be the one that names the person.
    """
    masked_columns: dict[str, Column] = {}
    differ = []
    for field in feed.kind.fields:
        text = columns[field.name]
        marked = masked(text, names_person=field.personal)
        if marked is text:
            continue
        if f"{field.name}__value" in columns:
            marked = pc.if_else(pc.is_valid(columns[f"{field.name}__value"]), text, marked)
        masked_columns[field.name] = marked
        differ.append(pc.fill_null(pc.not_equal(marked, text), False))
    raw = masked(columns["raw"], names_person=True)
    if differ:
        # A format may escape characters of a cell: then the raw text is dropped entirely.
        unmarked = pc.invert(pc.match_substring(raw, ID_MARK))
        raw = pc.if_else(pc.and_(reduce(pc.or_, differ), unmarked), ID_MARK, raw)
    return masked_columns | {"raw": raw}


def masked_shown(feed: FeedSpec, text: str) -> str:
    """Return a text of a delivery outside the fields of its records, masked for display."""
    return masked_text(text, names_person=True) if names_people(feed) else text


def cells_of_feed(feed: FeedSpec, header: Sequence[str], columns: Mapping[str, str]) -> ShownCells:
    """Return the masks of cells of a feed's delivery for the edit list.

    `columns` maps fields to headers. A column without a field may be the one that names the person, so nine
    digits in a row are masked there too.
    """
    if not names_people(feed):
        return as_read
    personal = {field.name for field in feed.kind.fields if field.personal}
    others = {name for field, name in columns.items() if field not in personal}
    assigned = frozenset(place for place, name in enumerate(header) if name in others)
    return lambda place, cells: masked(cells, names_person=place not in assigned)


def cells_of_file(header: Sequence[str]) -> ShownCells:
    """Return the masks of cells of a file without a feed: none, unless the header names an identifier."""
    numbers = _number_columns(header)
    return lambda place, cells: masked(cells, names_person=True) if place in numbers else cells


def texts_of_file(header: Sequence[str]) -> Callable[[str], str]:
    """Return the mask of texts outside the cells of a file without a feed: masked if any column is."""
    return partial(masked_text, names_person=True) if _number_columns(header) else str


def _number_columns(header: Sequence[str]) -> frozenset[int]:
    """Return the columns (0-based) whose header names a national identifier."""
    return frozenset(place for place, name in enumerate(header) if normal_header(name) in _NUMBERS)
