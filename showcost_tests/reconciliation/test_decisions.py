"""Each kind of decision end to end: decided, replayed alone, and the same after a run over everything."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import InputError
from showcost.ledger.periods import Period
from showcost.pipeline.periods import close_period, reopen_period
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.queue import RowState
from showcost_tests.reconciliation.acts import (
    DE,
    WHO,
    WHY,
    assert_settled,
    corrected,
    entry_of,
    feed_of,
    found,
    posted,
    queued,
    replayed,
)
from showcost_tests.whole import small
from showcost_tests.whole.steps import take

if TYPE_CHECKING:
    from datetime import date

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy


@pytest.fixture
def home(posted_home: Workspace, copy: Copy) -> Workspace:
    return copy(posted_home)


def _steps(home: Workspace, document: str) -> list[tuple[int, str, date]]:
    """Return generation, kind and date of a document's net entries."""
    return sorted((generation, kind, day) for day, _, generation, kind in posted(home, document))


def test_a_corrected_amount_is_posted(home: Workspace) -> None:
    row = found(home, queued(home, "R3"))
    outcome = corrected(home, row, net_amount="120.00")
    assert [(one.disposition, one.partition) for one in outcome.rows] == [("valid", "2026-10-29")]
    assert posted(home, "R3") == [(small.THURSDAY, Decimal("120.0000"), 1, "posting")]
    assert queued(home, "R3").state is RowState.RELEASED
    assert_settled(home)


def test_an_undated_row_gets_a_date(home: Workspace) -> None:
    row = found(home, queued(home, "R8"))
    assert row.day is None
    outcome = corrected(home, row, invoice_date="2026-10-30")
    assert outcome.touched == {DE: ["2026-10-30", "all"]}
    assert posted(home, "R8") == [(small.FRIDAY, Decimal("10.0000"), 1, "posting")]
    assert_settled(home)


def test_a_posted_row_moves_to_another_date(home: Workspace) -> None:
    row = entry_of(home, "R5")
    outcome = corrected(home, row, invoice_date="2026-10-28")
    assert outcome.touched == {DE: ["2026-10-28", "2026-10-30"]}
    assert _steps(home, "R5") == [
        (1, "posting", small.FRIDAY),
        (1, "reversal", small.FRIDAY),
        (2, "posting", small.WEDNESDAY),
    ]
    assert_settled(home)
    corrected(home, entry_of(home, "R5"), invoice_date="2026-10-29")
    assert _steps(home, "R5")[2:] == [
        (2, "posting", small.WEDNESDAY),
        (2, "reversal", small.WEDNESDAY),
        (3, "posting", small.THURSDAY),
    ]
    assert_settled(home)


def test_a_corrected_key_keeps_a_repetition_out(home: Workspace) -> None:
    """R1 was delivered twice; the first gets another number, and the second does not take its place."""
    outcome = corrected(home, entry_of(home, "R1"), invoice_no="R1-A")
    assert [one.disposition for one in outcome.rows] == ["valid"]
    assert [kind for *_, kind in posted(home, "R1")] == ["posting", "reversal"]
    assert [(generation, kind) for *_, generation, kind in posted(home, "R1-A")] == [(1, "posting")]
    assert_settled(home)
    assert queued(home, "R1").codes == ("SC-DUP-001",)


def test_a_discarded_row_stays_out_until_it_is_reopened(home: Workspace) -> None:
    row = found(home, queued(home, "R9"))
    replayed(home, deciding.discard(home, [row], who=WHO, why=WHY))
    discarded = queued(home, "R9")
    assert (discarded.state, discarded.codes) == (RowState.DISCARDED, ("SC-COA-001", "SC-COR-001"))
    assert_settled(home)
    with pytest.raises(InputError, match="was discarded before"):
        deciding.discard(home, [found(home, discarded)], who=WHO, why=WHY)
    replayed(home, deciding.undo(home, [found(home, discarded)], who=WHO, why=WHY))
    assert (queued(home, "R9").state, queued(home, "R9").codes) == (RowState.OPEN, ("SC-COA-001",))
    assert_settled(home)


