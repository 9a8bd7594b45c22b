"""The careful lane: record by record over the whole file, with resynchronisation after stray quotes.

Yields every physical record once, in order, spans without gaps. What a record means (preamble, header,
row, footer) is decided in `reading`; here only whether its cells can be trusted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.ingest.readers.grammar import UNCLOSED, Grammar, Parsed
from showcost.ingest.readers.shapes import TYPED, shape

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    from showcost.ingest.readers.layout import Layout
    from showcost.ingest.readers.model import Limits

_BLOCK: Final = 2**22
_FEW_COLUMNS: Final = 2


@dataclass(frozen=True, slots=True)
class Found:
    """One physical record, or a run of blank lines (`blanks` of them, each a record).

    `start` and `end` are offsets in the plain bytes, `body` the bytes without the line end. `cells` are
    those of a well-formed record, brought to the width of the table when `fits`. `problem` says why it
    cannot be a row.
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


class Scanner:
    """Scans the plain bytes of one delivery."""

    def __init__(
        self,
        data: mmap.mmap,
        begin: int,
        grammar: Grammar,
        layout: Layout,
        limits: Limits,
        *,
        encoding: str,
        literal_quotes: bool = False,
    ) -> None:
        """Scan `data` from `begin` (after a byte order mark) with what was found out about the file.

        `literal_quotes` says that quotes within unquoted cells are text in this file, as inch marks are.
        """
        self._encoding, self._literal_quotes = encoding, literal_quotes
        self._data, self._begin, self._grammar, self._layout = data, begin, grammar, layout
        self._limit = limits.record_bytes
        self._columns = limits.columns
        self._doubt_until = -1
        self._in_doubt = False
        line_end = rb"(?:\r\n|\n|\r)" if grammar.lone_cr else rb"\r?\n"
        blank = rb"[ \x0b\x0c]" if b"\t" in grammar.delimiter else rb"[ \t\x0b\x0c]"
        if b" " in grammar.delimiter:
            blank = blank.replace(b" ", b"")
        self._blank_run = re.compile(rb"(?:" + blank + rb"*+" + line_end + rb")++")

    def __iter__(self) -> Iterator[Found]:
        """Yield every record of the file in order."""
        position, size, number = self._begin, len(self._data), 1
        while position < size:
            base = position
            window = self._data[base : base + _BLOCK + self._limit]
            last = base + len(window) >= size
            stop = len(window) if last else _BLOCK
            at = 0
            while at < stop:
                found = self._record(window, base, at, number, last=last)
                number += found.blanks or 1
                at = found.end - base
                yield found
            position = base + at

    def _record(self, window: bytes, base: int, at: int, number: int, *, last: bool) -> Found:
        run = self._blank_run.match(window, at, len(window) if last else _BLOCK + 2)
        if run is not None:
            end = run.end()
            if not last and window[end - 1 : end + 1] == b"\r\n":
                end += 1
            lines = self._grammar.count_lines(window[at:end])
            return Found(base + at, base + end, lines, blanks=lines)
        parsed = self._grammar.parse(window, at)
        if not last and (parsed.end >= len(window) or parsed.end - at > self._limit):
            shorter = self._overlong(window, at, parsed)
            if shorter is None:
                return self._endless(base + at)
            parsed = shorter
        elif parsed.end - at > self._limit and not parsed.problem:
            parsed = self._cut(window, at)
        return self._judge(window, base, at, parsed, number)

    def _overlong(self, window: bytes, at: int, parsed: Parsed) -> Parsed | None:
        """Treat a record beyond the limit: its first line alone when that is short, else None."""
        if parsed.problem and parsed.end < len(window):
            return parsed
        end, body_end = self._grammar.line(window, at)
        if end >= len(window) or end - at > self._limit:
            return None
        return Parsed(end, body_end, (), UNCLOSED, reach=len(window))

    def _cut(self, window: bytes, at: int) -> Parsed:
        end, body_end = self._grammar.line(window, at)
        problem = UNCLOSED if end - at <= self._limit else f"the record is longer than {self._limit} bytes"
        return Parsed(end, body_end, (), problem, reach=len(window))

    def _endless(self, start: int) -> Found:
        """Take a line beyond the limit as one rejected record, without holding it in memory."""
        data, position = self._data, start
        while True:
            block = data[position : position + _BLOCK]
            end, _ = self._grammar.line(block, 0)
            if end < len(block) or block.endswith((b"\n", b"\r")) or position + len(block) >= len(data):
                end = position + end
                break
            position += len(block)
        if data[end - 1 : end + 1] == b"\r\n":
            end += 1
        body = data[start : start + min(self._limit, end - start)].rstrip(b"\r\n")
        return Found(start, end, 1, body, problem=f"the record is longer than {self._limit} bytes")

    def _judge(self, window: bytes, base: int, at: int, parsed: Parsed, number: int) -> Found:
        """Decide whether the cells of a parsed record can be trusted, and how far it really goes."""
        in_table = number >= self._layout.first_row
        problem = parsed.problem
        if problem:
            self._in_doubt = True
            self._doubt_until = max(self._doubt_until, base + parsed.reach)
            return self._found(window, base, at, parsed, problem=problem)
        cells = self._layout.fit(parsed.cells)
        plain = not parsed.quoted and not self._grammar.escape
        lines = 1 if plain else self._grammar.count_lines(window[at : parsed.end])
        if in_table and lines > 2 and self._holds_rows(window, at, parsed):  # noqa: PLR2004
            if cells is None:
                self._in_doubt = True
                self._doubt_until = max(self._doubt_until, base + parsed.end)
                end, body_end = self._grammar.line(window, at)
                return self._found(window, base, at, Parsed(end, body_end, ()), problem=UNCLOSED)
            problem = "a quoted cell holds what may be records of its own"
        problem = problem or self._quote_problem(parsed)
        if self._in_doubt and not problem:
            problem = self._settle_doubt(base + parsed.end, parsed, cells, lines)
        return self._found(window, base, at, parsed, problem=problem, lines=lines, cells=cells)

    def _found(
        self,
        window: bytes,
        base: int,
        at: int,
        parsed: Parsed,
        *,
        problem: str,
        lines: int = 1,
        cells: object = None,
    ) -> Found:
        body = window[at : parsed.body_end]
        fits = cells is not None and not problem
        if not problem and b"\0" in body:
            problem, fits = "the record has NUL bytes", False
        kept = tuple(cells) if isinstance(cells, (tuple, list)) and fits else parsed.cells
        return Found(
            base + at, base + parsed.end, lines, body, kept, fits=fits, problem=problem, quotes=parsed.quoted
        )

    def _quote_problem(self, parsed: Parsed) -> str:
        """Name what is wrong with quotes in unquoted cells; balanced ones are text."""
        if not parsed.stray:
            return ""
        quote = self._grammar.quote
        if self._grammar.blanks_before_quote(parsed.cells):
            return "blanks before an opening quote"
        if self._literal_quotes:
            return ""
        odd = any(cell.count(quote) % 2 for cell in parsed.cells)
        return "a single quote mark in an unquoted cell" if odd else ""

    def _settle_doubt(self, end: int, parsed: Parsed, cells: object, lines: int) -> str:
        """After a broken quote, trust a record again only when it is a row beyond doubt."""
        if cells is None:
            return f"{len(parsed.cells)} cells within the reach of a quote that is not closed"
        if parsed.stray or (lines > 1 and end <= self._doubt_until) or not self._plausible(parsed.cells):
            return "within the reach of a quote that is not closed"
        if end > self._doubt_until or parsed.quoted:
            self._in_doubt = False
        return ""

    def _plausible(self, cells: tuple[bytes, ...]) -> bool:
        """Tell whether the cells have the shapes of their columns, and are enough to tell."""
        typed = self._layout.typed
        checked = 0
        for cell, kind in zip(cells, typed, strict=False):
            if kind in TYPED and cell.strip():
                if shape(cell.decode(self._encoding, "replace")) != kind:
                    return False
                checked += 1
        return checked > 0 or len(cells) > _FEW_COLUMNS

    def _holds_rows(self, window: bytes, at: int, parsed: Parsed) -> bool:
        """Tell whether the whole lines within a record are all rows of the table by themselves."""
        position, _ = self._grammar.line(window, at)
        inner = 0
        while True:
            end, _ = self._grammar.line(window, position)
            if end >= parsed.end:
                return inner > 0
            line = self._grammar.parse(window, position)
            if (
                line.end != end
                or line.problem
                or line.stray
                or self._layout.fit(line.cells) is None
                or not any(map(bytes.strip, line.cells))
                or not self._plausible(line.cells)
            ):
                return False
            position = end
            inner += 1
