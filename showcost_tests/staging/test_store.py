"""Staging store: partitions in shared files, verified bytes, and names that cannot escape the folder."""

from __future__ import annotations

import json
import tempfile
import threading
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showcost.core.durable import TEMPORARY_SUFFIX
from showcost.core.engine import engine
from showcost.core.errors import InputError, IntegrityError, StoreBusyError
from showcost.core.file_ranges import view_ranges
from showcost.staging import ALL, PartitionRows, StagedPartition, StagingStore, split_by_date
from showcost.staging import store as store_module
from showcost.staging.index import Index

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


def data_path(store: StagingStore, staged: StagedPartition) -> Path:
    assert staged.file is not None
    return store.root / staged.asset / staged.file


def files(store: StagingStore, asset: str = "valid/vendors") -> list[str]:
    return sorted(path.name for path in (store.root / asset).iterdir())


def test_written_rows_are_read_back_with_their_metadata(store: StagingStore) -> None:
    staged = store.write("valid/vendors", DAY, rows(1, 2), {"delivery": "ab", "parts": ["x", "y"]})
    assert store.read("valid/vendors", DAY).equals(rows(1, 2))
    assert store.metadata("valid/vendors", DAY) == staged
    assert (staged.rows, staged.inputs) == (2, {"delivery": "ab", "parts": ["x", "y"]})
    assert store.columns("valid/vendors", DAY) == ["transaction_date", "net", "flags"]
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
    assert len(files(store)) == 3
    assert store.read("valid/vendors", "2026-03-03").equals(rows(7))


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_the_bytes_do_not_depend_on_chunks(sizes: list[int]) -> None:
    whole = rows(*range(sum(sizes)))
    pieces, start = [], 0
    for size in sizes:
        pieces.append(whole.slice(start, size))
        start += size
    with tempfile.TemporaryDirectory() as folder:
        store = StagingStore(Path(folder))
        tables = {"a": pa.concat_tables(pieces), "b": whole}
        staged = [store.write(f"valid/{name}", DAY, table) for name, table in tables.items()]
    assert staged[0].sha256 == staged[1].sha256


@pytest.mark.parametrize("where", [0, 20, -3, None])
def test_a_changed_byte_is_refused_and_the_file_is_named(store: StagingStore, where: int | None) -> None:
    staged = store.write("valid/vendors", DAY, rows(*range(500)))
    path = data_path(store, staged)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if where is None else where] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match=path.name):
        store.read("valid/vendors", DAY)
    with pytest.raises(IntegrityError, match=path.name):
        store.verified_paths("valid/vendors", [DAY])


def test_a_damaged_file_is_healed_by_writing_the_partition_again(store: StagingStore) -> None:
    staged = store.write("valid/vendors", DAY, rows(1, 2))
    data_path(store, staged).write_bytes(b"garbage")
    store.write("valid/vendors", DAY, rows(1, 2))
    assert store.read("valid/vendors", DAY).equals(rows(1, 2))


def test_a_missing_file_is_an_integrity_error(store: StagingStore) -> None:
    staged = store.write("valid/vendors", DAY, rows(1))
    data_path(store, staged).unlink()
    with pytest.raises(IntegrityError, match="recorded but missing"):
        store.read("valid/vendors", DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../../ledger.duckdb"},
        {"file": 1},
        {"first": -1},
        {"rows": 2},
        {"rows": None},
        {"partition": "../x"},
        None,
    ],
)
def test_a_line_of_the_index_that_cannot_be_right_is_named(
    store: StagingStore, change: dict[str, object] | None
) -> None:
    store.write("valid/vendors", "2026-03-01", rows(1))
    store.write("valid/vendors", DAY, rows(2))
    index = store.root / "valid/vendors" / "index.jsonl"
    first, second = index.read_text().splitlines()
    second = "{" if change is None else json.dumps(json.loads(second) | change)
    index.write_text(f"{first}\n{second}\n")
    with pytest.raises(IntegrityError, match=r"index\.jsonl, line 2: .* materialise valid/vendors again"):
        StagingStore(store.root.parent).read("valid/vendors", DAY)


@pytest.mark.parametrize("torn", ["{", '{"file": "', '{"partition": "2026-03-02"}'])
def test_a_line_that_a_crash_cut_off_does_not_count(store: StagingStore, torn: str) -> None:
    store.write("valid/vendors", DAY, rows(1))
    index = store.root / "valid/vendors" / "index.jsonl"
    with index.open("a") as stream:
        stream.write(torn)
    other = StagingStore(store.root.parent)
    assert other.read("valid/vendors", DAY).equals(rows(1))
    other.write("valid/vendors", "2026-03-03", rows(3))
    assert StagingStore(store.root.parent).partitions("valid/vendors") == [DAY, "2026-03-03"]
    assert store.partitions("valid/vendors") == [DAY, "2026-03-03"]


