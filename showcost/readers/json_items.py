"""A page of JSON as records: each item with its place, its text and a cell per field.

An element that is not an item, or lacks a value where one is expected, is rejected with its text and its
place; a page that is not JSON, or has no item list, is rejected as a whole. Items are read by the paths of
their fields, or are e-invoices: then each row of the document is a record. Fields are plain
text.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import pyarrow as pa

from showcost.config.items import JSON_LINES
from showcost.readers.json_text import (
    PAGE,
    Digits,
    Item,
    canonical_json,
    find_list,
    items_at,
    look_up,
    parse_page,
    text_of,
)
from showcost.readers.model import (
    CONTROL_TOTAL,
    FILE_UNREADABLE,
    RECORD_SCHEMA,
    ROW_RAGGED,
    Dialect,
    Limits,
    RecordCounts,
    Rejected,
)
from showcost.readers.reading import Reading
from showcost.readers.source import UnreadableError
from showcost.readers.ubl import COLUMNS, TotalsDifferError, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from showcost.config.items import ItemMapping

_BATCH: Final = 10_000
_LINE: Final = "line."


@dataclass
class _Record:
    """A record under construction; `problem` and `code` are the reason if it is rejected."""

    start: int
    end: int
    raw: str
    cells: Sequence[str]
    problem: str | None = None
    code: str = ROW_RAGGED


class _Builder(Protocol):
    """Makes records of the items of a page."""

    def records(self, item: Item, place: tuple[int, int]) -> Iterator[_Record]:
        """Yield the records of an item whose span in bytes is `place`."""


class _ByPaths:
    """Makes records of items by the paths of their fields."""

    def __init__(self, mapping: ItemMapping, page: object) -> None:
        self._mapping, self._page = mapping, page
        self._once = frozenset(mapping.once)

    def records(self, item: Item, place: tuple[int, int]) -> Iterator[_Record]:
        """Yield the records of an item whose span in bytes is `place`."""
        if not isinstance(item.value, dict):
            yield _Record(*place, _sound(canonical_json(item.value)), [], "an item that is no object")
            return
        if self._mapping.lines is None:
            yield self._record(item.value, None, place, canonical_json(item.value))
            return
        lines = look_up(item.value, self._mapping.lines)
        if not isinstance(lines, list) or not lines:
            yield _Record(*place, _sound(canonical_json(item.value)), [], "an item without lines")
            return
        head = canonical_json(_without(item.value, self._mapping.lines.split(".")))
        for number, line in enumerate(lines):
            raw = f'{{"item":{head},"line":{canonical_json(line)}}}'
            if isinstance(line, dict):
                yield self._record(item.value, line, place, raw, first=number == 0)
            else:
                yield _Record(*place, _sound(raw), [], f"line {number + 1} of an item is no object")

    def _record(
        self,
        item: dict[str, Any],
        line: dict[str, Any] | None,
        place: tuple[int, int],
        raw: str,
        *,
        first: bool = True,
    ) -> _Record:
        cells: list[str] = []
        record = _Record(*place, _sound(raw), cells)
        for name, path in self._mapping.paths.items():
            if name in self._once and not first:
                cells.append("")
                continue
            if path.startswith(PAGE):
                value = look_up(self._page, path)
            elif line is not None and path.startswith(_LINE):
                value = look_up(line, path.removeprefix(_LINE))
            else:
                value = look_up(item, path)
            if isinstance(value, dict | list):
                record.problem = f"{name} is no single value"
                return record
            cell = _cell(value)
            if _sound(cell) != cell:
                record.problem = f"{name} has half a character"
                return record
            cells.append(cell)
        return record


def _cell(value: object) -> str:
    match value:
        case str():
            return value
        case Digits():
            return value.text
        case None:
            return ""
        case _:
            return "true" if value else "false"


def _sound(text: str) -> str:
    """Return text with each half of a surrogate pair written out, which no encoding has."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _without(item: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    """Return an item without the value at a path."""
    kept = {key: value for key, value in item.items() if key != path[0]}
    inner = item.get(path[0])
    if len(path) > 1 and isinstance(inner, dict):
        kept[path[0]] = _without(inner, path[1:])
    return kept


class _EInvoices:
    """Makes records of items that each contain an e-invoice, as XML text or in base64."""

    def __init__(self, path: str, limits: Limits) -> None:
        self._path, self._limits = path, limits

    def records(self, item: Item, place: tuple[int, int]) -> Iterator[_Record]:
        """Yield the records of an item whose span in bytes is `place`: the rows of its document."""
        text = look_up(item.value, self._path)
        if not isinstance(text, str):
            yield _Record(*place, _sound(canonical_json(item.value)), [], "an item without a document")
            return
        try:
            data, encoding = _document(text)
            for row in read_rows(data, encoding):
                yield _Record(*place, row.raw, row.cells)
        except UnreadableError as error:
            yield self._refused(place, text, str(error), FILE_UNREADABLE)
        except TotalsDifferError as error:
            yield self._refused(place, data.decode("utf-8", "backslashreplace"), str(error), CONTROL_TOTAL)

    def _refused(self, place: tuple[int, int], text: str, problem: str, code: str) -> _Record:
        return _Record(*place, _sound(text[: self._limits.rejected_raw_bytes]), [], problem, code)


def _document(text: str) -> tuple[bytes, str | None]:
    """Return the bytes of a document in JSON, and their encoding where it overrules the XML declaration.

    Text that begins with `<` is XML; anything else has to be base64, whose white space does not count.
    """
    xml = text.lstrip("\ufeff \t\r\n")
    if xml.startswith("<"):
        return xml.encode("utf-8", "backslashreplace"), "utf-8"
    try:
        return base64.b64decode("".join(text.split()), validate=True), None
    except (binascii.Error, ValueError):
        raise UnreadableError("a document that is neither XML nor base64") from None


class JsonReading(Reading):
    """The reading of a page of JSON."""

    def __init__(self, data: bytes, mapping: ItemMapping, limits: Limits) -> None:
        """Parse the page; UnreadableError when it is not JSON or has no list of items."""
        self._data, self._in_lines = data, mapping.list == JSON_LINES
        page = None if self._in_lines else parse_page(data)
        self._text = "" if self._in_lines else text_of(data)
        self._begin = 0 if self._in_lines else find_list(self._text, mapping.list)
        header = tuple(mapping.paths) if mapping.document is None else COLUMNS
        super().__init__(
            Dialect("utf-8", encoding_sure=True, delimiter="", quote="", escape=""), header, len(header)
        )
        self._builder: _Builder = (
            _ByPaths(mapping, page) if mapping.document is None else _EInvoices(mapping.document, limits)
        )
        self._size = len(data)
        self._batches = self._read()

    def _read(self) -> Iterator[pa.RecordBatch]:
        records: list[_Record] = []
        numbers: list[int] = []
        for number, record in enumerate(self._records(), start=1):
            if record.problem is not None:
                raw = record.raw.encode()
                self.rejected.add(
                    Rejected(number, record.start, record.end, record.code, record.problem, raw)
                )
                self.counts.rejected += 1
                continue
            records.append(record)
            numbers.append(number)
            if len(records) == _BATCH:
                yield _batch(records, numbers)
                records, numbers = [], []
        if records:
            yield _batch(records, numbers)
        self.counts = RecordCounts(rejected=self.counts.rejected, accepted=self._accepted, bytes=self._size)
        self.finished = True

    def _records(self) -> Iterator[_Record]:
        self._accepted = 0
        for record in self._records_of_lines() if self._in_lines else self._records_of_page():
            self._accepted += record.problem is None
            yield record

    def _records_of_lines(self) -> Iterator[_Record]:
        """Yield the records of the lines; one that is not JSON is rejected with its text."""
        begin = len(codecs.BOM_UTF8) * self._data.startswith(codecs.BOM_UTF8)
        while begin < len(self._data):
            end = self._data.find(b"\n", begin) + 1 or len(self._data)
            line = self._data[begin:end]
            if line.strip():
                try:
                    item = Item(parse_page(line), 0, 0)
                except UnreadableError as error:
                    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
                    yield _Record(begin, end, text, [], str(error))
                else:
                    yield from self._builder.records(item, (begin, end))
            begin = end

    def _records_of_page(self) -> Iterator[_Record]:
        at = byte = 0
        for item in items_at(self._text, self._begin):
            start = byte + len(self._text[at : item.start].encode())
            byte = start + len(self._text[item.start : item.end].encode())
            at = item.end
            yield from self._builder.records(item, (start, byte))


def _batch(records: Sequence[_Record], numbers: Sequence[int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "record": numbers,
            "byte_start": [record.start for record in records],
            "byte_end": [record.end for record in records],
            "raw": [record.raw for record in records],
            "cells": [list(record.cells) for record in records],
        },
        schema=RECORD_SCHEMA,
    )
