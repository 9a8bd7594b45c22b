"""Schemas of valid rows and of cells, and the columns shared by the row tables."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final

import pandera.config
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from showcost.config.record_kinds import RECORD_KINDS, RecordKind
from showcost.core.errors import IntegrityError
from showcost.ingest.records import records_schema
from showcost.validation.columns import MONEY, RowTable, arrow_schema, column_schema
from showcost.validation.rules import ColumnRule
from showcost.validation.schemas import Failure, RowSchema, schema_result
from showcost_tests.validation.raw import INVOICE, PRODUCTION, SAMPLES, feed_of, raw_table, run

FEED: Final = feed_of("vendor_invoice")


def valid() -> pa.Table:
    return run(FEED, raw_table(FEED, [INVOICE, INVOICE | {"line_no": "2"}])).valid


def changed(name: str, values: pa.Array) -> pa.Table:
    table = valid()
    return table.set_column(table.schema.get_field_index(name), name, values)


def failures(table: pa.Table) -> tuple[Failure, ...]:
    result = schema_result(table, FEED.kind, PRODUCTION)
    assert result.ok is not bool(result.failures)
    return result.failures


@pytest.mark.parametrize("kind", SAMPLES)
def test_valid_rows_match_their_schema(kind: str) -> None:
    feed = feed_of(kind)
    assert schema_result(run(feed, raw_table(feed, [SAMPLES[kind]])).valid, feed.kind, PRODUCTION).ok
    empty = arrow_schema(feed.kind, RowTable.VALID).empty_table()
    assert schema_result(empty, feed.kind, PRODUCTION).ok


def test_missing_and_unexpected_columns_and_types_are_reported() -> None:
    assert failures(valid().drop(["flags"])) == (Failure("column_in_dataframe", "flags", 1),)
    extra = valid().append_column("raw", pa.array(["secret", "secret"]))
    assert failures(extra) == (Failure("column_in_schema", "raw", 1),)
    wide = changed("net_amount", valid().column("net_amount").cast(pa.decimal128(20, 4)))
    (failure,) = failures(wide)
    assert (failure.column, failure.count) == ("net_amount", 1)


def test_nulls_currencies_and_decimals_are_reported_by_count() -> None:
    assert failures(changed("account", pa.array([None, "2210"]))) == (Failure("not_nullable", "account", 1),)
    assert failures(changed("currency", pa.array(["CHF", "XXX"]))) == (Failure("in_set", "currency", 2),)
    uneven = pa.array([Decimal("19.001"), Decimal(19)], MONEY)
    assert set(failures(changed("tax_amount", uneven))) == {
        Failure("minor_units", "tax_amount", 1),
        Failure("carry_amounts", "components", 1),
    }


def test_components_that_do_not_add_up_to_the_amounts_are_reported() -> None:
    lists = valid().column("components")
    without = pa.array([lists[0].as_py()[:1], []], lists.type)
    assert failures(changed("components", without)) == (Failure("carry_amounts", "components", 2),)


def test_environment_cannot_switch_validation_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pandera.config.CONFIG, "validation_enabled", False)
    assert not schema_result(valid().drop(["flags"]), FEED.kind, PRODUCTION).ok
    assert run(FEED, raw_table(FEED, [INVOICE | {"account": "0"}])).counts.quarantined == 1


def test_a_mistyped_column_is_an_integrity_error_that_shows_no_cell() -> None:
    def breaks(_: pa.ChunkedArray) -> pa.ChunkedArray:
        raise ValueError("the cell R-1001")

    rule = ColumnRule("SC-ROW-002", "invoice_no", "a value", "test", column="invoice_no", holds=breaks)
    columns = {column.name: pa.nulls(1, column.type) for column in _typed_fields()}
    schema = RowSchema(FEED.kind, [rule])
    with pytest.raises(IntegrityError) as caught:
        schema.failures(pa.table(columns | {"date": pa.array([dt.date(2026, 10, 5)])}))
    assert "R-1001" not in str(caught.value)
    assert "invoice_no" in str(caught.value)


def _typed_fields() -> list[pa.Field]:
    schema = arrow_schema(FEED.kind, RowTable.VALID)
    return [schema.field(field.name) for field in FEED.kind.fields]


@pytest.mark.parametrize("kind", SAMPLES)
def test_raw_columns_are_the_columns_that_landing_writes(kind: str) -> None:
    feed = feed_of(kind)
    assert arrow_schema(feed.kind, RowTable.RAW).equals(records_schema(feed))


@pytest.mark.parametrize("kind", RECORD_KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("table_name", RowTable)
def test_columns_are_described_and_named_once(kind: RecordKind, table_name: RowTable) -> None:
    columns = column_schema(kind, table_name)
    assert len({column.name for column in columns}) == len(columns)
    assert all(column.description and column.type_name for column in columns)


def test_personal_columns_are_marked_in_every_table() -> None:
    for table_name in RowTable:
        marked = {column.name for column in column_schema(FEED.kind, table_name) if column.personal}
        assert marked == ({"vendor_tax_id"} if table_name is RowTable.VALID else {"vendor_tax_id", "raw"})


def test_amounts_are_decimals_in_valid_rows() -> None:
    assert valid().schema.field("net_amount").type == MONEY
    assert pc.sum(valid().column("net_amount")).as_py() == Decimal(200)
