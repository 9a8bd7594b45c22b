"""Texts, dates and amounts below an element of an e-invoice, with errors that name the missing one.

Places in the messages are lines of the document. What the elements mean is `document`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from showcost.readers.source import UnreadableError
from showcost.readers.ubl.markup import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

_DECIMAL: Final = re.compile(r"[+-]?([0-9]{1,24}(\.[0-9]{0,12})?|\.[0-9]{1,12})")
"""An xs:decimal; more digits than any amount has would make sums inexact."""
_ZONED: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})")


def tag(name: str) -> str:
    """Return the tag of a name with the usual prefix cac or cbc."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def attribute(element: Element, name: str) -> str:
    """Return an attribute without the space around it, or nothing."""
    return str(element.get(name, "")).strip()


def line_of(element: Element) -> int:
    """Return the line in which the start tag of an element ends."""
    return int(element.sourceline or 0)


def elements(at: Element, path: str) -> Iterator[Element]:
    """Yield the elements at a path."""
    level = [at]
    for name in path.split("/"):
        qualified = tag(name)
        level = [child for element in level for child in element if child.tag == qualified]
    yield from level


def element(at: Element, path: str) -> Element:
    """Return the only element at a path; UnreadableError if there is not exactly one."""
    matches = list(elements(at, path))
    if len(matches) != 1:
        raise UnreadableError(f"{_named(at)} has {len(matches) or 'no'} {path}{_has_to_be_one(len(matches))}")
    return matches[0]


def text(at: Element, path: str) -> str:
    """Return the first text at a path that is not blank, or nothing."""
    return next(iter(_texts(at, path)), "")


def required(at: Element, path: str) -> str:
    """Return the only text at a path; UnreadableError if there is not exactly one."""
    texts = list(_texts(at, path))
    if len(texts) != 1:
        raise UnreadableError(f"{_named(at)} has {len(texts) or 'no'} {path}{_has_to_be_one(len(texts))}")
    return texts[0]


def date(at: Element, path: str) -> str:
    """Return the first date at a path, without the time zone that an xs:date may have; or nothing."""
    value = text(at, path)
    zoned = _ZONED.fullmatch(value)
    return zoned[1] if zoned else value


def optional_amount(at: Element, path: str) -> Decimal | None:
    """Return the amount at a path, if any; UnreadableError for an invalid amount, or several."""
    if not text(at, path):
        return None
    value = required(at, path)
    if not _DECIMAL.fullmatch(value) or any(len(element) for element in elements(at, path)):
        raise UnreadableError(f"{_named(at)} has a {path} that is no amount")
    return Decimal(value)


def amount(at: Element, path: str) -> Decimal:
    """Return the only amount at a path; UnreadableError if there is not exactly one."""
    value = optional_amount(at, path)
    if value is None:
        raise UnreadableError(f"{_named(at)} has no {path}")
    return value


def _texts(at: Element, path: str) -> Iterator[str]:
    for child in elements(at, path):
        if words := " ".join((child.text or "").split()):
            yield words


def _named(at: Element) -> str:
    if at.getparent() is None or not str(at.tag).startswith(f"{{{NAMESPACES['cac']}}}"):
        return "the document"
    return f"the cac:{str(at.tag).rpartition('}')[2]} in line {line_of(at)}"


def _has_to_be_one(count: int) -> str:
    return ", where there has to be one" if count else ""
