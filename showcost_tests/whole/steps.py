"""Processing costs from the inbox to the ledger with the pipeline only, without Dagster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from showcost.ingest.landing import land, landed
from showcost.ledger.digest import RangeDigest, digest
from showcost.ledger.posting import CHUNK_ROWS as POSTED_AT_ONCE
from showcost.pipeline.auto_rebook import rebook_by_policy
from showcost.pipeline.due import due_by_landing
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import CHUNK_ROWS as VALIDATED_AT_ONCE
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.reports.status import STATES, Tally, feed_status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

    from showcost.workspace import Workspace


def land_all(workspace: Workspace) -> None:
    """Land every feed's inbox."""
    for feed in workspace.feeds:
        land(workspace, feed)


def take(
    workspace: Workspace,
    dates: Sequence[date],
    *,
    feeds: Collection[str] | None = None,
    validated_at_once: int = VALIDATED_AT_ONCE,
    posted_at_once: int = POSTED_AT_ONCE,
) -> None:
    """Process the landed rows of some dates (ascending, without gaps) into the ledger, as one run would.

    A run goes through feeds without any delivery too; here only if they are among `feeds`.
    """
    pin_snapshots(workspace, dates, lambda: datetime(2026, 11, 4, tzinfo=UTC))
    for feed in workspace.feeds:
        if not (landed(workspace, feed) if feeds is None else feed.name in feeds):
            continue
        write_raw_rows(workspace, feed, dates)
        if due_by_landing(workspace, feed).undated is not None:
            quarantine_undated(workspace, feed)
        validate_partitions(workspace, feed, dates, validated_at_once)
        post_partitions(workspace, feed, dates, "test", posted_at_once)
        rebook_by_policy(workspace, feed)


def ledger_digest(workspace: Workspace) -> RangeDigest:
    """Return the digest of the whole ledger."""
    dates = workspace.production.dates
    with workspace.ledger.read() as connection:
        return digest(connection, dates.start, dates.end)


def totals(workspace: Workspace) -> Tally:
    """Return the rows by state, after asserting that the rows of every delivery and feed add up."""
    total = Tally()
    for feed in workspace.feeds:
        status = feed_status(workspace, feed)
        for delivery, tally in status.deliveries:
            assert tally.balances, (feed.name, delivery.arrival.name, tally)
        assert status.total.balances
        total.add(status.total)
    assert total.balances
    return total


def counts(workspace: Workspace) -> dict[str, int]:
    """Return the number of rows received and in each state, over all feeds."""
    total = totals(workspace)
    return {"received": total.received} | {state: getattr(total, state) for state in STATES}
