"""Corrections of records: field values entered by a person, in place of the delivered values.

A correction has a fixed format: dates and times as ISO 8601, amounts as plain decimals with a point; a blank
empties the field. Keys and transaction dates are derived again, as at landing. The raw text of a record does
not change. Validation checks the corrected record like any other.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from showcost.config.record_kinds import FieldType
from showcost.core.errors import InputError
from showcost.core.hashing import SHORT, sha256_framed
from showcost.core.ids import line_key
from showcost.core.national_ids import masked_text
from showcost.core.personal_numbers import ANYWHERE, PersonalNumbers, refuse_numbers
from showcost.ingest.hidden import after_correction
from showcost.ingest.masking import names_people
from showcost.ingest.no_costs import without_no_cost
from showcost.ingest.records import key_bases, records_schema
from showcost.readers.model import MAY_BE_TOTAL
from showcost.values.column import BLANK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from showcost.config.feed import FeedSpec
    from showcost.config.production import DateRange
    from showcost.config.record_kinds import Field

Cell = str | int | date | datetime | None

_AMOUNT: Final = re.compile(r"-?\d+(\.\d+)?")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?")
_FORMS: Final[Mapping[FieldType, str]] = {
    FieldType.DATE: "a date such as 2026-10-28",
    FieldType.TIMESTAMP: "a local date and time such as 2026-10-28T06:00",
    FieldType.AMOUNT: "an amount such as -1234.56",
}


def check_correction(feed: FeedSpec, name: str, text: str, numbers: PersonalNumbers = ANYWHERE) -> None:
    """Raise InputError, with the field's name, for an unknown field or an unreadable text.

    A national identifier, an IBAN or a card number is refused before it reaches the audit log.
    """
    field = feed.kind.by_name.get(name)
    if field is None:
        raise InputError(
            f"{feed.record_kind} has no field {name!r}; its fields are {', '.join(feed.kind.by_name)}"
        )
    if names_people(feed) and masked_text(text, names_person=field.personal) != text:
        raise InputError(
            f"the text for {name} looks like a social-security, social-insurance or national-insurance"
            " number; a manifest names people by pseudonyms (SC-ROW-003)"
        )
    if not field.reference:
        refuse_numbers(f"the text for {name}", text, numbers)
    _settled(field, text)


def correct_records(
    feed: FeedSpec,
    rows: pa.Table,
    corrections: Mapping[tuple[str, int], Mapping[str, str]],
    *,
    dates: DateRange,
    siblings: pa.Table,
) -> pa.Table:
    """Return the corrected records, in the same order.

    `corrections` has the texts by field of each row's delivery and record; `dates` are the production's.
    `siblings` are all records of these deliveries as read: where records of equal keys are numbered, a record
    that moves to a key is numbered after all records delivered with it.
    """
    corrected = [
        _corrected(feed, row, corrections[row["delivery"], row["record"]]) for row in rows.to_pylist()
    ]
    for row in corrected:
        day = row[f"{feed.date_field}__value"]
        day = day.date() if isinstance(day, datetime) else day
        row["transaction_date"] = day if isinstance(day, date) and dates.start <= day <= dates.end else None
    table = pa.Table.from_pylist(corrected, schema=records_schema(feed))
    return _keyed(feed, rows, table, siblings)


def _corrected(feed: FeedSpec, row: Mapping[str, Cell], texts: Mapping[str, str]) -> dict[str, Cell]:
    """Return a record with some fields replaced; a record that the reader rejected has only these fields.

    A record that may be a total has its other fields, too, and is no longer in doubt with another amount.
    """
    corrected = dict(row)
    if row["read_code"] == MAY_BE_TOTAL:
        if feed.kind.primary.field in texts:
            corrected |= {"read_code": None, "read_detail": after_correction(str(row["read_detail"]))}
    elif row["read_code"] is None:
        if feed.kind.primary.field in texts:
            corrected["read_detail"] = without_no_cost(str(row["read_detail"] or ""))
    else:
        corrected |= {"read_code": None, "read_detail": None}
        texts = dict.fromkeys(feed.kind.by_name, "") | dict(feed.constants) | dict(texts)
        if not texts["currency"] and feed.default_currency is not None:
            texts["currency"] = feed.default_currency
    for name, text in texts.items():
        corrected[name] = text
        corrected |= {
            f"{name}__{part}": value for part, value in _settled(feed.kind.by_name[name], text).items()
        }
    return corrected


def _settled(field: Field, text: str) -> dict[str, Cell]:
    """Return the typed columns of a corrected field."""
    if field.type is FieldType.TEXT:
        return {}
    symbol: dict[str, Cell] = {"symbol": None} if field.type is FieldType.AMOUNT else {}
    if not text.strip():
        return {"value": None, "problem": BLANK} | symbol
    try:
        value = _read(field.type, text)
    except ValueError:
        raise InputError(f"{field.name} must be {_FORMS[field.type]}, not {text!r}") from None
    return {"value": value, "problem": None} | symbol


def _read(type_: FieldType, text: str) -> Cell:
    match type_:
        case FieldType.DATE:
            return date.fromisoformat(text)
        case FieldType.TIMESTAMP:
            if not _MOMENT.fullmatch(text):
                raise ValueError(text)
            return datetime.fromisoformat(text)
        case _:
            if not _AMOUNT.fullmatch(text):
                raise ValueError(text)
            return text


def _keyed(feed: FeedSpec, before: pa.Table, after: pa.Table, siblings: pa.Table) -> pa.Table:
    """Assign keys to corrected records; a record with an unchanged key keeps its number among equal keys."""
    bases = key_bases(feed, _columns(after)).to_pylist()
    ordinals = [1] * len(bases)
    numbered = _numbered(feed, after)
    if any(numbered):
        same = key_bases(feed, _columns(before)).to_pylist()
        unread = before.column("read_code").to_pylist()
        deliveries = after.column("delivery").to_pylist()
        counts = _counts(feed, siblings)
        ordinals = [
            1
            if not is_numbered
            else ordinal
            if base == previous and was_numbered and code in {None, MAY_BE_TOTAL}
            else counts[delivery, base] + 1
            for is_numbered, was_numbered, ordinal, base, previous, code, delivery in zip(
                numbered,
                _numbered(feed, before),
                after.column("ordinal").to_pylist(),
                bases,
                same,
                unread,
                deliveries,
                strict=True,
            )
        ]
    keys = [_key(feed, base, ordinal) for base, ordinal in zip(bases, ordinals, strict=True)]
    schema = after.schema
    for name, values in (("ordinal", ordinals), ("row_key", keys)):
        place = schema.get_field_index(name)
        after = after.set_column(place, schema.field(place), pa.array(values, schema.field(place).type))
    return after


def _counts(feed: FeedSpec, records: pa.Table) -> Counter[tuple[str, str]]:
    """Return the number of numbered records per delivery and key."""
    places = zip(
        records.column("delivery").to_pylist(),
        key_bases(feed, _columns(records)).to_pylist(),
        _numbered(feed, records),
        strict=True,
    )
    return Counter((delivery, base) for delivery, base, is_numbered in places if is_numbered)


def _numbered(feed: FeedSpec, records: pa.Table) -> list[bool]:
    """Return for each record whether it is told apart from others of its key by order."""
    if feed.key_ordinal or feed.kind.line is None:
        return [feed.key_ordinal] * records.num_rows
    return [not (line or "").strip() for line in records.column(feed.kind.line).to_pylist()]


def _columns(records: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(records.column_names, records.columns, strict=True))


def _key(feed: FeedSpec, base: str, ordinal: int) -> str:
    return sha256_framed([base, ordinal])[:SHORT] if feed.key_ordinal else line_key(base[:SHORT], ordinal)
