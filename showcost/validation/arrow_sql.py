"""SQL over Arrow tables: one DuckDB engine in memory per process, since starting one costs more than a query.

The engine holds no data and no file; queries see the tables that they are given.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )


def query(sql: str, parameters: dict[str, str] | None = None, **tables: pa.Table) -> pa.Table:
    """Return the result of a query over tables, each known in it by the name it is handed in under."""
    with _engine().cursor() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql, params=parameters).to_arrow_table()
