"""The sample of simulated vendors: a data folder, and its vendors served."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from showcost.cli.demo import VENDORS
from showcost.simulator.running import simulated
from showcost.workspace import Workspace, open_workspace
from showcost_tests.sample.truth import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from showcost.simulator.running import Simulator


def sample_home(folder: Path) -> Workspace:
    """Return a fresh data folder of the sample."""
    shutil.copytree(REPOSITORY / "examples" / "vendor_apis", folder / "home")
    return open_workspace(folder / "home")


@contextmanager
def serving_sample(patch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Serve the sample's vendors without random failures; the grip house is down until it is revived."""
    with simulated([replace(script, failing=0) for script in VENDORS]) as running:
        for script in VENDORS:
            patch.setenv(f"SHOWCOST_{script.name.upper()}_URL", running.base_url(script.name))
        yield running
