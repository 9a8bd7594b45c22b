"""Typed cells of raw rows, the input of the rules, and the hash of a row's content.

Each field has a column with its typed value, null when blank or unreadable. Dates, timestamps and amounts
have `<field>__problem`; amounts also have `__digits` (before the point), `__decimals` (after it, without
trailing zeros), `__plain` (canonical text) and `__symbol`. The rules decide about the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.record_kinds import Field, FieldType
from showcost.core.arrow import CheckedTable, query
from showcost.core.documents import normal_names, normal_tax_ids
from showcost.core.errors import InputError
from showcost.core.hashing import SHORT
from showcost.validation.columns import INTEGER_DIGITS, RowTable, arrow_schema, field_type
from showcost.values.column import BLANK

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.config.feed import FeedSpec
    from showcost.config.record_kinds import RecordKind


_UNTIDY: Final = r"[\s\p{Zs}]{2}|[\t\n\f\r\v\x{a0}\x{1680}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}]"
_SPACE: Final = r"[\s\v\p{Zs}]+"
_MINOR_UNIT: Final = "^[A-Z]{2}[a-z]$"
_PLACE: Final = ("delivery", "arrival", "record", "row_key", "transaction_date", "read_code", "read_detail")


@dataclass(frozen=True)
class RawRows(CheckedTable):
    """Raw rows with exactly the columns of their record kind, in order."""

    kind: RecordKind

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return arrow_schema(self.kind, RowTable.RAW)


def raw_rows(rows: pa.Table, kind: RecordKind) -> RawRows:
    """Return the raw rows of a table that may have further columns.

    Raises InputError with the names of columns that are missing or have another type.
    """
    schema = arrow_schema(kind, RowTable.RAW)
    wrong = [
        column.name
        for column in schema
        if column.name not in rows.column_names or rows.schema.field(column.name).type != column.type
    ]
    if wrong:
        raise InputError(f"raw rows of {kind.name}: columns missing or of another type: {', '.join(wrong)}")
    return RawRows(rows.select(schema.names).replace_schema_metadata(None), kind)


def read_cells(rows: pa.Table, feed: FeedSpec) -> pa.Table:
    """Return the typed cells of raw rows, in their order; `date` is the transaction date as delivered."""
    columns = {name: rows.column(name) for name in _PLACE}
    for field in feed.kind.fields:
        columns |= _read(rows, field)
    columns["currency"] = _currency_codes(columns["currency"])
    columns["date"] = columns[feed.date_field].cast(pa.date32(), safe=False)
    return pa.table(columns)


def _currency_codes(codes: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return codes in upper case, but not `GBp` or `ZAc`: pence are a hundredth of what that would say."""
    return pc.if_else(pc.match_substring_regex(codes, _MINOR_UNIT), codes, pc.utf8_upper(codes))


