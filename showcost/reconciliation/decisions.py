"""Decisions on rows, each checked before it is recorded in the audit log.

Each function returns the rows whose outcome the decision changes, for a replay, and raises InputError for a
decision that the row does not allow. A decision that would reverse entries in a closed period is refused: the
period has to be reopened first, which is recorded too.

The same decision again, with the same person and reason and no other decision in between, is recorded once:
the result says so, and its rows are to be replayed all the same, in case the first time did not get there. A
row that somebody else decided on since it was looked at is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from showcost.audit.transitions import AuditKind
from showcost.config.feeds import choose_feed
from showcost.core.errors import InputError
from showcost.core.ids import RowRef
from showcost.core.personal_numbers import ANYWHERE, PersonalNumbers, refuse_numbers
from showcost.core.reason_catalogue import CATALOGUE, Severity
from showcost.ingest.corrections import check_correction
from showcost.ledger.decisions import (
    Decision,
    DecisionKind,
    decided_places,
    last_decisions,
    record_decisions,
)
from showcost.ledger.queries import posted_keys
from showcost.ledger.recovery import writing
from showcost.pipeline.periods import closed_on, closed_periods
from showcost.reconciliation.lookup import FoundRow, rows_at
from showcost.staging.assets import quarantine_asset
from showcost.validation.duplicates import CONFLICT, DUPLICATE
from showcost.validation.reason_texts import is_by_key
from showcost.validation.same_costs import ALIKE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb

    from showcost.config.production import ClosedPeriod
    from showcost.workspace import Workspace

REPEATED: Final = frozenset({DUPLICATE, CONFLICT, ALIKE})
"""Codes of a row that repeats another: accepting one of them posts a cost that may be posted already."""
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class DecisionResult:
    """Result of a decision: the number of its audit record, and the rows to replay.

    `already_done` says that it was recorded before.
    """

    seq: int
    places: tuple[RowRef, ...]
    already_done: bool = False


def correct(
    workspace: Workspace,
    rows: Sequence[FoundRow],
    fields: Mapping[str, str],
    *,
    who: str,
    why: str,
    act: str = "",
) -> DecisionResult:
    """Correct the text of some fields of rows; their active entries are reversed.

    Rows that have these corrections already are not corrected again.
    """

    def is_done(rows: Sequence[FoundRow]) -> bool:
        return all(row.fields.items() >= fields.items() and not _is_withheld(row) for row in rows)

    if is_done(rows):
        return _done_before(workspace, rows)
    feeds, closed = workspace.feeds, closed_periods(workspace)
    for row in rows:
        for name, text in fields.items():
            feed = choose_feed(feeds, row.place.feed)
            check_correction(feed, name, text, workspace.production.numbers_of_people)
        if any(CATALOGUE[code].severity is Severity.FILE for code in row.codes):
            raise InputError(
                f"row {_short(row)} represents a delivery that was refused as a whole; ask for a re-export"
            )
        _refuse_closed(closed, row)
    decisions = [(row, _decision(row, DecisionKind.CORRECT, fields=fields)) for row in rows]
    return _record(workspace, decisions, who, why, act, is_done)


def accept(
    workspace: Workspace,
    rows: Sequence[FoundRow],
    codes: Sequence[str] = (),
    *,
    who: str,
    why: str,
    act: str = "",
) -> DecisionResult:
    """Accept rows despite their reason codes: the given codes, or all that are not warnings."""
    is_done = partial(_is_repeated, DecisionKind.ACCEPT, codes or None, who, why)
    if is_done(rows):
        return _done_before(workspace, rows)
    decisions = []
    for row in rows:
        _refuse_posted(row, "correct or reverse it instead")
        blocking = [code for code in row.codes if CATALOGUE[code].severity is not Severity.WARNING]
        chosen = list(codes) or blocking
        if not codes and REPEATED & set(blocking) and set(blocking) - REPEATED:
            raise InputError(
                f"row {_short(row)} also repeats another ({', '.join(sorted(REPEATED & set(blocking)))}), and"
                " accepting that posts the cost again; name the codes to accept with --only"
            )
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
    return _record(workspace, decisions, who, why, act, is_done)


def discard(
    workspace: Workspace,
    rows: Sequence[FoundRow],
    *,
    who: str,
    why: str,
    act: str = "",
) -> DecisionResult:
    """Keep unposted rows out of the ledger for good."""
    is_done = partial(_is_repeated, DecisionKind.DISCARD, (), who, why)
    if is_done(rows):
        return _done_before(workspace, rows)
    for row in rows:
        _refuse_posted(row, "reverse it instead")
        _refuse_withheld(row)
    decisions = [(row, _decision(row, DecisionKind.DISCARD)) for row in rows]
    return _record(workspace, decisions, who, why, act, is_done)


def reverse(
    workspace: Workspace,
    rows: Sequence[FoundRow],
    *,
    who: str,
    why: str,
    act: str = "",
) -> DecisionResult:
    """Reverse the active entries of rows; the rows are not posted again."""
    is_done = partial(_is_repeated, DecisionKind.REVERSE, (), who, why)
    if is_done(rows):
        return _done_before(workspace, rows)
    closed = closed_periods(workspace)
    for row in rows:
        _refuse_withheld(row)
        if not row.active_entries:
            raise InputError(f"row {_short(row)} is not posted; discard it instead")
        _refuse_closed(closed, row)
    decisions = [(row, _decision(row, DecisionKind.REVERSE)) for row in rows]
    return _record(workspace, decisions, who, why, act, is_done)


def rebook(
    workspace: Workspace,
    rows: Sequence[FoundRow],
    *,
    who: str,
    why: str,
    act: str = "",
) -> DecisionResult:
    """Post rows in place of the holders of their keys, whose active entries are reversed."""
    is_done = partial(_is_repeated, DecisionKind.REBOOK, (), who, why)
    if is_done(rows):
        return _done_before(workspace, rows)
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
        if not _stands_for_one_row(workspace, row):
            raise InputError(
                f"cannot rebook row {_short(row)}: it does not replace one row of its key; if the row that"
                " its reason names is wrong, reverse that row and accept this one"
            )
        holder = holders.get((row.place.feed, row.row_key))
        if holder is not None:
            _refuse_closed(closed, holder)
            decisions.append((holder, _decision(holder, DecisionKind.REVERSE)))
        decisions.append((row, _decision(row, DecisionKind.REBOOK)))
    return _record(workspace, decisions, who, why, act, is_done)


def undo(
    workspace: Workspace,
    rows: Sequence[FoundRow],
    *,
    who: str,
    why: str,
    act: str = "",
) -> DecisionResult:
    """Undo all decisions on rows."""
    is_done = partial(_is_repeated, DecisionKind.UNDO, (), who, why)
    if is_done(rows):
        return _done_before(workspace, rows)
    closed = closed_periods(workspace)
    for row in rows:
        if row.effect is None:
            raise InputError(f"row {_short(row)} has no decision to undo")
        if row.fields:
            _refuse_closed(closed, row)
    decisions = [(row, _decision(row, DecisionKind.UNDO)) for row in rows]
    return _record(workspace, decisions, who, why, act, is_done)


def who_and_why(who: str, why: str, numbers: PersonalNumbers = ANYWHERE) -> tuple[str, str]:
    """Return who decides and why, without surrounding spaces.

    InputError if either is empty or has a personal number.
    """
    for name, text in (("--who", who), ("--why", why)):
        refuse_numbers(name, text, numbers)
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


def done_by_act(workspace: Workspace, act: str) -> DecisionResult | None:
    """Return the result of the decision with an idempotency key, None if there is none.

    Its rows are to be replayed unless there were later decisions on them.
    """
    done = None
    for record in workspace.audit.records():
        if record.kind is AuditKind.DECIDED and record.facts.get("act") == act:
            done = record
    if done is None:
        return None
    with workspace.ledger.read() as connection:
        last = last_decisions(connection)
        places = decided_places(connection, [done.seq])
    current = tuple(place for place in places if last[place.row_id]["seq"] == done.seq)
    return DecisionResult(done.seq, current, already_done=True)


def _is_repeated(
    kind: DecisionKind, codes: Sequence[str] | None, who: str, why: str, rows: Sequence[FoundRow]
) -> bool:
    """Tell whether the last decision on every row is this one, by the same person for the same reason.

    Without `codes`, the waived codes must be all that block a row now, unless it is posted: a replay
    after its period was closed gives it another code.
    """
    for row in rows:
        last = row.last
        if last is None or (last["decision"], last["who"], last["why"]) != (kind, who.strip(), why.strip()):
            return False
        waived = set(last["codes"])
        if codes is not None and waived != set(codes):
            return False
        blocking = {code for code in row.codes if CATALOGUE[code].severity is not Severity.WARNING}
        if codes is None and blocking - waived and not row.active_entries:
            return False
    return bool(rows)


def _done_before(workspace: Workspace, rows: Sequence[FoundRow]) -> DecisionResult:
    seqs = sorted({row.last["seq"] for row in rows if row.last is not None})
    with workspace.ledger.read() as connection:
        places = decided_places(connection, seqs)
    return DecisionResult(seqs[-1], tuple(places), already_done=True)


def _record(
    workspace: Workspace,
    decisions: Sequence[tuple[FoundRow, Decision]],
    who: str,
    why: str,
    act: str,
    is_done: Callable[[Sequence[FoundRow]], bool],
) -> DecisionResult:
    """Record decisions, unless the same command, given twice at once, has recorded them meanwhile.

    `is_done` tells that of the rows as they are now. InputError for a row on which another decision was made
    since it was looked up.
    """
    who, why = who_and_why(who, why, workspace.production.numbers_of_people)
    ledger = workspace.ledger
    rows = [row for row, _ in decisions]
    with writing(ledger) as connection:
        meanwhile = _decided_meanwhile(connection, rows)
        if meanwhile is None:
            record = record_decisions(
                ledger,
                connection,
                [decision for _, decision in decisions],
                who=who,
                why=why,
                now=ledger.audit.now(),
                act=act,
            )
            return DecisionResult(record.seq, tuple(dict.fromkeys(row.place for row in rows)))
    # A rebooking decides on the row before the holder of its key, which may be the row itself by now.
    kind = decisions[-1][1].kind
    now = rows_at(workspace, [row.place for row, decision in decisions if decision.kind is kind])
    if is_done(now):
        return _done_before(workspace, now)
    row, last = meanwhile
    raise InputError(
        f"row {_short(row)} was decided on meanwhile by {last['who']} (audit record {last['seq']}:"
        f" {DecisionKind(last['decision']).name.lower()}); look at it again; nothing was changed"
    )


def _decided_meanwhile(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[FoundRow]
) -> tuple[FoundRow, Mapping[str, Any]] | None:
    """Return a row that somebody decided on since it was looked up, with the decision, or None."""
    last = last_decisions(connection)
    for row in rows:
        now, seen = last.get(row.row_id), row.last
        if now is not None and now["seq"] != (0 if seen is None else seen["seq"]):
            return row, now
    return None


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


def _stands_for_one_row(workspace: Workspace, row: FoundRow) -> bool:
    """Return whether a row contradicts the row of its key, and not a document of another feed or spelling."""
    staged = workspace.staging.read(quarantine_asset(row.place.feed), row.partition)
    reasons = staged.filter(
        pc.and_(
            pc.equal(staged.column("delivery"), row.place.delivery),
            pc.equal(staged.column("record"), row.place.record),
        )
    ).column("reasons")
    return all(
        is_by_key(reason["source"], row.place.feed)
        for text in reasons.to_pylist()
        for reason in json.loads(text)
        if reason["code"] == CONFLICT
    )


def _refuse_posted(row: FoundRow, instead: str) -> None:
    if row.active_entries:
        raise InputError(f"row {_short(row)} is posted; {instead}")


def _is_withheld(row: FoundRow) -> bool:
    return row.effect is not None and bool(row.effect["withheld"])


def _refuse_withheld(row: FoundRow) -> None:
    if row.effect is not None and row.effect["withheld"]:
        done = "discarded" if row.effect["decision"] == DecisionKind.DISCARD else "reversed"
        by = "" if row.last is None else f" by {row.last['who']} (audit record {row.last['seq']})"
        raise InputError(f"row {_short(row)} was {done} already{by}; undo that decision first")


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
