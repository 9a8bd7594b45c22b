"""Settings of a feed about its values: signs in other columns, scale, years, zones, merged cells."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import ValidationError

from showcost.config.feed import FeedSpec
from showcost.config.production import DateRange
from showcost.ingest import delivery_records, landing
from showcost.ingest.landing import DeliveryContent, inferred_content
from showcost.ingest.records import Origin
from showcost.readers import read_delivery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FEED: Final[dict[str, Any]] = {
    "name": "invoices",
    "description": "Invoices",
    "record_kind": "vendor_invoice",
    "required": ("invoice_no", "invoice_date", "net_amount"),
    "key": ("vendor_code", "invoice_no"),
}
DATES: Final = DateRange(start=date(2026, 1, 1), end=date(2026, 12, 31))
HEADER: Final = "Vendor code,Invoice no,Invoice date,Net amount"


@contextmanager
def landed(path: Path, text: str, **settings: object) -> Iterator[DeliveryContent]:
    feed = FeedSpec(**(FEED | settings))
    path.write_text(text, encoding="utf-8")
    origin = Origin("0" * 64, 3, 1, DATES, "America/Los_Angeles", {"UK unit": "Europe/London"})
    with (
        read_delivery(path, hints=landing.hints_of(feed)) as reading,
        inferred_content(feed, reading, origin) as content,
    ):
        yield content


def column(path: Path, name: str, text: str, **settings: object) -> list[object]:
    with landed(path, text, **settings) as content:
        assert content.summary.refused is None, content.summary.detail
        rows = content.records.by_date().read_all().to_pylist()
        return [row[name] for row in sorted(rows, key=lambda row: int(row["record"]))]


def lines(header: str, *rows: str) -> str:
    return "\n".join([header, *rows, ""])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        *(("S", "5.50"), ("H", "-5.50"), ("D", "5.50"), ("C", "-5.50"), ("DR", "5.50"), ("cr ", "-5.50")),
        *(("DEBIT", "5.50"), ("Credit", "-5.50"), ("CRDT", "-5.50"), ("DBIT", "5.50")),
        *(("X", None), ("", None), ("DEBITS", None), ("-", "-5.50"), ("?", None)),
    ],
)
def test_a_sign_is_a_word_of_another_column(tmp_path: Path, word: str, value: str | None) -> None:
    text = lines(f"{HEADER},S/H", f"V1,1,2026-10-05,5.50,{word}", "V1,2,2026-10-05,6.50,S")
    values = column(tmp_path / "any", "net_amount__value", text, signs={"headers": ("S/H",)})
    assert values == [value, "6.50"]


@pytest.mark.parametrize("amount", ["-5.50", "(5.50)", "5.50 CR", "5.50-"])
@pytest.mark.parametrize("word", ["S", "H"])
def test_an_amount_with_two_signs_is_not_read(tmp_path: Path, amount: str, word: str) -> None:
    text = lines(f"{HEADER},S/H", f"V1,1,2026-10-05,{amount},{word}", "V1,2,2026-10-05,6.50,S")
    signs = {"headers": ("S/H",)}
    assert column(tmp_path / "any", "net_amount__value", text, signs=signs) == [None, "6.50"]
    problems = column(tmp_path / "any", "net_amount__problem", text, signs=signs)
    assert problems == ["unparseable", None]


def test_a_file_without_the_column_of_signs_is_refused(tmp_path: Path) -> None:
    text = lines(HEADER, "V1,1,2026-10-05,5.50")
    with landed(tmp_path / "any", text, signs={"headers": ("S/H",)}) as content:
        assert content.summary.refused == "SC-FIL-002"
        assert content.summary.detail == "no column for signs (S/H)"


@pytest.mark.parametrize(
    ("debit", "credit", "value"),
    [
        *(("5.50", "", "5.50"), ("", "5.50", "-5.50"), ("5.50", "0.00", "5.50"), ("0.00", "5.50", "-5.50")),
        *(("", "", None), ("0.00", "", "0.00"), ("", "0.00", "0.00"), ("-", "5.50", "-5.50")),
        *(("5.50", "1.00", None), ("", "-5.50", None), ("5.50", "pending", None), ("n/a", "5.50", None)),
        *(("-5.50", "", "-5.50"), ("", "(5.50)", None)),
    ],
)
def test_a_pair_of_columns_is_one_amount(tmp_path: Path, debit: str, credit: str, value: str | None) -> None:
    header = HEADER.replace("Net amount", "Debit,Credit")
    text = lines(header, f"V1,1,2026-10-05,{debit},{credit}", "V1,2,2026-10-05,6.50,")
    fields = {"net_amount": {"headers": ("Debit",), "credit_headers": ("Credit",)}}
    assert column(tmp_path / "any", "net_amount__value", text, fields=fields) == [value, "6.50"]


def test_cents_have_their_scale(tmp_path: Path) -> None:
    text = lines(HEADER, "V1,1,2026-10-05,550", "V1,2,2026-10-05,-7", "V1,3,2026-10-05,6.50")
    assert column(tmp_path / "any", "net_amount__value", text, scale=2) == ["5.50", "-0.07", None]


def test_thousands_have_their_scale(tmp_path: Path) -> None:
    text = lines(HEADER, "V1,1,2026-10-05,12.5", "V1,2,2026-10-05,-7", "V1,3,2026-10-05,0.0405")
    assert column(tmp_path / "any", "net_amount__value", text, scale=-3) == ["12500", "-7000", "40.5"]


@pytest.mark.parametrize(
    ("unit", "scale", "symbol"),
    [
        *(("TEUR", -3, "EUR"), ("\u00a3000", -3, "\u00a3"), ("in thousands", -3, None), ("Mio.", -6, None)),
        *(("pence", 2, "GBP"), ("cents", 2, None)),
        *(("TEUR", 2, "TEUR"), ("pence", -3, "pence"), ("Mio.", -3, "Mio."), ("TEUR", 0, "TEUR")),
    ],
)
def test_a_unit_in_the_header_is_that_of_the_scale(
    tmp_path: Path, unit: str, scale: int, symbol: str | None
) -> None:
    text = lines(HEADER.replace("Net amount", f"Net amount ({unit})"), "V1,1,2026-10-05,12")
    headers = {"net_amount": {"headers": (f"Net amount ({unit})",)}}
    assert column(tmp_path / "any", "net_amount__symbol", text, scale=scale, fields=headers) == [symbol]


def test_dates_without_a_year_have_that_of_the_feed(tmp_path: Path) -> None:
    text = lines(HEADER, "V1,1,0510,5.50", "V1,2,3113,6.50")
    values = column(tmp_path / "any", "transaction_date", text, year=2026, date_formats=("%d%m",))
    assert values == [date(2026, 10, 5), None]
    with pytest.raises(ValidationError, match="a year, because the date format"):
        FeedSpec(**FEED, date_formats=("%d%m",))


def test_a_moment_has_the_date_of_feed_location_or_production(tmp_path: Path) -> None:
    text = lines(
        f"{HEADER},Location", "V1,1,2026-10-05T23:30:00Z,5.50,", "V1,2,2026-10-05T23:30:00Z,6.50,uk unit"
    )
    path = tmp_path / "any"
    assert column(path, "transaction_date", text) == [date(2026, 10, 5), date(2026, 10, 6)]
    in_berlin = column(path, "transaction_date", text, timezone="Europe/Berlin")
    assert in_berlin == [date(2026, 10, 6)] * 2
    with landed(path, text, timezone="Europe/Berlin") as content:
        assert content.summary.notes == (
            "invoice_date: 2 times with a zone have the date of Europe/Berlin, 2 not the one written",
        )
    with pytest.raises(ValidationError, match="IANA time zone"):
        FeedSpec(**FEED, timezone="Berlin")
    with pytest.raises(ValidationError, match="a language such as"):
        FeedSpec(**FEED, languages=("xx_yy",))


@pytest.mark.parametrize("parts", [True, False])
def test_merged_cells_are_filled_from_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, parts: bool
) -> None:
    if parts:
        monkeypatch.setattr(delivery_records, "CHUNK_BYTES", 1)
        monkeypatch.setattr("showcost.readers.csv.table._BATCH", 1)
    text = lines(
        HEADER,
        *(",0,2026-10-05,1.00", "V1,1,2026-10-05,1.00", ",2,2026-10-05,1.00", ",3,2026-10-05,1.00"),
        *("V2,ragged,2026-10-05,1.00,x", ",4,2026-10-05,1.00", "V3,5,2026-10-05,1.00", ",6,2026-10-05,1.00"),
    )
    path = tmp_path / "any"
    numbers = column(path, "invoice_no", text, fill_down=("vendor_code",))
    vendors = column(path, "vendor_code", text, fill_down=("vendor_code",))
    pairs = dict(zip(numbers, vendors, strict=True))
    assert pairs == {"0": "", "1": "V1", "2": "V1", "3": "V1", None: None, "4": "", "5": "V3", "6": "V3"}
    with landed(path, text, fill_down=("vendor_code",)) as content:
        assert content.summary.notes == ("vendor_code: 3 blank cells have the value of the row above",)
