"""The tables of rates in a database of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from showcost.fx.pinned_snapshots import DDL

if TYPE_CHECKING:
    import duckdb


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and triggers that do not exist yet."""
    for statement in DDL:
        connection.execute(statement)
