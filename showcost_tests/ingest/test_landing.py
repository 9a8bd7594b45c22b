"""Landing of a delivery in parts: the records do not depend on how it was divided."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.feed import ControlTotal, FeedSpec, FieldHints
from showcost.config.production import DateRange
from showcost.ingest import delivery_records, landing
from showcost.ingest.audit_records import record_hashes
from showcost.ingest.landing import DeliveryContent, fingerprint_of, inferred_content
from showcost.ingest.records import Origin
from showcost.readers import read_delivery
from showcost.workspace import open_workspace
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

FEED = FeedSpec(
    name="invoices",
    description="Invoices",
    record_kind="vendor_invoice",
    required=("invoice_no", "invoice_date", "net_amount"),
    key=("vendor_code", "invoice_no"),
    key_ordinal=True,
)
DATES = DateRange(start=date(2025, 1, 1), end=date(2025, 12, 31))
ROWS = 400
HEADER = "Vendor code,Invoice no,Invoice date,Net amount"


def delivery(*, last: str = "") -> str:
    """Write rows of which only the last ones determine the formats of dates and amounts."""
    rows = [
        f"V{n % 5},{n % 60},{n % 12 + 1:02d}/{n % 11 + 1:02d}/2025,{n % 9 + 1}.{n % 1000:03d}"
        for n in range(ROWS)
    ]
    rows[50] = "V1,ragged,01/02/2025"
    return "\n".join([HEADER, *rows, "V8,9001,31/01/2025,1234.567", "V9,9002,,7.5", last])


@contextmanager
def landed(path: Path, text: str | None, feed: FeedSpec = FEED) -> Iterator[DeliveryContent]:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    origin = Origin("0" * 64, 3, path.stat().st_size, DATES)
    with (
        read_delivery(path, hints=landing.hints_of(feed)) as reading,
        inferred_content(feed, reading, origin) as content,
    ):
        yield content


def tables(path: Path, text: str, feed: FeedSpec = FEED) -> tuple[pa.Table, pa.Table, str]:
    with landed(path, text, feed) as content:
        hashes = record_hashes(content.records).read_all()
        return content.records.by_date().read_all(), hashes, content.summary.model_dump_json()


def test_the_records_do_not_depend_on_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tables(tmp_path / "any", delivery())
    monkeypatch.setattr(delivery_records, "CHUNK_BYTES", 1)
    monkeypatch.setattr(landing, "CHUNK_BYTES", 1)
    monkeypatch.setattr("showcost.readers.csv.table._BATCH", 16)
    parts = tables(tmp_path / "any", delivery())
    assert parts == whole


def test_the_evidence_on_a_column_may_be_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_records, "CHUNK_BYTES", 1)
    monkeypatch.setattr("showcost.readers.csv.table._BATCH", 16)
    records, _, summary = tables(tmp_path / "any", delivery())
    rows = {row["record"]: row for row in records.to_pylist()}
    assert rows[2]["invoice_date__value"] == date(2025, 1, 1)
    assert rows[3]["invoice_date__value"] == date(2025, 2, 2)
    assert rows[14]["invoice_date__value"] == date(2025, 2, 1)
    assert rows[3]["net_amount__value"] == "2.001"
    assert '"decimal mark ."' in summary
    assert '"%d/%m/%Y"' in summary


def test_records_are_by_date_and_numbered_by_key_in_the_order_of_the_delivery(tmp_path: Path) -> None:
    records, hashes, _ = tables(tmp_path / "any", delivery())
    places = [(row["transaction_date"] or date.max, row["record"]) for row in records.to_pylist()]
    assert places == sorted(places)
    assert hashes.column("record").to_pylist() == sorted(records.column("record").to_pylist())
    counts: dict[tuple[str, str], int] = {}
    for row in sorted(records.to_pylist(), key=lambda row: int(row["record"])):
        if row["read_code"] is not None:
            assert (row["row_key"], row["ordinal"]) == (None, 1)
            continue
        key = (row["vendor_code"], row["invoice_no"])
        counts[key] = counts.get(key, 0) + 1
        assert row["ordinal"] == counts[key]
    assert max(counts.values()) > 1
    assert records.num_rows == ROWS + 2
    keys = [key for key in records.column("row_key").to_pylist() if key is not None]
    assert len(set(keys)) == len(keys) == ROWS + 1


def test_a_wrong_total_at_the_end_refuses_the_whole_delivery(tmp_path: Path) -> None:
    feed = FEED.model_copy(
        update={"control_total": ControlTotal(labels=("Total",), field="net_amount"), "decimal_mark": "."}
    )
    text = f"{HEADER}\nV1,1,01/02/2025,2.00\nV1,2,01/02/2025,3.00\nTotal,,,6.00"
    with landed(tmp_path / "any", text, feed) as content:
        (record,) = content.records.by_date().read_all().to_pylist()
    assert (record["read_code"], record["record"], content.summary.received) == ("SC-FIL-003", 0, 1)
    assert (record["byte_start"], record["byte_end"]) == (0, len(text))


def test_the_line_of_a_total_is_recognised_by_the_labels_of_the_feed(tmp_path: Path) -> None:
    feed = FEED.model_copy(
        update={"control_total": ControlTotal(labels=("Slutsumma",), field="net_amount"), "decimal_mark": "."}
    )
    rows = f"{HEADER}\nV1,1,01/02/2025,2.00\nV1,2,01/02/2025,3.00\n"
    for line in ("Slutsumma,,,5.00", "SLUTSUMMA:,2,28/02/2025,5.00"):
        with landed(tmp_path / "any", rows + line, feed) as content:
            records = content.records.by_date().read_all().to_pylist()
        assert [row["read_code"] for row in records] == [None, None], line
        assert content.summary.received == 2
    with landed(tmp_path / "any", rows + "Slutsumma,,,6.00", feed) as content:
        (record,) = content.records.by_date().read_all().to_pylist()
    assert record["read_code"] == "SC-FIL-003"


def test_a_file_with_only_a_header_is_refused(tmp_path: Path) -> None:
    with landed(tmp_path / "any", HEADER + "\n") as content:
        (record,) = content.records.by_date().read_all().to_pylist()
    assert (record["read_code"], record["read_detail"]) == ("SC-FIL-001", "a header and no rows")
    assert record["raw"] == HEADER


def test_rows_in_pence_are_stored_in_pounds_and_reported(tmp_path: Path) -> None:
    feed = FEED.model_copy(
        update={"control_total": ControlTotal(labels=("Total",), field="net_amount"), "decimal_mark": "."}
    )
    rows = ["V1,1,01/02/2025,1250.5,GBp", "V1,2,01/02/2025,12.50,GBP", "V1,3,01/02/2025,-3,GBX"]
    odd = ["V1,4,01/02/2025,£7.00,GBp", "V1,5,01/02/2025,none,GBX", "V1,6,01/02/2025,8,p"]
    text = "\n".join([f"{HEADER},Currency", *rows, *odd, "Total,,,1267,"])
    with landed(tmp_path / "any", text, feed) as content:
        records = content.records.by_date().read_all().to_pylist()
        shapes, unchecked = content.summary.shapes, content.summary.unchecked
    names = ("currency", "net_amount", "net_amount__value")
    assert [tuple(record[name] for name in names) for record in records] == [
        ("GBP", "12.505", "12.505"),
        ("GBP", "12.50", "12.50"),
        ("GBP", "-0.03", "-0.03"),
        ("GBp", "£7.00", "7.00"),
        ("GBP", "none", None),
        ("p", "8", "8"),
    ]
    assert records[0]["raw"] == rows[0]
    assert shapes["currency"] == "GBX and GBp: 3 rows divided by 100"
    assert unchecked


def test_the_wrapping_that_keeps_zeros_is_taken_off(tmp_path: Path) -> None:
    rows = ['V1,="0012",01/02/2025,="2.50"', 'V1,"=""0013""",31/01/2025,3.50', "V1,=13,31/01/2025,4.50"]
    with landed(tmp_path / "any", "\n".join([HEADER, *rows])) as content:
        records = content.records.by_date().read_all().to_pylist()
    assert [(row["invoice_no"], row["net_amount__value"]) for row in records] == [
        ("0013", "3.50"),
        ("=13", "4.50"),
        ("0012", "2.50"),
    ]


