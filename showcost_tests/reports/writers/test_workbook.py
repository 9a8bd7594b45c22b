"""The workbook: formulas with their values, formats, outline, hostile text, and the same bytes twice."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from showcost.core.errors import ShowcostError
from showcost.reports.writers.workbook import write_workbook
from showcost_tests.reports.writers.sample import HEADLINE, HOSTILE, SCOPE, costs, money, payables

if TYPE_CHECKING:
    from pathlib import Path

FIRST_ROW = 6
SOFFICE = shutil.which("soffice")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "report.xlsx"
    write_workbook(path, [costs(), payables()], SCOPE, headline=HEADLINE)
    return path


def cells(path: Path, sheet: str, *, values: bool = True) -> list[list[Any]]:
    """Return the cells of a sheet from the first row of the table on."""
    book = openpyxl.load_workbook(path, data_only=values)
    return [list(row) for row in book[sheet].iter_rows(min_row=FIRST_ROW, values_only=True)]


def formulas(path: Path) -> dict[tuple[str, str], tuple[str, Any]]:
    """Return formula and stored value of each cell with a formula, by sheet and place."""
    stored = openpyxl.load_workbook(path, data_only=True)
    return {
        (sheet.title, cell.coordinate): (cell.value, stored[sheet.title][cell.coordinate].value)
        for sheet in openpyxl.load_workbook(path)
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    }


def test_subtotals_and_totals_are_formulas_with_their_values(path: Path) -> None:
    found = formulas(path)
    assert found[("Cost report", "D9")] == ("=SUBTOTAL(9,D6:D8)", 3300.3)
    assert found[("Cost report", "D12")] == ("=SUBTOTAL(9,D6:D10)", 6400.4)
    assert found[("Cost report", "F6")] == ("=D6+E6", 100.15)
    assert found[("Cost report", "H12")] == ("=G12-F12", -2802.5)


def test_only_formulas_of_our_own_are_formulas(path: Path) -> None:
    assert {formula.rstrip("0123456789")[:9] for formula, _ in formulas(path).values()} >= {"=SUBTOTAL"}
    for formula, _ in formulas(path).values():
        assert re.fullmatch(r"=(SUBTOTAL\(9,[A-Z]+\d+:[A-Z]+\d+\)|[A-Z]+\d+([+-][A-Z]+\d+)+)", formula)
    names = [row[2] for row in cells(path, "Cost report")[:3]]
    assert names == list(HOSTILE[:3])


def test_hostile_text_stays_text_and_hidden_characters_are_seen(path: Path) -> None:
    shown = {row[1] for row in cells(path, "Payables aged") if row[1]}
    assert {"\ttab", HOSTILE[0], HOSTILE[5], "_x0041_", "Ελλάδα Москва Łódź 東京"} <= shown
    assert "right[U+202E]to left" in shown
    assert "null\N{SYMBOL FOR NULL}bell\N{SYMBOL FOR BELL}" in shown
    assert "<r>not rich</r> " in shown
    with zipfile.ZipFile(path) as book:
        assert not [name for name in book.namelist() if "externalLink" in name]
        links = b"".join(book.read(name) for name in book.namelist() if name.endswith(".rels"))
    assert b"example.com" not in links


def test_numbers_have_the_decimals_of_their_currency(path: Path) -> None:
    sheet = openpyxl.load_workbook(path)["Payables aged"]
    formats = {row[0].value: row[3].number_format for row in sheet.iter_rows(min_row=FIRST_ROW)}
    assert formats["EUR"] == "#,##0.00_);[Red]\\(#,##0.00\\)"
    assert formats["EURO"] == "#,##0.00##_);[Red]\\(#,##0.00##\\)"
    assert formats["JPY"] == "#,##0_);[Red]\\(#,##0\\)"
    assert formats["KWD"] == "#,##0.000_);[Red]\\(#,##0.000\\)"
    assert isinstance(sheet.cell(FIRST_ROW, 3).value, datetime)
    assert sheet.cell(FIRST_ROW, 3).number_format == "yyyy-mm-dd"


def test_amounts_of_several_currencies_have_no_total(path: Path) -> None:
    rows = cells(path, "Payables aged")
    total = next(row for row in rows if row[0] == "Total")
    assert total[3] is None
    assert total[6] == sum(Decimal(number) + Decimal("0.33") for number in range(len(HOSTILE))).__float__()
    assert [row[0] for row in rows if row[0] and "added up" in str(row[0])] == [
        "Amounts in different currencies are not added up."
    ]


def test_groups_are_outlined_and_headers_are_frozen(path: Path) -> None:
    sheet = openpyxl.load_workbook(path)["Cost report"]
    levels = [sheet.row_dimensions[row].outlineLevel for row in range(FIRST_ROW, FIRST_ROW + 7)]
    assert levels == [2, 2, 2, 1, 2, 1, 0]
    assert sheet.freeze_panes == "B6"
    assert sheet.print_title_rows == "$5:$5"
    assert sheet.page_setup.orientation == "landscape"
    assert "Page &P of &N" in sheet.oddFooter.right.text


def test_each_currency_has_a_sheet(path: Path) -> None:
    names = openpyxl.load_workbook(path).sheetnames
    assert names == [
        *("About", "Cost report", "Payables aged"),
        *("Payables aged , EUR", "Payables aged , EURO", "Payables aged , JPY", "Payables aged , KWD"),
        "Definitions",
    ]


def test_every_column_is_defined_and_every_figure_is_there(path: Path) -> None:
    book = openpyxl.load_workbook(path, data_only=True)
    defined = [tuple(row[:2]) for row in book["Definitions"].iter_rows(min_row=2, values_only=True)]
    assert len(defined) == len(costs().columns) + len(payables().columns)
    about = [row[:3] for row in book["About"].iter_rows(values_only=True)]
    assert ("Cost to date USD", 1234567.89, "Cost of all days") in about
    assert any(row[1] == "as of audit record 42, 2026-11-02 18:00:00 UTC" for row in about)
    assert ("Cost report", None, HOSTILE[0]) in about


def test_the_same_tables_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    write_workbook(tmp_path / "again.xlsx", [costs(), payables()], SCOPE, headline=HEADLINE)
    assert (tmp_path / "again.xlsx").read_bytes() == path.read_bytes()


def test_a_long_table_continues_on_further_sheets(tmp_path: Path) -> None:
    write_workbook(tmp_path / "long.xlsx", [costs(12)], SCOPE, sheet_rows=FIRST_ROW + 6)
    names = openpyxl.load_workbook(tmp_path / "long.xlsx").sheetnames
    assert names == ["About", "Cost report", "Cost report (2)", "Cost report (3)", "Definitions"]
    total = [
        row for row in cells(tmp_path / "long.xlsx", "Cost report (3)", values=False) if row[0] == "Total"
    ]
    assert total[0][3] == (
        "=SUBTOTAL(9,'Cost report'!D6:D12)+SUBTOTAL(9,'Cost report (2)'!D6:D12)+SUBTOTAL(9,D6:D6)"
    )


def test_a_table_that_is_too_long_shows_its_total_and_says_so(tmp_path: Path) -> None:
    write_workbook(tmp_path / "long.xlsx", [costs(12)], SCOPE, most_rows=11)
    rows = cells(tmp_path / "long.xlsx", "Cost report")
    assert rows[0][3] == 67201.2
    assert rows[2][0].startswith("12 rows are too many for a workbook")


def test_numbers_beyond_the_digits_of_excel_are_counted(tmp_path: Path) -> None:
    table = costs(1)
    large = money("12345678901234.5678")
    rows = table.rows.set_column(6, "budget", large).set_column(7, "variance", money("12345678901134.4178"))
    write_workbook(tmp_path / "large.xlsx", [replace(table, rows=rows)], SCOPE)
    about = openpyxl.load_workbook(tmp_path / "large.xlsx")["About"]
    assert "6 cells have more digits than Excel keeps" in [
        row[1] for row in about.iter_rows(values_only=True)
    ]


def test_a_formula_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    rows = costs().rows.set_column(7, "variance", money("1", "1", "1", "1"))
    with pytest.raises(ShowcostError, match=r"cost_report, row 1: variance is 1.0000, but budget - total"):
        write_workbook(tmp_path / "wrong.xlsx", [replace(costs(), rows=rows)], SCOPE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_recalculates_every_formula_to_the_stored_value(tmp_path: Path) -> None:
    write_workbook(tmp_path / "stored.xlsx", [costs(30), payables()], SCOPE, sheet_rows=FIRST_ROW + 20)
    _forget_values(tmp_path / "stored.xlsx", tmp_path / "bare.xlsx")
    subprocess.run(  # noqa: S603 - a program of the system, with paths of our own
        [
            *(str(SOFFICE), f"-env:UserInstallation=file://{tmp_path}/profile", "--headless"),
            *("--convert-to", "xlsx", "--outdir", str(tmp_path / "out"), str(tmp_path / "bare.xlsx")),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    stored, computed = formulas(tmp_path / "stored.xlsx"), formulas(tmp_path / "out" / "bare.xlsx")
    assert stored.keys() == computed.keys()
    assert len(stored) > 100
    for place, (_, value) in stored.items():
        assert round(Decimal(computed[place][1]), 4) == round(Decimal(value), 4), place


def _forget_values(source: Path, target: Path) -> None:
    """Copy a workbook without the stored values of its formulas."""
    with zipfile.ZipFile(source) as book, zipfile.ZipFile(target, "w") as bare:
        for name in book.namelist():
            bare.writestr(name, re.sub(rb"(</f>)<v>[^<]*</v>", rb"\1", book.read(name)))
