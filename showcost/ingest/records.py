"""Records of a feed from a delivery's cells: header mapping, constants, typed values and keys.

The result has one row per record of the delivery, with text and typed value of each field; see
`records_schema`. `showcost.validation` checks the values later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from showcost.config.feed import FeedSpec, normal_header
from showcost.config.record_kinds import FieldType
from showcost.core.engine import engine
from showcost.core.hashing import SHORT
from showcost.core.ids import LINE_KEY_SQL
from showcost.ingest.masking import has_identifiers, masked_fields
from showcost.ingest.signs import (
    debit_or_credit,
    signed,
    stated_currencies,
    without_credits,
    without_rest_of_digits,
    without_spilled,
)
from showcost.validation.columns import RowTable, arrow_schema
from showcost.values.amounts import AmountColumn, AmountEvidence, amount_evidence, infer_amounts, scaled
from showcost.values.column import any_true
from showcost.values.dates import DateEvidence, DateStyle, date_evidence, infer_dates, infer_timestamps
from showcost.values.minor_units import MinorRows, is_hundredth
from showcost.values.symbols import known_symbols, symbol_in_header, unit_of
from showcost.values.zones import known_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from showcost.config.production import DateRange
    from showcost.config.record_kinds import Field
    from showcost.core.personal_numbers import PersonalNumbers
    from showcost.ingest.signs import CreditMarks


@cache
def _currencies() -> pa.Array:
    return pa.array(sorted(known_symbols()), pa.string())


def records_schema(feed: FeedSpec) -> pa.Schema:
    """Return the columns of a feed's records: their place, then each field as text and as typed value."""
    return arrow_schema(feed.kind, RowTable.RAW)


def stored_records(schema: pa.Schema, paths: Iterable[Path]) -> str:
    """Return the SQL that selects columns of stored records, in files bound as `$paths`.

    A field that a record kind got after some of them were stored is null in these, until they are read again.
    """
    written = [_names_in(path) for path in paths]
    present = frozenset[str]().union(*written)
    columns = []
    for field in schema:
        name = f'"{field.name}"'
        known = field.name in present
        columns.append(name if known else f"CAST(NULL AS {_sql_type(field.type)}) AS {name}")
    by_name = any(not names.issuperset(present) for names in written)
    source = f"read_parquet($paths, union_by_name = {by_name})"
    return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608 - names of our own columns


@cache
def _names_in(path: Path) -> frozenset[str]:
    """Return the columns of a file, which is named by its content and never changes."""
    return frozenset(pq.read_schema(path).names)


def _sql_type(type_: pa.DataType) -> str:
    """Return the type of a column of records in DuckDB's notation."""
    if pa.types.is_string(type_):
        return "VARCHAR"
    if pa.types.is_date32(type_):
        return "DATE"
    return "TIMESTAMP" if pa.types.is_timestamp(type_) else "BIGINT"


@dataclass(frozen=True)
class HeaderMatch:
    """The columns of a delivery by field; `problem` is set if they cannot be determined.

    `columns` maps a field to the 0-based column; `accounts` is the column of the account mapping, `signs`
    that of the signs, `credits` are the columns of amounts that are credits. `symbols` has what the names of
    columns of money state about the currency (`values.symbols.symbol_in_header`). `credit_marks` are columns
    with words for credits that the feed does not name, `spilling` those of amounts that may go on in the
    next, and `currency` is one with currencies that the feed does not name. `titled` is the currency that a
    line outside the rows states, for amounts for which nothing nearer states one, and `digits_in_text` are
    columns of amounts before a text that may have the rest of their digits. `has_identifiers`: a header names
    national identifiers.
    """

    columns: Mapping[str, int]
    accounts: int | None
    problem: str | None
    signs: int | None = None
    credits: Mapping[str, int] | None = None
    symbols: Mapping[str, str] | None = None
    credit_marks: Mapping[int, CreditMarks] | None = None
    spilling: frozenset[int] = frozenset()
    currency: int | None = None
    titled: str = ""
    digits_in_text: frozenset[int] = frozenset()
    has_identifiers: bool = False


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
    stated = {name: symbol_in_header(header[columns[name]]) for name in feed.money_fields if name in columns}
    match = _with_signs(feed, columns, places)
    return replace(
        match,
        symbols={name: symbol for name, symbol in stated.items() if symbol},
        has_identifiers=has_identifiers(header),
    )


