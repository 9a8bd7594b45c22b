"""Repair of records with wrong marks, when only one reading of them is possible.

A record with one delimiter too many, one too few, or another delimiter than the rest is read only if
exactly one repair gives every column a cell of the kind that the rest of the file has there. So is a record
with a surplus quote mark, if it is in a cell of a column whose kind has none. Every other record stays
rejected: a reader of money does not guess. Only marks are ever changed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from showcost.readers.csv.grammar import Grammar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ENOUGH_ROWS: Final = 20
_MOST_OUTLINES: Final = 8
_MOST_WORDS: Final = 20
_SEEN_EACH: Final = 3
_ENOUGH_STRICT: Final = 3
_LONGEST: Final = 4096
_MOST_QUOTES: Final = 9
_MOST_TRIED: Final = 1_000
"""A file with more ragged records than this is broken as a whole, and proves nothing about itself."""
_OTHERS: Final = (";", "\t", "|", ",")
_DIGIT: Final = re.compile(r"\d")
_LETTER: Final = re.compile(r"[^\W\d_]")
_KINDS: Final = (
    re.compile(r"[-+]?\d+"),
    re.compile(r"[-+]?\d+[.,]\d\d"),
    re.compile(r"[-+]?\d+[.,]\d+"),
    re.compile(r"[£$€]?-?\d{1,3}(?:,\d{3})*\.\d\d"),
    re.compile(r"https?://[^\s\"',;|]+"),
    re.compile(r"[^\s@\"',;|]+@[\w.-]+\.\w+"),
)


@dataclass(frozen=True)
class _Profile:
    """The cells of one column: words of a short list, outlines, a kind, or any text."""

    empties: bool = True
    words: frozenset[str] = frozenset()
    outlines: frozenset[str] = frozenset()
    kind: re.Pattern[str] | None = None

    @property
    def strict(self) -> bool:
        return bool(self.words or self.outlines or self.kind)

    def takes(self, cell: str) -> bool:
        if not cell:
            return self.empties
        if self.words:
            return cell in self.words
        if self.outlines:
            return _outline(cell) in self.outlines
        return self.kind is None or self.kind.fullmatch(cell) is not None


def _outline(cell: str) -> str:
    """Return the cell with each digit as 9 and each letter as A."""
    return _LETTER.sub("A", _DIGIT.sub("9", cell))


def _profile(cells: Sequence[str]) -> _Profile:
    words = Counter(cells)
    empties = words.pop("", 0) > 0
    filled = words.total()
    if filled < _ENOUGH_ROWS:
        return _Profile(empties or not filled)
    if len(words) <= _MOST_WORDS and min(words.values()) >= _SEEN_EACH and filled >= len(words) * 5:
        return _Profile(empties, words=frozenset(words))
    if all(any(map(str.isdigit, word)) for word in words):
        outlines = Counter[str]()
        for word, count in words.items():
            outlines[_outline(word)] += count
        if len(outlines) <= _MOST_OUTLINES and min(outlines.values()) >= _SEEN_EACH:
            return _Profile(empties, outlines=frozenset(outlines))
    kind = next((kind for kind in _KINDS if all(map(kind.fullmatch, words))), None)
    return _Profile(empties, kind=kind)


class RecordRepairer:
    """Repairs records of one file by the columns of a sample of its sound rows."""

    def __init__(self, rows: Iterable[Sequence[str]], width: int, grammar: Grammar, encoding: str) -> None:
        """Keep rows to learn from, those with the right number of cells; they are looked at when needed."""
        self._sound = [row for row in rows if len(row) == width]
        self._width, self._grammar, self._encoding = width, grammar, encoding
        self._delimiter = grammar.delimiter.decode(encoding)

    @cached_property
    def _profiles(self) -> list[_Profile]:
        return [_profile(cells) for cells in zip(*self._sound, strict=True)]

    @cached_property
    def _left(self) -> int:
        """The number of records that may still be tried."""
        strict = sum(profile.strict for profile in self._profiles)
        able = len(self._sound) >= _ENOUGH_ROWS and strict >= _ENOUGH_STRICT and strict * 2 >= self._width
        return _MOST_TRIED if able else 0

    @cached_property
    def _quotes_delimiters(self) -> bool:
        mark = self._delimiter
        return bool(mark) and any(mark in cell for row in self._sound for cell in row)

    @cached_property
    def _others(self) -> list[Grammar]:
        """The grammars of other delimiters."""
        quote, encoding, lone_cr = self._grammar.quote, self._encoding, self._grammar.lone_cr
        return [
            Grammar(other, quote.decode(encoding), "", encoding=encoding, lone_cr=lone_cr)
            for other in _OTHERS
            if other != self._delimiter
        ]

    @property
    def is_able(self) -> bool:
        """True if the file is regular enough, and the limit of attempts is not reached."""
        return self._left > 0

    def repair(self, body: bytes, cells: Sequence[bytes]) -> tuple[tuple[bytes, ...], str] | None:
        """Return the cells of a ragged but well-formed record and the repair, or None."""
        if self._left <= 0 or len(body) > _LONGEST:
            return None
        self._left -= 1
        try:
            texts = [cell.decode(self._encoding) for cell in cells]
        except UnicodeDecodeError:
            return None
        if len(cells) == 1:
            return self._other_delimiter(body)
        if len(cells) == self._width + 1 and self._quotes_delimiters:
            return self._only_reading(self._without_one(texts), "an extra delimiter was left out")
        if len(cells) == self._width - 1:
            between_quotes = self._split_between_quotes(body)
            return self._only_reading(
                between_quotes or self._split_once(texts), "a missing delimiter was put in"
            )
        return None

    def repair_quote(self, body: bytes) -> tuple[tuple[bytes, ...], str] | None:
        """Return the cells of a record with a broken quote and the repair, or None."""
        quote = self._grammar.quote
        if self._left <= 0 or len(body) > _LONGEST or not quote or body.count(quote) > _MOST_QUOTES:
            return None
        self._left -= 1
        readings = set()
        for place in (match.start() for match in re.finditer(re.escape(quote), body)):
            before = self._grammar.parse(body[:place], 0)
            column = len(before.cells) - 1
            if before.problem or not 0 <= column < self._width or not self._profiles[column].strict:
                continue
            parsed = self._grammar.parse(body[:place] + body[place + len(quote) :], 0)
            if parsed.problem or parsed.stray or len(parsed.cells) != self._width:
                continue
            cells = tuple(cell.decode(self._encoding, "replace") for cell in parsed.cells)
            if cells[column] and self._fits(cells):
                readings.add(cells)
        if not readings and (joined := self._joined_by_quotes(body)):
            return self._only_reading({joined}, "a delimiter within quotes in a text is text")
        return self._only_reading(readings, "a quote mark too many was left out")

    def _only_reading(
        self, readings: set[tuple[str, ...]], what: str
    ) -> tuple[tuple[bytes, ...], str] | None:
        if len(readings) != 1:
            return None
        return tuple(cell.encode(self._encoding) for cell in readings.pop()), what

    def _fits(self, cells: Sequence[str]) -> bool:
        return all(profile.takes(cell) for profile, cell in zip(self._profiles, cells, strict=True))

    def _without_one(self, cells: Sequence[str]) -> set[tuple[str, ...]]:
        return {
            reading
            for index, cell in enumerate(cells)
            if not cell and self._fits(reading := (*cells[:index], *cells[index + 1 :]))
        }

    def _split_once(self, cells: Sequence[str]) -> set[tuple[str, ...]]:
        profiles = self._profiles
        last = len(cells)
        fits_before = [True]
        for profile, cell in zip(profiles, cells, strict=False):
            fits_before.append(fits_before[-1] and profile.takes(cell))
        fits_after = [True] * (last + 1)
        for index in range(last - 1, -1, -1):
            fits_after[index] = fits_after[index + 1] and profiles[index + 1].takes(cells[index])
        readings = set()
        for index, cell in enumerate(cells):
            if fits_before[index] and fits_after[index + 1]:
                for place in range(len(cell) + 1):
                    left, right = cell[:place], cell[place:]
                    if profiles[index].takes(left) and profiles[index + 1].takes(right):
                        readings.add((*cells[:index], left, right, *cells[index + 1 :]))
        return readings

    def _split_between_quotes(self, body: bytes) -> set[tuple[str, ...]]:
        """Return the readings with a delimiter put in between two quotes: `"text""text"` may be two cells."""
        quote = self._grammar.quote
        readings = set[tuple[str, ...]]()
        if not quote or body.count(quote) > _MOST_QUOTES:
            return readings
        for match in re.finditer(re.escape(quote * 2), body):
            place = match.start() + len(quote)
            parsed = self._grammar.parse(body[:place] + self._grammar.delimiter + body[place:], 0)
            if parsed.problem or parsed.stray or len(parsed.cells) != self._width:
                continue
            cells = tuple(cell.decode(self._encoding, "replace") for cell in parsed.cells)
            if self._fits(cells):
                readings.add(cells)
        return readings

    def _joined_by_quotes(self, body: bytes) -> tuple[str, ...] | None:
        """Return the cells if delimiters within quotes are text where the quotes open within a text."""
        quote, delimiter = self._grammar.quote, self._grammar.delimiter
        if self._grammar.escape or body.count(quote) % 2:
            return None
        cells: list[bytes] = []
        is_open = False
        for part in body.split(delimiter):
            if is_open:
                cells[-1] += delimiter + part
            elif quote in part and part.lstrip().startswith(quote):
                return None
            else:
                cells.append(part)
            is_open ^= part.count(quote) % 2 == 1
        texts = tuple(cell.decode(self._encoding, "replace") for cell in cells)
        return texts if len(texts) == self._width and self._fits(texts) else None

    def _other_delimiter(self, body: bytes) -> tuple[tuple[bytes, ...], str] | None:
        readings = set()
        for grammar in self._others:
            parsed = grammar.parse(body, 0)
            if parsed.problem or parsed.stray or len(parsed.cells) != self._width or parsed.end != len(body):
                continue
            cells = tuple(cell.decode(self._encoding, "replace") for cell in parsed.cells)
            if self._fits(cells):
                readings.add(cells)
        return self._only_reading(readings, "another delimiter was used")
