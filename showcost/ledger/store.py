"""The ledger file: created atomically, opened briefly, by one writer at a time.

While a process has the file open for writing, DuckDB lets no other process open it, not even to read. So
connections are short; writers queue at a lock file, readers wait for the writer that holds it, and everybody
retries with growing pauses up to a bound. `schema` defines the tables, `recorded_transaction` writes to them.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

import duckdb
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from showcost.audit.log import AuditLog
from showcost.core.durable import TEMPORARY_SUFFIX, fsync_folder, produce_temporary, rename
from showcost.core.engine import config, shared_database
from showcost.core.errors import InputError, IntegrityError, StoreBusyError
from showcost.core.locking import exclusive_lock
from showcost.ledger import schema
from showcost.ledger.migrations import STEPS, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OPENING: Final = Lock()
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25


class Ledger:
    """The ledger database of a production.

    `wait_seconds` bounds the wait for a file that others have open, before StoreBusyError is raised. `audit`
    is the audit log that attests it. An instance keeps no file open and may be shared between threads.
    """

    def __init__(self, path: Path, *, wait_seconds: float = 60.0) -> None:
        self.path = path
        self.audit = AuditLog(path.parent, wait_seconds=wait_seconds)
        self._locks = path.parent / "locks"
        self._wait_seconds = wait_seconds

    def exists(self) -> bool:
        """Return whether the ledger file exists; the first writer creates it."""
        return self.path.exists()

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the only connection that may write, outside any transaction; create the ledger if necessary.

        To commit, use `recovery.writing`, which first finishes interrupted transactions. Uncommitted changes
        are rolled back when the block ends or fails. Do not nest blocks, or do other work in them. Raises
        StoreBusyError after the bounded wait, IntegrityError for a file that is not a ledger of this schema
        version.
        """
        with self._only_writer():
            self._ensure_created()
            try:
                connection = self._open(read_only=False)
            except _EarlierVersionError as earlier:
                migrate(self.path, self.audit, earlier.version)
                connection = self._open(read_only=False)
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a read-only connection; many may read at once, between writes.

        A ledger that does not exist yet reads as empty, and no file is created. Raises as `write` does.
        """
        if not self.exists():
            with _empty() as connection:
                yield connection
            return
        self._let_writers_first()
        try:
            connection = self._open(read_only=True)
        except _EarlierVersionError:
            with self.write():
                pass
            connection = self._open(read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    def require(self) -> None:
        """Raise InputError if there is no ledger yet, where the results of an empty one would mislead."""
        if not self.exists():
            raise InputError(f"{self.path}: there is no ledger yet; nothing has been posted")

    def create(self) -> None:
        """Create the ledger with its empty tables, unless it exists."""
        with self._only_writer():
            self._ensure_created()

    def check_schema(self) -> list[str]:
        """Return the missing, changed and foreign tables and triggers, a sentence each; empty if none."""
        self.require()
        with self.read() as connection:
            return schema.differences(connection)

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        path = self._locks / f"{self.path.name}.lock"
        with exclusive_lock(path, self._busy, wait_seconds=self._wait_seconds, poll_seconds=_FIRST_PAUSE):
            yield

    def _let_writers_first(self) -> None:
        """Wait while a writer has the lock file, so that a steady stream of readers cannot block it for ever.

        A copy on a read-only medium has no writers.
        """
        if os.access(self._locks, os.W_OK):
            with self._only_writer():
                pass

    def _ensure_created(self) -> None:
        """Create the file under a temporary name and rename it, so that a crash never leaves part of it."""
        if self.exists():
            return
        log = self.path.with_name(f"{self.path.name}.wal")
        if log.exists():
            raise IntegrityError(
                f"{log}: the ledger {self.path.name} of this write-ahead log is missing; restore both from a"
                " copy"
            )
        for leftover in self.path.parent.glob(f"{self.path.name}.*{TEMPORARY_SUFFIX}*"):
            leftover.unlink()
        aside = produce_temporary(self.path, _create)
        rename(aside, self.path)
        fsync_folder(self.path.parent)

    def _open(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        attempts = Retrying(
            retry=retry_if_exception(_is_locked),
            wait=wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            stop=stop_after_delay(self._wait_seconds),
            reraise=True,
        )
        try:
            connection = attempts(_connected, self.path, read_only=read_only)
        except duckdb.Error as error:
            if _is_locked(error):
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
        version = schema.version_of(connection)
        if version in STEPS:
            raise _EarlierVersionError(version)
        if version is not None and version < min(STEPS):
            raise IntegrityError(
                f"{self.path}: it has the schema version {version}, but only {min(STEPS)} and later can be"
                " migrated; make a new production and land its deliveries again"
            )
        if version != schema.VERSION:
            shown = "no schema version" if version is None else f"the schema version {version}"
            raise IntegrityError(f"{self.path}: it has {shown}, but {schema.VERSION} is required")

    @property
    def _busy(self) -> str:
        return f"{self.path}: the ledger was locked for more than {self._wait_seconds:g} s; try again"


class _EarlierVersionError(Exception):
    """The ledger has an earlier schema version, which can be migrated."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


def _connected(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a connection, one thread at a time: a second one would find the database half made."""
    with _OPENING:
        return duckdb.connect(path, read_only=read_only, config=config())


@contextmanager
def _empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a read-only connection to the tables of an empty ledger."""
    with shared_database("empty ledger", schema.create) as connection:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        yield connection


def _create(path: Path) -> None:
    with duckdb.connect(path, config=config()) as connection:
        schema.create(connection)
        connection.execute("CHECKPOINT")


def _is_locked(error: BaseException) -> bool:
    """Return whether a connection failed only because another connection has the file open.

    Another process causes a lock error, another thread of this process a "different configuration" (reading
    and writing at once) or, while that thread is closing the file, a resource in use.
    """
    if isinstance(error, duckdb.IOException):
        return "Could not set lock" in str(error)
    if isinstance(error, duckdb.ConnectionException):
        return "different configuration" in str(error)
    return isinstance(error, duckdb.ResourceInUseException)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
