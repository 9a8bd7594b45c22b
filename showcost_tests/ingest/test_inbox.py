"""Files in the inbox that are still being written, marked as done, or exchanged."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Final

import pytest

from showcost.core.errors import InputError
from showcost.ingest import inbox
from showcost.ingest.inbox import QUIET_VARIABLE
from showcost.ingest.landing import fingerprint_of, land
from showcost.workspace import Workspace, open_workspace
from showcost_tests.ingest.test_landing import FEED, HEADER
from showcost_tests.sample.truth import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROW: Final = "V1,1,01/02/2025,{}\n"


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copy(REPOSITORY / "data" / name, tmp_path / name)
    (tmp_path / "inbox" / FEED.name).mkdir(parents=True)
    return open_workspace(tmp_path)


@pytest.fixture
def file(home: Workspace) -> Path:
    path = home.inbox / FEED.name / "any.csv"
    path.write_text(f"{HEADER}\n{ROW.format('2.00')}", encoding="utf-8")
    return path


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that landing has slept; the time does not pass."""
    monkeypatch.delenv(QUIET_VARIABLE)
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.mark.usefixtures("file")
def test_a_file_that_was_just_written_is_waited_for(home: Workspace, waited: list[float]) -> None:
    told: list[tuple[Sequence[str], float]] = []
    landing = land(home, FEED, lambda names, seconds: told.append((names, seconds)))
    assert (len(landing.read), landing.changing) == (1, ())
    assert told == [(["any.csv"], waited[0])]
    assert 0 < waited[0] <= FEED.quiet_seconds
    land(home, FEED)
    assert len(waited) == 1


@pytest.mark.usefixtures("file")
def test_the_sensor_leaves_such_a_file_for_the_next_time(home: Workspace, waited: list[float]) -> None:
    landing = land(home, FEED, None)
    assert (landing.read, landing.changing, waited) == ((), ("any.csv",), [])
    quick = FEED.model_copy(update={"quiet_seconds": 0})
    assert len(land(home, quick, None).read) == 1


def test_a_file_that_grows_meanwhile_is_not_taken(
    home: Workspace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(QUIET_VARIABLE)

    def write_on(_seconds: float) -> None:
        with file.open("a", encoding="utf-8") as out:
            out.write(ROW.format("3.00"))

    monkeypatch.setattr(time, "sleep", write_on)
    landing = land(home, FEED)
    assert (landing.read, landing.changing) == ((), ("any.csv",))


def test_a_marker_of_the_sender_lands_a_file_at_once(
    home: Workspace, file: Path, waited: list[float]
) -> None:
    marked = FEED.model_copy(update={"done_marker": True})
    assert land(home, marked).changing == ("any.csv",)
    marker = file.with_name("any.csv.done")
    marker.touch()
    os.utime(marker, ns=(0, file.stat().st_mtime_ns - 1))
    assert land(home, marked, None).changing == ("any.csv",)
    os.utime(marker)
    assert len(land(home, marked, None).read) == 1
    assert inbox.unclaimed(home.inbox, [marked]) == []
    assert waited == []
    assert fingerprint_of(home, marked) == fingerprint_of(home, FEED)


def test_a_name_too_long_for_a_marker_beside_it_lands(home: Workspace, file: Path) -> None:
    file.rename(file.with_name("x" * 251 + ".csv"))
    assert len(land(home, FEED).read) == 1


def test_a_file_exchanged_under_its_name_size_and_time_is_landed(home: Workspace, file: Path) -> None:
    assert len(land(home, FEED).read) == 1
    before = file.stat().st_mtime_ns
    file.write_text(f"{HEADER}\n{ROW.format('9.00')}", encoding="utf-8")
    os.utime(file, ns=(before, before))
    assert len(land(home, FEED).read) == 1
    other = file.with_name("any.new")
    other.write_text(f"{HEADER}\n{ROW.format('8.00')}", encoding="utf-8")
    os.utime(other, ns=(before, before))
    other.replace(file)
    assert len(land(home, FEED).read) == 1
    assert land(home, FEED).read == ()


@pytest.mark.parametrize("damage", [None, "", "{}", "[]", "nonsense"])
def test_a_landed_file_is_not_landed_again_without_the_notes(
    home: Workspace, file: Path, damage: str | None
) -> None:
    land(home, FEED)
    notes = home.raw / "inbox.json"
    notes.unlink()
    if damage is not None:
        notes.write_text(damage, encoding="utf-8")
    file.chmod(0o600)
    landing = land(home, FEED)
    assert (landing.read, landing.again) == ((), ())
    assert len(home.register.arrivals(FEED.name)) == 1


def test_a_quiet_time_that_is_no_number_is_refused(
    home: Workspace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(QUIET_VARIABLE, "soon")
    with pytest.raises(InputError, match="use whole seconds"):
        land(home, FEED)
    assert file.exists()
