"""Valid rows that were not posted: those that wait for a run, and those that a posting left out."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind, State
from showcost.core.engine import engine
from showcost.core.file_ranges import view_ranges
from showcost.ledger.queries import active_row_counts, active_rows
from showcost.pipeline.outcomes import VALID, outcomes_as_recorded
from showcost.pipeline.replay import REPLAY_RUN
from showcost.staging.assets import valid_asset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from showcost.audit.log import AuditLog
    from showcost.config.feed import FeedSpec
    from showcost.pipeline.outcomes import OutcomeLog
    from showcost.workspace import Workspace


class LeftOut(NamedTuple):
    """A valid row that was never posted: its partition, delivery and record; `seq` has its outcome."""

    part: str
    delivery: str
    record: int
    seq: int


def unposted_dates(workspace: Workspace, feed: FeedSpec, active: Mapping[date, int]) -> set[date]:
    """Return the dates with staged valid rows that have no active entry or plan line.

    `active` are the numbers of a feed's rows that have, by date.
    """
    store, asset = workspace.staging, valid_asset(feed.name)
    found, doubtful = set(), []
    for key in store.partitions(asset):
        staged, day = store.metadata(asset, key), date.fromisoformat(key)
        if staged is None or not staged.rows:
            continue
        if active.get(day, 0) < staged.rows:
            found.add(day)
        # A row may be posted and no longer valid, so that as many rows are posted as are valid. After a
        # posting there is no doubt.
        elif workspace.audit.state(states.partition(feed.name, key)) is State.VALIDATED:
            doubtful.append(key)
    if doubtful:
        with engine() as connection:
            connection.register("active", active_rows(workspace.ledger, feed.name))
            view_ranges(connection, "staged_rows", store.ranges(asset, doubtful))
            found |= {day for (day,) in connection.execute(_UNPOSTED).fetchall()}
    return found


_UNPOSTED: Final = """
SELECT DISTINCT transaction_date FROM staged_rows ANTI JOIN active USING (delivery, record)
"""


def left_out(workspace: Workspace, feed: FeedSpec, log: OutcomeLog, most: int) -> list[LeftOut]:
    """Return at most `most` valid rows of the log that were never posted and do not wait for a run.

    A row waits until a run posts its partition, and while its partition is not in staging.
    """
    with workspace.ledger.read() as connection:
        active = active_row_counts(connection, feed.name)
        posted = connection.sql(_POSTED, params={"feed": feed.name}).to_arrow_table()
    waiting = {day.isoformat() for day in unposted_dates(workspace, feed, active)}
    store, asset = workspace.staging, valid_asset(feed.name)
    staged = {key for key in store.partitions(asset) if store.metadata(asset, key) is not None}
    with engine() as connection:
        connection.register("posted", posted)
        connection.register("postings", _postings(workspace.audit, feed.name))
        connection.register("settled", pa.table({"part": pa.array(sorted(staged - waiting), pa.string())}))
        outcomes_as_recorded(connection, log)
        return [LeftOut(*row) for row in connection.execute(_LEFT_OUT, {"most": most}).fetchall()]


def _postings(audit: AuditLog, feed: str) -> pa.Table:
    """Return the number of the last record that posted all valid rows of a partition, by partition."""
    last: dict[str, int] = {}
    for record in audit.records():
        facts: Mapping[str, Any] = record.facts
        if record.kind is AuditKind.INTENT and facts["run_id"] != REPLAY_RUN:
            batches: Sequence[Mapping[str, Any]] = facts["batches"]
            last |= {batch["partition_date"]: record.seq for batch in batches if batch["feed"] == feed}
    return pa.table({"part": pa.array(last, pa.string()), "posted_by": pa.array(last.values(), pa.int64())})


_POSTED: Final = """
SELECT DISTINCT delivery, record FROM ledger_entries WHERE feed = $feed
UNION SELECT delivery, record FROM plan_lines WHERE feed = $feed
"""

_LEFT_OUT: Final = f"""
SELECT part, delivery, record, seq FROM recorded ANTI JOIN posted USING (delivery, record)
LEFT JOIN postings USING (part) LEFT JOIN (SELECT part, true AS is_settled FROM settled) USING (part)
WHERE disposition = '{VALID}' AND (is_settled OR posted_by > seq)
ORDER BY ALL LIMIT $most
"""  # noqa: S608 - constants only
