"""Text in columns of fixed widths: each cell from its own columns, other lines rejected with their text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from showcost.config.feed import DialectHints
from showcost.readers import Hints, Reading, read_delivery
from showcost.readers.model import Limits

if TYPE_CHECKING:
    from pathlib import Path

DAY: Final = 10
WIDTHS: Final = (12, 6, DAY, DAY, 4)
NAMES: Final = ("Supplier", "Inv", "Date", "Amount", "Ccy")


def line(*cells: str) -> str:
    """Return cells at their places, amounts to the right."""
    places = zip(cells, WIDTHS, strict=True)
    padded = (f"{cell:>{width}}" if width == DAY else f"{cell:<{width}}" for cell, width in places)
    return "".join(padded)


def read(path: Path, text: str, encoding: str = "utf-8", hints: Hints | None = None) -> Reading:
    path.write_bytes(text.encode(encoding))
    return read_delivery(path, hints=hints or Hints(widths=WIDTHS), limits=Limits(record_bytes=1_000))


def rows(reading: Reading) -> list[list[str]]:
    return [row for batch in reading.records for row in batch.column("cells").to_pylist()]


NAMELESS: Final = Hints("utf-8", header_record=0, widths=WIDTHS)
ROWS: Final = [
    ("Zażółć Łódź", "R00001", "2026-10-05", "1,234.50", "EUR"),
    ('ACME, "Ltd"', "R2", "2026-10-06", "-2.50", ""),
    ("", "R3", "2026-10-07", "3.50", "EUR"),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1250", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cells_are_taken_from_their_columns(tmp_path: Path, encoding: str, end: str) -> None:
    text = end.join([line(*NAMES), *(line(*row).rstrip() for row in ROWS), ""])
    with read(tmp_path / "costs.txt", text, encoding) as reading:
        assert rows(reading) == [list(row) for row in ROWS]
        assert reading.header == NAMES
        assert len(reading.rejected) == 0


def test_a_file_without_names_is_read_by_its_places(tmp_path: Path) -> None:
    with read(tmp_path / "costs.txt", "".join(line(*row) + "\n" for row in ROWS), hints=NAMELESS) as reading:
        assert rows(reading) == [list(row) for row in ROWS]


@pytest.mark.parametrize("odd", [line(*ROWS[0]) + "  7.00", line(*ROWS[0])[:20] + "\t" + line(*ROWS[0])[21:]])
def test_a_line_beyond_the_columns_or_with_a_tab_is_rejected_with_its_text(tmp_path: Path, odd: str) -> None:
    lines = [line(*NAMES), *(line(*row) for row in ROWS), odd, line(*ROWS[1]), ""]
    with read(tmp_path / "costs.txt", "\n".join(lines)) as reading:
        assert rows(reading) == [list(row) for row in (*ROWS, ROWS[1])]
        (rejected,) = reading.rejected
        assert rejected.code == "SC-ROW-001"
        assert odd.strip() in rejected.raw.decode()


def test_a_last_line_that_is_cut_waits(tmp_path: Path) -> None:
    lines = [line(*NAMES), *(line(*row) for row in ROWS), line(*ROWS[0])[:36]]
    with read(tmp_path / "costs.txt", "\n".join(lines)) as reading:
        assert rows(reading) == [list(row) for row in ROWS]
        assert len(reading.rejected) == 1


def test_a_line_without_end_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with read(tmp_path / "costs.txt", line(*NAMES) + "\n" + "x" * 5_000) as reading:
        assert rows(reading) == []
        assert [rejected.code for rejected in reading.rejected] == ["SC-FIL-001"]
    path = tmp_path / "bytes.txt"
    text = "\n".join([line(*NAMES), line(*ROWS[1]), line(*ROWS[2]), ""])
    path.write_bytes(text.encode() + b"A\xffME        R5\n")
    with read_delivery(path, hints=Hints("utf-8", widths=WIDTHS)) as reading:
        assert len(rows(reading)) == 2
        assert [rejected.code for rejected in reading.rejected] == ["SC-ROW-004"]


CELL = st.text(st.sampled_from("aé1.,\"';|"), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELL, CELL, CELL, CELL, CELL), min_size=2, max_size=8))
def test_no_cell_comes_from_other_columns(tmp_path: Path, table: list[tuple[str, ...]]) -> None:
    text = "".join(line(*row) + "\n" for row in table)
    with read(tmp_path / "any", text, hints=NAMELESS) as reading:
        found = rows(reading)
        assert found == [list(row) for row in table][: len(found)]
        assert len(found) + len(reading.rejected) + reading.counts.footer == len(table)


def test_widths_of_a_feed_stand_alone() -> None:
    assert DialectHints.model_validate({"widths": [10, 4]}).widths == (10, 4)
    for settings_ in ({"widths": [10], "delimiter": ";"}, {"widths": [0]}):
        with pytest.raises(ValidationError):
            DialectHints.model_validate(settings_)
