"""Posting: from the valid rows of a feed, and the decisions about its rows, to entries of the ledger.

Posting is idempotent by the id of an entry: what is posted is left alone, what is new is appended as one
batch per partition, together with the reversals of what decisions take back on its date. A chunk of
partitions is one transaction. How it is committed, and audited, is `commit`; what a crash has left is settled
by `recovery` before anything is posted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.core.engine import engine
from showcost.core.errors import InputError
from showcost.ledger.commit import commit_entries
from showcost.ledger.digest import chunks
from showcost.ledger.entries import FRESH, PostingContext, ValidRows, prepare
from showcost.ledger.queries import reversible_rows
from showcost.ledger.recovery import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import pyarrow as pa

    from showcost.ledger.batches import Batch
    from showcost.ledger.store import Ledger

CHUNK_ROWS: Final = 250_000
"""Valid rows in one transaction, unless a single partition has more; bounds memory, not the result."""


@dataclass(frozen=True)
class PostResult:
    """What became of the valid rows of one partition: `rows` were offered, `batch` was appended, if any."""

    feed: str
    partition_date: date
    rows: int
    batch: Batch | None

    @property
    def appended_rows(self) -> int:
        """The rows of which entries were appended; the others were posted before."""
        return self.batch.rows if self.batch else 0

    @property
    def appended_entries(self) -> int:
        """The entries that were appended."""
        return self.batch.entries if self.batch else 0


def post(
    ledger: Ledger,
    terms: PostingContext,
    valid: pa.Table | Sequence[Path],
    *,
    partition_dates: Sequence[date],
    run_id: str,
    clock: Callable[[], datetime],
    chunk_rows: int = CHUNK_ROWS,
) -> list[PostResult]:
    """Post the valid rows of a feed for a range of partitions; one result per partition, in order of date.

    `valid` is a table or the paths of Parquet files that the caller has verified, with the columns of
    `showcost.ledger.entries`; `clock` gives an aware time. Each chunk of partitions commits by itself,
    so that an error keeps what earlier chunks have posted; posting the rest again is safe. Raises
    InputError for columns or dates that do not fit, CheckFailedError for rows that may not be posted
    (without a pinned rate, posted with other content, doubled), IntegrityError for partitions of which the
    audit log has no validation or a ledger that does not agree with the log, StoreBusyError after the
    bounded wait.
    """
    rows = ValidRows(valid)
    counts = _count(rows, terms, partition_dates)
    for day in _reversal_dates(ledger, terms.feed, partition_dates):
        counts.setdefault(day, 0)
    batches: dict[date, Batch] = {}
    for dates in chunks(sorted(counts.items()), chunk_rows):
        with writing(ledger) as connection:
            rows.as_view(connection, terms)
            prepare(connection, terms, dates, counts)
            appended = commit_entries(ledger, connection, FRESH, run_id=run_id, now=clock())
        batches |= {batch.partition_date: batch for batch in appended}
    return [
        PostResult(terms.feed, day, counts.get(day, 0), batches.get(day))
        for day in sorted(set(partition_dates))
    ]


def _reversal_dates(ledger: Ledger, feed: str, dates: Sequence[date]) -> list[date]:
    """Return those of the dates on which entries are to be reversed."""
    with ledger.read() as connection:
        due = reversible_rows(connection, feed)
    return sorted(due.keys() & set(dates))


def _count(rows: ValidRows, terms: PostingContext, dates: Sequence[date]) -> dict[date, int]:
    """Return the valid rows per date, each of which must be one of `dates`."""
    if rows.is_empty:
        return {}
    rows.check_columns(terms)
    with engine() as connection:
        rows.as_view(connection, terms)
        counts = rows.counts(connection)
    if foreign := counts.keys() - set(dates):
        shown = ", ".join(sorted(str(day) for day in foreign)[:3])
        raise InputError(f"{terms.feed}: valid rows of {shown} are not of the partitions to be posted")
    return counts
