"""The folders of packs: the names of those that are published in the data folder, and what a crash leaves."""

from __future__ import annotations

import re
import shutil
from datetime import date
from typing import TYPE_CHECKING, Final

from showcost.core.durable import TEMPORARY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from showcost.reports.scope import ReportScope
    from showcost.workspace import Workspace

PUBLISHED: Final = "published/reports"
"""The folder of the published packs, below the data folder."""

_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}_(\d{4}-\d{2}-\d{2})_")
_DEBRIS: Final = re.compile(rf"(.+)\.[0-9a-f]{{32}}{re.escape(TEMPORARY_SUFFIX)}")


def pack_name(scope: ReportScope) -> str:
    """Return the name of the pack of a scope; a report in another currency than base names it."""
    currency = f"_{scope.currency}" if scope.is_translated else ""
    return f"{scope.first}_{scope.last}{currency}_record-{scope.as_of}"


def last_day_of(folder: Path) -> date | None:
    """Return the last day of a published pack, from its name; None for a folder of another name."""
    named = _NAME.match(folder.name)
    return date.fromisoformat(named[1]) if named else None


def pack_folder(workspace: Workspace, scope: ReportScope) -> Path:
    """Return the folder of a pack that is published in the data folder."""
    return workspace.path.joinpath(PUBLISHED, pack_name(scope))


def published_packs(workspace: Workspace) -> list[Path]:
    """Return the folders of the packs that are published in the data folder, in order of name."""
    folders = workspace.path.joinpath(PUBLISHED).glob("*")
    return sorted(path for path in folders if path.is_dir() and not _DEBRIS.fullmatch(path.name))


def is_published(workspace: Workspace, folder: Path) -> bool:
    """Return whether a folder is one of the published packs, or would be."""
    return folder.resolve().parent == workspace.path.joinpath(PUBLISHED).resolve()


def remove_debris(workspace: Workspace, target: Path) -> None:
    """Remove what killed writers left: beside a pack in the data folder everything, elsewhere only its own.

    Nobody else may be writing.
    """
    for path in _debris(target.parent, None if is_published(workspace, target) else target.name):
        shutil.rmtree(path, ignore_errors=True)


def _debris(folder: Path, name: str | None) -> Iterator[Path]:
    for path in folder.glob(f"*{TEMPORARY_SUFFIX}"):
        found = _DEBRIS.fullmatch(path.name)
        if found and name in {None, found.group(1)} and path.is_dir() and not path.is_symlink():
            yield path
