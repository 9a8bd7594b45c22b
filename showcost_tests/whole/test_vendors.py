"""Vendors' APIs through Dagster: pulled dates, dead letters and what stands in, per partition."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.components import naming
from showcost.stages.fallback import open_accruals
from showcost_tests.defs.loading import load
from showcost_tests.ingest.api.sample import sample_home, serving_sample
from showcost_tests.whole.running import instance_of, metadata, row_counts, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.simulator.running import Simulator

FIRST, LAST = date(2026, 10, 23), date(2026, 10, 26)
DAYS = ["2026-10-23", "2026-10-24", "2026-10-25", "2026-10-26"]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with serving_sample(monkeypatch) as running:
        yield running


@pytest.mark.usefixtures("simulator")
def test_one_step_pulls_for_all_feeds_and_tells_of_each_date(tmp_path: Path) -> None:
    home = sample_home(tmp_path)
    graph = load(home.path).get_repository_def()
    pulled = graph.assets_defs_by_key[naming.pulled_key("pickup_grip")]
    letters = graph.assets_defs_by_key[naming.dead_letters_key("pickup_grip")]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [pulled, letters],
            instance=instance,
            tags={naming.RANGE_START: DAYS[0], naming.RANGE_END: DAYS[-1]},
            run_config={"ops": {"pull_vendors": {"config": {"debug": True}}}},
        )
        assert result.success
        for feed, state in (("pickup_camera", "complete"), ("pickup_grip", "missing")):
            stands = metadata(instance, naming.pulled_key(feed), "state")
            assert {day: value.value for day, value in stands.items()} == dict.fromkeys(DAYS, state)
        (grip,) = result.asset_materializations_for_node("dead_letters_pickup_grip")
        assert grip.metadata["dagster/row_count"].value == 4
        assert "SC-API-001" in str(grip.metadata["reason"].value)
        camera = next(
            one
            for one in result.asset_materializations_for_node("pull_vendors")
            if one.asset_key == naming.pulled_key("pickup_camera")
        )
        assert {"requests", "retries", "requests_per_minute", "machine", "troubles"} <= camera.metadata.keys()
        machine = camera.metadata["machine"]
        assert isinstance(machine, dg.TableMetadataValue)
        measures = {str(row.data["measure"]) for row in machine.records}
        assert {"longest_hold_up", "slow_callbacks", "peak_resident", "peak_waiting_pages"} <= measures


@pytest.mark.slow
def test_a_vendor_that_is_down_is_stood_in_for_and_gives_way(tmp_path: Path, simulator: Simulator) -> None:
    home = sample_home(tmp_path)
    down = run(home, FIRST, LAST)
    assert down.success
    warned = {(one.asset, one.check) for one in down.failed_checks if one.severity == "WARN"}
    assert ("pulled_pickup_grip", "dates_complete") in warned
    assert ("dead_letters_pickup_grip", "nothing_missing") in warned
    standing = open_accruals(home, FIRST, LAST)
    assert standing is not None
    assert standing.num_rows == 5
    simulator.revive("grip")
    assert run(home, FIRST, LAST).success
    standing = open_accruals(home, FIRST, LAST)
    assert standing is not None
    assert standing.num_rows == 0
    with instance_of(home) as instance:
        posted = row_counts(instance, naming.posted_key("pickup_grip"))
        assert all(posted[day] for day in DAYS)
        assert set(row_counts(instance, naming.provisional_key("pickup_grip")).values()) == {0}
