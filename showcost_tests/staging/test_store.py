"""Staging store: whole partitions, verified bytes, and names that cannot escape the folder."""

from __future__ import annotations

import json
import threading
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcost.core.durable import TEMPORARY_SUFFIX
from showcost.core.errors import InputError, IntegrityError, StoreBusyError
from showcost.staging import ALL, PartitionRows, StagingStore, split_by_date
from showcost.staging import store as store_module

if TYPE_CHECKING:
    from pathlib import Path

DAY = "2026-03-02"


def rows(*amounts: int, day: date = date(2026, 3, 2)) -> pa.Table:
    return pa.table(
        {
            "transaction_date": pa.array([day] * len(amounts), pa.date32()),
            "net": pa.array(map(Decimal, amounts), pa.decimal128(18, 4)),
            "flags": pa.array([["SC-PO-001"]] * len(amounts), pa.list_(pa.string())),
        }
    )


@pytest.fixture
def store(tmp_path: Path) -> StagingStore:
    return StagingStore(tmp_path, wait_seconds=0.2)


def files(store: StagingStore, asset: str = "valid/vendors") -> list[str]:
    return sorted(path.name for path in (store.root / asset).iterdir())


def test_written_rows_are_read_back_with_their_metadata(store: StagingStore) -> None:
    staged = store.write("valid/vendors", DAY, rows(1, 2), {"delivery": "ab", "parts": ["x", "y"]})
    assert store.read("valid/vendors", DAY).equals(rows(1, 2))
    assert store.metadata("valid/vendors", DAY) == staged
    assert (staged.rows, staged.inputs) == (2, {"delivery": "ab", "parts": ["x", "y"]})
    assert staged.columns[1] == ("net", "decimal128(18, 4)")
    assert store.metadata("valid/vendors", ALL) is None
    assert store.partitions("valid/vendors") == [DAY]


def test_the_same_content_again_changes_no_file(store: StagingStore) -> None:
    store.write("valid/vendors", DAY, rows(1, 2))
    before = {path: path.stat().st_mtime_ns for path in (store.root / "valid/vendors").iterdir()}
    store.write("valid/vendors", DAY, rows(1, 2))
    assert {path: path.stat().st_mtime_ns for path in (store.root / "valid/vendors").iterdir()} == before


def test_new_content_replaces_the_old_and_its_file(store: StagingStore) -> None:
    store.write("valid/vendors", DAY, rows(1))
    store.write("valid/vendors", "2026-03-03", rows(7))
    store.write("valid/vendors", DAY, rows(2))
    assert store.read("valid/vendors", DAY).equals(rows(2))
    assert len(files(store)) == 4
    assert store.read_many("valid/vendors", [DAY, "2026-03-03"])["net"].to_pylist() == [2, 7]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_the_bytes_do_not_depend_on_chunks(sizes: list[int]) -> None:
    whole = rows(*range(sum(sizes)))
    pieces, start = [], 0
    for size in sizes:
        pieces.append(whole.slice(start, size))
        start += size
    assert store_module._encode(pa.concat_tables(pieces)) == store_module._encode(whole)


@pytest.mark.parametrize("where", [0, 20, -3, None])
def test_a_changed_byte_is_refused_and_the_file_is_named(store: StagingStore, where: int | None) -> None:
    staged = store.write("valid/vendors", DAY, rows(*range(500)))
    path = store.root / "valid/vendors" / staged.file
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if where is None else where] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match=path.name):
        store.read("valid/vendors", DAY)
    with pytest.raises(IntegrityError, match=path.name):
        store.verified_paths("valid/vendors", [DAY])


def test_a_damaged_file_is_healed_by_writing_the_partition_again(store: StagingStore) -> None:
    staged = store.write("valid/vendors", DAY, rows(1, 2))
    (store.root / "valid/vendors" / staged.file).write_bytes(b"garbage")
    store.write("valid/vendors", DAY, rows(1, 2))
    assert store.read("valid/vendors", DAY).equals(rows(1, 2))


def test_a_missing_file_is_an_integrity_error(store: StagingStore) -> None:
    staged = store.write("valid/vendors", DAY, rows(1))
    (store.root / "valid/vendors" / staged.file).unlink()
    with pytest.raises(IntegrityError, match="recorded but missing"):
        store.read("valid/vendors", DAY)


@pytest.mark.parametrize("text", ["", "{", '{"file": 1}', None])
def test_an_unreadable_or_foreign_pointer_is_an_integrity_error(
    store: StagingStore, text: str | None
) -> None:
    store.write("valid/vendors", DAY, rows(1))
    pointer = store.root / "valid/vendors" / f"{DAY}.json"
    if text is None:
        text = json.dumps(json.loads(pointer.read_text()) | {"file": "../../ledger.duckdb"})
    pointer.write_text(text)
    with pytest.raises(IntegrityError, match=rf"{DAY}\.json"):
        store.read("valid/vendors", DAY)


