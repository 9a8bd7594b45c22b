"""The register of arrivals: payload, time, feed and file name of each delivery.

Append-only JSON lines, flushed to disk before an arrival counts. The number of a line is the arrival
number, which orders the deliveries; a payload that arrives again gets a line too, marked `again`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from showcost.core.jsonl import JsonLines
from showcost.core.locking import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost.core.jsonl import Position
    from showcost.deliveries.payloads import Payload

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


def _line(arrival: Arrival) -> bytes:
    return json.dumps(asdict(arrival), ensure_ascii=False).encode()


class Register:
    """The append-only register below the folder of raw deliveries; threads may share an instance."""

    def __init__(self, raw: Path, locks: Path) -> None:
        """Use `register.jsonl` in `raw`, guarded by a lock file in `locks`."""
        busy = f"another process has been writing the register for {_WAIT_SECONDS} s; try again"
        self._lines = JsonLines(
            raw / "register.jsonl",
            self._take,
            entry="an arrival",
            restore="restore the register from a copy",
            forget=self._forget,
            lock=partial(exclusive_lock, locks / "register.lock", busy, wait_seconds=_WAIT_SECONDS),
        )
        self._arrivals: list[Arrival] = []
        self._delivered: set[tuple[str, str]] = set()
        self._files: set[tuple[str, str, str, int]] = set()

    def arrivals(self, feed: str | None = None) -> list[Arrival]:
        """Return the arrivals in order, of one feed or of all; a torn last line is not an arrival."""
        self._lines.read_on()
        return [arrival for arrival in self._arrivals if feed is None or arrival.feed == feed]

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
        with self._lines.writing():
            return self._append(feed, payload, name, modified_ns, before)

    def add_file(
        self,
        feed: str,
        payload: Payload,
        name: str,
        modified_ns: int,
        before: Callable[[Arrival], object],
    ) -> Arrival | None:
        """Append the arrival of a file in the inbox, as `add` does.

        Returns None if another process has taken the file meanwhile: one of this name, time and bytes.
        """
        with self._lines.writing():
            if (feed, payload.sha256, name, modified_ns) in self._files:
                return None
            return self._append(feed, payload, name, modified_ns, before)

    def _append(
        self,
        feed: str,
        payload: Payload,
        name: str,
        modified_ns: int,
        before: Callable[[Arrival], object],
    ) -> Arrival:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        again = (feed, payload.sha256) in self._delivered
        arrival = Arrival(
            len(self._arrivals) + 1, feed, payload.sha256, payload.size, name, modified_ns, now, again
        )
        before(arrival)
        self._lines.append(_line(arrival))
        return arrival

    def _forget(self) -> None:
        """Drop the arrivals: a register only grows, so a shorter one was restored from a copy."""
        self._arrivals, self._delivered, self._files = [], set(), set()

    def _take(self, line: bytes, before: Position) -> Arrival:
        arrival = Arrival(**json.loads(line))
        if _line(arrival) != line:
            raise self._lines.damaged("not in the format of the register")
        if arrival.number != before.number + 1:
            raise self._lines.damaged(f"numbered {arrival.number}, so a line is missing")
        self._arrivals.append(arrival)
        self._delivered.add((arrival.feed, arrival.delivery))
        self._files.add((arrival.feed, arrival.delivery, arrival.name, arrival.modified_ns))
        return arrival
