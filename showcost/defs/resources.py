"""What all steps share: the data folder, and the process that a run is one of."""

from __future__ import annotations

import dagster as dg

from showcost.components.resources import DataFolder
from showcost.config.home import default_home


@dg.definitions
def resources() -> dg.Definitions:
    """Give every step the data folder that `SHOWCOST_HOME` names, and run all steps in one process.

    A process per step costs seconds each: minutes for the steps of one date.
    """
    return dg.Definitions(
        resources={"data": DataFolder(path=str(default_home()))}, executor=dg.in_process_executor
    )
