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
    Flags = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]

MOST_TITLES: Final = 8
"""Lines above a header that occurs again that may be titles of it."""

_MOST_QUOTES: Final = 4
"""Quotes of a cell of a header, on average."""
_NUL: Final = 0
_CR: Final = 13
_LF: Final = 10


@dataclass(frozen=True)
class Lines:
    """The physical lines of a block (`text`, in UTF-8) and the marks in it.

    Marks are the delimiters, quotes, carriage returns, line feeds and NULs: `marks` their offsets, `kinds`
    the bytes, `first_marks` the index of the first mark of each line. `inner` are the indexes of the marks
    that are text: those within quotes, and the second one of each doubled quote; `around` is the number of
    the others in each line. `sound` tells the lines that are rows, `returned` those that end with CR LF.
    `plain` and `place` are the lengths of the lines in the plain bytes and in the delivery.
    """

    text: bytes
    starts: Ints
    ends: Ints
    sound: Flags
    quoted: Flags
    returned: Flags
    plain: Ints
    place: Ints
    marks: Ints
    kinds: Bytes
    inner: Ints
    first_marks: Ints
    around: Ints


class FastLane:
    """Analyses and builds the blocks of one delivery."""

    def __init__(self, grammar: Grammar, width: int, encoding: str, *, wide: bool) -> None:
        """Prepare for a dialect; `usable` is False when it is not one for this lane."""
        self._width, self._encoding, self._wide = width, encoding, wide
        delimiter = grammar.delimiter.decode(encoding).encode()
        quote = grammar.quote.decode(encoding).encode()
        single = len(delimiter) == 1 and len(quote) <= 1
        self.usable = single and not grammar.escape and width > 1
        self.line_end = b"\r" if grammar.lone_cr else b"\n"
        self._delimiter = delimiter[0] if delimiter else _NUL
        self._quote = quote[0] if quote else _NUL
        self._delimiter_bytes, self._quote_bytes = delimiter, quote
        self._blanks = b" \t\r\n\x0b\x0c" + delimiter
        self._blank_start = _table(b" \t\x0b\x0c" + delimiter)
        self._may_open = _table(b"\n" + delimiter + quote)
        self._may_close = _table(b"\r\n" + delimiter + quote)

    def analyse(self, block: bytes, headers: tuple[bytes, ...]) -> Lines | None:
        """Find the lines of a block that ends with a line end; None when it cannot be decoded.

        Where a carriage return alone ends a line, the block must have no other line ends.

        `headers` are the header lines of the file (UTF-8), which are no rows when they occur again.
        """
        text = self._utf8(block)
        if text is None or (self.line_end == b"\r" and b"\n" in text):
            return None
        text = text.replace(b"\r", b"\n") if self.line_end == b"\r" else text
        data = np.frombuffer(text, np.uint8)
        marks = np.flatnonzero(self._is_mark(text, data))
        kinds = data[marks]
        feeds = np.flatnonzero(kinds == _LF)
        ends = marks[feeds] + 1
        starts = np.concatenate(([0], ends[:-1]))
        first = np.concatenate(([0], feeds[:-1] + 1))
        sound = np.ones(len(ends), np.bool_)
        returned = (kinds[feeds - 1] == _CR) & (marks[feeds - 1] == ends - 2)
        quotes, inner, inner_quotes = self._quoting(data, marks, kinds, first, sound)
        self._refuse_odd(kinds, feeds, returned, sound, text)
        around = feeds + 1 - first - _per_line(inner, first)
        sound &= around - quotes - returned == self._width
        self._refuse_blank(data, text, starts, ends, sound)
        self._refuse_headers(data, text, starts, ends, sound, headers)
        plain, place = self._lengths(data, starts, ends, transcoded=len(text) != len(block))
        if len(inner_quotes):
            around -= _per_line(inner_quotes, first)
            inner = np.sort(np.concatenate((inner, inner_quotes)))
        quoted = quotes > 0
        return Lines(
            text, starts, ends, sound, quoted, returned, plain, place, marks, kinds, inner, first, around
        )

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
        self, data: Bytes, marks: Ints, kinds: Bytes, first: Ints, sound: Flags
    ) -> tuple[Ints, Ints, Ints]:
        """Tell what is within quotes, line by line; lines with quotes out of place are not sound.

        Returns the number of quotes of each line, the indexes of the other marks within quotes, and those
        of the quotes that are the second of two.
        """
        places = np.flatnonzero(kinds == self._quote) if self._quote_bytes else _NONE
        if not len(places):
            return np.zeros(len(first), np.int64), _NONE, _NONE
        line = np.searchsorted(first, places, side="right") - 1
        count = np.bincount(line, minlength=len(first))
        before_line = np.cumsum(count) - count
        opening = (np.arange(len(places)) - before_line[line]) % 2 == 0
        position = marks[places]
        # The first byte of the block stands after its last one, a line feed, and so at the start of a line.
        edge = np.where(opening, self._may_open[data[position - 1]], self._may_close[data[position + 1]])
        sound &= count % 2 == 0
        sound[line[~edge]] = False
        again = opening[1:] & ~opening[:-1] & (np.diff(position) == 1)
        within = np.diff(places) - 1
        within[~opening[:-1] | (line[1:] != line[:-1])] = 0
        return count, _stretches(places[:-1] + 1, within), places[1:][again]

    @staticmethod
    def _refuse_odd(kinds: Bytes, feeds: Ints, returned: Flags, sound: Flags, text: bytes) -> None:
        """Refuse lines with NUL bytes, and with carriage returns that are not part of the line end."""
        if _NUL_BYTE in text:
            sound[np.searchsorted(feeds, np.flatnonzero(kinds == _NUL))] = False
        returns = kinds == _CR
        if np.count_nonzero(returns) != np.count_nonzero(returned):
            returns[feeds[returned] - 1] = False
            sound[np.searchsorted(feeds, np.flatnonzero(returns))] = False

    def _refuse_blank(self, data: Bytes, text: bytes, starts: Ints, ends: Ints, sound: Flags) -> None:
        """Refuse blank records, which are counted apart."""
        for line in np.flatnonzero(sound & self._blank_start[data[starts]]).tolist():
            if not text[starts[line] : ends[line]].translate(None, self._blanks):
                sound[line] = False

    def _refuse_headers(
        self,
        data: Bytes,
        text: bytes,
        starts: Ints,
        ends: Ints,
        sound: Flags,
        headers: tuple[bytes, ...],
    ) -> None:
        """Refuse the header lines of the file when they occur again, and lines that may be titles of one."""
        again: list[int] = []
        for header in filter(None, map(self._unquoted, headers)):
            longer = ends - starts - len(header)
            like = sound & (longer > 0) & (longer <= len(b"\r\n") + _MOST_QUOTES * self._width)
            first, second = data[starts], data[np.minimum(starts + 1, len(data) - 1)]
            quoted = (first == self._quote) & ((second == header[0]) | (second == self._quote))
            for line in np.flatnonzero(like & ((first == header[0]) | quoted)).tolist():
                if self._unquoted(text[starts[line] : ends[line]].rstrip(b"\r\n")) == header:
                    sound[line] = False
                    again.append(line)
        for line in again:
            sound[max(0, line - MOST_TITLES) : line] = False
        for line in range(len(ends) - 1, max(-1, len(ends) - 1 - MOST_TITLES), -1):
            # The next block may begin with the header.
            if not self._may_be_title(text[starts[line] : ends[line]]):
                break
            sound[line] = False

    def _unquoted(self, line: bytes) -> bytes:
        """Return a line without its quotes: a header may be written with others when it occurs again."""
        return line.replace(self._quote_bytes, b"") if self._quote_bytes else line

    def _may_be_title(self, line: bytes) -> bool:
        """Tell whether all cells of a line may be empty but one, whatever that one has in quotes."""
        parts = line.split(self._delimiter_bytes)
        return sum(not part.strip() for part in parts) >= self._width - 1

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
        count = len(numbers)
        size = (lines.ends - lines.starts)[taken]
        keep, structural = self._wanted(lines, taken)
        indexes = np.flatnonzero(structural) if structural is not None else slice(None)
        marks, kinds = lines.marks[indexes], lines.kinds[indexes]
        around = lines.around[taken]
        ends = self._cell_ends(marks, kinds, np.cumsum(around) - 1, lines.returned[taken])
        if count < len(taken) and len(ends) == count * self._width:
            ends -= np.repeat(lines.starts[taken] - (np.cumsum(size) - size), self._width)
        keep[marks] = False
        kept = _only(lines.text, keep)
        self._check(size, around, ends, kept.size)
        cells = pa.StringArray.from_buffers(len(ends), offsets(ends), kept)
        lists = np.arange(0, len(ends) + 1, self._width, dtype=np.int32)
        return pa.RecordBatch.from_arrays(
            [
                whole_numbers(numbers),
                whole_numbers(place),
                whole_numbers(place + lines.place[taken]),
                _bodies(lines, taken),
                pa.Array.from_buffers(CELLS, count, [None, pa.py_buffer(lists)], children=[cells]),
            ],
            schema=RECORD_SCHEMA,
        )

    @staticmethod
    def _wanted(lines: Lines, taken: Flags) -> tuple[Flags, Flags | None]:
        """Tell which bytes are in the lines taken, and which marks are there and no text; None for all."""
        keep = np.ones(len(lines.text), np.bool_)
        if taken.all() and not len(lines.inner):
            return keep, None
        structural = np.ones(len(lines.marks), np.bool_)
        structural[lines.inner] = False
        edges = np.flatnonzero(np.diff(taken.astype(np.int8), prepend=1, append=1)).tolist()
        for line, stop in zip(edges[::2], edges[1::2], strict=True):
            keep[lines.starts[line] : lines.ends[stop - 1]] = False
            after = lines.first_marks[stop] if stop < len(taken) else len(structural)
            structural[lines.first_marks[line] : after] = False
        return keep, structural

    def _cell_ends(self, marks: Ints, kinds: Bytes, feeds: Ints, returned: Flags) -> Ints:
        """Return the ends of the cells in the text that remains without the marks.

        `feeds` are the indexes of the line feeds among the marks.
        """
        ending = (kinds == self._delimiter) | (kinds == _CR)
        ending[feeds[~returned]] = True
        indexes = np.flatnonzero(ending)
        return marks[indexes] - indexes

    def _check(self, size: Ints, around: Ints, ends: Ints, kept: int) -> None:
        """Hold every line to the byte law."""
        if len(ends) != len(size) * self._width or (len(ends) and ends[-1] != kept):
            raise IntegrityError(
                "the fast lane lost count of the cells of a block: nothing was taken from it"
            )
        text = np.diff(ends[self._width - 1 :: self._width], prepend=0)
        if not np.array_equal(text + around, size) or bool((ends[1:] < ends[:-1]).any()):
            raise IntegrityError("a line has other bytes than its cells and marks: nothing was taken from it")


