"""The column engine in memory: one DuckDB per process, for opening one costs more than most of its queries.

Each use has a connection of its own. What is made temporarily or registered on it ends with it; nothing is
ever made in the database itself.
"""

from __future__ import annotations

import atexit
import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""The configuration of every connection: within a process DuckDB refuses a second, different one."""

_GUARD: Final = Lock()
_DATABASES: Final[dict[int, duckdb.DuckDBPyConnection]] = {}


# Before the interpreter goes: what is open beyond that, the library reports as a leak.
atexit.register(_DATABASES.clear)


@contextmanager
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection for the time of a block."""
    with _GUARD:
        # By process: a database that was opened before a fork is of no use after it.
        database = _DATABASES.get(os.getpid())
        if database is None:
            database = _DATABASES[os.getpid()] = duckdb.connect(":memory:", config=CONFIG)
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
