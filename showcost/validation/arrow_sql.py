"""SQL over Arrow tables: queries see the tables that they are given, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.core.engine import engine

if TYPE_CHECKING:
    import pyarrow as pa


def query(sql: str, parameters: dict[str, str] | None = None, **tables: pa.Table) -> pa.Table:
    """Return the result of a query over tables, each known in it by the name it is handed in under."""
    with engine() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql, params=parameters).to_arrow_table()
