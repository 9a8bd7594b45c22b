"""Errors of Dagster's own storage, as a full disk causes them, in one sentence."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as db

from showcost.core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def history_errors(folder: Path) -> Iterator[None]:
    """Raise StorageError if the database of the Dagster instance in `folder` fails within the block.

    Nothing in the ledger depends on it: whatever was committed stays.
    """
    try:
        yield
    except (db.exc.DBAPIError, sqlite3.Error) as error:
        raise StorageError(
            f"{folder}: Dagster's history could not be read or written ({database_reason(error)}); committed"
            " work is kept: check the disk and who may write there, then run the same command again"
        ) from error


def database_reason(error: db.exc.DBAPIError | sqlite3.Error) -> str:
    """Return the reason that the database gives, without the statement that failed."""
    return str(error.orig if isinstance(error, db.exc.DBAPIError) else error)
