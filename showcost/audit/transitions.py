"""The kinds of audit record, and the state machine that says which may follow which.

Each record moves its subjects: a delivery, a partition of a feed, a batch, a snapshot, a period, a row, a
publication. `MACHINE` lists every allowed move; whatever is not in it raises. The diagram in
docs/audit.md is drawn from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class AuditKind(StrEnum):
    """What an audit record says."""

    DELIVERY_RECEIVED = "delivery_received"
    RECORDS_READ = "records_read"
    DEAD_LETTERED = "dead_lettered"
    REPLAYED = "replayed"
    VALIDATED = "validated"
    DECIDED = "decided"
    FX_PINNED = "fx_pinned"
    ACCRUED = "accrued"
    RELEASED = "released"
    FALLBACK_APPLIED = "stood_in"
    FALLBACK_RELEASED = "gave_way"
    INTENT = "intent"
    COMMITTED = "committed"
    RECOVERED = "recovered"
    PERIOD_CLOSED = "period_closed"
    PERIOD_REOPENED = "period_reopened"
    SNAPSHOT_PUBLISHED = "snapshot_published"
    PAYLOAD_SHREDDED = "payload_shredded"


class SubjectType(StrEnum):
    """What a subject is."""

    DELIVERY = "delivery"
    PARTITION = "partition"
    BATCH = "batch"
    SNAPSHOT = "snapshot"
    PERIOD = "period"
    ROW = "row"
    PUBLICATION = "publication"
    ACCRUAL = "accrual"
    FALLBACK = "stand_in"


class State(StrEnum):
    """Where a subject stands; what no record has moved yet is NEW."""

    NEW = "new"
    RECEIVED = "received"
    READ = "read"
    DEAD = "dead-lettered"
    SHREDDED = "shredded"
    VALIDATED = "validated"
    INTENT = "intent"
    COMMITTED = "committed"
    PINNED = "pinned"
    CLOSED = "closed"
    OPEN = "open"
    DECIDED = "decided"
    REPLAYED = "replayed"
    PUBLISHED = "published"
    ACCRUED = "accrued"
    RELEASED = "released"
    STANDING_IN = "standing-in"
    GIVEN_WAY = "given-way"


class Subject(NamedTuple):
    """What a record is about: in the log it is written `of:name`."""

    of: SubjectType
    name: str

    def __str__(self) -> str:
        return f"{self.of}:{self.name}"


def delivery(sha256: str) -> Subject:
    """Return a delivery, by the sha256 of its payload."""
    return Subject(SubjectType.DELIVERY, sha256)


def partition(feed: str, date: object) -> Subject:
    """Return a partition of a feed; `date` is its transaction date, or `all` for the undated rows."""
    return Subject(SubjectType.PARTITION, f"{feed}/{date}")


def batch(batch_id: str) -> Subject:
    """Return a batch of entries."""
    return Subject(SubjectType.BATCH, batch_id)


def snapshot(date: object) -> Subject:
    """Return the FX snapshot of a date."""
    return Subject(SubjectType.SNAPSHOT, str(date))


def period(name: str) -> Subject:
    """Return an accounting period."""
    return Subject(SubjectType.PERIOD, name)


def row(row_id: str) -> Subject:
    """Return a row of the reconciliation queue."""
    return Subject(SubjectType.ROW, row_id)


def publication(name: str) -> Subject:
    """Return a published report or lender snapshot."""
    return Subject(SubjectType.PUBLICATION, name)


def accrual(accrual_id: str) -> Subject:
    """Return a provisional accrual."""
    return Subject(SubjectType.ACCRUAL, accrual_id)


def fallback(feed: str, date: object) -> Subject:
    """Return what stands in for a date of a feed while its vendor does not give it."""
    return Subject(SubjectType.FALLBACK, f"{feed}/{date}")


def parse(text: str) -> Subject:
    """Return the subject that the log writes as `of:name`; ValueError if it is none."""
    of, _, name = text.partition(":")
    return Subject(SubjectType(of), name)


Transitions = dict[State, State]

MACHINE: Final[Mapping[tuple[SubjectType, AuditKind], Transitions]] = {
    # A payload that comes again is received again; a feed that was corrected is read again.
    (SubjectType.DELIVERY, AuditKind.DELIVERY_RECEIVED): {
        State.NEW: State.RECEIVED,
        State.RECEIVED: State.RECEIVED,
        State.READ: State.READ,
        State.DEAD: State.DEAD,
    },
    (SubjectType.DELIVERY, AuditKind.RECORDS_READ): {State.RECEIVED: State.READ, State.READ: State.READ},
    (SubjectType.DELIVERY, AuditKind.DEAD_LETTERED): {
        State.NEW: State.DEAD,
        State.RECEIVED: State.DEAD,
        State.READ: State.DEAD,
        State.DEAD: State.DEAD,
    },
    # Again after a crash between the record and what it is about.
    (SubjectType.DELIVERY, AuditKind.REPLAYED): {State.DEAD: State.RECEIVED, State.RECEIVED: State.RECEIVED},
    (SubjectType.DELIVERY, AuditKind.PAYLOAD_SHREDDED): {
        State.RECEIVED: State.SHREDDED,
        State.READ: State.SHREDDED,
    },
    # One process may validate a partition, or replay a row of it, while another is posting to it: the
    # INTENT stays open until it is committed, by its writer or by the recovery.
    (SubjectType.PARTITION, AuditKind.VALIDATED): {
        State.NEW: State.VALIDATED,
        State.VALIDATED: State.VALIDATED,
        State.INTENT: State.INTENT,
        State.COMMITTED: State.VALIDATED,
    },
    (SubjectType.PARTITION, AuditKind.REPLAYED): {
        State.NEW: State.VALIDATED,
        State.VALIDATED: State.VALIDATED,
        State.INTENT: State.INTENT,
        State.COMMITTED: State.VALIDATED,
    },
    (SubjectType.PARTITION, AuditKind.INTENT): {
        State.VALIDATED: State.INTENT,
        State.COMMITTED: State.INTENT,
    },
    (SubjectType.PARTITION, AuditKind.RECOVERED): {State.INTENT: State.INTENT},
    (SubjectType.PARTITION, AuditKind.COMMITTED): {State.INTENT: State.COMMITTED},
    (SubjectType.BATCH, AuditKind.INTENT): {State.NEW: State.INTENT},
    (SubjectType.BATCH, AuditKind.RECOVERED): {State.INTENT: State.INTENT},
    (SubjectType.BATCH, AuditKind.COMMITTED): {State.INTENT: State.COMMITTED},
    (SubjectType.SNAPSHOT, AuditKind.FX_PINNED): {State.NEW: State.PINNED},
    (SubjectType.SNAPSHOT, AuditKind.RECOVERED): {State.PINNED: State.PINNED},
    (SubjectType.PERIOD, AuditKind.PERIOD_CLOSED): {State.NEW: State.CLOSED, State.OPEN: State.CLOSED},
    (SubjectType.PERIOD, AuditKind.PERIOD_REOPENED): {State.NEW: State.OPEN, State.CLOSED: State.OPEN},
    (SubjectType.PERIOD, AuditKind.RECOVERED): {State.CLOSED: State.CLOSED, State.OPEN: State.OPEN},
    # A row comes into the queue, new, with the validation of its partition.
    (SubjectType.ROW, AuditKind.DECIDED): {
        State.NEW: State.DECIDED,
        State.DECIDED: State.DECIDED,
        State.REPLAYED: State.DECIDED,
    },
    (SubjectType.ROW, AuditKind.REPLAYED): {
        State.NEW: State.REPLAYED,
        State.DECIDED: State.REPLAYED,
        State.REPLAYED: State.REPLAYED,
    },
    (SubjectType.ROW, AuditKind.RECOVERED): {State.DECIDED: State.DECIDED, State.REPLAYED: State.REPLAYED},
    (SubjectType.PUBLICATION, AuditKind.SNAPSHOT_PUBLISHED): {
        State.NEW: State.PUBLISHED,
        State.PUBLISHED: State.PUBLISHED,
    },
    (SubjectType.ACCRUAL, AuditKind.ACCRUED): {State.NEW: State.ACCRUED},
    (SubjectType.ACCRUAL, AuditKind.RELEASED): {State.ACCRUED: State.RELEASED},
    (SubjectType.ACCRUAL, AuditKind.RECOVERED): {
        State.ACCRUED: State.ACCRUED,
        State.RELEASED: State.RELEASED,
    },
    # What stands in may change while a date is missing, and a date that had come may be missing again.
    (SubjectType.FALLBACK, AuditKind.FALLBACK_APPLIED): {
        State.NEW: State.STANDING_IN,
        State.STANDING_IN: State.STANDING_IN,
        State.GIVEN_WAY: State.STANDING_IN,
    },
    (SubjectType.FALLBACK, AuditKind.FALLBACK_RELEASED): {State.STANDING_IN: State.GIVEN_WAY},
    (SubjectType.FALLBACK, AuditKind.RECOVERED): {
        State.STANDING_IN: State.STANDING_IN,
        State.GIVEN_WAY: State.GIVEN_WAY,
    },
}
"""Per subject and kind of record: from which state it moves the subject, and to which."""

PREREQUISITES: Final[Mapping[tuple[AuditKind, SubjectType], frozenset[State]]] = {
    (AuditKind.VALIDATED, SubjectType.DELIVERY): frozenset({State.READ, State.SHREDDED}),
    (AuditKind.REPLAYED, SubjectType.DELIVERY): frozenset({State.READ, State.SHREDDED}),
    (AuditKind.INTENT, SubjectType.SNAPSHOT): frozenset({State.PINNED}),
}
"""What a record builds upon (its `needs`), and in which states that must be."""


class States:
    """Where every subject stands after the records so far."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}

    def of(self, subject: Subject | str) -> State:
        """Return the state of a subject."""
        return self._states.get(str(subject), State.NEW)

    def names(self, of: SubjectType, state: State) -> set[str]:
        """Return the names of the subjects of a sort that are in a state."""
        start = f"{of}:"
        return {
            text.removeprefix(start)
            for text, found in self._states.items()
            if found is state and text.startswith(start)
        }

    def check(self, kind: AuditKind, subjects: Iterable[str], needs: Iterable[str]) -> None:
        """Raise IntegrityError if a record of this kind may not come now."""
        for text in needs:
            wanted = PREREQUISITES.get((kind, parse(text).of))
            if wanted is None:
                raise IntegrityError(f"audit log: {kind} cannot build upon {text}")
            if self.of(text) not in wanted:
                shown = " or ".join(sorted(wanted))
                raise IntegrityError(
                    f"audit log: {kind} needs {text} to be {shown}, but it is {self.of(text)}"
                )
        for text in subjects:
            if self.of(text) not in MACHINE.get((parse(text).of, kind), {}):
                raise IntegrityError(f"audit log: {kind} may not come for {text}, which is {self.of(text)}")

    def move(self, kind: AuditKind, subjects: Iterable[str]) -> None:
        """Move the subjects of a record that `check` let through."""
        for text in subjects:
            self._states[text] = MACHINE[parse(text).of, kind][self.of(text)]
