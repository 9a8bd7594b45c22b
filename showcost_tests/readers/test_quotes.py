"""Quotes where no cell begins or ends, and fillers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from showcost.readers import Hints, Reading, read_delivery
from showcost_tests.fuzz.laws import small_blocks

if TYPE_CHECKING:
    from pathlib import Path

HEADER: Final = "Supplier,Invoice,Date,Amount,Text,Link"
ROWS: Final = [
    f'ACME,R{n:02},2026-10-05,{n}.50,"{chr(87 + n)}{"x" * (n % 3)} van, hire",https://acme.example/{n}'
    for n in range(10, 36)
]


def read(path: Path, lines: list[str]) -> Reading:
    path.write_text("\n".join([HEADER, *ROWS, *lines, *ROWS, ""]), encoding="utf-8")
    return read_delivery(path)


def odd(reading: Reading) -> list[list[str]]:
    rows = [row for batch in reading.records for row in batch.column("cells").to_pylist()]
    return [row for row in rows if row[1] == "R99"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('ACME,R99,2026-10-05,17.50,lamp 14" wide,https://acme.example/91', 'lamp 14" wide'),
        ('ACME,R99,2026-10-05,17.50,lamp "red, big" wide,https://acme.example/91', 'lamp "red, big" wide'),
        ('ACME,R99,2026-10-05,17.50,"van, red.""https://acme.example/91"', "van, red."),
    ],
)
def test_quotes_within_a_text_cost_no_record(tmp_path: Path, line: str, text: str) -> None:
    with read(tmp_path / "any", [line]) as reading:
        assert odd(reading) == [["ACME", "R99", "2026-10-05", "17.50", text, "https://acme.example/91"]]
        assert not list(reading.rejected)


@pytest.mark.parametrize(
    "line",
    [
        'ACME,R99,2026-10-05,17.50,"lamp,https://acme.example/91',
        'ACME,R99,2026-10-05,17.50,lamp",https://acme.example/91',
        'ACME,R99,2026-10-05,17.50,red" lamp, big,https://acme.example/91',
        'ACME,R99,2026-10-05,van "red, big" one,17.50,https://acme.example/91,x',
    ],
)
def test_quotes_that_may_begin_or_end_a_cell_reject_the_record(tmp_path: Path, line: str) -> None:
    with read(tmp_path / "any", [line]) as reading:
        assert odd(reading) == []
        assert [item.raw.decode().strip() for item in reading.rejected] == [line]


FILLERS: Final = [",,,,,-", ",,, -,,", "-,-,-,-,-,-", ',"-",,,,', "--,,,,,£ -", '"","","-",,,', ",,,\u2013,,"]


@pytest.mark.parametrize("small", [True, False])
def test_records_of_dashes_are_blank_and_counted(tmp_path: Path, *, small: bool) -> None:
    path = tmp_path / "any"
    path.write_text("\n".join([HEADER, *ROWS, *FILLERS, *ROWS, *FILLERS, *ROWS, ""]), encoding="utf-8")
    if small:
        with small_blocks(), read_delivery(path) as reading:
            _check_fillers(reading)
    with read_delivery(path) as reading:
        _check_fillers(reading)
    with read_delivery(path, hints=Hints(as_written=True)) as reading:
        assert reading.table().num_rows == 3 * len(ROWS) + 2 * len(FILLERS)


def _check_fillers(reading: Reading) -> None:
    assert reading.table().num_rows == 3 * len(ROWS)
    assert not list(reading.rejected)
    assert reading.counts.blank == 2 * len(FILLERS)
    assert reading.notes == ["14 records with nothing but dashes are blank"]
