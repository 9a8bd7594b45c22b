"""Records that leave out delimiters at the end, and files in which cells may belong to other names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showcost.readers import Reading, read_delivery
from showcost_tests.fuzz.laws import small_blocks

if TYPE_CHECKING:
    from pathlib import Path

HEADER: Final = "Supplier,Invoice,Date,Amount,Text,Memo"


def read(path: Path, lines: list[str]) -> Reading:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return read_delivery(path)


def rows(reading: Reading) -> list[list[str]]:
    return [row for batch in reading.records for row in batch.column("cells").to_pylist()]


def amount(number: int) -> str:
    return f"{number}.50" if number % 3 else str(number)


@pytest.mark.parametrize("short", [2, 15, 400])
@pytest.mark.parametrize("full", [1, 15])
def test_delimiters_dropped_after_the_first_rows_are_blank_cells(
    tmp_path: Path, full: int, short: int
) -> None:
    lines = [f"ACME,R{n},2026-10-05,{amount(n)}" for n in range(full + short)]
    with read(tmp_path / "any", [HEADER, *(line + ",," for line in lines[:full]), *lines[full:]]) as reading:
        assert rows(reading) == [[*line.split(","), "", ""] for line in lines]
        assert reading.dialect.header_sure
        assert reading.header[3] == "Amount"
        assert not list(reading.rejected)
        assert any(
            note.startswith(f"{short} records: cells left out") for note in reading.dialect.assumptions
        )


@pytest.mark.parametrize(
    "odd", ["", "ACME,R,van,1.50", "ACME,R,,1.50", "ACME,R,2026-10-05,", '"AC\nME",R,2026-10-05,9.50']
)
def test_blocks_make_no_difference_to_short_records(tmp_path: Path, odd: str) -> None:
    lines = [f"ACME,R{n},2026-10-05,{amount(n)}" for n in range(300)]
    lines = [HEADER, *(line + ",," for line in lines[:5]), *lines[5:]]
    lines[150:150] = [odd] * bool(odd)
    with read(tmp_path / "any", lines) as reading, small_blocks():
        in_blocks, rejected, notes = rows(reading), [item.raw for item in reading.rejected], reading.dialect
    with read(tmp_path / "any", lines) as reading:
        assert rows(reading) == in_blocks
        assert [item.raw for item in reading.rejected] == rejected
        assert reading.dialect == notes


def test_each_record_may_leave_out_another_number_of_cells(tmp_path: Path) -> None:
    lines = ["ACME,R1,2026-10-05,1.50,,", "ACME,R2,2026-10-05,2.50", "ACME,R3,2026-10-05,3.50,"]
    with read(tmp_path / "any", [HEADER, *lines]) as reading:
        assert [row[3:] for row in rows(reading)] == [["1.50", "", ""], ["2.50", "", ""], ["3.50", "", ""]]
        assert reading.dialect.header_sure


def test_a_short_record_in_a_column_with_content_is_rejected(tmp_path: Path) -> None:
    """Nobody knows whether its last cell is missing or one within."""
    lines = ["ACME,R1,2026-10-05,1.50,van,", "ACME,R2,2026-10-05,2.50,,", "ACME,R3,2026-10-05,3.50"]
    with read(tmp_path / "any", [HEADER, *lines]) as reading:
        assert [row[1] for row in rows(reading)] == ["R1", "R2"]
        assert [item.raw for item in reading.rejected] == [b"ACME,R3,2026-10-05,3.50\n"]


@pytest.mark.parametrize("dropped", [0, 1, 4, 9])
def test_a_header_that_lacks_a_delimiter_is_uncertain_however_the_rows_end(
    tmp_path: Path, dropped: int
) -> None:
    names = "Supplier,Invoice,Date,EpisodeSet,Amount,VAT,Gross,Details"
    lines = [f"ACME,R{n},2026-10-05,101,{12 + n},{100 + n}.00,20.00,{120 + n}.00," for n in range(10)]
    lines[10 - dropped :] = [line[:-1] for line in lines[10 - dropped :]]
    with read(tmp_path / "any", [names, *lines]) as reading:
        assert not reading.dialect.header_sure


def test_a_name_too_many_is_uncertain(tmp_path: Path) -> None:
    """`Amount, net` without quotes is two names."""
    lines = [f"ACME,R{n},2026-10-05,{100 + n}.00,20.00" for n in range(10)]
    header = "Supplier,Invoice,Date,Amount, net,Tax"
    with read(tmp_path / "any", [header, *lines]) as reading:
        assert not reading.dialect.header_sure
    with read(
        tmp_path / "any", [header, *lines[:5], "ACME,R5,van, big,2026-10-05,100.00", *lines[5:]]
    ) as reading:
        assert not reading.dialect.header_sure


PLACES: Final = st.integers(0, 5)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(3, 40), st.integers(1, 20), PLACES, st.integers(0, 2), st.data())
def test_a_lost_delimiter_never_moves_an_amount(
    tmp_path: Path, count: int, full: int, place: int, dropped: int, data: st.DataObject
) -> None:
    """One record of a file with dropped delimiters has lost one within as well."""
    columns = ["Supplier", "Invoice", "Date", "Set", "Amount", "Tax", "Memo", "Note"]
    taxed = data.draw(st.integers(1, 4), label="every nth row has tax")
    lines = []
    for n in range(count):
        cells = ["ACME", f"R{n}", "2026-10-05", str(100 + n), f"{n + 1}.50", f"{n}.10" * (n % taxed == 0)]
        lines.append([*cells, *[""] * (2 if n < full else 0)])
    broken = data.draw(st.integers(0, count - 1), label="broken")
    cells = [*lines[broken][:6], *[""] * dropped]
    joined = [*cells[:place], cells[place] + "".join(cells[place + 1 : place + 2]), *cells[place + 2 :]]
    lines[broken] = joined
    with read(tmp_path / "any", [",".join(columns), *map(",".join, lines)]) as reading:
        taken = {row[1]: row for row in rows(reading)}
        if not reading.dialect.header_sure:
            return
        for n in range(count):
            row = taken.get(f"R{n}")
            if row is not None and n != broken:
                assert row[4:6] == [f"{n + 1}.50", f"{n}.10" * (n % taxed == 0)]
        row = taken.get(f"R{broken}")
        assert row is None or row[4] in {f"{broken + 1}.50", f"{broken + 1}.50{broken}.10"}
