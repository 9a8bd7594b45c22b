"""Output is written whole or not at all, and again only if it is the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from showcost.core.durable import write_durably
from showcost.core.errors import InputError
from showcost.core.once import write_once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REFUSED = "name another place"


def _folder(text: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        folder.joinpath("inner").mkdir(parents=True)
        write_durably(folder / "inner" / "a.txt", text.encode())
        write_durably(folder / "b.txt", b"b")
        return text

    return make


def _file(text: str) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        write_durably(path, text.encode())
        return text

    return make


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make", [_file, _folder])
def test_the_same_output_is_left_alone_and_other_content_is_refused(
    make: Callable[[str], Callable[[Path], str]], tmp_path: Path
) -> None:
    place = tmp_path / "new" / "out"
    assert write_once(place, make("one"), REFUSED) == ("one", False)
    before = _tree(tmp_path)
    assert write_once(place, make("one"), REFUSED) == ("one", True)
    with pytest.raises(InputError, match=REFUSED):
        write_once(place, make("other"), REFUSED)
    assert _tree(tmp_path) == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.mkdir()
    assert write_once(place, _folder("one"), REFUSED) == ("one", False)
    assert _tree(place) == {"inner/a.txt": b"one", "b.txt": b"b"}


def test_a_failure_leaves_nothing_and_the_remains_of_a_kill_are_removed(tmp_path: Path) -> None:
    place = tmp_path / "out"
    debris = tmp_path / "out.0123.aside"
    debris.mkdir()

    def fail(folder: Path) -> None:
        folder.mkdir()
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        write_once(place, fail, REFUSED)
    assert list(tmp_path.iterdir()) == []


def test_of_two_at_once_the_second_finds_the_output_of_the_first(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def write(_: int) -> bool:
        both.wait(20)
        return write_once(tmp_path / "out", _folder("one"), REFUSED)[1]

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(write, range(2))) == [False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
