"""The append-only log of pay findings; each line is chained to the one before it.

    pay_findings/findings.jsonl

A line records that a finding about a row was made (`open`), that a person dismissed it (`dismissed`, with
who and why), or that it no longer applies (`cleared`), for instance after a correction. So the log keeps
every flag, its date, its cause and the person who answered for it. The findings themselves are made in
`showcost.pay.findings`.
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
class PayFinding:
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
class FindingLine:
    """A line of the log: a finding, its state, the time, and the hash that chains it to the line before.

    `who` and `why` are set when a person decided.
    """

    number: int
    state: str
    at: str
    finding: PayFinding
    chain: str
    who: str | None = None
    why: str | None = None

    def bound(self, before: str) -> FindingLine:
        """Return the line with the hash that chains it to the line before."""
        content = [before, str(self.number), self.state, self.at, *map(_text, asdict(self.finding).values())]
        decided = [] if self.who is None else [self.who, self.why]
        return replace(self, chain=sha256_framed([*content, *decided]))


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


class FindingsStore:
    """The log of pay findings of a data folder."""

    def __init__(self, home: Path) -> None:
        self._path = home / "pay_findings" / "findings.jsonl"
        busy = f"another process has been writing pay findings for {_WAIT_SECONDS} s; try again"
        lock = home / "locks" / "pay_findings.lock"
        self._lock = partial(exclusive_lock, lock, busy, wait_seconds=_WAIT_SECONDS)

    def lines(self) -> list[FindingLine]:
        """Return all lines in order; IntegrityError for one that is not chained to the line before.

        A torn last line was never acknowledged and is ignored.
        """
        return self._file().read_on()

    def current(self, feed: str | None = None, at: datetime | None = None) -> list[PayFinding]:
        """Return the open findings of one feed or all, oldest first.

        With `at`, the findings that were open at the end of that second.
        """
        return self.open_and_dismissed(feed, at)[0]

    def dismissed(self, feed: str | None = None, at: datetime | None = None) -> list[FindingLine]:
        """Return the dismissals of findings that still apply; arguments as for `current`."""
        return self.open_and_dismissed(feed, at)[1]

    def open_and_dismissed(
        self, feed: str | None = None, at: datetime | None = None
    ) -> tuple[list[PayFinding], list[FindingLine]]:
        """Return the results of `current` and `dismissed` from a single read of the log."""
        lines = self.lines()
        if at is not None:
            second = at.replace(microsecond=0)
            lines = [line for line in lines if datetime.fromisoformat(line.at) <= second]
        last = [line for line in _active_lines(lines).values() if feed is None or line.finding.feed == feed]
        waiting = [line.finding for line in last if line.state == OPEN]
        return waiting, [line for line in last if line.state == DISMISSED]

    def dismiss(self, findings: Iterable[str], *, who: str, why: str, now: datetime) -> list[PayFinding]:
        """Record a person's dismissal of open findings; return the findings that were open."""
        return self._change_state(findings, OPEN, DISMISSED, who, why, now)

    def reopen(self, findings: Iterable[str], *, who: str, why: str, now: datetime) -> list[PayFinding]:
        """Reopen dismissed findings; return the findings that were dismissed."""
        return self._change_state(findings, DISMISSED, OPEN, who, why, now)

    def _change_state(
        self, findings: Iterable[str], before: str, after: str, who: str, why: str, now: datetime
    ) -> list[PayFinding]:
        file = self._file()
        with file.writing() as lines:
            active_lines = _active_lines(lines)
            chosen = [active_lines[key] for key in dict.fromkeys(findings) if key in active_lines]
            changed = [line.finding for line in chosen if line.state == before]
            at = now.isoformat(timespec="seconds")
            added = _chained(lines, at, [(after, finding) for finding in changed], who, why)
            file.append(*map(_text_of, added))
        return changed

    def update(
        self, feed: str, dates: tuple[str, str], findings: Iterable[PayFinding], now: datetime
    ) -> tuple[int, int]:
        """Open the new findings of a feed, and clear the findings of these dates that no longer apply.

        `findings` are all that apply to rows dated from `dates[0]` to `dates[1]`. A repeated
        call appends nothing, even after a dismissal. Returns the numbers opened and cleared.
        """
        file = self._file()
        with file.writing() as lines:
            active_lines = _active_lines(lines)
            by_id = {finding.finding_id: finding for finding in findings}
            opened = [finding for key, finding in by_id.items() if key not in active_lines]
            gone = (line.finding for key, line in active_lines.items() if key not in by_id)
            cleared = [
                finding
                for finding in gone
                if finding.feed == feed and dates[0] <= finding.transaction_date <= dates[1]
            ]
            at = now.isoformat(timespec="seconds")
            added = [(OPEN, finding) for finding in opened] + [(CLEARED, finding) for finding in cleared]
            file.append(*map(_text_of, _chained(lines, at, added)))
        return len(opened), len(cleared)

    def _file(self) -> JsonLines[FindingLine]:
        """Return the file at its first line, so that a later change to a line that was read is noticed."""
        return JsonLines(
            self._path,
            _parse,
            entry="the line that was written",
            restore="restore the record of pay findings from a copy",
            hash_of=attrgetter("chain"),
            lock=self._lock,
        )


def _parse(text: bytes, before: Position) -> FindingLine:
    members = json.loads(text)
    line = FindingLine(**(members | {"finding": PayFinding(**members["finding"])}))
    if line.number != before.number + 1 or line.bound(before.hash).chain != line.chain:
        raise ValueError
    return line


def _text_of(line: FindingLine) -> bytes:
    return json.dumps(asdict(line), ensure_ascii=False).encode()


def _active_lines(lines: Iterable[FindingLine]) -> dict[str, FindingLine]:
    """Return the last line of each finding that still applies, open or dismissed, by its id."""
    active_lines: dict[str, FindingLine] = {}
    for line in lines:
        if line.state == CLEARED:
            active_lines.pop(line.finding.finding_id, None)
        else:
            active_lines[line.finding.finding_id] = line
    return active_lines


def _chained(
    lines: list[FindingLine],
    at: str,
    added: list[tuple[str, PayFinding]],
    who: str | None = None,
    why: str | None = None,
) -> Iterator[FindingLine]:
    before = lines[-1].chain if lines else NO_HASH
    for number, (state, finding) in enumerate(added, start=len(lines) + 1):
        line = FindingLine(number, state, at, finding, "", who, why).bound(before)
        before = line.chain
        yield line
