"""In-memory DuckDB: one database per process, since opening one costs more than most queries.

Each use has its own connection. Temporary and registered objects end with the connection. The database of
`engine` has no tables; a database opened by `shared_database` has the tables that its `create` made.

Memory is bounded: what a query needs beyond it goes to files, those of the ledger beside the ledger, those of
the engine in a private folder for temporary files (`TMPDIR`), which the process removes at its end.
"""

from __future__ import annotations

import atexit
import os
import shutil
from contextlib import contextmanager
from tempfile import mkdtemp
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import duckdb

from showcost.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MEMORY_VARIABLE: Final = "SHOWCOST_MEMORY"
"""The environment variable with the MiB that DuckDB may use in a process."""

_MEMORY: Final = 1024
"""MiB unless the variable says otherwise."""
_LEAST_MEMORY: Final = 256


def memory_limit() -> str:
    """Return the memory of one database: half of a process's, since engine and ledger are open side by side.

    Raises InputError for a setting that is not a number of MiB.
    """
    text = os.environ.get(MEMORY_VARIABLE, "").strip() or str(_MEMORY)
    if not (text.isascii() and text.isdigit() and int(text) >= _LEAST_MEMORY):
        raise InputError(f"{MEMORY_VARIABLE} must be a number of MiB, at least {_LEAST_MEMORY}, not {text!r}")
    return f"{int(text) // 2}MiB"


def config() -> dict[str, Any]:
    """Return the configuration of every connection: DuckDB refuses a different one within a process."""
    return {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": memory_limit(),
    }


_GUARD: Final = Lock()
_DATABASES: Final[dict[tuple[int, str], duckdb.DuckDBPyConnection]] = {}
_FOLDERS: Final[list[str]] = []


@atexit.register
def _close() -> None:
    """Close before the interpreter exits, or the library reports a leak."""
    _DATABASES.clear()
    for folder in _FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)


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
            spilled = mkdtemp(prefix="showcost-")
            _FOLDERS.append(spilled)
            database = duckdb.connect(":memory:", config={**config(), "temp_directory": spilled})
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
