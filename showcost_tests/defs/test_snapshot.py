"""The graph of each sample production is the committed one.

After an intended change, write the snapshots again and review the difference:

    SHOWCOST_UPDATE_SNAPSHOTS=1 pytest showcost_tests/defs/test_snapshot.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from showcost_tests.defs.loading import HOMES, load

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.definitions.assets.graph.base_asset_graph import AssetCheckNode

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "SHOWCOST_UPDATE_SNAPSHOTS"


def _shown(definitions: dg.Definitions) -> dict[str, Any]:
    """Return what people see of the graph and what runs depend on, in an order that does not change."""
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "deps": sorted(parent.to_user_string() for parent in node.parent_keys),
            "kinds": sorted(node.kinds),
            "partitioned": node.is_partitioned,
            "pools": sorted(node.pools or ()),
            "owners": list(node.owners),
            "checks": {check.name: _check(graph.get(check)) for check in sorted(node.check_keys)},
        }
    return {
        "assets": assets,
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs},
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    }


def _check(node: AssetCheckNode) -> str:
    return (
        f"{'blocking' if node.blocking else 'reports'}, {'by partition' if node.partitions_def else 'whole'}"
    )


@pytest.mark.parametrize("name", HOMES)
def test_the_graph_is_the_committed_one(name: str) -> None:
    shown = _shown(load(HOMES[name]))
    committed = SNAPSHOTS / f"{name}.json"
    if os.environ.get(UPDATE):
        committed.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
    assert shown == json.loads(committed.read_text(encoding="utf-8")), (
        f"the graph has changed; if that is meant: {UPDATE}=1 pytest showcost_tests/defs/test_snapshot.py"
    )
