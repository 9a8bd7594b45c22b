"""Verification of a whole data folder, from the command line and with encrypted and shredded payloads."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from showcost.audit.transitions import AuditKind
from showcost.checks.ledger import audit_chain
from showcost.checks.verify import verify
from showcost.cli.main import cli
from showcost.core.errors import InputError
from showcost.deliveries.encryption import KEY_VARIABLE
from showcost.ingest.shredding import shred_payload
from showcost.workspace import HOME_VARIABLE
from showcost_tests.crash.scenario import carry_out
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.tampering.books import copied, first_difference, make_books

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_books(tmp_path_factory.mktemp("books") / "home")


def run(workspace: Workspace, *arguments: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(
        cli, ["verify", "--json", *arguments], env={HOME_VARIABLE: str(workspace.path)}
    )
    return result.exit_code, json.loads(result.output)


def test_verify_prints_the_head_and_accepts_it_again(workspace: Workspace) -> None:
    status, facts = run(workspace, "--read-again")
    assert (status, facts["verified"], facts["first_difference"]) == (0, True, None)
    assert facts["head"] == workspace.audit.head().hash
    assert run(workspace, "--head", str(facts["head"]))[0] == 0


def test_the_audit_page_lists_every_step(workspace: Workspace) -> None:
    _, facts = run(workspace, "--read-again")
    page = (REPOSITORY / "docs" / "audit.md").read_text(encoding="utf-8")
    table = page.partition("## What `showcost verify` does")[2].partition("\n## ")[0]
    documented = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")][1:]
    steps = facts["steps"]
    assert isinstance(steps, list)
    assert [name.removesuffix(" (`--read-again`)") for name in documented] == [step["name"] for step in steps]


def test_verify_fails_for_an_unknown_head(workspace: Workspace) -> None:
    status, facts = run(workspace, "--head", "f" * 64)
    assert status == 1
    assert "no record has the head" in str(facts["first_difference"])


def test_verify_writes_a_pack_only_when_every_step_passes(workspace: Workspace, tmp_path: Path) -> None:
    status, facts = run(workspace, "--pack", str(tmp_path / "pack"))
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "pack").iterdir()) == [
        "entries.txt",
        "heads.csv",
        "log.jsonl",
        "pack.json",
        "plan_lines.txt",
        "rates.csv",
    ]
    assert json.loads((tmp_path / "pack" / "pack.json").read_text())["head"] == facts["head"]
    assert run(workspace, "--head", "f" * 64, "--pack", str(tmp_path / "other"))[0] == 1
    assert not (tmp_path / "other").exists()


def test_verify_changes_nothing(workspace: Workspace) -> None:
    before = {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file()}
    verify(workspace, read_again=True)
    assert {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file()} == before


def test_materialising_again_changes_neither_ledger_nor_verification(
    workspace: Workspace, tmp_path: Path
) -> None:
    again = copied(workspace, tmp_path / "again")
    entries = verify(again).entries
    carry_out(again, lambda _: None)
    outcome = verify(again)
    assert (outcome.first, outcome.entries) == (None, entries)
    assert _transactions(again) == _transactions(workspace)


def _transactions(workspace: Workspace) -> list[int]:
    """Return the numbers of the records of entries or decisions."""
    kinds = (AuditKind.INTENT, AuditKind.DECIDED, AuditKind.PERIOD_CLOSED)
    return [record.seq for record in workspace.audit.records() if record.kind in kinds]


def test_the_audit_log_contains_no_text_of_any_row(workspace: Workspace) -> None:
    log = workspace.audit.path.read_text()
    (payload,) = workspace.raw.glob("??/*")
    cells = {
        cell for line in payload.read_text().splitlines()[1:] for cell in line.split(",") if len(cell) > 8
    }
    assert cells
    assert not [cell for cell in cells if cell in log]


def test_the_asset_check_of_the_chain_names_the_damaged_line(workspace: Workspace, tmp_path: Path) -> None:
    assert audit_chain(workspace).passed
    spoiled = copied(workspace, tmp_path / "spoiled")
    log = spoiled.audit.path
    log.write_bytes(log.read_bytes().replace(b'"rows":', b'"rows" :', 1))
    outcome = audit_chain(spoiled)
    assert not outcome.passed
    assert outcome.message.startswith("audit/log.jsonl, line")


def test_a_data_folder_with_a_shredded_payload_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    workspace = make_books(tmp_path / "home")
    head = workspace.audit.head().hash
    (payload,) = (path for path in workspace.raw.glob("??/*") if path.suffix != ".key")
    assert first_difference(workspace) is None
    shred_payload(workspace, payload.name, who="the accountant", why="an order of the court")
    assert not payload.with_name(f"{payload.name}.key").exists()
    assert first_difference(workspace, head) is None
    assert verify(workspace, read_again=True).first is None
    carry_out(workspace, lambda _: None)
    assert first_difference(workspace, head) is None
    with pytest.raises(InputError, match="was shredded before"):
        shred_payload(workspace, payload.name, who="the accountant", why="again")


def test_a_key_that_is_deleted_without_a_record_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    workspace = make_books(tmp_path / "home")
    next(workspace.raw.glob("??/*.key")).unlink()
    difference = first_difference(workspace)
    assert difference is not None
    assert "was shredded: its key is gone" in difference
