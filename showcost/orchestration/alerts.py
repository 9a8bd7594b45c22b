"""The alerts of a data folder for commands, with those about its Dagster runs and checks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from showcost.components.run_alerts import AlertSources, check_keys
from showcost.orchestration.history import history_errors
from showcost.orchestration.runs import dagster_home, in_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.workspace import Workspace


@contextmanager
def alert_sources(workspace: Workspace) -> Iterator[AlertSources]:
    """Open what alerts come from. Raises StorageError if Dagster's history cannot be read."""
    with in_environment(workspace):
        from showcost.definitions import defs  # noqa: PLC0415 -- reads the environment when it is imported

        with history_errors(dagster_home(workspace)), dg.DagsterInstance.get() as instance:
            keys = check_keys(defs().resolve_asset_graph().asset_check_keys)
            yield AlertSources(workspace, instance, keys)
