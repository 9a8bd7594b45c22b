"""Which periods are closed: those of the production, overruled by what people decided since."""

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
    corrected,
    feed_of,
    found,
    posted,
    queued,
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
    return [one.name for one in closed_periods(workspace, as_of)]


def test_a_decision_overrules_the_production_and_the_past_stays_known(workspace: Workspace) -> None:
    assert _names(workspace) == ["W44"]
    reopened = reopen_period(workspace, "W44", who=WHO, why=WHY)
    assert _names(workspace) == []
    later = Period("W45", small.FRIDAY, small.TUESDAY, closed=True)
    close_period(workspace, [feed_of()], later, who=WHO, why=WHY)
    assert _names(workspace) == ["W45"]
    assert (_names(workspace, reopened.seq - 1), _names(workspace, reopened.seq)) == (["W44"], [])
    assert workspace.audit.verify() == []


def test_what_was_corrected_while_its_period_was_closed_is_posted_once_that_is_open_again(
    posted_home: Workspace, copy: Copy
) -> None:
    workspace = copy(posted_home)
    row = queued(workspace, "R3")
    assert row.day is not None
    close_period(workspace, [feed_of()], Period("W", row.day, row.day, closed=True), who=WHO, why=WHY)
    refused = corrected(workspace, found(workspace, row), net_amount="120.00")
    assert [one.codes for one in refused.rows] == [("SC-PER-001",)]
    assert row.day in due_by_landing(workspace, feed_of()).dates, (
        "the rows beside it know nothing of the period"
    )
    reopen_period(workspace, "W", who=WHO, why=WHY)
    assert row.day in due_by_landing(workspace, feed_of()).dates
    take(workspace, [row.day])
    assert [kind for _, _, _, kind in posted(workspace, "R3")] == ["posting"]
    assert_settled(workspace)


def test_what_makes_no_sense_is_refused(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="closed already"):
        close_period(workspace, [], Period("W44", small.FRIDAY, small.FRIDAY, closed=True), who=WHO, why=WHY)
    with pytest.raises(InputError, match="before it starts"):
        close_period(workspace, [], Period("W", small.FRIDAY, small.THURSDAY, closed=True), who=WHO, why=WHY)
    with pytest.raises(InputError, match="no closed period is named 'W'; closed are: W44"):
        reopen_period(workspace, "W", who=WHO, why=WHY)
