"""Runs through Dagster, and the metadata that its instance stores."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from showcost.orchestration.runs import DAGSTER_HOME_VARIABLE, RunOutcome, run_range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from showcost.workspace import Workspace


def run(workspace: Workspace, first: date, last: date) -> RunOutcome:
    """Run the job over a range, with the instance of the data folder regardless of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(DAGSTER_HOME_VARIABLE, raising=False)
        return run_range(workspace, first, last)


@contextmanager
def instance_of(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of the data folder."""
    with dg.DagsterInstance.from_config(str(workspace.path / "dagster_home")) as instance:
        yield instance


def row_counts(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, object]:
    """Return the row count of the latest materialisation of each partition."""
    return {
        name: value.value for name, value in metadata(instance, key, "dagster/partition_row_count").items()
    }


def metadata(instance: dg.DagsterInstance, key: dg.AssetKey, name: str) -> dict[str, dg.MetadataValue[Any]]:
    """Return a metadata value of the latest materialisation of each partition that has it."""
    records = instance.fetch_materializations(key, limit=10_000, ascending=True).records
    values: dict[str, dg.MetadataValue[Any]] = {}
    for record in records:
        assert record.asset_materialization is not None
        if name in record.asset_materialization.metadata:
            values[str(record.partition_key)] = record.asset_materialization.metadata[name]
    return values
