"""Deciding about rows: what a person may decide about which row, checked before it is on record.

Each function returns the rows whose outcome the decision changes, to be replayed. A decision that would take
back what is posted in a closed period is refused: the period is opened again first, which is on record too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from showcost.config.feeds import choose_feed
from showcost.core.errors import InputError
from showcost.core.ids import RowRef
from showcost.core.reasons import CATALOGUE, Severity
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
    """What was decided: the number of its audit record, and the rows to be replayed for it."""

    seq: int
    places: tuple[RowRef, ...]


def correct(
    workspace: Workspace, rows: Sequence[FoundRow], fields: Mapping[str, str], *, who: str, why: str
) -> DecisionResult:
    """Give some fields of rows another text; what is posted of them is reversed."""
    feeds, closed = workspace.feeds, closed_periods(workspace)
    for row in rows:
        for name, text in fields.items():
            check_correction(choose_feed(feeds, row.place.feed), name, text)
        if any(code.startswith("SC-FIL-") for code in row.codes):
            raise InputError(
                f"row {_short(row)} stands for a delivery that was refused as a whole; ask for a re-export"
            )
        _refuse_closed(closed, row)
    return _record(
        workspace, [(row, _decision(row, DecisionKind.CORRECT, fields=fields)) for row in rows], who, why
    )


def accept(
    workspace: Workspace, rows: Sequence[FoundRow], codes: Sequence[str] = (), *, who: str, why: str
) -> DecisionResult:
    """Let rows pass in spite of reasons: the given ones, or all that keep them out."""
    decisions = []
    for row in rows:
        _refuse_posted(row, "correct or withdraw it instead")
        blocking = [code for code in row.codes if CATALOGUE[code].severity is not Severity.WARNING]
        chosen = list(codes) or blocking
        for code in chosen:
            if code not in row.codes:
                raise InputError(f"row {_short(row)} has no reason {code}; it has {', '.join(row.codes)}")
            if not CATALOGUE[code].waivable:
                raise InputError(
                    f"row {_short(row)} cannot be accepted with {code}: {CATALOGUE[code].meaning}; the"
                    f" accountant {CATALOGUE[code].action}"
                )
        decisions.append((row, _decision(row, DecisionKind.ACCEPT, codes=tuple(sorted(chosen)))))
    return _record(workspace, decisions, who, why)


def discard(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Keep rows, which are not posted, out for good."""
    for row in rows:
        _refuse_posted(row, "withdraw it instead")
        _refuse_withheld(row)
    return _record(workspace, [(row, _decision(row, DecisionKind.DISCARD)) for row in rows], who, why)


def reverse(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Take back what is posted of rows."""
    closed = closed_periods(workspace)
    for row in rows:
        _refuse_withheld(row)
        if not row.standing:
            raise InputError(f"nothing of row {_short(row)} is posted; discard it instead")
        _refuse_closed(closed, row)
    return _record(workspace, [(row, _decision(row, DecisionKind.WITHDRAW)) for row in rows], who, why)


def rebook(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Post rows in place of those that hold their keys; what is posted of these is reversed."""
    decisions: list[tuple[FoundRow, Decision]] = []
    closed, holders = closed_periods(workspace), _holders(workspace, rows)
    for row in rows:
        if row.standing or row.codes != (CONFLICT,):
            others = ", ".join(code for code in row.codes if code != CONFLICT) or "no reason"
            raise InputError(
                f"row {_short(row)} is not to be rebooked: {CONFLICT} must be all that keeps it out, but it"
                f" has {others}; correct or accept it first"
            )
        if row.day is not None and closed_on(closed, row.day):
            raise InputError(f"row {_short(row)} lies in a closed period; reopen it first")
        holder = holders.get((row.place.feed, row.row_key))
        if holder is not None:
            _refuse_closed(closed, holder)
            decisions.append((holder, _decision(holder, DecisionKind.WITHDRAW)))
        decisions.append((row, _decision(row, DecisionKind.PREFER)))
    return _record(workspace, decisions, who, why)


def undo(workspace: Workspace, rows: Sequence[FoundRow], *, who: str, why: str) -> DecisionResult:
    """Lift everything that was decided about rows."""
    closed = closed_periods(workspace)
    for row in rows:
        if row.effect is None:
            raise InputError(f"nothing is decided about row {_short(row)}")
        if row.fields:
            _refuse_closed(closed, row)
    return _record(workspace, [(row, _decision(row, DecisionKind.REOPEN)) for row in rows], who, why)


def stated(who: str, why: str) -> tuple[str, str]:
    """Return who decides and why, without the spaces around; InputError where one says nothing."""
    for name, text in (("--who", who), ("--why", why)):
        if not text.strip():
            raise InputError(f"{name} must say something: it stays on record")
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
    who, why = stated(who, why)
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
    """Return the rows that are posted under the keys of rows, by feed and key."""
    places: dict[tuple[str, str | None], RowRef] = {}
    with workspace.ledger.read() as connection:
        for feed in sorted({row.place.feed for row in rows}):
            keys = pa.array([row.row_key for row in rows if row.place.feed == feed], pa.string())
            for one in posted_keys(connection, feed, keys).to_pylist():
                places[feed, one["row_key"]] = RowRef(feed, one["delivery"], one["record"])
    found = {row.place: row for row in rows_at(workspace, list(places.values()))}
    return {key: found[place] for key, place in places.items()}


def _refuse_posted(row: FoundRow, instead: str) -> None:
    if row.standing:
        raise InputError(f"row {_short(row)} is posted; {instead}")


def _refuse_withheld(row: FoundRow) -> None:
    if row.effect is not None and row.effect["withheld"]:
        done = "discarded" if row.effect["decision"] == DecisionKind.DISCARD else "withdrawn"
        raise InputError(f"row {_short(row)} was {done} before; reopen it to decide anew")


def _refuse_closed(closed: Sequence[ClosedPeriod], row: FoundRow) -> None:
    """Refuse to take back what is posted in a closed period."""
    for entry in row.standing:
        day = entry["transaction_date"]
        period = next((one for one in closed if day in one), None)
        if period is not None:
            raise InputError(
                f"row {_short(row)} is posted on {day}, in the closed period {period.name}; reopen the period"
                " first"
            )


def _short(row: FoundRow) -> str:
    return row.row_id[:_SHOWN_DIGITS]
