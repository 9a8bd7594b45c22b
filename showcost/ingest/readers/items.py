"""A page of JSON as records: the item list found, each item with its place, its text and a cell per path.

Numbers keep the digits that they are written with; nothing passes through floating point. What is no
item, or has no value where one is expected, is rejected with its text and its place; a page that is no
JSON, or has no item list, is rejected as a whole. Nothing here knows what a field means.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from showcost.ingest.readers.model import RECORD_SCHEMA, ROW_RAGGED, Counts, Dialect, Rejected
from showcost.ingest.readers.reading import Reading
from showcost.ingest.readers.source import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from showcost.config.items import ItemMapping

_BATCH: Final = 10_000
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DEEPEST: Final = 100
_PAGE, _LINE = "$.", "line."


class Digits:
    """A JSON number as it is written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; one that names a member twice says two things at once."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError
    return found


class _TwiceError(ValueError):
    """An object has two members of one name."""


_DECODER: Final = json.JSONDecoder(
    parse_float=Digits, parse_int=Digits, parse_constant=_constant, object_pairs_hook=_object
)
_QUOTE: Final = json.encoder.encode_basestring


def canonical_json(value: object, depth: int = 0) -> str:
    """Return decoded JSON as text: keys sorted, no spaces, numbers with the digits they came with."""
    if depth > _DEEPEST:
        raise UnreadableError(f"more than {_DEEPEST} levels of JSON")
    match value:
        case str():
            return str(_QUOTE(value))
        case Digits():
            return value.text
        case dict():
            members = (f"{_QUOTE(key)}:{canonical_json(value[key], depth + 1)}" for key in sorted(value))
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(canonical_json(one, depth + 1) for one in value) + "]"
        case _:
            return json.dumps(value)


def parse_page(data: bytes) -> object:
    """Return a page of JSON, decoded; UnreadableError when it is none."""
    text = _text(data)
    try:
        value, end = _DECODER.raw_decode(text, _skip(text, 0))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(_why(error)) from None
    if _skip(text, end) != len(text):
        raise UnreadableError("the JSON has something behind its end")
    return value


def look_up(value: object, path: str) -> object:
    """Return what stands at a path; None where there is nothing."""
    if path == "$":
        return value
    for part in path.removeprefix(_PAGE).split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"JSON has to be UTF-8; byte {error.start} is not") from None


def _why(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"no JSON: it breaks off or goes wrong at character {error.pos}"
        case _TwiceError():
            return "an object of the page has two members of one name"
        case RecursionError():
            return "the JSON is nested too deeply"
        case _:
            return "a number that JSON does not have"


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


class Item(NamedTuple):
    """An element of the item list: decoded, and its half-open span in characters."""

    value: object
    start: int
    end: int


def _find(text: str, at: int, parts: Sequence[str]) -> int:
    """Return where the value at a path begins; UnreadableError when there is none."""
    at = _skip(text, at)
    if not parts:
        return at
    if text[at : at + 1] == "{":
        for key, begin in _members(text, at):
            if key == parts[0]:
                return _find(text, begin, parts[1:])
    raise UnreadableError(f"the page has no {parts[0]!r} where its items should be")


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Yield name and beginning of the value of each member of the (valid) object at a place."""
    at = _skip(text, at + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        yield key, begin
        _, at = _DECODER.raw_decode(text, begin)
        at = _skip(text, at)
        if text[at] != ",":
            return
        at = _skip(text, at + 1)


def _items(text: str, at: int) -> Iterator[Item]:
    """Yield the elements of the (valid) list at a place; UnreadableError when it is no list."""
    if text[at : at + 1] != "[":
        raise UnreadableError("what should be the list of items is none")
    at = _skip(text, at + 1)
    while text[at] != "]":
        value, end = _DECODER.raw_decode(text, at)
        yield Item(value, at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


@dataclass
class _Record:
    """One record in the making; `problem` says why it is rejected."""

    start: int
    end: int
    raw: str
    cells: list[str]
    problem: str | None = None


class _Builder:
    """Makes records of items, for one page."""

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
        record = _Record(*place, _sound(raw), [])
        for name, path in self._mapping.paths.items():
            if name in self._once and not first:
                record.cells.append("")
                continue
            if path.startswith(_PAGE):
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
            record.cells.append(cell)
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
    """Return an item without what stands at a path."""
    kept = {key: value for key, value in item.items() if key != path[0]}
    inner = item.get(path[0])
    if len(path) > 1 and isinstance(inner, dict):
        kept[path[0]] = _without(inner, path[1:])
    return kept


class JsonReading(Reading):
    """The reading of a page of JSON."""

    def __init__(self, data: bytes, mapping: ItemMapping) -> None:
        """Parse the page; UnreadableError when it is no JSON or has no list of items."""
        page = parse_page(data)
        self._text = _text(data)
        parts = [] if mapping.list == "$" else mapping.list.removeprefix(_PAGE).split(".")
        self._begin = _find(self._text, 0, parts)
        if self._text[self._begin : self._begin + 1] != "[":
            raise UnreadableError("what should be the list of items is none")
        super().__init__(
            Dialect("utf-8", encoding_sure=True, delimiter="", quote="", escape=""),
            tuple(mapping.paths),
            len(mapping.paths),
        )
        self._builder = _Builder(mapping, page)
        self._size = len(data)
        self._batches = self._read()

    def _read(self) -> Iterator[pa.RecordBatch]:
        held: list[_Record] = []
        numbers: list[int] = []
        for number, record in enumerate(self._records(), start=1):
            if record.problem is not None:
                raw = record.raw.encode()
                self.rejected.add(Rejected(number, record.start, record.end, ROW_RAGGED, record.problem, raw))
                self.counts.rejected += 1
                continue
            held.append(record)
            numbers.append(number)
            if len(held) == _BATCH:
                yield _batch(held, numbers)
                held, numbers = [], []
        if held:
            yield _batch(held, numbers)
        self.counts = Counts(rejected=self.counts.rejected, accepted=self._accepted, bytes=self._size)
        self.finished = True

    def _records(self) -> Iterator[_Record]:
        at = byte = 0
        self._accepted = 0
        for item in _items(self._text, self._begin):
            start = byte + len(self._text[at : item.start].encode())
            byte = start + len(self._text[item.start : item.end].encode())
            at = item.end
            for record in self._builder.records(item, (start, byte)):
                self._accepted += record.problem is None
                yield record


def _batch(records: Sequence[_Record], numbers: Sequence[int]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "record": numbers,
            "byte_start": [one.start for one in records],
            "byte_end": [one.end for one in records],
            "raw": [one.raw for one in records],
            "cells": [one.cells for one in records],
        },
        schema=RECORD_SCHEMA,
    )
