"""Replay: one row alone, from landed records; idempotent; pending rows are released automatically."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.audit.transitions import AuditKind
from showcost.checks.verify import verify
from showcost.core.hashing import sha256_bytes
from showcost.ingest.landing import landed
from showcost.pipeline.due import due_by_landing, due_by_rates
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.rate_files import imported_folder
from showcost.pipeline.replay import replay
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.queue import RowState
from showcost.staging.assets import records_asset
from showcost_tests.reconciliation.acts import (
    DE,
    WHO,
    WHY,
    all_rows,
    assert_settled,
    correct_and_replay,
    entry_of,
    feed_of,
    found_row,
    postings,
    queue_row,
)
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, ledger_digest, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

MANY = 100


@pytest.fixture
def workspace(posted_home: Workspace, copy: Copy) -> Workspace:
    return copy(posted_home)


def _hundred(folder: Path) -> Workspace:
    """Return a workspace with a hundred German deliveries of one row each, one with a wrong account."""
    workspace = small.make_home(folder)
    for number in range(MANY):
        account = "3399" if number == MANY // 2 else "3630"
        invoice = small.Invoice(f"N{number}", "29.10.2026", "10,00", "1,90", "11,90", account=account)
        small.deliver(workspace, DE, f"{number:03}.csv", small.german([invoice]))
    land_all(workspace)
    take(workspace, [small.THURSDAY], feeds=[DE])
    return workspace


@pytest.mark.slow
def test_a_replay_of_one_row_of_a_hundred_deliveries_opens_that_delivery_alone(tmp_path: Path) -> None:
    workspace = _hundred(tmp_path / "home")
    row = queue_row(workspace, f"N{MANY // 2}")
    hidden = []
    for delivery in landed(workspace, feed_of()):
        sha256 = delivery.arrival.delivery
        if sha256 == row.place.delivery:
            continue
        hidden += [workspace.raw / sha256[:2] / sha256]
        hidden += list((workspace.path / "staging" / records_asset(DE)).glob(f"{sha256}.*.parquet"))
    assert len(hidden) == 2 * (MANY - 1)
    for path in hidden:
        path.rename(path.with_name(f"{path.name}.gone"))
    outcome = correct_and_replay(workspace, found_row(workspace, row), account="3630")
    assert [row.disposition for row in outcome.rows] == ["valid"]
    assert len(postings(workspace, f"N{MANY // 2}")) == 1
    for path in hidden:
        path.with_name(f"{path.name}.gone").rename(path)
    assert_settled(workspace)


def test_a_replay_twice_appends_nothing_the_second_time(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R3"))
    first = correct_and_replay(workspace, row, net_amount="120.00")
    digest = ledger_digest(workspace).hash
    again = replay(workspace, [row.place])
    assert (first.appended, again.appended) == (2, 0)
    assert ledger_digest(workspace).hash == digest
    assert verify(workspace).first is None


def test_a_replay_touches_no_other_row(workspace: Workspace) -> None:
    before = {row.row_id: row for row in all_rows(workspace)}
    row = queue_row(workspace, "R9")
    correct_and_replay(workspace, found_row(workspace, row), account="3630")
    after = {row.row_id: row for row in all_rows(workspace)}
    assert {name for name in after if after[name] != before.get(name)} == {row.row_id}
    (record,) = (record for record in workspace.audit.records() if record.kind is AuditKind.REPLAYED)
    assert record.facts["rows"] == 1
    assert [text for text in record.subjects if text.startswith("row:")] == [f"row:{row.row_id}"]


def test_a_decision_that_was_not_replayed_is_made_up_for_by_a_run(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R8"))
    deciding.correct(workspace, [row], {"invoice_date": "2026-10-30"}, who=WHO, why=WHY)
    assert queue_row(workspace, "R8").state is RowState.DECIDED
    due = due_by_landing(workspace, feed_of())
    assert (list(due.dates), due.undated is not None) == ([small.FRIDAY], True)
    take(workspace, small.WEEK)
    assert len(postings(workspace, "R8")) == 1
    assert_settled(workspace)


@pytest.mark.slow
def test_ten_deliveries_of_everything_after_corrections_change_nothing(workspace: Workspace) -> None:
    """In the same bytes, and in others: the rows as they first came are repetitions of corrected ones."""
    correct_and_replay(workspace, found_row(workspace, queue_row(workspace, "R3")), net_amount="120.00")
    correct_and_replay(
        workspace, found_row(workspace, queue_row(workspace, "R9")), account="3630", invoice_no="R9-A"
    )
    digest = ledger_digest(workspace).hash
    for number in range(10):
        for (feed, name), content in small.DELIVERIES.items():
            ends = "\r\n" if number else "\n"
            small.deliver(workspace, feed, f"again {number} {name}", content.replace("\r\n", ends))
    land_all(workspace)
    take(workspace, small.WEEK)
    assert ledger_digest(workspace).hash == digest
    states = {row.state for row in all_rows(workspace) if row.document in ("R3", "R9", "R9-A")}
    assert states == {RowState.DUPLICATE, RowState.RELEASED}
    assert verify(workspace).first is None


def test_pending_rows_are_released_by_themselves_when_their_rate_arrives(workspace: Workspace) -> None:
    assert queue_row(workspace, "R7").state is RowState.PENDING
    assert due_by_rates(workspace, feed_of()) == []
    small.know_rates(workspace, until=small.MONDAY)
    assert due_by_rates(workspace, feed_of()) == [small.MONDAY]
    take(workspace, [small.MONDAY])
    assert len(postings(workspace, "R7")) == 1
    assert [row for row in all_rows(workspace) if row.document == "R7"] == []


def test_a_revised_rate_changes_neither_entries_nor_their_reversals(workspace: Workspace) -> None:
    dates = [small.WEDNESDAY, small.THURSDAY, small.FRIDAY]
    before, rates = ledger_digest(workspace).hash, _rates_of(workspace, "R5")
    assert len(rates) == 1
    _revise_rates(workspace)
    assert {snapshot.snapshot_date for snapshot in pin_snapshots(workspace, dates).result.differing} == set(
        dates
    )
    take(workspace, dates)
    assert ledger_digest(workspace).hash == before
    correct_and_replay(workspace, entry_of(workspace, "R5"), description="as the vendor writes it")
    assert [kind for _, _, _, kind in postings(workspace, "R5")] == ["posting", "reversal", "posting"]
    assert _rates_of(workspace, "R5") == rates
    differing = [found for step in verify(workspace).steps for found in step.discrepancies]
    assert [found.place.partition("/")[0] for found in differing] == ["rates"], (
        "the imported file was replaced"
    )


def _revise_rates(workspace: Workspace) -> None:
    """Put a file with other rates of the same days in the place of the one that was imported."""
    (imported,) = imported_folder(workspace).iterdir()
    header, *lines = imported.read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines]
    other = [
        ",".join([day, *(str(Decimal(rate) + Decimal("0.01")) for rate in rates)]) for day, *rates in rows
    ]
    revised = "\n".join([header, *other]).encode()
    imported.unlink()
    (imported_folder(workspace) / sha256_bytes(revised)).write_bytes(revised)


def _rates_of(workspace: Workspace, document: str) -> list[tuple[Decimal, str]]:
    """Return the different rates of a document's entries, each with its snapshot."""
    with workspace.ledger.read() as connection:
        return connection.execute(
            "SELECT DISTINCT rate, snapshot_id FROM ledger_entries WHERE document_no = $document",
            {"document": document},
        ).fetchall()
