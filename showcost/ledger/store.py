"""The ledger file: made whole or not at all, opened briefly, by one writer at a time.

DuckDB lets one process hold the file for writing, and no other may have it open meanwhile, not even to
read. So connections are short; writers queue at a lock file, readers let the writer that has it go
first, and whoever meets a held file waits with growing pauses, never longer than a bound. What the
tables are is said in `schema`, what is written to them in `posting`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from showcost.audit.log import AuditLog
from showcost.core.durable import TEMPORARY_SUFFIX, fsync_folder, produce_temporary, rename
from showcost.core.engine import CONFIG, shared_database
from showcost.core.errors import InputError, IntegrityError, StoreBusyError
from showcost.core.locking import exclusive_lock
from showcost.ledger import schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25


class Ledger:
    """The ledger database of a production.

    `wait_seconds` bounds the wait for a file that others hold; after it StoreBusyError is raised. `audit`
    is the audit log that attests it. An instance holds nothing open and may be shared between threads.
    """

    def __init__(self, path: Path, *, wait_seconds: float = 60.0) -> None:
        self.path = path
        self.audit = AuditLog(path.parent, wait_seconds=wait_seconds)
        self._locks = path.parent / "locks"
        self._wait_seconds = wait_seconds

    def exists(self) -> bool:
        """Return whether the ledger was made yet; the first writer makes it."""
        return self.path.exists()

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the one connection that may write, outside any transaction; make the ledger if need be.

        Whoever means to commit uses `recovery.writing`, which settles first what a crash has left. What is
        not committed when the block ends, or fails, is rolled back. Not to be nested, nor to be
        held across other work. Raises StoreBusyError after the bounded wait, IntegrityError for a file
        that is no ledger of this program's version.
        """
        with self._only_writer():
            self._ensure_created()
            connection = self._open(read_only=False)
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection that can only read; many may read at once, between writes.

        A ledger that does not exist yet reads as an empty one, and no file is made. Raises as `write` does.
        """
        if not self.exists():
            with _empty() as connection:
                yield connection
            return
        self._let_writers_first()
        connection = self._open(read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    def require(self) -> None:
        """Raise InputError if there is no ledger yet: for what would be misleading about an empty one."""
        if not self.exists():
            raise InputError(f"{self.path}: there is no ledger yet; nothing has been posted")

    def create(self) -> None:
        """Make the ledger with its empty tables, unless it is there."""
        with self._only_writer():
            self._ensure_created()

    def check_schema(self) -> list[str]:
        """Return what of the tables and triggers is missing, changed or foreign; empty when all is well."""
        self.require()
        with self.read() as connection:
            return schema.differences(connection)

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        path = self._locks / f"{self.path.name}.lock"
        with exclusive_lock(path, self._busy, wait_seconds=self._wait_seconds, poll_seconds=_FIRST_PAUSE):
            yield

    def _let_writers_first(self) -> None:
        """Wait while a writer has the lock file, or a steady stream of readers would keep it out for ever.

        A copy on a medium that cannot be written has no writers.
        """
        if os.access(self._locks, os.W_OK):
            with self._only_writer():
                pass

    def _ensure_created(self) -> None:
        """Make the file under another name and rename it: killed midway, there is no ledger, not half."""
        if self.exists():
            return
        log = self.path.with_name(f"{self.path.name}.wal")
        if log.exists():
            raise IntegrityError(
                f"{log}: this log has lost its ledger {self.path.name}; restore both from a copy"
            )
        for debris in self.path.parent.glob(f"{self.path.name}.*{TEMPORARY_SUFFIX}*"):
            debris.unlink()
        aside = produce_temporary(self.path, _create)
        rename(aside, self.path)
        fsync_folder(self.path.parent)

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        attempts = Retrying(
            retry=retry_if_exception(_is_held_elsewhere),
            wait=wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            stop=stop_after_delay(self._wait_seconds),
            reraise=True,
        )
        try:
            connection = attempts(duckdb.connect, self.path, read_only=read_only, config=CONFIG)
        except duckdb.Error as error:
            if _is_held_elsewhere(error):
                raise StoreBusyError(self._busy) from None
            raise IntegrityError(
                f"{self.path}: the ledger cannot be opened ({_first_line(error)})"
            ) from error
        try:
            self._check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_version(self, connection: duckdb.DuckDBPyConnection) -> None:
        found = schema.version_of(connection)
        if found != schema.VERSION:
            shown = "no schema version" if found is None else f"the schema version {found}"
            raise IntegrityError(f"{self.path}: it has {shown}, this program works with {schema.VERSION}")

    @property
    def _busy(self) -> str:
        return f"{self.path}: others held the ledger for more than {self._wait_seconds:g} s; try again"


@contextmanager
def _empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that reads the tables of a ledger without rows, and can write to none of them."""
    with shared_database("empty ledger", schema.create) as connection:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        yield connection


def _create(path: Path) -> None:
    with duckdb.connect(path, config=CONFIG) as connection:
        schema.create(connection)
        connection.execute("CHECKPOINT")


def _is_held_elsewhere(error: BaseException) -> bool:
    """Return whether a connection failed only because another one has the file.

    Another process shows as a lock, another thread of this one as a different configuration (reading and
    writing at once) or, while that thread is just letting go, as a file that is still attached.
    """
    if isinstance(error, duckdb.IOException):
        return "Could not set lock" in str(error)
    if isinstance(error, duckdb.ConnectionException):
        return "different configuration" in str(error)
    return isinstance(error, duckdb.ResourceInUseException)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
