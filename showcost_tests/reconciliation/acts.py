"""Rows of the small production by document, decisions on them, and comparison of all books."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from showcost.checks.verify import verify
from showcost.config.feeds import choose_feed, load_feeds
from showcost.ingest.landing import landed
from showcost.pipeline import due
from showcost.pipeline.replay import ReplayResult, replay
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import FoundRow, find_rows
from showcost.reconciliation.queue import QueueFilter, QueueRow, RowState, queue_rows
from showcost.staging.assets import quarantine_asset, raw_asset, undated_asset, valid_asset
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, ledger_digest, take, totals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.reconciliation.decisions import DecisionResult
    from showcost.workspace import Workspace

WHO, WHY = "an accountant", "as the vendor confirmed"
DE = "vendor_invoices_de"


def feed_of(name: str = DE) -> FeedSpec:
    return choose_feed(load_feeds(), name)


def all_rows(workspace: Workspace, feed: str = DE) -> list[QueueRow]:
    """Return all rows of the queue, whatever their state."""
    return queue_rows(workspace, [feed_of(feed)], QueueFilter(states=tuple(RowState)))


def queue_row(workspace: Workspace, document: str, delivery: int | None = None, feed: str = DE) -> QueueRow:
    """Return the one row of the queue with a document number, of the n-th delivery of its feed if given."""
    rows = [row for row in all_rows(workspace, feed) if row.document == document]
    if delivery is not None:
        arrivals = [item.arrival.number for item in landed(workspace, feed_of(feed))]
        rows = [row for row in rows if row.arrival == arrivals[delivery - 1]]
    (row,) = rows
    return row


def postings(workspace: Workspace, document: str) -> list[tuple[date, Decimal, int, str]]:
    """Return (date, amount, generation, kind) of a document's net or fee entries, oldest first."""
    with workspace.ledger.read() as connection:
        return connection.execute(
            "SELECT transaction_date, amount, generation, entry_kind FROM ledger_entries"
            " JOIN batches USING (batch_id)"
            " WHERE document_no = $document AND component IN ('net', 'fee')"
            " ORDER BY seq, generation, entry_kind DESC",
            {"document": document},
        ).fetchall()


def entry_of(workspace: Workspace, document: str) -> FoundRow:
    """Return the row of a document's active entries."""
    with workspace.ledger.read() as connection:
        (entry,) = connection.execute(
            "SELECT entry_id FROM ledger_entries WHERE document_no = $document AND entry_kind = 'posting'"
            " AND component IN ('net', 'fee')"
            " AND entry_id NOT IN (SELECT reverses FROM ledger_entries WHERE reverses IS NOT NULL)",
            {"document": document},
        ).fetchall()
    (row,) = find_rows(workspace, [entry[0]])
    return row


def correct_and_replay(workspace: Workspace, row: FoundRow, **fields: str) -> ReplayResult:
    return replay(workspace, deciding.correct(workspace, [row], fields, who=WHO, why=WHY).places)


def found_row(workspace: Workspace, row: QueueRow) -> FoundRow:
    (found,) = find_rows(workspace, [row.row_id[:16]])
    return found


def replay_decision(workspace: Workspace, decided: DecisionResult) -> ReplayResult:
    return replay(workspace, decided.places)


def posted_list(folder: Path, rows: Sequence[small.Invoice], *, footer: str = "") -> Workspace:
    """Return a production with one list of the German feed, validated and posted."""
    workspace = small.make_home(folder / "home")
    small.deliver(workspace, DE, "list.csv", small.german(rows) + footer)
    land_all(workspace)
    take(workspace, small.WEEK)
    return workspace


def assert_settled(workspace: Workspace, feed: str = DE) -> None:
    """Assert that the books balance, everything verifies, and a run over all dates would change nothing."""
    totals(workspace)
    before = ledger_digest(workspace).hash, _staged(workspace, feed), all_rows(workspace, feed)
    dates = workspace.production.dates
    take(
        workspace,
        [dates.start + timedelta(days=number) for number in range((dates.end - dates.start).days + 1)],
    )
    assert (ledger_digest(workspace).hash, _staged(workspace, feed), all_rows(workspace, feed)) == before
    assert verify(workspace).first is None
    assert not due.due_by_landing(workspace, feed_of(feed)).dates


def _staged(workspace: Workspace, feed: str) -> dict[tuple[str, str], pa.Table]:
    """Return the staged rows of a feed, without reasons, which tell whether a key holder is posted by now."""
    store = workspace.staging
    tables = {}
    for asset in (raw_asset(feed), valid_asset(feed), quarantine_asset(feed), undated_asset(feed)):
        for part in store.partitions(asset):
            if asset == raw_asset(feed):
                noted = store.existing(asset, part)
                tables[asset, part] = pa.table({"rows": [noted.rows]})
                continue
            rows = store.read(asset, part)
            if rows.num_rows:
                tables[asset, part] = rows.drop_columns(
                    [name for name in ("reasons",) if name in rows.column_names]
                )
    return tables
