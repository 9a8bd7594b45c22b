"""Typical files of vendors, and their readings."""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import IntegrityError
from showcost.readers import Hints, Reading, RecordCounts, read_delivery
from showcost.readers.export import write_csv, write_rejects
from showcost.readers.open import NO_HINTS

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [f"{day:02d}/02/2025,Vendor {day},{day}.50" for day in range(1, 26)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "delivery.csv"


def read(path: Path, text: str, hints: Hints = NO_HINTS, encoding: str = "utf-8") -> Reading:
    path.write_bytes(text.encode(encoding))
    return read_delivery(path, hints=hints)


def cells(reading: Reading) -> list[list[str]]:
    return [row for batch in reading.records for row in batch.column("cells").to_pylist()]


def details(reading: Reading) -> list[str]:
    return [rejected.detail for rejected in reading.rejected]


def test_preamble_and_footer_are_kept_apart(path: Path) -> None:
    text = "\n".join(["Export,,", "", "Date,Vendor,Net", *ROWS, "", "Total,,325.00", "End of report"])
    with read(path, text) as reading:
        assert len(cells(reading)) == 25
        assert [r.text for r in reading.preamble] == ["Export,,"]
        assert [r.text for r in reading.footer] == ["Total,,325.00", "End of report"]
        assert reading.dialect.footer_records == (30, 31)
        assert reading.counts == RecordCounts(
            preamble=1, header=1, blank=2, footer=2, accepted=25, lines=31, bytes=len(text)
        )


def test_header_lines_are_joined_and_headings_extended(path: Path) -> None:
    text = "\n".join(["Date,Vendor,Amounts,,", ",,Net,Tax,Gross", *(f"{row},1.00,2.00" for row in ROWS)])
    with read(path, text) as reading:
        assert reading.header == ("Date", "Vendor", "Amounts Net", "Amounts Tax", "Amounts Gross")
        assert reading.dialect.header_records == (1, 2)


def test_a_file_without_header_is_numbered(path: Path) -> None:
    with read(path, "\n".join(ROWS)) as reading:
        assert reading.header == ("col_0", "col_1", "col_2")
        assert len(cells(reading)) == 25


def test_empty_columns_of_a_spreadsheet_are_left_out(path: Path) -> None:
    text = "\n".join(["Date,Vendor,Net,,", *(f"{row}" for row in ROWS)])
    with read(path, text) as reading:
        assert reading.header == ("Date", "Vendor", "Net")
        assert len(cells(reading)) == 25
    text = "\n".join(["Date,Vendor,Net", *(f"{row},,," for row in ROWS)])
    with read(path, text) as reading:
        assert cells(reading)[0] == ["01/02/2025", "Vendor 1", "1.50"]
        assert "3 empty cells after the last column are left out" in reading.dialect.assumptions
        assert not reading.dialect.header_sure


def test_a_header_that_may_lack_a_delimiter_is_uncertain(path: Path) -> None:
    """The last column is empty in all rows, so that each name could belong to the next column."""
    names = "Supplier,Invoice,Date,EpisodeSet,Amount,VAT,Gross,Details"
    rows = [f"ACME,R{n},2026-10-05,101,{12 + n},{100 + n}.00,20.00,{120 + n}.00," for n in range(9)]
    with read(path, "\n".join([names, *rows])) as reading:
        assert not reading.dialect.header_sure
    with read(path, "\n".join([names.replace("eS", "e,S"), *rows])) as reading:
        assert reading.dialect.header_sure
        assert cells(reading)[0][5] == "100.00"
    with read(path, "\n".join(["Supplier,,Invoice,Date", *(row[:18] for row in rows)])) as reading:
        assert not reading.dialect.header_sure


def test_a_header_of_too_few_names_is_uncertain(path: Path) -> None:
    text = "\n".join(["Date,Vendor Net", *ROWS])
    with read(path, text) as reading:
        assert reading.header == ("Date", "Vendor Net")
        assert reading.width == 3
        assert not reading.dialect.header_sure


def test_a_single_empty_cell_at_the_end_is_not_taken_for_padding(path: Path) -> None:
    """The trap of a fast reader: an extra delimiter within the record shifts the columns."""
    text = "\n".join(["Date,Vendor,Net", *ROWS, "27/02/2025,,Acme,"])
    with read(path, text) as reading:
        assert len(cells(reading)) == 25
        assert details(reading) == ["4 cells where the table has 3"]


def test_an_extra_delimiter_is_left_out_only_when_nothing_else_is_possible(path: Path) -> None:
    rows = [f'{day:02d}/02/2025,"Jones, {chr(64 + day)}",INV-{day:03d},{day}.50' for day in range(1, 29)]
    text = "\n".join(["Date,Vendor,Number,Net", *rows, "01/03/2025,,Smith,INV-099,1.00"])
    with read(path, text) as reading:
        assert cells(reading)[-1] == ["01/03/2025", "Smith", "INV-099", "1.00"]
        assert reading.repaired == [(30, "an extra delimiter was left out")]
    text = "\n".join(["Date,Vendor,Number,Net", *rows, "01/03/2025,Smith,Ltd,INV-099,1.00"])
    with read(path, text) as reading:
        assert len(cells(reading)) == 28
        assert details(reading) == ["5 cells where the table has 4"]


def test_a_quote_within_an_amount_is_not_repaired(path: Path) -> None:
    text = "\n".join(["Date,Vendor,Net", *ROWS, '27/02/2025,Acme,12"'])
    with read(path, text) as reading:
        assert len(cells(reading)) == 25
        assert details(reading) == ["a single quote mark in an unquoted cell"]


@pytest.mark.parametrize(
    ("line", "repaired"),
    [
        ('01/03/2025,"Jones, Z",INV-099","1.00', False),
        ('01/03/2025,"Jones, Z",INV-099",1.00', True),
        ('"01/03/2025,"Jones, Z",INV-099,1.00', True),
        ('01/03/2025,"Jones, Z",INV-099,"1.00', True),
        ('01/03/2025,"Jones, "Z",INV-099,1.00', False),
        ('01/03/2025,"Jones,INV-099,1.00', False),
        ('01/03/2025,Jones",INV-099,1.00', False),
        ('01/03/2025,"Jones, Z",INV-099,1"', False),
    ],
)
def test_a_quote_too_many_is_left_out_only_of_a_cell_that_can_have_none(
    path: Path, line: str, *, repaired: bool
) -> None:
    rows = [f'{day:02d}/02/2025,"Jones, {chr(64 + day)}",INV-{day:03d},{day}.50' for day in range(1, 29)]
    with read(path, "\n".join(["Date,Vendor,Number,Net", *rows, line, *rows])) as reading:
        accepted = cells(reading)
        assert len(accepted) == 56 + repaired
        assert [rejected.record for rejected in reading.rejected] == ([] if repaired else [30])
        if repaired:
            assert accepted[28] == ["01/03/2025", "Jones, Z", "INV-099", "1.00"]
            assert reading.repaired == [(30, "a quote mark too many was left out")]


def test_a_missing_closing_quote_costs_one_record(path: Path) -> None:
    rows = [f'{day:02d}/02/2025,{"V" if day % 9 else "x"}{day},"{day},000.50"' for day in range(1, 29)]
    broken = [*rows[:14], rows[14][:-1], *rows[15:]]
    with read(path, "\n".join(["Date,Number,Net", *broken])) as reading:
        assert [row[0] for row in cells(reading)] == [row[:10] for row in rows if row != rows[14]]
        assert [rejected.record for rejected in reading.rejected] == [16]


def test_inch_marks_are_text_where_they_are_usual(path: Path) -> None:
    rows = [f'{day:02d}/02/2025,Flag {day}",{day}.50' for day in range(1, 20)]
    with read(path, "\n".join(["Date,Thing,Net", *rows])) as reading:
        assert cells(reading)[0] == ["01/02/2025", 'Flag 1"', "1.50"]
        assert details(reading) == []


def test_a_repeated_header_is_not_a_row(path: Path) -> None:
    text = "\n".join(["Date,Vendor,Net", *ROWS, "", "March,,", "Date,Vendor,Net", *ROWS])
    with read(path, text) as reading:
        assert len(cells(reading)) == 50
        assert [r.text for r in reading.header_lines] == ["Date,Vendor,Net", "March,,", "Date,Vendor,Net"]


def test_hints_override_detection(path: Path) -> None:
    with read(path, "a;b\n1;2\n", Hints(delimiter=",")) as reading:
        assert cells(reading) == [["1;2"]]
    with read(path, "x\n\nDate,Net\n1,2\n", Hints(header_record=3)) as reading:
        assert (reading.header, cells(reading)) == (("Date", "Net"), [["1", "2"]])
    with read(path, "Caf\xe9;1\n", Hints(encoding="latin-1", header_record=0), "latin-1") as reading:
        assert cells(reading) == [["Caf\xe9", "1"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "||", "::", "^", "~|~", "¬"])
def test_delimiters_are_detected(path: Path, delimiter: str) -> None:
    text = "\n".join(row.replace(",", delimiter) for row in ["Date,Vendor,Net", *ROWS])
    with read(path, text) as reading:
        assert reading.dialect.delimiter == delimiter
        assert cells(reading)[2] == ["03/02/2025", "Vendor 3", "3.50"]


def test_days_and_wavelengths_name_columns(path: Path) -> None:
    for first in ("", "Crew", "wl/nm"):
        header = ",".join([first, *map(str, range(400, 420, 2)), "Total"])
        lines = [header, *(f"Crew {n},{',8' * 9},{9 * 8}" for n in range(12))]
        for above in ([], ["Week 12,,,,,,,,,,,"]):
            with read(path, "\n".join([*above, *lines])) as reading:
                assert len(cells(reading)) == 12
                assert reading.header == tuple(header.split(","))


def test_a_row_that_counts_among_others_that_do_is_a_row(path: Path) -> None:
    lines = [",".join([f"Take {n}", *(str(n * step) for step in range(1, 6))]) for n in range(1, 9)]
    with read(path, "\n".join(lines)) as reading:
        assert len(cells(reading)) == 8


def test_apostrophes_as_quotes_are_detected_where_few_cells_need_them(path: Path) -> None:
    lines = ["no,'vendor','note'", *(f"{n},'Kerr, {n}','x'" for n in range(20))]
    with read(path, "\n".join(lines)) as reading:
        assert reading.header == ("no", "vendor", "note")
        assert cells(reading)[3] == ["3", "Kerr, 3", "x"]
    lines = ["no,vendor,note", *(f"{n},'s-Gravenhage,it's {n}" for n in range(20))]
    with read(path, "\n".join(lines)) as reading:
        assert cells(reading)[3] == ["3", "'s-Gravenhage", "it's 3"]


def test_counts_that_do_not_add_up_stop_the_reading() -> None:
    with pytest.raises(IntegrityError, match="3 records, 3 lines and 30 bytes"):
        RecordCounts(accepted=3, lines=3, bytes=30).verify(records=3, lines=4, size=30)


def test_the_edit_list_is_rfc_4180_and_json_lines(path: Path) -> None:
    text = "\n".join(["Date,Vendor,Net", '01/02/2025,"Smith, ""Bo""",1.50', *ROWS, "x,y"])
    out, rejects = io.BytesIO(), io.BytesIO()
    with read(path, text) as reading:
        assert write_csv(reading, out) == 26
        assert write_rejects(reading, rejects) == 1
    assert out.getvalue().startswith(b'"Date","Vendor","Net"\n"01/02/2025","Smith, ""Bo""","1.50"\n')
    assert json.loads(rejects.getvalue()) == {
        "record": 28,
        "start": len(text) - 3,
        "end": len(text),
        "code": "SC-ROW-001",
        "detail": "2 cells where the table has 3",
        "raw": "x,y",
    }


@pytest.mark.parametrize("delimiter", ["||", "~~", "#$#", "|~|", "<^>", "::", "%&", "=>"])
def test_a_delimiter_of_several_characters_is_detected(path: Path, delimiter: str) -> None:
    lines = ["Date,Vendor,Note,Net", *(f"{day:02d}/02/2025,Vendor {day},,{day}.50" for day in range(1, 26))]
    with read(path, "\n".join(lines).replace(",", delimiter)) as reading:
        assert reading.dialect.delimiter == delimiter
        assert cells(reading)[0] == ["01/02/2025", "Vendor 1", "", "1.50"]
        assert reading.header == ("Date", "Vendor", "Note", "Net")


def test_titles_of_another_table_are_not_rows(path: Path) -> None:
    text = (
        "Who,When,What,Amount\nA,01/02/2025,van,1.00\n,,and a driver,\nB,02/02/2025,tent,2.00\n,,,\n"
        "Hospitality,,,\nWho,Day,Whom,Value\nC,03/02/2025,D,3.00\n,,,\nE,,,\nF,04/02/2025,lamp,4.00\n,,,\n"
        "Notes,,,\nGifts,All of them,,\n"
    )
    with read(path, text) as reading:
        assert cells(reading)[-1] == ["B", "02/02/2025", "tent", "2.00"]
        assert [rejected.record for rejected in reading.rejected] == [7, 8, 10, 11, 13, 14]
    with read(path, text, Hints(as_written=True)) as reading:
        rows = cells(reading)
        titles = [record.text for record in reading.header_lines]
    assert titles == ["Who,When,What,Amount", "Hospitality,,,"]
    assert ["Who", "Day", "Whom", "Value"] in rows
    assert ["E", "", "", ""] in rows
    assert ["", "", "and a driver", ""] in rows


@pytest.mark.parametrize(
    ("lines", "header", "others"),
    [
        (["Region,2009,2010,2011"], ("Region", "2009", "2010", "2011"), []),
        (["Site,Apr-13,May-13,Jun-13"], ("Site", "Apr-13", "May-13", "Jun-13"), []),
        ([",2010,,2011", "Region,Men,Women,Men"], ("Region", "2010 Men", "2010 Women", "2011 Men"), []),
        (
            ["Emissions, 1990-2011,,", "Source,1990,2000,2011"],
            ("Source", "1990", "2000", "2011"),
            ["Emissions, 1990-2011,,"],
        ),
        (["Site,Flow,Head,Power", ",m3/s,m,kW"], ("Site", "Flow m3/s", "Head m", "Power kW"), []),
        (["Site,Flow,Head,Ratio", "-,(l/min),-,-"], ("Site -", "Flow (l/min)", "Head -", "Ratio -"), []),
        (["Site,Flow,Head,Power", "----,----,----,-----"], ("Site", "Flow", "Head", "Power"), []),
        (["Site,Flow,Head,Power", "=================="], ("Site", "Flow", "Head", "Power"), []),
        (["1,2,3,4", "Site,Flow,Head,Power"], ("Site", "Flow", "Head", "Power"), ["1,2,3,4"]),
        (["A,B,C,D", "Site,Flow,Head,Power"], ("Site", "Flow", "Head", "Power"), ["A,B,C,D"]),
    ],
)
def test_names_are_distinguished_from_values_units_rulers_and_numbers_of_columns(
    path: Path, lines: list[str], header: tuple[str, ...], others: list[str]
) -> None:
    rows = [f"Site {n},{n * 7}.5,{n * 3}.25,{n + 0.125}" for n in range(1, 15)]
    with read(path, "\n".join([*lines, *rows])) as reading:
        assert len(cells(reading)) == len(rows)
        assert reading.header == header
        assert [record.text for record in reading.preamble] == others
        assert [record.text for record in reading.header_lines] == [
            line for line in lines if line not in others
        ]


@pytest.mark.parametrize(
    ("header", "first"),
    [
        ("Name,Sex,Grade", "K,s,A"),
        ("Name,Year,Year", "Acme,1990,1995"),
        ("a,b,c", "1,2,3"),
        ("a,b,c", "x,1999,2005"),
    ],
)
def test_a_first_row_that_could_be_units_or_names_is_a_row(path: Path, header: str, first: str) -> None:
    rows = [first, *(",".join(f"{cell}" for cell in first.split(",")) for _ in range(9))]
    with read(path, "\n".join([header, *rows])) as reading:
        assert len(cells(reading)) == len(rows)


def test_remarks_after_a_blank_line_are_not_rows(path: Path) -> None:
    remarks = ["* VAT is included where it is not recovered", "Contact: finance@example.org", "END"]
    for form in ("{}", "{},,"):
        end = [form.format(line) for line in remarks]
        with read(path, "\n".join(["Date,Vendor,Net", *ROWS, "", *end])) as reading:
            assert (len(cells(reading)), details(reading)) == (25, [])
            assert [record.text for record in reading.footer] == end
    with read(path, "\n".join(["Date,Vendor,Net", *ROWS, remarks[1]])) as reading:
        assert (len(cells(reading)), details(reading)) == (25, ["1 cells where the table has 3"])
    rows = ["Acme,,", "Bodge,01/02/2025,5.00"] * 20
    with read(path, "\n".join(["Vendor,Date,Net", *rows, "", "Cod,,"])) as reading:
        assert len(cells(reading)) == 41


def test_the_end_of_text_mark_of_dos_is_not_a_row(path: Path) -> None:
    with read(path, "\r\n".join(["Date,Vendor,Net", *ROWS, "\x1a"])) as reading:
        assert (len(cells(reading)), details(reading)) == (25, [])


def test_a_repeated_header_of_words_is_not_a_row(path: Path) -> None:
    header = "Date,Organisation,Purpose"
    text = [
        "Minister A,,",
        header,
        "April,Acme,Fish",
        "May,Bodge,Chips",
        "",
        "Minister B,,",
        header,
        "June,Cod,Fish",
    ]
    with read(path, "\n".join(text)) as reading:
        assert [row[1] for row in cells(reading)] == ["Acme", "Bodge", "Cod"]
        assert [record.text for record in reading.header_lines] == [header, "Minister B,,", header]


def test_text_of_mac_os_is_distinguished_from_windows(path: Path) -> None:
    text = "Vendor,Note,Net\r" + "\r".join(
        f"Children\u2019s Trust {n},\u201ccaf\u00e9\u201d,{n}" for n in range(9)
    )
    with read(path, text, encoding="mac_roman") as reading:
        assert cells(reading)[0] == ["Children\u2019s Trust 0", "\u201ccaf\u00e9\u201d", "0"]
        assert reading.dialect.encoding == "mac-roman"
    text = "Vendor,Note,Net\n" + "\n".join(f"CONSTRUCCI\u00d3N {n},S\u00d5E,{n}" for n in range(9))
    with read(path, text, Hints(languages=("pt",)), encoding="cp1252") as reading:
        assert reading.dialect.encoding == "cp1252"


@pytest.mark.parametrize(
    "column",
    [
        ("Date", "2025-02-01", "2025-02-02"),
        ("Start", "10:00:00", "11:30:00"),
        ("Name", "Jane Doe", "Ann Poe"),
        ("Reference", "AB-0001-X", "AB-0002-X"),
        ("Consulted", "Acme Ltd", "Bodge and Sons", "Trout, Salmon & Co", "Cod plc", "Dab"),
    ],
)
def test_marks_in_words_and_dates_do_not_divide_columns(path: Path, column: tuple[str, ...]) -> None:
    rows = list(column[1:]) * 4
    with read(path, "\n".join([column[0], *rows])) as reading:
        assert cells(reading) == [[row] for row in rows]
        assert reading.header == column[:1]


def test_commas_of_sentences_do_not_divide_columns(path: Path) -> None:
    chosen = random.Random(4)  # noqa: S311 -- repeatable, no secret
    words = [
        "the",
        "crew",
        "liked",
        "it,",
        "lunch",
        "was",
        "late",
        "and",
        "sadly;",
        "early",
        "(again)",
        "very,",
    ]
    lines = [" ".join(chosen.choices(words, k=chosen.randrange(3, 25))) for _ in range(60)]
    with read(path, "\n".join(["Comment", *lines])) as reading:
        assert (reading.header, cells(reading)) == (("Comment",), [[line] for line in lines])


def test_a_table_below_a_page_of_text_is_detected(path: Path) -> None:
    chosen = random.Random(5)  # noqa: S311 -- repeatable, no secret
    words = ["as", "agreed", "with", "the", "office,", "see", "below,", "rates", "hold", "again"]
    page = [" ".join(chosen.choices(words, k=chosen.randrange(3, 15))) for _ in range(30)]
    text = "\n".join([*page, "", "Date,Vendor,Net", *ROWS])
    with read(path, text, Hints(as_written=True)) as reading:
        assert reading.dialect.delimiter == ","
        assert cells(reading)[-25:] == [row.split(",") for row in ROWS]


def test_spaces_and_colons_divide_lines_into_values(path: Path) -> None:
    for mark in (" ", ":"):
        with read(path, "\n".join(mark.join(("host", str(n), f"{n}.5")) for n in range(9))) as reading:
            assert reading.dialect.delimiter == mark


@pytest.mark.parametrize(
    ("others", "last", "is_row"),
    [
        *((("INV-1", "INV-2", "INV-3"), last, False) for last in ("INV-", "INV", "I", "INV-31")),
        (("INV-1", "INV-2", "INV-3"), "INV-4", True),
        (("Berlin", "Bath"), "Be", True),  # plain words
        (("Berlin", "Bath"), "Stratford-", False),
        ((), "B-", False),
        ((), "INV-1", False),
        ((), "Berlin", True),
    ],
)
def test_a_last_code_that_may_be_cut_off_is_not_a_row(
    path: Path, others: tuple[str, ...], last: str, *, is_row: bool
) -> None:
    lines = [f"2025-02-0{day},{day}.50,{code}" for day, code in enumerate((*others, last), start=1)]
    with read(path, "\n".join(["Date,Net,Invoice", *lines])) as reading:
        assert len(cells(reading)) == len(others) + is_row
        assert len(details(reading)) == (not is_row)


@pytest.mark.parametrize(
    ("last", "whole"),
    [
        ("12", False),
        ("12.5", False),
        ("12.50", True),
        ("", False),
        ('"12"', True),
        ("12\n", True),
        ("12\r\n", True),
    ],
)
def test_a_last_record_that_may_be_cut_off_is_not_a_row(path: Path, last: str, *, whole: bool) -> None:
    text = "\n".join(["Date,Vendor,Net", *ROWS, f"26/02/2025,Vendor 26,{last}"])
    for hints in (NO_HINTS, Hints(as_written=True)):
        with read(path, text, hints) as reading:
            assert len(cells(reading)) == 25 + (whole or hints.as_written)
            assert details(reading) == (
                []
                if whole or hints.as_written
                else ["the last record has no line end, and its last cell may be cut off"]
            )
            assert (
                hints.as_written
                == (
                    whole
                    or "the last record has no line end: it may be cut off" in reading.dialect.assumptions
                )
                or whole
            )


@pytest.mark.parametrize(
    ("column", "last", "whole"),
    [
        (["INV-100", "INV-101", "INV-102"], "INV-1", False),
        (["INV-100", "INV-101", "INV-102"], "INV-103", True),
        (["2025-02-01", "2025-02-02"], "2025-02-0", False),
        (["2025-02-01", "2025-02-02"], "2025-02-03", True),
        (["120", "7"], "12", False),
        (["a van", "two tents and a lamp"], "a lam", True),
        (["GBP", "GBP", "GBP"], "GBP", True),
        (["1.234,50", "99,00"], "1.234", False),
        (["", ""], "", True),
    ],
)
def test_a_last_cell_without_line_end_is_whole_if_it_has_the_form_of_its_column(
    path: Path, column: list[str], last: str, *, whole: bool
) -> None:
    rows = [f"V;{day}.02.2025;1,50;{cell}" for day, cell in enumerate([*column, last], 1)]
    with read(path, "\n".join(["Vendor;Date;Net;Last", *rows])) as reading:
        assert len(cells(reading)) == len(column) + whole
