"""Rows and decisions that were not posted: those that wait for a run, and those that a posting left out."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from showcost.audit import transitions as states
from showcost.audit.transitions import State
from showcost.core.engine import engine
from showcost.core.file_ranges import view_ranges
from showcost.ledger.queries import active_row_counts, active_rows, reversible_rows
from showcost.ledger.unfinished import last_decided, last_run_postings, posted_after_change
from showcost.pipeline.outcomes import VALID, outcomes_as_recorded, outcomes_since, outcomes_table
from showcost.pipeline.replay import REPLAY_RUN
from showcost.staging.assets import valid_asset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from showcost.config.feed import FeedSpec
    from showcost.pipeline.outcomes import OutcomeLog
    from showcost.workspace import Workspace


class LeftOut(NamedTuple):
    """A valid row that is not posted: its partition, delivery and record; `seq` has its outcome."""

    part: str
    delivery: str
    record: int
    seq: int


class Unposted(NamedTuple):
    """Valid rows that are not posted: those that a posting left out, and the number of all.

    `to_reverse` is the number of posted rows that the next run reverses.
    """

    left_out: list[LeftOut]
    to_post: int
    to_reverse: int


class Undecided(NamedTuple):
    """A row that was posted, by the record `posting`, without the decision of the record `decision`."""

    delivery: str
    record: int
    decision: int
    posting: int


def unposted_dates(workspace: Workspace, feed: FeedSpec, active: Mapping[date, int]) -> set[date]:
    """Return the dates with staged valid rows that have no active entry or plan line.

    `active` are the numbers of a feed's rows that have, by date.
    """
    store, asset = workspace.staging, valid_asset(feed.name)
    found, doubtful = set(), []
    for key, staged in sorted(store.current(asset).items()):
        day = date.fromisoformat(key)
        if not staged.rows:
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


def unposted_rows(workspace: Workspace, feed: FeedSpec, log: OutcomeLog, most: int) -> Unposted:
    """Return the valid rows of the log that are not posted, at most `most` of those that wait for no run.

    A row waits until a run posts its partition, and while its partition is not in staging; and a row that was
    decided on waits for its next validation. What was posted once and then reversed is not posted.
    """
    with workspace.ledger.read() as connection:
        active = active_row_counts(connection, feed.name)
        to_reverse = sum(reversible_rows(connection, feed.name).values())
        decided = last_decided(connection, feed.name)
        postings = last_run_postings(connection, feed.name, REPLAY_RUN)
    posted = active_rows(workspace.ledger, feed.name)
    waiting = {day.isoformat() for day in unposted_dates(workspace, feed, active)}
    store, asset = workspace.staging, valid_asset(feed.name)
    staged = {key for key in store.partitions(asset) if store.metadata(asset, key) is not None}
    with engine() as connection:
        connection.register("posted", posted)
        connection.register("decided", decided)
        connection.register("postings", postings)
        connection.register("settled", pa.table({"part": pa.array(sorted(staged - waiting), pa.string())}))
        outcomes_as_recorded(connection, log)
        connection.execute(_UNPOSTED_VALID)
        rows = [LeftOut(*row) for row in connection.execute(_LEFT_OUT, {"most": most}).fetchall()]
        total = connection.execute("SELECT count(*) FROM unposted_valid").fetchall()[0][0]
        return Unposted(rows, total, to_reverse)


def posted_undecided(workspace: Workspace, feed: FeedSpec, most: int) -> list[Undecided]:
    """Return at most `most` rows with active entries of the values that they had before a decision.

    They were posted after it, from an outcome before it: the decision reverses nothing any more.
    """
    with workspace.ledger.read() as connection:
        changed = posted_after_change(connection, feed.name)
    if not changed.num_rows:
        return []
    since = pc.min(changed.column("changed_seq")).as_py()
    outcomes = outcomes_since(workspace.audit, feed.name, since)
    with engine() as connection:
        connection.register("changed", changed)
        connection.register("outcomes", outcomes_table(outcomes))
        if outcomes:
            paths = sorted({str(outcome.path) for outcome in outcomes})
            connection.execute(_OUTCOMES_OF_CHANGED, {"paths": paths})
        else:
            connection.execute(_NO_OUTCOMES)
        return [Undecided(*row) for row in connection.execute(_UNDECIDED, {"most": most}).fetchall()]


_UNPOSTED_VALID: Final = f"""
CREATE TEMP TABLE unposted_valid AS
SELECT part, delivery, record, seq FROM recorded ANTI JOIN posted USING (delivery, record)
WHERE disposition = '{VALID}'
"""  # noqa: S608 - constants only

_LEFT_OUT: Final = """
SELECT part, delivery, record, unposted_valid.seq FROM unposted_valid
LEFT JOIN postings USING (part) LEFT JOIN (SELECT part, true AS is_settled FROM settled) USING (part)
LEFT JOIN decided USING (delivery, record)
WHERE (is_settled OR posted_by > unposted_valid.seq)
    AND (decided.seq IS NULL OR decided.seq < unposted_valid.seq)
ORDER BY ALL LIMIT $most
"""

_OUTCOMES_OF_CHANGED: Final = f"""
CREATE TEMP TABLE outcomes_of_changed AS
SELECT rows.delivery, rows.record, rows.content, outcomes.seq
FROM read_parquet($paths, filename = true) AS rows JOIN outcomes ON outcomes.segment = rows.filename
SEMI JOIN changed ON changed.delivery = rows.delivery AND changed.record = rows.record
WHERE disposition = '{VALID}'
"""  # noqa: S608 - constants only

_NO_OUTCOMES: Final = """
CREATE TEMP TABLE outcomes_of_changed (delivery VARCHAR, record BIGINT, content VARCHAR, seq BIGINT)
"""

_UNDECIDED: Final = """
SELECT delivery, record, changed_seq, posted_seq FROM changed
WHERE NOT EXISTS (
    FROM outcomes_of_changed AS outcome
    WHERE (outcome.delivery, outcome.record, outcome.content)
            = (changed.delivery, changed.record, changed.content)
        AND outcome.seq BETWEEN changed.changed_seq AND changed.posted_seq)
ORDER BY ALL LIMIT $most
"""
