"""Files that are whole or absent: written aside, fsynced, renamed, the folder fsynced.

The only place that fsyncs. Which files, and under which names, is decided by the stores.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ASIDE_SUFFIX = ".aside"
"""Ending of a file that is still being written; one that is found later is debris of a crash."""


def aside_name(path: Path) -> Path:
    """Return a fresh name beside `path` under which its next content is written."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}{ASIDE_SUFFIX}")


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable: renames, creations and deletions."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Give `path` the content `data` in one step; the bytes are durable, the name is after `fsync_folder`.

    Callers that write many files of a folder fsync the folder once, at the end.
    """
    aside = aside_name(path)
    try:
        with aside.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_durably(path: Path, data: bytes) -> None:
    """Give `path` the content `data` in one step, durably, name included."""
    replace_file(path, data)
    fsync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably: an fsynced file in a folder that is lost is lost too."""
    missing = []
    current = folder
    while not current.exists():
        missing.append(current)
        current = current.parent
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:
        fsync_folder(created.parent)