FINGERPRINTS: Final = {
    "budget_revisions": "1ad2afcf",
    "e_invoices": "255f6770",
    "estimates": "f9b09309",
    "location_permits": "52f40809",
    "payroll_manifest": "456ae753",
    "purchase_orders": "d1d8c4ab",
    "vendor_invoices_ca": "bc420bbf",
    "vendor_invoices_de": "c5a18d33",
    "vendor_invoices_uk": "9a2b09c7",
    "vendor_invoices_us": "1789ed86",
}
"""The first digits of each sample feed's fingerprint. A change makes every home read its deliveries again."""


def test_the_fingerprints_of_the_sample_feeds_are_those_that_homes_have_stored() -> None:
    workspace = open_workspace(REPOSITORY / "data")
    assert {feed.name: fingerprint_of(workspace, feed)[:8] for feed in workspace.feeds} == FINGERPRINTS


def test_the_wording_of_a_description_causes_no_new_reading() -> None:
    workspace = open_workspace(REPOSITORY / "data")
    for feed in workspace.feeds:
        reworded = feed.model_copy(update={"description": "In other words."})
        assert fingerprint_of(workspace, reworded) == fingerprint_of(workspace, feed)


SUBTOTALS = (
    "Zwischensumme:",
    "ZWISCHENSUMME KW 44",
    "Sub-total",
    "Subtotal camera",
    "Übertrag",
    "Carried forward",
    "Sous-total",
    "À reporter",
)


