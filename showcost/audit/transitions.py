"""The kinds of audit record, and the state machine that says which may follow which.

Each record changes the state of its subjects: a delivery, a partition of a feed, a batch, a snapshot, a
period, a row, a publication, an accrual, a feed's plan, the fallback of a date, the configuration or the
master key.
`MACHINE` lists every allowed transition; any other raises. The diagrams in docs/audit.md are checked against
it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from showcost.core.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class AuditKind(StrEnum):
    """The kind of an audit record; the values are stored in the log."""

    DELIVERY_RECEIVED = "delivery_received"
    RECORDS_READ = "records_read"
    DEAD_LETTERED = "dead_lettered"
    REPLAYED = "replayed"
    VALIDATED = "validated"
    DECIDED = "decided"
    FX_PINNED = "fx_pinned"
    FX_REPINNED = "fx_repinned"
    RATES_IMPORTED = "rates_imported"
    RATE_ACCEPTED = "rate_accepted"
    ACCRUED = "accrued"
    RELEASED = "released"
    PLANNED = "planned"
    FALLBACK_APPLIED = "stood_in"
    FALLBACK_RELEASED = "gave_way"
    INTENT = "intent"
    COMMITTED = "committed"
    RECOVERED = "recovered"
    PERIOD_CLOSED = "period_closed"
    PERIOD_REOPENED = "period_reopened"
    SNAPSHOT_PUBLISHED = "snapshot_published"
    PAYLOAD_SHREDDED = "payload_shredded"
    KEY_ROTATED = "key_rotated"
    SCHEMA_MIGRATED = "schema_migrated"
    CONFIGURED = "configured"


class SubjectType(StrEnum):
    """The type of a subject; the values are stored in the log."""

    DELIVERY = "delivery"
    PARTITION = "partition"
    BATCH = "batch"
    SNAPSHOT = "snapshot"
    PERIOD = "period"
    ROW = "row"
    PUBLICATION = "publication"
    ACCRUAL = "accrual"
    PLAN = "plan"
    FALLBACK = "stand_in"
    SCHEMA = "schema"
    CONFIGURATION = "configuration"
    RATE_FILE = "rate_file"
    RATE = "rate"
    PAYLOAD_KEY = "payload_key"


class State(StrEnum):
    """The state of a subject; NEW before the first record about it."""

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
    PLANNED = "planned"
    FALLBACK_APPLIED = "standing-in"
    FALLBACK_RELEASED = "given-way"
    MIGRATED = "migrated"
    CONFIGURED = "configured"
    IMPORTED = "imported"
    ACCEPTED = "accepted"
    ROTATED = "rotated"


class Subject(NamedTuple):
    """A thing that a record is about, written `type:name` in the log."""

    type: SubjectType
    name: str

    def __str__(self) -> str:
        return f"{self.type}:{self.name}"


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
    """Return a fiscal period."""
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


def plan(feed: str) -> Subject:
    """Return the plan lines of a feed."""
    return Subject(SubjectType.PLAN, feed)


def fallback(feed: str, date: object) -> Subject:
    """Return the fallback of a date of a feed, which is used while its vendor does not deliver."""
    return Subject(SubjectType.FALLBACK, f"{feed}/{date}")


def ledger_schema() -> Subject:
    """Return the schema of the ledger database."""
    return Subject(SubjectType.SCHEMA, "ledger")


def configuration() -> Subject:
    """Return the configuration of the data folder."""
    return Subject(SubjectType.CONFIGURATION, "production")


def rate_file(sha256: str) -> Subject:
    """Return an imported rate file, by the sha256 of its bytes."""
    return Subject(SubjectType.RATE_FILE, sha256)


def rate(date: object, currency: str, text: str) -> Subject:
    """Return the published rate of a currency; `date` is that of publication, `text` the rate."""
    return Subject(SubjectType.RATE, f"{date}/{currency}/{text}")


def payload_key() -> Subject:
    """Return the master key of the encrypted payloads."""
    return Subject(SubjectType.PAYLOAD_KEY, "master")


def parse(text: str) -> Subject:
    """Return the subject that is written `type:name` in the log; ValueError if the type is unknown."""
    type_text, _, name = text.partition(":")
    return Subject(SubjectType(type_text), name)


def _type_of(text: str) -> SubjectType:
    """Return the type in `type:name`, without making a subject: a record may name 200,000 rows."""
    found = _TYPES.get(text.partition(":")[0])
    return parse(text).type if found is None else found


_TYPES: Final[Mapping[str, SubjectType]] = {known.value: known for known in SubjectType}

Transitions = dict[State, State]

_NONE: Final[Transitions] = {}
"""Nothing is allowed."""

MACHINE: Final[Mapping[tuple[SubjectType, AuditKind], Transitions]] = {
    # A payload that comes again is received again; a feed that was corrected is read again.
    (SubjectType.DELIVERY, AuditKind.DELIVERY_RECEIVED): {
        State.NEW: State.RECEIVED,
        State.RECEIVED: State.RECEIVED,
        State.READ: State.READ,
        State.DEAD: State.DEAD,
        State.SHREDDED: State.SHREDDED,
    },
    (SubjectType.DELIVERY, AuditKind.RECORDS_READ): {State.RECEIVED: State.READ, State.READ: State.READ},
    (SubjectType.DELIVERY, AuditKind.DEAD_LETTERED): {
        State.NEW: State.DEAD,
        State.RECEIVED: State.DEAD,
        State.READ: State.DEAD,
        State.DEAD: State.DEAD,
    },
    # RECEIVED again, if a crash came between the record and the line in the register.
    (SubjectType.DELIVERY, AuditKind.REPLAYED): {State.DEAD: State.RECEIVED, State.RECEIVED: State.RECEIVED},
    (SubjectType.DELIVERY, AuditKind.PAYLOAD_SHREDDED): {
        State.RECEIVED: State.SHREDDED,
        State.READ: State.SHREDDED,
        State.SHREDDED: State.SHREDDED,
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
    # A person replaces a wrong rate; the earlier snapshots of the date are kept.
    (SubjectType.SNAPSHOT, AuditKind.FX_REPINNED): {State.PINNED: State.PINNED},
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
    (SubjectType.PLAN, AuditKind.PLANNED): {State.NEW: State.PLANNED, State.PLANNED: State.PLANNED},
    (SubjectType.PLAN, AuditKind.RECOVERED): {State.PLANNED: State.PLANNED},
    # The fallback may change while a date is missing, and a delivered date may be missing again.
    (SubjectType.FALLBACK, AuditKind.FALLBACK_APPLIED): {
        State.NEW: State.FALLBACK_APPLIED,
        State.FALLBACK_APPLIED: State.FALLBACK_APPLIED,
        State.FALLBACK_RELEASED: State.FALLBACK_APPLIED,
    },
    (SubjectType.FALLBACK, AuditKind.FALLBACK_RELEASED): {State.FALLBACK_APPLIED: State.FALLBACK_RELEASED},
    (SubjectType.FALLBACK, AuditKind.RECOVERED): {
        State.FALLBACK_APPLIED: State.FALLBACK_APPLIED,
        State.FALLBACK_RELEASED: State.FALLBACK_RELEASED,
    },
    (SubjectType.CONFIGURATION, AuditKind.CONFIGURED): {
        State.NEW: State.CONFIGURED,
        State.CONFIGURED: State.CONFIGURED,
    },
    # Again after a crash between the record and the new file.
    (SubjectType.SCHEMA, AuditKind.SCHEMA_MIGRATED): {
        State.NEW: State.MIGRATED,
        State.MIGRATED: State.MIGRATED,
    },
    # Again: after a crash between record and file, to replace a later file, or by two people at once.
    (SubjectType.RATE_FILE, AuditKind.RATES_IMPORTED): {
        State.NEW: State.IMPORTED,
        State.IMPORTED: State.IMPORTED,
    },
    (SubjectType.RATE, AuditKind.RATE_ACCEPTED): {
        State.NEW: State.ACCEPTED,
        State.ACCEPTED: State.ACCEPTED,
    },
    (SubjectType.PAYLOAD_KEY, AuditKind.KEY_ROTATED): {
        State.NEW: State.ROTATED,
        State.ROTATED: State.ROTATED,
    },
}
"""Per subject type and kind of record: the state before, and the state after."""

PREREQUISITES: Final[Mapping[tuple[AuditKind, SubjectType], frozenset[State]]] = {
    (AuditKind.VALIDATED, SubjectType.DELIVERY): frozenset({State.READ, State.SHREDDED}),
    (AuditKind.REPLAYED, SubjectType.DELIVERY): frozenset({State.READ, State.SHREDDED}),
    (AuditKind.INTENT, SubjectType.SNAPSHOT): frozenset({State.PINNED}),
    (AuditKind.PLANNED, SubjectType.PARTITION): frozenset({State.VALIDATED}),
}
"""Per kind of record and type of its `needs`: the states that these may have."""


class States:
    """The state of every subject after the records so far."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}

    def of(self, subject: Subject | str) -> State:
        """Return the state of a subject."""
        return self._states.get(str(subject), State.NEW)

    def names(self, subject_type: SubjectType, state: State) -> set[str]:
        """Return the names of the subjects of a type that are in a state."""
        prefix = f"{subject_type}:"
        return {
            text.removeprefix(prefix)
            for text, current in self._states.items()
            if current is state and text.startswith(prefix)
        }

    def check(self, kind: AuditKind, subjects: Iterable[str], needs: Iterable[str]) -> None:
        """Raise IntegrityError if a record of this kind, with these subjects and needs, is not allowed."""
        for text in needs:
            allowed = PREREQUISITES.get((kind, _type_of(text)))
            if allowed is None:
                raise IntegrityError(f"audit log: {kind} cannot depend on {text}")
            if self.of(text) not in allowed:
                shown = " or ".join(sorted(allowed))
                raise IntegrityError(
                    f"audit log: {kind} needs {text} to be {shown}, but it is {self.of(text)}"
                )
        for text in subjects:
            if self._states.get(text, State.NEW) not in MACHINE.get((_type_of(text), kind), _NONE):
                raise IntegrityError(f"audit log: {kind} is not allowed for {text}, which is {self.of(text)}")

    def move(self, kind: AuditKind, subjects: Iterable[str]) -> None:
        """Move the subjects of a record that passed `check` to their next states."""
        for text in subjects:
            self._states[text] = MACHINE[_type_of(text), kind][self._states.get(text, State.NEW)]
