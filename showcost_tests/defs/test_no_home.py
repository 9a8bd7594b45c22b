"""Without `SHOWCOST_HOME` the definitions load, to be checked; nothing runs in the repository's `data/`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from showcost.components.resources import DataFolder
from showcost.core.errors import InputError
from showcost.definitions import defs
from showcost.defs.automation.alerts import send_alerts
from showcost.defs.automation.jobs import request_night, request_snapshots
from showcost.defs.automation.sensors import pull_missing, release_rates, watch_inbox
from showcost.workspace import HOME_VARIABLE
from showcost_tests.whole import small

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    "alerts": lambda: send_alerts(dg.build_sensor_context(), NOW),
    "nightly": lambda: request_night(dg.build_schedule_context(scheduled_execution_time=NOW)),
    "period_end": lambda: request_snapshots(dg.build_schedule_context(scheduled_execution_time=NOW)),
}
ticks = pytest.mark.parametrize("tick", TICKS.values(), ids=TICKS)


def said(tick: Callable[[], object]) -> str:
    """Return the sentence with which a tick ends."""
    result = tick()
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message is not None
    assert len(result.skip_message.splitlines()) == 1
    return result.skip_message


@ticks
def test_a_tick_needs_a_data_folder(tick: Callable[[], object]) -> None:
    assert "no data folder is named: use --home FOLDER or SHOWCOST_HOME" in said(tick)


def test_a_step_needs_a_data_folder() -> None:
    with pytest.raises(InputError, match="no data folder is named: use --home FOLDER or SHOWCOST_HOME"):
        DataFolder(path="").workspace()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = small.make_home(tmp_path / "home").path
    monkeypatch.setenv(HOME_VARIABLE, str(path))
    return path


def _break(home: Path, how: str) -> str:
    """Break a data folder; return a part of the sentence that says so."""
    settings = home / "production.yaml"
    if how == "gone":
        home.rename(home.with_name("elsewhere"))
        return f"{home}: there is no such folder"
    if how == "no settings":
        settings.unlink()
        return f"{home}: not a data folder, because it has no production.yaml"
    if how == "no chart":
        home.joinpath("chart_of_accounts.csv").unlink()
        return "chart_of_accounts.csv"
    text = settings.read_text(encoding="utf-8")
    if how == "a wrong value":
        settings.write_text(text.replace("base_currency: USD", "base_currency: USX"), encoding="utf-8")
        return "base_currency: expected an ISO 4217 currency code such as USD, found 'USX'"
    settings.write_text(text + "}", encoding="utf-8")
    return str(settings)


broken = pytest.mark.parametrize("how", ["gone", "no settings", "no chart", "a wrong value", "no YAML"])


@broken
@ticks
def test_a_tick_says_in_a_sentence_what_is_broken(home: Path, tick: Callable[[], object], how: str) -> None:
    assert _break(home, how) in said(tick)


@broken
def test_a_code_location_says_in_a_sentence_what_is_broken(home: Path, how: str) -> None:
    """As Dagster's own server passes it on to the UI: the sentence alone, without a stack trace."""
    sentence = _break(home, how)
    try:
        defs()
    except Exception:  # noqa: BLE001 - whatever it is, as the server does
        error = serializable_error_info_from_exc_info(sys.exc_info())
    assert sentence in error.message
    assert len(error.message.strip().splitlines()) == 1
    assert (error.stack, error.cause, error.context) == ([], None, None)
