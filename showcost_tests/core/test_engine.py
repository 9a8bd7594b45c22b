"""The shared in-memory engine: objects of one connection are invisible to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from showcost.core.engine import engine, view_files

if TYPE_CHECKING:
    from pathlib import Path


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
