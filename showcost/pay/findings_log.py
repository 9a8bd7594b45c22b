"""The record of pay findings: appended to, never changed, each line bound to the one before it.

    pay_findings/findings.jsonl

A line says that a finding about a row was made (`open`), that a person looked and leaves it at that
(`dismissed`, with who and why), or that it no longer holds (`cleared`), as when the row was corrected. So
what was flagged, when, by which other row, and who answered for it stays to be seen. What a finding says is
decided in `showcost.pay`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from showcost.core.hashing import sha256_framed
from showcost.core.jsonl import NO_HASH, JsonLines
from showcost.core.locking import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from showcost.core.jsonl import Position

OPEN: Final = "open"
DISMISSED: Final = "dismissed"
CLEARED: Final = "cleared"
_WAIT_SECONDS: Final = 60


@dataclass(frozen=True)
class Finding:
    """A finding about a valid row of a feed, as `showcost.pay.findings.FINDINGS` describes it."""

    finding_id: str
    feed: str
    row_key: str
    delivery: str
    record: int
    content: str
    transaction_date: str
    code: str
    field: str
    told: str
    source: str
    pay_rules: str
    cause: str | None


@dataclass(frozen=True)
class Line:
    """A line of the record: a finding, what became of it, when, and the hash that binds it.

    `who` and `why` are there when a person decided it.
    """

    number: int
    state: str
    at: str
    finding: Finding
    chain: str
    who: str | None = None
    why: str | None = None

    def bound(self, before: str) -> Line:
        """Return the line bound to the one before it."""
        content = [before, str(self.number), self.state, self.at, *map(_text, asdict(self.finding).values())]
        decided = [] if self.who is None else [self.who, self.why]
        return replace(self, chain=sha256_framed([*content, *decided]))


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


class FindingsStore:
    """The record of pay findings below a data folder."""

    def __init__(self, home: Path) -> None:
        self._path = home / "pay_findings" / "findings.jsonl"
        busy = f"another process has been writing pay findings for {_WAIT_SECONDS} s; try again"
        lock = home / "locks" / "pay_findings.lock"
        self._lock = partial(exclusive_lock, lock, busy, wait_seconds=_WAIT_SECONDS)

    def lines(self) -> list[Line]:
        """Return all lines in order; IntegrityError for one that is not bound to the one before it.

        A torn last line was never acknowledged and is none.
        """
        return self._file().read_on()

    def current(self, feed: str | None = None, at: datetime | None = None) -> list[Finding]:
        """Return the findings that are open, of one feed or of all, in the order in which they were made.

        With `at`, those that were open at the end of that second.
        """
        return self.standing(feed, at)[0]

    def dismissed(self, feed: str | None = None, at: datetime | None = None) -> list[Line]:
        """Return the lines by which findings that still hold were dismissed; arguments as for `current`."""
        return self.standing(feed, at)[1]

    def standing(
        self, feed: str | None = None, at: datetime | None = None
    ) -> tuple[list[Finding], list[Line]]:
        """Return what `current` and `dismissed` do, from one reading of the record."""
        lines = self.lines()
        if at is not None:
            second = at.replace(microsecond=0)
            lines = [line for line in lines if datetime.fromisoformat(line.at) <= second]
        last = [line for line in _standing(lines).values() if feed is None or line.finding.feed == feed]
        waiting = [line.finding for line in last if line.state == OPEN]
        return waiting, [line for line in last if line.state == DISMISSED]

    def dismiss(self, findings: Iterable[str], *, who: str, why: str, now: datetime) -> list[Finding]:
        """Append that a person looked at open findings and leaves them; return those that were open."""
        return self._turn(findings, OPEN, DISMISSED, who, why, now)

    def reopen(self, findings: Iterable[str], *, who: str, why: str, now: datetime) -> list[Finding]:
        """Append that dismissed findings wait for a look again; return those that were dismissed."""
        return self._turn(findings, DISMISSED, OPEN, who, why, now)

    def _turn(
        self, findings: Iterable[str], before: str, after: str, who: str, why: str, now: datetime
    ) -> list[Finding]:
        file = self._file()
        with file.writing() as lines:
            standing = _standing(lines)
            known = [standing[key] for key in dict.fromkeys(findings) if key in standing]
            turned = [line.finding for line in known if line.state == before]
            at = now.isoformat(timespec="seconds")
            added = _bound(lines, at, [(after, finding) for finding in turned], who, why)
            file.append(*map(_text_of, added))
        return turned

    def settle(
        self, feed: str, dates: tuple[str, str], found: Iterable[Finding], now: datetime
    ) -> tuple[int, int]:
        """Append what is new among the findings of a feed's rows, and that others of these dates are cleared.

        `found` are all findings that hold for rows dated from `dates[0]` to `dates[1]`. The same again
        appends nothing, dismissed or not. Returns how many were opened and cleared.
        """
        file = self._file()
        with file.writing() as lines:
            standing = _standing(lines)
            wanted = {one.finding_id: one for one in found}
            opened = [one for key, one in wanted.items() if key not in standing]
            held = (line.finding for key, line in standing.items() if key not in wanted)
            cleared = [
                one for one in held if one.feed == feed and dates[0] <= one.transaction_date <= dates[1]
            ]
            at = now.isoformat(timespec="seconds")
            added = [(OPEN, one) for one in opened] + [(CLEARED, one) for one in cleared]
            file.append(*map(_text_of, _bound(lines, at, added)))
        return len(opened), len(cleared)

    def _file(self) -> JsonLines[Line]:
        """Return the file at its first line, so that a later change to a line that was read is noticed."""
        return JsonLines(
            self._path,
            _parsed,
            entry="the line that was written",
            restore="restore the record of pay findings from a copy",
            hash_of=attrgetter("chain"),
            lock=self._lock,
        )


def _parsed(text: bytes, before: Position) -> Line:
    members = json.loads(text)
    line = Line(**(members | {"finding": Finding(**members["finding"])}))
    if line.number != before.number + 1 or line.bound(before.hash).chain != line.chain:
        raise ValueError
    return line


def _text_of(line: Line) -> bytes:
    return json.dumps(asdict(line), ensure_ascii=False).encode()


def _standing(lines: Iterable[Line]) -> dict[str, Line]:
    """Return the last lines about the findings that hold, open or dismissed, by their ids."""
    standing: dict[str, Line] = {}
    for line in lines:
        if line.state == CLEARED:
            standing.pop(line.finding.finding_id, None)
        else:
            standing[line.finding.finding_id] = line
    return standing


def _bound(
    lines: list[Line],
    at: str,
    added: list[tuple[str, Finding]],
    who: str | None = None,
    why: str | None = None,
) -> Iterator[Line]:
    before = lines[-1].chain if lines else NO_HASH
    for number, (state, finding) in enumerate(added, start=len(lines) + 1):
        line = Line(number, state, at, finding, "", who, why).bound(before)
        before = line.chain
        yield line
