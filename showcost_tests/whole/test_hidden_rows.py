"""Rows that a workbook hides post, and each says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import openpyxl
import pytest

from showcost.staging.assets import valid_asset
from showcost_tests.reconciliation.acts import DE, assert_settled, entry_of
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

INVOICES: Final = [
    small.Invoice(f"R{number}", "28.10.2026", f"{number},00", "0,19", f"{number},19") for number in (1, 2, 3)
]
COLUMNS: Final = small.DE_HEADER.split(";")


def posted_with(folder: Path, *, hidden_row: int = 0, hidden_column: str = "") -> Workspace:
    """Post a workbook of three invoices, of which a row or a column is hidden."""
    workspace = small.make_home(folder / "home")
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for line in (COLUMNS, *(invoice.cells() for invoice in INVOICES)):
        sheet.append(line)
    if hidden_row:
        sheet.row_dimensions[hidden_row].hidden = True
    if hidden_column:
        letter = openpyxl.utils.get_column_letter(COLUMNS.index(hidden_column) + 1)
        sheet.column_dimensions[letter].hidden = True
    path = small.deliver(workspace, DE, "list.xlsx", b"")
    book.save(path)
    land_all(workspace)
    take(workspace, small.WEEK)
    return workspace


def flags(workspace: Workspace) -> dict[str, list[str]]:
    rows = workspace.staging.read(valid_asset(DE), small.WEDNESDAY.isoformat())
    return {row["invoice_no"]: row["flags"] for row in rows.select(["invoice_no", "flags"]).to_pylist()}


def test_a_hidden_row_is_flagged_and_no_other(tmp_path: Path) -> None:
    workspace = posted_with(tmp_path, hidden_row=3)
    assert flags(workspace) == {"R1": [], "R2": ["SC-ROW-006"], "R3": []}
    assert entry_of(workspace, "R2").active_entries
    assert_settled(workspace)


@pytest.mark.parametrize(
    ("column", "expected"), [("Nettobetrag", ["SC-ROW-006"]), ("Bestellnummer", []), ("Motiv", [])]
)
def test_a_hidden_column_flags_the_rows_that_have_a_value_in_it(
    column: str, expected: list[str], tmp_path: Path
) -> None:
    assert flags(posted_with(tmp_path, hidden_column=column)) == dict.fromkeys(("R1", "R2", "R3"), expected)