def test_pointers_of_earlier_versions_count_until_the_first_switch(store: StagingStore) -> None:
    days = [DAY, "2026-03-03"]
    written = [
        store.write("valid/vendors", day, rows(number, day=date.fromisoformat(day)), {"raw": day})
        for number, day in enumerate(days)
    ]
    for day, staged in zip(days, written, strict=True):
        data_path(store, staged).rename(store.root / "valid/vendors" / f"{day}.{staged.file}")
        pointer = {
            "columns": [["net", "decimal128(18, 4)"]],
            "file": f"{day}.{staged.file}",
            "inputs": {"raw": day},
            "rows": 1,
            "schema": "",
            "sha256": staged.sha256,
        }
        (store.root / "valid/vendors" / f"{day}.json").write_text(json.dumps(pointer))
    (store.root / "valid/vendors" / "index.jsonl").unlink()
    old = StagingStore(store.root.parent)
    assert (old.assets(), old.partitions("valid/vendors")) == (["valid/vendors"], days)
    assert old.read("valid/vendors", DAY)["net"].to_pylist() == [0]
    old.write("valid/vendors", DAY, rows(5))
    for reader in (old, StagingStore(store.root.parent)):
        assert [reader.read("valid/vendors", day)["net"].to_pylist() for day in days] == [[5], [1]]
    assert [name for name in files(store) if name.endswith(".json")] == []
    assert len(files(store)) == 3


def test_an_index_with_many_outdated_lines_is_written_anew(
    store: StagingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("showcost.staging.index._OUTDATED_LINES", 10)
    reader = StagingStore(store.root.parent)
    for number in range(40):
        store.write("valid/vendors", DAY, rows(number))
        store.note("raw/vendors", {DAY: (number, {"records": ["a" * 64]})})
        assert reader.read("valid/vendors", DAY).equals(rows(number))
        noted = reader.metadata("raw/vendors", DAY)
        assert noted is not None
        assert noted.rows == number
    assert len((store.root / "valid/vendors" / "index.jsonl").read_text().splitlines()) < 20


def test_a_note_has_rows_and_inputs_and_no_file(store: StagingStore) -> None:
    (noted,) = store.note("raw/vendors", {DAY: (3, {"records": ("ab", "cd")})})
    assert (noted.rows, noted.file, noted.inputs) == (3, None, {"records": ["ab", "cd"]})
    (other,) = store.note("raw/vendors", {DAY: (3, {"records": ["ab"]})})
    assert noted.sha256 != other.sha256
    assert store.metadata("raw/vendors", DAY) == other
    with pytest.raises(InputError, match="no rows of its own"):
        store.read("raw/vendors", DAY)


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(0, 20), st.integers(0, 9), min_size=1),
    st.integers(1, 12),
    st.lists(st.integers(0, 20), min_size=1, unique=True),
)
def test_partitions_that_share_files_are_read_back_each(
    sizes: dict[int, int], file_rows: int, again: list[int]
) -> None:
    days = {number: date(2026, 3, 1) + timedelta(days=number) for number in range(21)}
    tables = {n: rows(*range(n, n + size), day=days[n]) for n, size in sorted(sizes.items())}
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(store_module, "FILE_ROWS", file_rows):
        store = StagingStore(Path(folder))
        store.write_many("valid/a", (PartitionRows(str(days[n]), table) for n, table in tables.items()))
        for number in again:
            if number in tables:
                tables[number] = pa.concat_tables([tables[number], rows(99, day=days[number])])
                store.write("valid/a", str(days[number]), tables[number])
        for number, table in tables.items():
            assert store.read("valid/a", str(days[number])).equals(table)
        wanted = [str(days[number]) for number in tables]
        ranges = store.ranges("valid/a", wanted)
        with engine() as connection:
            if ranges:
                view_ranges(connection, "stored", ranges)
                found = connection.execute("SELECT transaction_date, net FROM stored ORDER BY ALL").fetchall()
                expected = pa.concat_tables(tables.values()).select(["transaction_date", "net"]).to_pylist()
                assert found == sorted((row["transaction_date"], row["net"]) for row in expected)
        assert {part.path.name for part in ranges} <= set(files(store, "valid/a"))


