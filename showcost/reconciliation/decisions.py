"""Decisions on rows, each checked before it is recorded in the audit log.

Each function returns the rows whose outcome the decision changes, for a replay, and raises InputError for a
decision that the row does not allow. A decision that would reverse entries in a closed period is refused: the
period has to be reopened first, which is recorded too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from showcost.config.feeds import choose_feed
from showcost.core.errors import InputError
from showcost.core.ids import RowRef
from showcost.core.reason_catalogue import CATALOGUE, Severity
from showcost.ingest.corrections import check_correction
from showcost.ledger.decisions import Decision, DecisionKind, record_decisions
from showcost.ledger.queries import posted_keys
from showcost.ledger.recovery import writing
from showcost.pipeline.periods import closed_on, closed_periods
from showcost.reconciliation.lookup import FoundRow, rows_at
from showcost.validation.duplicates import CONFLICT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.config.production import ClosedPeriod
    from showcost.workspace import Workspace

_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class DecisionResult:
    """Result of a decision: the number of its audit record, and the rows to replay."""

    seq: int
    places: tuple[RowRef, ...]


def correct(
    workspace: Workspace, rows: Sequence[FoundRow], fields: Mapping[str, str], *, who: str, why: str
) -> DecisionResult:
    """Correct the text of some fields of rows; their active entries are reversed."""
    feeds, closed = workspace.feeds, closed_periods(workspace)
    for row in rows:
        for name, text in fields.items():
            check_correction(choose_feed(feeds, row.place.feed), name, text)
        if any(CATALOGUE[code].severity is Severity.FILE for code in row.codes):
            raise InputError(
                f"row {_short(row)} represents a delivery that was refused as a whole; ask for a re-export"
            )
        _refuse_closed(closed, row)
    return _record(
        workspace, [(row, _decision(row, DecisionKind.CORRECT, fields=fields)) for row in rows], who, why
    )


def accept(
    workspace: Workspace, rows: Sequence[FoundRow], codes: Sequence[str] = (), *, who: str, why: str
) -> DecisionResult:
    """Accept rows despite their reason codes: the given codes, or all that are not warnings."""
    decisions = []
    for row in rows:
        _refuse_posted(row, "correct or reverse it instead")
        blocking = [code for code in row.codes if CATALOGUE[code].severity is not Severity.WARNING]
        chosen = list(codes) or blocking
        for code in chosen:
            if code not in row.codes:
                raise InputError(
                    f"row {_short(row)} has no reason code {code}; it has {', '.join(row.codes)}"
                )
            if not CATALOGUE[code].waivable:
                raise InputError(
                    f"row {_short(row)} cannot be accepted with {code}: {CATALOGUE[code].meaning}; the"
                    f" accountant {CATALOGUE[code].action}"
                )
        decisions.append((row, _decision(row, DecisionKind.ACCEPT, codes=tuple(sorted(chosen)))))
    return _record(workspace, decisions, who, why)


def discard(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Keep unposted rows out of the ledger for good."""
    for row in rows:
        _refuse_posted(row, "reverse it instead")
        _refuse_withheld(row)
    return _record(workspace, [(row, _decision(row, DecisionKind.DISCARD)) for row in rows], who, why)


