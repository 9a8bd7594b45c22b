"""In-memory DuckDB: one database per process, since opening one costs more than most queries.

Each use has its own connection. Temporary and registered objects end with the connection. The database of
`engine` has no tables; a database opened by `shared_database` has the tables that its `create` made.
"""

from __future__ import annotations

import atexit
import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Configuration of every connection: DuckDB refuses a second, different one within a process."""

_GUARD: Final = Lock()
_DATABASES: Final[dict[tuple[int, str], duckdb.DuckDBPyConnection]] = {}


# Close before the interpreter exits, or the library reports a leak.
atexit.register(_DATABASES.clear)


@contextmanager
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection for the block."""
    with shared_database("engine") as connection:
        yield connection


@contextmanager
def shared_database(
    name: str, create: Callable[[duckdb.DuckDBPyConnection], object] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to the process's in-memory database of that name, made by `create` on first use."""
    with _GUARD:
        # Keyed by process: a database opened before a fork cannot be used after it.
        key = (os.getpid(), name)
        database = _DATABASES.get(key)
        if database is None:
            database = duckdb.connect(":memory:", config=CONFIG)
            if create is not None:
                create(database)
            _DATABASES[key] = database
        connection = database.cursor()
    try:
        yield connection
    finally:
        connection.close()


def view_files(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    paths: Iterable[Path | str],
    *,
    union_by_name: bool = False,
    filename: bool = False,
) -> None:
    """Create a temporary view over one or more Parquet files, on this connection only.

    The options are those of `read_parquet`. The relation API of DuckDB would create a permanent view.
    """
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {name} AS FROM read_parquet([{listed}],"
        f" union_by_name = {union_by_name}, filename = {filename})"
    )
