"""The resources that steps use."""

from __future__ import annotations

import dagster as dg

from showcost.components.resources import DataFolder
from showcost.config.home import default_home


@dg.definitions
def resources() -> dg.Definitions:
    """Give every step the data folder that `SHOWCOST_HOME` names."""
    return dg.Definitions(resources={"data": DataFolder(path=str(default_home()))})
