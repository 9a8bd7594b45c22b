"""Workbooks: the sheets of the table are read, and the content of other sheets is kept."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import openpyxl
import pytest

from showcost.readers import Hints, Reading, read_delivery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    BlockLines = Sequence[Sequence[object]]

FILES: Final = Path(__file__).parent / "files"
HEADER = ["Date", "Vendor", "Net"]
MARCH: BlockLines = [HEADER, *([dt.date(2025, 3, day), f"Vendor {day}", day * 1.5] for day in range(1, 9))]
APRIL: BlockLines = [
    ["date ", "Vendors", "NET", None],
    *([dt.date(2025, 4, day), f"Vendor {day}", day * 2.5, None] for day in range(1, 4)),
]
LOOKUP = [["Code", "Meaning"], ["a", "grip"], ["b", "camera"]]


def workbook(path: Path, sheets: Mapping[str, BlockLines], hidden: str = "") -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(list(line))
        sheet.sheet_state = "hidden" if name == hidden else "visible"
    book.save(path)
    return path


def rows(reading: Reading) -> list[list[str]]:
    return [row for batch in reading.records for row in batch.column("cells").to_pylist()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "costs.xlsx"


def test_a_workbook_is_read_as_a_person_would_export_it(path: Path) -> None:
    lines: BlockLines = [
        ["Cost export"],
        ["Date", "Vendor", "Net", "At"],
        [dt.date(2025, 2, 1), "Müller, Söhne", 0.1 + 0.2, dt.time(9, 30)],
        [dt.datetime(2025, 2, 1, 14, 30), "ACME", 1234567.89, None],  # noqa: DTZ001 -- no cell has a zone
    ]
    with read_delivery(workbook(path, {"Costs": lines, "Empty": []}), format="xlsx") as reading:
        assert rows(reading) == [
            ["2025-02-01", "Müller, Söhne", "0.3", "09:30:00"],
            ["2025-02-01 14:30:00", "ACME", "1234567.89", ""],
        ]
        assert reading.dialect.assumptions == ("places are counted in the CSV form of the sheet",)


def test_the_sheet_that_the_feed_states_is_read_and_no_other(path: Path) -> None:
    workbook(path, {"March": MARCH, "Lookup": LOOKUP})
    with read_delivery(path, format="xlsx", hints=Hints(sheet="Lookup")) as reading:
        assert rows(reading) == [["a", "grip"], ["b", "camera"]]
        assert len(reading.rejected) == 0
    with read_delivery(path, format="xlsx", hints=Hints(sheet="May")) as reading:
        assert [rejected.detail for rejected in reading.rejected] == [
            "the workbook has no sheet of the name that the feed states"
        ]


def test_sheets_with_the_same_header_are_one_table(path: Path) -> None:
    with read_delivery(workbook(path, {"April": APRIL, "March": MARCH}), format="xlsx") as reading:
        read = rows(reading)
        assert [row[0] for row in read] == [f"2025-04-0{n}" for n in range(1, 4)] + [
            f"2025-03-0{n}" for n in range(1, 9)
        ]
        assert {len(row) for row in read} == {3}
        assert [record.text for record in reading.footer] == ["Date,Vendor,Net\n"]
        assert len(reading.rejected) == 0
        assert "of 2 sheets with content the table is 1 and 2" in reading.dialect.assumptions


def test_a_sheet_with_another_header_is_kept_whole(path: Path) -> None:
    with read_delivery(workbook(path, {"Lookup": LOOKUP, "March": MARCH}), format="xlsx") as reading:
        assert len(rows(reading)) == 8
        (other,) = reading.rejected
        assert (other.code, other.record) == ("SC-ROW-001", 10)
        assert other.detail == "sheet 1 has another header than the table, sheet 2"
        assert other.raw == b"Code,Meaning\na,grip\nb,camera\n"
        assert other.end - other.start == len(other.raw)
        counts = reading.counts
        assert (counts.total, counts.lines, counts.bytes) == (10, 12, other.end)


def test_the_sheet_with_the_columns_of_the_feed_is_the_table_though_another_is_fuller(path: Path) -> None:
    rates: BlockLines = [["Code", "Rate"], *([f"c{n}", n] for n in range(90))]
    workbook(path, {"Rates": rates, "March": MARCH})
    for names, count in (((), 90), (("NET", "dates"), 8)):
        with read_delivery(path, format="xlsx", hints=Hints(names=names)) as reading:
            assert (len(rows(reading)), len(reading.rejected)) == (count, 1)


@pytest.mark.parametrize("lines", [[["Spend over 25,000"], [None, "March 2025"]], [["as agreed"]]])
def test_a_sheet_of_text_is_kept_with_the_footer(path: Path, lines: BlockLines) -> None:
    with read_delivery(workbook(path, {"Cover": lines, "March": MARCH}), format="xlsx") as reading:
        assert len(rows(reading)) == 8
        assert len(reading.rejected) == 0
        (kept,) = reading.footer
        assert reading.dialect.footer_records == (kept.record,)
        assert all(str(cell) in kept.text for line in lines for cell in line if cell)


def test_a_hidden_sheet_is_reported_and_not_read(path: Path) -> None:
    workbook(path, {"Lookup": LOOKUP, "March": MARCH}, hidden="Lookup")
    with read_delivery(path, format="xlsx") as reading:
        assert len(rows(reading)) == 8
        assert len(reading.rejected) == 0
        assert "1 hidden sheets were not read" in reading.dialect.assumptions


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("General", 12.5, "12.5"),
        ('"$"#,##0.00', 12.5, "$ 12.5"),
        ("[$$-409]#,##0.00", -12.5, "$ -12.5"),
        ("[$USD] #,##0.00", 12, "USD 12"),
        ('#,##0.00 "EUR"', 12.5, "EUR 12.5"),
        ("#,##0.00\\ [$\u20ac-407];[Red]-#,##0.00\\ [$\u20ac-407]", 12.5, "\u20ac 12.5"),
        ("\\$#,##0", 12, "$ 12"),
        ("_-* #,##0.00\\ _\u20ac_-", 12.5, "12.5"),
        ("#,##0.00_);[Red]\\(#,##0.00\\)", 12.5, "12.5"),
        ("[$-409]0.00", 12.5, "12.5"),
        ('"CA$"#,##0.00', 12.5, "CA$ 12.5"),
        ('#,##0.00\\ "kr"', -12.5, "kr -12.5"),
        ("#,##0.00 [$z\u0142-415]", 12.5, "z\u0142 12.5"),
        ('_($* #,##0.00_);_($* (#,##0.00);_($* "-"??_);_(@_)', -12.5, "$ -12.5"),
        ("_-[$\u00a3-809]* #,##0.00_-;-[$\u00a3-809]* #,##0.00_-", -12.5, "\u00a3 -12.5"),
        ("[<100][$$-409]0.00;[$\u20ac-2]0.00", 125, "$/\u20ac 125"),
        ('[>=100]"EUR" 0.00;"USD" 0.00', -12.5, "EUR/USD -12.5"),
        ('"Total: "0.00', 12.5, "12.5"),
        ("0.00E+00", 12.5, "12.5"),
        ("0%", 0.19, "19%"),
        ("0.00%", 0.075, "7.5%"),
        ("00000", 42, "00042"),
        ('"$"#,##0.00_);("$"#,##0.00)', 12.5, "$ 12.5"),
        ('#,##0.0"m"', 1.5, "1.5 m"),
        ('#,##0.0\\ "Mio."', 1.5, "1.5 Mio."),
        ('#,##0,"K"', 12500, "12500"),
        ("#,##0,", 12500, "12500"),
        ('0"p"', 1250, "1250 p"),
        ('[$\u00a3-809]#,##0.0"m"', 1.5, "\u00a3 1.5 m"),
        ('0.0 "h"', 7.5, "7.5"),
        ("-0.00", 12.5, "-12.5"),
        ("(0.00)", 12.5, "-12.5"),
        ('0.00"CR";0.00"DR"', 12.5, "-12.5"),
        ('0.00"CR";0.00"DR"', -12.5, "12.5"),
        ('0.00"DR";0.00"CR"', -12.5, "-12.5"),
        ("#,##0.00_);(#,##0.00)", -12.5, "-12.5"),
        ("# ?/?", 0.5, "0.5"),
        ("0.00;[Red]0.00", -12.5, "-12.5"),
        ("0", 42, "42"),
        ("0", 4000123412341234, "4000123412341234"),
        ("0", 12345678901234567890, "1.23456789012346E+19"),
    ],
)
def test_a_number_is_read_with_the_currency_percentage_or_zeros_that_its_cell_shows(
    path: Path, code: str, value: float, shown: str
) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for line in [["Date", "Vendor", "Net"], *([dt.date(2025, 3, day), "V", value] for day in range(1, 5))]:
        sheet.append(line)
    sheet["C3"].number_format = code
    book.save(path)
    with read_delivery(path, format="xlsx") as reading:
        assert [row[2] for row in rows(reading)].count(shown) >= 1


def test_error_values_are_kept_and_hidden_rows_are_reported(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for line in MARCH:
        sheet.append(list(line))
    sheet["C3"].value, sheet["C3"].data_type = "#N/A", "e"
    sheet.row_dimensions[5].hidden = True
    sheet.column_dimensions["B"].hidden = True
    book.save(path)
    with read_delivery(path, format="xlsx") as reading:
        assert [row[2] for row in rows(reading)][:4] == ["1.5", "#N/A", "4.5", "6"]
        assert "1 hidden rows of sheet 1 were read" in reading.dialect.assumptions
        assert reading.hidden.records == {5}
        assert list(reading.hidden.columns.values()) == [{1}]


def test_formulas_that_no_program_has_calculated_are_kept_below_and_beside_the_last_value(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for line in (["Bill", "Net"], ["A1", 2.5], ["A2", 3.5], ['="A"&3', "=B3+1", "=B3"], [None, "=B3"]):
        sheet.append(line)
    book.save(path)
    with read_delivery(path) as reading:
        found = [row[:2] for row in rows(reading)] + [record.text.split(",")[:2] for record in reading.footer]
    assert found == [["A1", "2.5"], ["A2", "3.5"], ["#FORMULA!"] * 2, ["", "#FORMULA!"]]


def test_hidden_rows_of_several_sheets_are_counted_in_the_table(path: Path) -> None:
    workbook(path, {"March": MARCH, "April": MARCH})
    book = openpyxl.load_workbook(path)
    book["March"].row_dimensions[3].hidden = True
    book["April"].row_dimensions[2].hidden = True
    book["April"].column_dimensions["C"].hidden = True
    book.save(path)
    with read_delivery(path, format="xlsx") as reading:
        assert len(rows(reading)) == 16
        assert reading.hidden.records == {3, 10}  # the header of April is not in the table
        assert reading.hidden.columns == {range(10, 18): {2}}


def test_a_hidden_sheet_that_the_feed_names_is_hidden_row_by_row(path: Path) -> None:
    workbook(path, {"March": MARCH, "Hidden": MARCH[:3]}, hidden="Hidden")
    with read_delivery(path, format="xlsx", hints=Hints(sheet="Hidden")) as reading:
        assert len(rows(reading)) == 2
        assert reading.hidden.records == {1, 2, 3}
        assert "sheet 2 is hidden; it was read, as the feed names it" in reading.dialect.assumptions


def test_hidden_rows_of_an_open_document_are_marked(tmp_path: Path) -> None:
    path = open_document(tmp_path / "costs.ods", [ods_cell("float", 'office:value="5"')] * 4)
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    rows_of_table = parts["content.xml"].split(b"<table:table-row>")
    rows_of_table[2] = b'<table:table-row table:visibility="filter">' + rows_of_table[2]
    parts["content.xml"] = b"<table:table-row>".join(rows_of_table).replace(
        b"<table:table-row><table:table-row table:vis", b"<table:table-row table:vis"
    )
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    with read_delivery(path, format="xlsx") as reading:
        assert len(rows(reading)) == 4
        assert reading.hidden.records == {2}


def open_document(path: Path, amounts: list[str], styles: str = "") -> Path:
    """Write an ods with a table of vendor, date and these cells of amounts."""
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    lines = ["".join(map(cell.format, ("Vendor", "Date", "Net")))]
    lines += [cell.format("V") + cell.format("2025-03-01") + amount for amount in amounts]
    body = "".join(f"<table:table-row>{line}</table:table-row>" for line in lines)
    names = [f"{name}:1.0" for name in ("office", "table", "text", "style")]
    spaces = [f'xmlns:{name[:-4]}="urn:oasis:names:tc:opendocument:xmlns:{name}"' for name in names]
    spaces += [
        'xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0"',
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"',
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        entry = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{entry}"/>')
        archive.writestr(
            "content.xml",
            f"<office:document-content {' '.join(spaces)}>"
            f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>"
            f'<table:table table:name="Costs">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


ODS_STYLES: Final = (
    '<number:number-style style:name="N1"><number:number number:min-integer-digits="5"/>'
    "</number:number-style>"
    '<number:currency-style style:name="N2"><number:currency-symbol>$</number:currency-symbol>'
    '<number:number number:decimal-places="2" number:min-integer-digits="1"/></number:currency-style>'
    '<number:number-style style:name="N3"><number:number number:decimal-places="1"/>'
    "<number:text>m</number:text></number:number-style>"
    '<number:percentage-style style:name="N4"><number:number/></number:percentage-style>'
    '<style:style style:name="padded" style:family="table-cell" style:data-style-name="N1"/>'
    '<style:style style:name="dollars" style:family="table-cell" style:data-style-name="N2"/>'
    '<style:style style:name="derived" style:family="table-cell" style:parent-style-name="dollars"/>'
    '<style:style style:name="millions" style:family="table-cell" style:data-style-name="N3"/>'
    '<style:style style:name="percent" style:family="table-cell" style:data-style-name="N4"/>'
)


def ods_cell(kind: str, more: str = "", text: str = "") -> str:
    value_type = f'office:value-type="{kind}"' if kind else ""
    return f"<table:table-cell {value_type} {more}><text:p>{text}</text:p></table:table-cell>"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (ods_cell("currency", 'office:currency="USD" office:value="5"'), "USD 5"),
        (ods_cell("float", 'office:value="12.5"'), "12.5"),
        (ods_cell("float", 'office:value="42" table:style-name="padded"'), "00042"),
        (ods_cell("float", 'office:value="5" table:style-name="dollars"'), "$ 5"),
        (ods_cell("float", 'office:value="5" table:style-name="derived"'), "$ 5"),
        (ods_cell("float", 'office:value="1.5" table:style-name="millions"'), "1.5 m"),
        (ods_cell("percentage", 'office:value="0.19"'), "19%"),
        (ods_cell("float", 'office:value="0.19" table:style-name="percent"'), "19%"),
        (ods_cell("float", 'office:value="12345678901234567890"'), "1.23456789012346E+19"),
        (ods_cell("string", 'office:string-value="" calcext:value-type="error"', "#N/A"), "#N/A"),
        (ods_cell("float", 'office:value="0" calcext:value-type="error"', "#DIV/0!"), "#DIV/0!"),
        (ods_cell("", 'table:formula="of:=1+1"'), "#FORMULA!"),
        (ods_cell("date", 'office:date-value="2025-03-05"'), "2025-03-05"),
        (ods_cell("boolean", 'office:boolean-value="true"'), "TRUE"),
    ],
)
def test_a_cell_of_an_open_document_is_read_as_it_is_shown(tmp_path: Path, cell: str, shown: str) -> None:
    plain = ods_cell("float", 'office:value="7"')
    path = open_document(tmp_path / "costs.ods", [plain, cell, plain], ODS_STYLES)
    with read_delivery(path, format="xlsx") as reading:
        assert [row[2] for row in rows(reading)] == ["7", shown, "7"]


def test_the_style_of_a_column_holds_for_cells_without_one(tmp_path: Path) -> None:
    column = '<table:table-column table:number-columns-repeated="2"/>'
    column += '<table:table-column table:default-cell-style-name="dollars"/>'
    path = open_document(tmp_path / "costs.ods", [ods_cell("float", 'office:value="7"')] * 2, ODS_STYLES)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["content.xml"] = parts["content.xml"].replace(b'"Costs">', b'"Costs">' + column.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with read_delivery(path, format="xlsx") as reading:
        assert [row[2] for row in rows(reading)] == ["$ 7", "$ 7"]


def test_a_workbook_of_excel_97_has_the_formats_and_errors_that_its_cells_show() -> None:
    with read_delivery(FILES / "formats.xls", format="xlsx") as reading:
        assert rows(reading) == [
            ["ACME", "00042", "2026-10-05", "$ 12.5", "19%"],
            ["BETA", "00043", "2026-10-06", "\u20ac 7.25", "20%"],
            ["GAMMA", "00044", "2026-10-07", "GBP 3", "5%"],
            ["DELTA", "1.23456789012346E+16", "2026-10-08", "#N/A", "100%"],
        ]
        assert reading.dialect.assumptions == (
            "1 hidden rows of sheet 1 were read",
            "places are counted in the CSV form of the sheet",
        )


def test_a_damaged_workbook_of_excel_97_never_stops_the_reader(
    tmp_path: Path,
) -> None:
    sound = (FILES / "formats.xls").read_bytes()
    path = tmp_path / "costs.xls"
    for place in range(512, len(sound), 97):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :])
        with read_delivery(path, format="xlsx") as reading:
            assert rows(reading) or reading.rejected or reading.dialect.assumptions
