"""Detection of delimiter, quote, escape and line ends from a sample of the bytes.

Candidates are proposed from the characters that occur, each is tried with the real grammar, and the one under
which the sample looks most like one table wins. Headers and widths are found in `layout`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from showcost.readers.csv.cell_types import TEXT, TYPED, cell_type, is_tidy
from showcost.readers.csv.grammar import Grammar, Parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from showcost.readers.model import Hints

_SINGLE: Final = (
    ",",
    ";",
    "\t",
    "|",
    ":",
    "^",
    "~",
    "\x1f",
    "\x1e",
    "\x01",
    "¬",
    "§",
    "¦",
    " ",
    "/",
    "#",
    "*",
    "-",
)
_PAIRS: Final = (
    "||",
    "::",
    ";;",
    "~~",
    "^^",
    "##",
    "@@",
    "$$",
    "&&",
    "%%",
    "|~|",
    "~|~",
    "^|^",
    "|^|",
    "#|#",
    ";|",
    "|;",
    "~|",
    "|~",
    "<>",
    "<|>",
    "->",
    "=>",
    "//",
    "\t\t",
    ",,",
    "**",
    "++",
    "¬¬",
    "§§",
    "¦¦",
)
_RUN: Final = re.compile(r"[^\w\s\"'.,()-]{2,4}")
_MOST_RUNS: Final = 3
_PREFERENCE: Final = {",": 1.0, ";": 0.99, "\t": 0.99, "|": 0.98, "||": 0.98}
_UNLIKELY: Final = {" ": 0.6, ":": 0.6, "/": 0.4, "#": 0.5, "*": 0.5, "-": 0.3}
_OTHER_PREFERENCE: Final = 0.9
_MOST_RECORDS: Final = 400
_CONFIDENT: Final = 0.1
_DOUBTFUL: Final = 0.2
"""Text with commas scores below it, and hardly any table does."""
_NEARLY_ALL: Final = 0.8


@dataclass(frozen=True)
class Form:
    """The form of the records; `confidence` is a whole percentage."""

    delimiter: str
    quote: str
    escape: str
    lone_cr: bool
    newlines: tuple[str, ...]
    confidence: int
    notes: tuple[str, ...] = ()


def detect_form(pieces: Sequence[bytes], encoding: str, hints: Hints) -> Form:
    """Detect the form of a file from pieces that each begin at the start of a line."""
    sample = b"\n".join(pieces)
    kinds, lone_cr = _newlines(pieces)
    text = sample.decode(encoding, "replace")
    quotes = [hints.quote] if hints.quote is not None else _quotes(text)
    delimiters = [hints.delimiter] if hints.delimiter is not None else _delimiters(text, quotes)
    if len(delimiters) == len(quotes) == 1 and hints.escape is not None:
        return Form(delimiters[0], quotes[0], hints.escape, lone_cr, kinds, 100)
    scored: list[tuple[float, str, str, str]] = []
    for delimiter in delimiters:
        for quote in quotes:
            for escape in [hints.escape] if hints.escape is not None else _escapes(text, quote, delimiter):
                grammar = Grammar(delimiter, quote, escape, encoding=encoding, lone_cr=lone_cr)
                parsed = list(_some(records(grammar, pieces)))
                score = _score(parsed, encoding)
                score *= _PREFERENCE.get(delimiter, _UNLIKELY.get(delimiter, _OTHER_PREFERENCE))
                if delimiter in _UNLIKELY and hints.delimiter is None:
                    score *= _divides_values(parsed, delimiter, encoding)
                scored.append((score, delimiter, quote, escape))
    scored.sort(key=lambda entry: -entry[0])
    best, delimiter, quote, escape = scored[0]
    runner_up = next((s for s, d, _, _ in scored if d != delimiter), 0.0)
    notes: list[str] = []
    if hints.delimiter is None and best < _DOUBTFUL:
        grammar = Grammar(delimiter, quote, escape, encoding=encoding, lone_cr=lone_cr)
        if best <= _CONFIDENT or _is_prose(list(_some(records(grammar, pieces)))):
            delimiter = ""
            notes.append("no delimiter was found: every line is one cell")
    confidence = (
        100 if hints.delimiter is not None else max(1, min(99, round(100 * best / (best + runner_up or 1))))
    )
    return Form(delimiter, quote, escape, lone_cr, kinds, confidence, tuple(notes))


def _newlines(pieces: Iterable[bytes]) -> tuple[tuple[str, ...], bool]:
    """Return the kinds of line end, most frequent first, and whether a lone CR is one."""
    crlf = lf = cr = 0
    for piece in pieces:
        both = piece.count(b"\r\n")
        crlf, lf, cr = crlf + both, lf + piece.count(b"\n") - both, cr + piece.count(b"\r") - both
    counts = {"\r\n": crlf, "\n": lf}
    lone_cr = cr > 0 and (crlf + lf == 0 or cr * 4 >= crlf + lf)
    if lone_cr:
        counts["\r"] = cr
    return tuple(sorted((k for k, n in counts.items() if n), key=lambda k: -counts[k])), lone_cr


_OPENING: Final = r"(?:^|(?<=[^\w\s{q}])|(?<=[\t ])){q}"
_CLOSING: Final = r"(?<!^){q}(?=[^\w\s{q}]|\s|$)"


def _quotes(text: str) -> list[str]:
    """Propose quote characters: characters that occur in pairs at the edges of cells."""
    counts: list[tuple[int, str]] = []
    for mark in ('"', "'"):
        if mark not in text:
            continue
        opened = len(re.findall(_OPENING.format(q=mark), text, re.MULTILINE))
        closed = len(re.findall(_CLOSING.format(q=mark), text, re.MULTILINE))
        if opened and closed:
            counts.append((min(opened, closed), mark))
    if not counts:
        return ['"']
    marks = [mark for _, mark in counts]
    return marks if '"' in marks else [*marks, '"']


def _delimiters(text: str, quotes: Iterable[str]) -> list[str]:
    """Propose delimiters: single characters that occur, longer ones that occur in most lines."""
    lines = [line for line in text.splitlines() if line.strip()][:_MOST_RECORDS]
    half = max(1, len(lines) // 2)
    proposed = [mark for mark in _SINGLE if mark in text]
    proposed += [
        mark
        for mark in _PAIRS
        if mark in text and sum(mark in line for line in lines) >= half and _always_whole(mark, text)
    ]
    runs = Counter(run for line in lines for run in set(_RUN.findall(line)))
    proposed += [
        run
        for run, count in runs.most_common(_MOST_RUNS)
        if count >= half and run not in proposed and _always_whole(run, text)
    ]
    proposed += [
        f"{mark} "
        for mark in (",", ";", "|", ":")
        if any(f"{mark} {quote}" in text for quote in quotes if quote)
    ]
    return proposed or [""]


def _always_whole(mark: str, text: str) -> bool:
    """Return whether the characters of a longer delimiter hardly ever occur apart from it."""
    rest = text.replace(mark, "")
    return all(rest.count(char) * 10 <= text.count(mark) for char in set(mark) if not char.isspace())


def _escapes(text: str, quote: str, delimiter: str) -> list[str]:
    if "\\" not in text:
        return [""]
    if (quote and f"\\{quote}" in text) or (delimiter and f"\\{delimiter}" in text):
        return ["", "\\"]
    return [""]


def records(grammar: Grammar, pieces: Iterable[bytes]) -> Iterator[Parsed]:
    """Parse each piece from its start; a malformed record costs its first line."""
    for piece in pieces:
        position = 0
        while position < len(piece):
            parsed = grammar.parse(piece, position)
            yield parsed
            position = parsed.end


def _some(parsed: Iterator[Parsed]) -> Iterator[Parsed]:
    for number, record in enumerate(parsed):
        if number >= 4 * _MOST_RECORDS:
            return
        yield record


def _with_content(parsed: Iterable[Parsed]) -> list[Parsed]:
    """Return the records that are not blank."""
    return [p for p in parsed if p.problem or any(cell.strip() for cell in p.cells)]


def _score(parsed: Sequence[Parsed], encoding: str) -> float:
    """Score how much the records look like one table of several columns, from 0 to 1."""
    rows = _with_content(parsed)
    widths = Counter(len(p.cells) for p in rows if not p.problem)
    wide = {width: count for width, count in widths.items() if width > 1}
    if not wide:
        return 0.0
    width, _ = max(wide.items(), key=lambda item: (item[1] * (item[0] - 1) / item[0], item[0]))
    fitting = [p for p in rows if len(p.cells) == width and not p.problem]
    share = len(fitting) / len(rows)
    runs = sum((len(a.cells) == width) != (len(b.cells) == width) for a, b in pairwise(rows))
    steadiness = 1 - runs / (2 * len(rows))
    stray = sum(p.stray for p in fitting) / len(fitting)
    cells = [cell.decode(encoding, "replace") for p in fitting[:_MOST_RECORDS] for cell in p.cells]
    neat = sum(map(is_tidy, cells)) / len(cells)
    filled = sum(1 for cell in cells if cell.strip()) / len(cells)
    return (
        share
        * steadiness
        * (width - 1)
        / width
        * (0.3 + 0.7 * neat)
        * (1 - 0.5 * stray)
        * (0.5 + 0.5 * filled)
        * (0.6 + 0.4 * _columns_agree(fitting, width, encoding))
    )


def _is_prose(parsed: Sequence[Parsed]) -> bool:
    """Return whether most records differ in width: commas of sentences, not of columns."""
    widths = Counter(len(p.cells) for p in _with_content(parsed))
    return not widths or max(widths.values()) * 2 <= widths.total()


def _divides_values(parsed: Sequence[Parsed], delimiter: str, encoding: str) -> bool:
    """Return whether a mark that also occurs in words, dates and times divides nearly all lines into columns.

    At least one column has values, whole lines are not values, and except for a space the first line is
    divided too: `Ref` above `AB-0001` names a column of references.
    """
    rows = [tuple(cell.decode(encoding, "replace") for cell in p.cells) for p in _with_content(parsed)]
    width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
    body = [row for row in rows if len(row) == width][1:]
    whole = sum(cell_type(delimiter.join(row)) in TYPED for row in body)
    values = (sum(cell_type(row[column]) in TYPED for row in body) for column in range(width))
    return (
        width > 1
        and (delimiter == " " or len(rows[0]) == width)
        and count >= _NEARLY_ALL * len(rows)
        and whole * 2 <= len(body)
        and any(typed >= _NEARLY_ALL * len(body) for typed in values)
    )


def _columns_agree(fitting: Sequence[Parsed], width: int, encoding: str) -> float:
    """Return the mean share of the commonest type among the filled cells of a column."""
    body = fitting[1 : _MOST_RECORDS + 1] or fitting
    total = 0.0
    for column in range(width):
        types = Counter(cell_type(p.cells[column].decode(encoding, "replace")) for p in body)
        types.pop("", None)
        filled = sum(types.values())
        if not filled:
            total += 0.5
            continue
        kind, count = types.most_common(1)[0]
        total += (0.9 if kind == TEXT else 1.0) * count / filled
    return total / width
