"""Fixtures of all tests, and how hypothesis chooses its examples."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from showcost_tests.command_line import CommandLine

# The same commit gives the same result; HYPOTHESIS_PROFILE=explore looks for more, which nobody saw yet.
settings.register_profile("repeatable", derandomize=True, max_examples=40)
settings.register_profile("explore", derandomize=False, print_blob=True, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# Files that a test has just written are complete.
os.environ.setdefault("SHOWCOST_QUIET_SECONDS", "0")


@pytest.fixture
def showcost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Return the command line."""
    return CommandLine(monkeypatch, capsys)
