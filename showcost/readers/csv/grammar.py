"""The grammar of one dialect: parses the record at a position in the bytes.

It knows delimiters, quotes, escapes and line ends, but no headers, widths or files. It works on bytes of an
encoding that includes ASCII unchanged (UTF-8, Windows-1252, Latin-1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SHORT: Final = 2**12
_LF: Final = 10
_CR: Final = 13
BAD_CLOSE: Final = "text after a closing quote"
UNCLOSED: Final = "a quote that is opened is not closed"


@dataclass(frozen=True, slots=True)
class Parsed:
    """One record: its end (line end included), its cells, and its oddities.

    `body_end` is the start of the line end. `problem` is empty for a well-formed record; then `cells`
    holds the text of each cell. A malformed one ends with its first line and has no cells; `reach` is
    then the end of the text within the broken quote and `before` the number of cells before it. `stray` means
    that an unquoted cell contains a quote, `quoted` that some cell is quoted.
    """

    end: int
    body_end: int
    cells: tuple[bytes, ...]
    problem: str = ""
    reach: int = 0
    before: int = 0
    stray: bool = False
    quoted: bool = False


class Grammar:
    """The compiled form of delimiter, quote, escape and line ends.

    With `lone_cr`, a carriage return without a line feed ends a record.
    """

    def __init__(self, delimiter: str, quote: str, escape: str, *, encoding: str, lone_cr: bool) -> None:
        """Compile the patterns; the characters are encoded in the encoding of the bytes."""
        self.delimiter = delimiter.encode(encoding)
        self.quote = quote.encode(encoding)
        self.escape = escape.encode(encoding) if escape != quote else b""
        self.lone_cr = lone_cr
        self._end = rb"\r\n|\n|\r" if lone_cr else rb"\r?\n"
        self._line_end = re.compile(self._end)
        self._cell = self._compile_cell()
        self._unquote, self._unescape = self._compile_decoders()
        self._escaped = re.compile(re.escape(self.escape) + rb".", re.DOTALL)
        self._blanks_and_quote = re.compile(rb"[ \t]+" + re.escape(self.quote)) if quote else None

    def _compile_cell(self) -> re.Pattern[bytes]:
        separator = re.escape(self.delimiter) + rb"|" if self.delimiter else rb""
        after = rb"(" + separator + self._end + rb"|\Z)"
        plain = rb"(" + self._plain_text() + rb")"
        if not self.quote:
            return re.compile(rb"(?:((?!))|" + plain + rb")" + after, re.DOTALL)
        quote = re.escape(self.quote)
        special = quote + quote
        stop = quote
        if self.escape:
            special += rb"|" + re.escape(self.escape) + rb"."
            stop += rb"|" + re.escape(self.escape)
        if len(self.quote) > 1:
            first = re.escape(self.quote[:1])
            piece = rb"[^" + first + re.escape(self.escape) + rb"]*+"
            run = piece + rb"(?:(?!" + quote + rb")" + first + piece + rb")*"
        else:
            run = rb"[^" + self._class(stop) + rb"]*+"
        quoted = quote + rb"(" + run + rb"(?:(?:" + special + rb")" + run + rb")*)" + quote
        return re.compile(rb"(?:" + quoted + rb"|(?!" + quote + rb")" + plain + rb")" + after, re.DOTALL)

    @staticmethod
    def _class(alternatives: bytes) -> bytes:
        """Turn one-byte alternatives into the inside of a character class."""
        return alternatives.replace(b"\\|", b"\0").replace(b"|", b"").replace(b"\0", b"\\|")

    def _plain_text(self) -> bytes:
        """Return the pattern of the text of an unquoted cell, up to a delimiter or a line end."""
        first = re.escape(self.delimiter[:1])
        piece = rb"[^\r\n" + first + re.escape(self.escape) + rb"]*+"
        # Only single characters are repeated possessively: up to Python 3.11.4 a possessive group swallows
        # what its last, failing turn has read (python/cpython#106052).
        others = [] if self.lone_cr else [rb"\r(?!\n)"]
        if len(self.delimiter) > 1:
            others.append(rb"(?!" + re.escape(self.delimiter) + rb")" + first)
        run = piece + rb"(?:(?:" + rb"|".join(others) + rb")" + piece + rb")*" if others else piece
        if not self.escape:
            return run
        return run + rb"(?:" + re.escape(self.escape) + rb"(?:\r\n|.)" + run + rb")*"

    def _compile_decoders(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes] | None]:
        """Return the functions that decode a quoted and an unquoted cell."""
        quote, escape = self.quote, self.escape
        if not escape:
            return (lambda text: text.replace(quote * 2, quote) if quote in text else text), None
        special = [re.escape(mark) for mark in (quote, escape, self.delimiter) if mark]
        pattern = re.escape(escape) + rb"(" + rb"|".join([*special, rb"\r\n|\r|\n"]) + rb")"
        plain = re.compile(pattern)
        doubled = re.compile(pattern + (rb"|(" + re.escape(quote) + rb"){2}" if quote else rb"|((?!))"))
        return (
            lambda text: doubled.sub(lambda m: m[1] if m[1] is not None else m[2], text),
            lambda text: plain.sub(lambda m: m[1], text),
        )

    def parse(self, data: bytes, start: int) -> Parsed:
        """Parse the record that begins at `start`; `data` must hold all of it or end with the file."""
        if not self.escape and self.delimiter:
            end, body_end = self.line(data, start)
            body = data[start:body_end]
            if not self.quote or self.quote not in body:
                return Parsed(end, body_end, tuple(body.split(self.delimiter)))
        return self._parse_cells(data, start)

    def _parse_cells(self, data: bytes, start: int) -> Parsed:
        """Parse a record cell by cell."""
        cells: list[bytes] = []
        position, stray, quoted_any = start, False, False
        match_cell, quote, delimiter, unescape = self._cell.match, self.quote, self.delimiter, self._unescape
        while (match := match_cell(data, position)) is not None:
            quoted, plain, after = match.groups()
            if plain is None:
                quoted_any = True
                cells.append(self._unquote(quoted))
            else:
                if quote and quote in plain and (unescape is None or quote in self._escaped.sub(b"", plain)):
                    stray = True
                cells.append(unescape(plain) if unescape is not None else plain)
            position = match.end()
            if after != delimiter or not after:
                return Parsed(position, match.start(3), tuple(cells), stray=stray, quoted=quoted_any)
        closing = data.find(quote, position + len(quote)) if quote else -1
        end, body_end = self.line(data, start)
        if closing < 0:
            return Parsed(end, body_end, (), UNCLOSED, reach=len(data), before=len(cells))
        return Parsed(end, body_end, (), BAD_CLOSE, reach=closing, before=len(cells))

    def line(self, data: bytes, start: int) -> tuple[int, int]:
        """Return the end of the physical line at `start`, with and without its line end."""
        if self.lone_cr:
            match = self._line_end.search(data, start)
            return (match.end(), match.start()) if match else (len(data), len(data))
        feed = data.find(b"\n", start)
        if feed < 0:
            return len(data), len(data)
        return feed + 1, feed - (feed > start and data[feed - 1] == _CR)

    def count_lines(self, *parts: bytes) -> int:
        """Count the physical lines of whole records; a last line without a line end counts."""
        return count_lines(parts, lone_cr=self.lone_cr)

    def blanks_before_quote(self, cells: tuple[bytes, ...]) -> bool:
        """Return whether an unquoted cell begins with blanks and a quote: its quotes cannot be trusted."""
        pattern = self._blanks_and_quote
        return pattern is not None and any(pattern.match(cell) for cell in cells)


def count_lines(parts: Iterable[bytes], *, lone_cr: bool) -> int:
    """Count the physical lines of bytes that come in parts; a last line without a line end counts."""
    count, last = 0, b"\n"
    for part in filter(None, parts):
        short = len(part) < _SHORT
        count += part.count(b"\n") if short else int(np.count_nonzero(np.frombuffer(part, np.uint8) == _LF))
        if lone_cr:
            count += part.count(b"\r") - part.count(b"\r\n")
            count -= last == b"\r" and part.startswith(b"\n")
        last = part[-1:]
    return count + (last != b"\n" and not (lone_cr and last == b"\r"))
