"""The audit log: what happened, in order, each record chained to the one before, durable before it counts.

    audit/log.jsonl              a record per line
    audit/segments/<kind>-<first 16 hex of its sha256>.parquet

A line is the canonical JSON of a record: keys sorted, no spaces, characters as themselves. Its `hash` is
the sha256 of the same JSON without the member `hash`; `prev` is the hash of the line before, 64 zeros for
the first. A record that rests on rows names a segment with the sha256 of its bytes and its number of rows;
the segment is durable before the record is written. The log has counts, codes and hashes, no personal data.

A line counts when its line feed is on the disk. What a crash left after the last line feed is cut off by
the next writer; a whole line is never touched. Which record may follow which is `states`; what is done
about a record without its consequence is `recovery`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from showcost.audit.transitions import AuditKind, State, States, Subject, SubjectType
from showcost.core.durable import fsync_folder, make_folder, produce_temporary, rename
from showcost.core.errors import CheckFailedError, InputError, IntegrityError
from showcost.core.hashing import sha256_bytes, sha256_file
from showcost.core.jsonl import NO_HASH, JsonLines, is_torn
from showcost.core.locking import exclusive_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from showcost.core.jsonl import Position

Fact: TypeAlias = "str | int | bool | Sequence[Fact] | Mapping[str, Fact] | None"
"""What a record may say: plain JSON without floats; decimals and dates are text."""

TRANSACTIONAL: Final = frozenset(
    {
        *(
            AuditKind.INTENT,
            AuditKind.FX_PINNED,
            AuditKind.DECIDED,
            AuditKind.PERIOD_CLOSED,
            AuditKind.PERIOD_REOPENED,
        ),
        *(AuditKind.ACCRUED, AuditKind.RELEASED, AuditKind.FALLBACK_APPLIED, AuditKind.FALLBACK_RELEASED),
    }
)
"""Kinds of record that have a transaction of the ledger, which carries their number and hash."""

_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)

_OPENING: Final = b'{"at":"'
"""The first bytes of every line: the keys are sorted."""

_NAME_DIGITS: Final = 16
_WAIT_SECONDS: Final = 60.0
_RESTORE: Final = "restore the audit folder from a copy, or have it examined with `showcost verify`"


@dataclass(frozen=True)
class Segment:
    """Rows that a record rests on: a Parquet file, its sha256 and its number of rows."""

    name: str
    sha256: str
    rows: int


class Head(NamedTuple):
    """The last record: its number (0 when there is none) and hash."""

    seq: int
    hash: str


class Transaction(NamedTuple):
    """A transaction of the ledger as the log has it: what announced it, and whether it was acknowledged."""

    kind: AuditKind
    hash: str
    acknowledged: bool


@dataclass(frozen=True)
class Record:
    """A line of the log; `subjects` are what it moves, `needs` what it builds upon (see `states`)."""

    seq: int
    at: datetime
    kind: AuditKind
    subjects: tuple[str, ...]
    needs: tuple[str, ...]
    facts: Mapping[str, Fact]
    segment: Segment | None
    prev: str
    hash: str


@dataclass(frozen=True)
class Discrepancy:
    """Something that is not as it was recorded: where, and what is wrong there, as one sentence."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


def utc_now() -> datetime:
    """Return the time of day, in UTC."""
    return datetime.now(UTC)


