"""Records of a feed from a delivery's cells: header mapping, constants, typed values and keys.

The result has one row per record of the delivery, with text and typed value of each field; see
`records_schema`. `showcost.validation` checks the values later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.config.feed import FeedSpec, normal_header
from showcost.config.record_kinds import FieldType
from showcost.core.engine import engine
from showcost.core.hashing import SHORT
from showcost.ingest.masking import masked_fields, names_people
from showcost.validation.columns import RowTable, arrow_schema
from showcost.values.amounts import AmountEvidence, amount_evidence, infer_amounts
from showcost.values.dates import DateEvidence, date_evidence, infer_dates, infer_timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from showcost.config.production import DateRange


def records_schema(feed: FeedSpec) -> pa.Schema:
    """Return the columns of a feed's records: their place, then each field as text and as typed value."""
    return arrow_schema(feed.kind, RowTable.RAW)


@dataclass(frozen=True)
class HeaderMatch:
    """The columns of a delivery by field; `problem` is set if they cannot be determined.

    `columns` maps a field to the 0-based column; `accounts` is the column of the account mapping.
    """

    columns: Mapping[str, int]
    accounts: int | None
    problem: str | None


def match_header(feed: FeedSpec, header: Sequence[str], filled: Sequence[bool]) -> HeaderMatch:
    """Find the feed's fields in a header.

    Headers are compared without case, spaces, punctuation and plural. If several synonyms of a field occur,
    the synonym that the feed lists first counts; if it occurs twice, the only column with any content counts,
    and two such columns are ambiguous. `filled` marks the columns with any content.
    """
    places: dict[str, list[int]] = {}
    for index, name in enumerate(header):
        places.setdefault(normal_header(name), []).append(index)
    columns: dict[str, int] = {}
    for field in feed.kind.by_name:
        if field in feed.constants:
            continue
        for synonym in map(normal_header, feed.headers_of(field)):
            matching = places.get(synonym, [])
            if len(matching) > 1:
                matching = [index for index in matching if filled[index]] or matching[:1]
            if len(matching) > 1:
                candidates = " and ".join(f"{index + 1} ({header[index].strip()})" for index in matching)
                return HeaderMatch({}, None, f"columns {candidates} mean {field} alike")
            if matching:
                columns[field] = matching[0]
                break
    missing = [
        f"{field} ({' or '.join(feed.headers_of(field)[:4])})"
        for field in feed.required_fields
        if field not in columns and not _supplied(feed, field)
    ]
    if missing:
        return HeaderMatch({}, None, f"no column for {', '.join(missing)}")
    return HeaderMatch(columns, _account_column(feed, places), None)


def _supplied(feed: FeedSpec, field: str) -> bool:
    """Return whether the feed itself supplies a field that has no column."""
    if field in feed.constants:
        return True
    if field == "currency":
        return feed.default_currency is not None
    return field == "account" and feed.accounts is not None


def _account_column(feed: FeedSpec, places: Mapping[str, Sequence[int]]) -> int | None:
    for header in feed.accounts.headers if feed.accounts else ():
        if indexes := places.get(normal_header(header)):
            return indexes[0]
    return None


@dataclass(frozen=True)
class Accepted:
    """The records that the reader accepted: place, raw text, and cells by column."""

    place: pa.Table
    columns: Sequence[pa.ChunkedArray]
    match: HeaderMatch


@dataclass(frozen=True)
class FormatEvidence:
    """Evidence on the date and amount columns from the cells of a delivery or a part of it."""

    dates: Mapping[str, DateEvidence]
    amounts: Mapping[str, AmountEvidence]

    def __or__(self, other: FormatEvidence) -> FormatEvidence:
        return FormatEvidence(
            {name: seen | other.dates[name] for name, seen in self.dates.items()},
            {name: seen | other.amounts[name] for name, seen in self.amounts.items()},
        )


def evidence_of(feed: FeedSpec, accepted: Accepted) -> FormatEvidence:
    """Return the evidence of a part of a delivery's records on each whole column."""
    rows = accepted.place.num_rows
    dates, amounts = {}, {}
    for field in feed.kind.fields:
        match field.type:
            case FieldType.DATE | FieldType.TIMESTAMP:
                formats = feed.formats_of(field.name) if field.type is FieldType.DATE else ()
                text = _field_text(feed, field.name, accepted, rows)
                dates[field.name] = date_evidence(text, formats=formats)
            case FieldType.AMOUNT:
                text = _field_text(feed, field.name, accepted, rows)
                amounts[field.name] = amount_evidence(text, dash_is_zero=feed.dash_is_zero)
            case FieldType.TEXT:
                continue
    return FormatEvidence(dates, amounts)


