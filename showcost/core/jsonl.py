"""Append-only JSON Lines file: a line counts once its line feed is on the disk.

A crash may leave part of a line after the last line feed. Readers skip it and the next writer cuts it off; a
whole line is never touched. The content of the lines is the business of their owners.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from showcost.core.durable import append_at
from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

NO_HASH: Final = "0" * 64
"""The hash before the first line of a chained file."""

Entry = TypeVar("Entry")


class Position(NamedTuple):
    """The end of some whole lines: their count, the hash of the last (in a chained file), their bytes."""

    number: int = 0
    hash: str = NO_HASH
    length: int = 0


class JsonLines(Generic[Entry]):
    """One append-only file and the position up to which it was read; threads may share an instance.

    `parse` gets every line once, in order and without its line feed, with the position before it. For a
    line that is not `entry` (such as "an arrival") it raises ValueError, KeyError, TypeError or
    AttributeError; for one that is wrong in another way, the error that `damaged` returns. Both end in an
    IntegrityError that names the line and says how to `restore` the file. In a chained file `hash_of` returns
    the hash of an entry, and `parse` checks that the entry builds on the hash of the position before it.

    A file that became shorter than the position is damaged too, unless `forget` is given: it drops all
    entries taken from the file, which is then read from its first line.

    `lock` keeps out the other processes that write the file. Without it the caller does so, from the first
    reading on.
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[bytes, Position], Entry],
        *,
        entry: str,
        restore: str,
        hash_of: Callable[[Entry], str] | None = None,
        forget: Callable[[], object] | None = None,
        lock: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.path = path
        self.position = Position()
        self._parse = parse
        self._entry = entry
        self._restore = restore
        self._hash_of = hash_of
        self._forget = forget
        self._lock = lock
        self._guard = RLock()

    def entries(self) -> Iterator[Entry]:
        """Yield the entries that were not read yet, each once the position is behind it.

        For one thread at a time; `read_on` is for instances that are shared.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            stream.seek(self.position.length)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                yield self._take(line)

    def read_on(self) -> list[Entry]:
        """Return the entries that were not read yet."""
        with self._guard:
            size = self._size()
            # Asked many times for each date: most of the time nothing was added.
            if size == self.position.length:
                return []
            if size < self.position.length:
                self._start_again()
            return list(self.entries())

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _start_again(self) -> None:
        if self._forget is None:
            gone = "became shorter" if self.path.exists() else "is missing"
            raise IntegrityError(f"{self.path}: the file {gone} after it was read; {self._restore}")
        self._forget()
        self.position = Position()

    def tail(self) -> bytes:
        """Return the bytes after the position; after a reading, those that follow the last line feed."""
        if not self.path.exists():
            return b""
        with self.path.open("rb") as stream:
            stream.seek(self.position.length)
            return stream.read()

    @contextmanager
    def writing(self) -> Iterator[list[Entry]]:
        """Keep other writers out; yield the entries that they appended since the last reading."""
        with self._lock():
            yield self.read_on()

    def append(self, *lines: bytes) -> list[Entry]:
        """Append lines after the position, durably and in one write; return their entries."""
        if not lines:
            return []
        whole = [line + b"\n" for line in lines]
        with self._guard:
            append_at(self.path, self.position.length, b"".join(whole))
            return [self._take(line) for line in whole]

    def damaged(self, problem: str) -> IntegrityError:
        """Return the error for a problem with the line after the position."""
        return IntegrityError(f"{self.path}, line {self.position.number + 1}: {problem}; {self._restore}")

    def _take(self, line: bytes) -> Entry:
        before = self.position
        try:
            entry = self._parse(line[:-1], before)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self.damaged(f"not {self._entry}") from None
        content_hash = NO_HASH if self._hash_of is None else self._hash_of(entry)
        self.position = Position(before.number + 1, content_hash, before.length + len(line))
        return entry


def is_torn(tail: bytes, opening: bytes) -> bool:
    """Tell whether bytes without a line feed can be the beginning of a line; lines begin with `opening`.

    A whole object without its line feed can be; a whole object with anything after it cannot.
    """
    if not tail.startswith(opening[: len(tail)]):
        return False
    try:
        text = tail.decode()
    except UnicodeDecodeError as error:
        # Cut within a character, at the very end, is torn; a wrong byte before it is damage.
        return error.reason == "unexpected end of data"
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return True
    return end == len(text)