def canonical(record: Mapping[str, Fact]) -> bytes:
    """Return the canonical JSON of a record."""
    return json.dumps(
        record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


class AuditLog:
    """The audit log of a data folder.

    `clock` gives an aware time. An instance may be shared between threads, and any number of processes may
    append: each first reads what the others have added, and checks it.
    """

    def __init__(
        self, home: Path, clock: Callable[[], datetime] = utc_now, *, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self.folder = home / "audit"
        self.path = self.folder / "log.jsonl"
        self.segments = self.folder / "segments"
        busy = f"{self.path}: others held the audit log for more than {wait_seconds:g} s; try again"
        self._lock = partial(
            exclusive_lock, home / "locks" / "audit.lock", busy, wait_seconds=wait_seconds, poll_seconds=0.005
        )
        self._clock = clock
        self._seen = _Seen()
        self._lines = self._file(self._seen)
        self._guard = RLock()

    def append(
        self,
        kind: AuditKind,
        facts: Mapping[str, Fact],
        *,
        subjects: Iterable[Subject] = (),
        needs: Iterable[Subject] = (),
        segment: Segment | None = None,
    ) -> Record:
        """Write a record and return it once it is durable.

        `at` never runs backwards: a clock that was set back repeats the last time. Raises IntegrityError
        for a move that the state machine does not allow or a log that is damaged, StoreBusyError after the
        bounded wait, FatalError if the record could not be made durable.
        """
        moved, built_on = tuple(map(str, subjects)), tuple(map(str, needs))
        with self._guard, self._lines.writing():
            self._check_tail(self._lines)
            self._seen.states.check(kind, moved, built_on)
            body: dict[str, Fact] = {
                "seq": self._seen.head.seq + 1,
                "at": max(self._clock().astimezone(UTC), self._seen.at).isoformat(timespec="microseconds"),
                "kind": kind.value,
                "subjects": moved,
                "needs": built_on,
                "facts": facts,
                "segment": None if segment is None else vars(segment),
                "prev": self._seen.head.hash,
            }
            line = canonical(body | {"hash": sha256_bytes(canonical(body))})
            (record,) = self._lines.append(line)
            return record

    def store_segment(self, kind: AuditKind, rows: pa.Table | Callable[[Path], object]) -> Segment:
        """Keep rows as a segment, durably: a table, or a function that writes them as Parquet to a path.

        The name follows from the content: the same rows, written again after a crash, are the same file.
        """
        make_folder(self.segments)

        def write_table(path: Path) -> None:
            pq.write_table(rows, path, compression="zstd", compression_level=1)

        aside = produce_temporary(self.segments / kind.value, rows if callable(rows) else write_table)
        sha256 = sha256_file(aside)
        name = f"{kind.value}-{sha256[:_NAME_DIGITS]}.parquet"
        counted = pq.read_metadata(aside).num_rows
        rename(aside, self.segments / name)
        fsync_folder(self.segments)
        return Segment(name, sha256, counted)

    def segment_path(self, segment: Segment) -> Path:
        """Return the file of a segment after checking its bytes; IntegrityError when they differ."""
        path = self.segments / segment.name
        if problem := self._segment_problem(segment):
            raise IntegrityError(f"{path}: {problem}; {_RESTORE}")
        return path

    def head(self) -> Head:
        """Return the number and hash of the last record."""
        with self._guard:
            self._lines.read_on()
            return self._seen.head

    def state(self, subject: Subject) -> State:
        """Return where a subject stands."""
        with self._guard:
            self._lines.read_on()
            return self._seen.states.of(subject)

    def records(self, from_seq: int = 1) -> Iterator[Record]:
        """Yield the records from a number on, in order; IntegrityError at the first damaged one."""
        return (record for record in self._file(_Seen()).entries() if record.seq >= from_seq)

    def transactions(self) -> dict[int, Transaction]:
        """Return the transactions of the ledger that were announced, by the number of their record."""
        with self._guard:
            self._lines.read_on()
            return {
                seq: Transaction(kind, found, seq in self._seen.acknowledged)
                for seq, (kind, found) in self._seen.announced.items()
            }

    def committed(self, of: SubjectType) -> set[str]:
        """Return the names of the subjects of a sort that are committed."""
        with self._guard:
            self._lines.read_on()
            return self._seen.states.names(of, State.COMMITTED)

    def now(self) -> datetime:
        """Return the time by the clock of the log, aware."""
        return self._clock()

    def at_moment(self, moment: datetime) -> Head:
        """Return the last record that was written at or before an aware moment."""
        found = Head(0, NO_HASH)
        for record in self.records():
            if record.at > moment:
                break
            found = Head(record.seq, record.hash)
        return found

    def time_as_of(self, as_of: int | None) -> datetime:
        """Return when a record was written, so that what counts from then stays as it was; or now."""
        if as_of is None:
            return self.now()
        return next((record.at for record in self.records(max(as_of, 1))), self.now())

    def verify(self, head: str | None = None, *, segments: bool = True) -> list[Discrepancy]:
        """Return what is wrong with the log, in order; empty when all is well.

        `head` is a hash that somebody wrote down: the log must still contain it. The log is only read.
        """
        findings: list[Discrepancy] = []
        hashes: set[str] = set()
        checked: set[str] = set()
        chain = _Seen()
        file = self._file(chain)
        try:
            for record in file.entries():
                hashes.add(record.hash)
                if segments and record.segment is not None and record.segment.name not in checked:
                    checked.add(record.segment.name)
                    if problem := self._segment_problem(record.segment):
                        place = f"audit/segments/{record.segment.name} (record {record.seq})"
                        findings.append(Discrepancy(place, problem))
            self._check_tail(file)
        except IntegrityError as error:
            # The lines after a damaged one can only be checked once that one is restored.
            place = f"audit/log.jsonl, line {file.position.number + 1}"
            findings.append(Discrepancy(place, str(error).split(": ", 1)[1]))
        if head is not None and head not in hashes:
            findings.append(
                Discrepancy(
                    "audit/log.jsonl",
                    f"no record has the head {head}; the log ends with record {chain.head.seq},"
                    f" {chain.head.hash}",
                )
            )
        return findings

    def _file(self, seen: _Seen) -> JsonLines[Record]:
        """Return the file at its first line; `seen` takes in the records."""

        def taken(line: bytes, before: Position) -> Record:
            return seen.take(line, before, file.damaged)

        file = JsonLines(
            self.path,
            taken,
            entry="a record of the audit log",
            restore=_RESTORE,
            hash_of=attrgetter("hash"),
            lock=self._lock,
        )
        return file

    def _check_tail(self, file: JsonLines[Record]) -> None:
        """Leave bytes that a crash cannot have left after the last line feed for a person to see."""
        tail = file.tail()
        if tail and not is_torn(tail, _OPENING):
            raise file.damaged("not a record, and not the beginning of one either")

    def _segment_problem(self, segment: Segment) -> str | None:
        path = self.segments / segment.name
        if not path.is_file():
            return "this segment is recorded but is not there"
        found = sha256_file(path)
        if found != segment.sha256:
            return f"its bytes have the sha256 {found}, recorded is {segment.sha256}"
        return None


@dataclass
class _Seen:
    """The chain as far as it was read: its head and the states."""

    head: Head = field(default_factory=lambda: Head(0, NO_HASH))
    at: datetime = _BEGINNING
    states: States = field(default_factory=States)
    announced: dict[int, tuple[AuditKind, str]] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)

    def take(self, line: bytes, before: Position, damaged: Callable[[str], IntegrityError]) -> Record:
        """Return the record of the next line once it is found to continue the chain."""
        record = _parsed(line, before, damaged)
        self.states.check(record.kind, record.subjects, record.needs)
        self.states.move(record.kind, record.subjects)
        self.head, self.at = Head(record.seq, record.hash), record.at
        if record.kind in TRANSACTIONAL:
            self.announced[record.seq] = record.kind, record.hash
        elif record.kind is AuditKind.COMMITTED:
            self.acknowledged.add(int(str(record.facts["intent"])))
        return record


def _parsed(line: bytes, before: Position, damaged: Callable[[str], IntegrityError]) -> Record:
    body = json.loads(line)
    recorded = body.pop("hash")
    segment = body["segment"]
    record = Record(
        seq=body["seq"],
        at=datetime.fromisoformat(body["at"]),
        kind=AuditKind(body["kind"]),
        subjects=tuple(body["subjects"]),
        needs=tuple(body["needs"]),
        facts=body["facts"],
        segment=None if segment is None else Segment(**segment),
        prev=body["prev"],
        hash=recorded,
    )
    sha256 = sha256_bytes(canonical(body))
    if sha256 != record.hash or canonical(body | {"hash": recorded}) != line:
        raise damaged(f"changed, it hashes to {sha256}")
    if record.seq != before.number + 1:
        raise damaged(f"numbered {record.seq}")
    if record.prev != before.hash:
        raise damaged(f"follows {record.prev}, but the record before is {before.hash}")
    return record


def require(findings: Sequence[Discrepancy]) -> None:
    """Raise CheckFailedError with the first finding, if there is one."""
    if findings:
        raise CheckFailedError(str(findings[0]))


def moment_of(audit: AuditLog, text: str) -> int:
    """Return the audit record after which things are as known at a moment.

    `text` is the number of a record, or an ISO 8601 time with its offset (`2026-10-12T18:00:00+00:00`).
    Raises InputError for anything else, a record that there is not, and a time that has not come: what will
    be known then can still change.
    """
    if text.isdecimal():
        seq = int(text)
        if not 0 <= seq <= audit.head().seq:
            raise InputError(f"the audit log has records 1 to {audit.head().seq}, not {text}")
        return seq
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no moment; name the number of an audit record, or a time such as"
            " 2026-10-12T18:00:00+00:00"
        ) from None
    if moment.tzinfo is None:
        example = moment.replace(tzinfo=UTC).isoformat()
        raise InputError(f"the time {text} needs its offset from UTC, such as {example}")
    if moment > audit.now():
        raise InputError(f"{text} has not come yet; what is known then can still change")
    return audit.at_moment(moment).seq