@dataclass(frozen=True)
class InferredRecords:
    """Records with typed values, and the inferred format of each field (for the delivery's metadata)."""

    records: pa.Table
    shapes: Mapping[str, str]


@dataclass(frozen=True)
class Origin:
    """The delivery of records: its sha256, number and size, and the dates of its production."""

    delivery: str
    arrival: int
    size: int
    dates: DateRange


def build_records(
    feed: FeedSpec, accepted: Accepted, origin: Origin, evidence: FormatEvidence
) -> InferredRecords:
    """Return a part of the records of a delivery with the columns of `records_schema`.

    A record dated outside the production has no `transaction_date`. `evidence` is the evidence of the whole
    delivery. If the feed numbers records of the same key, `number_repeated` does so later.
    """
    rows = accepted.place.num_rows
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        name: accepted.place.column(name) for name in ("record", "byte_start", "byte_end", "raw")
    }
    columns["delivery"] = _repeat(origin.delivery, rows)
    columns["arrival"] = pa.repeat(pa.scalar(origin.arrival, pa.int64()), rows)
    columns["read_code"] = columns["read_detail"] = pa.nulls(rows, pa.string())
    shapes: dict[str, str] = {}
    for field in feed.kind.fields:
        text = _field_text(feed, field.name, accepted, rows)
        columns[field.name] = text
        settled, shape = _settle(feed, field.name, text, evidence)
        columns |= {f"{field.name}__{part}": values for part, values in settled.items()}
        if shape:
            shapes[field.name] = shape
    if names_people(feed):
        columns |= masked_fields(feed, columns)
    columns["transaction_date"] = _within(columns[f"{feed.date_field}__value"], origin.dates)
    columns["ordinal"] = pa.repeat(pa.scalar(1, pa.int32()), rows)
    columns["row_key"] = _keys(feed, columns)
    schema = records_schema(feed)
    return InferredRecords(pa.table({name: columns[name] for name in schema.names}, schema=schema), shapes)


def _repeat(text: str | None, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def _field_text(feed: FeedSpec, field: str, accepted: Accepted, rows: int) -> pa.ChunkedArray | pa.Array:
    """Return a field as delivered, or as supplied by the feed."""
    if field in feed.constants:
        return _repeat(feed.constants[field], rows)
    index = accepted.match.columns.get(field)
    text = _repeat(None, rows) if index is None else accepted.columns[index]
    if field == "currency" and feed.default_currency is not None:
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(text), ""), True)
        return pc.if_else(blank, pa.scalar(feed.default_currency, pa.string()), text)
    if field == "account" and index is None and feed.accounts is not None:
        return _mapped_accounts(feed, accepted, rows)
    return text


def _mapped_accounts(feed: FeedSpec, accepted: Accepted, rows: int) -> pa.Array | pa.ChunkedArray:
    """Return the accounts for the texts of the mapping's column; see `AccountMapping`."""
    mapping = feed.accounts
    column = accepted.match.accounts
    if mapping is None or column is None:
        return _repeat(mapping.otherwise if mapping else None, rows)
    listed = {normal_text(text): account for text, account in mapping.map.items()}
    places = pc.index_in(_normal(accepted.columns[column]), value_set=pa.array(listed, pa.string()))
    accounts = pc.take(pa.array(listed.values(), pa.string()), places)
    return pc.fill_null(accounts, mapping.otherwise) if mapping.otherwise else accounts


def normal_text(text: str) -> str:
    """Return text without case and spacing differences, as keys and mappings are compared."""
    return " ".join(text.split()).lower()


