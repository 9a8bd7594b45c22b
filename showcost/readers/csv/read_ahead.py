"""Background work on whole blocks: later blocks are parsed ahead, lines are counted.

Blocks are cut at line ends, and come in the order of the delivery.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from showcost.readers.csv.grammar import count_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from showcost.readers.csv.block_parser import BlockLines, BlockParser

BLOCK: Final = 2**21
TAIL: Final = 2**16
"""Bytes at the end of a file, where a footer may be, that are left to the record parser."""
WORKERS: Final = min(4, os.cpu_count() or 1)
_LINE: Final = 2**16
_HELD: Final = 31 * 2**20


class ReadAhead:
    """Parses the blocks of a file, some of them before they are needed."""

    def __init__(self, parser: BlockParser, path: Path) -> None:
        """Open the file; use as a context manager."""
        self._parser = parser
        self._file = path.open("rb")
        self._size = path.stat().st_size
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="reader")
        self._next: deque[tuple[int, int, Future[BlockLines | None]]] = deque()
        _keep_freed_memory()

    def take(self, position: int, headers: tuple[bytes, ...]) -> tuple[BlockLines | None, int]:
        """Return the lines of the block at `position`, None if left to the record parser, and its end."""
        while self._next and self._next[0][0] != position:
            self._next.popleft()[2].cancel()
        if not self._next:
            self._submit(position, headers)
        while self._next and len(self._next) <= WORKERS and self._next[-1][1] < self._size:
            self._submit(self._next[-1][1], headers)
        _, end, lines = self._next.popleft()
        return lines.result(), end

    def _submit(self, position: int, headers: tuple[bytes, ...]) -> None:
        end = self._end(position)
        self._next.append((position, end, self._workers.submit(self._parse, position, end, headers)))

    def _end(self, position: int) -> int:
        """Return the end of the last complete line of the block at `position`, or of a block without one."""
        stop = min(position + BLOCK, self._size - TAIL)
        if stop <= position + TAIL:
            return self._size
        begin = stop
        while begin > position:
            begin = max(position, begin - _LINE)
            length = self._read(begin, stop).rfind(self._parser.line_end) + 1
            if length:
                return begin + length
        return stop

    def _parse(self, position: int, end: int, headers: tuple[bytes, ...]) -> BlockLines | None:
        if end == self._size:
            return None
        block = self._read(position, end)
        if not block.endswith(self._parser.line_end):
            return None
        # A possible carriage return of CR LF is left to the record parser.
        if self._parser.line_end == b"\r" and self._read(end, end + 1) == b"\n":
            return None
        return self._parser.parse(block, headers)

    def _read(self, begin: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), end - begin, begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.shutdown(cancel_futures=True)
        self._file.close()


def _keep_freed_memory() -> None:
    """Make the allocator keep freed blocks for the next one, instead of returning them to the system.

    The trim threshold of glibc grows with the largest freed allocation.
    """
    np.empty(_HELD, np.uint8)


class LineCount:
    """Counts the lines of a file while it is read, independently of the reading."""

    def __init__(self, path: Path, begin: int, *, lone_cr: bool) -> None:
        """Begin to count from the offset `begin` on; use as a context manager."""
        self._stop = Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="count")
        self._count = self._worker.submit(
            lambda: count_lines(self._unless_stopped(blocks(path, begin)), lone_cr=lone_cr)
        )

    def _unless_stopped(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            if self._stop.is_set():
                return
            yield part

    def result(self) -> int:
        """Return the number of lines of the whole file."""
        return self._count.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._worker.shutdown()


def blocks(path: Path, start: int) -> Iterator[bytes]:
    """Read a file from `start` on, a block at a time."""
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(BLOCK):
            yield block
