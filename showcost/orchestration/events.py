"""Report a person's changes to Dagster as runless events, so that the UI is up to date.

For commands. The Dagster instance is that of the data folder.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from showcost.components import naming
from showcost.components.outcome_metadata import (
    posted_metadata,
    quarantine_metadata,
    queue_table,
    reasons_table,
    recorded_metadata,
    valid_metadata,
)
from showcost.components.pay_assets import findings_metadata
from showcost.components.queue_metadata import queue_metadata
from showcost.config.feeds import choose_feed
from showcost.orchestration.history import history_errors
from showcost.orchestration.runs import dagster_home, in_environment
from showcost.pipeline.posting import posted_days, recorded_days
from showcost.pipeline.validation import counts_of
from showcost.reports.ledger_days import ledger_days
from showcost.staging import ALL, StagingStore
from showcost.staging.assets import quarantine_asset, raw_asset, undated_asset, valid_asset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from showcost.config.feed import FeedSpec
    from showcost.pay.findings_log import PayFinding
    from showcost.pipeline.replay import ReplayResult
    from showcost.workspace import Workspace


@contextmanager
def _instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of a data folder; StorageError if its history cannot be written."""
    with (
        in_environment(workspace),
        history_errors(dagster_home(workspace)),
        dg.DagsterInstance.get() as instance,
    ):
        yield instance


def report_replay(workspace: Workspace, outcome: ReplayResult) -> None:
    """Report the current state of the partitions that a replay touched."""
    with _instance(workspace) as instance:
        for event in _events(workspace, outcome):
            instance.report_runless_asset_event(event)


def report_findings(workspace: Workspace, changed: Sequence[PayFinding]) -> None:
    """Report the days whose findings were dismissed or reopened."""
    store = workspace.pay_findings
    with _instance(workspace) as instance:
        for feed in sorted({finding.feed for finding in changed}):
            active, dismissed = store.open_and_dismissed(feed)
            for day in sorted({finding.transaction_date for finding in changed if finding.feed == feed}):
                metadata = findings_metadata(day, active, dismissed)
                key = naming.pay_findings_key(feed)
                event = dg.AssetMaterialization(key, partition=day, metadata=metadata)
                instance.report_runless_asset_event(event)


def _events(workspace: Workspace, outcome: ReplayResult) -> Iterator[dg.AssetMaterialization]:
    store = workspace.staging
    feeds = workspace.feeds
    days: set[date] = set()
    for name, parts in outcome.touched.items():
        feed = choose_feed(feeds, name)
        for part in parts:
            if part == ALL:
                yield from _undated(store, feed)
            else:
                yield from _dated(workspace, store, feed, part)
                days.add(date.fromisoformat(part))
    for day in sorted(days):
        summary = ledger_days(workspace, [day])[day]
        metadata: dict[str, Any] = {"dagster/partition_row_count": summary.entries, "digest": summary.digest}
        yield dg.AssetMaterialization(naming.LEDGER_ENTRIES, partition=day.isoformat(), metadata=metadata)
    yield dg.AssetMaterialization(naming.QUEUE, metadata=queue_metadata(workspace))


def _undated(store: StagingStore, feed: FeedSpec) -> Iterator[dg.AssetMaterialization]:
    if store.metadata(undated_asset(feed.name), ALL) is None:
        return
    rows = store.read(undated_asset(feed.name), ALL)
    counts = counts_of(0, rows)
    yield dg.AssetMaterialization(
        naming.undated_key(feed.name),
        metadata={
            "dagster/row_count": counts.received,
            "reasons": reasons_table(counts),
            "rows": queue_table(feed, rows),
        },
    )


def _dated(
    workspace: Workspace, store: StagingStore, feed: FeedSpec, part: str
) -> Iterator[dg.AssetMaterialization]:
    raw, valid = store.metadata(raw_asset(feed.name), part), store.metadata(valid_asset(feed.name), part)
    if raw is None or valid is None:
        return
    counts = counts_of(valid.rows, store.read(quarantine_asset(feed.name), part))
    day = date.fromisoformat(part)
    assets: tuple[tuple[dg.AssetKey, dict[str, Any]], ...] = (
        (naming.raw_key(feed.name), {"dagster/partition_row_count": raw.rows, "sha256": raw.sha256}),
        (naming.valid_key(feed.name), valid_metadata(store, feed, part, counts)),
        (naming.quarantine_key(feed.name), quarantine_metadata(store, feed, part, counts)),
        (naming.ledger_key(feed), _in_ledger(workspace, feed, day)),
    )
    for key, metadata in assets:
        yield dg.AssetMaterialization(key, partition=part, metadata=metadata)


def _in_ledger(workspace: Workspace, feed: FeedSpec, day: date) -> dict[str, Any]:
    """Return the metadata of a feed's entries or plan lines of a date."""
    if feed.kind.is_plan:
        return recorded_metadata(recorded_days(workspace, feed, [day], {})[day])
    return posted_metadata(posted_days(workspace, feed, [day], {})[day])