def _with_signs(
    feed: FeedSpec, columns: Mapping[str, int], places: Mapping[str, Sequence[int]]
) -> HeaderMatch:
    """Return the match of the fields with the columns of accounts, signs and credits."""
    signs = _first_place(feed.signs.headers, places) if feed.signs else None
    if feed.signs is not None and signs is None:
        return HeaderMatch({}, None, f"no column for signs ({' or '.join(feed.signs.headers[:4])})")
    credits_: dict[str, int] = {}
    for name, hints in feed.fields.items():
        if hints.credit_headers:
            place = _first_place(hints.credit_headers, places)
            if place is None:
                return HeaderMatch({}, None, f"no column for credits of {name} ({hints.credit_headers[0]})")
            credits_[name] = place
    accounts = _first_place(feed.accounts.headers, places) if feed.accounts else None
    return HeaderMatch(columns, accounts, None, signs, credits_)


def _supplied(feed: FeedSpec, field: str) -> bool:
    """Return whether the feed itself supplies a field that has no column."""
    if field in feed.constants:
        return True
    if field == "currency":
        return feed.default_currency is not None
    return field == "account" and feed.accounts is not None


def _first_place(headers: Sequence[str], places: Mapping[str, Sequence[int]]) -> int | None:
    """Return the first column under the first of some headers that the delivery has."""
    for header in headers:
        if indexes := places.get(normal_header(header)):
            return indexes[0]
    return None


@dataclass(frozen=True)
class Accepted:
    """The records that the reader accepted: place, raw text, and cells by column.

    `period` has the first and the last day of dates without a year, where the delivery states it. `section`
    has the currency that a heading above each record states, for a feed that takes one for granted, and
    `kinds` what a heading calls them, if it is a credit or no cost.
    """

    place: pa.Table
    columns: Sequence[pa.ChunkedArray]
    match: HeaderMatch
    period: tuple[date, date] | None = None
    section: pa.Array | None = None
    kinds: pa.Array | None = None


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
                text = _field_text(feed, field.name, accepted, rows)
                dates[field.name] = date_evidence(text, _style(feed, field, accepted.period))
            case FieldType.AMOUNT:
                text = _field_text(feed, field.name, accepted, rows)
                amounts[field.name] = amount_evidence(text, dash_is_zero=feed.dash_is_zero)
            case FieldType.TEXT:
                continue
    return FormatEvidence(dates, amounts)


@dataclass(frozen=True)
class InferredRecords:
    """Records with typed values, and the inferred format of each field (for the delivery's metadata).

    `moments` counts, per field, the times with a zone and those of them that fall on another date.
    """

    records: pa.Table
    shapes: Mapping[str, str]
    moments: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Origin:
    """The delivery of records: its sha256, number and size, and the dates and places of its production.

    `timezone` is that of the production, `locations` those of locations that have another. `numbers` is the
    search for personal numbers in texts; without it, nothing but what a manifest of pay masks is masked.
    """

    delivery: str
    arrival: int
    size: int
    dates: DateRange
    timezone: str | None = None
    locations: Mapping[str, str] | None = None
    numbers: PersonalNumbers | None = None


