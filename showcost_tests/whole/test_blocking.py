"""Blocking checks: faulty rows are not posted, and the stored rows stay for a person to review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from showcost.components import feed_assets, naming
from showcost.pipeline import validation
from showcost.staging.assets import quarantine_asset, valid_asset
from showcost_tests.whole import small
from showcost_tests.whole.entries import count, tamper
from showcost_tests.whole.running import instance_of, run
from showcost_tests.whole.staged import rewrite
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.orchestration.runs import RunOutcome
    from showcost.pipeline.validation import DayCounts
    from showcost.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = small.make_home(tmp_path / "home", small.UKSPEND)
    small.fill(workspace)
    return workspace


def _steps(workspace: Workspace, outcome: RunOutcome) -> set[str]:
    """Return the steps that were started in a run."""
    with instance_of(workspace) as instance:
        return {step.step_key for step in instance.get_run_step_stats(outcome.run_id)}


def _faulty(
    monkeypatch: pytest.MonkeyPatch,
    asset: Callable[[str], str],
    day: date,
    change: Callable[[pa.Table], pa.Table],
) -> None:
    """Make the validation store other rows than it validated, as a fault in the program would."""

    def faulty(workspace: Workspace, feed: FeedSpec, dates: Sequence[date]) -> dict[date, DayCounts]:
        counts = validation.validate_partitions(workspace, feed, dates)
        rewrite(workspace, feed.name, asset(feed.name), day.isoformat(), change)
        return counts

    monkeypatch.setattr(feed_assets, "validate_partitions", faulty)


def _without_last(rows: pa.Table) -> pa.Table:
    return rows.slice(0, len(rows) - 1)


def _content_blank(rows: pa.Table) -> pa.Table:
    index = rows.schema.get_field_index("content")
    return rows.set_column(index, rows.schema.field(index), pa.nulls(len(rows), pa.string()))


@pytest.mark.parametrize(
    ("asset", "change", "check", "message"),
    [
        pytest.param(
            quarantine_asset,
            _without_last,
            "rows_reconcile",
            "2026-10-30: does not reconcile: 2 received = 1 valid + 0 quarantined + 0 duplicate + 0 pending "
            "+ 0 discarded; 1 without a counterpart; next: materialise raw_uk_spend of that date again; if it"
            " still fails, keep the folder and report it",
            id="a quarantined row is lost",
        ),
        pytest.param(
            valid_asset,
            _content_blank,
            "schema",
            "2026-10-30: content: not_nullable (1 rows); next: this is a defect in showcost: keep the data"
            " folder and report it",
            id="a valid row is not whole",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_fault_of_the_validation_stops_the_posting(
    asset: Callable[[str], str],
    change: Callable[[pa.Table], pa.Table],
    check: str,
    message: str,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _faulty(monkeypatch, asset, small.FRIDAY, change)
    outcome = run(workspace, small.THURSDAY, small.FRIDAY)
    assert not outcome.success
    (failed,) = (result for result in outcome.failed_checks if result.severity == "ERROR")
    assert (failed.asset, failed.check, failed.failed) == ("valid_uk_spend", check, 1)
    assert failed.message == message
    assert not _steps(workspace, outcome) & {"posted_uk_spend", "ledger_entries"}
    assert count(workspace) == 0
    with instance_of(workspace) as instance:
        kept = instance.get_materialized_partitions(naming.quarantine_key("uk_spend"))
    assert kept == {"2026-10-29", "2026-10-30"}


@pytest.mark.slow
def test_a_changed_rate_stops_everything_behind_the_rates(workspace: Workspace) -> None:
    land_all(workspace)
    take(workspace, [small.WEDNESDAY])
    posted = count(workspace)
    tamper(workspace, "UPDATE fx_rates SET rate = rate + 0.0001 WHERE currency = 'GBP'")
    outcome = run(workspace, small.WEDNESDAY, small.THURSDAY)
    assert not outcome.success
    (failed,) = (result for result in outcome.failed_checks if result.severity == "ERROR")
    assert (failed.asset, failed.check) == ("fx_snapshots", "snapshot_unchanged")
    assert failed.message.startswith("2026-10-28: SC-FX-003: recorded hash ")
    assert not _steps(workspace, outcome) & {"validate_uk_spend", "posted_uk_spend", "ledger_entries"}
    assert count(workspace) == posted
