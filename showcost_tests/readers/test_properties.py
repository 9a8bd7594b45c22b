"""Properties for any bytes: conservation, places, round trips."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from showcost.readers import Hints, RecordCounts, read_delivery
from showcost.readers.encodings import is_garbled
from showcost.readers.open import NO_HINTS

if TYPE_CHECKING:
    from pathlib import Path

# The fuzz, which is long, checks the same and more.
ANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LINES = st.lists(
    st.lists(
        st.sampled_from(
            [
                "a",
                "12.50",
                "01/02/2024",
                "",
                " ",
                '"',
                '""',
                '"x, y"',
                'a"b',
                "'",
                "\\",
                "\r",
                "é",
                "Total",
                "\0",
                "1,2",
            ]
        ),
        max_size=5,
    ),
    max_size=12,
)


def account_for(path: Path, payload: bytes, hints: Hints = NO_HINTS) -> tuple[list[list[str]], RecordCounts]:
    """Read, and prove that every byte is in exactly one record."""
    path.write_bytes(payload)
    with read_delivery(path, hints=hints) as reading:
        rows, spans = [], []
        for batch in reading.records:
            for row in batch.to_pylist():
                rows.append(row["cells"])
                spans.append((row["byte_start"], row["byte_end"]))
        if not reading.dialect.encoding:
            assert [r.code for r in reading.rejected] in (["SC-FIL-001"], ["SC-FIL-005"])
            return rows, reading.counts
        spans += [(r.start, r.end) for r in reading.rejected]
        spans.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        for rejected in reading.rejected:
            assert payload[rejected.start : rejected.end] == rejected.raw
        assert reading.counts.accepted == len(rows)
        assert reading.counts.rejected == len(reading.rejected)
        return rows, reading.counts


@ANY
@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfea")
@example(b"PK\x03\x04")
@example(b"\x1f\x8b")
@example(b"\r")
@example(b'"')
@example(b"a\tb\n\t\n")
def test_any_bytes_are_accounted_for(tmp_path: Path, payload: bytes) -> None:
    account_for(tmp_path / "any", payload)


@ANY
@given(
    LINES,
    st.sampled_from([",", ";", "\t", "||", " "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-be"]),
    st.booleans(),
)
def test_any_lines_are_accounted_for(
    tmp_path: Path, lines: list[list[str]], delimiter: str, end: str, encoding: str, last: bool
) -> None:
    text = end.join(delimiter.join(line) for line in lines) + (end if last else "")
    account_for(tmp_path / "any", text.encode(encoding))


CELL = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n\r\t\"',;\\"),
    max_size=12,
)


@ANY
@given(
    st.integers(1, 5).flatmap(
        lambda width: st.lists(
            st.lists(CELL, min_size=width, max_size=width).map(tuple), min_size=1, max_size=8
        )
    ),
    st.sampled_from([",", ";", "\t", "|", "^"]),
    st.sampled_from(['"', "'"]),
    st.sampled_from(["", "\\"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_files_of_the_csv_module_are_read_back_with_their_dialect(
    tmp_path: Path,
    table: list[tuple[str, ...]],
    delimiter: str,
    quote: str,
    escape: str,
    quoting: Literal[0, 1, 2, 3],
    end: str,
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=delimiter,
        quotechar=quote,
        escapechar=escape or None,
        doublequote=not escape,
        quoting=quoting,
        lineterminator=end,
    )
    if quoting != csv.QUOTE_ALL:  # csv.writer leaves a carriage return unquoted
        table = [tuple(cell.replace("\r", "") for cell in row) for row in table]
    table = [row for row in table if any(cell.strip() for cell in row)]
    writer.writerows(table)
    hints = Hints("utf-8", delimiter, quote, escape, header_record=0)
    if not table:
        return
    assume(not is_garbled(out.getvalue().encode()))
    rows, counts = account_for(tmp_path / "any", out.getvalue().encode(), hints)
    assert counts.rejected == 0
    assert [tuple(row) for row in rows] == table[: len(table) - counts.footer]
    # A ruler or a note below a table (`,,==`) is not a row.
    assert all(sum(bool(cell.strip()) for cell in row) == 1 for row in table[len(rows) :])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_encoding_is_detected(tmp_path: Path, encoding: str) -> None:
    text = "Datum;Lieferant;Betrag\r\n01.02.2024;Müller \x96 Söhne;1,50\r\n02.02.2024;Café;2,50\r\n"
    text = text.replace("\x96", "\u2013")
    rows, _ = account_for(tmp_path / "any", text.encode(encoding))
    assert rows[0] == ["01.02.2024", "Müller \u2013 Söhne", "1,50"]
