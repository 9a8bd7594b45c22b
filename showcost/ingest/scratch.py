"""A DuckDB in memory for the small computations of landing.

It is opened once per process, for opening costs more than most of them. Each use has a connection of its own,
on which it registers what it reads; nothing is left in the database.
"""

from __future__ import annotations

import atexit
import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

_GUARD = Lock()
_DATABASES: dict[int, duckdb.DuckDBPyConnection] = {}


# Before the interpreter goes: what is open beyond that, the library reports as a leak.
atexit.register(_DATABASES.clear)


@contextmanager
def scratch() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection for the time of a block; what is registered on it is gone afterwards."""
    with _GUARD:
        # By process: a database that was opened before a fork is of no use after it.
        database = _DATABASES.get(os.getpid())
        if database is None:
            database = _DATABASES[os.getpid()] = duckdb.connect(":memory:")
        connection = database.cursor()
    try:
        yield connection
    finally:
        connection.close()
