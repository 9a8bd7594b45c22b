"""Two other programs as oracles: Python's csv for the cells, and clevercsv for the dialect.

The same generated files are read by all three. Where the dialect is stated, the cells must be equal; where it
is to be detected, ours must be that of the file whenever clevercsv finds it.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import clevercsv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showcost.readers import Hints, read_delivery

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

HEADER: Final = ("Supplier", "Invoice", "Date", "Amount", "Text")
TEXTS: Final = st.text(st.sampled_from("abc ABC,;|\t'\"\n-£é.&/"), max_size=20)
WORDS: Final = st.sampled_from(["van", "camera, lens", 'lamp 14" wide', "red; big", "", "O'Neil & Co"])
ROWS: Final = st.integers(0, 10**6).flatmap(
    lambda number: st.tuples(
        st.sampled_from(["ACME", "BETA Ltd", "Smith, Jones & Co"]),
        st.just(f"R{number}"),
        st.dates().map(lambda day: f"{day:%d/%m/%Y}"),
        st.just(f"{number / 4:.2f}"),
        WORDS,
    )
)


def written(rows: list[tuple[str, ...]], delimiter: str, *, quoted: bool) -> str:
    text = io.StringIO(newline="")
    if quoted:
        writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    else:
        writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL)
    writer.writerows([HEADER, *rows])
    return text.getvalue()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(*[TEXTS] * len(HEADER)), min_size=1, max_size=30),
    st.sampled_from(",;|\t"),
    st.booleans(),
)
def test_cells_are_those_of_python(
    tmp_path: Path, rows: list[tuple[str, ...]], delimiter: str, quoted: bool
) -> None:
    text = written(rows, delimiter, quoted=quoted)
    path = tmp_path / "any"
    path.write_bytes(text.encode())
    (_, *expected) = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    hints = Hints("utf-8", delimiter, '"', "", header_record=1, totals_are_rows=True, as_written=True)
    with read_delivery(path, hints=hints) as reading:
        read = [cells for batch in reading.records for cells in batch.column("cells").to_pylist()]
        rejected = [item.raw.decode() for item in reading.rejected]
        footer = [record.text for record in reading.footer]
    left = list(expected)
    for cells in read:
        assert cells in left, "a record that Python does not read"
        left.remove(cells)
    for cells in left:
        kept = "\n".join([*rejected, *footer])
        assert not any(map(str.strip, cells)) or all(cell.replace('"', '""') in kept for cell in cells)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(ROWS, min_size=4, max_size=30),
    st.sampled_from(",;|\t"),
    st.booleans(),
)
def test_the_dialect_is_found_where_clevercsv_finds_it(
    tmp_path: Path, rows: list[tuple[str, ...]], delimiter: str, quoted: bool
) -> None:
    text = written(rows, delimiter, quoted=quoted)
    path = tmp_path / "any"
    path.write_bytes(text.encode())
    try:
        found = clevercsv.Sniffer().sniff(text)
    except clevercsv.Error:
        return
    if found is None or found.delimiter != delimiter:
        return
    with read_delivery(path, hints=Hints(as_written=True)) as reading:
        read = [tuple(cells) for batch in reading.records for cells in batch.column("cells").to_pylist()]
        assert (reading.dialect.delimiter, reading.header) == (delimiter, HEADER)
    assert read == rows
