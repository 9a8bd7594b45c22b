"""A total that looks like a row: never posted unless a person accepts it, and gone from no list."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from showcost.config.feed import ControlTotal
from showcost.reconciliation import decisions as deciding
from showcost.reports.status import feed_status
from showcost_tests.reconciliation.acts import (
    WHO,
    WHY,
    assert_settled,
    correct_and_replay,
    feed_of,
    found_row,
    posted_list,
    postings,
    queue_row,
    replay_decision,
)
from showcost_tests.whole import small

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost_tests.command_line import CommandLine

ROWS: Final = (
    small.Invoice("R1", "28.10.2026", "1.000,00", "190,00", "1.190,00"),
    small.Invoice("R2", "28.10.2026", "500,00", "95,00", "595,00"),
    small.Invoice("S1", "31.10.2026", "1.500,00", "285,00", "1.785,00", text="Summe Oktober"),
)


def test_a_total_with_number_and_date_is_not_posted(tmp_path: Path, showcost: CommandLine) -> None:
    workspace = posted_list(tmp_path, ROWS)
    assert [len(postings(workspace, number)) for number in ("R1", "R2", "S1")] == [1, 1, 0]
    assert queue_row(workspace, "S1").codes == ("SC-TOT-001",)
    shown = showcost(workspace, "queue", "show", queue_row(workspace, "S1").row_id).out
    assert "named a total, and the sum of 2 rows above" in shown
    assert_settled(workspace)
    assert showcost(workspace, "verify").status == 0


def test_a_person_accepts_or_discards_it(tmp_path: Path) -> None:
    workspace = posted_list(tmp_path, ROWS)
    row = found_row(workspace, queue_row(workspace, "S1"))
    replay_decision(workspace, deciding.accept(workspace, [row], who=WHO, why=WHY))
    assert sum(amount for _, amount, *_ in postings(workspace, "S1")) == Decimal(1500)
    assert_settled(workspace)

    other = posted_list(tmp_path / "other", ROWS)
    row = found_row(other, queue_row(other, "S1"))
    replay_decision(other, deciding.discard(other, [row], who=WHO, why=WHY))
    assert postings(other, "S1") == []
    assert_settled(other)


def test_a_correction_of_another_field_leaves_the_doubt_and_one_of_the_amount_ends_it(tmp_path: Path) -> None:
    workspace = posted_list(tmp_path, ROWS)
    row = found_row(workspace, queue_row(workspace, "S1"))
    assert correct_and_replay(workspace, row, description="Wache").rows[0].codes == ("SC-TOT-001",)
    row = found_row(workspace, queue_row(workspace, "S1"))
    corrected = correct_and_replay(workspace, row, net_amount="1400.00", gross_amount="1685.00")
    assert corrected.rows[0].disposition == "valid"
    assert sum(amount for _, amount, *_ in postings(workspace, "S1")) == Decimal(1400)
    assert {row.codes for row in [found_row(workspace, queue_row(workspace, "S1"))]} == {()}


@pytest.fixture
def controlled(monkeypatch: pytest.MonkeyPatch) -> FeedSpec:
    """Return the German feed, with a control total, as the only one of the production."""
    feed = feed_of().model_copy(update={"control_total": ControlTotal(labels=("Blatt",), field="net_amount")})
    monkeypatch.setattr("showcost.workspace.load_feeds", lambda *_, **__: [feed])
    return feed


@pytest.mark.parametrize(("stated", "accepted"), [("3.000,00", True), ("1.500,00", False)])
def test_a_control_total_is_compared_once_a_person_decided(
    stated: str, *, accepted: bool, controlled: FeedSpec, tmp_path: Path
) -> None:
    total = ["Blatt", *[""] * small.DE_HEADER.count(";")]
    total[small.DE_HEADER.split(";").index("Nettobetrag")] = stated
    workspace = posted_list(tmp_path, ROWS, footer=";".join(total) + "\n")
    (waiting,) = feed_status(workspace, controlled).control_totals
    assert (waiting.is_checked, waiting.total, waiting.unreadable) == (False, Decimal(1500), 1)
    row = found_row(workspace, queue_row(workspace, "S1"))
    decide = deciding.accept if accepted else deciding.discard
    replay_decision(workspace, decide(workspace, [row], who=WHO, why=WHY))
    assert not feed_status(workspace, controlled).control_totals
