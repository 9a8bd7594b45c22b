"""Binary workbooks (xlsb): cells are read as they are shown. The files are written here, record by record."""

from __future__ import annotations

import random
import struct
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

from showcost.readers import read_delivery

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.readers import Reading

FORMATS: Final = ('"$"0.00', "00000", '0.0"m"', "0%")
"""Formats that the workbook lists, for the cell styles from 1 on; style 0 is General."""
LISTED: Final = 164
USUAL: Final = {"percent": 9, "currency": 44}
"""Formats that it does not list, for the styles after those."""
PLAIN, DOLLARS, ZEROS, MILLIONS, PERCENT, USUAL_PERCENT, USUAL_CURRENCY = range(7)
RELATIONS: Final = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}"'
    ' Target="{}"/></Relationships>'
)

CONTENT_TYPES: Final = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/></Types>'
)


def record(kind: int, data: bytes = b"") -> bytes:
    """Return a record: its type in one or two bytes, the size of its content, and the content."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    assert len(data) < 0x80
    return head + bytes([len(data)]) + data


def wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def place(column: int, style: int = PLAIN) -> bytes:
    return struct.pack("<II", column, style)


def text(column: int, value: str) -> bytes:
    return record(6, place(column) + wide(value))


def number(value: float, style: int = PLAIN) -> bytes:
    return record(5, place(2, style) + struct.pack("<d", value))


def formula(value: float, style: int = PLAIN) -> bytes:
    """Return a cell with a formula and its result."""
    return record(9, place(2, style) + struct.pack("<dH", value, 0) + struct.pack("<II", 0, 0))


def error(code: int) -> bytes:
    return record(3, place(2) + bytes([code]))


def write(path: Path, amounts: list[bytes], hidden: int = 0) -> Path:
    """Write a workbook with a table of vendor, date and these cells; `hidden` is the number of a row."""
    rows = [text(0, "Vendor") + text(1, "Date") + text(2, "Net")]
    rows += [text(0, "V") + text(1, "2025-03-01") + amount for amount in amounts]
    lines = b"".join(
        record(0, struct.pack("<IIHBBBI", n, 0, 300, 0, 0x10 if hidden and n == hidden else 0, 0, 0)) + row
        for n, row in enumerate(rows)
    )
    size = struct.pack("<IIII", 0, len(rows) - 1, 0, 2)
    sheet = record(129) + record(148, size) + record(145) + lines + record(146) + record(130)
    listed = [LISTED + n for n in range(len(FORMATS))]
    codes = b"".join(
        record(44, struct.pack("<H", n) + wide(code)) for n, code in zip(listed, FORMATS, strict=True)
    )
    of_cells = [0, *listed, *USUAL.values()]
    styles = b"".join(record(47, struct.pack("<HH", 0, n) + bytes(12)) for n in of_cells)
    codes = record(615, struct.pack("<I", len(listed))) + codes + record(616)
    styles = record(278) + codes + record(617, struct.pack("<I", len(of_cells))) + styles + record(618)
    sheets = record(143) + record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("Costs")) + record(144)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("[Content_Types].xml", CONTENT_TYPES)
        book.writestr("_rels/.rels", RELATIONS.format("officeDocument", "xl/workbook.bin"))
        book.writestr("xl/_rels/workbook.bin.rels", RELATIONS.format("worksheet", "worksheets/sheet1.bin"))
        book.writestr("xl/workbook.bin", record(131) + sheets + record(132))
        book.writestr("xl/styles.bin", styles + record(279))
        book.writestr("xl/worksheets/sheet1.bin", sheet)
    return path


def rows_of(reading: Reading) -> list[list[str]]:
    return [row for batch in reading.records for row in batch.column("cells").to_pylist()]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (number(12.5), "12.5"),
        (number(12.5, DOLLARS), "$ 12.5"),
        (formula(12.5, DOLLARS), "$ 12.5"),
        (number(42, ZEROS), "00042"),
        (number(1.5, MILLIONS), "1.5 m"),
        (number(0.19, PERCENT), "19%"),
        (number(0.19, USUAL_PERCENT), "19%"),
        (number(12.5, USUAL_CURRENCY), "$ 12.5"),
        (number(12345678901234567890), "1.23456789012346E+19"),
        (error(0x2A), "#N/A"),
        (error(0x07), "#DIV/0!"),
        (error(0x0F), "#VALUE!"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cell_of_a_binary_workbook_is_read_as_it_is_shown(tmp_path: Path, cell: bytes, shown: str) -> None:
    with read_delivery(
        write(tmp_path / "costs.xlsb", [number(7), cell, number(7)]), format="xlsx"
    ) as reading:
        assert [row[2] for row in rows_of(reading)] == ["7", shown, "7"]


def test_hidden_rows_of_a_binary_workbook_are_read_and_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "costs.xlsb", [number(7), number(8), number(9)], hidden=2)
    with read_delivery(path, format="xlsx") as reading:
        assert len(rows_of(reading)) == 3
        assert "1 hidden rows of sheet 1 were read" in reading.dialect.assumptions
        assert reading.hidden.records == {3}


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_binary_workbook_never_stops_the_reader(tmp_path: Path, seed: int) -> None:
    pick = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    path = write(tmp_path / "costs.xlsb", [number(7, DOLLARS), error(0x2A), number(9)])
    with zipfile.ZipFile(path) as book:
        parts = {name: bytearray(book.read(name)) for name in book.namelist()}
    part = parts[pick.choice([name for name in parts if name.endswith(".bin")])]
    part[pick.randrange(len(part))] = pick.randrange(256)
    del part[pick.randrange(len(part)) :]
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, bytes(content))
    with read_delivery(path, format="xlsx") as reading:
        rows_of(reading)
        assert {rejected.code for rejected in reading.rejected} <= {"SC-FIL-001", "SC-ROW-001"}
