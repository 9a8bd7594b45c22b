"""Fixtures of all tests."""

from __future__ import annotations

import pytest

from showcost_tests.cli import CommandLine


@pytest.fixture
def showcost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Return the command line."""
    return CommandLine(monkeypatch, capsys)
