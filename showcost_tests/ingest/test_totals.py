"""Totals that look like rows: a person decides on them, and no vendor with such a name is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pytest

from showcost.config.feed import ControlTotal, FeedSpec
from showcost.config.record_kinds import RECORD_KINDS, FieldType
from showcost.ingest import totals
from showcost.ingest.records import Accepted, HeaderMatch
from showcost.ingest.totals import Level, label_of, labels_in
from showcost_tests.ingest.test_landing import FEED, HEADER, landed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROWS: Final = ("ACME,R1,2025-10-05,1.00", "BETA,R2,2025-10-06,2.00")


def doubtful(folder: Path, lines: Sequence[str], feed: FeedSpec = FEED, header: str = HEADER) -> list[str]:
    """Return the lines that may be totals; all lines have to be records."""
    with landed(folder / "any.csv", "\n".join(["\ufeff" + header, *lines, ""]), feed) as content:
        records = content.records.by_date().read_all().to_pylist()
        footers = content.summary.dialect["footer_records"]
    assert (len(records), footers) == (len(lines), 0)
    assert {row["read_code"] for row in records} <= {None, "SC-TOT-001"}
    return [row["raw"] for row in sorted(records, key=lambda row: row["record"]) if row["read_code"]]


LABELS: Final = (
    *(
        "Total",
        "TOTAL:",
        "Totals",
        "Sub-total",
        "Grand total",
        "Page total",
        "Total October",
        "Sum",
        "Balance",
    ),
    *(
        "Carried forward",
        "Brought forward",
        "Total carried forward",
        "C/F",
        "T O T A L",
        "Total (2 invoices)",
    ),
    *("Summe", "Summe Oktober", "Gesamtsumme", "Gesamt", "Zwischensumme", "Übertrag", "Monatssumme", "Saldo"),
    *("Sous-total", "Total général", "Totaux", "Somme", "À reporter", "Montant total", "Totale", "Totaal"),
    *("Suma", "Razem", "Celkem", "Összesen", "Yhteensä", "I alt", "Итого", "Σύνολο", "合計", "小计", "합계"),
)


@pytest.mark.parametrize("label", LABELS)
def test_a_line_named_a_total_with_the_sum_of_the_rows_is_left_to_a_person(
    label: str, tmp_path: Path
) -> None:
    total = f"{label},2,2025-10-31,3.00"
    in_number = f"ACME,{label},2025-10-31,3.00"
    assert doubtful(tmp_path, [*ROWS, total, "ACME,R3,2025-10-07,3.00"]) == [total]
    assert doubtful(tmp_path, [*ROWS, in_number]) == [in_number]


NAMES: Final = (
    *("TotalEnergies SE,R3,2025-10-31,3.00", "TOTAL,R3,2025-10-31,3.01", "Total Energies,R3,2025-10-31,9.00"),
    *("Gesamtschule Potsdam,R3,2025-10-31,3.00", "Summit Catering,R3,2025-10-31,3.00"),
    *("Sumner Ltd,R3,2025-10-31,3.00", "Balance Ltd,R3,2025-10-31,2.00", "TOTAL,R3,2025-10-31,2.01"),
    *("ACME,R3,2025-10-31,3.00", "TOTAL,R3,2025-10-31,0.00", "Übertragungstechnik,R3,2025-10-31,3.00"),
    *("Subtotal Ltd,R3,2025-10-31,4.00", "Saldo GmbH,R3,2025-10-31,4.00", "Totale Film,R3,2025-10-31,4.00"),
)


@pytest.mark.parametrize("line", NAMES)
def test_a_vendor_with_such_a_name_posts_if_its_amount_is_no_sum(line: str, tmp_path: Path) -> None:
    assert doubtful(tmp_path, [*ROWS, line]) == []


def test_a_vendor_named_total_keeps_its_rows_next_to_each_other(tmp_path: Path) -> None:
    rows = [f"TOTAL,R{n},2025-10-{n:02d},{20 + n * n}.{n:02d}" for n in range(1, 25)]
    assert doubtful(tmp_path, rows) == []
    assert doubtful(tmp_path, [*rows, "TOTAL,R98,2025-10-30,50.00", "TOTAL,R99,2025-10-31,50.00"]) == []


def test_totals_of_sections_pages_and_all_rows_are_found(tmp_path: Path) -> None:
    lines = [
        *ROWS,
        "Carried forward,0,2025-10-31,3.00",
        "Brought forward,0,2025-10-31,3.00",
        "ACME,R3,2025-10-07,4.00",
        "ACME,R4,2025-10-07,4.50",
        "Page total,0,2025-10-31,11.50",
        "ACME,R5,2025-10-07,4.25",
        "Page total,0,2025-10-31,4.25",
        "Total,9,2025-10-31,15.75",
    ]
    assert doubtful(tmp_path, lines) == [lines[2], lines[3], lines[6], lines[8], lines[9]]


def test_a_grand_total_is_the_sum_of_subtotals_whose_rows_cannot_be_read(tmp_path: Path) -> None:
    lines = [
        *ROWS,
        "Total A,2,2025-10-31,3.00",
        "ACME,R3,2025-10-07,tbc",
        "ACME,R4,2025-10-07,1.00",
        "Total,2,2025-10-31,5.00",
        "Totals,4,2025-10-31,8.00",
    ]
    assert doubtful(tmp_path, lines) == [lines[2], lines[5], lines[6]]


def test_a_section_of_one_row_has_a_total_where_other_sections_have_one(tmp_path: Path) -> None:
    single = ["ACME,R3,2025-10-07,4.00", "Total,1,2025-10-31,4.00"]
    named = ["ACME,R3,2025-10-07,4.00", "Total Acme,1,2025-10-31,4.00"]
    energy = ["ACME,R3,2025-10-07,4.00", "Total Energies,1,2025-10-31,4.00"]
    assert doubtful(tmp_path, [*ROWS, *single]) == single[1:]
    assert doubtful(tmp_path, single) == single[1:]
    assert doubtful(tmp_path, [*ROWS, *named]) == named[1:]
    assert doubtful(tmp_path, [*ROWS, *energy]) == []
    total = "Total,2,2025-10-31,3.00"
    assert doubtful(tmp_path, [*ROWS, total, *single]) == [total, single[1]]
    assert doubtful(tmp_path, [*single, *ROWS, total]) == [single[1], total]


def test_a_total_of_one_row_may_be_that_with_tax_or_of_a_credit(tmp_path: Path) -> None:
    header = f"{HEADER},Gross amount"
    row = "ACME,R3,2025-10-07,4.00,4.80"
    for amounts in ("4.80,", "-4.00,", "4.80,4.80"):
        total = f"Summe Oktober,1,2025-10-31,{amounts}"
        assert doubtful(tmp_path, [row, total], header=header) == [total], amounts
    assert doubtful(tmp_path, [row, "Summe Oktober,1,2025-10-31,5.00,6.00"], header=header) == []


def test_a_total_without_label_lacks_its_number_or_payee(tmp_path: Path) -> None:
    for total in (",,2025-10-31,3.00", ",9,2025-10-31,3.00", "ACME,,2025-10-31,3.00"):
        assert doubtful(tmp_path, [*ROWS, total, "ACME,R3,2025-10-07,9.00"]) == [total]
    # A row without payee is no total, even of one row, unless a verified one looks like it.
    single = ["ACME,R3,2025-10-07,4.00", ",R4,2025-10-31,4.00"]
    assert doubtful(tmp_path, [*ROWS, *single]) == []
    total = ",S,2025-10-31,3.00"
    assert doubtful(tmp_path, [*ROWS, total, *single]) == [total, single[1]]


def test_a_total_above_its_rows_is_found(tmp_path: Path) -> None:
    total = "Summe Oktober,S,2025-10-31,3.00"
    assert doubtful(tmp_path, [total, *ROWS, "ACME,R3,2025-10-07,8.00"]) == [total]


def test_a_total_named_in_any_column_is_found(tmp_path: Path) -> None:
    header = f"{HEADER},Description,Kind of line"
    rows = [f"{row},hire,row" for row in ROWS]
    for total in ("ACME,X,2025-10-31,3.00,Total of October,", "ACME,X,2025-10-31,3.00,,TOTAL"):
        assert doubtful(tmp_path, [*rows, total], header=header) == [total]


def test_a_total_of_any_column_of_amounts_is_found(tmp_path: Path) -> None:
    header = f"{HEADER},Tax amount,Gross amount"
    rows = ["ACME,R1,2025-10-05,1.00,0.20,1.20", "BETA,R2,2025-10-06,2.00,0.40,2.40"]
    for amounts in ("3.00,0.60,3.60", "3.60,,", "3.60,,3.60", "1.00,,3.60", "3.00,,", "0.60,,", "-3.00,,"):
        total = f"Total,X,2025-10-31,{amounts}"
        assert doubtful(tmp_path, [*rows, total], header=header) == [total], amounts
    assert doubtful(tmp_path, [*rows, "Total,X,2025-10-31,9.00,1.80,10.80"], header=header) == []


@pytest.mark.parametrize("field", ["currency", "account", "vendor_name"])
def test_a_total_of_the_rows_with_one_currency_account_or_vendor_is_found(field: str, tmp_path: Path) -> None:
    header = f"{HEADER},{field}"
    lines = [
        "A,R1,2025-10-05,1.00,x",
        "B,R2,2025-10-06,2.00,y",
        "C,R3,2025-10-06,4.00,x",
        "D,R4,2025-10-06,8.00,y",
        "E,R5,2025-10-06,16.25,x",
        "Total,S,2025-10-31,21.25,x",
        "Total,S,2025-10-31,10.00,y",
    ]
    assert doubtful(tmp_path, lines, header=header) == lines[5:]
    others = [*lines[:5], "Total,S,2025-10-31,22.25,x", "Total,S,2025-10-31,9.00,y"]
    assert doubtful(tmp_path, others, header=header) == []


def test_a_total_whose_rows_were_rounded_is_found(tmp_path: Path) -> None:
    rows = ["ACME,R1,2025-10-05,0.33", "ACME,R2,2025-10-05,0.33", "ACME,R3,2025-10-05,0.33"]
    assert doubtful(tmp_path, [*rows, "Total,3,2025-10-31,1.00"]) == ["Total,3,2025-10-31,1.00"]
    assert doubtful(tmp_path, [*rows, "Total Energies,3,2025-10-31,1.00"]) == []
    spreadsheet = "Total Film,3,2025-10-31,0.99000000000000004"
    assert doubtful(tmp_path, [*rows, spreadsheet]) == [spreadsheet]


def test_a_total_below_a_row_that_cannot_be_read_is_left_to_a_person(tmp_path: Path) -> None:
    lines = [*ROWS, "ACME,R3,2025-10-07,tbc", "Total,3,2025-10-31,7.00", "TOTAL,R5,2025-10-31,7.50"]
    assert doubtful(tmp_path, lines) == [lines[3]]
    with landed(tmp_path / "any.csv", "\n".join([HEADER, *ROWS, "ragged,1.00", lines[3], ""])) as content:
        records = content.records.by_date().read_all().to_pylist()
    assert [row["read_code"] for row in records] == [None, None, "SC-TOT-001", "SC-ROW-001"]


def test_a_vendor_in_the_last_row_with_few_cells_is_a_row_and_its_total_none(tmp_path: Path) -> None:
    header = f"{HEADER},a,b,c,d"
    rows = [f"V{n},R{n},2025-10-05,1.0{n},x,y,z,w" for n in range(1, 5)]
    for line in ("TotalEnergies,R9,2025-10-31,77.00,,,,", "TOTAL,R9,2025-10-31,77.00,,,,"):
        assert doubtful(tmp_path, [*rows, line], header=header) == []
    total = "Total,4,2025-10-31,4.10,,,,"
    assert doubtful(tmp_path, [*rows, total], header=header) == [total]


@pytest.mark.parametrize("kind", sorted(RECORD_KINDS))
def test_totals_are_found_in_rows_of_every_record_kind(kind: str, tmp_path: Path) -> None:
    fields = RECORD_KINDS[kind].fields
    feed = FeedSpec(name="any", description="any", record_kind=kind, date_formats=("%Y-%m-%d",))
    primary = RECORD_KINDS[kind].primary.field
    words = [field.name for field in fields if field.type is FieldType.TEXT]

    def line(number: int, amount: str, label: str = "") -> str:
        cells = {
            FieldType.TEXT: f"t{number}",
            FieldType.DATE: "2025-10-05",
            FieldType.TIMESTAMP: "2025-10-05 06:00",
            FieldType.AMOUNT: "0.00",
        }
        by_name = {field.name: cells[field.type] for field in fields} | {primary: amount}
        return ",".join((by_name | ({label: "Total"} if label else {})).values())

    header = ",".join(field.name for field in fields)
    for label in (words[0], words[len(words) // 2], words[-1]):
        lines = [line(1, "1.10"), line(2, "2.20"), line(3, "4.40"), line(4, "7.70", label)]
        assert doubtful(tmp_path, lines, feed, header) == lines[3:], label
        assert doubtful(tmp_path, [*lines[:3], line(4, "7.79", label)], feed, header) == [], label


def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"V{n},R{n},2025-10-05,{n}.{n % 100:02d}" for n in range(1, 900)]
    total = "Total,899,2025-10-31,404995.50"
    whole = doubtful(tmp_path, [*rows, total])
    monkeypatch.setattr("showcost.ingest.delivery_records.CHUNK_BYTES", 1)
    assert doubtful(tmp_path, [*rows, total]) == whole == [total]
    single = ["ACME,R3,2025-10-07,4.00", "Total Acme,1,2025-10-31,4.00"]
    assert doubtful(tmp_path, [*rows, *single]) == single[1:]


def test_a_control_total_is_not_compared_while_a_row_may_be_a_total(tmp_path: Path) -> None:
    control = ControlTotal(labels=("Report",), field="net_amount")
    feed = FEED.model_copy(update={"control_total": control, "decimal_mark": "."})
    text = "\n".join([HEADER, *ROWS, "Total,2,2025-10-31,3.00", "Report,,,3.00"])
    with landed(tmp_path / "any.csv", text, feed) as content:
        assert (content.summary.refused, content.summary.unchecked) == (None, ("3.00",))


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("Sub-total October", Level.CERTAIN),
        *((text, Level.CERTAIN) for text in ("Opening balance", "Previous balance", "Saldovortrag")),
        *((text, Level.CERTAIN) for text in ("Anfangsbestand", "Solde initial", "Zwischenstand")),
        ("New Balance", Level.WORD),
        ("Balance b/f", Level.CERTAIN),
        ("Übertrag von Seite 3", Level.CERTAIN),
        ("Total net due (EUR) 10/2026", Level.ALONE),
        ("Total hire of lamps", Level.WORD),
        ("Total station hire", None),
        ("Subtotal Ltd", Level.WORD),
        ("WW000-Balance Sheet", None),
        ("Totalisator", None),
        ("somebody", None),
        ("TotalEnergies", None),
    ],
)
def test_labels_have_levels(text: str, level: Level | None) -> None:
    label = label_of(text)
    assert (label.level if label else None) == level


def test_every_word_is_found_by_both_kinds_of_pattern() -> None:
    words = totals.patterns().words
    cells = pa.array([f"V {word}, x" for word in words], pa.string())
    place = pa.table({"record": pa.array(range(len(words)), pa.int64()), "raw": cells})
    accepted = Accepted(place, [pa.chunked_array([cells])], HeaderMatch({}, None, None))
    assert labels_in(FEED, accepted).numbers.tolist() == list(range(len(words)))
