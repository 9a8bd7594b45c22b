"""The small production at the stations of its way; a test that changes it takes a copy."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Protocol

import pytest

from showcost.workspace import Workspace, open_workspace
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from pathlib import Path


class Copy(Protocol):
    """Copies a data folder into the test's own."""

    def __call__(self, home: Workspace, name: str = ...) -> Workspace: ...


@pytest.fixture(scope="session")
def landed_home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the small production with all deliveries landed and nothing materialised."""
    home = small.make_home(tmp_path_factory.mktemp("landed") / "home")
    small.fill(home)
    land_all(home)
    return home


@pytest.fixture(scope="session")
def posted_home(landed_home: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the small production after one run over its week."""
    folder = tmp_path_factory.mktemp("posted") / "home"
    shutil.copytree(landed_home.path, folder)
    home = open_workspace(folder)
    take(home, small.WEEK)
    return home


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    def copied(home: Workspace, name: str = "copy") -> Workspace:
        shutil.copytree(home.path, tmp_path / name)
        return open_workspace(tmp_path / name)

    return copied
