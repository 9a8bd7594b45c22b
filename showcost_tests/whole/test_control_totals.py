"""A control total that an unreadable amount keeps from being compared: shown, flagged, compared later."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest

from showcost.checks import feed as checks
from showcost.config.feed import ControlTotal
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import find_rows
from showcost.reports.status import feed_status
from showcost.staging.assets import valid_asset
from showcost_tests.reconciliation.acts import (
    DE,
    WHO,
    WHY,
    correct_and_replay,
    feed_of,
    found_row,
    queue_row,
    replay_decision,
)
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine

INVOICES: Final = (
    small.Invoice("R1", "28.10.2026", "1.000,00", "190,00", "1.190,00"),
    small.Invoice("R2", "28.10.2026", "tbc", "0,00", "tbc"),
    small.Invoice("R3", "29.10.2026", "3.470,50", "0,00", "3.470,50"),
)
DAYS: Final = [small.WEDNESDAY, small.THURSDAY]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> FeedSpec:
    """Return the German feed, with a control total, as the only one of the production."""
    feed = feed_of().model_copy(update={"control_total": ControlTotal(labels=("Summe",), field="net_amount")})
    monkeypatch.setattr("showcost.workspace.load_feeds", lambda *_, **__: [feed])
    return feed


def _workspace(folder: Path, stated: str) -> Workspace:
    workspace = small.make_home(folder / "home")
    total = ["Summe", *[""] * (small.DE_HEADER.count(";"))]
    total[small.DE_HEADER.split(";").index("Nettobetrag")] = stated
    small.deliver(workspace, DE, "list.csv", small.german(INVOICES) + ";".join(total) + "\n")
    return workspace


def _flags(workspace: Workspace) -> set[tuple[str, ...]]:
    store = workspace.staging
    rows = [store.read(valid_asset(DE), day.isoformat()).column("flags").to_pylist() for day in DAYS]
    return {tuple(flags) for of_day in rows for flags in of_day}


def test_a_total_that_cannot_be_compared_is_shown_and_its_rows_are_flagged(
    feed: FeedSpec, tmp_path: Path, showcost: CommandLine
) -> None:
    workspace = _workspace(tmp_path, "9.999.999,00")
    sentence = (
        "list.csv: control total of net_amount not yet checked: the file states 9,999,999.00,"
        " the readable rows come to 4,470.50, 1 row unreadable"
    )
    assert sentence in showcost(workspace, "land").out
    take(workspace, DAYS, feeds=[DE])
    assert _flags(workspace) == {("SC-FIL-004",)}
    assert queue_row(workspace, "R2").codes == ("SC-AMT-001",)
    shown = showcost(workspace, "status", "--json").json["feeds"][DE]["control_totals"]
    assert [(total["stated"], total["total"], total["unreadable_rows"]) for total in shown] == [
        (["9999999.00"], "4470.500000", 1)
    ]
    assert sentence in showcost(workspace, "status").out
    outcome = checks.deliveries_readable(workspace, feed=feed)
    assert (outcome.passed, outcome.message) == (False, sentence)
    path = next(workspace.inbox.rglob("list.csv"))
    parsed = showcost(workspace, "parse", str(path), "--feed", DE, "--json")
    assert '"unchecked_totals": [' in parsed.out


def test_a_total_is_compared_once_its_row_is_corrected(feed: FeedSpec, tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, "4.500,50")
    land_all(workspace)
    take(workspace, DAYS, feeds=[DE])
    assert _flags(workspace) == {("SC-FIL-004",)}
    seq = workspace.audit.head().seq
    row = found_row(workspace, queue_row(workspace, "R2"))
    correct_and_replay(workspace, row, net_amount="30.00", gross_amount="30.00")
    assert checks.deliveries_readable(workspace, feed=feed).passed
    assert not feed_status(workspace, feed).control_totals
    assert [total.unreadable for total in feed_status(workspace, feed, seq).control_totals] == [1]
    take(workspace, DAYS, feeds=[DE])
    assert _flags(workspace) == {()}


@pytest.mark.parametrize(("stated", "differs"), [("4.470,50", False), ("4.471,00", True)])
def test_a_total_is_compared_once_its_row_is_discarded(
    stated: str, *, differs: bool, feed: FeedSpec, tmp_path: Path
) -> None:
    workspace = _workspace(tmp_path, stated)
    land_all(workspace)
    take(workspace, DAYS, feeds=[DE])
    row = found_row(workspace, queue_row(workspace, "R2"))
    replay_decision(workspace, deciding.discard(workspace, [row], who=WHO, why=WHY))
    outcome = checks.deliveries_readable(workspace, feed=feed)
    assert outcome.passed is not differs
    totals = feed_status(workspace, feed).control_totals
    assert [(total.is_checked, total.total) for total in totals] == [(True, Decimal("4470.50"))] * differs
    assert ("SC-FIL-003: net_amount comes to 4,470.50" in outcome.message) is differs


@pytest.mark.usefixtures("feed")
def test_a_flagged_row_that_is_posted_can_be_corrected(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, "9,00")
    land_all(workspace)
    take(workspace, DAYS, feeds=[DE])
    with workspace.ledger.read() as connection:
        ((entry,),) = connection.execute(
            "SELECT entry_id FROM ledger_entries WHERE document_no = 'R3' AND component = 'net'"
        ).fetchall()
    (row,) = find_rows(workspace, [entry])
    assert row.codes == ("SC-FIL-004",)
    assert correct_and_replay(workspace, row, description="guard").rows[0].disposition == "valid"
