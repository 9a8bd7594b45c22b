"""Pages (HTML) and SpreadsheetML under the name of a workbook: the right cells, or a refusal, never less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from showcost.readers import Hints, Reading, read_delivery
from showcost.readers.model import Limits

if TYPE_CHECKING:
    from pathlib import Path

HEADER: Final = "<tr><th>Supplier</th><th>Invoice</th><th>Date</th><th>Amount</th></tr>"
ROWS: Final = (
    "<tr><td rowspan=2>Café Rouge<td>R1<td>2026-10-05<td>1,234.50</tr>"
    "<tr><td>R2</td><td>2026-10-06</td><td>(2.50)</td></tr>"
)
BOOK: Final = """<?xml version="1.0"{encoding}?>
<?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"
 xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Styles>
 <Style ss:ID="usd"><NumberFormat ss:Format="[$$-409]#,##0.00"/></Style>
 <Style ss:ID="zeros"><NumberFormat ss:Format="00000"/></Style>
 <Style ss:ID="share"><NumberFormat ss:Format="Percent"/></Style>
</Styles>
<Worksheet ss:Name="Costs"><Table>{rows}</Table></Worksheet>
{more}</Workbook>
"""


def rows(reading: Reading) -> list[list[str]]:
    return [row for batch in reading.records for row in batch.column("cells").to_pylist()]


def read(path: Path, payload: str | bytes, hints: Hints | None = None) -> Reading:
    path.write_bytes(payload if isinstance(payload, bytes) else payload.encode())
    return read_delivery(path, format="xlsx", hints=hints or Hints(), limits=Limits(xml_bytes=2**20))


def refusal(reading: Reading) -> tuple[str, str]:
    assert rows(reading) == []
    (rejected,) = reading.rejected
    return rejected.code, rejected.detail


def cell(value: str, kind: str = "String", **attributes: str) -> str:
    stated = "".join(f' ss:{name}="{text}"' for name, text in attributes.items())
    return f'<Cell{stated}><Data ss:Type="{kind}">{value}</Data></Cell>'


def book(*lines: str, more: str = "", encoding: str = "") -> str:
    header = "".join(cell(name) for name in ("Supplier", "Invoice", "Date", "Amount"))
    body = "".join(line if line.startswith("<Row") else f"<Row>{line}</Row>" for line in (header, *lines))
    return BOOK.format(rows=body, more=more, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_table_of_a_page_is_read_as_it_is_shown(tmp_path: Path, encoding: str) -> None:
    page = (
        f'<html><head><meta charset="{encoding}"><style>td {{color: red}}</style></head><body>'
        f"<h1>October</h1><table>{HEADER}{ROWS}</table><p>as agreed</p></body></html>"
    )
    with read(tmp_path / "costs.xls", page.encode(encoding)) as reading:
        assert rows(reading) == [
            ["Café Rouge", "R1", "2026-10-05", "1,234.50"],
            ["", "R2", "2026-10-06", "(2.50)"],
        ]
        assert reading.header == ("Supplier", "Invoice", "Date", "Amount")
        assert len(reading.rejected) == 0
        assert [record.text for record in reading.footer] == ['"October as agreed"\n']


def test_cells_over_columns_and_hidden_rows_are_where_a_person_sees_them(tmp_path: Path) -> None:
    page = (
        f"<table>{HEADER}"
        "<tr><td colspan=2>ACME</td><td>2026-10-05</td><td>1.50</td></tr>"
        "<tr style='display:none'><td>ACME</td><td>R2</td><td>2026-10-06</td><td>£&nbsp;2.50<br></td></tr>"
        "</table>"
    )
    with read(tmp_path / "costs.xls", page) as reading:
        assert rows(reading) == [["ACME", "", "2026-10-05", "1.50"], ["ACME", "R2", "2026-10-06", "£ 2.50"]]
        assert "1 hidden rows of table 1 were read" in reading.dialect.assumptions
        assert reading.hidden.records == {3}


def test_a_second_table_of_a_page_with_another_header_is_kept_whole(tmp_path: Path) -> None:
    other = "<table><tr><td>Code<td>Sum</tr><tr><td>a<td>7.50</tr></table>"
    with read(tmp_path / "costs.xls", f"<table>{HEADER}{ROWS}</table>{other}") as reading:
        assert len(rows(reading)) == 2
        (rejected,) = reading.rejected
        assert rejected.raw == b"Code,Sum\na,7.50\n"


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (f"<table>{HEADER}{ROWS[:-40]}", "ends within its table"),
        (f"<table>{HEADER}<tr><td>a<td><table><tr><td>1</table></table>", "a table within a table"),
        (f"<table>{HEADER}{ROWS}</table><tr><td>ACME<td>9.50", "outside the rows"),
        ("<html><body><table><tr><td>502 Bad Gateway</table></body></html>", "web page"),
        (f"<table>{HEADER}<tr><td colspan=99999>a</table>", "more than 4096 columns"),
        (f"<table>{HEADER}{ROWS}</table>" + "<p>" * 2**19, "larger than"),
    ],
)
def test_a_page_that_is_no_certain_table_is_refused(tmp_path: Path, page: str, why: str) -> None:
    with read(tmp_path / "costs.xls", page) as reading:
        code, detail = refusal(reading)
        assert code == "SC-FIL-001"
        assert why in detail


def test_a_page_that_does_not_say_its_encoding_is_not_garbled(tmp_path: Path) -> None:
    page = f"<table>{HEADER}{ROWS}</table>"
    for encoding in ("cp1252", "mac-roman", "utf-8", "cp850"):
        with read(tmp_path / "costs.xls", page.encode(encoding)) as reading:
            found = rows(reading)
            if found:
                assert found[0][0] == "Café Rouge"
            else:
                assert {rejected.code for rejected in reading.rejected} == {"SC-FIL-005"}


def test_spreadsheetml_is_read_with_its_formats(tmp_path: Path) -> None:
    lines = (
        cell("ACME", MergeDown="1")
        + cell("42", "Number", StyleID="zeros")
        + cell("2026-10-05T00:00:00.000", "DateTime")
        + cell("12.5", "Number", StyleID="usd"),
        cell("R2", Index="2")
        + cell("2026-10-06T09:30:00.000", "DateTime")
        + cell("0.30000000000000004", "Number"),
        "<Row ss:Index='5' ss:Hidden='1'>"
        + cell("BETA")
        + cell("12345678901234567", "Number")
        + cell("#N/A", "Error", Index="4")
        + "</Row>",
        cell("Gamma &amp; Söhne") + cell("R4") + cell("2026-10-07") + cell("0.19", "Number", StyleID="share"),
    )
    with read(tmp_path / "costs.xls", book(*lines)) as reading:
        assert rows(reading) == [
            ["ACME", "00042", "2026-10-05", "$ 12.5"],
            ["", "R2", "2026-10-06 09:30:00", "0.3"],
            ["BETA", "1.23456789012346E+16", "", "#N/A"],
            ["Gamma & Söhne", "R4", "2026-10-07", "19%"],
        ]
        assert "1 hidden rows of sheet 1 were read" in reading.dialect.assumptions
        assert reading.hidden.records == {5}


def test_a_hidden_sheet_of_spreadsheetml_is_reported_and_not_read(tmp_path: Path) -> None:
    hidden = (
        '<Worksheet ss:Name="Old"><Table><Row><Cell><Data ss:Type="String">x</Data></Cell></Row></Table>'
        '<WorksheetOptions xmlns="urn:schemas-microsoft-com:office:excel"><Visible>SheetHidden</Visible>'
        "</WorksheetOptions></Worksheet>"
    )
    row = cell("ACME") + cell("R1") + cell("2026-10-05") + cell("1.5", "Number")
    with read(tmp_path / "costs.xls", book(row, more=hidden)) as reading:
        assert rows(reading) == [["ACME", "R1", "2026-10-05", "1.5"]]
        assert "1 hidden sheets were not read" in reading.dialect.assumptions


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("<Row ss:Index='99999999'>" + cell("a") + "</Row>", "two rows in one place, or too many"),
        ("<Row ss:Index='1'>" + cell("a") + "</Row>", "two rows in one place"),
        (cell("a") + cell("b", Index="1"), "two cells in one place"),
        (cell("a", Index="99999"), "more than 4096 columns"),
        (cell("twelve", "Number"), "damaged"),
        (cell("NaN", "Number"), "damaged"),
        (cell("&other;"), "damaged"),
        ("<Row>" + cell("a"), "damaged"),
    ],
)
def test_damaged_spreadsheetml_is_refused(tmp_path: Path, line: str, why: str) -> None:
    with read(tmp_path / "costs.xls", book(line)) as reading:
        code, detail = refusal(reading)
        assert code == "SC-FIL-001"
        assert why in detail


def test_spreadsheetml_with_a_document_type_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden", encoding="utf-8")
    text = book(cell("&x;")).replace(
        "<Workbook", f'<!DOCTYPE Workbook [<!ENTITY x SYSTEM "file://{secret}">]><Workbook', 1
    )
    with read(tmp_path / "costs.xls", text) as reading:
        assert refusal(reading) == ("SC-FIL-001", "the markup has a document type, which is not read")


@pytest.mark.parametrize(
    ("stored", "text", "read_as"),
    [
        ('x:num="1234.56"', "1,235", "1234.56"),
        ('x:num="1234.56"', "£1,235", "£1234.56"),
        ('x:num="-1234.56"', "(1,235)", "(1234.56)"),
        ('x:num="1234.5"', "1,234.50", "1,234.50"),
        ('x:num="1234.564"', "1.234,56", "1234.564"),
        ('x:num="46300"', "05/10/2026", "05/10/2026"),
        ('x:num="0.19"', "19%", "19%"),
        ('x:num="1234560"', "1,235", "1,235 ? 1234560"),
        ('x:num="0.1949"', "19%", "19%"),
        ('x:num="42"', "00042", "00042"),
        ('x:num="1234567.891"', "1,234,567.89", "1234567.891"),
        ("x:num", "1234.56", "1234.56"),
        ('x:num="oops"', "12", "12"),
        ("", "12.50", "12.50"),
    ],
)
def test_a_number_of_a_page_has_the_decimals_that_a_spreadsheet_stored(
    tmp_path: Path, stored: str, text: str, read_as: str
) -> None:
    row = f"<tr><td>ACME</td><td>R9</td><td>2026-10-07</td><td {stored}>{text}</td></tr>"
    page = f'<html><head><meta charset="utf-8"></head><body><table>{HEADER}{ROWS}{row}</table></body></html>'
    with read(tmp_path / "costs.xls", page) as reading:
        assert rows(reading)[-1][3] == read_as


DOLLARS: Final = '<Style ss:ID="p"><NumberFormat ss:Format="Currency"/></Style>'


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        ('<Style ss:ID="c"><NumberFormat ss:Format="Currency"/></Style>', "$ 12.5"),
        ('<Style ss:ID="c"><NumberFormat ss:Format="Euro Currency"/></Style>', "€ 12.5"),
        ('<Style ss:ID="c" ss:Name="Currency"><NumberFormat ss:Format="[$£-809]0.00"/></Style>', "£ 12.5"),
        (DOLLARS + '<Style ss:ID="c" ss:Parent="p"/>', "$ 12.5"),
        (DOLLARS + '<Style ss:ID="c" ss:Parent="p"><NumberFormat ss:Format="0.00"/></Style>', "12.5"),
    ],
)
@pytest.mark.parametrize("place", ["cell", "row", "column"])
def test_a_currency_of_a_style_is_that_of_its_cells(
    tmp_path: Path, style: str, shown: str, place: str
) -> None:
    amount = cell("12.5", "Number", **({"StyleID": "c"} if place == "cell" else {}))
    line = cell("ACME") + cell("R1") + cell("2026-10-05") + amount
    line = f'<Row ss:StyleID="c">{line}</Row>' if place == "row" else f"<Row>{line}</Row>"
    text = book(line).replace("</Styles>", f"{style}</Styles>")
    if place == "column":
        text = text.replace("<Table>", '<Table><Column ss:Span="1"/><Column ss:Index="4" ss:StyleID="c"/>')
    with read(tmp_path / "costs.xls", text) as reading:
        assert rows(reading)[-1][3] == shown
