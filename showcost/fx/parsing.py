"""Parse rate files into a `RateHistory`.

Three formats are read: the ECB's table (`Date,USD,JPY,…`, one row per day, `N/A` for no rate, an empty
column at the end), the same table as the only member of a zip, and the ECB's XML (90 days or all). Nothing
is inferred or repaired: a file with any fault is refused as a whole, because one wrong rate affects every
amount of its day.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Final
from xml.etree import ElementTree as ET

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes
from showcost.fx.history import (
    EURO,
    PUBLICATIONS_SCHEMA,
    RATE_DECIMALS,
    RATE_INTEGER_DIGITS,
    RATES_SCHEMA,
    RateHistory,
)

MAX_UNPACKED_BYTES: Final = 64 << 20
"""Maximum size of an unpacked rate file; the whole history since 1999 is 2 MB."""

_NO_RATE: Final = pa.array(["N/A", ""], pa.string())
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_ISO_DATE: Final = r"^\d{4}-\d{2}-\d{2}$"
_RATE: Final = rf"^(0|[1-9]\d{{0,{RATE_INTEGER_DIGITS - 1}}})(\.\d{{1,{RATE_DECIMALS}}})?$"
_BOM: Final = b"\xef\xbb\xbf"


def parse_history(data: bytes, source: str, shown_name: str) -> RateHistory:
    """Read a rate file.

    `source` is recorded with every day; `shown_name` names the file in errors. Raises InputError for a file
    that is not in one of the three formats, or has a fault.
    """
    sha256 = sha256_bytes(data)
    body = _unpacked(data, shown_name).removeprefix(_BOM)
    if body.lstrip()[:1] == b"<":
        days, rates, currencies = _from_xml(body, shown_name)
    else:
        days, rates, currencies = _from_table(body, shown_name)
    rates = rates.set_column(2, "rate", _normalised(rates, shown_name))
    _refuse_repeated(days, shown_name)
    publications = pa.table(
        [days, pa.repeat(source, len(days)), pa.repeat(sha256, len(days))], schema=PUBLICATIONS_SCHEMA
    )
    return RateHistory(
        rates.cast(RATES_SCHEMA).sort_by([("date", "ascending"), ("currency", "ascending")]),
        publications.sort_by("date"),
        currencies,
    )


def _unpacked(data: bytes, name: str) -> bytes:
    if not data.startswith(b"PK"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) != 1:
                raise InputError(f"{name}: expected one file in the zip, found {len(members)}")
            if members[0].file_size > MAX_UNPACKED_BYTES:
                raise InputError(f"{name}: unpacks to more than {MAX_UNPACKED_BYTES} bytes")
            return archive.read(members[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{name}: the zip cannot be read: {error}") from None


def _from_table(body: bytes, name: str) -> tuple[pa.Array, pa.Table, frozenset[str]]:
    """Return days, (date, currency, rate) and currencies of the comma-separated format."""
    columns = _header(body, name)
    try:
        table = pacsv.read_csv(
            io.BytesIO(body),
            read_options=pacsv.ReadOptions(use_threads=False, skip_rows=1, column_names=columns),
            parse_options=pacsv.ParseOptions(quote_char=False),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{name}: not a rate table: {error}") from None
    if columns[-1] == "" and pc.any(pc.not_equal(table.column(""), "")).as_py():
        raise InputError(f"{name}: the last column has no name, but is not empty")
    days = _dates(table.column("Date").combine_chunks(), name)
    parts = [
        _quoted(days, table.column(currency).combine_chunks(), currency)
        for currency in columns
        if currency
        if currency != "Date"
    ]
    return days, pa.concat_tables(parts), frozenset(columns) - {"Date", ""}


def _header(body: bytes, name: str) -> list[str]:
    line = body.split(b"\n", 1)[0].strip(b"\r")
    columns = [cell.strip() for cell in line.decode("ascii", "replace").split(",")]
    currencies = columns[1:-1] if columns[-1] == "" else columns[1:]
    if columns[0] != "Date" or not currencies:
        raise InputError(f"{name}: expected a header of Date and currency codes in the first line")
    for currency in currencies:
        if not _CURRENCY.fullmatch(currency) or currency == EURO or currencies.count(currency) > 1:
            raise InputError(f"{name}: expected each currency code once in the header, found {currency!r}")
    return columns


def _quoted(days: pa.Array, cells: pa.Array, currency: str) -> pa.Table:
    """Return the rows of one currency's column that hold a rate."""
    text = pc.utf8_trim_whitespace(cells)
    has_rate = pc.invert(pc.is_in(text, value_set=_NO_RATE))
    rates = text.filter(has_rate)
    return pa.table(
        {"date": days.filter(has_rate), "currency": pa.repeat(currency, len(rates)), "rate": rates}
    )


