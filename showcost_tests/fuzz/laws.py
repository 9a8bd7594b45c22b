"""Properties of every reading, whatever the bytes: nothing raised, nothing lost, both parsers agree.

The counts here share no code with the reader: lines are counted and texts compared anew.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from showcost.readers import Hints, read_delivery
from showcost.readers.csv import read_ahead as ahead
from showcost.readers.csv import table
from showcost.readers.csv.block_parser import BlockParser
from showcost.readers.export import write_csv, write_rejects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from showcost.readers import Reading, Rejected

MOST_SECONDS: Final = 5.0
"""For payloads of up to some ten thousand bytes, on a busy machine."""

HINTS: Final = (
    Hints(),
    Hints(totals_are_rows=True),
    Hints(delimiter=",", quote='"', escape=""),
    Hints(encoding="cp1252", delimiter=";", header_record=1),
    Hints(escape="\\", header_record=0),
    Hints(encoding="utf-8", skip_records=2),
    Hints(delimiter="||", quote="'"),
)
_CONTAINERS: Final = (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xd0\xcf\x11\xe0")
_BLANK: Final = re.compile(r"[\s\ufeff]*")
_CONVERTED: Final = re.compile(r"the encoding is (\S+); places are counted in the UTF-8 form of the file")


@dataclass(frozen=True)
class Row:
    """An accepted record."""

    number: int
    start: int
    end: int
    raw: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The result of a reading."""

    rows: tuple[Row, ...]
    rejected: tuple[Rejected, ...]
    footer: tuple[int, ...]
    counts: tuple[int, ...]


def check(payload: bytes, path: Path, hints: Hints = HINTS[0]) -> None:
    """Read the payload with both parsers; AssertionError names the violated property."""
    path.write_bytes(payload)
    began = time.monotonic()
    with small_blocks():
        by_block = _read(path, payload, hints)
        with record_parser_only():
            by_record = _read(path, payload, hints)
    assert time.monotonic() - began < MOST_SECONDS, "reading takes too long"
    if not by_block.footer and not by_record.footer:  # only the record parser looks for the footer
        assert by_block == by_record, "the parsers differ"


def small_blocks() -> AbstractContextManager[None]:
    """Let the block parser take small blocks up to the very end."""
    return _patched((ahead, "BLOCK", 256), (ahead, "TAIL", 0), (table, "_WORTH_IT", 0.0))


def record_parser_only() -> AbstractContextManager[None]:
    """Leave everything to the record parser."""
    return _patched((BlockParser, "parse", lambda *_: None))


class _patched:  # noqa: N801 - used as a function
    def __init__(self, *changes: tuple[object, str, object]) -> None:
        self._changes = changes

    def __enter__(self) -> None:
        self._before = [(where, name, getattr(where, name)) for where, name, _ in self._changes]
        for where, name, value in self._changes:
            setattr(where, name, value)

    def __exit__(self, *_: object) -> None:
        for where, name, value in self._before:
            setattr(where, name, value)


def _read(path: Path, payload: bytes, hints: Hints) -> Outcome:
    with read_delivery(path, hints=hints) as reading:
        csv_out, rejects_out = io.BytesIO(), io.BytesIO()
        rows = tuple(_rows(reading))
        rejected = tuple(reading.rejected)
        counts = reading.counts
        assert reading.finished, "the reading did not come to its end"
        assert (counts.accepted, counts.rejected) == (len(rows), len(rejected)), "counts differ"
        assert write_csv(reading, csv_out) == 0, "records come twice"
        assert write_rejects(reading, rejects_out) == len(rejected), "rejected records differ"
        if reading.dialect.encoding and not payload.startswith(_CONTAINERS):
            _check_places(reading, _counted(reading, payload), rows, rejected)
            _check_texts(reading, rows)
        kinds = (counts.preamble, counts.header, counts.blank, counts.footer, counts.lines, counts.bytes)
        return Outcome(rows, rejected, tuple(record.record for record in reading.footer), kinds)


def _rows(reading: Reading) -> Iterator[Row]:
    for batch in reading.records:
        for row in batch.to_pylist():
            cells = tuple(row["cells"])
            assert len(cells) == reading.width, "a record has another width than the table"
            yield Row(row["record"], row["byte_start"], row["byte_end"], row["raw"], cells)


def _counted(reading: Reading, payload: bytes) -> bytes:
    """Return the bytes in which places are counted: those of the payload, or of its UTF-8 form."""
    for note in reading.dialect.assumptions:
        if stated := _CONVERTED.match(note):
            return payload.decode(stated[1], "surrogateescape").encode("utf-8", "surrogateescape")
    return payload


def _check_places(
    reading: Reading, payload: bytes, rows: tuple[Row, ...], rejected: tuple[Rejected, ...]
) -> None:
    """Require places that do not overlap, contain the raw text, and leave out blank bytes only."""
    wide = reading.dialect.encoding.startswith("utf-16")
    encoding = reading.dialect.encoding
    places = [(row.start, row.end) for row in rows]
    places += [(record.start, record.end) for record in rejected]
    places += [
        (record.start, record.end) for record in (*reading.preamble, *reading.header_lines, *reading.footer)
    ]
    places.sort()
    assert all(before[1] <= after[0] for before, after in pairwise(places)), "places overlap"
    for row in rows:
        text = payload[row.start : row.end].decode(encoding, "surrogatepass" if wide else "strict")
        assert text.rstrip("\r\n") == row.raw.rstrip("\r\n"), "the raw text is not that of the place"
    for record in rejected:
        assert payload[record.start : record.end].startswith(record.raw), (
            "raw bytes are not those of the place"
        )
    if reading.counts.header + reading.counts.preamble > len(reading.preamble) + len(reading.header_lines):
        return
    begin = 0 if wide else len(codecs.BOM_UTF8) * payload.startswith(codecs.BOM_UTF8)
    edges = [begin, *(edge for place in places for edge in place), len(payload)]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        gap = payload[start:end].decode(encoding, "replace")
        for mark in (reading.dialect.delimiter, "\x00" if wide else ""):
            gap = gap.replace(mark, "") if mark else gap
        assert _BLANK.fullmatch(gap), "bytes with content are in no record"


def _check_texts(reading: Reading, rows: tuple[Row, ...]) -> None:
    """Require cells that are the raw text without its marks: no character is lost, added or moved.

    Blanks in cells beyond the width of the table do not count if the reading left such cells out.
    """
    dialect = reading.dialect
    leaves_out = any("after the last column are left out" in note for note in dialect.assumptions)
    reorders = any("column names in another order" in note for note in dialect.assumptions)
    marks = set(dialect.delimiter + dialect.quote + dialect.escape + "\r\n,;|\t")
    for row in rows:
        expected = "".join(char for char in row.raw if char not in marks)
        text = "".join(char for cell in row.cells for char in cell if char not in marks)
        if reorders and sorted(text) == sorted(expected):
            continue
        beyond = expected.removeprefix(text) if leaves_out else ""
        assert text + beyond == expected, "cells have other text than their record"
        assert not beyond.strip(" "), "cells with text beyond the width are left out"
    plain = io.StringIO(newline="")
    csv.writer(plain, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(row.cells for row in rows)
    plain.seek(0)
    assert [tuple(cells) for cells in csv.reader(plain)] == [row.cells for row in rows], (
        "cells do not survive"
    )
