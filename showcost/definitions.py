"""The one entry point of the code location: everything below `showcost/defs`."""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Load the definitions of the production that `SHOWCOST_HOME` names."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