def _from_xml(body: bytes, name: str) -> tuple[pa.Array, pa.Table, frozenset[str]]:
    """Return days, (date, currency, rate) and currencies of the ECB's nested `Cube` elements."""
    try:
        text = body.decode("utf-8")
        if "<!" in text.replace("<!--", ""):
            raise InputError(f"{name}: a document type or an entity is declared, which is not allowed")
        root = ET.fromstring(text)  # noqa: S314 - declarations, through which XML attacks, are refused above
    except (UnicodeDecodeError, ET.ParseError) as error:
        raise InputError(f"{name}: not readable as XML: {error}") from None
    stamps: list[str] = []
    rows: list[tuple[str, str, str]] = []
    for day in (cube for cube in root.iter() if "time" in cube.attrib):
        stamps.append(day.attrib["time"])
        rows.extend((day.attrib["time"], cube.get("currency", ""), cube.get("rate", "")) for cube in day)
    currencies = frozenset(currency for _, currency, _ in rows)
    if not rows or not all(_CURRENCY.fullmatch(currency) for currency in currencies) or EURO in currencies:
        raise InputError(f"{name}: expected days of currencies and rates, as the ECB's XML has them")
    if len({row[:2] for row in rows}) < len(rows):
        raise InputError(f"{name}: expected each currency once a day")
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    rates = pa.table([_dates(columns[0], name), columns[1], columns[2]], names=["date", "currency", "rate"])
    return _dates(pa.array(stamps, pa.string()), name), rates, currencies


def _dates(text: pa.Array, name: str) -> pa.Array:
    if not len(text):
        raise InputError(f"{name}: the rate file has no days")
    is_iso = pc.match_substring_regex(text, _ISO_DATE)
    if not pc.all(is_iso).as_py():
        wrong = text.filter(pc.invert(is_iso))[0].as_py()
        raise InputError(f"{name}: expected dates such as 2026-10-30, found {wrong!r}")
    try:
        return text.cast(pa.date32())
    except pa.ArrowInvalid:
        raise InputError(f"{name}: a date that is not in the calendar") from None


def _refuse_repeated(days: pa.Array, name: str) -> None:
    counts = pc.value_counts(days)
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        raise InputError(f"{name}: expected each day once, found {repeated[0]['values']} again")


def _normalised(rates: pa.Table, name: str) -> pa.Array:
    """Return the rates without trailing zeros: the ECB's history drops them, its daily file keeps them."""
    text = pc.utf8_trim_whitespace(rates.column("rate").combine_chunks())
    bare = pc.if_else(pc.match_substring(text, "."), pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), "."), text)
    good = pc.and_(pc.match_substring_regex(bare, _RATE), pc.not_equal(bare, "0"))
    if not pc.all(good).as_py():
        row = rates.filter(pc.invert(good)).slice(0, 1).to_pylist()[0]
        raise InputError(
            f"{name}: {row['currency']} of {row['date']}: expected a positive rate of at most"
            f" {RATE_DECIMALS} decimals, found {row['rate']!r}"
        )
    return bare
