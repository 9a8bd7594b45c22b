"""A file of JSON lines that only grows: a line counts once its line feed is on the disk.

What a crash tore off behind the last line feed is cut by the next writer. What the lines say is the business
of their owners.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from showcost.core.durable import append_at
from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Lines:
    """The lines of a file; one process writes it at a time, its threads share the instance."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = Lock()
        self._length = 0

    def read(self) -> list[bytes]:
        """Return the whole lines, and note how far they reach."""
        with self._guard:
            data = self.path.read_bytes() if self.path.exists() else b""
            self._length = data.rfind(b"\n") + 1
            return data[: self._length].splitlines()

    def each(self, take: Callable[[bytes], object], problem: str) -> None:
        """Hand over the lines; IntegrityError, naming the line and the problem, for one that is not taken.

        `take` raises ValueError or TypeError for a line that is none of its own.
        """
        for number, line in enumerate(self.read(), start=1):
            try:
                take(line)
            except (ValueError, TypeError):
                raise IntegrityError(f"{self.path}, line {number}: {problem}") from None

    def append(self, line: bytes) -> None:
        """Add a line, durably."""
        with self._guard:
            append_at(self.path, self._length, line + b"\n")
            self._length += len(line) + 1
