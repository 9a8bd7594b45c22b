"""Files that are whole or absent: written aside, fsynced, renamed, the folder fsynced.

The only place that writes, fsyncs, renames and commits. Which files, and under which names, is decided by
the stores. Every call that changes what is on disk goes through `System`, so that a test can make each of
them fail, or end the process at it.

What is written may be lost until an fsync says otherwise. An fsync, or a commit, that fails says nothing:
the bytes may be there or not, and asking again may lie. So it ends the process: FatalError is raised, and
whoever swallows it gets it again at the next call. The next start recovers from what is really there.
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
        """A connection that has transactions."""

        def begin(self) -> object:
            """Begin one."""

        def commit(self) -> object:
            """Make what was done since durable."""

        def rollback(self) -> object:
            """Undo what was done since."""


ASIDE_SUFFIX = ".aside"
"""Ending of a file that is still being written; one that is found later is debris of a crash."""


class System:
    """The calls that change what is on disk, one method each; a harness puts faults in their place."""

    def write(self, stream: BinaryIO, data: bytes, path: Path) -> None:
        """Hand `data` to the operating system."""
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
        """Give a file its name, in place of what had it."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def truncate(self, stream: BinaryIO, length: int, path: Path) -> None:
        """Cut a file that is open for writing."""
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
    """Let `system` make the calls within a block, with a clean slate as to failures."""
    before = _State.system, _State.failure
    _State.system, _State.failure = system, None
    try:
        yield
    finally:
        _State.system, _State.failure = before


def aside_name(path: Path) -> Path:
    """Return a fresh name beside `path` under which its next content is written."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}{ASIDE_SUFFIX}")


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
    """Make the bytes of an open file durable; FatalError if that failed, and nothing may go on."""
    refuse_after_failure()
    try:
        _State.system.fsync(descriptor, path)
    except OSError as error:
        raise _fatal(path, "could not be made durable", error) from error


def commit(commit: Commit, path: Path) -> None:
    """Commit a transaction of the database `path`; FatalError if that failed, for it may have happened."""
    refuse_after_failure()
    try:
        _State.system.commit(commit, path)
    except ShowcostError:
        raise
    except Exception as error:
        raise _fatal(path, "may or may not have committed", error) from error


@contextmanager
def transaction(connection: Database, path: Path) -> Iterator[None]:
    """Do what is in the block as one transaction of the database `path`: all of it, or nothing.

    FatalError if the commit failed, for it may have happened.
    """
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    commit(connection.commit, path)


def write(stream: BinaryIO, data: bytes, path: Path) -> None:
    """Hand bytes to the operating system; StorageError if it does not take them."""
    refuse_after_failure()
    try:
        _State.system.write(stream, data, path)
    except OSError as error:
        raise _refused(path, error) from error


def truncate(stream: BinaryIO, length: int, path: Path) -> None:
    """Cut an open file to `length` bytes; StorageError if that fails."""
    refuse_after_failure()
    try:
        _State.system.truncate(stream, length, path)
    except OSError as error:
        raise _refused(path, error) from error


def append_at(path: Path, length: int, data: bytes) -> None:
    """Let `data` follow the first `length` bytes of a file, durably; the file is made if it is not there.

    What is beyond them, torn off by a crash or a full disk, is cut: never left in the middle.
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
    """Give a file its name, in place of what had it; StorageError if that fails."""
    refuse_after_failure()
    try:
        _State.system.rename(source, target)
    except OSError as error:
        raise _refused(target, error) from error


def unlink(path: Path) -> None:
    """Remove a file, if it is there; StorageError if that fails."""
    refuse_after_failure()
    try:
        _State.system.unlink(path)
    except OSError as error:
        raise _refused(path, error) from error


def refuse_after_failure() -> None:
    """Raise FatalError if an fsync or a commit has failed in this process."""
    if _State.failure is not None:
        raise FatalError(_State.failure)


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data` in one step; the bytes are durable, the name is after `fsync_folder`.

    Callers that write many files of a folder fsync the folder once, at the end.
    """
    aside = aside_name(path)
    try:
        with aside.open("xb") as stream:
            write(stream, data, aside)
            fsync(stream.fileno(), aside)
        rename(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_durably(path: Path, data: bytes) -> None:
    """Give `path` the content `data` in one step, durably, name included."""
    replace_file(path, data)
    fsync_folder(path.parent)


def produce_aside(path: Path, make: Callable[[Path], object]) -> Path:
    """Let `make` write a file beside `path`, make its bytes durable and return its name, still to be given.

    The caller renames it, or removes it when it does not want it.
    """
    aside = aside_name(path)
    refuse_after_failure()
    try:
        try:
            _State.system.produce(make, aside)
        except OSError as error:
            raise _refused(aside, error) from error
        fsync_file(aside)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably: an fsynced file in a folder that is lost is lost too."""
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
        f"{path}: it {what} ({_reason(error)}); this process writes nothing more: see to the disk, then run"
        " the same command again, which recovers what was under way"
    )
    return FatalError(_State.failure)


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: it could not be written ({_reason(error)}); see to the disk, then run the command again"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