def _normal(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Apply `normal_text` to a column; blank becomes the empty text."""
    spaced = pc.replace_substring_regex(texts, pattern=r"[\s\p{Zs}]+", replacement=" ")
    return pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(spaced)), "")


def _settle(
    feed: FeedSpec, name: str, text: pa.Array | pa.ChunkedArray, evidence: FormatEvidence
) -> tuple[dict[str, pa.Array], str]:
    """Return the typed columns of one field and the format inferred from the whole delivery."""
    match feed.kind.by_name[name].type:
        case FieldType.TEXT:
            return {}, ""
        case FieldType.DATE:
            dates = infer_dates(
                text,
                formats=feed.formats_of(name),
                day_first=feed.day_first,
                evidence=evidence.dates[name],
            )
            return {"value": dates.values, "problem": dates.problem}, " | ".join(dates.formats)
        case FieldType.TIMESTAMP:
            moments = infer_timestamps(text, evidence=evidence.dates[name])
            return {"value": moments.values, "problem": moments.problem}, " | ".join(moments.formats)
        case FieldType.AMOUNT:
            amounts = infer_amounts(
                text,
                decimal_mark=feed.decimal_mark,
                dash_is_zero=feed.dash_is_zero,
                evidence=evidence.amounts[name],
            )
            settled = {"value": amounts.values, "symbol": amounts.symbol, "problem": amounts.problem}
            return settled, f"decimal mark {amounts.decimal_mark}" if amounts.decimal_mark else ""


def _within(values: pa.Array | pa.ChunkedArray, dates: DateRange) -> pa.Array | pa.ChunkedArray:
    """Return dates, null for dates outside the production."""
    days = values.cast(pa.date32())
    inside = pc.and_(
        pc.greater_equal(days, pa.scalar(dates.start)), pc.less_equal(days, pa.scalar(dates.end))
    )
    return pc.if_else(inside, days, pa.scalar(None, pa.date32()))


_REPEATED_SQL: Final = """
CREATE TEMP TABLE repeated AS
SELECT record, row_number() OVER (PARTITION BY row_key ORDER BY record) AS again
FROM records SEMI JOIN (
    SELECT row_key FROM records WHERE row_key IS NOT NULL GROUP BY row_key HAVING count(*) > 1
) AS shared USING (row_key)
"""
_NUMBERED_SQL: Final = """
SELECT records.* REPLACE (
    coalesce(again, 1)::INTEGER AS ordinal,
    CASE WHEN row_key IS NULL THEN NULL
        ELSE sha256(json_array(row_key, coalesce(again, 1)))[1:{short}] END AS row_key
) FROM records LEFT JOIN repeated USING (record)
"""


def number_repeated(connection: duckdb.DuckDBPyConnection, feed: FeedSpec) -> str:
    """Return the query for the records of a whole delivery, which are in the view `records`.

    If the feed numbers the records of the same key, they get ordinals in the order of the delivery.
    """
    if not feed.key_ordinal:
        return "SELECT * FROM records"
    connection.execute(_REPEATED_SQL)
    return _NUMBERED_SQL.format(short=SHORT)


def key_bases(feed: FeedSpec, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return the hash over each record's key fields, before equal keys are numbered.

    The hash is over normalised text, and over typed values where there are any, so that a re-export in
    another format (dates, decimal marks) has the same keys.
    """
    cells: dict[str, pa.Array | pa.ChunkedArray] = {}
    for index, field in enumerate(feed.key_fields):
        text = _normal(columns[field])
        settled = columns.get(f"{field}__value")
        cells[f"k{index}"] = text if settled is None else pc.coalesce(settled.cast(pa.string()), text)
    parts = ", ".join(cells)
    cells["place"] = pa.array(range(len(cells["k0"])), pa.int64())
    with engine() as connection:
        connection.register("cells", pa.table(cells))
        bases = f"SELECT sha256(json_array($feed, {parts})) AS base FROM cells ORDER BY place"  # noqa: S608 - our own names
        return connection.sql(bases, params={"feed": feed.name}).to_arrow_table().column("base")


def _keys(feed: FeedSpec, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return the key of each record, not yet shortened if the number among equal keys is to be added."""
    bases = key_bases(feed, columns)
    return bases if feed.key_ordinal else pc.utf8_slice_codeunits(bases, 0, SHORT)


def rejected_records(feed: FeedSpec, rows: Sequence[RejectedRow], origin: Origin) -> pa.Table:
    """Return records for the reader's rejections: place, raw text and code, all fields null."""
    schema = records_schema(feed)
    columns: dict[str, pa.Array] = {
        "delivery": _repeat(origin.delivery, len(rows)),
        "arrival": pa.repeat(pa.scalar(origin.arrival, pa.int64()), len(rows)),
        "record": pa.array([row.record for row in rows], pa.int64()),
        "byte_start": pa.array([row.start for row in rows], pa.int64()),
        "byte_end": pa.array([row.end for row in rows], pa.int64()),
        "ordinal": pa.repeat(pa.scalar(1, pa.int32()), len(rows)),
        "raw": pa.array([row.raw for row in rows], pa.string()),
        "read_code": pa.array([row.code for row in rows], pa.string()),
        "read_detail": pa.array([row.detail for row in rows], pa.string()),
    }
    for name in schema.names:
        columns.setdefault(name, pa.nulls(len(rows), schema.field(name).type))
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


@dataclass(frozen=True)
class RejectedRow:
    """One record that the reader rejected: place (bytes, half open), raw text, code and detail."""

    record: int
    start: int
    end: int
    raw: str
    code: str
    detail: str
