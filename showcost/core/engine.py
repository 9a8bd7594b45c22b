"""The column engine in memory: one DuckDB per process, for opening one costs more than most of its queries.

Each use has a connection of its own. What is made temporarily or registered on it ends with it. The database
of `engine` has no tables; one that is opened by `shared_database` has those it was created with.
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
"""The configuration of every connection: within a process DuckDB refuses a second, different one."""

_GUARD: Final = Lock()
_DATABASES: Final[dict[tuple[int, str], duckdb.DuckDBPyConnection]] = {}


# Before the interpreter goes: what is open beyond that, the library reports as a leak.
atexit.register(_DATABASES.clear)


@contextmanager
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection for the time of a block."""
    with shared_database("engine") as connection:
        yield connection


@contextmanager
def shared_database(
    name: str, create: Callable[[duckdb.DuckDBPyConnection], object] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to the process's in-memory database of that name, made by `create` on first use."""
    with _GUARD:
        # By process: a database that was opened before a fork is of no use after it.
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
    """Let Parquet files, at least one, be read under a name, on this connection only.

    The options are those of `read_parquet`. The relations of the library would make a lasting view.
    """
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {name} AS FROM read_parquet([{listed}],"
        f" union_by_name = {union_by_name}, filename = {filename})"
    )
