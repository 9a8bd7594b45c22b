"""The register of arrivals: which payload came when, for which feed, under which name.

Append-only JSON lines, flushed to disk before an arrival counts. The number of a line is the arrival
number by which earlier and later deliveries are told apart; a payload that comes again gets a line, but
no arrival number of its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from showcost.core.durable import append_at
from showcost.core.errors import IntegrityError
from showcost.core.locking import only_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from showcost.ingest.payloads import Payload

_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Arrival:
    """One line of the register.

    `number` is the 1-based line; `delivery` the sha256 of the payload; `name` the file's name as it was
    dropped (metadata, never a path); `again` says that the feed had this payload before.
    """

    number: int
    feed: str
    delivery: str
    size: int
    name: str
    modified_ns: int
    received_at: str
    again: bool


def _line(arrival: Arrival) -> str:
    return json.dumps(asdict(arrival), ensure_ascii=False) + "\n"


class Register:
    """The append-only register below the folder of raw deliveries; threads may share an instance."""

    def __init__(self, raw: Path, locks: Path) -> None:
        """Use `register.jsonl` in `raw`, guarded by a lock file in `locks`."""
        self._path = raw / "register.jsonl"
        self._lock_path = locks / "register.lock"
        self._known: list[Arrival] = []
        self._delivered: set[tuple[str, str]] = set()
        self._length = 0
        self._guard = Lock()

    def arrivals(self, feed: str | None = None) -> list[Arrival]:
        """Return the arrivals in order, of one feed or of all; a torn last line is not an arrival."""
        return [arrival for arrival in self._read()[0] if feed is None or arrival.feed == feed]

    def deliveries(self, feed: str) -> list[Arrival]:
        """Return the first arrival of each payload of a feed, in order."""
        return [arrival for arrival in self.arrivals(feed) if not arrival.again]

    def add(
        self,
        feed: str,
        payload: Payload,
        name: str,
        modified_ns: int,
        before: Callable[[Arrival], object],
    ) -> Arrival:
        """Append an arrival (`modified_ns` is that of its file) durably and return it.

        `before` is called with it before it is written.
        """
        busy = f"another process has been writing the register for {_WAIT_SECONDS} s; try again"
        with only_one(self._lock_path, busy, wait_seconds=_WAIT_SECONDS):
            known, length = self._read()
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            again = (feed, payload.sha256) in self._delivered
            arrival = Arrival(
                len(known) + 1, feed, payload.sha256, payload.size, name, modified_ns, now, again
            )
            before(arrival)
            append_at(self._path, length, _line(arrival).encode())
        return arrival

    def _read(self) -> tuple[list[Arrival], int]:
        """Return the arrivals and the length in bytes of the whole lines, reading on from where it was.

        A register only grows: one that became shorter was put back from a copy, and is read from its start.
        """
        with self._guard:
            size = self._path.stat().st_size if self._path.exists() else 0
            if size < self._length:
                self._known, self._delivered, self._length = [], set(), 0
            if size > self._length:
                with self._path.open("rb") as stream:
                    stream.seek(self._length)
                    data = stream.read()
                whole = data.rfind(b"\n") + 1
                added = list(self._parsed(data[:whole].splitlines()))
                self._known += added
                self._delivered.update((one.feed, one.delivery) for one in added)
                self._length += whole
            return self._known, self._length

    def _parsed(self, lines: Iterable[bytes]) -> Iterator[Arrival]:
        for number, line in enumerate(lines, start=len(self._known) + 1):
            try:
                arrival = Arrival(**json.loads(line))
            except (ValueError, TypeError):
                raise IntegrityError(
                    f"{self._path}, line {number}: not an arrival; the register is damaged"
                ) from None
            if _line(arrival).encode() != line + b"\n":
                raise self._damaged(number, "it is not written as the register writes")
            if arrival.number != number:
                raise IntegrityError(
                    f"{self._path}, line {number}: numbered {arrival.number}; a line is missing"
                )
            yield arrival

    def _damaged(self, line: int, observed: str) -> IntegrityError:
        return IntegrityError(f"{self._path}, line {line}: {observed}; restore the register from a copy")
