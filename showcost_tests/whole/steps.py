"""Taking costs along their whole way with the stages alone, without Dagster."""

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


def land_all(home: Workspace) -> None:
    """Land every feed's inbox."""
    for feed in home.feeds:
        land(home, feed)


def take(
    home: Workspace,
    dates: Sequence[date],
    *,
    feeds: Collection[str] | None = None,
    validated_at_once: int = VALIDATED_AT_ONCE,
    posted_at_once: int = POSTED_AT_ONCE,
) -> None:
    """Take the landed rows of some dates (ascending, without gaps) into the ledger, as one run would.

    A run goes through feeds without any delivery too; here only if they are among `feeds`.
    """
    pin_snapshots(home, dates, lambda: datetime(2026, 11, 4, tzinfo=UTC))
    for feed in home.feeds:
        if not (landed(home, feed) if feeds is None else feed.name in feeds):
            continue
        write_raw_rows(home, feed, dates)
        if due_by_landing(home, feed).undated is not None:
            quarantine_undated(home, feed)
        validate_partitions(home, feed, dates, validated_at_once)
        post_partitions(home, feed, dates, "test", posted_at_once)
        rebook_by_policy(home, feed)


def ledger_digest(home: Workspace) -> RangeDigest:
    """Return the digest of the whole ledger."""
    dates = home.production.dates
    with home.ledger.read() as connection:
        return digest(connection, dates.start, dates.end)


def totals(home: Workspace) -> Tally:
    """Return where all rows are, after asserting that the books of every delivery and feed balance."""
    total = Tally()
    for feed in home.feeds:
        status = feed_status(home, feed)
        for one, tally in status.deliveries:
            assert tally.balances, (feed.name, one.arrival.name, tally)
        assert status.total.balances
        total.add(status.total)
    assert total.balances
    return total


def counts(home: Workspace) -> dict[str, int]:
    """Return the number of rows received and in each state, over all feeds."""
    total = totals(home)
    return {"received": total.received} | {state: getattr(total, state) for state in STATES}
