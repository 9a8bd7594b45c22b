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
    """Return at most `most` valid rows of the log that are not posted and do not wait for a run.

    A row waits until a run posts its partition, and while its partition is not in staging; and a row that was
    decided on waits for its next validation. What was posted once and then reversed is not posted.
    """
    with workspace.ledger.read() as connection:
        active = active_row_counts(connection, feed.name)
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
        return [LeftOut(*row) for row in connection.execute(_LEFT_OUT, {"most": most}).fetchall()]


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


class Waiting(NamedTuple):
    """Numbers of rows that the next run posts, and of posted rows that it reverses."""

    to_post: int
    to_reverse: int


def waiting_rows(workspace: Workspace, feed: FeedSpec, log: OutcomeLog) -> Waiting:
    """Return how many rows of a feed wait for a run, as the log and the ledger have them."""
    with workspace.ledger.read() as connection:
        to_reverse = sum(reversible_rows(connection, feed.name).values())
    with engine() as connection:
        connection.register("posted", active_rows(workspace.ledger, feed.name))
        outcomes_as_recorded(connection, log)
        return Waiting(connection.execute(_TO_POST).fetchall()[0][0], to_reverse)


_LEFT_OUT: Final = f"""
SELECT part, delivery, record, recorded.seq FROM recorded ANTI JOIN posted USING (delivery, record)
LEFT JOIN postings USING (part) LEFT JOIN (SELECT part, true AS is_settled FROM settled) USING (part)
LEFT JOIN decided USING (delivery, record)
WHERE disposition = '{VALID}' AND (is_settled OR posted_by > recorded.seq)
    AND (decided.seq IS NULL OR decided.seq < recorded.seq)
ORDER BY ALL LIMIT $most
"""  # noqa: S608 - constants only

_TO_POST: Final = f"""
SELECT count(*) FROM recorded ANTI JOIN posted USING (delivery, record) WHERE disposition = '{VALID}'
"""  # noqa: S608 - constants only

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
