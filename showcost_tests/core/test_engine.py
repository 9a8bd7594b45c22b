"""The shared in-memory engine: objects of one connection are invisible to others."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from showcost.core.engine import MEMORY_VARIABLE, engine, memory_limit, view_files
from showcost.core.errors import InputError


def test_objects_made_in_a_block_are_invisible_elsewhere(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": [1, 2]}), tmp_path / "it's.parquet")
    with engine() as first, engine() as second:
        view_files(first, "files", [tmp_path / "it's.parquet"])
        first.register("registered", pa.table({"row": [3]}))
        first.execute("CREATE TEMP TABLE made AS SELECT 4 AS row")
        assert first.execute(
            "FROM files UNION ALL FROM registered UNION ALL FROM made ORDER BY row"
        ).fetchall() == [
            (1,),
            (2,),
            (3,),
            (4,),
        ]
        for name in ("files", "registered", "made"):
            with pytest.raises(duckdb.CatalogException):
                second.execute(f"FROM {name}")


def test_files_read_on_a_writing_connection_leave_nothing_in_its_database(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": [1]}), tmp_path / "rows.parquet")
    with duckdb.connect(tmp_path / "some.duckdb") as connection:
        view_files(connection, "files", [tmp_path / "rows.parquet"])
        assert connection.execute("SELECT count(*) FROM files").fetchall() == [(1,)]
    with duckdb.connect(tmp_path / "some.duckdb") as connection:
        assert connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall() == []


def test_what_a_query_needs_beyond_its_memory_goes_to_a_private_folder() -> None:
    with engine() as connection:
        query = "SELECT current_setting('temp_directory'), current_setting('memory_limit')"
        (folder, limit) = connection.execute(query).fetchall()[0]
    assert (Path(folder).is_dir(), Path(folder).stat().st_mode & 0o77, limit) == (True, 0, "512.0 MiB")


@pytest.mark.parametrize(("setting", "limit"), [("", "512MiB"), ("2048", "1024MiB"), (" 256 ", "128MiB")])
def test_the_memory_of_a_process_is_shared_by_ledger_and_engine(
    monkeypatch: pytest.MonkeyPatch, setting: str, limit: str
) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, setting)
    assert memory_limit() == limit


@pytest.mark.parametrize("setting", ["255", "1GiB", "-1", "½", "1e3"])
def test_a_memory_setting_that_is_no_number_of_mib_is_refused(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, setting)
    with pytest.raises(InputError, match=f"{MEMORY_VARIABLE} must be a number of MiB, at least 256"):
        memory_limit()
