"""Lock files: one process, and in it one thread, at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from showcost.core.durable import make_folder
from showcost.core.errors import StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def exclusive_lock(
    path: Path, busy: str, *, wait_seconds: float, poll_seconds: float = 0.05
) -> Iterator[None]:
    """Hold the lock file `path` within the block; StoreBusyError with the text `busy` after the wait."""
    make_folder(path.parent)
    lock = FileLock(path, timeout=wait_seconds, poll_interval=poll_seconds)
    try:
        lock.acquire()
    except Timeout:
        raise StoreBusyError(busy) from None
    try:
        yield
    finally:
        lock.release()
