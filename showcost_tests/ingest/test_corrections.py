"""Corrected records: typed, dated and keyed as if delivered corrected, without changing other records."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pytest

from showcost.core.errors import InputError
from showcost.ingest.corrections import check_correction, correct_records
from showcost.ingest.records import (
    Accepted,
    Origin,
    RejectedRow,
    build_records,
    evidence_of,
    match_header,
    number_repeated,
    rejected_records,
)
from showcost_tests.validation.raw import PRODUCTION, feed_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.feed import FeedSpec

DELIVERY: Final = "d" * 64
ORIGIN: Final = Origin(DELIVERY, 1, 1_000, PRODUCTION.dates)
HEADER: Final = ("vendor_code", "invoice_no", "invoice_date", "account", "currency", "net_amount")
FEED: Final = feed_of("vendor_invoice", required=["vendor_code"], constants={"production_code": "HRB"})
NUMBERED: Final = feed_of("vendor_invoice", key=["invoice_no"], key_ordinal=True, required=["vendor_code"])


def landed(feed: FeedSpec, rows: Sequence[Sequence[str]]) -> pa.Table:
    """Return records as landing makes them, numbered from 2."""
    numbers = pa.array(range(2, 2 + len(rows)), pa.int64())
    place = pa.table(
        {
            "record": numbers,
            "byte_start": numbers,
            "byte_end": numbers,
            "raw": pa.array([",".join(row) for row in rows], pa.string()),
        }
    )
    columns = [pa.chunked_array([[row[index] for row in rows]]) for index in range(len(HEADER))]
    match = match_header(feed, HEADER, [True] * len(HEADER))
    assert match.problem is None
    accepted = Accepted(place, columns, match)
    records = build_records(feed, accepted, ORIGIN, evidence_of(feed, accepted)).records
    with duckdb.connect() as connection:
        connection.register("records", records)
        numbered = connection.sql(f"{number_repeated(connection, feed)} ORDER BY record")
        return numbered.to_arrow_table().cast(records.schema)


def row(number: str, day: str = "2026-10-05", net: str = "100.00") -> tuple[str, ...]:
    return ("V1", number, day, "2210", "EUR", net)


def corrected(
    feed: FeedSpec, records: pa.Table, corrections: Mapping[int, Mapping[str, str]]
) -> list[dict[str, object]]:
    """Return the corrected records of a delivery."""
    chosen = records.filter(pa.array([number in corrections for number in records["record"].to_pylist()]))
    texts = {(DELIVERY, number): fields for number, fields in corrections.items()}
    record: list[dict[str, object]] = correct_records(
        feed, chosen, texts, dates=PRODUCTION.dates, siblings=records
    ).to_pylist()
    return record


def test_a_corrected_record_equals_one_delivered_correctly() -> None:
    wrong = landed(FEED, [row("R-1", "31.09.2026", "12O")])
    right = landed(FEED, [row("R-2", "2026-10-06", "120.00")]).to_pylist()[0]
    fields = {"invoice_no": "R-2", "invoice_date": "2026-10-06", "net_amount": "120.00"}
    (record,) = corrected(FEED, wrong, {2: fields})
    assert record["raw"] == wrong["raw"][0].as_py()
    assert record | {"raw": None} == right | {"raw": None}


def test_a_blank_correction_empties_the_field() -> None:
    (record,) = corrected(FEED, landed(FEED, [row("R-1")]), {2: {"net_amount": "", "invoice_date": " "}})
    assert (record["net_amount__value"], record["net_amount__problem"]) == (None, "blank")
    assert (record["transaction_date"], record["invoice_date__problem"]) == (None, "blank")


def test_a_date_outside_the_production_leaves_the_row_undated() -> None:
    (record,) = corrected(FEED, landed(FEED, [row("R-1")]), {2: {"invoice_date": "2027-01-01"}})
    assert (record["invoice_date__value"], record["transaction_date"]) == (date(2027, 1, 1), None)


def test_a_record_that_the_reader_rejected_is_made_of_its_corrections() -> None:
    rejected = rejected_records(FEED, [RejectedRow(7, 10, 20, "V1,R-9", "SC-ROW-001", "2 cells")], ORIGIN)
    fields = {"vendor_code": "V1", "invoice_no": "R-9", "invoice_date": "2026-10-05", "net_amount": "1"}
    (record,) = corrected(FEED, rejected, {7: fields})
    assert (record["read_code"], record["transaction_date"]) == (None, date(2026, 10, 5))
    assert (record["production_code"], record["raw"], record["account"]) == ("HRB", "V1,R-9", "")
    (plain,) = landed(FEED, [row("R-9")]).to_pylist()
    assert record["row_key"] == plain["row_key"]


def test_a_numbered_key_keeps_its_number_while_it_stays() -> None:
    records = landed(NUMBERED, [row("R-1"), row("R-1"), row("R-1")])
    (record,) = corrected(NUMBERED, records, {3: {"net_amount": "7.00"}})
    assert (record["ordinal"], record["row_key"]) == (2, records["row_key"][1].as_py())


def test_a_record_that_moves_to_a_numbered_key_renumbers_no_other() -> None:
    records = landed(NUMBERED, [row("R-1"), row("R-2"), row("R-1"), row("R-3")])
    (first, second) = corrected(NUMBERED, records, {3: {"invoice_no": "R-1"}, 5: {"invoice_no": "R-1"}})
    assert (first["ordinal"], second["ordinal"]) == (3, 3)
    assert first["row_key"] == second["row_key"]
    assert first["row_key"] not in records["row_key"].to_pylist()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("net_amount", "1,00", "net_amount must be an amount"),
        ("net_amount", "€1", "net_amount must be an amount"),
        ("net_amount", "1e3", "net_amount must be an amount"),
        ("invoice_date", "5.10.2026", "invoice_date must be a date"),
        ("invoice_date", "2026-10-05T08:00", "invoice_date must be a date"),
        ("nett", "1", "no field 'nett'"),
    ],
)
def test_an_ambiguous_or_unreadable_correction_is_refused(name: str, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_correction(FEED, name, text)


def test_a_timestamp_is_local_and_has_no_zone() -> None:
    permits = feed_of("location_permit")
    check_correction(permits, "start_datetime", "2026-10-06T06:00")
    with pytest.raises(InputError, match="start_datetime must be a local date and time"):
        check_correction(permits, "start_datetime", "2026-10-06T06:00+02:00")
