"""The audit log: all events in order, each record chained to the one before and durable before it counts.

    audit/log.jsonl              a record per line
    audit/segments/<kind>-<first 16 hex of its sha256>.parquet
    audit/configurations/<sha256>      the files of the configurations that records name

A line is the canonical JSON of a record: keys sorted, no spaces, characters as themselves. Its `hash` is
the sha256 of the same JSON without the member `hash`; `prev` is the hash of the line before, 64 zeros for
the first. A record that rests on rows names a segment with the sha256 of its bytes and its number of rows;
the segment is durable before the record is written. The log has counts, codes and hashes, no personal data.

A line counts when its line feed is on the disk. Bytes that a crash left after the last line feed are cut
off by the next writer; a whole line is never touched. `audit.transitions` says which record may follow
which, `ledger.recovery` finishes a record whose transaction is missing.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from showcost.audit.clock import BrokenTime, break_between, break_text, last_until, notes
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
"""A value in a record: plain JSON without floats; decimals and dates are text."""

TRANSACTIONAL: Final = frozenset(
    {
        *(
            AuditKind.INTENT,
            AuditKind.FX_PINNED,
            AuditKind.FX_REPINNED,
            AuditKind.DECIDED,
            AuditKind.PERIOD_CLOSED,
            AuditKind.PERIOD_REOPENED,
        ),
        *(AuditKind.ACCRUED, AuditKind.RELEASED, AuditKind.FALLBACK_APPLIED, AuditKind.FALLBACK_RELEASED),
        AuditKind.PLANNED,
    }
)
"""Kinds of record that announce a transaction of the ledger, which stores their number and hash."""

FILES: Final = "files"
"""The fact that names staged files: the sha256 of each, by asset, for the partitions among the subjects."""

CONFIGURATION: Final = "configuration"
"""The fact that names a configuration by its id: recorded, or used by a validation or a posting."""

KEPT: Final = frozenset({AuditKind.RATES_IMPORTED, AuditKind.KEY_ROTATED})
"""Rare kinds of record that are asked for often; they stay in memory."""

_OPENING: Final = b'{"at":"'
"""The first bytes of every line: the keys are sorted."""

LOG: Final = logging.getLogger("showcost.audit")
"""Receives breaks of the clock; without a handler, Python prints them on stderr."""

_NAME_DIGITS: Final = 16
_WAIT_SECONDS: Final = 60.0
_RESTORE: Final = "restore the audit folder from a copy, or check it with `showcost verify`"


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


class AttestedFiles(NamedTuple):
    """The sha256 of the files that records named for a partition: by the last record, and by any."""

    latest: frozenset[str]
    ever: frozenset[str]


class Transaction(NamedTuple):
    """A ledger transaction according to the log: kind and hash of its record, and if it was acknowledged."""

    kind: AuditKind
    hash: str
    acknowledged: bool


@dataclass(frozen=True)
class Record:
    """A line of the log; it changes the state of its `subjects` and requires a state of its `needs`."""

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
    """A difference between stored data and the record: its place, and the problem in one sentence."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def canonical(record: Mapping[str, Fact]) -> bytes:
    """Return the canonical JSON of a record."""
    return json.dumps(
        record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


class AuditLog:
    """The audit log of a data folder.

    `clock` returns an aware time. An instance may be shared between threads, and any number of processes may
    append: each first reads and checks the records that the others have added.
    """

    def __init__(
        self, home: Path, clock: Callable[[], datetime] = utc_now, *, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self.folder = home / "audit"
        self.path = self.folder / "log.jsonl"
        self.segments = self.folder / "segments"
        self.configurations = self.folder / "configurations"
        busy = f"{self.path}: the audit log was locked for more than {wait_seconds:g} s; try again"
        self._lock = partial(
            exclusive_lock, home / "locks" / "audit.lock", busy, wait_seconds=wait_seconds, poll_seconds=0.005
        )
        self._clock = clock
        self._chain = _Chain()
        self._lines = self._file(self._chain)
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

        `at` is the time as the clock says it; a break (`audit.clock`) is recorded and logged. Raises
        IntegrityError for a transition that the state machine does not allow or a damaged log,
        StoreBusyError after the bounded wait, FatalError if the record could not be made durable.
        """
        with self._guard, self._lines.writing():
            return self._append(kind, facts, subjects, needs, segment)

    def append_unless(
        self,
        done: Callable[[], bool],
        kind: AuditKind,
        facts: Mapping[str, Fact],
        *,
        subjects: Iterable[Subject] = (),
    ) -> Record | None:
        """Write a record as `append` does, or nothing if `done` says so: then return None.

        Other processes write nothing between the question and the record.
        """
        with self._guard, self._lines.writing():
            return None if done() else self._append(kind, facts, subjects)

    def _append(
        self,
        kind: AuditKind,
        facts: Mapping[str, Fact],
        subjects: Iterable[Subject],
        needs: Iterable[Subject] = (),
        segment: Segment | None = None,
    ) -> Record:
        subject_texts, need_texts = tuple(map(str, subjects)), tuple(map(str, needs))
        self._check_tail(self._lines)
        self._chain.states.check(kind, subject_texts, need_texts)
        now, before = self._clock().astimezone(UTC), self._chain.at
        broken = None if before is None else break_between(before, now)
        body: dict[str, Fact] = {
            "seq": self._chain.head.seq + 1,
            "at": now.isoformat(timespec="microseconds"),
            "kind": kind.value,
            "subjects": subject_texts,
            "needs": need_texts,
            "facts": facts,
            "segment": None if segment is None else vars(segment),
            "prev": self._chain.head.hash,
        }
        if broken is not None:
            body["clock"] = broken.value
        line = canonical(body | {"hash": sha256_bytes(canonical(body))})
        (record,) = self._lines.append(line)
        if broken is not None and before is not None:
            LOG.warning(break_text(record.seq, before, now))
        return record

    def store_segment(self, kind: AuditKind, rows: pa.Table | Callable[[Path], object]) -> Segment:
        """Store rows durably as a segment: a table, or a function that writes them as Parquet to a path.

        The name is derived from the content: the same rows, written again after a crash, are the same file.
        """
        make_folder(self.segments)

        def write_table(path: Path) -> None:
            pq.write_table(rows, path, compression="zstd", compression_level=1)

        aside = produce_temporary(self.segments / kind.value, rows if callable(rows) else write_table)
        sha256 = sha256_file(aside)
        name = f"{kind.value}-{sha256[:_NAME_DIGITS]}.parquet"
        row_count = pq.read_metadata(aside).num_rows
        rename(aside, self.segments / name)
        fsync_folder(self.segments)
        return Segment(name, sha256, row_count)

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
            return self._chain.head

    def state(self, subject: Subject) -> State:
        """Return the state of a subject."""
        with self._guard:
            self._lines.read_on()
            return self._chain.states.of(subject)

    def records(self, from_seq: int = 1) -> Iterator[Record]:
        """Yield the records from a number on, in order; IntegrityError at the first damaged one."""
        return (record for record in self._file(_Chain()).entries() if record.seq >= from_seq)

    def transactions(self) -> dict[int, Transaction]:
        """Return the recorded transactions of the ledger, by the number of their record."""
        with self._guard:
            self._lines.read_on()
            return {
                seq: Transaction(kind, record_hash, seq in self._chain.acknowledged)
                for seq, (kind, record_hash) in self._chain.transactions.items()
            }

    def committed(self, subject_type: SubjectType) -> set[str]:
        """Return the names of the committed subjects of a type."""
        return self.names(subject_type, State.COMMITTED)

    def names(self, subject_type: SubjectType, state: State) -> set[str]:
        """Return the names of the subjects of a type that are in a state."""
        with self._guard:
            self._lines.read_on()
            return self._chain.states.names(subject_type, state)

    def kept(self, kind: AuditKind) -> list[Record]:
        """Return the records of a kind of `KEPT`, in order, without reading the log again."""
        with self._guard:
            self._lines.read_on()
            return [record for record in self._chain.kept if record.kind is kind]

    def attested(self, asset: str) -> Mapping[str, AttestedFiles]:
        """Return the files that records named for an asset of staged rows, by partition."""
        with self._guard:
            self._lines.read_on()
            return self._chain.files.get(asset, {})

    def configuration(self) -> str:
        """Return the id of the configuration that was recorded last; empty when none was."""
        with self._guard:
            self._lines.read_on()
            return self._chain.configuration

    def now(self) -> datetime:
        """Return the time by the clock of the log, aware."""
        return self._clock()

    def head_at(self, time: datetime) -> Head:
        """Return the last record that was written at or before an aware time.

        InputError if the clocks of the log do not tell, because one of them was wrong then.
        """
        records = list(self.records())
        last = last_until([record.at for record in records], time)
        if isinstance(last, BrokenTime):
            raise InputError(
                f"{time.isoformat()} lies where the clock was wrong: between the audit records {last.first}"
                f" and {last.last}; give the number of a record instead"
            )
        return Head(last, records[last - 1].hash if last else NO_HASH)

    def clock_notes(self) -> list[str]:
        """Return what there is to say about the clocks that wrote the log, a sentence each."""
        return notes([record.at for record in self.records()])

    def time_as_of(self, as_of: int | None) -> datetime:
        """Return the time of an audit record, or now for None; ages as of a record are counted to it."""
        if as_of is None:
            return self.now()
        return next((record.at for record in self.records(max(as_of, 1))), self.now())

    def verify(self, head: str | None = None, *, segments: bool = True) -> list[Discrepancy]:
        """Return the discrepancies of the log, in order; empty when there are none.

        `head` is a hash that somebody wrote down: the log must still contain it. The log is only read.
        """
        findings: list[Discrepancy] = []
        hashes: set[str] = set()
        checked: set[str] = set()
        chain = _Chain()
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
            # The lines after a damaged line can only be checked once it is restored.
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

    def _file(self, chain: _Chain) -> JsonLines[Record]:
        """Return the file at its first line; its records are added to `chain` as they are read."""

        def parse(line: bytes, before: Position) -> Record:
            return chain.add(line, before, file.damaged)

        file = JsonLines(
            self.path,
            parse,
            entry="a record of the audit log",
            restore=_RESTORE,
            hash_of=attrgetter("hash"),
            lock=self._lock,
        )
        return file

    def _check_tail(self, file: JsonLines[Record]) -> None:
        """Raise IntegrityError for bytes after the last line feed that a crash cannot have left there."""
        tail = file.tail()
        if tail and not is_torn(tail, _OPENING):
            raise file.damaged("not a record, and not the beginning of a record")

    def _segment_problem(self, segment: Segment) -> str | None:
        path = self.segments / segment.name
        if not path.is_file():
            return "this segment is recorded, but its file is missing"
        sha256 = sha256_file(path)
        if sha256 != segment.sha256:
            return f"its bytes have the sha256 {sha256}, but {segment.sha256} was recorded"
        return None


@dataclass
class _Chain:
    """The chain as far as it was read: its head, the states of all subjects and the transactions."""

    head: Head = field(default_factory=lambda: Head(0, NO_HASH))
    at: datetime | None = None
    states: States = field(default_factory=States)
    transactions: dict[int, tuple[AuditKind, str]] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    files: dict[str, dict[str, AttestedFiles]] = field(default_factory=dict)
    configuration: str = ""
    kept: list[Record] = field(default_factory=list)

    def add(self, line: bytes, before: Position, damaged: Callable[[str], IntegrityError]) -> Record:
        """Return the record of the next line after checking that it continues the chain."""
        record = _parse(line, before, damaged)
        self.states.check(record.kind, record.subjects, record.needs)
        self.states.move(record.kind, record.subjects)
        self.head, self.at = Head(record.seq, record.hash), record.at
        self._attest(record)
        if record.kind in TRANSACTIONAL:
            self.transactions[record.seq] = record.kind, record.hash
        elif record.kind is AuditKind.COMMITTED:
            self.acknowledged.add(int(str(record.facts["intent"])))
        elif record.kind is AuditKind.CONFIGURED:
            self.configuration = str(record.facts[CONFIGURATION])
        elif record.kind in KEPT:
            self.kept.append(record)
        return record

    def _attest(self, record: Record) -> None:
        """Note the files that a record names: by asset, for each partition or delivery among its subjects."""
        facts: Mapping[str, Any] = record.facts
        files: Mapping[str, Sequence[str]] = facts.get(FILES, {})
        if not files:
            return
        named = [text.partition(":")[2].rpartition("/")[2] for text in record.subjects if _has_rows(text)]
        for asset, hashes in files.items():
            latest = frozenset(hashes)
            of_asset = self.files.setdefault(asset, {})
            for name in named:
                before = of_asset.get(name)
                ever = latest if before is None else before.ever | latest
                of_asset[name] = AttestedFiles(latest, ever)


def _has_rows(subject: str) -> bool:
    """Tell whether a subject is a partition or a delivery, which have staged rows."""
    return subject.startswith((f"{SubjectType.PARTITION}:", f"{SubjectType.DELIVERY}:"))


def _parse(line: bytes, before: Position, damaged: Callable[[str], IntegrityError]) -> Record:
    body = json.loads(line)
    recorded_hash = body.pop("hash")
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
        hash=recorded_hash,
    )
    sha256 = sha256_bytes(canonical(body))
    if sha256 != record.hash or canonical(body | {"hash": recorded_hash}) != line:
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


def parse_as_of(audit: AuditLog, text: str) -> int:
    """Return the number of the audit record that a user gives as `--as-of`.

    `text` is the number of a record (0 for the time before the first), or an ISO 8601 time with its UTC
    offset (`2026-10-12T18:00:00+00:00`), for the last record up to it. Raises InputError for anything else,
    for a missing record, and for a time in the future: records may still be added before it.
    """
    if text.isdecimal():
        seq = int(text)
        if not 0 <= seq <= audit.head().seq:
            raise InputError(f"the audit log has records 1 to {audit.head().seq}, not {text}")
        return seq
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is not a record number or a timestamp; give the number of an audit record, or a time"
            " such as 2026-10-12T18:00:00+00:00"
        ) from None
    if time.tzinfo is None:
        example = time.replace(tzinfo=UTC).isoformat()
        raise InputError(f"the time {text} needs its offset from UTC, such as {example}")
    if time > audit.now():
        raise InputError(f"{text} is in the future; records may still be added before it")
    return audit.head_at(time).seq
