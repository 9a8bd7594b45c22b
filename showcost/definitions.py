"""The one entry point of the code location: everything below `showcost/defs`."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

# Private classes of Dagster: the only error that it shows as it is, without a stack trace (decision 22).
from dagster._core.errors import DagsterUserCodeProcessError
from dagster_shared.error import SerializableErrorInfo

from showcost.core.errors import ShowcostError
from showcost.core.privacy import keep_private
from showcost.workspace import definitions_workspace


@dg.definitions
def defs() -> dg.Definitions:
    """Load the definitions of the production that `SHOWCOST_HOME` names.

    Raises Dagster's error of a code location with one sentence if the data folder or its settings are broken.
    """
    try:
        keep_private()
        _ = definitions_workspace().feeds
    except ShowcostError as error:
        raise DagsterUserCodeProcessError.from_error_info(  # type: ignore[no-untyped-call] # untyped in Dagster
            SerializableErrorInfo(str(error), [], None)
        ) from None
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