def test_what_is_withdrawn_is_reversed_and_lets_nobody_in(home: Workspace) -> None:
    row = entry_of(home, "R1")
    replayed(home, deciding.reverse(home, [row], who=WHO, why=WHY))
    assert [amount for _, amount, _, _ in posted(home, "R1")] == [Decimal("100.1"), Decimal("-100.1")]
    assert queued(home, "R1", 1).state is RowState.WITHDRAWN
    assert_settled(home)
    assert queued(home, "R1", 2).state is RowState.DUPLICATE
    replayed(home, deciding.undo(home, [found(home, queued(home, "R1", 1))], who=WHO, why=WHY))
    assert [(generation, kind) for *_, generation, kind in posted(home, "R1")] == [
        (1, "posting"),
        (1, "reversal"),
        (2, "posting"),
    ]
    assert_settled(home)


def test_a_vendors_corrected_document_is_rebooked(home: Workspace) -> None:
    row = found(home, queued(home, "R2"))
    assert row.codes == ("SC-DUP-002",)
    outcome = replayed(home, deciding.rebook(home, [row], who=WHO, why=WHY))
    assert sorted(one.disposition for one in outcome.rows) == ["quarantined", "valid"]
    assert sorted((generation, kind, amount) for _, amount, generation, kind in posted(home, "R2")) == [
        (1, "posting", Decimal("1234.56")),
        (1, "reversal", Decimal("-1234.56")),
        (2, "posting", Decimal("1234.57")),
    ]
    assert_settled(home)


def test_a_conflict_on_another_date_is_rebooked(home: Workspace) -> None:
    """R4 stands on Thursday; the later document has Friday."""
    replayed(home, deciding.rebook(home, [found(home, queued(home, "R4"))], who=WHO, why=WHY))
    assert [(day, generation, kind) for day, _, generation, kind in posted(home, "R4")] == [
        (small.THURSDAY, 1, "posting"),
        (small.THURSDAY, 1, "reversal"),
        (small.FRIDAY, 2, "posting"),
    ]
    assert_settled(home)


def test_a_row_is_accepted_in_spite_of_a_reason(home: Workspace) -> None:
    row = found(home, queued(home, "R9"))
    with pytest.raises(InputError, match="cannot be accepted with SC-COA-001"):
        deciding.accept(home, [row], who=WHO, why=WHY)
    wrong_sum = corrected(home, row, account="3630", gross_amount="12.00")
    assert [one.codes for one in wrong_sum.rows] == [("SC-AMT-003",)]
    outcome = replayed(home, deciding.accept(home, [found(home, queued(home, "R9"))], who=WHO, why=WHY))
    assert [(one.disposition, one.codes) for one in outcome.rows] == [("valid", ("SC-AMT-003",))]
    assert len(posted(home, "R9")) == 1
    assert_settled(home)


def test_a_correction_that_cannot_be_read_names_the_field(home: Workspace) -> None:
    row = found(home, queued(home, "R3"))
    for fields, sentence in (
        ({"net_amount": "120,00"}, "net_amount must be an amount such as"),
        ({"invoice_date": "29.10.2026"}, "invoice_date must be a date such as"),
        ({"nett": "1"}, "no field 'nett'"),
    ):
        with pytest.raises(InputError, match=sentence):
            deciding.correct(home, [row], fields, who=WHO, why=WHY)


def test_a_closed_period_takes_neither_postings_nor_reversals(home: Workspace) -> None:
    feeds = [feed_of()]
    period = Period("W44", small.WEDNESDAY, small.THURSDAY, closed=True)
    close_period(home, feeds, period, who=WHO, why=WHY)
    with pytest.raises(InputError, match="in the closed period W44"):
        deciding.reverse(home, [entry_of(home, "R1")], who=WHO, why=WHY)
    outcome = corrected(home, found(home, queued(home, "R3")), net_amount="120.00")
    assert [one.codes for one in outcome.rows] == [("SC-PER-001",)]
    moved = corrected(home, entry_of(home, "R5"), invoice_date="2026-10-28")
    assert [one.codes for one in moved.rows] == [("SC-PER-001",)]
    assert [kind for *_, kind in posted(home, "R5")] == ["posting", "reversal"]
    reopen_period(home, "W44", who=WHO, why=WHY)
    take(home, small.WEEK)
    assert_settled(home)
    assert len(posted(home, "R3")) == 1
    assert [generation for _, _, generation, _ in posted(home, "R5")] == [1, 1, 2]
