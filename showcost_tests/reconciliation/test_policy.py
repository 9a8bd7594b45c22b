"""A feed that reverses and rebooks corrected documents by policy, with the same result in any order."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.checks.verify import verify
from showcost.config.feeds import load_feeds
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.queue import RowState
from showcost_tests.reconciliation.acts import DE, WHO, WHY, found_row, postings, queue_row, replay_decision
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, ledger_digest, take

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace

VERSIONS = (
    small.Invoice("R1", "29.10.2026", "100,00", "19,00", "119,00"),
    small.Invoice("R1", "28.10.2026", "110,00", "20,90", "130,90"),
    small.Invoice("R1", "30.10.2026", "120,00", "22,80", "142,80", account="3399"),  # no such account
    small.Invoice("R1", "30.10.2026", "90,00", "17,10", "107,10"),
)
"""A document that comes four times; the third version cannot be posted."""
DAYS = [small.WEDNESDAY, small.THURSDAY, small.FRIDAY]


@pytest.fixture(autouse=True)
def _policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the German feed the policy."""

    def feeds(production: str, *, home: Path) -> list[FeedSpec]:
        return [
            feed.model_copy(update={"corrected_documents": "reverse_and_rebook"}) if feed.name == DE else feed
            for feed in load_feeds(production, home=home)
        ]

    monkeypatch.setattr("showcost.workspace.load_feeds", feeds)


def _deliver(workspace: Workspace, *numbers: int) -> None:
    for number in numbers:
        small.deliver(workspace, DE, f"{number}.csv", small.german([VERSIONS[number]]))
        land_all(workspace)


def _workspace(folder: Path, pieces: Sequence[Sequence[date]], *, all_at_once: bool) -> Workspace:
    workspace = small.make_home(folder)
    if all_at_once:
        _deliver(workspace, 0, 1, 2, 3)
    for number in range(1 if all_at_once else 4):
        if not all_at_once:
            _deliver(workspace, number)
        for dates in pieces:
            take(workspace, dates, feeds=[DE])
    return workspace


@pytest.mark.slow
def test_versions_follow_each_other_in_any_order_of_landing_and_posting(tmp_path: Path) -> None:
    orders = {
        "one by one": _workspace(tmp_path / "a", [DAYS], all_at_once=False),
        "all landed": _workspace(tmp_path / "b", [DAYS], all_at_once=True),
        "backwards": _workspace(tmp_path / "c", [[day] for day in reversed(DAYS)], all_at_once=True),
    }
    entries = [
        (small.WEDNESDAY, 2, "posting", Decimal(110)),
        (small.WEDNESDAY, 2, "reversal", Decimal(-110)),
        (small.THURSDAY, 1, "posting", Decimal(100)),
        (small.THURSDAY, 1, "reversal", Decimal(-100)),
        (small.FRIDAY, 3, "posting", Decimal(90)),
    ]
    for name, workspace in orders.items():
        steps = sorted(
            (day, generation, kind, amount) for day, amount, generation, kind in postings(workspace, "R1")
        )
        assert steps == entries, name
        assert verify(workspace).first is None, name
    assert len({ledger_digest(workspace).hash for workspace in orders.values()}) == 1


def test_a_person_overrules_the_policy_for_good(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home")
    _deliver(workspace, 0, 1)
    take(workspace, DAYS, feeds=[DE])
    former = queue_row(workspace, "R1", 1)
    assert former.state is RowState.WITHDRAWN
    replay_decision(workspace, deciding.undo(workspace, [found_row(workspace, former)], who=WHO, why=WHY))
    replay_decision(
        workspace,
        deciding.rebook(workspace, [found_row(workspace, queue_row(workspace, "R1", 1))], who=WHO, why=WHY),
    )
    digest = ledger_digest(workspace).hash
    take(workspace, DAYS, feeds=[DE])
    assert ledger_digest(workspace).hash == digest
    assert max(postings(workspace, "R1"), key=lambda entry: entry[2])[1] == Decimal(100)


def test_documents_far_apart_are_left_to_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showcost.pipeline.auto_rebook.FAR_DAYS", 0)
    workspace = small.make_home(tmp_path / "home")
    for number in (0, 1):
        small.deliver(workspace, DE, f"{number}.csv", small.german([VERSIONS[number]]))
    land_all(workspace)
    take(workspace, DAYS, feeds=[DE])
    assert postings(workspace, "R1") == [(small.THURSDAY, Decimal(100), 1, "posting")]
    assert queue_row(workspace, "R1", 2).codes == ("SC-DUP-002",)
