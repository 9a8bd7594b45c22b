"""Block parser: whole blocks of well-formed lines to Arrow arrays, without a Python object per cell.

It takes a line only when the line is certainly a row by itself: an even number of quotes, each at the edge of
a cell or doubled, exactly the right number of delimiters, no NUL, no C1 control character, no carriage return
except in its line end, not blank, not a repeated header. Every other line is left to the record parser,
except complete records of another width (`BlockLines.widths`), which the table may reject at once. The bytes
left out of a line are exactly its delimiters, quotes and line end; this is checked for every line (the byte
law).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcost.core.errors import IntegrityError
from showcost.readers.csv.cell_types import FILLER_BYTES
from showcost.readers.encodings import garbled_places
from showcost.readers.model import C1_CONTROLS, RECORD_SCHEMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from showcost.readers.csv.grammar import Grammar
    from showcost.readers.csv.layout import Layout
    from showcost.readers.csv.other_tables import OtherTables

    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Bytes = NDArray[np.uint8]

MOST_TITLES: Final = 8
"""Lines above a repeated header that may be its titles."""

_STAND_IN: Final = b"\x1f"
_MOST_QUOTES: Final = 4
"""Quotes per header cell, on average."""
_NUL: Final = 0
_CR: Final = 13
_LF: Final = 10


@dataclass(frozen=True)
class BlockLines:
    """The physical lines of a block, and the rows among them as Arrow arrays.

    `sound` marks the lines that have the form of rows, `rows` those of them that are rows: the others may be
    column names of a table. `short` are the lines that leave out blank cells at their end. `widths` is the
    number of cells of complete records of another width, and 0 for all other lines. `plain` and `place` are
    the lengths of the lines in the plain bytes and in the delivery. `raw` and `cells` are those of the sound
    lines, in their order.
    """

    sound: Flags
    rows: Flags
    short: Flags
    widths: Ints
    plain: Ints
    place: Ints
    raw: pa.StringArray
    cells: pa.ListArray

    def batch(self, lines: Ints, numbers: Ints, places: Ints) -> pa.RecordBatch:
        """Return some of the sound lines, by their indexes, as records with their numbers and starts."""
        raw, cells = self.raw, self.cells
        if len(lines) < len(raw):
            taken = np.zeros(len(self.sound), np.bool_)
            taken[lines] = True
            among = _flags(taken[self.sound])
            raw, cells = raw.filter(among), cells.filter(among)
        ends = places + self.place[lines]
        arrays = [whole_numbers(numbers), whole_numbers(places), whole_numbers(ends), raw, cells]
        return pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA)


@dataclass(frozen=True)
class _Marks:
    """The marks in the text of a block: delimiters, quotes, carriage returns, line feeds and NULs.

    `places` are their offsets, `kinds` the bytes. `starts` and `ends` are the offsets of the lines, `feeds`
    the index of the line feed of each, `first` that of its first mark. `returned` marks the lines that end
    with CR LF.
    """

    places: Ints
    kinds: Bytes
    starts: Ints
    ends: Ints
    feeds: Ints
    first: Ints
    returned: Flags


class BlockParser:
    """Parses the blocks of one delivery."""

    def __init__(
        self,
        grammar: Grammar,
        layout: Layout,
        encoding: str,
        tables: OtherTables,
        *,
        wide: bool,
        longest: int,
    ) -> None:
        """Prepare for a dialect; `usable` is False when the dialect needs the record parser.

        `tables` recognises column names among the lines. A line of more than `longest` bytes is not a row.
        """
        self._tables = tables
        width = layout.width
        self._width, self._encoding, self._wide, self._longest = width, encoding, wide, longest
        self._short, self._least = layout.widths.short, width - max(layout.widths.deficit, default=0)
        delimiter = grammar.delimiter.decode(encoding).encode()
        quote = grammar.quote.decode(encoding).encode()
        single = len(delimiter) == 1 or not set(delimiter) & {_NUL, _CR, _LF, *quote}
        escape = grammar.escape.decode(encoding).encode()
        self.usable = bool(delimiter) and single and len(quote) <= 1 and len(escape) <= 1 and width > 1
        self._long = delimiter if len(delimiter) > 1 else b""
        delimiter = _STAND_IN if self._long else delimiter
        self.line_end = b"\r" if grammar.lone_cr else b"\n"
        self._delimiter = delimiter[0] if delimiter else _NUL
        self._quote = quote[0] if quote else _NUL
        self._delimiter_bytes, self._quote_bytes, self._escape_bytes = delimiter, quote, escape
        self._blanks = b" \t\r\n\x0b\x0c" + delimiter
        self._fillers = self._blanks + quote + FILLER_BYTES
        self._filler_start, self._quoted_filler = _table(self._blanks + FILLER_BYTES), _table(self._fillers)
        self._may_open = _table(b"\n" + delimiter + quote)
        self._may_close = _table(b"\r\n" + delimiter + quote)

    def parse(self, block: bytes, headers: tuple[bytes, ...]) -> BlockLines | None:
        """Find the lines of a block that ends with a line end, and parse the rows among them.

        Returns None for a block that cannot be decoded. Where a carriage return alone ends a line, the block
        must have no other line ends. `headers` are the header lines of the file (UTF-8), which are not rows
        when repeated. Raises IntegrityError when the bytes of a line differ from its cells and marks.
        """
        text = self._utf8(block)
        if text is None or (self.line_end == b"\r" and b"\n" in text):
            return None
        text = text.replace(b"\r", b"\n") if self.line_end == b"\r" else text
        if self._long and _STAND_IN in text:
            return None
        full, text = text, self._shortened(text)
        data = np.frombuffer(text, np.uint8)
        is_mark = self._is_mark(text, data)
        marks = _find_marks(data, is_mark)
        whole = np.ones(len(marks.ends), np.bool_)
        quotes, inner, doubled = self._quoting(data, marks, whole)
        self._refuse_odd(marks, whole, text)
        _refuse_controls(text, self._encoding, marks, whole)
        self._refuse_escapes(data, text, marks, whole)
        around = marks.feeds + 1 - marks.first - _per_line(inner, marks.first)
        widths = around - quotes - marks.returned
        ends = self._ends(full, marks, inner, whole)
        plain, place = self._lengths(full, ends, transcoded=len(full) != len(block))
        whole &= plain <= self._longest
        blank = self._refuse_blank(data, text, marks, whole)
        fitting = (widths >= self._least) & (widths <= self._width)
        sound = whole & fitting
        self._refuse_headers(data, text, marks, sound, tuple(map(self._shortened, headers)))
        self._refuse_names_below(blank, text, marks, sound)
        count = widths[sound]
        widths[~whole | fitting] = 0
        if len(doubled):
            around -= _per_line(doubled, marks.first)
            inner = np.sort(np.concatenate((inner, doubled)))
        cells = self._cells(text, marks, sound, inner, around, is_mark, count)
        rows, short = sound.copy(), np.zeros(len(sound), np.bool_)
        rows[sound] = ~self._tables.concerned(cells)
        if self._least < self._width:
            short[sound] = count < self._width
            rows[short] &= self._short.certain(cells.filter(_flags(short[sound])))
        raw = _bodies(full, ends, marks.returned, sound)
        return BlockLines(sound, rows, short, widths, plain, place, raw, cells)

    def _shortened(self, text: bytes) -> bytes:
        """Return a text with a one-byte delimiter in place of a longer one."""
        return text.replace(self._long, _STAND_IN) if self._long else text

    def _ends(self, full: bytes, marks: _Marks, inner: Ints, whole: Flags) -> Ints:
        """Return the ends of the lines in the text before it was shortened.

        Lines with a stand-in within quotes are not complete records. Raises IntegrityError when a line was
        shortened by more or less than its delimiters.
        """
        if not self._long:
            return marks.ends
        ends: Ints = np.flatnonzero(np.frombuffer(full, np.uint8) == _LF) + 1
        stand_ins = np.flatnonzero(marks.kinds == self._delimiter)
        count = _per_line(stand_ins, marks.first)
        shorter = np.diff(ends, prepend=0) - (marks.ends - marks.starts)
        if not np.array_equal(shorter, count * (len(self._long) - 1)):
            raise IntegrityError("a line has other bytes than its cells and marks: nothing was taken from it")
        within = inner[marks.kinds[inner] == self._delimiter]
        whole[np.searchsorted(marks.first, within, side="right") - 1] = False
        return ends

    def _is_mark(self, text: bytes, data: Bytes) -> Flags:
        flags: Flags = data == self._delimiter
        other = np.empty_like(flags)
        for byte in {_LF, *(byte for byte in (self._quote, _CR, _NUL) if byte in text)} - {self._delimiter}:
            np.equal(data, byte, out=other)
            flags |= other
        return flags

    def _utf8(self, block: bytes) -> bytes | None:
        if block.isascii():
            return block
        try:
            text = block.decode(self._encoding)
        except UnicodeDecodeError:
            return None
        return block if self._encoding == "utf-8" else text.encode()

    def _quoting(self, data: Bytes, marks: _Marks, whole: Flags) -> tuple[Ints, Ints, Ints]:
        """Find quoted text line by line; lines with misplaced quotes are not complete records.

        Returns the number of quotes of each line, the indexes of the other marks within quotes, and those
        of the quotes that are the second of two.
        """
        places = np.flatnonzero(marks.kinds == self._quote) if self._quote_bytes else _NONE
        if not len(places):
            return np.zeros(len(whole), np.int64), _NONE, _NONE
        before_line = np.searchsorted(places, marks.first)
        count = np.diff(before_line, append=len(places))
        odd = count % 2 == 1
        opening = np.arange(len(places)) % 2 == 0
        if odd.any():
            whole &= ~odd
            opening ^= np.repeat(before_line % 2 == 1, count)
        position = marks.places[places]
        # The byte before the first wraps around to the last one, a line feed: the start of a line.
        edge = np.where(opening, self._may_open[data[position - 1]], self._may_close[data[position + 1]])
        if not edge.all():
            whole[np.searchsorted(before_line, np.flatnonzero(~edge), side="right") - 1] = False
        again = opening[1:] & ~opening[:-1] & (np.diff(position) == 1)
        within = np.diff(places) - 1
        within[~opening[:-1]] = 0
        # The last quote of a line with an odd number of them opens what ends with the line.
        last = before_line[odd] + count[odd] - 1
        within[last[last < len(within)]] = 0
        return count, stretches(places[:-1] + 1, within), places[1:][again]

    @staticmethod
    def _refuse_odd(marks: _Marks, whole: Flags, text: bytes) -> None:
        """Refuse lines with NUL bytes, and with carriage returns that are not part of the line end."""
        if _NUL_BYTE in text:
            whole[np.searchsorted(marks.feeds, np.flatnonzero(marks.kinds == _NUL))] = False
        returns = marks.kinds == _CR
        if np.count_nonzero(returns) != np.count_nonzero(marks.returned):
            returns[marks.feeds[marks.returned] - 1] = False
            whole[np.searchsorted(marks.feeds, np.flatnonzero(returns))] = False

    def _refuse_escapes(self, data: Bytes, text: bytes, marks: _Marks, whole: Flags) -> None:
        """Refuse lines with an escape character, which may escape a mark or the line end."""
        if self._escape_bytes and self._escape_bytes in text:
            whole[
                np.searchsorted(marks.ends, np.flatnonzero(data == self._escape_bytes[0]), side="right")
            ] = False

    def _refuse_blank(self, data: Bytes, text: bytes, marks: _Marks, whole: Flags) -> list[int]:
        """Refuse blank records and those with nothing but dashes, which are counted separately.

        Returns the blank ones.
        """
        blank = []
        first = data[marks.starts]
        begins = self._filler_start[first]
        if self._quote_bytes:
            quoted = np.flatnonzero(first == self._quote)
            second = np.minimum(marks.starts[quoted] + 1, len(data) - 1)
            begins[quoted] |= self._quoted_filler[data[second]]
        for line in np.flatnonzero(whole & begins).tolist():
            body = text[marks.starts[line] : marks.ends[line]]
            if not body.translate(None, self._fillers):
                whole[line] = False
                if not body.translate(None, self._blanks):
                    blank.append(line)
        return blank

    def _refuse_names_below(self, blank: list[int], text: bytes, marks: _Marks, sound: Flags) -> None:
        """Refuse the lines after a blank record: they may be the header of another table, or titles above it.

        The block before may have ended with a blank record.
        """
        line = 0
        for after in (0, *(number + 1 for number in blank)):
            line = max(line, after)
            begin = line
            while line < len(sound) and self._may_be_title(text[marks.starts[line] : marks.ends[line]]):
                line += 1
            if line > begin or after:
                sound[begin : line + 1] = False

    def _refuse_headers(
        self, data: Bytes, text: bytes, marks: _Marks, sound: Flags, headers: tuple[bytes, ...]
    ) -> None:
        """Refuse repeated header lines of the file, and lines that may be their titles."""
        starts, ends = marks.starts, marks.ends
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
        # The next block may begin with the header.
        for header_line in (*again, len(ends)):
            titles, line = 0, header_line - 1
            while line >= 0 and titles < MOST_TITLES:
                body = text[starts[line] : ends[line]]
                if not self._may_be_title(body):
                    break
                titles += bool(body.translate(None, self._blanks))
                sound[line] = False
                line -= 1

    def _unquoted(self, line: bytes) -> bytes:
        """Return a line without its quotes: a repeated header may be quoted differently."""
        return line.replace(self._quote_bytes, b"") if self._quote_bytes else line

    @cached_property
    def _title(self) -> re.Pattern[bytes]:
        """The pattern of a line that may have its first cell alone; its quotes need not be in order."""
        mark, quote = re.escape(self._delimiter_bytes), re.escape(self._quote_bytes)
        blank = rb"[\s" + mark + quote + rb"]*+"
        if not quote:
            return re.compile(rb"[^" + mark + rb"]*+" + blank)
        quoted = quote + rb"(?:[^" + quote + rb"]|" + quote * 2 + rb")*+" + quote
        return re.compile(rb"(?:" + quoted + rb"|(?!" + quote + rb")[^" + mark + rb"]*+)" + blank)

    def _may_be_title(self, line: bytes) -> bool:
        """Return whether a line may be blank, or have text in its first cell only."""
        return self._title.fullmatch(line) is not None

    def _lengths(self, text: bytes, ends: Ints, *, transcoded: bool) -> tuple[Ints, Ints]:
        """Return the lengths of the lines in the plain bytes and in the delivery itself."""
        size = np.diff(ends, prepend=0)
        if not transcoded and not self._wide:
            return size, size
        data, starts = np.frombuffer(text, np.uint8), ends - size
        characters = size - np.add.reduceat((data & 0xC0) == 0x80, starts, dtype=np.int64)  # noqa: PLR2004 -- bits of UTF-8
        if not self._wide:
            return characters, characters
        beyond = np.add.reduceat(data >= 0xF0, starts, dtype=np.int64)  # noqa: PLR2004 -- bits of UTF-8
        return size, 2 * (characters + beyond)

    def _cells(
        self,
        text: bytes,
        marks: _Marks,
        sound: Flags,
        inner: Ints,
        around: Ints,
        is_mark: Flags,
        count: Ints,
    ) -> pa.ListArray:
        """Return the cells of the sound lines; `around` is the number of structural marks of each line.

        `count` is the number of cells of each sound line, which gets blank ones up to the width. `inner` are
        the indexes of the marks that are text: those within quotes, and the second one of each doubled quote.
        `is_mark` is overwritten.
        """
        size = marks.ends - marks.starts
        keep = np.logical_not(is_mark, out=is_mark)
        places, kinds, feeds, returned = marks.places, marks.kinds, marks.feeds, marks.returned
        if len(inner) or not sound.all():
            keep[places[inner]] = True
            structural = self._structural(marks, sound, inner, keep)
            indexes = np.flatnonzero(structural)
            places, kinds, returned = places[indexes], kinds[indexes], returned[sound]
            around, size = around[sound], size[sound]
            feeds = np.cumsum(around) - 1
        ending = kinds != self._quote if self._quote_bytes else np.ones(len(kinds), np.bool_)
        ending[feeds[returned]] = False
        cell = np.flatnonzero(ending)
        ends = places[cell]
        ends -= cell
        if len(ends) == count.sum():
            if len(size) < len(sound):
                complete = len(ends) == len(size) * self._width
                before = marks.starts[sound] - (np.cumsum(size) - size)
                ends -= np.repeat(before, self._width if complete else count)
            if len(ends) < len(size) * self._width:
                ends = self._completed(ends, count)
        kept = _only(text, keep)
        self._check(size, around, ends, kept.size)
        texts = pa.StringArray.from_buffers(len(ends), offsets(ends), kept)
        lists = pa.py_buffer(np.arange(0, len(ends) + 1, self._width, dtype=np.int32))
        return pa.Array.from_buffers(CELLS, len(size), [None, lists], children=[texts])

    def _completed(self, ends: Ints, count: Ints) -> Ints:
        """Return the ends of the cells of lines, with those of blank cells up to the width."""
        completed = np.repeat(ends[np.cumsum(count) - 1], self._width)
        completed[stretches(np.arange(len(count)) * self._width, count)] = ends
        return completed

    @staticmethod
    def _structural(marks: _Marks, sound: Flags, inner: Ints, keep: Flags) -> Flags:
        """Return the structural marks of the sound lines; the text of other lines is dropped."""
        structural = np.ones(len(marks.places), np.bool_)
        structural[inner] = False
        edges = np.flatnonzero(np.diff(sound.astype(np.int8), prepend=1, append=1)).tolist()
        for line, stop in zip(edges[::2], edges[1::2], strict=True):
            keep[marks.starts[line] : marks.ends[stop - 1]] = False
            structural[marks.first[line] : marks.feeds[stop - 1] + 1] = False
        return structural

    def _check(self, size: Ints, around: Ints, ends: Ints, kept: int) -> None:
        """Check the byte law for every line."""
        if len(ends) != len(size) * self._width or (len(ends) and ends[-1] != kept):
            raise IntegrityError(
                "the block parser lost count of the cells of a block: nothing was taken from it"
            )
        text = np.diff(ends[self._width - 1 :: self._width], prepend=0)
        if not np.array_equal(text + around, size) or bool((ends[1:] < ends[:-1]).any()):
            raise IntegrityError("a line has other bytes than its cells and marks: nothing was taken from it")


def _refuse_controls(text: bytes, encoding: str, marks: _Marks, whole: Flags) -> None:
    """Refuse lines with control characters beyond ASCII, which are never text, and with garbled words."""
    if not text.isascii():
        places = [match.start() for match in C1_CONTROLS.finditer(text)]
        places += garbled_places(text, encoding)
        whole[np.searchsorted(marks.ends, places, side="right")] = False


def _find_marks(data: Bytes, is_mark: Flags) -> _Marks:
    places = np.flatnonzero(is_mark)
    kinds = data[places]
    feeds = np.flatnonzero(kinds == _LF)
    ends = places[feeds] + 1
    first = np.concatenate(([0], feeds[:-1] + 1))
    returned = (kinds[feeds - 1] == _CR) & (places[feeds - 1] == ends - 2)
    return _Marks(places, kinds, np.concatenate(([0], ends[:-1])), ends, feeds, first, returned)


_NUL_BYTE: Final = b"\0"
_NONE: Final = np.zeros(0, np.int64)
CELLS: Final = RECORD_SCHEMA.field("cells").type


def _table(members: bytes) -> Flags:
    """Return for each of the 256 bytes whether it is one of `members`."""
    table = np.zeros(256, np.bool_)
    table[list(members)] = True
    return table


def stretches(starts: Ints, sizes: Ints) -> Ints:
    """Return the indexes in ranges of some starts and sizes, one range after the other."""
    offsets = np.cumsum(sizes) - sizes
    indexes: Ints = np.arange(sizes.sum()) + np.repeat(starts - offsets, sizes)
    return indexes


def _per_line(indexes: Ints, first: Ints) -> Ints:
    """Count the marks of some (sorted) indexes in each line."""
    if not len(indexes):
        return np.zeros(len(first), np.int64)
    return np.bincount(np.searchsorted(first, indexes, side="right") - 1, minlength=len(first))


def _only(text: bytes, keep: Flags) -> pa.Buffer:
    """Return the kept bytes of the text."""
    data = pa.Array.from_buffers(pa.uint8(), len(text), [None, pa.py_buffer(text)])
    return data.filter(_flags(keep)).buffers()[1]


def _flags(flags: Flags) -> pa.BooleanArray:
    """Return flags as an Arrow array."""
    bits = pa.py_buffer(np.packbits(flags, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, bits])


def _bodies(text: bytes, ends: Ints, returned: Flags, sound: Flags) -> pa.StringArray:
    """Return the sound lines without their line ends."""
    if sound.all() and returned.all():
        whole = pa.Array.from_buffers(pa.binary(), len(sound), [None, offsets(ends), pa.py_buffer(text)])
        return pc.binary_slice(whole, 0, -len(b"\r\n")).view(pa.string())
    spans = np.empty(2 * len(sound) + 1, np.int32)
    spans[0], spans[2::2] = 0, ends
    spans[1::2] = ends - 1 - returned
    whole = pa.Array.from_buffers(
        pa.binary(), len(spans) - 1, [None, pa.py_buffer(spans), pa.py_buffer(text)]
    )
    return whole.take(whole_numbers(2 * np.flatnonzero(sound))).view(pa.string())


def whole_numbers(numbers: Ints) -> pa.Int64Array:
    """Return whole numbers as an Arrow array; `pa.array` would import pandas for it."""
    buffer = pa.py_buffer(np.ascontiguousarray(numbers))
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, buffer])


def plain_numbers(numbers: pa.Int64Array | pa.Int32Array) -> Ints:
    """Return whole numbers without nulls as a numpy array; `to_numpy` would import pandas for it."""
    values = np.frombuffer(numbers.buffers()[1], f"i{numbers.type.byte_width}")
    return values[numbers.offset : numbers.offset + len(numbers)]


def offsets(ends: Ints) -> pa.Buffer:
    """Return the offsets of texts that end at some places of one buffer."""
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    return pa.py_buffer(offsets)
