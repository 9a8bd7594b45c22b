"""Runless Dagster events after a decision: the partitions as they are now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.components import naming
from showcost.orchestration.events import report_findings
from showcost.orchestration.runs import in_environment
from showcost_tests.pay.test_findings_log import ONE, SPAN
from showcost_tests.reconciliation.acts import DE, queue_row
from showcost_tests.whole import small
from showcost_tests.whole.running import run
from showcost_tests.whole.steps import land_all

if TYPE_CHECKING:
    from pathlib import Path

    from showcost_tests.command_line import CommandLine


def test_the_ui_shows_who_dismissed_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    workspace = small.make_home(tmp_path / "home")
    store = workspace.pay_findings
    ones = [replace(ONE, finding_id=str(number) * 32) for number in range(2)]
    now = datetime(2026, 11, 24, tzinfo=UTC)
    store.update(ONE.feed, SPAN, ones, now)
    report_findings(
        workspace, store.dismiss([ones[0].finding_id], who="R. Clerk", why="agreed on the day", now=now)
    )
    with in_environment(workspace), dg.DagsterInstance.get() as instance:
        shown = instance.get_latest_materialization_event(naming.pay_findings_key(ONE.feed))
        assert shown is not None
        assert shown.asset_materialization is not None
        assert shown.asset_materialization.partition == ONE.transaction_date
        metadata = shown.asset_materialization.metadata
        assert metadata["dagster/partition_row_count"].value == 1
        waiting, answered = metadata["findings"], metadata["dismissed"]
        assert isinstance(waiting, dg.TableMetadataValue)
        assert isinstance(answered, dg.TableMetadataValue)
        assert [record.data["finding_id"] for record in waiting.records] == [ones[1].finding_id]
        assert [record.data["who"] for record in answered.records] == ["R. Clerk"]


@pytest.mark.slow
def test_the_ui_shows_a_replayed_row_where_it_is_now(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    workspace = small.make_home(tmp_path / "home", small.UKSPEND)
    small.fill(workspace)
    land_all(workspace)
    assert run(workspace, small.WEDNESDAY, small.TUESDAY).success
    row = queue_row(workspace, "T4", feed="uk_spend").row_id
    ended = showcost(
        workspace,
        *("queue", "resolve", row, "--set", "net_amount=31500.00", "--who", "an accountant"),
        *("--why", "as the department confirmed", "--json"),
    )
    assert ended.json["replay"]["rows"][0]["outcome"] == "valid"
    with in_environment(workspace), dg.DagsterInstance.get() as instance:
        for key, rows in (
            (naming.quarantine_key("uk_spend"), 0),
            (naming.valid_key("uk_spend"), 2),
            (naming.posted_key("uk_spend"), 2),
            (naming.LEDGER_ENTRIES, 2),
        ):
            events = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, asset_partitions=["2026-10-30"]), limit=1
            )
            shown = events.records[0].asset_materialization
            assert shown is not None
            assert shown.metadata["dagster/partition_row_count"].value == rows, key
            assert events.records[0].event_log_entry.run_id == ""
        whole = instance.get_latest_materialization_event(naming.QUEUE)
        assert whole is not None
        assert whole.asset_materialization is not None
        assert whole.asset_materialization.metadata["waiting"].value == 2
        entries = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=naming.posted_key("uk_spend"), asset_partitions=["2026-10-30"]),
            limit=1,
        )
        shown = entries.records[0].asset_materialization
        assert shown is not None
        table = shown.metadata["largest_entries"]
        assert isinstance(table, dg.TableMetadataValue)
        assert str(table.records[0].data["trace"]).startswith("showcost trace ")
    assert DE not in ended.out
