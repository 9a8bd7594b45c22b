"""Atomic, durable file writes: write to a temporary file, fsync, rename, fsync the folder.

The only module that writes, fsyncs, renames and commits; the stores decide on files and names. Every call
that changes the disk goes through `System`, so that a test can make each call fail or kill the process at
it.

Written bytes may be lost until an fsync succeeds. After a failed fsync or commit their state is unknown, and
a second fsync may report success for bytes that were dropped. So a failure is final for the process:
FatalError is raised, and raised again at every later call. The next start recovers from the actual files.
"""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from showcost.core.errors import FatalError, ShowcostError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO, Protocol, TypeAlias

    Commit: TypeAlias = Callable[[], object]

    class Database(Protocol):
        """A connection with transactions."""

        def begin(self) -> object:
            """Begin a transaction."""

        def commit(self) -> object:
            """Make the transaction durable."""

        def rollback(self) -> object:
            """Undo the transaction."""


TEMPORARY_SUFFIX = ".aside"
"""Suffix of a file that is still being written; a leftover one is debris of a crash."""


class System:
    """The calls that change the disk, one method each; a test harness replaces them to inject faults."""

    def write(self, stream: BinaryIO, data: bytes, path: Path) -> None:
        """Pass `data` to the operating system."""
        del path
        stream.write(data)
        stream.flush()

    def produce(self, make: Callable[[Path], object], path: Path) -> None:
        """Let a library write the file `path`."""
        make(path)

    def fsync(self, descriptor: int, path: Path) -> None:
        """Make the bytes, or for a folder the names, of an open file durable."""
        del path
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, replacing any file of that name."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file, if it exists."""
        path.unlink(missing_ok=True)

    def truncate(self, stream: BinaryIO, length: int, path: Path) -> None:
        """Truncate a file that is open for writing."""
        del path
        stream.truncate(length)

    def commit(self, commit: Commit, path: Path) -> None:
        """Commit a transaction of the database `path`."""
        del path
        commit()


class _State:
    system: System = System()
    failure: str | None = None


@contextmanager
def using(system: System) -> Iterator[None]:
    """Route the calls within a block through `system`, with no earlier failure recorded."""
    before = _State.system, _State.failure
    _State.system, _State.failure = system, None
    try:
        yield
    finally:
        _State.system, _State.failure = before


def temporary_path(path: Path) -> Path:
    """Return a fresh name beside `path` for writing its next content."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable: renames, creations and deletions."""
    fsync_file(folder)


def fsync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fsync(descriptor, path)
    finally:
        os.close(descriptor)


def fsync(descriptor: int, path: Path) -> None:
    """Make the bytes of an open file durable; FatalError if that fails."""
    raise_after_failure()
    try:
        _State.system.fsync(descriptor, path)
    except OSError as error:
        raise _fatal(path, "fsync failed", error) from error


def commit(commit: Commit, path: Path) -> None:
    """Commit a transaction of the database `path`; FatalError if that fails, since it may have happened."""
    raise_after_failure()
    try:
        _State.system.commit(commit, path)
    except ShowcostError:
        raise
    except Exception as error:
        raise _fatal(path, "the transaction may or may not have committed", error) from error


@contextmanager
def transaction(connection: Database, path: Path) -> Iterator[None]:
    """Run the block as one transaction of the database `path`.

    FatalError if the commit fails, since it may have happened.
    """
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    commit(connection.commit, path)


def write(stream: BinaryIO, data: bytes, path: Path) -> None:
    """Pass bytes to the operating system; StorageError if it refuses them."""
    raise_after_failure()
    try:
        _State.system.write(stream, data, path)
    except OSError as error:
        raise _refused(path, error) from error


def truncate(stream: BinaryIO, length: int, path: Path) -> None:
    """Truncate an open file to `length` bytes; StorageError if that fails."""
    raise_after_failure()
    try:
        _State.system.truncate(stream, length, path)
    except OSError as error:
        raise _refused(path, error) from error


def append_at(path: Path, length: int, data: bytes) -> None:
    """Write `data` after the first `length` bytes of a file, durably; the file is created if missing.

    Bytes beyond `length`, left by a crash or a full disk, are cut first.
    """
    if not path.exists():
        make_folder(path.parent)
        write_durably(path, b"")
    with path.open("r+b") as stream:
        if stream.seek(0, os.SEEK_END) != length:
            truncate(stream, length, path)
            stream.seek(length)
        write(stream, data, path)
        fsync(stream.fileno(), path)


def rename(source: Path, target: Path) -> None:
    """Rename a file, replacing any file of that name; StorageError if that fails."""
    raise_after_failure()
    try:
        _State.system.rename(source, target)
    except OSError as error:
        raise _refused(target, error) from error


def unlink(path: Path) -> None:
    """Remove a file, if it exists; StorageError if that fails."""
    raise_after_failure()
    try:
        _State.system.unlink(path)
    except OSError as error:
        raise _refused(path, error) from error


def raise_after_failure() -> None:
    """Raise FatalError if an fsync or a commit has failed in this process."""
    if _State.failure is not None:
        raise FatalError(_State.failure)


def replace_file(path: Path, data: bytes) -> None:
    """Replace the content of `path` atomically; the name is durable only after `fsync_folder`.

    Callers that write many files of a folder fsync the folder once, at the end.
    """
    temporary = temporary_path(path)
    try:
        with temporary.open("xb") as stream:
            write(stream, data, temporary)
            fsync(stream.fileno(), temporary)
        rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_durably(path: Path, data: bytes) -> None:
    """Replace the content of `path` atomically and durably."""
    replace_file(path, data)
    fsync_folder(path.parent)


def produce_temporary(path: Path, make: Callable[[Path], object]) -> Path:
    """Let `make` write a temporary file beside `path`, make its bytes durable and return its path.

    The caller renames it or removes it.
    """
    temporary = temporary_path(path)
    raise_after_failure()
    try:
        try:
            _State.system.produce(make, temporary)
        except OSError as error:
            raise _refused(temporary, error) from error
        fsync_file(temporary)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def produce_file(path: Path, make: Callable[[Path], object]) -> None:
    """Let `make` write the file `path`, and put it in place atomically and durably."""
    rename(produce_temporary(path, make), path)
    fsync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably: a lost folder takes its fsynced files with it."""
    missing = []
    current = folder
    while not current.exists():
        missing.append(current)
        current = current.parent
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:
        fsync_folder(created.parent)


def _fatal(path: Path, what: str, error: BaseException) -> FatalError:
    _State.failure = (
        f"{path}: {what} ({_reason(error)}); this process writes nothing more: check the disk, then run the"
        " same command again to recover"
    )
    return FatalError(_State.failure)


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: write failed ({_reason(error)}); check the disk, then run the command again"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
