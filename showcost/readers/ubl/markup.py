"""The XML of an e-invoice or statement: parsed without trusting it, each part with its place in the bytes.

A first pass with expat refuses features that neither ever needs (a document type, and with it entities of any
sort; inclusions), bounds depth, elements, tags and namespaces, so that memory stays in proportion, and
notes the place of each part; only then is a tree built. The elements are interpreted in `document`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from lxml import etree

from showcost.readers.source import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sized

INVOICE: Final = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE: Final = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
NAMESPACES: Final[Mapping[str, str]] = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}

_ROOTS: Final = {f"{INVOICE} Invoice", f"{CREDIT_NOTE} CreditNote"}
_DEEPEST: Final = 100
_MOST_NODES: Final = 2_000_000
"""Of elements, attributes and declared namespaces; 64 MiB of ordinary lines have fewer."""
_LONGEST_TAG: Final = 2**20
"""Of a tag, comment or processing instruction, in bytes; texts may be of any length."""
_MOST_REPEATED: Final = 2**28
"""Characters in all rows of single parts of the document: its namespaces, and its own fields."""
_BLOCK: Final = 2**18
_INCLUSIONS: Final = "http://www.w3.org/2001/XInclude"
_LOCAL_NAME: Final = re.compile(r"[A-Za-z]{1,40}")
_HEAD: Final = 2**16


@dataclass(frozen=True)
class Markup:
    """A parsed document: its root, and the half-open span in bytes of each child of the root, in order."""

    root: etree._Element
    places: tuple[tuple[int, int], ...]


def looks_like_ubl(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a UBL invoice or credit note, envelope or not."""
    text = head[:_HEAD].replace(b"\0", b"")
    return text.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<") and any(
        name.encode() in text for name in (INVOICE, CREDIT_NOTE)
    )


def check_repeated(what: str, characters: int, times: int) -> None:
    """Raise UnreadableError when the repeated parts of the document would be out of proportion to it."""
    if characters * times > _MOST_REPEATED:
        raise UnreadableError(f"{characters} characters of {what}, which {times} parts would repeat")


def parse(data: bytes, encoding: str | None = None) -> Markup:
    """Return the invoice or credit note in `data`, which may be in an envelope.

    `encoding` overrules the XML declaration.

    Raises UnreadableError, with line and column, for anything but one well-formed document without a
    document type.
    """
    scout = _Scout(encoding, "e-invoice")
    scout.scan(data)
    check_repeated("namespaces", scout.namespaces, len(scout.places))
    tree = _tree(data, encoding)
    documents = [
        element
        for element in tree.iter(f"{{{INVOICE}}}Invoice", f"{{{CREDIT_NOTE}}}CreditNote")
        if not any(
            True for _ in element.iterancestors(f"{{{INVOICE}}}Invoice", f"{{{CREDIT_NOTE}}}CreditNote")
        )
    ]
    if len(documents) != 1 or len(scout.places) != len(documents[0]):
        name = str(tree.tag).rpartition("}")[2]
        root = f"; its root is {name}" if _LOCAL_NAME.fullmatch(name) else ""
        raise UnreadableError(
            f"{len(documents)} invoices or credit notes of UBL 2.1, where there has to be one{root}"
        )
    return Markup(documents[0], tuple(scout.places))


def safe_root(data: bytes, what: str) -> etree._Element:
    """Return the root of any document, which the same first pass has let through; `what` it has to be.

    Raises UnreadableError, with line and column, for anything but one well-formed document without a
    document type.
    """
    _Scout(None, what).scan(data)
    return _tree(data, None)


def _tree(data: bytes, encoding: str | None) -> etree._Element:
    """Return the root of a document that the first pass has let through."""
    # What makes a huge tree dangerous is entities and depth, which the scout has refused; attachments in
    # base64 may be larger than what lxml allows otherwise.
    parser = etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableError(f"no well-formed XML: line {error.lineno}, column {error.offset}") from None


class _Scout:
    """Reads a document from its first to its last byte and builds nothing."""

    def __init__(self, encoding: str | None, what: str) -> None:
        self._what = what
        self.places: list[tuple[int, int]] = []
        self.namespaces = 0
        self._path: list[str] = []
        self._root = 0
        self._start = 0
        self._nodes = 0
        self._parser = expat.ParserCreate(encoding, namespace_separator=" ")
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.StartNamespaceDeclHandler = self._declare
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        for name in ("CharacterDataHandler", "CommentHandler", "ProcessingInstructionHandler"):
            setattr(self._parser, name, self._between)

    def scan(self, data: bytes) -> None:
        block = memoryview(data)
        try:
            for start in range(0, len(data), _BLOCK):
                self._parser.Parse(block[start : start + _BLOCK], False)
                # Texts are passed on as they arrive; only an unfinished tag is kept back.
                if start + _BLOCK - self._parser.CurrentByteIndex > _LONGEST_TAG + _BLOCK:
                    raise UnreadableError(f"XML with a tag or comment of more than {_LONGEST_TAG} bytes")
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            where = f"line {error.lineno}, column {error.offset + 1}"
            raise UnreadableError(f"no well-formed XML: {where}: {expat.ErrorString(error.code)}") from None
        except (LookupError, UnicodeError, ValueError):
            raise UnreadableError("XML in an encoding that is not known") from None
        # The end of an element is known when the next event comes.
        self._close(len(data))

    def _refuse(self, *_: object) -> None:
        raise UnreadableError(f"XML with a document type or entities, which no {self._what} needs")

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise UnreadableError(f"XML of more than {_MOST_NODES} elements and attributes")

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self._count(1)
        if not self._root:
            self.namespaces += len(prefix or "") + len(uri or "")

    def _begin(self, name: str, attributes: Sized) -> None:
        if len(self._path) >= _DEEPEST:
            raise UnreadableError(f"XML of more than {_DEEPEST} levels")
        self._count(1 + len(attributes))
        if name.startswith(f"{_INCLUSIONS} "):
            raise UnreadableError(f"XML with inclusions, which no {self._what} needs")
        self._close(self._parser.CurrentByteIndex)
        if self._root and len(self._path) == self._root:
            self._start = self._parser.CurrentByteIndex
        self._path.append(name)
        if name in _ROOTS and not self._root:
            self._root = len(self._path)

    def _end(self, _: str) -> None:
        self._close(self._parser.CurrentByteIndex)
        self._path.pop()
        if self._root and len(self._path) == self._root:
            self.places.append((self._start, -1))
        elif len(self._path) < self._root:
            self._root = -1

    def _between(self, *_: object) -> None:
        self._close(self._parser.CurrentByteIndex)

    def _close(self, at: int) -> None:
        """Set the end of the element that ended last, unless it is set."""
        if self.places and self.places[-1][1] < 0:
            self.places[-1] = self.places[-1][0], at
