"""A rate file is read exactly or refused as a whole."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import InputError
from showcost.core.hashing import sha256_bytes
from showcost.fx import parsing
from showcost.fx.parsing import parse_history

from .conftest import WEEK

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.fx.history import RateHistory

XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
  xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
<gesmes:subject>Reference rates</gesmes:subject>
<Cube>
<Cube time="2026-11-02"><Cube currency="USD" rate="1.1200"/><Cube currency="GBP" rate="0.8310"/></Cube>
<Cube time="2026-10-30"><Cube currency="USD" rate="1.1172"/><Cube currency="GBP" rate="0.8338"/></Cube>
</Cube></gesmes:Envelope>"""


def rates_of(history: RateHistory) -> set[tuple[date, str, str]]:
    return {(row["date"], row["currency"], row["rate"]) for row in history.rates.to_pylist()}


def test_a_table_is_read_without_trailing_zeros_and_unavailable_rates(week: RateHistory) -> None:
    rates = rates_of(week)
    assert (date(2026, 10, 28), "USD", "1.119") in rates
    assert (date(2026, 10, 29), "ISK", "142.5") in rates
    assert not any(day == date(2026, 10, 30) and code == "ISK" for day, code, _ in rates)
    assert week.currencies == {"USD", "GBP", "ISK"}
    assert (week.first, week.last) == (date(2026, 10, 26), date(2026, 10, 30))


def test_the_origin_is_the_hash_of_the_bytes_read(week: RateHistory) -> None:
    assert week.files == (("test", sha256_bytes(WEEK.encode())),)


@pytest.mark.parametrize(
    "variant",
    [
        WEEK.replace("\n", "\r\n"),
        "\ufeff" + WEEK,
        WEEK.replace(",\n", "\n"),
        WEEK.replace(",", ", ").replace(", \n", ",\n"),
        WEEK.replace("1.1172", "1.117200"),
    ],
    ids=["crlf", "bom", "no empty column", "spaces", "zeros"],
)
def test_the_same_rates_in_another_notation_are_equal(
    variant: str, week: RateHistory, read: Callable[[str], RateHistory]
) -> None:
    assert read(variant).rates.equals(week.rates)


def test_a_zip_with_one_member_is_read(week: RateHistory) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("eurofxref-hist.csv", WEEK)
    history = parse_history(packed.getvalue(), "test", "rates.zip")
    assert history.rates.equals(week.rates)
    assert history.files == (("test", sha256_bytes(packed.getvalue())),)


def test_the_xml_of_ninety_days_is_read() -> None:
    history = parse_history(XML.encode(), "test", "rates.xml")
    assert rates_of(history) == {
        (date(2026, 11, 2), "USD", "1.12"),
        (date(2026, 11, 2), "GBP", "0.831"),
        (date(2026, 10, 30), "USD", "1.1172"),
        (date(2026, 10, 30), "GBP", "0.8338"),
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "header of Date"),
        ("Date,\n", "header of Date"),
        ("Day,USD,\n2026-10-30,1.1,\n", "header of Date"),
        ("Date,USD,USD,\n2026-10-30,1.1,1.1,\n", "each currency code once"),
        ("Date,USD,EUR,\n2026-10-30,1.1,1,\n", "found 'EUR'"),
        ("Date,US Dollar,\n2026-10-30,1.1,\n", "found 'US Dollar'"),
        ("Date,USD,\n", "has no days"),
        ("Date,USD,\n30/10/2026,1.1,\n", "found '30/10/2026'"),
        ("Date,USD,\n2026-02-30,1.1,\n", "not in the calendar"),
        ("Date,USD,\n2026-10-30,1.1,\n2026-10-30,1.1,\n", "found 2026-10-30 again"),
        ("Date,USD,\n2026-10-30,1.1,9,\n", "not a rate table"),
        ("Date,USD,\n2026-10-30,1.1,9\n", "but is not empty"),
        ('Date,USD,\n2026-10-30,"1.1",\n', "USD of 2026-10-30"),
        ("Date,USD,\n2026-10-30,1.1234567,\n", "found '1.1234567'"),
        ("Date,USD,\n2026-10-30,0,\n", "found '0'"),
        ("Date,USD,\n2026-10-30,0.00,\n", "found '0.00'"),
        ("Date,USD,\n2026-10-30,-1.1,\n", "found '-1.1'"),
        ("Date,USD,\n2026-10-30,1e3,\n", "found '1e3'"),
        ("Date,USD,\n2026-10-30,1_000,\n", "found '1_000'"),
        ("Date,USD,\n2026-10-30,01.1,\n", "found '01.1'"),
        ("Date,USD,\n2026-10-30,12345678901,\n", "found '12345678901'"),
        ("<a/>", "as the ECB's XML has them"),
        ("<a", "not readable as XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "a document type or an entity"),
        (XML.replace('currency="GBP"', 'currency="USD"'), "each currency once a day"),
        (XML.replace("2026-11-02", "2026-10-30"), "each currency once a day"),
        (XML.replace("0.8310", "0,8310"), "found '0,8310'"),
    ],
)
def test_a_file_with_a_fault_is_refused_in_one_sentence(
    text: str, sentence: str, read: Callable[[str], RateHistory]
) -> None:
    with pytest.raises(InputError, match=r"^rates\.csv: ") as error:
        read(text)
    assert sentence in str(error.value)


def test_xml_in_an_encoding_that_could_hide_declarations_is_refused() -> None:
    with pytest.raises(InputError, match="not readable as XML"):
        parse_history("<a/>\u00ff".encode("latin-1"), "test", "rates.xml")


@pytest.mark.parametrize("members", [[], ["a.csv", "b.csv"]])
def test_an_empty_zip_or_a_zip_of_several_files_is_refused(members: list[str]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member in members:
            archive.writestr(member, WEEK)
    with pytest.raises(InputError, match=r"one file in the zip|cannot be read|header of Date"):
        parse_history(packed.getvalue(), "test", "rates.zip")


def test_a_zip_with_too_much_content_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", WEEK)
    monkeypatch.setattr(parsing, "MAX_UNPACKED_BYTES", 10)
    with pytest.raises(InputError, match="unpacks to more"):
        parse_history(packed.getvalue(), "test", "rates.zip")


def test_a_broken_zip_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        parse_history(b"PK\x03\x04broken", "test", "rates.zip")


def test_every_rate_of_the_ecb_fits_the_bounds_of_the_conversion(ecb: RateHistory) -> None:
    assert ecb.rates.num_rows > 221_000
    assert ecb.first == date(1999, 1, 4)
    assert {"USD", "GBP", "JPY", "CAD"} <= ecb.currencies
    assert "EUR" not in ecb.currencies
