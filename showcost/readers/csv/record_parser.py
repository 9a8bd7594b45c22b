"""Record parser: record by record over the whole file, with resynchronisation after stray quotes.

Every physical record is returned once, in order, without gaps between spans. Records are sorted into
preamble, header, rows and footer in `table`; here it is decided only whether their cells can be trusted.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.readers.csv.cell_types import TYPED, cell_type
from showcost.readers.csv.grammar import BAD_CLOSE, UNCLOSED, Grammar, Parsed, count_lines

if TYPE_CHECKING:
    from showcost.readers.csv.layout import Layout
    from showcost.readers.model import Limits

SINGLE_QUOTE: Final = "a single quote mark in an unquoted cell"
BROKEN_QUOTES: Final = frozenset((SINGLE_QUOTE, BAD_CLOSE, UNCLOSED))
HAS_NUL: Final = "the record has NUL bytes"
_BLOCK: Final = 2**18
_SMALL: Final = 2**15
_FEW_COLUMNS: Final = 2
_MOST_INNER: Final = 200
_MOST_DOUBLED: Final = 1_000


@dataclass(frozen=True, slots=True)
class ParsedRecord:
    """One physical record, or a run of blank lines (`blanks` of them, each a record).

    `start` and `end` are offsets in the plain bytes, `body` the bytes without the line end. `cells` are
    those of a well-formed record, with the width of the table when `fits`; `is_short` if it leaves out blank
    ones at the end. `problem` is the reason why it cannot be a row.
    """

    start: int
    end: int
    lines: int
    body: bytes = b""
    cells: tuple[bytes, ...] = ()
    fits: bool = False
    problem: str = ""
    quotes: bool = False
    blanks: int = 0
    is_short: bool = False


class RecordParser:
    """Parses the plain bytes of one delivery."""

    def __init__(
        self,
        data: mmap.mmap,
        grammar: Grammar,
        layout: Layout,
        limits: Limits,
        *,
        encoding: str,
        literal_quotes: bool = False,
    ) -> None:
        """Prepare to parse `data` with the grammar and layout of the file.

        With `literal_quotes`, quotes within unquoted cells are text in this file, as inch marks are.
        """
        self._encoding, self._literal_quotes = encoding, literal_quotes
        self._data, self._grammar, self._layout = data, grammar, layout
        self._typed = [(column, kind) for column, kind in enumerate(layout.typed) if kind in TYPED]
        self._limit = limits.record_bytes
        self._doubt_until = -1
        self._in_doubt = False
        self._quote_at = -1
        self._before = False, -1
        self._window, self._base, self._last = b"", 0, False
        line_end = rb"(?:\r\n|\n|\r)" if grammar.lone_cr else rb"\r?\n"
        blank = rb"[ \x0b\x0c]" if b"\t" in grammar.delimiter else rb"[ \t\x0b\x0c]"
        if b" " in grammar.delimiter:
            blank = blank.replace(b" ", b"")
        self._blank_run = re.compile(rb"(?:" + blank + rb"*+" + line_end + rb")+")

    @property
    def in_doubt(self) -> bool:
        """True while a broken quote makes the following lines doubtful."""
        return self._in_doubt

    def step(self, position: int, number: int) -> ParsedRecord:
        """Return the record (the `number`th of the delivery) or the blank lines that begin at `position`."""
        offset = position - self._base
        if not 0 <= offset < len(self._window):
            offset = self._load(position, _SMALL)
        record = self._parse(self._window, self._base, offset, number, last=self._last)
        if record.end < self._base + len(self._window) and not self._reaches_out(record):
            return record
        if not self._last and (offset or len(self._window) <= _SMALL):
            self._in_doubt, self._doubt_until = self._before
            offset = self._load(position, 2 * _BLOCK + self._limit)
            record = self._parse(self._window, self._base, offset, number, last=self._last)
            self._window = b""
        return record

    def _load(self, position: int, size: int) -> int:
        self._base = position
        self._window = self._data[position : position + size]
        self._last = position + len(self._window) >= len(self._data)
        return 0

    def _reaches_out(self, record: ParsedRecord) -> bool:
        """Return whether a record depends on a quote that may be closed beyond the window."""
        return record.problem == UNCLOSED and not self._last

    def _parse(self, window: bytes, base: int, at: int, number: int, *, last: bool) -> ParsedRecord:
        self._before = self._in_doubt, self._doubt_until
        run = self._blank_run.match(window, at)
        if run is not None:
            end = run.end()
            if not last and window[end - 1 : end + 1] == b"\r\n":
                end += 1
            lines = self._grammar.count_lines(window[at:end])
            return ParsedRecord(base + at, base + end, lines, blanks=lines)
        parsed = self._grammar.parse(window, at)
        if parsed.problem == UNCLOSED and not last and len(window) > _SMALL:
            giant = self._take_giant(window, base, at, parsed)
            if giant is not None:
                return giant
        end, body_end = self._grammar.line(window, at)
        if end - at > self._limit or (end >= len(window) and not last and len(window) > _SMALL):
            return self._take_endless_line(base + at)
        if parsed.end - at > self._limit:
            if not self._holds_rows(window, at, parsed.end):
                return self._reject_long(base + at, base + parsed.end)
            parsed = Parsed(end, body_end, (), UNCLOSED, reach=parsed.end)
        elif not parsed.problem and parsed.end >= len(window) and not last:
            parsed = Parsed(end, body_end, (), UNCLOSED, reach=len(window))
        return self._classify(window, base, at, parsed, number)

    def _take_giant(self, window: bytes, base: int, at: int, parsed: Parsed) -> ParsedRecord | None:
        """Take a record whose quoted cell extends beyond the window as one, if it ends as a row."""
        quote = self._grammar.quote
        closing = self._next_quote(base + len(window))
        if closing < 0 or self._holds_rows(window, at, len(window)):
            return None
        rest = self._grammar.parse(quote + self._data[closing : closing + self._limit], 0)
        if rest.problem or parsed.before + len(rest.cells) != self._layout.width:
            return None
        return self._reject_long(base + at, closing - len(quote) + rest.end)

    def _next_quote(self, start: int) -> int:
        """Return the next quote that is not doubled; the result is cached."""
        quote = self._grammar.quote
        if self._quote_at < start:
            place = self._find(quote, start)
            for _ in range(_MOST_DOUBLED):
                if place < 0 or self._data[place + len(quote) : place + 2 * len(quote)] != quote:
                    break
                place = self._find(quote, place + 2 * len(quote))
            self._quote_at = place if place >= 0 else len(self._data)
        return self._quote_at if self._quote_at < len(self._data) else -1

    def _find(self, quote: bytes, start: int) -> int:
        """Search the rest of the file for a quote without keeping the skipped pages in memory."""
        step = 64 * _BLOCK
        for begin in range(start - start % mmap.PAGESIZE, len(self._data), step):
            place = self._data.find(quote, max(begin, start), begin + step + len(quote) - 1)
            if place >= 0:
                return place
            self._data.madvise(mmap.MADV_DONTNEED, begin, min(step, len(self._data) - begin))
        return -1

    def _reject_long(self, start: int, end: int) -> ParsedRecord:
        """Reject a record beyond the limit as one, without holding it in memory."""
        places = range(start, end, _BLOCK)
        parts = (self._data[place : min(place + _BLOCK, end)] for place in places)
        lines = count_lines(parts, lone_cr=self._grammar.lone_cr)
        body = self._data[start : start + self._limit].rstrip(b"\r\n")
        return ParsedRecord(start, end, lines, body, problem=f"the record is longer than {self._limit} bytes")

    def _take_endless_line(self, start: int) -> ParsedRecord:
        """Take a line beyond the limit as one rejected record."""
        data, position = self._data, start
        while True:
            block = data[position : position + _BLOCK]
            end, _ = self._grammar.line(block, 0)
            if end < len(block) or block.endswith((b"\n", b"\r")) or position + len(block) >= len(data):
                break
            position += len(block)
        end += position
        if data[end - 1 : end + 1] == b"\r\n":
            end += 1
        return self._reject_long(start, end)

    def _classify(self, window: bytes, base: int, at: int, parsed: Parsed, number: int) -> ParsedRecord:
        """Decide whether the cells of a parsed record can be trusted, and where it really ends."""
        in_table = number >= self._layout.first_row
        problem = parsed.problem
        if problem:
            self._in_doubt = True
            self._doubt_until = max(self._doubt_until, base + parsed.reach)
            return self._build(window, base, at, parsed, problem=problem)
        cells = self._layout.fit(parsed.cells, self._encoding)
        plain = not parsed.quoted and not self._grammar.escape
        lines = 1 if plain else self._grammar.count_lines(window[at : parsed.end])
        if in_table and lines > 2 and self._holds_rows(window, at, parsed.end):  # noqa: PLR2004 -- three lines or more
            if cells is None:
                self._in_doubt = True
                self._doubt_until = max(self._doubt_until, base + parsed.end)
                end, body_end = self._grammar.line(window, at)
                return self._build(window, base, at, Parsed(end, body_end, ()), problem=UNCLOSED)
            problem = "a quoted cell holds what may be records of its own"
        problem = problem or self._quote_problem(parsed, fits=cells is not None)
        if self._in_doubt and not problem:
            problem = self._doubt_problem(base + parsed.end, parsed, cells, lines)
        return self._build(window, base, at, parsed, problem=problem, lines=lines, cells=cells)

    def _build(
        self,
        window: bytes,
        base: int,
        at: int,
        parsed: Parsed,
        *,
        problem: str,
        lines: int = 1,
        cells: object = None,
    ) -> ParsedRecord:
        body = window[at : parsed.body_end]
        fits = cells is not None and not problem
        if not problem and b"\0" in body:
            problem, fits = HAS_NUL, False
        record_cells = tuple(cells) if isinstance(cells, (tuple, list)) and fits else parsed.cells
        return ParsedRecord(
            base + at,
            base + parsed.end,
            lines,
            body,
            record_cells,
            fits=fits,
            problem=problem,
            quotes=parsed.quoted,
            is_short=fits and len(parsed.cells) < len(record_cells),
        )

    def _quote_problem(self, parsed: Parsed, *, fits: bool) -> str:
        """Name the problem with quotes in unquoted cells; balanced ones are text.

        So is one within the text of a cell, if the record has the cells of a row by it.
        """
        if not parsed.stray:
            return ""
        quote = self._grammar.quote
        if self._grammar.blanks_before_quote(parsed.cells):
            return "blanks before an opening quote"
        if self._literal_quotes:
            return ""
        odd = [cell for cell in parsed.cells if cell.count(quote) % 2]
        within = fits and self._is_plausible(parsed.cells) and all(_is_within(cell, quote) for cell in odd)
        return SINGLE_QUOTE if odd and not within else ""

    def _doubt_problem(self, end: int, parsed: Parsed, cells: object, lines: int) -> str:
        """After a broken quote, trust a record again only when it is certainly a row."""
        if cells is None:
            return f"{len(parsed.cells)} cells within the reach of a quote that is not closed"
        if parsed.stray or (lines > 1 and end <= self._doubt_until) or not self._is_believable(end, parsed):
            return "within the reach of a quote that is not closed"
        return ""

    def trusts(self, start: int, end: int) -> bool:
        """Return whether a line after a broken quote that is a row by itself is certainly one."""
        return self._is_believable(end, self._grammar.parse(self._data[start:end], 0))

    def _is_believable(self, end: int, parsed: Parsed) -> bool:
        """Return whether a record is plausible; one beyond the quote or with quotes ends the doubt."""
        if not self._is_plausible(parsed.cells):
            return False
        if end > self._doubt_until or parsed.quoted:
            self._in_doubt = False
        return True

    def _is_plausible(self, cells: tuple[bytes, ...]) -> bool:
        """Return whether most cells have the types of their columns, and are enough evidence."""
        checked = fitting = 0
        for column, kind in self._typed:
            cell = cells[column].strip() if column < len(cells) else b""
            if cell:
                checked += 1
                fitting += cell_type(cell.decode(self._encoding, "replace")) == kind
                if fitting * 2 > len(self._typed):
                    return True
        return fitting * 2 > checked if checked else len(cells) > _FEW_COLUMNS

    def _holds_rows(self, window: bytes, at: int, stop: int) -> bool:
        """Return whether the complete lines within a record are mostly rows of the table by themselves."""
        position, _ = self._grammar.line(window, at)
        inner = rows = 0
        while inner < _MOST_INNER:
            end, _ = self._grammar.line(window, position)
            if end >= stop:
                break
            line = self._grammar.parse(window, position)
            rows += (
                line.end == end
                and not line.problem
                and not line.stray
                and self._layout.fit(line.cells, self._encoding) is not None
                and any(map(bytes.strip, line.cells))
                and self._is_plausible(line.cells)
            )
            position = end
            inner += 1
        return rows * 2 > inner


def _is_within(cell: bytes, quote: bytes) -> bool:
    """Return whether the one quote of a cell is in the middle of its words: it begins or ends no cell."""
    before, _, after = cell.strip().partition(quote)
    return cell.count(quote) == 1 and bool(before) and bool(after)
