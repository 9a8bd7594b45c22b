"""New files are readable by their owner alone, or by his group if a setting says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from showcost.core.errors import InputError
from showcost.core.privacy import READERS_VARIABLE, keep_private
from showcost_tests.whole import small

NEW = (
    *("--code", "NEW", "--title", "New", "--company", "Company", "--type", "television"),
    *(
        "--base-currency",
        "EUR",
        "--timezone",
        "Europe/Berlin",
        "--start",
        "2026-10-01",
        "--end",
        "2026-10-31",
    ),
)


@pytest.mark.parametrize(
    ("setting", "of_folder", "of_file"), [("owner", 0o700, 0o600), ("group", 0o750, 0o640)]
)
def test_modes_follow_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, of_folder: int, of_file: int
) -> None:
    monkeypatch.setenv(READERS_VARIABLE, setting)
    keep_private()
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (of_folder, of_file)


def test_a_stricter_umask_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READERS_VARIABLE, "group")
    os.umask(0o077)
    keep_private()
    assert os.umask(0o022) == 0o077


def test_an_unknown_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(READERS_VARIABLE, "all")
    with pytest.raises(InputError, match="must be owner or group, not 'all'"):
        keep_private()


def test_nobody_else_can_read_anything_that_a_command_writes(tmp_path: Path) -> None:
    os.umask(0o077)
    workspace = small.make_home(tmp_path / "home")
    small.fill(workspace)
    os.umask(0o022)
    home, day = workspace.path, str(small.WEDNESDAY)
    backup, new = tmp_path / "backup", tmp_path / "new"
    before = set(home.rglob("*"))
    run("land", "--home", str(home))
    run("run", "--home", str(home), "--from", day, "--to", day)
    run("backup", str(backup), "--home", str(home))
    run("init", str(new), *NEW)
    made = [path for path in tmp_path.rglob("*") if path not in before and path != home]
    assert {"ledger.duckdb", "log.jsonl", "dagster.yaml", "production.yaml"} <= {path.name for path in made}
    readable = [str(path) for path in made if path.stat().st_mode & 0o077]
    assert readable == []


def run(*arguments: str) -> None:
    """Run a command in a process of its own, with the umask of this one."""
    command = [str(Path(sys.executable).with_name("showcost")), *arguments]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command
