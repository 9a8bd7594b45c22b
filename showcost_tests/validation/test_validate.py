"""Properties of validation for any rows: none lost, independent of order and chunk size."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showcost.core.errors import InputError, IntegrityError
from showcost.core.hashing import sha256_framed
from showcost.validation.schemas import schema_result
from showcost.validation.validate import CHUNK_ROWS, ValidationResult
from showcost_tests.validation.raw import INVOICE, PRODUCTION, SAMPLES, Row, feed_of, fx, raw_table, run

FEED: Final = feed_of("vendor_invoice")

CELLS: Final = st.fixed_dictionaries(
    {
        "invoice_no": st.sampled_from(["R-1", "R-2", "R-3", ""]),
        "line_no": st.sampled_from(["1", "2"]),
        "invoice_date": st.sampled_from(["2026-10-05", "2026-10-06", "2026-09-15", "2026-12-01", "soon", ""]),
        "account": st.sampled_from(["2210", "2290", "0000"]),
        "currency": st.sampled_from(["EUR", "USD", "eur", "CHF", ""]),
        "net_amount": st.sampled_from(["100.00", "100", "€100.00", "0.005", "x", "100000000000000"]),
        "vendor_tax_id": st.sampled_from(["DE136695976", "DE136695977", ""]),
        "arrival": st.integers(1, 3),
        "read_code": st.sampled_from([None, None, None, None, "SC-ROW-001"]),
    }
)


def rows_of(cells: list[Row]) -> pa.Table:
    deliveries: list[Row] = []
    for number, row in enumerate(cells):
        change = {"delivery": str(row["arrival"]) * 64, "record": number}
        if row["read_code"]:
            change |= dict.fromkeys(("row_key", "transaction_date"))
        deliveries.append(INVOICE | row | change)
    return raw_table(FEED, deliveries)


def same(first: ValidationResult, second: ValidationResult) -> bool:
    return bool(
        first.valid.equals(second.valid)
        and first.quarantine.equals(second.quarantine)
        and first.counts == second.counts
    )


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cells=st.lists(CELLS, max_size=10), data=st.data())
def test_no_row_is_lost_and_neither_order_nor_chunks_matter(cells: list[Row], data: st.DataObject) -> None:
    rows = rows_of(cells)
    whole = run(FEED, rows, chunk_rows=CHUNK_ROWS)
    order = data.draw(st.permutations(range(len(rows))))
    shuffled = rows.take(pa.array(order, pa.int64()))
    assert same(whole, run(FEED, shuffled, chunk_rows=data.draw(st.integers(2, 6))))
    places = [*_places(whole.valid), *_places(whole.quarantine)]
    assert sorted(places) == sorted(_places(rows))
    assert schema_result(whole.valid, FEED.kind, PRODUCTION).ok


def _places(table: pa.Table) -> list[tuple[str, int]]:
    return list(zip(table.column("delivery").to_pylist(), table.column("record").to_pylist(), strict=True))


def test_an_empty_table_has_an_empty_result() -> None:
    result = run(FEED, raw_table(FEED, []))
    assert (result.counts.received, result.valid.num_rows, result.quarantine.num_rows) == (0, 0, 0)


def test_rows_come_out_by_date_arrival_and_record() -> None:
    changes: list[Row] = [
        {"invoice_date": "2026-10-07", "line_no": "1"},
        {"invoice_date": "2026-10-06", "line_no": "2", "arrival": 2, "delivery": "e" * 64},
        {"invoice_date": "2026-10-06", "line_no": "3"},
    ]
    result = run(FEED, raw_table(FEED, [INVOICE | change for change in changes]))
    assert result.valid.column("line_no").to_pylist() == ["3", "2", "1"]


@pytest.mark.parametrize("kind", SAMPLES)
def test_content_is_the_hash_of_the_typed_values(kind: str) -> None:
    feed = feed_of(kind)
    sample = SAMPLES[kind] | {"series": 'a "b"\\/ é\u2028', "location": "x\ty\u00a0 z"}
    (row,) = run(feed, raw_table(feed, [sample])).valid.to_pylist()
    values = []
    for field in feed.kind.fields:
        value = row[field.name]
        if value is not None and field.type == "amount":
            value = f"{value:f}".rstrip("0").rstrip(".")
        elif value is not None and field.type == "timestamp":
            value = value.isoformat(" ", "microseconds")
        values.append(None if value is None else str(value))
    # A field that was added later has no part in the hash of rows that leave it blank.
    before = [value for field, value in zip(feed.kind.fields, values, strict=True) if not field.added]
    assert row["content"] == sha256_framed(before)[:32]
    assert row["location"] == "x y z"


def test_content_includes_the_fields_that_were_added_where_they_are_not_blank() -> None:
    feed = feed_of("payroll")
    contents = {
        run(feed, raw_table(feed, [SAMPLES["payroll"] | change])).valid.column("content")[0].as_py()
        for change in ADDED
    }
    assert len(contents) == len(ADDED)


ADDED: Final[tuple[Row, ...]] = ({}, {"day_type": "work"}, {"deal": "rate"})


def test_a_missing_rate_status_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError, match="materialise the FX snapshots first"):
        run(FEED, raw_table(FEED, [INVOICE]), fx_status=fx().slice(0, 0))


def test_a_table_without_its_columns_is_refused_with_their_names() -> None:
    rows = raw_table(FEED, [INVOICE]).drop(["net_amount__value"])
    with pytest.raises(InputError, match="net_amount__value"):
        run(FEED, rows)
