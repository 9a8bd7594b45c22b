"""Loading the definitions of a data folder, as the code server does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.definitions import defs
from showcost.workspace import HOME_VARIABLE
from showcost_tests.sample.truth import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

HOMES = {
    "sample": REPOSITORY / "data",
    "uk_spend": REPOSITORY / "examples" / "uk_spend",
    "vendor_apis": REPOSITORY / "examples" / "vendor_apis",
}
"""The data folders that come with showcost."""


def load(home: Path) -> dg.Definitions:
    """Return the definitions of a data folder; raises when anything in them does not fit together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(home))
        definitions = defs()
        dg.Definitions.validate_loadable(definitions)
    return definitions
