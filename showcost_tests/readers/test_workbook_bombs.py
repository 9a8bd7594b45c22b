"""Workbooks that ask for more memory or time than there is are refused, and end nothing else."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

import openpyxl
import pytest

from showcost.deliveries.encryption import KEY_VARIABLE
from showcost.deliveries.payloads import PayloadStore
from showcost.readers import Limits, read_delivery
from showcost.readers.source import UnreadableError
from showcost.readers.workbook_probe import require_readable

if TYPE_CHECKING:
    from pathlib import Path


def workbook(path: Path, *cells: str) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Lieferant", "Rechnung", "Datum", "Netto"])
    sheet.append(["ACME", "R1", "2026-10-28", 12.5])
    for cell in cells:
        sheet[cell] = 1
    book.save(path)
    return path


def test_a_cell_in_the_far_corner_refuses_the_workbook_and_ends_no_process(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", "XFD1048576")
    assert path.stat().st_size < 6_000
    with pytest.raises(UnreadableError, match="cannot be opened within the limits of memory and time"):
        require_readable(path, Limits())
    with read_delivery(path, format="xlsx") as reading:
        assert reading.table().num_rows == 0
        assert [rejected.code for rejected in reading.rejected] == ["SC-FIL-001"]


def test_a_sheet_with_more_cells_than_the_limit_is_refused_with_its_size(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", "CV2000")
    with pytest.raises(UnreadableError, match=r"2,000 rows by 100 columns, more than 199,999 cells"):
        require_readable(path, replace(Limits(), sheet_cells=199_999))
    require_readable(path, replace(Limits(), sheet_cells=200_000))


def test_a_damaged_workbook_is_left_to_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(tmp_path / "b.xlsx").read_bytes()[:2_000])
    require_readable(path, Limits())


def test_an_encrypted_payload_is_opened_without_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(32)).decode())
    store = PayloadStore(tmp_path / "raw")
    name = store.put(workbook(tmp_path / "a.xlsx", "CV2000")).sha256
    with store.opened(name) as plain:
        require_readable(plain, Limits())
        with pytest.raises(UnreadableError, match="2,000 rows"):
            require_readable(plain, replace(Limits(), sheet_cells=1_000))
