"""JSON as text: values with their digits as written, paths into them, places of list elements.

Nothing passes through floating point. `json_items` gives items their meaning.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from showcost.readers.source import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE: Final = "$."
"""The prefix of paths that are looked up in the page."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DEEPEST: Final = 100


class Digits:
    """A JSON number as it is written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; a duplicate member name is an error."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _TwiceError
    return members


class _TwiceError(ValueError):
    """An object has two members of one name."""


_DECODER: Final = json.JSONDecoder(
    parse_float=Digits, parse_int=Digits, parse_constant=_constant, object_pairs_hook=_object
)
_QUOTE: Final = json.encoder.encode_basestring


def canonical_json(value: object, depth: int = 0) -> str:
    """Return decoded JSON as text: keys sorted, no spaces, numbers with their digits as written."""
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
            return "[" + ",".join(canonical_json(element, depth + 1) for element in value) + "]"
        case _:
            return json.dumps(value)


def parse_page(data: bytes) -> object:
    """Return a page of JSON, decoded; UnreadableError when it is not JSON."""
    text = text_of(data)
    try:
        value, end = _DECODER.raw_decode(text, _skip(text, 0))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(_why(error)) from None
    if _skip(text, end) != len(text):
        raise UnreadableError("the JSON has something behind its end")
    _require_shallow(value)
    return value


def _require_shallow(value: object) -> None:
    """Raise UnreadableError for a value with more levels than can be written again."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise UnreadableError(f"more than {_DEEPEST} levels of JSON")


def look_up(value: object, path: str) -> object:
    """Return the value at a path, or None."""
    if path == "$":
        return value
    for part in path.removeprefix(PAGE).split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def text_of(data: bytes) -> str:
    """Return bytes as UTF-8 text, which JSON has to be; UnreadableError for other bytes."""
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
    match = _SPACE.match(text, at)
    return match.end() if match else at


class Item(NamedTuple):
    """An element of the item list: decoded, and its half-open span in characters."""

    value: object
    start: int
    end: int


def find_list(text: str, path: str) -> int:
    """Return the start of the list at a path of a (valid) page; UnreadableError if it is missing."""
    begin = _find(text, 0, [] if path == "$" else path.removeprefix(PAGE).split("."))
    if text[begin : begin + 1] != "[":
        raise UnreadableError("what should be the list of items is none")
    return begin


def _find(text: str, at: int, parts: Sequence[str]) -> int:
    """Return the start of the value at a path; UnreadableError if it is missing."""
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


def items_at(text: str, at: int) -> Iterator[Item]:
    """Yield the elements of the (valid) list at a place."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        value, end = _DECODER.raw_decode(text, at)
        yield Item(value, at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
