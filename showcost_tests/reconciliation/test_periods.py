"""Closed periods: those of the production, overridden by later decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from showcost.core.errors import InputError
from showcost.ledger.periods import Period
from showcost.pipeline.due import due_by_landing
from showcost.pipeline.periods import close_period, closed_periods, reopen_period
from showcost.workspace import open_workspace
from showcost_tests.reconciliation.acts import (
    WHO,
    WHY,
    assert_settled,
    correct_and_replay,
    feed_of,
    found_row,
    postings,
    queue_row,
)
from showcost_tests.whole import small
from showcost_tests.whole.steps import take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.whole.conftest import Copy

CLOSED = "closed_periods: [{name: W44, start: 2026-10-28, end: 2026-10-29}]\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = small.make_home(tmp_path / "home")
    with (workspace.path / "production.yaml").open("a", encoding="utf-8") as file:
        file.write(CLOSED)
    return open_workspace(workspace.path)


def _names(workspace: Workspace, as_of: int | None = None) -> list[str]:
    return [period.name for period in closed_periods(workspace, as_of)]


def test_a_decision_overrules_the_production_and_the_past_stays_known(workspace: Workspace) -> None:
    assert _names(workspace) == ["W44"]
    reopened = reopen_period(workspace, "W44", who=WHO, why=WHY)
    assert _names(workspace) == []
    later = Period("W45", small.FRIDAY, small.TUESDAY, closed=True)
    close_period(workspace, [feed_of()], later, who=WHO, why=WHY)
    assert _names(workspace) == ["W45"]
    assert (_names(workspace, reopened.seq - 1), _names(workspace, reopened.seq)) == (["W44"], [])
    assert workspace.audit.verify() == []


@pytest.mark.slow
def test_a_row_corrected_in_a_closed_period_is_posted_once_the_period_is_reopened(
    posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(posted_home)
    row = queue_row(workspace, "R3")
    assert row.day is not None
    close_period(workspace, [feed_of()], Period("W", row.day, row.day, closed=True), who=WHO, why=WHY)
    refused = correct_and_replay(workspace, found_row(workspace, row), net_amount="120.00")
    assert [row.codes for row in refused.rows] == [("SC-PER-001",)]
    assert row.day in due_by_landing(workspace, feed_of()).dates, (
        "the rows beside it know nothing of the period"
    )
    reopen_period(workspace, "W", who=WHO, why=WHY)
    assert row.day in due_by_landing(workspace, feed_of()).dates
    take(workspace, [row.day])
    assert [kind for _, _, _, kind in postings(workspace, "R3")] == ["posting"]
    assert_settled(workspace)


def test_invalid_periods_are_refused(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="closed already"):
        close_period(workspace, [], Period("W44", small.FRIDAY, small.FRIDAY, closed=True), who=WHO, why=WHY)
    with pytest.raises(InputError, match="before it starts"):
        close_period(workspace, [], Period("W", small.FRIDAY, small.THURSDAY, closed=True), who=WHO, why=WHY)
    with pytest.raises(InputError, match="no closed period is named 'W'; closed are: W44"):
        reopen_period(workspace, "W", who=WHO, why=WHY)
