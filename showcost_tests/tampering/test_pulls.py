"""A changed line of pull progress is found: it would hide invoices from the next pull."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from showcost.checks.verify import first_difference
from showcost.config.feeds import choose_feed
from showcost.simulator.running import simulated
from showcost.vendor_api.pool import PoolSettings
from showcost.vendor_api.pull import PullRequest, pull
from showcost.workspace import Workspace
from showcost_tests.crash.acts import AFTERWARDS, VENDOR, declare_vendor
from showcost_tests.crash.scenario import DAYS, make_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a data folder with the pages of two days of a vendor."""
    with simulated([VENDOR]) as simulator:
        folder = tmp_path_factory.mktemp("pulled") / "home"
        workspace = declare_vendor(make_home(folder), simulator.base_url(VENDOR.name))
        feed = choose_feed(workspace.feeds, VENDOR.name)
        pull(workspace, [feed], PullRequest(DAYS[3], DAYS[4]), PoolSettings(), clock=lambda: AFTERWARDS)
    return workspace


def added(text: str) -> str:
    """Let a window that was never requested look complete."""
    other = json.loads(text.splitlines()[-1]) | {"first": str(DAYS[0]), "last": str(DAYS[2])}
    return f"{text}{json.dumps(other)}\n"


def removed(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:-1])


def shortened(text: str) -> str:
    """Let the first page be the last."""
    first, *others = text.splitlines()
    return "\n".join([json.dumps(json.loads(first) | {"next": None}), *others]) + "\n"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (added, "line 5: its page is not in the register"),
        (removed, "the line of arrival 4 is not there"),
        (shortened, "line 1: it differs from the audit log"),
    ],
)
def test_a_change_of_pull_progress_is_found(
    pulled: Workspace, change: Callable[[str], str], expected: str
) -> None:
    path: Path = pulled.raw / "pulls" / f"{VENDOR.name}.jsonl"
    whole = path.read_text(encoding="utf-8")
    assert first_difference(Workspace(pulled.path)) is None
    path.write_text(change(whole), encoding="utf-8")
    try:
        difference = first_difference(Workspace(pulled.path))
    finally:
        path.write_text(whole, encoding="utf-8")
    assert expected in str(difference)
