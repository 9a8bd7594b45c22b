"""Atomic writes: a file is written whole or not at all, and a failure leaves nothing behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from showcost.core.durable import System, make_folder, using, write_durably
from showcost.core.errors import FatalError, StorageError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


def test_content_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    make_folder(path.parent)
    write_durably(path, b"one")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


class FailingFsync(System):
    def fsync(self, descriptor: int, path: Path) -> None:
        del descriptor, path
        raise OSError(5, "Input/output error")


class FullDisk(System):
    def write(self, stream: BinaryIO, data: bytes, path: Path) -> None:
        super().write(stream, data[:3], path)
        raise OSError(28, "No space left on device")


def test_a_failed_fsync_is_fatal_and_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, b"one")
    with using(FailingFsync()):
        with pytest.raises(FatalError, match="Input/output error"):
            write_durably(path, b"two")
        with pytest.raises(FatalError, match=f"{path}.*Input/output error"):
            write_durably(tmp_path / "another", b"three")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_keeps_the_old_content_and_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, b"one")
    with using(FullDisk()), pytest.raises(StorageError, match="No space left on device"):
        write_durably(path, b"two")
    write_durably(tmp_path / "another", b"three")
    assert path.read_bytes() == b"one"


def test_every_new_folder_is_made_durable_in_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    make_folder(tmp_path / "a" / "b" / "c")
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3
