"""A new master key for all payloads: audited, the same when repeated, and completed after a kill."""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING

import pytest

from showcost.audit.transitions import AuditKind
from showcost.checks.verify import verify
from showcost.core.durable import System, using
from showcost.core.errors import InputError, StorageError
from showcost.deliveries.encryption import KEY_VARIABLE, OLD_KEY_VARIABLE
from showcost.ingest.key_rotation import rotate_key
from showcost.ingest.landing import land
from showcost.ingest.shredding import shred_payload
from showcost.workspace import Workspace
from showcost_tests.crash.acts import OTHER, make_home
from showcost_tests.crash.scenario import carry_out
from showcost_tests.ingest.test_payloads import VERSION_1, VERSION_1_BYTES, VERSION_1_SHA256

if TYPE_CHECKING:
    from pathlib import Path

    from showcost_tests.command_line import CommandLine

OLD = base64.b64encode(bytes(range(32))).decode()
NEW = base64.b64encode(bytes(range(1, 33))).decode()
WHO, WHY = "A. Clerk", "the year is over"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a posted ledger and encrypted payloads, of which one is shredded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, OLD)
        workspace = make_home(tmp_path_factory.mktemp("encrypted") / "home")
        carry_out(workspace, lambda _: None)
        (landed,) = land(workspace, next(feed for feed in workspace.feeds if feed.name == OTHER)).read
        shred_payload(workspace, landed.arrival.delivery, who=WHO, why=WHY)
    return workspace.path


@pytest.fixture
def posted(encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv(KEY_VARIABLE, OLD)
    shutil.copytree(encrypted, tmp_path / "home")
    return Workspace(tmp_path / "home")


@pytest.fixture
def rotating(posted: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv(KEY_VARIABLE, NEW)
    monkeypatch.setenv(OLD_KEY_VARIABLE, OLD)
    return posted


def rotations(workspace: Workspace) -> int:
    return sum(record.kind is AuditKind.KEY_ROTATED for record in workspace.audit.records())


def test_all_payloads_open_with_the_new_key_alone(
    rotating: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = rotating.payloads.with_keys()
    stored = [rotating.payloads.path(payload).read_bytes() for payload in payloads]
    done = rotate_key(rotating, who=WHO, why=WHY)
    assert (done.replaced, done.before, done.recorded) == (len(payloads), 0, True)
    monkeypatch.delenv(OLD_KEY_VARIABLE)
    assert verify(rotating, read_again=True).first is None
    assert [rotating.payloads.path(payload).read_bytes() for payload in payloads] == stored
    monkeypatch.setenv(KEY_VARIABLE, OLD)
    assert all(rotating.payloads.problem(payload) for payload in payloads)


def test_a_repetition_changes_and_records_nothing(rotating: Workspace) -> None:
    first = rotate_key(rotating, who=WHO, why=WHY)
    keys = [path.read_bytes() for path in sorted(rotating.raw.glob("??/*.key"))]
    again = rotate_key(rotating, who=WHO, why=WHY)
    assert (again.replaced, again.before, again.recorded) == (0, first.replaced, False)
    assert rotations(rotating) == 1
    assert [path.read_bytes() for path in sorted(rotating.raw.glob("??/*.key"))] == keys


def test_a_shredded_payload_stays_shredded(rotating: Workspace) -> None:
    shredded = [
        arrival.delivery
        for arrival in rotating.register.arrivals()
        if rotating.payloads.is_shredded(arrival.delivery)
    ]
    assert shredded
    rotate_key(rotating, who=WHO, why=WHY)
    assert all(rotating.payloads.is_shredded(payload) for payload in shredded)


class _Refusing(System):
    """A disk that renames some files and then no more."""

    def __init__(self, renames: int) -> None:
        self.renames = renames

    def rename(self, source: Path, target: Path) -> None:
        self.renames -= 1
        if self.renames < 0:
            raise OSError(28, "No space left on device")
        super().rename(source, target)


def test_an_interrupted_rotation_reads_with_both_keys_and_is_completed(
    rotating: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = rotating.payloads.with_keys()
    with using(_Refusing(1)), pytest.raises(StorageError):
        rotate_key(rotating, who=WHO, why=WHY)
    assert verify(rotating, read_again=True).first is None
    done = rotate_key(Workspace(rotating.path), who=WHO, why=WHY)
    assert (done.replaced, done.before, done.recorded) == (len(payloads) - 1, 1, False)
    monkeypatch.delenv(OLD_KEY_VARIABLE)
    assert verify(rotating, read_again=True).first is None
    assert rotations(rotating) == 1


def test_a_key_may_come_back_and_each_rotation_is_recorded(
    rotating: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate_key(rotating, who=WHO, why=WHY)
    monkeypatch.setenv(KEY_VARIABLE, OLD)
    monkeypatch.setenv(OLD_KEY_VARIABLE, NEW)
    assert rotate_key(rotating, who=WHO, why=WHY).recorded
    assert rotations(rotating) == 2
    monkeypatch.delenv(OLD_KEY_VARIABLE)
    assert verify(rotating).first is None


def test_a_payload_of_the_first_format_is_rotated_too(
    rotating: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = rotating.payloads.path(VERSION_1_SHA256)
    target.parent.mkdir(exist_ok=True)
    for path in VERSION_1.glob("*/*"):
        target.with_name(path.name).write_bytes(path.read_bytes())
    rotate_key(rotating, who=WHO, why=WHY)
    monkeypatch.delenv(OLD_KEY_VARIABLE)
    with rotating.payloads.opened(VERSION_1_SHA256) as plain:
        assert plain.read_bytes() == VERSION_1_BYTES


def test_an_altered_key_is_told_and_the_others_are_rotated(
    rotating: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = rotating.payloads.with_keys()
    path = rotating.payloads.path(first).with_name(f"{first}.key")
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(InputError, match=f"1 of {len(others) + 1} keys were not replaced"):
        rotate_key(rotating, who=WHO, why=WHY)
    monkeypatch.delenv(OLD_KEY_VARIABLE)
    assert [payload for payload in others if rotating.payloads.problem(payload)] == []


def test_both_keys_must_be_given_and_differ(posted: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="set SHOWCOST_PAYLOAD_KEY to the new master key"):
        rotate_key(posted, who=WHO, why=WHY)
    monkeypatch.setenv(OLD_KEY_VARIABLE, OLD)
    with pytest.raises(InputError, match="are the same key"):
        rotate_key(posted, who=WHO, why=WHY)
    monkeypatch.setenv(KEY_VARIABLE, NEW)
    with pytest.raises(InputError, match="must not be empty"):
        rotate_key(posted, who=" ", why="because")
    assert rotations(posted) == 0


def test_the_command_tells_what_was_done_and_no_key(rotating: Workspace, showcost: CommandLine) -> None:
    done = showcost(rotating, "rotate-key", "--who", "A. Clerk", "--why", "the year is over", "--json")
    assert done.status == 0, done.err
    assert done.json["replaced"] == len(rotating.payloads.with_keys())
    log = rotating.audit.path.read_text(encoding="utf-8")
    assert NEW not in done.out + log
    assert bytes(range(1, 33)).hex() not in done.out + log


def test_a_payload_can_be_shredded_after_a_rotation(rotating: Workspace) -> None:
    rotate_key(rotating, who=WHO, why=WHY)
    payload = rotating.payloads.with_keys()[0]
    shred_payload(rotating, payload, who=WHO, why=WHY)
    assert rotating.payloads.is_shredded(payload)
