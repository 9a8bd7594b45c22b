"""SQL conditions for active entries, and for the entries as of an audit record.

Entries, decisions and outcomes carry the number of their audit record. As of a record there are those whose
number is not greater.
"""

from __future__ import annotations


def active_condition(entries: str = "ledger_entries") -> str:
    """Return the SQL condition that an entry of a table is active: a posting without a reversal in it."""
    return (
        "entry_kind = 'posting'"  # noqa: S608 - a name of our own
        f" AND entry_id NOT IN (SELECT reverses FROM {entries} WHERE reverses IS NOT NULL)"
    )


def entries_as_of(as_of: int | None) -> str:
    """Return the SQL after FROM that reads the entries as of an audit record, or now."""
    if as_of is None:
        return "ledger_entries"
    return (
        "(FROM ledger_entries SEMI JOIN"  # noqa: S608 - a number
        f" (SELECT batch_id FROM batches WHERE seq <= {int(as_of)}) USING (batch_id))"
    )
