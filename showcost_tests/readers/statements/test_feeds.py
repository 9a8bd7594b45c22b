"""Bank statements and DATEV booking stacks as feeds: the examples of the repository, and broken files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from showcost.config.feed import FeedSpec
from showcost.config.production import DateRange
from showcost.ingest import landing
from showcost.ingest.landing import DeliverySummary, inferred_content
from showcost.ingest.records import Origin
from showcost.readers import read_delivery
from showcost.readers.statements.model import StatementFormat
from showcost.readers.statements.open import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS: Final = Path(__file__).resolve().parents[3] / "examples" / "formats"
DATES: Final = DateRange(start=date(2026, 1, 1), end=date(2027, 12, 31))
FIELDS: Final = ("invoice_no", "transaction_date", "currency", "net_amount__value", "account", "vendor_name")


def land(folder: str, path: Path) -> tuple[list[tuple[object, ...]], DeliverySummary]:
    attributes = yaml.safe_load((FORMATS / folder / "defs.yaml").read_text(encoding="utf-8"))["attributes"]
    feed = FeedSpec.model_validate(attributes)
    with (
        read_delivery(path, format=feed.format, hints=landing.hints_of(feed)) as reading,
        inferred_content(feed, reading, Origin("0" * 64, 1, 1, DATES)) as content,
    ):
        rows = content.records.by_date().read_all().to_pylist()
        return [tuple(row[field] for field in FIELDS) for row in rows], content.summary


def example(folder: str) -> Path:
    (path,) = (file for file in (FORMATS / folder).iterdir() if file.name != "defs.yaml")
    return path


def changed(path: Path, tmp_path: Path, *changes: tuple[str, str], encoding: str = "utf-8") -> Path:
    text = path.read_bytes().decode(encoding)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    target = tmp_path / path.name
    target.write_bytes(text.encode(encoding))
    return target


def test_a_booking_stack_of_datev_is_a_feed() -> None:
    rows, summary = land("datev", example("datev"))
    assert (summary.refused, summary.received) == (None, 3)
    assert rows == [
        ("RE-4711", date(2026, 12, 1), "EUR", "1190.00", "3320", None),
        ("RE-4711-G", date(2026, 12, 15), "EUR", "-59.50", "3320", None),
        ("2027-001", date(2027, 1, 5), "EUR", "2500.00", "3610", None),
    ]


def wider(tmp_path: Path, *endings: str) -> Path:
    """Return the example with six more columns, and more cells at the end of its bookings."""
    first, names, *bookings = example("datev").read_bytes().decode("cp1252").splitlines()
    names += ";Postensperre;Adressnummer;Partnerbank;Sachverhalt;Zinssperre;Beleglink"
    text = "\r\n".join([first, names, *map("".join, zip(bookings, endings, strict=True)), ""])
    target = tmp_path / "EXTF_any.csv"
    target.write_bytes(text.encode("cp1252"))
    return target


@pytest.mark.parametrize(
    "endings",
    [("", "", ""), (';;"";;;;"BEDI 1"', "", ""), ("", ';;"";;;;"BEDI 1"', ";;"), (";;;;;;x", ";0", ";;;")],
)
def test_bookings_of_datev_may_leave_out_their_last_cells(tmp_path: Path, endings: tuple[str, ...]) -> None:
    rows, summary = land("datev", wider(tmp_path, *endings))
    assert (summary.refused, summary.received) == (None, 3)
    assert rows == land("datev", example("datev"))[0]


@pytest.mark.parametrize(("old", "new"), [(';"EUR";', '"EUR";'), ("4210;", "4210"), ('"";;"M', '"";"M')])
def test_a_short_booking_of_datev_that_lost_a_semicolon_is_not_completed(
    tmp_path: Path, old: str, new: str
) -> None:
    path = wider(tmp_path, ';;"";;;;"BEDI 1"', ';;"";;;;"BEDI 2"', "")
    text = path.read_bytes().decode("cp1252")
    last = text.splitlines()[-1]
    assert old in last
    path.write_bytes(text.replace(last, last.replace(old, new, 1)).encode("cp1252"))
    rows, _ = land("datev", path)
    assert [row[0] for row in rows if row[3] is not None] == ["RE-4711", "RE-4711-G"]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ([('"EXTF"', '"ABCD"')], "the first line is not that of a DATEV file (EXTF)"),
        ([("700;21;", "700;16;")], "the DATEV file has data of category 16, not bookings (21)"),
        ([("20261201", "20271201")], "the period of the DATEV file ends before it begins"),
        ([("20261201", "2026")], "the first line of the DATEV file has no period of bookings"),
        ([("Soll/Haben", "Seite")], "no column for signs (Soll/Haben-Kennzeichen)"),
    ],
)
def test_another_file_is_not_a_booking_stack(
    tmp_path: Path, changes: Sequence[tuple[str, str]], detail: str
) -> None:
    if detail.startswith("no column"):
        changes = [("Haben-Kennzeichen", "Haben-Zeichen")]
    path = changed(example("datev"), tmp_path, *changes, encoding="cp1252")
    assert land("datev", path)[1].detail == detail


def test_a_booking_of_datev_without_a_side_or_outside_the_period_has_no_value(tmp_path: Path) -> None:
    changes = [('1190,00;"S"', '1190,00;""'), ("1512", "1506")]
    rows, _ = land("datev", changed(example("datev"), tmp_path, *changes, encoding="cp1252"))
    assert sorted(rows, key=str)[1][:4] == ("RE-4711", date(2026, 12, 1), "EUR", None)
    assert [row[1] for row in rows if row[0] == "RE-4711-G"] == [None]


def test_a_statement_in_mt940_is_a_feed() -> None:
    rows, summary = land("mt940", example("mt940"))
    entry = "10070024/0123456789/00010/001"
    assert (summary.refused, summary.received) == (None, 3)
    assert rows == [
        (f"{entry}/1", date(2026, 10, 5), "EUR", "1190.00", "3610", "KAMERAVERLEIH KOELN"),
        (f"{entry}/2", date(2026, 10, 6), "EUR", "-59.50", "3610", "KAMERAVERLEIH KOELN"),
        (f"{entry}/3", date(2026, 10, 7), "EUR", "100.00", "3610", "BETA GMBH"),
    ]


def test_a_statement_in_camt053_is_a_feed() -> None:
    rows, summary = land("camt053", example("camt053"))
    entry = "DE02100100100006820101/2026-10"
    assert (summary.refused, summary.received) == (None, 2)
    assert rows == [
        (f"{entry}/1", date(2026, 10, 5), "EUR", "1190.00", "3610", "Kameraverleih Köln"),
        (f"{entry}/2", date(2026, 10, 6), "EUR", "-59.50", "3610", "Kameraverleih Köln"),
    ]


@pytest.mark.parametrize(
    ("folder", "old", "new", "code"),
    [
        ("mt940", "EUR8769,50", "EUR8769,51", "SC-FIL-003"),
        ("mt940", ":61:2610061006CR59,50", ":61:2610061006XX59,50", "SC-FIL-001"),
        ("mt940", ":61:2610071007RCR100,00", ":61:2610071007RC", "SC-FIL-001"),
        ("mt940", ":62F:C261007EUR8769,50\n", "", "SC-FIL-001"),
        ("mt940", ":20:", ":99:", "SC-FIL-001"),
        ("camt053", "8869.50", "8869.51", "SC-FIL-003"),
        ("camt053", "<CdtDbtInd>DBIT</CdtDbtInd>", "", "SC-FIL-001"),
        ("camt053", "camt.053", "camt.054", "SC-FIL-001"),
    ],
)
def test_a_statement_that_is_broken_or_does_not_add_up_is_refused_whole(
    tmp_path: Path, folder: str, old: str, new: str, code: str
) -> None:
    rows, summary = land(folder, changed(example(folder), tmp_path, (old, new)))
    assert (summary.refused, len(rows)) == (code, 1)


def test_several_statements_of_one_file_are_read(tmp_path: Path) -> None:
    text = example("mt940").read_text(encoding="utf-8")
    path = tmp_path / "any.sta"
    path.write_text(text + text.replace("00010/001", "00011/001"), encoding="utf-8", newline="\r\n")
    rows, _ = land("mt940", path)
    assert len({row[0] for row in rows}) == 6
    found, statements = read_statements(path)
    assert found is StatementFormat.MT940
    assert [statement.difference for statement in statements] == [Decimal(0)] * 2
