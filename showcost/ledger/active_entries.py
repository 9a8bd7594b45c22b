"""Which entries count: those that stand, and as known after one record of the audit log.

A moment is the number of that record. Entries, decisions and outcomes carry the number of theirs, so that
what was known then is what has no later one.
"""

from __future__ import annotations


def active_condition(entries: str = "ledger_entries") -> str:
    """Return the condition, as SQL, that an entry of a table is a posting that nothing in it reverses."""
    return (
        "entry_kind = 'posting'"  # noqa: S608 - a name of our own
        f" AND entry_id NOT IN (SELECT reverses FROM {entries} WHERE reverses IS NOT NULL)"
    )


def entries_as_of(as_of: int | None) -> str:
    """Return what follows FROM in SQL to read the entries as known after an audit record, or now."""
    if as_of is None:
        return "ledger_entries"
    return (
        "(FROM ledger_entries SEMI JOIN"  # noqa: S608 - a number
        f" (SELECT batch_id FROM batches WHERE seq <= {int(as_of)}) USING (batch_id))"
    )