def test_a_partition_that_was_never_written_is_named(store: StagingStore) -> None:
    with pytest.raises(InputError, match="materialise it first"):
        store.read("valid/vendors", DAY)


@pytest.mark.parametrize(
    "partition", ["..", "2026-3-2", "2026-02-30", "2026-03-02/x", "", "ALL", "a" * 64 + "/"]
)
def test_partition_names_cannot_escape(store: StagingStore, partition: str) -> None:
    with pytest.raises(InputError, match="not a partition"):
        store.write("valid/vendors", partition, rows(1))


@pytest.mark.parametrize("asset", ["..", "/etc", "a//b", "a/../b", "A", "", "a\n", "a/b/c/d/e"])
def test_asset_names_cannot_escape(store: StagingStore, asset: str) -> None:
    with pytest.raises(InputError, match="not an asset name"):
        store.write(asset, DAY, rows(1))


def test_a_crash_before_the_pointer_is_switched_keeps_the_old_rows(
    store: StagingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("valid/vendors", DAY, rows(1))
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "_switch_pointer", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.write("valid/vendors", DAY, rows(2))
    assert store.read("valid/vendors", DAY).equals(rows(1))
    (store.root / "valid/vendors" / f"{DAY}.json.123{TEMPORARY_SUFFIX}").write_bytes(b"half")
    store.write("valid/vendors", DAY, rows(3))
    assert store.read("valid/vendors", DAY).equals(rows(3))
    assert len(files(store)) == 2


def test_a_reader_never_meets_a_missing_file_while_a_writer_supersedes_it(store: StagingStore) -> None:
    store.write("valid/vendors", DAY, rows(0))
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            store.write("valid/vendors", DAY, rows(number))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert store.read("valid/vendors", DAY).num_rows == 1
    writer.join()


def test_a_second_writer_waits_for_a_limited_time(store: StagingStore) -> None:
    with store._writing("valid/vendors"), pytest.raises(StoreBusyError, match="valid/vendors"):
        store.write("valid/vendors", DAY, rows(1))


def test_a_year_is_split_and_written_in_one_call(store: StagingStore) -> None:
    days = [date(2025, 1, 1) + timedelta(days=number) for number in range(365)]
    table = pa.concat_tables([rows(*range(number % 5), day=day) for number, day in enumerate(days)])
    parts = (
        PartitionRows(day.isoformat(), piece) for day, piece in split_by_date(table, "transaction_date", days)
    )
    staged = store.write_many("valid/vendors", parts)
    assert [item.partition for item in staged] == [day.isoformat() for day in days]
    assert sum(item.rows for item in staged) == table.num_rows
    assert store.read("valid/vendors", "2025-01-05")["net"].to_pylist() == [0, 1, 2, 3]
    assert store.read("valid/vendors", "2025-01-01").schema.equals(table.schema)


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 20))
def test_splitting_keeps_every_row_whatever_the_batches(numbers: list[int], batch_rows: int) -> None:
    days = [date(2025, 1, 1) + timedelta(days=number) for number in range(10)]
    column = pa.array([days[number] for number in sorted(numbers)], pa.date32())
    table = pa.table({"day": column, "row": pa.array(range(len(numbers)), pa.int64())})
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch_rows))
    split = list(split_by_date(reader, "day", days))
    assert [day for day, _ in split] == days
    assert pa.concat_tables([piece for _, piece in split]).combine_chunks().equals(table.combine_chunks())
    assert all(set(piece["day"].to_pylist()) <= {day} for day, piece in split)


def test_rows_outside_the_partitions_are_refused() -> None:
    day = date(2025, 1, 1)
    with pytest.raises(InputError, match="outside the partitions"):
        list(split_by_date(rows(1, day=day), "transaction_date", [day + timedelta(days=1)]))
    mixed = pa.concat_tables([rows(1, day=day + timedelta(days=1)), rows(1, day=day)])
    with pytest.raises(InputError, match="out of order"):
        list(split_by_date(mixed, "transaction_date", [day, day + timedelta(days=1)]))
    with pytest.raises(InputError, match="1 rows have no day"):
        list(split_by_date(pa.table({"day": pa.array([None], pa.date32())}), "day", [day]))
    with pytest.raises(InputError, match="must be a date"):
        list(split_by_date(pa.table({"day": pa.array(["2025-01-01"])}), "day", [day]))


@pytest.mark.parametrize("count", [0, 1, 122_880, 122_881, 300_000])
def test_rows_in_batches_give_the_same_file(store: StagingStore, count: int) -> None:
    table = pa.table(
        {"n": pa.array(range(count), pa.int64()), "t": pa.array(map(str, range(count)), pa.string())}
    )
    whole = store.write("records/a", ALL, table)
    batches = table.to_batches(max_chunksize=7_777)
    streamed = store.write("records/b", ALL, pa.RecordBatchReader.from_batches(table.schema, batches))
    assert (streamed.sha256, streamed.rows, streamed.columns) == (whole.sha256, count, whole.columns)
    assert store.read("records/b", ALL) == table