@pytest.mark.parametrize("label", SUBTOTALS)
def test_subtotals_between_the_rows_are_not_rows(label: str, tmp_path: Path) -> None:
    feed = FEED.model_copy(
        update={"control_total": ControlTotal(labels=("Total",), field="net_amount"), "decimal_mark": "."}
    )
    row = "V1,{},01/02/2025,2.50"
    lines = [
        row.format(1),
        f"{label},,,2.50",
        row.format(2),
        f"{label},2.50",
        row.format(3),
        f",,{label},2.50",
    ]
    text = "\n".join([HEADER, *lines, row.format(4), "Total,,,10.00"])
    with landed(tmp_path / "any", text, feed) as content:
        records = content.records.by_date().read_all().to_pylist()
    assert [(row["invoice_no"], row["read_code"]) for row in records] == [(str(n), None) for n in range(1, 5)]
    assert (content.summary.received, content.summary.subtotals, content.summary.refused) == (4, 3, None)


@pytest.mark.parametrize(
    "line",
    [
        "Subtotal,7,01/02/2025,2.00",
        "Subtotal,7,,2.00",
        "Subtotal,,01/02/2025,2.00",
        "Subtotalis GmbH,,,2.00",
        "V1,,,2.00",
        "Übertragungstechnik,,,2.00",
    ],
)
def test_a_line_that_may_be_a_row_is_received(line: str, tmp_path: Path) -> None:
    with landed(
        tmp_path / "any", f"{HEADER}\nV1,1,01/02/2025,2.00\n{line}\nV1,2,01/02/2025,3.00\n"
    ) as content:
        assert (content.summary.received, content.summary.subtotals) == (3, 0)


def test_a_delivery_read_by_an_earlier_version_is_verified_with_its_subtotals(tmp_path: Path) -> None:
    rows = "V1,R1,2026-10-29,2.00\nSubtotal,,,2.00\nV1,R2,2026-10-29,3.00\n"
    workspace = small.make_home(tmp_path / "home")
    path = tmp_path / "old.csv"
    path.write_text(f"{HEADER}\n{rows}", encoding="utf-8")
    payload = workspace.payloads.put(path)
    arrival = workspace.register.add(FEED.name, payload, path.name, 0, lambda _: 1)
    assert landing.reread(workspace, FEED, arrival).num_rows == 2
    assert landing.reread(workspace, FEED, arrival, landing.ReadAs.BEFORE_4).num_rows == 3


@pytest.mark.parametrize(
    ("name", "currency", "symbols"),
    [
        ("Net amount (\u00a3)", "EUR", ["\u00a3", "$"]),
        ("Net amount USD", "", ["USD", "$"]),
        ("Net amount (p)", "GBP", ["p", "$"]),
        ("Net amount (\u00a3)", "GBp", ["\u00a3", "$"]),
        ("Net amount (GBX)", "GBX", [None, "$"]),
        ("Net amount", "GBP", [None, "$"]),
    ],
)
def test_the_name_of_a_column_states_the_currency_of_its_amounts(
    name: str, currency: str, symbols: list[str | None], tmp_path: Path
) -> None:
    fields = {"net_amount": FieldHints(headers=("Net amount USD", "Net amount (p)", "Net amount (GBX)"))}
    feed = FEED.model_copy(update={"fields": fields})
    header = f"Vendor code,Invoice no,Invoice date,{name},Currency"
    text = f"{header}\nV1,1,01/02/2025,2.50,{currency}\nV1,2,01/02/2025,$2.50,{currency}\nV1,3,01/02/2025,,\n"
    with landed(tmp_path / "any", text, feed) as content:
        records = content.records.by_date().read_all().to_pylist()
    assert [row["net_amount__symbol"] for row in records] == [*symbols, None]
    assert next(row["currency"] for row in records) == ("GBP" if currency == "GBX" else currency)