def build_records(
    feed: FeedSpec, accepted: Accepted, origin: Origin, evidence: FormatEvidence
) -> InferredRecords:
    """Return a part of the records of a delivery with the columns of `records_schema`.

    A record dated outside the production has no `transaction_date`. `evidence` is the evidence of the whole
    delivery. `number_repeated` numbers records of the same key later.
    """
    rows = accepted.place.num_rows
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        name: accepted.place.column(name) for name in ("record", "byte_start", "byte_end", "raw")
    }
    columns["delivery"] = _repeat(origin.delivery, rows)
    columns["arrival"] = pa.repeat(pa.scalar(origin.arrival, pa.int64()), rows)
    columns["read_code"] = columns["read_detail"] = pa.nulls(rows, pa.string())
    shapes: dict[str, str] = {}
    moments: dict[str, tuple[int, int]] = {}
    for field in feed.kind.fields:
        text = _field_text(feed, field.name, accepted, rows)
        columns[field.name] = text
        places = None if field.type in {FieldType.TEXT, FieldType.AMOUNT} else _places(feed, accepted, origin)
        style = _style(feed, field, accepted.period)
        settled = _settle(feed, field, text, evidence, style, places)
        if accepted.match.symbols and (stated := accepted.match.symbols.get(field.name)):
            settled.values["symbol"] = _symbols(feed, accepted, stated, settled.values)
        if field.name in feed.money_fields:
            for currencies in _currencies_beside(accepted):
                known = pc.if_else(
                    pc.is_valid(settled.values["value"]), currencies, pa.scalar(None, pa.string())
                )
                # A multiple or a part counts more than a currency, even that of the amount itself.
                unit = pc.if_else(
                    pc.is_in(known, value_set=_currencies()), pa.scalar(None, pa.string()), known
                )
                settled.values["symbol"] = pc.coalesce(unit, settled.values["symbol"], known)
            if accepted.match.titled:
                settled.values["symbol"] = _symbols(feed, accepted, accepted.match.titled, settled.values)
        columns |= {f"{field.name}__{part}": values for part, values in settled.values.items()}
        if settled.shape:
            shapes[field.name] = settled.shape
        if settled.moments[0]:
            moments[field.name] = settled.moments
    columns |= masked_fields(
        *(feed, columns, origin.numbers),
        has_identifiers=origin.numbers is not None and accepted.match.has_identifiers,
    )
    columns["transaction_date"] = _within(columns[f"{feed.date_field}__value"], origin.dates)
    columns["ordinal"] = pa.repeat(pa.scalar(1, pa.int32()), rows)
    columns["row_key"] = _keys(feed, columns)
    schema = records_schema(feed)
    records = pa.table({name: columns[name] for name in schema.names}, schema=schema)
    return InferredRecords(records, shapes, moments)


def _repeat(text: str | None, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), rows)


def _field_text(feed: FeedSpec, field: str, accepted: Accepted, rows: int) -> pa.ChunkedArray | pa.Array:
    """Return a field as delivered, or as supplied by the feed."""
    if field in feed.constants:
        return _repeat(feed.constants[field], rows)
    index = accepted.match.columns.get(field)
    text = _repeat(None, rows) if index is None else unwrapped(accepted.columns[index])
    if field == "currency" and feed.default_currency is not None:
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(text), ""), True)
        return pc.if_else(blank, pa.scalar(feed.default_currency, pa.string()), text)
    if field == "account" and index is None and feed.accounts is not None:
        return _mapped_accounts(feed, accepted, rows)
    if accepted.match.credits and field in accepted.match.credits:
        return debit_or_credit(text, accepted.columns[accepted.match.credits[field]])
    if accepted.match.signs is not None and feed.signs is not None and field in feed.signed_fields:
        return signed(text, accepted.columns[accepted.match.signs], feed.signs)
    if index is not None and field in feed.money_fields:
        if accepted.match.credit_marks:
            text = without_credits(text, accepted.columns, accepted.match.credit_marks)
        if index in accepted.match.spilling:
            text = without_spilled(text, accepted.columns, index)
        if index in accepted.match.digits_in_text:
            text = without_rest_of_digits(text, accepted.columns, index)
    return text


