"""Postings that stopped short of a decision or a rate before them, and what tells them from those that wait.

Each posting of a date reverses, in its transaction, all entries of the date that a decision or a replaced
rate makes out of date. What is out of date without a later posting of its date waits for the next run.
"""
# ruff: noqa: S608 - statements are put together from constants of this package; values are bound

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from showcost.ledger.decisions import REVERSIBLE

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class NotReversed(NamedTuple):
    """An active entry that was to be reversed since the audit record `since`; `posting` left it as it was."""

    entry: str
    since: int
    posting: int


def not_reversed(connection: duckdb.DuckDBPyConnection, feed: str, most: int) -> list[NotReversed]:
    """Return at most `most` entries of a feed that a posting of their date left out, in order."""
    parameters = {"feed": feed, "as_of": None, "most": most}
    return [NotReversed(*row) for row in connection.execute(_NOT_REVERSED, parameters).fetchall()]


def last_decided(connection: duckdb.DuckDBPyConnection, feed: str) -> pa.Table:
    """Return the last decision on each row of a feed. Columns: delivery, record, seq."""
    return connection.sql(_LAST_DECIDED, params={"feed": feed}).to_arrow_table()


def last_run_postings(connection: duckdb.DuckDBPyConnection, feed: str, except_run: str) -> pa.Table:
    """Return the last record that posted the valid rows of each date, but for the runs of a name.

    Columns: part (the date), posted_by. A batch that only reverses may be that of another date.
    """
    parameters = {"feed": feed, "run": except_run}
    return connection.sql(_LAST_POSTINGS, params=parameters).to_arrow_table()


def posted_after_change(connection: duckdb.DuckDBPyConnection, feed: str) -> pa.Table:
    """Return the active rows that were posted after a correction of them, or after one was undone.

    Columns: delivery, record, content, changed_seq and posted_seq (audit records of decision and posting).
    """
    return connection.sql(_AFTER_CHANGE, params={"feed": feed, "as_of": None}).to_arrow_table()


_NOT_REVERSED: Final = f"""
{REVERSIBLE}, since AS (
    SELECT entry_id, posted_seq, transaction_date,
        coalesce((SELECT max(effects.seq) FROM effects WHERE (effects.feed, effects.delivery, effects.record)
            = (reversible.feed, reversible.delivery, reversible.record)), 0) AS decided_seq,
        coalesce((SELECT max(fx_repins.seq) FROM fx_repins
            WHERE snapshot_date = transaction_date), 0) AS repinned_seq
    FROM reversible
), postings AS (
    SELECT ledger_entries.transaction_date, max(batches.seq) AS posting
    FROM ledger_entries JOIN batches USING (batch_id)
    WHERE entry_kind = 'posting' AND ledger_entries.feed = $feed GROUP BY ALL
)
SELECT entry_id, greatest(decided_seq, repinned_seq, posted_seq) AS last_seq, posting
FROM since JOIN postings USING (transaction_date)
WHERE posting > last_seq ORDER BY ALL LIMIT $most
"""

_LAST_DECIDED: Final = """
SELECT delivery, record, max(seq) AS seq FROM row_decisions WHERE feed = $feed GROUP BY ALL
"""

_LAST_POSTINGS: Final = """
SELECT CAST(transaction_date AS VARCHAR) AS part, max(batches.seq) AS posted_by
FROM ledger_entries JOIN batches USING (batch_id)
WHERE entry_kind = 'posting' AND ledger_entries.feed = $feed AND run_id <> $run GROUP BY ALL
"""

_AFTER_CHANGE: Final = f"""
{REVERSIBLE}
SELECT DISTINCT delivery, record, content, changed_seq, posted_seq
FROM active JOIN effects USING (feed, delivery, record)
WHERE changed_seq < posted_seq ORDER BY ALL
"""
