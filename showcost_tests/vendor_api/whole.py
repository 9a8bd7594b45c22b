"""Invoices of simulated vendors from pull to ledger, and the expected results."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from showcost.ledger.digest import digest
from showcost.pipeline.auto_rebook import rebook_by_policy
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.reports.status import feed_status
from showcost.simulator.scripts import Script, invoices
from showcost.vendor_api.pull import Pull, PullRequest, pull
from showcost_tests.whole.small import TUESDAY, WEDNESDAY, WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from showcost.config.feed import FeedSpec
    from showcost.vendor_api.pool import PoolSettings
    from showcost.workspace import Workspace

AFTERWARDS: Final = datetime(2026, 11, 20, tzinfo=UTC)
"""A time after the week: its windows no longer change once they are pulled."""


def pull_week(
    home: Workspace, feeds: Sequence[FeedSpec], settings: PoolSettings | None = None, **options: bool
) -> Pull:
    """Pull the week of some feeds."""
    return pull(home, feeds, PullRequest(WEDNESDAY, TUESDAY, **options), settings, clock=lambda: AFTERWARDS)


def post_week(home: Workspace, feeds: Sequence[FeedSpec]) -> None:
    """Validate and post the landed deliveries of the week."""
    pin_snapshots(home, WEEK, lambda: AFTERWARDS)
    for feed in feeds:
        write_raw_rows(home, feed, WEEK)
        quarantine_undated(home, feed)
        validate_partitions(home, feed, WEEK)
        post_partitions(home, feed, WEEK, "test")
        rebook_by_policy(home, feed)


def week_digest(home: Workspace) -> str:
    """Return the digest of the ledger's week."""
    with home.ledger.read() as connection:
        return digest(connection, WEDNESDAY, TUESDAY).hash


def lines_of(script: Script, days: Sequence[date] = tuple(WEEK)) -> Counter[tuple[str, str]]:
    """Return the number of times that a vendor sends each line (invoice, line)."""
    return Counter(
        (invoice["id"], line["id"])
        for day in days
        for invoice in invoices(script, day, day)
        for line in invoice["lines"]
    )


def outcome_of(home: Workspace, feed: FeedSpec) -> dict[str, int]:
    """Return rows by state, after asserting that the feed's books balance."""
    status = feed_status(home, feed)
    assert status.total.balances
    assert all(tally.balances for _, tally in status.deliveries)
    total = status.total
    return {
        "received": total.received,
        "posted": total.posted,
        "quarantined": total.quarantined,
        "duplicate": total.duplicate,
        "pending": total.pending,
    }


def expected_of(script: Script, days: Sequence[date] = tuple(WEEK)) -> dict[str, int]:
    """Return rows by state as expected from the script, for a vendor with all pages fetched."""
    sent = lines_of(script, days)
    bad = {
        (invoice["id"], line["id"])
        for day in days
        for invoice in invoices(script, day, day)
        for line in invoice["lines"]
        if "," in line["net"]
    }
    received, unreadable = sent.total(), sum(sent[line] for line in bad)
    return {
        "received": received,
        "posted": len(sent) - len(bad),
        "quarantined": unreadable,
        "duplicate": received - len(sent) - (unreadable - len(bad)),
        "pending": 0,
    }


def posted_lines(home: Workspace, feed: str) -> Counter[tuple[str, str]]:
    """Return the number of net entries in the ledger per line of a feed."""
    with home.ledger.read() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT document_no, row_key, count(*) FROM ledger_entries"
            " WHERE feed = $feed AND component = 'net' GROUP BY ALL",
            {"feed": feed},
        ).fetchall()
    return Counter({(document, key): count for document, key, count in rows})
