"""The configuration is recorded when it changes, and verification tells what was changed afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from showcost.audit.transitions import AuditKind
from showcost.checks.verify import verify
from showcost.workspace import Workspace
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from showcost_tests.whole.conftest import Copy


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = small.make_home(tmp_path_factory.mktemp("sound") / "home", small.UKSPEND)
    rows = [small.UK_HEADER.split(","), small.spend("T1", "28/10/2026", "30,000.00")]
    small.deliver(workspace, "uk_spend", "week.csv", small.delimited(rows))
    land_all(workspace)
    take(workspace, small.WEEK)
    return workspace


def _records(workspace: Workspace, kind: AuditKind) -> list[dict[str, Any]]:
    return [dict(record.facts) for record in workspace.audit.records() if record.kind is kind]


def test_the_same_configuration_is_recorded_once(sound: Workspace) -> None:
    (recorded,) = _records(sound, AuditKind.CONFIGURED)
    names = recorded["parts"].keys()
    assert {"production.yaml", "chart_of_accounts.csv", "budget.csv", "versions"} <= names
    assert any(name.startswith("showcost/config/agreements/data/") for name in names)
    assert any(name.startswith("showcost/defs/feeds/") for name in names)
    users = [*_records(sound, AuditKind.VALIDATED), *_records(sound, AuditKind.INTENT)]
    assert users
    assert {facts["configuration"] for facts in users} == {recorded["configuration"]}
    outcome = verify(sound)
    assert (outcome.first, outcome.notes) == (None, ())


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("production.yaml", "timezone:", "# the clock\ntimezone:"),
        ("production.yaml", "base_currency:", "# the base currency\nbase_currency:"),
        ("budget.csv", "\n", "\n\n"),
        ("chart_of_accounts.csv", "\n", "\n\n"),
    ],
)
def test_a_configuration_that_was_changed_afterwards_is_told(
    sound: Workspace, copy: Copy, file: str, before: str, after: str
) -> None:
    workspace = copy(sound)
    path = workspace.path / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    notes = verify(Workspace(workspace.path)).notes
    assert len(notes) == 1
    assert f"in {file};" in notes[0]


def test_a_changed_configuration_is_recorded_with_the_next_validation(sound: Workspace, copy: Copy) -> None:
    workspace = copy(sound)
    path = workspace.path / "budget.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    take(Workspace(workspace.path), [small.WEDNESDAY])
    first, second = _records(workspace, AuditKind.CONFIGURED)
    changed = {name for name in first["parts"] if first["parts"][name] != second["parts"][name]}
    assert changed == {"budget.csv"}
    assert _records(workspace, AuditKind.VALIDATED)[-1]["configuration"] == second["configuration"]
    outcome = verify(Workspace(workspace.path))
    assert (outcome.first, outcome.notes) == (None, ())


def _removed(path: Path) -> None:
    path.unlink()


def _altered(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


@pytest.mark.parametrize(("change", "problem"), [(_removed, "is missing"), (_altered, "was changed")])
def test_a_file_of_a_recorded_configuration_is_kept(
    sound: Workspace, copy: Copy, change: Callable[[Path], None], problem: str
) -> None:
    workspace = copy(sound)
    (record,) = [each for each in workspace.audit.records() if each.kind is AuditKind.CONFIGURED]
    recorded: dict[str, Any] = dict(record.facts)
    change(workspace.audit.folder / "configurations" / recorded["parts"]["budget.csv"])
    first = verify(Workspace(workspace.path)).first
    assert first is not None
    assert f"budget.csv of record {record.seq} {problem}" in str(first)
