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
def home(tmp_path: Path) -> Workspace:
    home = small.make_home(tmp_path / "home")
    with (home.path / "production.yaml").open("a", encoding="utf-8") as file:
        file.write(CLOSED)
    return open_workspace(home.path)


def _names(home: Workspace, as_of: int | None = None) -> list[str]:
    return [one.name for one in closed_periods(home, as_of)]


def test_a_decision_overrules_the_production_and_the_past_stays_known(home: Workspace) -> None:
    assert _names(home) == ["W44"]
    reopened = reopen_period(home, "W44", who=WHO, why=WHY)
    assert _names(home) == []
    later = Period("W45", small.FRIDAY, small.TUESDAY, closed=True)
    close_period(home, [feed_of()], later, who=WHO, why=WHY)
    assert _names(home) == ["W45"]
    assert (_names(home, reopened.seq - 1), _names(home, reopened.seq)) == (["W44"], [])
    assert home.audit.verify() == []


def test_what_was_corrected_while_its_period_was_closed_is_posted_once_that_is_open_again(
    posted_home: Workspace, copy: Copy
) -> None:
    home = copy(posted_home)
    row = queued(home, "R3")
    assert row.day is not None
    close_period(home, [feed_of()], Period("W", row.day, row.day, closed=True), who=WHO, why=WHY)
    refused = corrected(home, found(home, row), net_amount="120.00")
    assert [one.codes for one in refused.rows] == [("SC-PER-001",)]
    assert row.day in due_by_landing(home, feed_of()).dates, "the rows beside it know nothing of the period"
    reopen_period(home, "W", who=WHO, why=WHY)
    assert row.day in due_by_landing(home, feed_of()).dates
    take(home, [row.day])
    assert [kind for _, _, _, kind in posted(home, "R3")] == ["posting"]
    assert_settled(home)


def test_what_makes_no_sense_is_refused(home: Workspace) -> None:
    with pytest.raises(InputError, match="closed already"):
        close_period(home, [], Period("W44", small.FRIDAY, small.FRIDAY, closed=True), who=WHO, why=WHY)
    with pytest.raises(InputError, match="before it starts"):
        close_period(home, [], Period("W", small.FRIDAY, small.THURSDAY, closed=True), who=WHO, why=WHY)
    with pytest.raises(InputError, match="no closed period is named 'W'; closed are: W44"):
        reopen_period(home, "W", who=WHO, why=WHY)
