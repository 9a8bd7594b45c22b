"""A row that was decided on is posted with the decision or not at all; verification finds what was not."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.checks.verify import verify
from showcost.ledger import new_entries
from showcost.ledger import posting as ledger_posting
from showcost.ledger.decisions import leave_out_outdated
from showcost.ledger.posting import post
from showcost.pipeline import posting, replay, unposted
from showcost.pipeline.due import due_by_landing
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.replay import replay as replay_rows
from showcost.reconciliation import decisions as deciding
from showcost_tests.reconciliation.acts import WHO, WHY, assert_settled, entry_of, feed_of, postings
from showcost_tests.whole import small
from showcost_tests.whole.steps import take

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

CORRECTED = {"net_amount": "-600.00", "tax_amount": "-114.00", "gross_amount": "-714.00"}


def decide(workspace: Workspace) -> None:
    """Correct the row without its replay, as a command does that is killed after its record."""
    deciding.correct(workspace, [entry_of(workspace, "R5")], CORRECTED, who=WHO, why=WHY)


def amounts(workspace: Workspace) -> list[tuple[str, Decimal]]:
    return [(kind, amount) for _, amount, _, kind in postings(workspace, "R5")]


def found(workspace: Workspace) -> list[str]:
    """Return the differences of the step `posted`."""
    (step,) = (step for step in verify(workspace).steps if step.name == "posted")
    return [str(difference) for difference in step.discrepancies]


def post_before_validation(workspace: Workspace, _: pytest.MonkeyPatch) -> None:
    """Post the entries of the week, as somebody does who materialises that asset alone."""
    decide(workspace)
    post_partitions(workspace, feed_of(), small.WEEK, "entries alone")


def post_during_a_decision(workspace: Workspace, patch: pytest.MonkeyPatch) -> None:
    """Post the week while a person decides: after its rows were chosen, before they are in the ledger."""

    def meanwhile(*_: object) -> None:
        decide(workspace)

    patch.setattr(posting, "_require_recorded", meanwhile)
    post_partitions(workspace, feed_of(), small.WEEK, "run")


@pytest.mark.parametrize("post_week", [post_before_validation, post_during_a_decision])
def test_a_row_is_not_posted_again_with_the_values_before_its_correction(
    posted_home: Workspace, copy: Copy, post_week: Callable[[Workspace, pytest.MonkeyPatch], None]
) -> None:
    workspace = copy(posted_home)
    (first,) = amounts(workspace)
    with pytest.MonkeyPatch.context() as patch:
        post_week(workspace, patch)
    assert amounts(workspace) == [first, ("reversal", -first[1])]
    assert due_by_landing(workspace, feed_of()).dates
    report = verify(workspace)
    assert report.first is None
    assert "next `showcost run`: 1 to be posted, 0 to be reversed" in " ".join(report.notes)
    take(workspace, small.WEEK)
    assert amounts(workspace) == [first, ("reversal", -first[1]), ("posting", Decimal("-600.00"))]
    assert_settled(workspace)


def test_a_replay_leaves_a_row_that_was_decided_on_meanwhile_to_the_next_one(
    posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(posted_home)
    row = entry_of(workspace, "R5")
    places = deciding.correct(workspace, [row], {"description": "rushes"}, who=WHO, why=WHY).places
    original = post

    def later(*arguments: object, **named: object) -> object:
        deciding.correct(workspace, [entry_of(workspace, "R5")], CORRECTED, who="another", why="better")
        return original(*arguments, **named)  # type: ignore[arg-type] # passed on

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "post", later)
        replay_rows(workspace, places)
    assert [kind for kind, _ in amounts(workspace)] == ["posting", "reversal"]
    take(workspace, small.WEEK)
    assert amounts(workspace)[-1] == ("posting", Decimal("-600.00"))
    assert_settled(workspace)


def test_a_posting_without_a_decision_before_it_is_found(posted_home: Workspace, copy: Copy) -> None:
    """Earlier versions posted the former values again, and nothing made up for it."""
    workspace = copy(posted_home)
    decide(workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ledger_posting,
            "leave_out_outdated",
            lambda connection, feed, _: leave_out_outdated(connection, feed, None),
        )
        post_partitions(workspace, feed_of(), small.WEEK, "entries alone")
    take(workspace, small.WEEK)
    assert not due_by_landing(workspace, feed_of()).dates
    (difference,) = found(workspace)
    assert "posted the values that it had before the decision of record" in difference
    row = entry_of(workspace, "R5")
    replay_rows(workspace, deciding.undo(workspace, [row], who=WHO, why="posted without it").places)
    decide(workspace)
    take(workspace, small.WEEK)
    assert found(workspace) == []
    assert amounts(workspace)[-1] == ("posting", Decimal("-600.00"))


def test_a_correction_that_was_reversed_and_not_posted_again_is_found(
    posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(posted_home)
    row = entry_of(workspace, "R5")
    places = deciding.correct(workspace, [row], CORRECTED, who=WHO, why=WHY).places
    original = post

    def reverse_only(ledger: object, context: object, valid: object, **named: object) -> object:
        return original(ledger, context, valid.slice(0, 0), **named)  # type: ignore[attr-defined, arg-type] # a table

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "post", reverse_only)
        replay_rows(workspace, places)
    assert [kind for kind, _ in amounts(workspace)] == ["posting", "reversal"]
    assert found(workspace) == [], "it waits for a run"
    with pytest.MonkeyPatch.context() as patch:
        # As if the index of the staging left the row out.
        patch.setattr(unposted, "unposted_dates", lambda *_: set())
        (difference,) = found(workspace)
    assert "but a posting left it out" in difference
    take(workspace, small.WEEK)
    assert found(workspace) == []


def test_an_entry_that_a_posting_after_its_reversal_was_decided_left_is_found(
    posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(posted_home)
    deciding.reverse(workspace, [entry_of(workspace, "R5")], who=WHO, why=WHY)
    assert found(workspace) == [], "it waits for a run"
    other = entry_of(workspace, "R6")
    places = deciding.correct(workspace, [other], {"invoice_date": "2026-10-30"}, who=WHO, why=WHY).places
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new_entries, "_REVERSALS", f"{new_entries._REVERSALS} WHERE false")
        replay_rows(workspace, places)
    differences = found(workspace)
    assert len(differences) == 2, "both entries of the row"
    assert all("it was to be reversed since record" in difference for difference in differences)
    take(workspace, small.WEEK)
    assert found(workspace) == []
