"""The ledger file is created atomically, append-only, and shared without lock errors."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from showcost.core.durable import TEMPORARY_SUFFIX
from showcost.core.engine import config
from showcost.core.errors import InputError, IntegrityError, StoreBusyError
from showcost.ledger import schema
from showcost.ledger.store import Ledger
from showcost_tests.ledger.rows import WEEK, post_rows, row, table, week_rows

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

SPAWN = multiprocessing.get_context("spawn")


def entries(ledger: Ledger) -> int:
    with ledger.read() as connection:
        return int(connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET {} = {}",
        "UPDATE {0} SET {1} = {1} WHERE false",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "TRUNCATE {}",
    ],
)
@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("ledger_entries", "amount"),
        ("batches", "totals"),
        ("fx_snapshots", "hash"),
        ("fx_rates", "rate"),
        ("schema_version", "version"),
    ],
)
def test_stored_rows_cannot_be_changed(ledger: Ledger, name: str, column: str, statement: str) -> None:
    post_rows(ledger, table([row(1)]))
    with ledger.write() as connection:
        before = connection.execute(f"FROM {name} ORDER BY ALL").fetchall()
        assert before
        with pytest.raises(duckdb.InvalidInputException, match=f"{name} is append-only"):
            connection.execute(statement.format(name, column, column))
        assert connection.execute(f"FROM {name} ORDER BY ALL").fetchall() == before


def test_every_table_but_the_guard_is_append_only(ledger: Ledger) -> None:
    with ledger.read() as connection:
        tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        guarded = connection.execute("SELECT table_name FROM duckdb_triggers()").fetchall()
    assert sorted(guarded) == sorted((name,) for name in tables - {"append_only_guard"} for _ in range(2))


@pytest.mark.parametrize(
    ("tampering", "finding"),
    [
        ("DROP TRIGGER batches_no_update ON batches", "trigger batches_no_update of batches is missing"),
        ("ALTER TABLE batches ADD COLUMN note VARCHAR", "table batches was changed"),
        ("DROP TABLE fx_rates", "table fx_rates is missing"),
        (
            "CREATE TRIGGER shadow BEFORE INSERT ON batches FOR EACH STATEMENT DELETE FROM fx_rates",
            "trigger shadow of batches is not part of the schema",
        ),
    ],
)
def test_each_change_of_the_schema_is_named(ledger: Ledger, tampering: str, finding: str) -> None:
    assert ledger.check_schema() == []
    with ledger.write() as connection:
        connection.execute(tampering)
    assert any(finding in difference for difference in ledger.check_schema())


def test_a_trigger_with_another_body_is_found(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.execute("DROP TRIGGER ledger_entries_no_delete ON ledger_entries")
        connection.execute(
            "CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries FOR EACH STATEMENT"
            " INSERT INTO append_only_guard SELECT 'harmless'"
        )
    assert ledger.check_schema() == ["the trigger ledger_entries_no_delete of ledger_entries was changed"]


def test_an_absent_ledger_reads_as_an_empty_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    with ledger.read() as connection:
        assert schema.differences(connection) == []
        assert connection.execute("SELECT count(*) FROM ledger_entries").fetchall() == [(0,)]
        with pytest.raises(duckdb.TransactionException, match="read-only"):
            connection.execute("INSERT INTO schema_version VALUES (2)")
    assert list(tmp_path.iterdir()) == []


def test_methods_that_need_a_ledger_fail_without_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    for method in (ledger.require, ledger.check_schema):
        with pytest.raises(InputError, match="there is no ledger yet"):
            method()
    assert not ledger.exists()


def test_an_open_reader_cannot_write(ledger: Ledger) -> None:
    with ledger.read() as connection, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        connection.execute("INSERT INTO schema_version VALUES (2)")


def test_uncommitted_changes_are_rolled_back(ledger: Ledger) -> None:
    with ledger.write() as connection:
        connection.begin()
        connection.execute("INSERT INTO schema_version VALUES (1)")
    with ledger.read() as connection:
        assert connection.execute("FROM schema_version").fetchall() == [(schema.VERSION,)]


def test_a_file_that_is_not_a_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(IntegrityError, match="cannot be opened"), Ledger(path).read():
        pass
    path.unlink()
    duckdb.connect(path).close()
    with pytest.raises(IntegrityError, match="no schema version"), Ledger(path).write():
        pass


def test_a_ledger_of_another_version_is_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    version = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", 99)
    with (
        pytest.raises(IntegrityError, match=f"the schema version {version}, but 99 is required"),
        ledger.read(),
    ):
        pass


def test_a_log_without_its_ledger_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "ledger.duckdb.wal").write_bytes(b"commits")
    with pytest.raises(IntegrityError, match=r"the ledger ledger\.duckdb of this write-ahead log is missing"):
        Ledger(tmp_path / "ledger.duckdb").create()


def _die_while_creating(path: Path) -> None:
    def die(_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "create", die)
        Ledger(path).create()


def test_a_kill_during_creation_leaves_no_ledger_and_the_next_writer_creates_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    process = SPAWN.Process(target=_die_while_creating, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not path.exists()
    leftovers = list(tmp_path.glob(f"*{TEMPORARY_SUFFIX}*"))
    assert leftovers
    ledger = Ledger(path)
    ledger.create()
    assert ledger.check_schema() == []
    assert not list(tmp_path.glob(f"*{TEMPORARY_SUFFIX}*"))


def _post_share(path: Path, barrier: Barrier, share: int, shares: int) -> None:
    ledger = Ledger(path, wait_seconds=60)
    barrier.wait()
    for start in range(share, 300, shares * 20):
        post_rows(ledger, table(week_rows(300)[start : start + shares * 20 : shares]))
    # Post all rows again, including those of the other processes, as a second run would.
    post_rows(ledger, table(week_rows(300)))


@pytest.mark.parametrize("writers", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_concurrent_processes_post_every_row_exactly_once(ledger: Ledger, writers: int) -> None:
    barrier = SPAWN.Barrier(writers)
    processes = [
        SPAWN.Process(target=_post_share, args=(ledger.path, barrier, share, writers))
        for share in range(writers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * writers
    with ledger.read() as connection:
        counts = connection.execute(
            "SELECT count(*), count(DISTINCT entry_id), count(DISTINCT row_key) FROM ledger_entries"
        ).fetchall()
    assert counts == [(600, 600, 300)]


def test_readers_between_writes_get_no_errors_and_only_whole_batches(ledger: Ledger) -> None:
    post_rows(ledger, table([row(0)]))
    done = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for number in range(1, 16):
                post_rows(ledger, table([row(number)]))
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    counts = [entries(ledger)]
    while not done.is_set():
        counts.append(entries(ledger))
    writer.join()
    assert not failures
    assert counts == sorted(counts)
    assert {count % 2 for count in counts} == {0}
    assert entries(ledger) == 32


def test_waiting_longer_than_the_bound_raises_store_busy(ledger: Ledger) -> None:
    impatient = Ledger(ledger.path, wait_seconds=0.2)
    with ledger.write():
        with pytest.raises(StoreBusyError, match="the ledger was locked"), impatient.read():
            pass
        with pytest.raises(StoreBusyError, match="the ledger was locked"), impatient.write():
            pass
    with ledger.read(), pytest.raises(StoreBusyError), impatient.write():
        pass


def test_extensions_are_never_fetched(ledger: Ledger) -> None:
    with ledger.write() as connection:
        settings = connection.execute(
            "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions' ORDER BY name"
        ).fetchall()
    assert settings == [("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false")]
    assert config().items() >= {name: value == "true" for name, value in settings}.items()


def test_commits_survive_a_kill_of_the_writer(ledger: Ledger) -> None:
    process = SPAWN.Process(target=_post_and_die, args=(ledger.path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert entries(ledger) == 2
    post_rows(ledger, table([row(1), row(2)]), WEEK)
    assert entries(ledger) == 4


def _post_and_die(path: Path) -> None:
    post_rows(Ledger(path), table([row(1)]))
    with Ledger(path).write() as connection:
        connection.begin()
        connection.execute("INSERT INTO ledger_entries FROM ledger_entries")
        os.kill(os.getpid(), signal.SIGKILL)


def test_threads_that_open_the_ledger_at_once_all_find_it_whole(ledger: Ledger) -> None:
    ledger.create()

    def read(number: int) -> int:
        with ledger.read() as connection:
            connection.register("numbers", pa.table({"n": [number]}))
            return int(connection.execute("SELECT n FROM numbers").fetchall()[0][0])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(200))) == list(range(200))
