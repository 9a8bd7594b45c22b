"""Due work is computed once while the data folder is as it was, and anew after whatever changes it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from showcost.pipeline import due_now as module
from showcost.pipeline.due import due_by_landing
from showcost.pipeline.due_now import due_now
from showcost.workspace import Workspace, open_workspace
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost_tests.whole.conftest import Copy


@pytest.fixture
def posted(posted_home: Workspace, copy: Copy) -> Workspace:
    return copy(posted_home)


@pytest.fixture
def looks(posted: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return a function that looks once more, and returns how many feeds were computed for it."""
    computed: list[str] = []

    def counting(workspace: Workspace, feed: object, state: object) -> object:
        computed.append("feed")
        return due_by_landing(workspace, feed, state)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(module, "due_by_landing", counting)

    def look() -> int:
        computed.clear()
        due_now(open_workspace(posted.path))
        return len(computed)

    return look


def test_a_second_look_computes_nothing(posted: Workspace, looks: Callable[[], int]) -> None:
    assert looks() == len(posted.feeds)
    assert looks() == 0
    assert looks() == 0


def _land(home: Workspace) -> None:
    late = small.german([small.Invoice("R20", "28.10.2026", "1,00", "0,19", "1,19")])
    small.deliver(home, "vendor_invoices_de", "3 later.csv", late)
    land_all(home)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


CHANGES: dict[str, Callable[[Workspace], object]] = {
    "a landing": _land,
    "a rate file": lambda home: small.know_rates(home, until=small.MONDAY),
    "settings": lambda home: _write(home.path / "production.yaml", "# a comment\n"),
    "a feed": lambda home: _write(home.path / "feeds" / "note.txt", "x"),
    "staging that is gone": lambda home: shutil.rmtree(home.path / "staging" / "raw"),
    "a ledger that is gone": lambda home: (home.path / "ledger.duckdb").unlink(),
    "a register in its place": lambda home: shutil.copy2(
        shutil.copy2(home.raw / "register.jsonl", home.raw / "copy"), home.raw / "register.jsonl"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_looked_at(
    posted: Workspace, looks: Callable[[], int], change: Callable[[Workspace], object]
) -> None:
    looks()
    change(posted)
    assert looks() == len(posted.feeds)


def test_a_new_date_is_looked_at(posted: Workspace, looks: Callable[[], int]) -> None:
    looks()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert due_now(posted, tomorrow).feeds.keys() == {feed.name for feed in posted.feeds}
    assert looks() == len(posted.feeds)


def _as_new(home: Workspace) -> object:
    """Return the due work as a process sees it that has not looked yet."""
    module._REMEMBERED.clear()
    return due_now(open_workspace(home.path))


def test_a_look_that_reads_on_sees_what_a_first_look_sees(posted: Workspace) -> None:
    seen = [due_now(open_workspace(posted.path))]
    changes: list[Callable[[Workspace], object]] = [_land, lambda home: take(home, small.WEEK)]
    for number, change in enumerate(changes):
        change(posted)
        seen.append(due_now(open_workspace(posted.path)))
        assert seen[-1] != seen[-2], number
        assert seen[-1] == _as_new(posted), number


def test_a_folder_that_was_put_back_from_a_copy_is_read_anew(posted: Workspace, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(posted.path, backup)
    before = due_now(open_workspace(posted.path))
    _land(posted)
    assert due_now(open_workspace(posted.path)) != before
    shutil.rmtree(posted.path)
    shutil.copytree(backup, posted.path)
    after = due_now(open_workspace(posted.path))
    assert all(feed.problem is None for feed in after.feeds.values())
    assert after == before
