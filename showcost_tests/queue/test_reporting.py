"""What Dagster is told of a replay: the partitions as they are now, without a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.components import naming
from showcost.running import in_environment
from showcost_tests.queue.acts import DE, queued
from showcost_tests.whole import small
from showcost_tests.whole.running import run
from showcost_tests.whole.steps import land_all

if TYPE_CHECKING:
    from pathlib import Path

    from showcost_tests.cli import CommandLine


@pytest.mark.slow
def test_the_ui_shows_a_replayed_row_where_it_is_now(
    tmp_path: Path, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = small.make_home(tmp_path / "home", small.UKSPEND)
    small.fill(home)
    land_all(home)
    assert run(home, small.WEDNESDAY, small.TUESDAY).success
    row = queued(home, "T4", feed="uk_spend").row_id
    ended = showcost(
        home,
        *("queue", "resolve", row, "--set", "net_amount=31500.00", "--who", "an accountant"),
        *("--why", "as the department confirmed", "--json"),
    )
    assert ended.json["replay"]["rows"][0]["outcome"] == "valid"
    with in_environment(home), dg.DagsterInstance.get() as instance:
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
