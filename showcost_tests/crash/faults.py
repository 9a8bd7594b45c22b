"""Faults at numbered points: every write, fsync, rename, removal and commit of showcost."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from showcost.core.durable import System

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO


class Fault(StrEnum):
    """The fault at the chosen point."""

    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    KILL_HALFWAY = "kill halfway"
    """Half of the bytes are written; only of writes."""
    EIO = "EIO"
    """The call does nothing and fails."""
    EIO_AFTER = "EIO after"
    """The call succeeds, but reports a failure; only of fsyncs and commits."""
    ENOSPC = "ENOSPC"
    """The disk is full: a write stores half of its bytes."""


ERRORS = {Fault.EIO: errno.EIO, Fault.EIO_AFTER: errno.EIO, Fault.ENOSPC: errno.ENOSPC}


def possible(action: str) -> tuple[Fault, ...]:
    """Return the faults that an action can have."""
    every = [Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.EIO, Fault.ENOSPC]
    if action == "write":
        every.append(Fault.KILL_HALFWAY)
    if action in {"fsync", "commit"}:
        every.append(Fault.EIO_AFTER)
    return tuple(every)


@dataclass
class FaultySystem(System):
    """Numbers the calls from 1, and causes `fault` at `point` after a report to `tell`.

    Without a point it only counts. `after` is the number of calls after the fault.
    """

    point: int = 0
    fault: Fault = Fault.KILL_BEFORE
    tell: Callable[[str], None] = print
    calls: list[tuple[str, str]] = field(default_factory=list)

    @property
    def after(self) -> int:
        return max(0, len(self.calls) - self.point) if self.point else 0

    def write(self, stream: BinaryIO, data: bytes, path: Path) -> None:
        def half() -> None:
            System.write(self, stream, data[: len(data) // 2], path)

        self._call("write", path, lambda: System.write(self, stream, data, path), half)

    def produce(self, make: Callable[[Path], object], path: Path) -> None:
        self._call("produce", path, lambda: System.produce(self, make, path))

    def fsync(self, descriptor: int, path: Path) -> None:
        self._call("fsync", path, lambda: System.fsync(self, descriptor, path))

    def rename(self, source: Path, target: Path) -> None:
        self._call("rename", target, lambda: System.rename(self, source, target))

    def unlink(self, path: Path) -> None:
        self._call("unlink", path, lambda: System.unlink(self, path))

    def truncate(self, stream: BinaryIO, length: int, path: Path) -> None:
        self._call("truncate", path, lambda: System.truncate(self, stream, length, path))

    def commit(self, commit: Callable[[], object], path: Path) -> None:
        self._call("commit", path, lambda: System.commit(self, commit, path))

    def _call(
        self, action: str, path: Path, work: Callable[[], None], half: Callable[[], None] | None = None
    ) -> None:
        self.calls.append((action, path.name))
        if len(self.calls) != self.point:
            work()
            return
        self.tell(f"{action} {path.name}")
        if self.fault in {Fault.KILL_AFTER, Fault.EIO_AFTER}:
            work()
        elif half is not None and self.fault in {Fault.KILL_HALFWAY, Fault.ENOSPC}:
            half()
        if self.fault in ERRORS:
            number = ERRORS[self.fault]
            raise OSError(number, os.strerror(number))
        os.kill(os.getpid(), signal.SIGKILL)
