"""Posting: append entries from the valid rows of a feed, and reversals from the decisions on its rows.

Posting is idempotent by the id of an entry: posted entries are left alone, new entries are appended as
one batch per partition, together with the reversals on its date. A chunk of partitions is one
transaction. `append_entries` writes and records it; `recovery` finishes interrupted transactions before
anything is posted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.core.chunks import chunks
from showcost.core.engine import engine
from showcost.core.errors import InputError
from showcost.ledger.append_entries import commit_entries
from showcost.ledger.decisions import leave_out_outdated
from showcost.ledger.new_entries import NEW_ENTRIES, PostingContext, ValidRows, prepare
from showcost.ledger.plan_lines import commit_lines, prepare_lines
from showcost.ledger.queries import reversible_rows
from showcost.ledger.recovery import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    import pyarrow as pa

    from showcost.core.file_ranges import FileRange
    from showcost.ledger.batches import Batch
    from showcost.ledger.store import Ledger

CHUNK_ROWS: Final = 250_000
"""Valid rows in one transaction, unless a single partition has more; bounds memory, not the result."""


@dataclass(frozen=True)
class PostResult:
    """The result of posting one partition: its number of valid rows, and the appended batch, if any.

    A feed of a kind of plan has no batch; `lines` is the number of plan lines that were recorded.
    """

    feed: str
    partition_date: date
    rows: int
    batch: Batch | None
    lines: int = 0

    @property
    def appended_rows(self) -> int:
        """Number of rows whose entries were appended; the others were already posted."""
        return self.batch.rows if self.batch else 0

    @property
    def appended_entries(self) -> int:
        """Number of entries or plan lines that were appended."""
        return self.batch.entries if self.batch else self.lines


def post(  # noqa: PLR0913 -- everything that determines a posting is an argument
    ledger: Ledger,
    context: PostingContext,
    valid: pa.Table | Sequence[FileRange],
    *,
    partition_dates: Sequence[date],
    run_id: str,
    clock: Callable[[], datetime],
    chunk_rows: int = CHUNK_ROWS,
    applied: pa.Table | None = None,
) -> list[PostResult]:
    """Post the valid rows of a feed for a range of partitions; one result per partition, in order of date.

    The rows of a kind of plan are recorded as plan lines instead; they need no rate.

    `valid` is a table or ranges of Parquet files that the caller has verified, with the columns of
    `showcost.ledger.new_entries`; `clock` returns an aware time. `applied` (`decisions.APPLIED`) are the
    decisions that the rows were made with: a row that was decided on since is left to its next validation.
    Each chunk of partitions is a
    transaction of its own: after an error the earlier chunks stay posted, and posting again is safe.
    Raises InputError for missing columns or dates outside the partitions, CheckFailedError for rows that
    may not be posted (without a pinned rate, already posted with other content, duplicated),
    IntegrityError for partitions whose validation is not in the audit log or a ledger that disagrees with
    the log, StoreBusyError after the bounded wait.
    """
    rows = ValidRows(valid, context)
    counts = _count(rows, context, partition_dates)
    for day in _reversal_dates(ledger, context.feed, partition_dates):
        counts.setdefault(day, 0)
    batches: dict[date, Batch] = {}
    lines: Counter[date] = Counter()
    for dates in chunks(sorted(counts.items()), chunk_rows):
        with writing(ledger) as connection:
            rows.as_view(connection)
            waiting = leave_out_outdated(connection, context.feed, applied)
            current = {day: counts.get(day, 0) - waiting.get(day, 0) for day in dates}
            if context.record_kind.is_plan:
                prepare_lines(connection, context, dates, current)
                lines += commit_lines(ledger, connection, context.feed, run_id=run_id, now=clock())
                continue
            prepare(connection, context, dates, current)
            appended = commit_entries(
                ledger,
                connection,
                NEW_ENTRIES,
                run_id=run_id,
                now=clock(),
                configuration=context.configuration,
            )
        batches |= {batch.partition_date: batch for batch in appended}
    return [
        PostResult(context.feed, day, counts.get(day, 0), batches.get(day), lines[day])
        for day in sorted(set(partition_dates))
    ]


def _reversal_dates(ledger: Ledger, feed: str, dates: Sequence[date]) -> list[date]:
    """Return the dates, among those given, on which entries are to be reversed."""
    with ledger.read() as connection:
        rows_per_date = reversible_rows(connection, feed)
    return sorted(rows_per_date.keys() & set(dates))


def _count(rows: ValidRows, context: PostingContext, dates: Sequence[date]) -> dict[date, int]:
    """Return the number of valid rows per date; InputError for a date outside `dates`."""
    if rows.is_empty:
        return {}
    with engine() as connection:
        rows.as_view(connection)
        counts = rows.counts(connection)
    if outside := counts.keys() - set(dates):
        shown = ", ".join(sorted(str(day) for day in outside)[:3])
        raise InputError(f"{context.feed}: valid rows of {shown} are outside the partitions to be posted")
    return counts
