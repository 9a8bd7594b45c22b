"""The sample is what its script writes, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from showcost_tests.sample.truth import HOME, REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = REPOSITORY / "scripts" / "generate_sample.py"


def _generated(home: Path, *arguments: str) -> dict[str, bytes]:
    subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, SCRIPT, "--home", home, *arguments], check=True, capture_output=True
    )
    return _files(home)


def _files(home: Path) -> dict[str, bytes]:
    paths = [home / "sample_truth.json", *(path for path in (home / "inbox").rglob("*") if path.is_file())]
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in paths}


def test_the_committed_files_equal_those_of_the_script(tmp_path: Path) -> None:
    assert _generated(tmp_path) == _files(HOME)


def test_another_seed_gives_another_sample_of_the_same_shape(tmp_path: Path) -> None:
    generated, committed = _generated(tmp_path, "--seed", "7"), _files(HOME)
    assert generated.keys() == committed.keys()
    assert generated != committed


def test_the_script_replaces_its_former_files(tmp_path: Path) -> None:
    left_over = tmp_path / "inbox" / "location_permits" / "old.csv"
    left_over.parent.mkdir(parents=True)
    left_over.touch()
    assert "inbox/location_permits/old.csv" not in _generated(tmp_path)
