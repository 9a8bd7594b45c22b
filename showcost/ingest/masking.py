"""Masking of personal numbers before anything is derived from a delivery.

The bytes of a delivery are stored as they arrived, and can be encrypted and shredded. Everything derived from
them (records, hashes, keys and displayed texts) has a mark in place of a national identifier, an IBAN or a
card number, so that no later step can repeat it, or a hash of it. In a manifest of pay, all that looks like a
national identifier is masked (`showcost.core.national_ids`); in the free text of every feed, numbers whose
check digits are right (`showcost.core.personal_numbers`). Reading the bytes again gives the same records: the
mark depends on the text and the production's countries alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.feed import normal_header
from showcost.config.record_kinds import FieldType
from showcost.core.national_ids import ID_MARK, MASKED_CELL, masked, masked_text
from showcost.core.personal_numbers import masked_name
from showcost.ingest.line_cells import line_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from showcost.config.feed import FeedSpec
    from showcost.config.record_kinds import Field
    from showcost.core.personal_numbers import PersonalNumbers
    from showcost.readers.export import ShownCells
    from showcost.readers.model import Dialect

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


def masked_fields(
    feed: FeedSpec,
    columns: Mapping[str, Column],
    numbers: PersonalNumbers | None,
    *,
    has_identifiers: bool = False,
) -> dict[str, Column]:
    """Return the masked columns of records (`records_schema`) that have texts to mask.

    In dates and amounts only unreadable text is masked: `123 456 789` may be an amount. In a manifest of pay
    all that looks like a national identifier is masked, and in its raw text nine digits in a row, too, since
    any column may be the one that names the person; in the raw text of other feeds only if a header names an
    identifier (`has_identifiers`). `numbers` are searched for in every feed, except in references, and in the
    raw text except where a reference has the same.
    """
    masked_columns: dict[str, Column] = {}
    differ = []
    for field in feed.kind.fields:
        text = columns[field.name]
        marked = masked(text, names_person=field.personal) if names_people(feed) else text
        if numbers is not None and not field.reference:
            marked = numbers.masked(marked)
        if marked is text:
            continue
        if f"{field.name}__value" in columns:
            marked = pc.if_else(pc.is_valid(columns[f"{field.name}__value"]), text, marked)
        masked_columns[field.name] = marked
        differ.append(pc.fill_null(pc.not_equal(marked, text), False))
    raw = columns["raw"]
    if names_people(feed) or has_identifiers:
        raw = masked(raw, names_person=True)
    if numbers is not None:
        raw = numbers.masked(raw, _kept(feed, columns))
    if differ:
        # A format may escape characters of a cell: then the raw text is dropped entirely.
        unmarked = pc.invert(pc.match_substring(raw, ID_MARK))
        raw = pc.if_else(pc.and_(reduce(pc.or_, differ), unmarked), ID_MARK, raw)
    return masked_columns if raw is columns["raw"] else masked_columns | {"raw": raw}


def _kept(feed: FeedSpec, columns: Mapping[str, Column]) -> list[Column]:
    """Return the cells whose numbers stay in the raw text: references, and readable dates and amounts."""
    kept = []
    for field in feed.kind.fields:
        if field.reference:
            kept.append(columns[field.name])
        elif (value := columns.get(f"{field.name}__value")) is not None:
            kept.append(pc.if_else(pc.is_valid(value), columns[field.name], pa.scalar(None, pa.string())))
    return kept


def shown_texts(
    feed: FeedSpec, header: Sequence[str], numbers: PersonalNumbers | None
) -> Callable[[str], str]:
    """Return the mask for texts of a delivery outside the fields of its records."""
    names_person = names_people(feed) or (numbers is not None and has_identifiers(header))

    def shown(text: str) -> str:
        text = masked_text(text, names_person=True) if names_person else text
        return text if numbers is None else numbers.masked_text(text)

    return shown


def shown_name(feed: FeedSpec, name: str) -> str:
    """Return the name of a delivered file for people and events; nine digits may be a person's in payroll."""
    return masked_name(name, names_person=names_people(feed))


@dataclass(frozen=True)
class PersonalPlaces:
    """The columns of a delivery with personal fields, for records whose cells have no sure column.

    `width` is the number of names in the header.
    """

    columns: tuple[int, ...]
    width: int

    def masked(self, raw: str, dialect: Dialect) -> str:
        """Return the raw text of a rejected record without its personal cells.

        Where a record has more or fewer cells than the header, a cell may be off by the difference: within
        it, all that may be an identifier is masked, too.
        """
        if not dialect.delimiter:
            return raw
        line = raw.replace("\r", " ").replace("\n", " ")
        (cells,) = line_cells([line], delimiter=dialect.delimiter, quote=dialect.quote)
        off = abs(len(cells) - self.width)
        for place in self.columns:
            for number in range(max(0, place - off), min(len(cells), place + off + 1)):
                cell = cells[number].strip()
                if cell and (number == place or _MAY_IDENTIFY.fullmatch(cell)):
                    raw = re.sub(rf"(?<![^\W_]){re.escape(cell)}(?![^\W_])", lambda _: MASKED_CELL, raw)
        return raw


_MAY_IDENTIFY: Final = re.compile(r"(?=(?:.*\d){5})[A-Za-z0-9 ./-]{7,24}")
"""Five digits at least among letters, digits and separators: tax numbers and numbers of persons."""


def personal_places(feed: FeedSpec, columns: Mapping[str, int], width: int) -> PersonalPlaces | None:
    """Return the personal columns of a delivery; None if it has none. `columns` maps fields to columns."""
    places = tuple(
        columns[field.name] for field in feed.kind.fields if field.personal and field.name in columns
    )
    return PersonalPlaces(places, width) if places else None


def cells_of_feed(
    feed: FeedSpec, header: Sequence[str], columns: Mapping[str, str], numbers: PersonalNumbers
) -> ShownCells:
    """Return the masks of cells of a feed's delivery for the edit list.

    `columns` maps fields to headers. In a manifest of pay, a column without a field may be the one that names
    the person, so nine digits in a row are masked there, too.
    """
    fields = {name: feed.kind.by_name[field] for field, name in columns.items()}

    def shown(place: int, cells: pa.Array) -> pa.Array:
        field = fields.get(header[place])
        if names_people(feed):
            cells = masked(cells, names_person=field is None or field.personal)
        elif field is None and _is_identifier(header[place]):
            cells = masked(cells, names_person=True)
        return cells if field is not None and _is_kept(field) else numbers.masked(cells)

    return shown


def _is_kept(field: Field) -> bool:
    """Return whether a number in a cell is not a person's: references, amounts and dates."""
    return field.reference or field.type is not FieldType.TEXT


def cells_of_file(header: Sequence[str]) -> ShownCells:
    """Return the masks of cells of a file without a feed: none, unless the header names an identifier."""
    numbers = _number_columns(header)
    return lambda place, cells: masked(cells, names_person=True) if place in numbers else cells


def texts_of_file(header: Sequence[str]) -> Callable[[str], str]:
    """Return the mask of texts outside the cells of a file without a feed: masked if any column is."""
    return partial(masked_text, names_person=True) if _number_columns(header) else str


def _number_columns(header: Sequence[str]) -> frozenset[int]:
    """Return the columns (0-based) whose header names a national identifier."""
    return frozenset(place for place, name in enumerate(header) if _is_identifier(name))


def _is_identifier(name: str) -> bool:
    return normal_header(name) in _NUMBERS


def has_identifiers(header: Sequence[str]) -> bool:
    """Return whether a header names a national identifier."""
    return bool(_number_columns(header))
