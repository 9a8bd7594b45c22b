"""Which entries count: those that stand, and as known after one record of the audit log.

A moment is the number of that record. Entries, decisions and outcomes carry the number of theirs, so that
what was known then is what has no later one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from showcost.core.errors import InputError

if TYPE_CHECKING:
    from showcost.ledger.audit import AuditLog


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


def stands(entries: str = "ledger_entries") -> str:
    """Return the condition, as SQL, that an entry of a table is a posting that nothing in it reverses."""
    return (
        "entry_kind = 'posting'"  # noqa: S608 - a name of our own
        f" AND entry_id NOT IN (SELECT reverses FROM {entries} WHERE reverses IS NOT NULL)"
    )


def known_entries(as_of: int | None) -> str:
    """Return what follows FROM in SQL to read the entries as known after an audit record, or now."""
    if as_of is None:
        return "ledger_entries"
    return (
        "(FROM ledger_entries SEMI JOIN"  # noqa: S608 - a number
        f" (SELECT batch_id FROM batches WHERE seq <= {int(as_of)}) USING (batch_id))"
    )
