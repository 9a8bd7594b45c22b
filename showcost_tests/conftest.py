"""Fixtures of all tests, and how hypothesis chooses its examples."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from showcost_tests.command_line import CommandLine

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same commit gives the same result, however busy the machine is; HYPOTHESIS_PROFILE=explore looks for
# more, which nobody saw yet.
settings.register_profile(
    "repeatable",
    derandomize=True,
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "explore", settings.get_profile("repeatable"), derandomize=False, print_blob=True, max_examples=400
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Files that a test has just written are complete.
os.environ.setdefault("SHOWCOST_QUIET_SECONDS", "0")


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are processors: many tests wait for a process or the disk."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def _own_umask() -> Iterator[None]:
    """Undo what commands and definitions in this process set, so that no test depends on another."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def showcost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Return the command line."""
    return CommandLine(monkeypatch, capsys)
