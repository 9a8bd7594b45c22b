"""Resources shared by all steps: the data folder and the executor."""

from __future__ import annotations

import dagster as dg

from showcost.components.resources import DataFolder
from showcost.workspace import default_home


@dg.definitions
def resources() -> dg.Definitions:
    """Give every step the `SHOWCOST_HOME` data folder, and run all steps in one process.

    A process per step takes seconds to start: minutes for the steps of one date.
    """
    return dg.Definitions(
        resources={"data": DataFolder(path=str(default_home()))}, executor=dg.in_process_executor
    )