_NUL_BYTE: Final = b"\0"
_NONE: Final = np.zeros(0, np.int64)
CELLS: Final = RECORD_SCHEMA.field("cells").type


def _table(members: bytes) -> Flags:
    """Return for each of the 256 bytes whether it is one of `members`."""
    table = np.zeros(256, np.bool_)
    table[list(members)] = True
    return table


def _stretches(starts: Ints, sizes: Ints) -> Ints:
    """Return the indexes that lie in stretches of some starts and sizes, one after the other."""
    offsets = np.cumsum(sizes) - sizes
    found: Ints = np.arange(sizes.sum()) + np.repeat(starts - offsets, sizes)
    return found


def _per_line(indexes: Ints, first: Ints) -> Ints:
    """Count the marks of some (sorted) indexes in each line."""
    if not len(indexes):
        return np.zeros(len(first), np.int64)
    return np.diff(np.searchsorted(indexes, first), append=len(indexes))


def _only(text: bytes, keep: Flags) -> pa.Buffer:
    """Return the bytes of the text that are to be kept."""
    mask = pa.py_buffer(np.packbits(keep, bitorder="little"))
    data = pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)])
    return data.filter(pa.Array.from_buffers(pa.bool_(), len(text), [None, mask])).buffers()[1]


def _bodies(lines: Lines, taken: Flags) -> pa.StringArray:
    """Return the lines that are taken, without their line ends."""
    if taken.all() and lines.returned.all():
        whole = pa.Array.from_buffers(
            pa.binary(), len(taken), [None, offsets(lines.ends), pa.py_buffer(lines.text)]
        )
        return pc.binary_slice(whole, 0, -len(b"\r\n")).view(pa.string())
    bodies = np.append(lines.starts, len(lines.text)).astype(np.int32)
    spans = np.empty(2 * len(lines.ends) + 1, np.int32)
    spans[0::2] = bodies
    spans[1::2] = lines.ends - 1 - lines.returned
    parts = [None, pa.py_buffer(spans), pa.py_buffer(lines.text)]
    whole = pa.Array.from_buffers(pa.binary(), len(spans) - 1, parts)
    return whole.take(whole_numbers(2 * np.flatnonzero(taken))).view(pa.string())


def whole_numbers(numbers: Ints) -> pa.Int64Array:
    """Return whole numbers as Arrow sees them; `pa.array` would import pandas for it."""
    held = pa.py_buffer(np.ascontiguousarray(numbers))
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, held])


def offsets(ends: Ints) -> pa.Buffer:
    """Return the offsets of texts that end at some places of one buffer."""
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    return pa.py_buffer(offsets)