def unwrapped(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return texts without the `="…"` by which an export keeps a spreadsheet from changing them."""
    if not any_true(pc.starts_with(texts, '="')):
        return texts
    return pc.replace_substring_regex(texts, r'^="([^"]*)"$', r"\1")


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


def _style(feed: FeedSpec, field: Field, period: tuple[date, date] | None) -> DateStyle:
    """Return what the feed states about the dates of a field; the order holds for dates alone."""
    if field.type is FieldType.TIMESTAMP:
        return DateStyle(languages=feed.languages)
    if feed.year is not None:
        period = date(feed.year, 1, 1), date(feed.year, 12, 31)
    return DateStyle(feed.formats_of(field.name), feed.day_first, period, feed.languages)


def _places(feed: FeedSpec, accepted: Accepted, origin: Origin) -> pa.Array | pa.ChunkedArray | str | None:
    """Return the time zone of each record, or of all: of its own field, of the feed, of its location."""
    default = feed.timezone or origin.timezone
    rows = accepted.place.num_rows
    by_row: list[pa.Array | pa.ChunkedArray] = []
    if "timezone" in feed.kind.by_name:
        by_row.append(known_places(pc.utf8_trim_whitespace(_field_text(feed, "timezone", accepted, rows))))
    if feed.timezone is None and "location" in feed.kind.by_name and origin.locations:
        named = {normal_text(name): zone for name, zone in origin.locations.items()}
        index = pc.index_in(
            _normal(_field_text(feed, "location", accepted, rows)), value_set=pa.array(named, pa.string())
        )
        by_row.append(pc.take(pa.array(named.values(), pa.string()), index))
    if not by_row:
        return default
    return pc.coalesce(*by_row, pa.scalar(default, pa.string()))


class _Settled(NamedTuple):
    """The typed columns of a field, its inferred format, and the counts of `InferredRecords.moments`."""

    values: dict[str, pa.Array]
    shape: str = ""
    moments: tuple[int, int] = (0, 0)


def _settle(
    feed: FeedSpec,
    field: Field,
    text: pa.Array | pa.ChunkedArray,
    evidence: FormatEvidence,
    style: DateStyle,
    places: pa.Array | pa.ChunkedArray | str | None,
) -> _Settled:
    """Return the typed columns of one field and the format inferred from the whole delivery."""
    name = field.name
    match field.type:
        case FieldType.TEXT:
            return _Settled({})
        case FieldType.DATE | FieldType.TIMESTAMP:
            infer = infer_dates if field.type is FieldType.DATE else infer_timestamps
            dates = infer(text, style, evidence=evidence.dates[name], places=places)
            values = {"value": dates.values, "problem": dates.problem}
            return _Settled(values, " | ".join(dates.formats), (dates.zoned, dates.moved))
        case FieldType.AMOUNT:
            amounts = _amounts(feed, name, text, evidence)
            values = {"value": amounts.values, "symbol": amounts.symbol, "problem": amounts.problem}
            return _Settled(values, f"decimal mark {amounts.decimal_mark}" if amounts.decimal_mark else "")


def _currencies_beside(accepted: Accepted) -> Iterator[pa.Array | pa.ChunkedArray]:
    """Yield the currencies of the records that the feed does not name: of a column, or of headings."""
    if accepted.match.currency is not None:
        yield stated_currencies(accepted.columns[accepted.match.currency])
    if accepted.section is not None:
        yield accepted.section


def _symbols(
    feed: FeedSpec, accepted: Accepted, stated: str, values: Mapping[str, pa.Array]
) -> pa.Array | pa.ChunkedArray:
    """Return the symbol of each amount: its own, else the one that the name of its column states.

    A name that states hundredths says no more than a currency code that does, or the feed's `scale`; of
    `£000`, with a scale of thousands, the pounds are left.
    """
    unit = unit_of(stated)
    if feed.scale and unit is not None and unit.places == feed.scale:
        stated = unit.money
    if not stated:
        return values["symbol"]
    applies = pc.is_valid(values["value"])
    minor = MinorRows.of(_field_text(feed, "currency", accepted, accepted.place.num_rows))
    if minor is not None and is_hundredth(stated):
        applies = pc.and_not(applies, minor.mask)
    return pc.coalesce(values["symbol"], pc.if_else(applies, stated, pa.scalar(None, pa.string())))


def _amounts(
    feed: FeedSpec, name: str, text: pa.Array | pa.ChunkedArray, evidence: FormatEvidence
) -> AmountColumn:
    amounts = infer_amounts(
        text,
        decimal_mark=feed.decimal_mark,
        dash_is_zero=feed.dash_is_zero,
        evidence=evidence.amounts[name],
    )
    return scaled(amounts, feed.scale) if name in feed.money_fields else amounts


def amounts_of(feed: FeedSpec, accepted: Accepted, evidence: FormatEvidence, name: str) -> AmountColumn:
    """Return a field of amounts of a part of a delivery, as `build_records` reads it."""
    return _amounts(feed, name, _field_text(feed, name, accepted, accepted.place.num_rows), evidence)


def _within(values: pa.Array | pa.ChunkedArray, dates: DateRange) -> pa.Array | pa.ChunkedArray:
    """Return dates, null for dates outside the production."""
    days = values.cast(pa.date32())
    inside = pc.and_(
        pc.greater_equal(days, pa.scalar(dates.start)), pc.less_equal(days, pa.scalar(dates.end))
    )
    return pc.if_else(inside, days, pa.scalar(None, pa.date32()))


_REPEATED_SQL: Final = """
CREATE TEMP TABLE repeated AS
SELECT record, dense_rank() OVER (PARTITION BY row_key ORDER BY first) AS again
FROM (
    SELECT record, row_key, {first} AS first FROM records SEMI JOIN (
        SELECT row_key FROM records WHERE {chosen} GROUP BY row_key HAVING count(*) > 1
    ) AS shared USING (row_key)
)
"""
_NUMBERED_SQL: Final = """
SELECT records.* REPLACE (
    coalesce(again, 1)::INTEGER AS ordinal,
    {key} AS row_key
) FROM records LEFT JOIN repeated USING (record)
"""
_ORDINAL_KEY: Final = f"""
CASE WHEN row_key IS NOT NULL THEN sha256(json_array(row_key, coalesce(again, 1)))[1:{SHORT}] END
"""
_UNNUMBERED: Final = r"row_key IS NOT NULL AND NOT regexp_matches(coalesce({line}, ''), '[^\s\p{{Zs}}]')"
"""Records whose line number is blank, as `_normal` sees it."""
_LINE_KEY: Final = (
    f"CASE WHEN again > 1 THEN {LINE_KEY_SQL.format(key='row_key', line='again')} ELSE row_key END"
)


def number_repeated(connection: duckdb.DuckDBPyConnection, feed: FeedSpec) -> str:
    """Return the query for the records of a whole delivery, which are in the view `records`.

    Records of the same key get ordinals in the order of the delivery: all of them if the feed numbers them,
    else those without a line number (see `core.ids.line_key`).
    """
    if feed.key_ordinal:
        connection.execute(_REPEATED_SQL.format(first="record", chosen="row_key IS NOT NULL"))
        return _NUMBERED_SQL.format(key=_ORDINAL_KEY)
    line = feed.kind.line
    if line is None:
        return "SELECT * FROM records"
    chosen = _UNNUMBERED.format(line=line)
    connection.execute(_REPEATED_SQL.format(first=_first_of_line(feed.kind.lines_by), chosen=chosen))
    return _NUMBERED_SQL.format(key=_LINE_KEY)


def _first_of_line(lines_by: Sequence[str]) -> str:
    """Return the first record of a row's line: its own, or that of the first row equal in `lines_by`."""
    if not lines_by:
        return "record"
    parts = ", ".join(_NORMAL_SQL.format(name=name) for name in lines_by)
    return f"min(record) OVER (PARTITION BY row_key, {parts})"


_NORMAL_SQL: Final = r"""lower(trim(regexp_replace(coalesce("{name}", ''), '[\s\p{{Zs}}]+', ' ', 'g')))"""
"""`_normal` of a column, in SQL."""


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
    key = f"json_array($feed, {parts})"
    for index, name in enumerate(() if feed.key else feed.kind.key_if_given):
        # A row that leaves the field blank has the key that it had before the field was known.
        cells[f"given{index}"] = _normal(columns[name])
        key = f"CASE WHEN given{index} = '' THEN {key} ELSE json_array({key}, '{name}', given{index}) END"
    cells["place"] = pa.array(range(len(cells["k0"])), pa.int64())
    with engine() as connection:
        connection.register("cells", pa.table(cells))
        bases = f"SELECT sha256({key}) AS base FROM cells ORDER BY place"  # noqa: S608 - our own names
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
