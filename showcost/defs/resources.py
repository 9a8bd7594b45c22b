"""Resources shared by all steps: the data folder and the executor."""

from __future__ import annotations

import dagster as dg

from showcost.components.resources import DataFolder
from showcost.workspace import variable_home


@dg.definitions
def resources() -> dg.Definitions:
    """Give every step the `SHOWCOST_HOME` data folder, and run all steps in one process.

    A process per step takes seconds to start: minutes for the steps of one date. Without the variable the
    definitions load, but a step fails: it must not write to the repository's `data/`.
    """
    return dg.Definitions(
        resources={"data": DataFolder(path=str(variable_home() or ""))}, executor=dg.in_process_executor
    )