def tidy(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts trimmed, with runs of spaces collapsed; null when nothing is left."""
    if texts.null_count == len(texts):
        return texts
    trimmed = pc.utf8_trim_whitespace(texts)
    untidy = pc.match_substring_regex(trimmed, _UNTIDY)
    if pc.any(untidy, min_count=0).as_py():
        spaced = pc.replace_substring_regex(trimmed.filter(untidy), pattern=_SPACE, replacement=" ")
        trimmed = pc.replace_with_mask(
            trimmed.combine_chunks(), untidy.combine_chunks(), spaced.combine_chunks()
        )
    return pc.if_else(pc.not_equal(trimmed, ""), trimmed, pa.scalar(None, pa.string()))


def contents(cells: pa.Table, rows: pa.Table, kind: RecordKind) -> pa.ChunkedArray:
    """Return the hash of each row's content: sha256, 32 hex digits, over the typed values of all its fields.

    Amounts count by value, not as written (12.50 is 12.5); an unreadable cell counts as its tidied text. The
    hash frames the values as a JSON array, as `showcost.core.hashing` does. Of the fields that were added
    later, a list of those that are not blank follows, each as name and value; without any, nothing does.
    """
    values: dict[str, pa.ChunkedArray] = {}
    added: list[str] = []
    for index, field in enumerate(kind.fields):
        value = _canonical(cells, rows, field)
        if field.added and value.null_count == len(value):
            continue
        values[f"v{index}"] = value
        if field.added:
            added.append(f"{{'name': '{field.name}', 'value': v{index}}}")
    hashed = f"json_array({', '.join(values)})"
    if added:
        first = ", ".join(name for name in values if not kind.fields[int(name[1:])].added)
        given = f"list_filter([{', '.join(added)}], lambda pair: pair.value IS NOT NULL)"
        hashed = f"CASE WHEN len({given}) = 0 THEN json_array({first}) ELSE json_array({first}, {given}) END"
    sql = f"SELECT sha256({hashed})[1:{SHORT}] AS content FROM cells"  # noqa: S608 -- names of ours
    return query(sql, cells=pa.table(values)).column("content")


def comparables(cells: pa.Table, rows: pa.Table, feed: FeedSpec) -> pa.ChunkedArray:
    """Return a hash (unsigned 64 bits) of what makes two rows of one key the same cost; never stored.

    As `contents`, without the fields of the key, with tax ids and names in normal form, and without the name
    of a payee that a tax id identifies: a company that changed its name sends no other invoice.
    """
    identity = feed.kind.identity
    values: dict[str, pa.ChunkedArray | pa.Array] = {}
    for field in feed.kind.fields:
        if field.name not in feed.key_fields:
            values[field.name] = _canonical(cells, rows, field)
    if identity is not None and identity.tax_id in values:
        tax_id = _distinct(values[identity.tax_id], normal_tax_ids)
        values[identity.tax_id] = tax_id
        if identity.name in values:
            name = pc.if_else(pc.is_valid(tax_id), pa.scalar(None, pa.string()), values[identity.name])
            values[identity.name] = _distinct(name, normal_names)
    renamed = {f"v{index}": column for index, column in enumerate(values.values())}
    sql = f"SELECT hash({', '.join(renamed)}) AS comparable FROM cells"  # noqa: S608 -- names of ours
    return query(sql, cells=pa.table(renamed)).column("comparable")


def _distinct(texts: pa.ChunkedArray, normal: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return texts in a normal form that is found once for each distinct text."""
    if texts.null_count == len(texts):
        return texts
    encoded = texts.combine_chunks().dictionary_encode()
    return pc.take(normal(encoded.dictionary), encoded.indices)


def _canonical(cells: pa.Table, rows: pa.Table, field: Field) -> pa.ChunkedArray:
    match field.type:
        case FieldType.TEXT:
            return cells.column(field.name)
        case FieldType.AMOUNT:
            typed = cells.column(f"{field.name}__plain")
        case _:
            typed = cells.column(field.name).cast(pa.string())
    problem = cells.column(f"{field.name}__problem")
    return typed if problem.null_count == len(problem) else pc.coalesce(typed, tidy(rows.column(field.name)))


def _read(rows: pa.Table, field: Field) -> dict[str, pa.ChunkedArray]:
    name = field.name
    if field.type is FieldType.TEXT:
        return {name: tidy(rows.column(name))}
    value, problem = rows.column(f"{name}__value"), rows.column(f"{name}__problem")
    if value.null_count:
        problem = pc.coalesce(problem, pc.if_else(pc.is_null(value), BLANK, pa.scalar(None, pa.string())))
    if problem.null_count < len(problem):
        value = pc.if_else(pc.is_null(problem), value, pa.scalar(None, value.type))
    if field.type is not FieldType.AMOUNT:
        return {name: value, f"{name}__problem": problem}
    symbol = tidy(rows.column(f"{name}__symbol"))
    return {**_amount(value, field), f"{name}__problem": problem, f"{name}__symbol": symbol}


def _amount(text: pa.ChunkedArray, field: Field) -> dict[str, pa.ChunkedArray]:
    """Split canonical amounts, `-?digits(.digits)?`, into value, digits, decimals and plain text."""
    type_ = field_type(field)
    fraction_kept = pc.if_else(pc.match_substring(text, "."), pc.ascii_rtrim(text, "0"), text)
    unsigned = pc.ascii_ltrim(pc.ascii_rtrim(fraction_kept, "."), "-0")
    length, point = pc.binary_length(unsigned), pc.find_substring(unsigned, ".")
    whole = pc.less(point, 0)
    digits = pc.if_else(whole, length, point)
    decimals = pc.if_else(whole, pa.scalar(0, pa.int32()), pc.subtract(pc.subtract(length, point), 1))
    sign = pc.if_else(pc.and_(pc.starts_with(text, "-"), pc.greater(length, 0)), "-", "")
    zero = pc.if_else(pc.equal(digits, 0), "0", "")
    plain = pc.binary_join_element_wise(sign, zero, unsigned, "")
    storable = pc.and_(pc.less_equal(digits, INTEGER_DIGITS), pc.less_equal(decimals, type_.scale))
    value = pc.if_else(storable, plain, pa.scalar(None, pa.string())).cast(type_)
    return {
        field.name: value,
        f"{field.name}__digits": digits,
        f"{field.name}__decimals": decimals,
        f"{field.name}__plain": plain,
    }
