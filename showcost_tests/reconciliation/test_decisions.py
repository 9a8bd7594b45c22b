"""Each kind of decision end to end: decided, replayed alone, and the same after a run over everything."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.checks import feed as checks
from showcost.components.outcome_metadata import quarantine_metadata
from showcost.core.errors import InputError
from showcost.ledger.periods import Period
from showcost.pipeline.periods import close_period, reopen_period
from showcost.pipeline.validation import counts_of
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.queue import RowState
from showcost.reports.status import feed_status
from showcost.staging.assets import quarantine_asset
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
    replay_decision,
)
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy


@pytest.fixture
def workspace(posted_home: Workspace, copy: Copy) -> Workspace:
    return copy(posted_home)


def _steps(workspace: Workspace, document: str) -> list[tuple[int, str, date]]:
    """Return generation, kind and date of a document's net entries."""
    return sorted((generation, kind, day) for day, _, generation, kind in postings(workspace, document))


def test_a_corrected_amount_is_posted(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R3"))
    outcome = correct_and_replay(workspace, row, net_amount="120.00")
    assert [(row.disposition, row.partition) for row in outcome.rows] == [("valid", "2026-10-29")]
    assert postings(workspace, "R3") == [(small.THURSDAY, Decimal("120.0000"), 1, "posting")]
    assert queue_row(workspace, "R3").state is RowState.RELEASED
    assert_settled(workspace)


def test_an_undated_row_gets_a_date(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R8"))
    assert row.day is None
    outcome = correct_and_replay(workspace, row, invoice_date="2026-10-30")
    assert outcome.touched == {DE: ["2026-10-30", "all"]}
    assert postings(workspace, "R8") == [(small.FRIDAY, Decimal("10.0000"), 1, "posting")]
    assert_settled(workspace)


def test_a_posted_row_moves_to_another_date(workspace: Workspace) -> None:
    row = entry_of(workspace, "R5")
    outcome = correct_and_replay(workspace, row, invoice_date="2026-10-28")
    assert outcome.touched == {DE: ["2026-10-28", "2026-10-30"]}
    assert _steps(workspace, "R5") == [
        (1, "posting", small.FRIDAY),
        (1, "reversal", small.FRIDAY),
        (2, "posting", small.WEDNESDAY),
    ]
    assert_settled(workspace)
    correct_and_replay(workspace, entry_of(workspace, "R5"), invoice_date="2026-10-29")
    assert _steps(workspace, "R5")[2:] == [
        (2, "posting", small.WEDNESDAY),
        (2, "reversal", small.WEDNESDAY),
        (3, "posting", small.THURSDAY),
    ]
    assert_settled(workspace)


def test_a_corrected_key_keeps_a_repetition_out(workspace: Workspace) -> None:
    """R1 was delivered twice; the first gets another number, and the second does not take its place."""
    outcome = correct_and_replay(workspace, entry_of(workspace, "R1"), invoice_no="R1-A")
    assert [row.disposition for row in outcome.rows] == ["valid"]
    assert [kind for *_, kind in postings(workspace, "R1")] == ["posting", "reversal"]
    assert [(generation, kind) for *_, generation, kind in postings(workspace, "R1-A")] == [(1, "posting")]
    assert_settled(workspace)
    assert queue_row(workspace, "R1").codes == ("SC-DUP-001",)


def test_a_discarded_row_stays_out_until_it_is_reopened(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R9"))
    replay_decision(workspace, deciding.discard(workspace, [row], who=WHO, why=WHY))
    discarded = queue_row(workspace, "R9")
    assert (discarded.state, discarded.codes) == (RowState.DISCARDED, ("SC-COA-001", "SC-COR-001"))
    assert_settled(workspace)
    again = deciding.discard(workspace, [found_row(workspace, discarded)], who=WHO, why=WHY)
    assert again.already_done
    with pytest.raises(InputError, match="was discarded already"):
        deciding.discard(workspace, [found_row(workspace, discarded)], who="another", why=WHY)
    replay_decision(workspace, deciding.undo(workspace, [found_row(workspace, discarded)], who=WHO, why=WHY))
    assert (queue_row(workspace, "R9").state, queue_row(workspace, "R9").codes) == (
        RowState.OPEN,
        ("SC-COA-001",),
    )
    assert_settled(workspace)


def test_discarded_rows_are_counted_apart_and_ask_for_no_work(workspace: Workspace) -> None:
    """A rejected row, a duplicate, an undated row, and a posted row that is reversed: each in one place."""
    feed, before = feed_of(), feed_status(workspace, feed_of())
    seq = workspace.audit.head().seq
    discards = [queue_row(workspace, "R9"), queue_row(workspace, "R1", 2), queue_row(workspace, "R8")]
    rows = [found_row(workspace, row) for row in discards]
    replayed = replay_decision(workspace, deciding.discard(workspace, rows, who=WHO, why=WHY))
    assert {row.disposition for row in replayed.rows} == {"discarded"}
    replayed = replay_decision(
        workspace, deciding.reverse(workspace, [entry_of(workspace, "R5")], who=WHO, why=WHY)
    )
    assert [row.disposition for row in replayed.rows] == ["discarded"]
    now = feed_status(workspace, feed)
    assert (before.total.discarded, now.total.discarded) == (0, 4)
    assert now.total.balances
    assert all(tally.balances for _, tally in now.deliveries)
    assert now.total.posted == before.total.posted - 1
    assert now.total.duplicate == before.total.duplicate - 1
    assert now.total.quarantined == before.total.quarantined - 2
    assert now.total.amounts["discarded"].keys() == {"EUR"}
    settled = Counter({code: 1 for row in discards for code in row.codes})
    assert now.codes == dict(sorted((Counter(before.codes) - settled).items()))
    assert feed_status(workspace, feed, seq).total == before.total
    for row in discards:
        assert found_row(workspace, row).disposition == "discarded"
    days = [small.WEDNESDAY, small.THURSDAY, small.FRIDAY]
    reconciled = checks.rows_reconcile(workspace, days, feed=feed)
    assert all(outcome.passed for outcome in reconciled.values())
    assert sum(int(outcome.facts["discarded"]) for outcome in reconciled.values()) == 3
    rejected = checks.no_rejected_rows(workspace, days, feed=feed)
    assert not any("SC-COR-001" in outcome.message for outcome in rejected.values())
    assert checks.all_rows_dated(workspace, feed=feed).passed
    with workspace.ledger.read() as connection:
        assert connection.execute("SELECT count(*) FROM row_decisions").fetchall() == [(4,)]


def test_a_discarded_row_is_not_in_the_metadata_that_asks_for_work(workspace: Workspace) -> None:
    store, key = workspace.staging, queue_row(workspace, "R9").day
    assert key is not None
    row = found_row(workspace, queue_row(workspace, "R9"))
    replay_decision(workspace, deciding.discard(workspace, [row], who=WHO, why=WHY))
    rows = store.read(quarantine_asset(DE), key.isoformat())
    counts = counts_of(0, rows)
    assert (counts.discarded, counts.not_posted) == (1, rows.num_rows)
    metadata = quarantine_metadata(store, feed_of(), key.isoformat(), counts)
    assert metadata["discarded"] == 1
    shown = {} if "rows" not in metadata else {line.data["id"] for line in metadata["rows"].records}
    assert row.row_id[:12] not in shown
    assert "SC-COR-001" not in counts.codes


def test_a_refused_delivery_that_a_person_discarded_is_settled(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home")
    small.deliver(workspace, DE, "empty.csv", "nothing; that is\nan invoice\n")
    land_all(workspace)
    take(workspace, small.WEEK, feeds=[DE])
    assert not checks.deliveries_readable(workspace, feed=feed_of()).passed
    (refused,) = all_rows(workspace)
    replay_decision(workspace, deciding.discard(workspace, [found_row(workspace, refused)], who=WHO, why=WHY))
    outcome = checks.deliveries_readable(workspace, feed=feed_of())
    assert (outcome.passed, outcome.message) == (True, "1 deliveries, 1 of them refused and discarded")


@pytest.mark.slow
def test_a_reversed_row_keeps_its_key_from_other_rows(workspace: Workspace) -> None:
    row = entry_of(workspace, "R1")
    replay_decision(workspace, deciding.reverse(workspace, [row], who=WHO, why=WHY))
    assert [amount for _, amount, _, _ in postings(workspace, "R1")] == [Decimal("100.1"), Decimal("-100.1")]
    assert queue_row(workspace, "R1", 1).state is RowState.WITHDRAWN
    assert_settled(workspace)
    assert queue_row(workspace, "R1", 2).state is RowState.DUPLICATE
    replay_decision(
        workspace,
        deciding.undo(workspace, [found_row(workspace, queue_row(workspace, "R1", 1))], who=WHO, why=WHY),
    )
    assert [(generation, kind) for *_, generation, kind in postings(workspace, "R1")] == [
        (1, "posting"),
        (1, "reversal"),
        (2, "posting"),
    ]
    assert_settled(workspace)


def test_a_vendors_corrected_document_is_rebooked(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R2"))
    assert row.codes == ("SC-DUP-002",)
    outcome = replay_decision(workspace, deciding.rebook(workspace, [row], who=WHO, why=WHY))
    assert sorted(row.disposition for row in outcome.rows) == ["discarded", "valid"]
    status = feed_status(workspace, feed_of())
    assert (status.total.discarded, status.total.balances) == (1, True)
    assert status.codes["SC-DUP-002"] == 1
    assert sorted(
        (generation, kind, amount) for _, amount, generation, kind in postings(workspace, "R2")
    ) == [
        (1, "posting", Decimal("1234.56")),
        (1, "reversal", Decimal("-1234.56")),
        (2, "posting", Decimal("1234.57")),
    ]
    assert_settled(workspace)


def test_a_conflict_on_another_date_is_rebooked(workspace: Workspace) -> None:
    """R4 is posted on Thursday; the later document has Friday."""
    replay_decision(
        workspace,
        deciding.rebook(workspace, [found_row(workspace, queue_row(workspace, "R4"))], who=WHO, why=WHY),
    )
    assert [(day, generation, kind) for day, _, generation, kind in postings(workspace, "R4")] == [
        (small.THURSDAY, 1, "posting"),
        (small.THURSDAY, 1, "reversal"),
        (small.FRIDAY, 2, "posting"),
    ]
    assert_settled(workspace)


def test_a_row_is_accepted_in_spite_of_a_reason(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R9"))
    with pytest.raises(InputError, match="cannot be accepted with SC-COA-001"):
        deciding.accept(workspace, [row], who=WHO, why=WHY)
    wrong_sum = correct_and_replay(workspace, row, account="3630", gross_amount="12.00")
    assert [row.codes for row in wrong_sum.rows] == [("SC-AMT-003",)]
    outcome = replay_decision(
        workspace,
        deciding.accept(workspace, [found_row(workspace, queue_row(workspace, "R9"))], who=WHO, why=WHY),
    )
    assert [(row.disposition, row.codes) for row in outcome.rows] == [("valid", ("SC-AMT-003",))]
    assert len(postings(workspace, "R9")) == 1
    assert_settled(workspace)


def test_an_amount_in_another_unit_is_entered_and_never_accepted(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home")
    title, header = f"\ufeffAlle Beträge in TEUR{';' * small.DE_HEADER.count(';')}\r\n", "\ufeff"
    rows = [small.Invoice("T1", "28.10.2026", "12,50", "2,38", "14,88")]
    small.deliver(workspace, DE, "list.csv", title + small.german(rows).removeprefix(header))
    land_all(workspace)
    take(workspace, small.WEEK)
    row = queue_row(workspace, "T1")
    assert row.codes == ("SC-CUR-003",)
    with pytest.raises(InputError, match="cannot be accepted with SC-CUR-003: amount in thousands"):
        deciding.accept(workspace, [found_row(workspace, row)], who=WHO, why=WHY)
    # Each of its amounts is to be entered.
    amounts = {"net_amount": "12500", "gross_amount": "14875"}
    assert correct_and_replay(workspace, found_row(workspace, row), **amounts).appended == 0
    assert queue_row(workspace, "T1").codes == ("SC-AMT-003", "SC-CUR-003")
    found = found_row(workspace, queue_row(workspace, "T1"))
    correct_and_replay(workspace, found, **amounts, tax_amount="2375")
    assert [amount for _, amount, *_ in postings(workspace, "T1")] == [Decimal(12500)]
    assert_settled(workspace)


def test_a_correction_that_cannot_be_read_names_the_field(workspace: Workspace) -> None:
    row = found_row(workspace, queue_row(workspace, "R3"))
    for fields, sentence in (
        ({"net_amount": "120,00"}, "net_amount must be an amount such as"),
        ({"invoice_date": "29.10.2026"}, "invoice_date must be a date such as"),
        ({"nett": "1"}, "no field 'nett'"),
    ):
        with pytest.raises(InputError, match=sentence):
            deciding.correct(workspace, [row], fields, who=WHO, why=WHY)


def test_a_closed_period_takes_neither_postings_nor_reversals(workspace: Workspace) -> None:
    feeds = [feed_of()]
    period = Period("W44", small.WEDNESDAY, small.THURSDAY, closed=True)
    close_period(workspace, feeds, period, who=WHO, why=WHY)
    with pytest.raises(InputError, match="in the closed period W44"):
        deciding.reverse(workspace, [entry_of(workspace, "R1")], who=WHO, why=WHY)
    outcome = correct_and_replay(
        workspace, found_row(workspace, queue_row(workspace, "R3")), net_amount="120.00"
    )
    assert [row.codes for row in outcome.rows] == [("SC-PER-001",)]
    moved = correct_and_replay(workspace, entry_of(workspace, "R5"), invoice_date="2026-10-28")
    assert [row.codes for row in moved.rows] == [("SC-PER-001",)]
    assert [kind for *_, kind in postings(workspace, "R5")] == ["posting", "reversal"]
    reopen_period(workspace, "W44", who=WHO, why=WHY)
    take(workspace, small.WEEK)
    assert_settled(workspace)
    assert len(postings(workspace, "R3")) == 1
    assert [generation for _, _, generation, _ in postings(workspace, "R5")] == [1, 1, 2]