def reverse(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Reverse the active entries of rows; the rows are not posted again."""
    closed = closed_periods(workspace)
    for row in rows:
        _refuse_withheld(row)
        if not row.active_entries:
            raise InputError(f"row {_short(row)} is not posted; discard it instead")
        _refuse_closed(closed, row)
    return _record(workspace, [(row, _decision(row, DecisionKind.REVERSE)) for row in rows], who, why)


def rebook(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Post rows in place of the holders of their keys, whose active entries are reversed."""
    decisions: list[tuple[FoundRow, Decision]] = []
    closed, holders = closed_periods(workspace), _holders(workspace, rows)
    for row in rows:
        if row.active_entries or row.codes != (CONFLICT,):
            others = ", ".join(code for code in row.codes if code != CONFLICT) or "none"
            raise InputError(
                f"cannot rebook row {_short(row)}: {CONFLICT} must be its only reason code; others:"
                f" {others}; correct or accept it first"
            )
        if row.day is not None and closed_on(closed, row.day):
            raise InputError(f"row {_short(row)} lies in a closed period; reopen it first")
        holder = holders.get((row.place.feed, row.row_key))
        if holder is not None:
            _refuse_closed(closed, holder)
            decisions.append((holder, _decision(holder, DecisionKind.REVERSE)))
        decisions.append((row, _decision(row, DecisionKind.REBOOK)))
    return _record(workspace, decisions, who, why)


def undo(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Undo all decisions on rows."""
    closed = closed_periods(workspace)
    for row in rows:
        if row.effect is None:
            raise InputError(f"row {_short(row)} has no decision to undo")
        if row.fields:
            _refuse_closed(closed, row)
    return _record(workspace, [(row, _decision(row, DecisionKind.UNDO)) for row in rows], who, why)


def who_and_why(who: str, why: str) -> tuple[str, str]:
    """Return who decides and why, without surrounding spaces; InputError if either is empty."""
    for name, text in (("--who", who), ("--why", why)):
        if not text.strip():
            raise InputError(f"{name} must not be empty: it is recorded in the audit log")
    return who.strip(), why.strip()


def _decision(
    row: FoundRow,
    kind: DecisionKind,
    *,
    fields: Mapping[str, str] | None = None,
    codes: tuple[str, ...] = (),
) -> Decision:
    place = row.place
    return Decision(place.feed, place.delivery, place.record, kind, fields or {}, codes)


def _record(
    workspace: Workspace, decisions: Sequence[tuple[FoundRow, Decision]], who: str, why: str
) -> DecisionResult:
    who, why = who_and_why(who, why)
    ledger = workspace.ledger
    with writing(ledger) as connection:
        record = record_decisions(
            ledger,
            connection,
            [decision for _, decision in decisions],
            who=who,
            why=why,
            now=ledger.audit.now(),
        )
    return DecisionResult(record.seq, tuple(dict.fromkeys(row.place for row, _ in decisions)))


def _holders(workspace: Workspace, rows: Sequence[FoundRow]) -> dict[tuple[str, str | None], FoundRow]:
    """Return the holders of the keys of rows, by feed and key."""
    places: dict[tuple[str, str | None], RowRef] = {}
    with workspace.ledger.read() as connection:
        for feed in sorted({row.place.feed for row in rows}):
            keys = pa.array([row.row_key for row in rows if row.place.feed == feed], pa.string())
            for holder in posted_keys(connection, feed, keys).to_pylist():
                places[feed, holder["row_key"]] = RowRef(feed, holder["delivery"], holder["record"])
    holders = {row.place: row for row in rows_at(workspace, list(places.values()))}
    return {key: holders[place] for key, place in places.items()}


def _refuse_posted(row: FoundRow, instead: str) -> None:
    if row.active_entries:
        raise InputError(f"row {_short(row)} is posted; {instead}")


def _refuse_withheld(row: FoundRow) -> None:
    if row.effect is not None and row.effect["withheld"]:
        done = "discarded" if row.effect["decision"] == DecisionKind.DISCARD else "reversed"
        raise InputError(f"row {_short(row)} was {done} already; undo that decision first")


def _refuse_closed(closed: Sequence[ClosedPeriod], row: FoundRow) -> None:
    """Raise InputError if the row has active entries in a closed period."""
    for entry in row.active_entries:
        day = entry["transaction_date"]
        period = next((period for period in closed if day in period), None)
        if period is not None:
            raise InputError(
                f"row {_short(row)} is posted on {day}, in the closed period {period.name}; reopen the period"
                " first"
            )


def _short(row: FoundRow) -> str:
    return row.row_id[:_SHOWN_DIGITS]
