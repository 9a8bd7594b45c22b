"""Without `SHOWCOST_HOME` the definitions load, to be checked; nothing runs in the repository's `data/`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from showcost.components.resources import DataFolder
from showcost.core.errors import InputError
from showcost.definitions import defs
from showcost.defs.automation.sensors import pull_missing, release_rates, watch_inbox
from showcost.workspace import HOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)


def test_the_definitions_load_without_a_data_folder() -> None:
    dg.Definitions.validate_loadable(defs())


TICKS = {
    "inbox": lambda: watch_inbox(dg.build_sensor_context(), NOW),
    "awaited_rates": lambda: release_rates(dg.build_sensor_context(), NOW),
    "missing_windows": lambda: pull_missing(dg.build_sensor_context(), NOW),
    "a step": DataFolder(path="").workspace,
}


@pytest.mark.parametrize("tick", TICKS.values(), ids=TICKS)
def test_steps_and_sensors_need_a_data_folder(tick: Callable[[], object]) -> None:
    with pytest.raises(InputError, match="no data folder is named: use --home FOLDER or SHOWCOST_HOME"):
        tick()
