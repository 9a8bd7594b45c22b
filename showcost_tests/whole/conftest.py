"""The small production, landed and posted; a test that changes it takes a copy."""

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
    """Copies a data folder into the folder of the test."""

    def __call__(self, workspace: Workspace, name: str = ...) -> Workspace: ...


@pytest.fixture(scope="session")
def landed_home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the small production with all deliveries landed and nothing materialised."""
    workspace = small.make_home(tmp_path_factory.mktemp("landed") / "home")
    small.fill(workspace)
    land_all(workspace)
    return workspace


@pytest.fixture(scope="session")
def posted_home(landed_home: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the small production after one run over its week."""
    folder = tmp_path_factory.mktemp("posted") / "home"
    shutil.copytree(landed_home.path, folder)
    workspace = open_workspace(folder)
    take(workspace, small.WEEK)
    return workspace


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    def copied(workspace: Workspace, name: str = "copy") -> Workspace:
        shutil.copytree(workspace.path, tmp_path / name)
        return open_workspace(tmp_path / name)

    return copied
