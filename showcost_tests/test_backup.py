"""A backup is of one moment, is verified, overwrites nothing, and is restored with the same digest."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from showcost.backup import MANIFEST, back_up, restore
from showcost.checks.verify import verify
from showcost.core.durable import System, using
from showcost.core.errors import CheckFailedError, InputError, IntegrityError, StorageError, StoreBusyError
from showcost.core.locking import exclusive_lock
from showcost.ledger.digest import digest
from showcost.workspace import Workspace
from showcost_tests.crash.scenario import Books, books, carry_out, make_home
from showcost_tests.whole import small
from showcost_tests.whole.test_processes import WORK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost_tests.command_line import CommandLine


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_home(tmp_path_factory.mktemp("posted") / "home")
    carry_out(workspace, lambda _: None)
    return workspace


def whole_digest(workspace: Workspace) -> str:
    with workspace.ledger.read() as connection:
        return digest(connection, date.min, date.max).hash


def inner(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_restored_elsewhere_is_the_same_and_goes_on(posted: Workspace, tmp_path: Path) -> None:
    made = back_up(posted, tmp_path / "backup")
    shown = inner(tmp_path)
    restored = restore(tmp_path / "backup", tmp_path / "far" / "away", head=posted.audit.head().hash)
    assert shown == ["backup"]
    assert made.digest == restored.digest == whole_digest(posted)
    assert made.head == restored.head == posted.audit.head().hash
    assert made.manifest == restored.manifest
    again = Workspace(restored.folder)
    before: Books = books(again)
    assert before == books(posted)
    assert before.difference is None
    carry_out(again, lambda _: None)
    assert books(again) == before


def test_a_restored_inbox_is_not_landed_again(posted: Workspace, tmp_path: Path) -> None:
    back_up(posted, tmp_path / "backup")
    again = Workspace(restore(tmp_path / "backup", tmp_path / "home").folder)
    arrivals = again.register.arrivals()
    carry_out(again, lambda _: None)
    assert again.register.arrivals() == arrivals


MOST_BACKUPS = 3
RESTORED_BY_ANOTHER = """
import os, sys
from pathlib import Path
import showcost_tests.test_backup as module
backup, target = map(Path, sys.argv[1:])
module.verify(module.Workspace(backup / "home"))
os.setgid(65534)
os.setuid(65534)
made = module.restore(backup, target)
print(made.digest, os.getuid())
"""


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root may become another user")
def test_another_user_restores_a_backup_with_the_same_digest(posted: Workspace, tmp_path: Path) -> None:
    back_up(posted, tmp_path / "backup")
    for folder in (tmp_path, *tmp_path.parents):
        if "pytest-of-" in str(folder):
            folder.chmod(0o755)
    # New files are private; this backup is handed to somebody else.
    for path in (tmp_path / "backup").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    tmp_path.joinpath("backup").chmod(0o755)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    finished = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", RESTORED_BY_ANOTHER, str(tmp_path / "backup"), str(theirs / "home")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == [whole_digest(posted), "65534"]
    assert {path.stat().st_uid for path in theirs.rglob("*")} == {65534}


def test_neither_a_backup_nor_a_restoration_overwrites_anything(posted: Workspace, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    back_up(posted, backup)
    before = backup.joinpath(MANIFEST).read_bytes()
    other = make_home(tmp_path / "other home")
    with pytest.raises(InputError, match="has a backup of an earlier state; nothing is overwritten"):
        back_up(other, backup)
    for target in (other.path, backup):
        with pytest.raises(InputError, match="is not empty; nothing is overwritten"):
            restore(backup, target)
    shutil.rmtree(other.path)
    with pytest.raises(InputError, match="is inside the data folder"):
        back_up(posted, posted.path / "backup")
    with pytest.raises(InputError, match="not a backup"):
        restore(posted.path, tmp_path / "other")
    assert backup.joinpath(MANIFEST).read_bytes() == before
    assert inner(tmp_path) == ["backup"]


def test_the_same_backup_or_restoration_again_is_done_already(posted: Workspace, tmp_path: Path) -> None:
    backup, home = tmp_path / "backup", tmp_path / "home"
    made, again = back_up(posted, backup), back_up(posted, backup)
    assert (made.already_done, again) == (False, replace(made, already_done=True))
    restored, again = restore(backup, home), restore(backup, home)
    assert (restored.already_done, again) == (False, replace(restored, already_done=True))
    (home / "inbox" / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not empty; nothing is overwritten"):
        restore(backup, home)
    with pytest.raises(InputError, match="has a backup of an earlier state; nothing is overwritten"):
        back_up(Workspace(home), backup)
    _remove(backup)
    with pytest.raises(InputError, match="has a backup that was changed; nothing is overwritten"):
        back_up(posted, backup)


def test_two_backups_to_one_folder_at_once_are_one(posted: Workspace, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: back_up(Workspace(posted.path), tmp_path / "backup"), range(2)))
    assert sorted(made.already_done for made in both) == [False, True]
    assert inner(tmp_path) == ["backup"]


def _flip(backup: Path) -> None:
    path = backup / "home" / "ledger.duckdb"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _remove(backup: Path) -> None:
    next(backup.joinpath("home", "audit", "segments").iterdir()).unlink()


def _lead_out(backup: Path) -> None:
    facts = json.loads(backup.joinpath(MANIFEST).read_bytes())
    facts["files"][0]["path"] = "../outside"
    backup.joinpath(MANIFEST).write_text(json.dumps(facts), encoding="utf-8")


def _other_digest(backup: Path) -> None:
    facts = json.loads(backup.joinpath(MANIFEST).read_bytes())
    facts["digest"] = "0" * 64
    backup.joinpath(MANIFEST).write_text(json.dumps(facts), encoding="utf-8")


@pytest.mark.parametrize("change", [_flip, _remove, _lead_out, _other_digest])
def test_a_backup_that_was_changed_is_not_restored(
    posted: Workspace, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    backup = tmp_path / "backup"
    back_up(posted, backup)
    change(backup)
    with pytest.raises(CheckFailedError):
        restore(backup, tmp_path / "home")
    assert inner(tmp_path) == ["backup"]


def test_a_backup_without_a_head_stored_elsewhere_is_not_restored(posted: Workspace, tmp_path: Path) -> None:
    back_up(posted, tmp_path / "backup")
    with pytest.raises(CheckFailedError, match="no record has the head"):
        restore(tmp_path / "backup", tmp_path / "home", head="0" * 64)
    assert inner(tmp_path) == ["backup"]


def test_an_altered_data_folder_has_no_backup(posted: Workspace, tmp_path: Path) -> None:
    shutil.copytree(posted.path, tmp_path / "altered")
    segment = next(tmp_path.joinpath("altered", "audit", "segments").iterdir())
    segment.write_bytes(segment.read_bytes() + b" ")
    with pytest.raises(CheckFailedError, match="the copy does not verify"):
        back_up(Workspace(tmp_path / "altered"), tmp_path / "backup")
    assert inner(tmp_path) == ["altered"]


@pytest.mark.slow
def test_backups_made_while_others_land_and_post_are_each_of_one_moment(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home")
    small.fill(workspace)
    working = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", WORK, str(workspace.path), "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    heads: list[str] = []
    with working:
        assert working.stdin is not None
        assert working.stdout is not None
        working.stdout.readline()
        working.stdin.write("go\n")
        working.stdin.flush()
        while working.poll() is None and len(heads) < MOST_BACKUPS:
            made = back_up(workspace, tmp_path / f"backup {len(heads)}")
            heads.append(made.head)
    assert working.returncode == 0
    assert len(set(heads)) >= 2
    for number in range(len(heads)):
        made = restore(tmp_path / f"backup {number}", tmp_path / f"home {number}")
        assert verify(Workspace(made.folder), read_again=True).first is None
    assert verify(workspace).first is None


def test_a_backup_waits_for_a_writer_at_most_so_long(posted: Workspace, tmp_path: Path) -> None:
    lock = posted.locks / "register.lock"
    with (
        exclusive_lock(lock, "busy", wait_seconds=1),
        pytest.raises(StoreBusyError, match="were not free"),
    ):
        back_up(posted, tmp_path / "backup", wait_seconds=1)
    assert inner(tmp_path) == []


class _Full(System):
    """A disk that takes some files, and then no more."""

    def __init__(self, files: int) -> None:
        self.files = files

    def produce(self, make: Callable[[Path], object], path: Path) -> None:
        self.files -= 1
        if self.files < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().produce(make, path)


@pytest.mark.parametrize("files", [0, 3, 15])
def test_a_full_disk_leaves_nothing_and_says_so(posted: Workspace, tmp_path: Path, files: int) -> None:
    with using(_Full(files)), pytest.raises(StorageError, match="No space left"):
        back_up(posted, tmp_path / "backup")
    assert inner(tmp_path) == []
    back_up(posted, tmp_path / "backup")
    with using(_Full(files)), pytest.raises(StorageError, match="No space left"):
        restore(tmp_path / "backup", tmp_path / "home")
    assert inner(tmp_path) == ["backup"]


def test_what_a_killed_backup_left_is_removed_by_the_next(posted: Workspace, tmp_path: Path) -> None:
    debris = tmp_path / "backup.0123.aside"
    debris.mkdir()
    back_up(posted, tmp_path / "backup")
    assert inner(tmp_path) == ["backup"]


def test_links_and_the_history_of_runs_are_not_copied(posted: Workspace, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(posted.path, home)
    history = home / "dagster_home"
    history.mkdir()
    history.joinpath("dagster.yaml").write_text("", encoding="utf-8")
    home.joinpath("inbox", "elsewhere").symlink_to(tmp_path)
    made = back_up(Workspace(home), tmp_path / "backup")
    assert made.left_out == ("inbox/elsewhere",)
    assert {"dagster_home", "locks"}.isdisjoint(inner(made.folder / "home"))


def test_a_torn_manifest_is_an_error_of_the_backup(posted: Workspace, tmp_path: Path) -> None:
    made = back_up(posted, tmp_path / "backup")
    made.folder.joinpath(MANIFEST).write_bytes(b"{")
    with pytest.raises(IntegrityError, match="cannot be read"):
        restore(made.folder, tmp_path / "home")


def test_the_commands_tell_digest_and_head(posted: Workspace, tmp_path: Path, showcost: CommandLine) -> None:
    made = showcost(posted, "backup", str(tmp_path / "backup"), "--json")
    assert made.status == 0, made.err
    restored = showcost(None, "restore", str(tmp_path / "backup"), str(tmp_path / "home"), "--json")
    assert restored.status == 0, restored.err
    assert made.json["digest"] == restored.json["digest"]
    assert restored.json["home"] == str(tmp_path / "home")
    verified = showcost(str(tmp_path / "home"), "verify", "--head", made.json["head"], "--json")
    assert verified.json["verified"] is True
    again = showcost(posted, "backup", str(tmp_path / "backup"), "--json")
    assert again.json == made.json | {"already_done": True}