class Named(NamedTuple):
    """Files that the audit log names."""

    latest: frozenset[str]
    ever: frozenset[str]


def test_rows_that_no_record_names_are_refused(store: StagingStore) -> None:
    first = store.write("valid/vendors", DAY, rows(1)).sha256
    log: dict[str, Named] = {DAY: Named(frozenset({first}), frozenset({first}))}
    attested = StagingStore(store.root.parent, lambda _: log)
    assert attested.read("valid/vendors", DAY).equals(rows(1))
    assert attested.is_attested("valid/vendors", DAY)
    second = store.write("valid/vendors", DAY, rows(2)).sha256
    assert not attested.is_attested("valid/vendors", DAY)
    for read in (
        lambda: attested.read("valid/vendors", DAY),
        lambda: attested.ranges("valid/vendors", [DAY]),
    ):
        with pytest.raises(IntegrityError, match="the audit log names other rows for 2026-03-02"):
            read()
    assert list(attested.problems("valid/vendors")) == [DAY]
    log[DAY] = Named(frozenset({first}), frozenset({first, second}))
    assert attested.read("valid/vendors", DAY).equals(rows(2))
    assert not attested.is_attested("valid/vendors", DAY)


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


def test_a_crash_before_the_switch_keeps_the_old_rows(
    store: StagingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("valid/vendors", DAY, rows(1))
    with monkeypatch.context() as patch:
        patch.setattr(Index, "switch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.write("valid/vendors", DAY, rows(2))
    assert store.read("valid/vendors", DAY).equals(rows(1))
    (store.root / "valid/vendors" / f"index.jsonl.123{TEMPORARY_SUFFIX}").write_bytes(b"half")
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
    assert len(files(store)) == 3


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
    assert (streamed.sha256, streamed.rows) == (whole.sha256, count)
    assert store.read("records/b", ALL) == table


def test_a_flipped_bit_of_the_index_is_refused(store: StagingStore) -> None:
    store.write("valid/vendors", DAY, rows(1, 2), {"pending": 4})
    index = store.root / "valid/vendors" / "index.jsonl"
    whole = index.read_bytes()
    for place in range(len(whole) - 1):
        for bit in range(8):
            index.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            with pytest.raises(IntegrityError, match=r"index\.jsonl, line"):
                StagingStore(store.root.parent).metadata("valid/vendors", DAY)


@pytest.mark.parametrize("more", [{}, {"schema": "54596eb6"}, {"schema": ""}])
def test_a_line_of_an_earlier_version_has_no_check_and_is_read(
    store: StagingStore, more: dict[str, str]
) -> None:
    staged = store.write("valid/vendors", DAY, rows(1, 2), {"pending": 4})
    index = store.root / "valid/vendors" / "index.jsonl"
    record = json.loads(index.read_bytes())
    del record["check"]
    index.write_text(json.dumps(record | more) + "\n", encoding="utf-8")
    assert StagingStore(store.root.parent).metadata("valid/vendors", DAY) == staged


def test_an_index_that_was_put_in_the_place_of_another_is_read_from_its_start(store: StagingStore) -> None:
    index = store.root / "valid/vendors" / "index.jsonl"
    reader = StagingStore(store.root.parent)
    store.write("valid/vendors", DAY, rows(1))
    first = index.read_bytes()
    assert [*reader.current("valid/vendors")] == [DAY]
    store.write("valid/vendors", "2026-03-03", rows(2))
    store.write("valid/vendors", "2026-03-04", rows(3))
    others = index.read_bytes().removeprefix(first)
    # The same inode, as a file system gives it to a new file.
    index.write_bytes(others)
    assert sorted(reader.current("valid/vendors")) == ["2026-03-03", "2026-03-04"]


def test_the_attested_partitions_are_those_of_the_last_records(store: StagingStore) -> None:
    days = [DAY, "2026-03-03", "2026-03-04"]
    staged = {day: store.write("valid/vendors", day, rows(number)) for number, day in enumerate(days)}
    log = {
        days[0]: Named(frozenset({staged[days[0]].sha256}), frozenset({staged[days[0]].sha256})),
        days[1]: Named(frozenset({"another"}), frozenset({"another", staged[days[1]].sha256})),
    }
    attested = StagingStore(store.root.parent, lambda asset: log if asset == "valid/vendors" else {})
    assert attested.attested("valid/vendors") == {days[0]}
    assert attested.attested("valid/other") == set()
    for day in days:
        assert attested.is_attested("valid/vendors", day) is (day in attested.attested("valid/vendors"))
