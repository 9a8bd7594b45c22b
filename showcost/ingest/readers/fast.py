"""The fast lane: whole blocks of well-formed lines to Arrow arrays, without a Python object per cell.

A line is taken here only when it is beyond doubt a row by itself: an even number of quotes, each at the
edge of a cell or doubled, exactly the right number of delimiters, no NUL, no carriage return but in its
line end, not blank, not the header again. Every other line is an exception, for the careful lane. What is
left out of a line is exactly its delimiters, its quotes and its line end, and that is checked for every
line (the byte law).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.errors import IntegrityError
from showcost.ingest.readers.model import RECORD_SCHEMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from showcost.ingest.readers.grammar import Grammar

    Ints = NDArray[np.int64]
    Places = NDArray[np.int32]
    Flags = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]

_NUL: Final = 0
_CR: Final = 13
_LF: Final = 10


@dataclass(frozen=True)
class Lines:
    """The physical lines of a block (`text`, in UTF-8) and the marks in it.

    Marks are the delimiters, quotes, carriage returns, line feeds and NULs: `marks` their offsets, `kinds`
    the bytes, `inside` whether each is within quotes (a closing quote is not), `first_marks` the index of
    the first mark of each line. `sound` tells the lines that are rows, `quoted` those with quotes. `plain`
    and `place` are the lengths of the lines in the plain bytes and in the delivery.
    """

    text: bytes
    starts: Ints
    ends: Ints
    sound: Flags
    quoted: Flags
    plain: Ints
    place: Ints
    marks: Places
    kinds: Bytes
    inside: Flags
    first_marks: Ints


class FastLane:
    """Analyses and builds the blocks of one delivery."""

    def __init__(self, grammar: Grammar, width: int, encoding: str, *, wide: bool) -> None:
        """Prepare for a dialect; `usable` is False when it is not one for this lane."""
        self._width, self._encoding, self._wide = width, encoding, wide
        delimiter = grammar.delimiter.decode(encoding).encode()
        quote = grammar.quote.decode(encoding).encode()
        single = len(delimiter) == 1 and len(quote) <= 1
        self.usable = single and not grammar.escape and not grammar.lone_cr and width > 1
        self._delimiter = delimiter[0] if delimiter else _NUL
        self._quote = quote[0] if quote else _NUL
        self._quote_bytes = quote
        self._blank_starts = np.frombuffer(b" \t\x0b\x0c" + delimiter[:1], np.uint8)
        self._blanks = b" \t\r\n\x0b\x0c" + delimiter

    def analyse(self, block: bytes, headers: tuple[bytes, ...]) -> Lines | None:
        """Find the lines of a block that ends with a line feed; None when it cannot be decoded.

        `headers` are the header lines of the file (UTF-8), which are no rows when they occur again.
        """
        text = self._utf8(block)
        if text is None:
            return None
        data = np.frombuffer(text, np.uint8)
        marks = np.flatnonzero(self._is_mark(text, data)).astype(np.int32)
        kinds = data[marks]
        feeds = np.flatnonzero(kinds == _LF)
        ends = marks[feeds].astype(np.int64) + 1
        starts = np.concatenate(([0], ends[:-1]))
        first = np.concatenate(([0], feeds[:-1] + 1))
        sound = np.ones(len(ends), np.bool_)
        quoted = np.zeros(len(ends), np.bool_)
        inside = np.zeros(len(marks), np.bool_)
        if self._quote_bytes and self._quote_bytes in text:
            inside = self._quoting(data, marks, kinds, first, sound, quoted)
        self._refuse_odd(marks, kinds, feeds, sound, text)
        between = (kinds == self._delimiter) & ~inside
        sound &= np.add.reduceat(between, first, dtype=np.int32) == self._width - 1
        self._refuse_blank(data, text, starts, ends, sound)
        self._refuse_headers(data, text, starts, ends, sound, headers)
        plain, place = self._lengths(data, starts, ends, transcoded=text is not block)
        return Lines(text, starts, ends, sound, quoted, plain, place, marks, kinds, inside, first)

    def _is_mark(self, text: bytes, data: Bytes) -> Flags:
        found: Flags = data == self._delimiter
        found |= data == _LF
        for byte in {self._quote, _CR, _NUL} - {self._delimiter}:
            if byte in text:
                found |= data == byte
        return found

    def _utf8(self, block: bytes) -> bytes | None:
        if block.isascii():
            return block
        try:
            text = block.decode(self._encoding)
        except UnicodeDecodeError:
            return None
        return block if self._encoding == "utf-8" else text.encode()

    def _quoting(
        self, data: Bytes, marks: Places, kinds: Bytes, first: Ints, sound: Flags, quoted: Flags
    ) -> Flags:
        """Tell which marks are within quotes, line by line; lines with quotes out of place are not sound."""
        is_quote = kinds == self._quote
        parity = np.bitwise_xor.accumulate(is_quote.view(np.uint8))
        before_line = np.concatenate((np.zeros(1, np.uint8), parity[first[1:] - 1]))
        last = np.concatenate((first[1:], [len(marks)])) - 1
        odd = parity[last] != before_line
        if odd.any():
            sound[odd] = False
            parity ^= np.repeat(before_line, np.diff(np.concatenate((first, [len(marks)]))))
        inside = parity.view(np.bool_)
        places = np.flatnonzero(is_quote)
        line = np.searchsorted(first, places, side="right") - 1
        quoted[line] = True
        position = marks[places]
        before, after = data[np.maximum(position - 1, 0)], data[np.minimum(position + 1, len(data) - 1)]
        edges = (self._delimiter, self._quote)
        opens = (position == 0) | (before == _LF) | np.isin(before, edges)
        closes = (after == _LF) | (after == _CR) | np.isin(after, edges)
        sound[line[~np.where(inside[places], opens, closes)]] = False
        return inside

    @staticmethod
    def _refuse_odd(marks: Places, kinds: Bytes, feeds: Ints, sound: Flags, text: bytes) -> None:
        """Refuse lines with NUL bytes, and with carriage returns that are not part of the line end."""
        if _NUL_BYTE in text:
            odd = np.flatnonzero(kinds == _NUL)
            sound[np.searchsorted(feeds, odd)] = False
        if b"\r" in text:
            returns = np.flatnonzero(kinds == _CR)
            following = np.minimum(returns + 1, len(marks) - 1)
            lone = (kinds[following] != _LF) | (marks[following] != marks[returns] + 1)
            sound[np.searchsorted(feeds, returns[lone])] = False

    def _refuse_blank(self, data: Bytes, text: bytes, starts: Ints, ends: Ints, sound: Flags) -> None:
        """Refuse blank records, which are counted apart."""
        for line in np.flatnonzero(sound & np.isin(data[starts], self._blank_starts)).tolist():
            if not text[starts[line] : ends[line]].translate(None, self._blanks):
                sound[line] = False

    @staticmethod
    def _refuse_headers(
        data: Bytes, text: bytes, starts: Ints, ends: Ints, sound: Flags, headers: tuple[bytes, ...]
    ) -> None:
        """Refuse the header lines of the file when they occur again."""
        for header in filter(None, headers):
            longer = ends - starts - len(header)
            like = sound & (longer > 0) & (longer <= len(b"\r\n")) & (data[starts] == header[0])
            for line in np.flatnonzero(like).tolist():
                sound[line] = text[starts[line] : ends[line]].rstrip(b"\r\n") != header

    def _lengths(self, data: Bytes, starts: Ints, ends: Ints, *, transcoded: bool) -> tuple[Ints, Ints]:
        """Return the lengths of the lines in the plain bytes and in the delivery itself."""
        size = ends - starts
        if not transcoded and not self._wide:
            return size, size
        characters = size - np.add.reduceat((data & 0xC0) == 0x80, starts, dtype=np.int64)  # noqa: PLR2004
        if not self._wide:
            return characters, characters
        beyond = np.add.reduceat(data >= 0xF0, starts, dtype=np.int64)  # noqa: PLR2004
        return size, 2 * (characters + beyond)

    def build(self, lines: Lines, taken: Flags, numbers: Ints, place: Ints) -> pa.RecordBatch:
        """Build the batch of the lines `taken`; `numbers` and `place` are their numbers and their starts.

        Raises IntegrityError when the bytes of a line are not those of its cells and what is between them.
        """
        part = _part(lines, taken)
        structural = self._structural(part)
        size = np.diff(part.ends, prepend=0)
        removed = part.marks[structural]
        ends = self._cell_ends(part, structural, removed)
        kept = _without(part.text, removed)
        self._check(part, structural, size, ends, len(kept))
        cells = pa.StringArray.from_buffers(len(ends), _offsets(ends), pa.py_buffer(kept))
        lists = pa.array(np.arange(0, len(ends) + 1, self._width, dtype=np.int32))
        return pa.RecordBatch.from_arrays(
            [
                pa.array(numbers),
                pa.array(place),
                pa.array(place + lines.place[taken]),
                _bodies(part),
                pa.ListArray.from_arrays(lists, cells, type=RECORD_SCHEMA.field("cells").type),
            ],
            schema=RECORD_SCHEMA,
        )

    def _structural(self, part: _Part) -> Flags:
        """Tell which marks are no text: all but those within quotes, and one of each doubled quote."""
        quotes = np.flatnonzero(part.kinds == self._quote) if self._quote else np.zeros(0, np.int64)
        if not len(quotes):
            return np.ones(len(part.marks), np.bool_)
        structural = ~part.inside
        structural[quotes] = True
        position, opening = part.marks[quotes], part.inside[quotes]
        second = np.flatnonzero(opening[1:] & ~opening[:-1] & (np.diff(position) == 1)) + 1
        structural[quotes[second]] = False
        return structural

    def _cell_ends(self, part: _Part, structural: Flags, removed: Places) -> Places:
        """Return the ends of the cells in the text that remains."""
        kinds = part.kinds[structural]
        ending = kinds == self._delimiter
        returns = kinds == _CR
        ending |= returns
        if np.count_nonzero(returns) < len(part.ends):
            feeds = np.flatnonzero(kinds == _LF)
            ending[feeds] = ~returns[np.maximum(feeds - 1, 0)]
        indexes = np.flatnonzero(ending)
        return removed[indexes] - indexes.astype(np.int32)

    def _check(self, part: _Part, structural: Flags, size: Ints, ends: Places, kept: int) -> None:
        """Hold every line to the byte law."""
        if len(ends) != len(size) * self._width or (len(ends) and ends[-1] != kept):
            raise IntegrityError(
                "the fast lane lost count of the cells of a block: nothing was taken from it"
            )
        if not len(size):
            return
        text = np.diff(ends[self._width - 1 :: self._width], prepend=0)
        around = np.add.reduceat(structural, part.first_marks, dtype=np.int32)
        if not np.array_equal(text + around, size) or bool((ends[1:] < ends[:-1]).any()):
            raise IntegrityError("a line has other bytes than its cells and marks: nothing was taken from it")


_NUL_BYTE: Final = b"\0"


@dataclass(frozen=True)
class _Part:
    """The taken lines of a block, moved together: the text and the marks of them alone."""

    text: bytes
    ends: Ints
    marks: Places
    kinds: Bytes
    inside: Flags
    first_marks: Ints
    returns: bool


def _part(lines: Lines, taken: Flags) -> _Part:
    returns = b"\r" in lines.text
    if taken.all():
        return _Part(
            lines.text, lines.ends, lines.marks, lines.kinds, lines.inside, lines.first_marks, returns
        )
    edges = np.flatnonzero(np.diff(taken.astype(np.int8), prepend=0, append=0))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    text = b"".join([lines.text[lines.starts[a] : lines.ends[b - 1]] for a, b in runs])
    count = np.diff(np.append(lines.first_marks, len(lines.marks)))
    size = lines.ends - lines.starts
    ends = np.cumsum(size[taken])
    shift = (lines.starts[taken] - (ends - size[taken])).astype(np.int32)
    of_taken = np.repeat(taken, count)
    marks = lines.marks[of_taken] - np.repeat(shift, count[taken])
    first = np.cumsum(count[taken]) - count[taken]
    return _Part(text, ends, marks, lines.kinds[of_taken], lines.inside[of_taken], first, returns)


def _without(text: bytes, removed: Places | Ints) -> Bytes:
    """Return the text without the bytes at some places."""
    keep = np.ones(len(text), np.bool_)
    keep[removed] = False
    return np.frombuffer(text, np.uint8)[keep]


def _bodies(part: _Part) -> pa.StringArray:
    """Return the lines without their line ends."""
    whole = pa.Array.from_buffers(
        pa.binary(), len(part.ends), [None, _offsets(part.ends), pa.py_buffer(part.text)]
    )
    if not part.returns:
        return pc.binary_slice(whole, 0, -1).view(pa.string())
    feeds = part.ends - 1
    data = np.frombuffer(part.text, np.uint8)
    returned = data[np.maximum(feeds - 1, 0)] == _CR
    if returned.all():
        return pc.binary_slice(whole, 0, -2).view(pa.string())
    removed = np.sort(np.concatenate((feeds, feeds[returned] - 1)))
    ends = part.ends - np.cumsum(1 + returned.astype(np.int64))
    return pa.StringArray.from_buffers(len(ends), _offsets(ends), pa.py_buffer(_without(part.text, removed)))


def _offsets(ends: Ints | Places) -> pa.Buffer:
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    return pa.py_buffer(offsets)
