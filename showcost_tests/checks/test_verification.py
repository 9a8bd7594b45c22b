"""Verification of a whole data folder, from the command line and with encrypted and shredded payloads."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from showcost.audit import transitions as states
from showcost.audit.transitions import AuditKind
from showcost.checks.ledger import audit_chain
from showcost.checks.verify import Patience, verify
from showcost.cli.main import cli
from showcost.core.errors import IntegrityError
from showcost.deliveries.encryption import KEY_VARIABLE
from showcost.deliveries.payloads import PayloadStore
from showcost.ingest.landing import land
from showcost.ingest.shredding import remove_from_inbox, shred_payload, text_copies
from showcost.pipeline.configuration import configured_as
from showcost.pipeline.validation import quarantine_undated
from showcost.staging import PartitionRows
from showcost.staging.assets import valid_asset
from showcost.workspace import HOME_VARIABLE
from showcost_tests.crash.scenario import DAYS, FEED, carry_out
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.tampering.books import copied, first_difference, make_books
from showcost_tests.whole import small
from showcost_tests.whole.staged import record_rows

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.audit.log import Fact
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
        "configurations",
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
    lines = [line for payload in workspace.raw.glob("??/*") for line in payload.read_text().splitlines()[1:]]
    cells = {cell for line in lines for cell in line.split(",") if len(cell) > 8 and not cell[0].isdigit()}
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


def payload_of(workspace: Workspace) -> Path:
    """Return the stored payload of the feed of vendor invoices."""
    (arrival, *_) = workspace.register.deliveries(FEED)
    (payload,) = workspace.raw.glob(f"??/{arrival.delivery}")
    return payload


def test_a_data_folder_with_a_shredded_payload_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    workspace = make_books(tmp_path / "home")
    head = workspace.audit.head().hash
    payload = payload_of(workspace)
    assert first_difference(workspace) is None
    shred_payload(workspace, payload.name, who="the accountant", why="an order of the court")
    assert not payload.with_name(f"{payload.name}.key").exists()
    assert first_difference(workspace, head) is None
    assert verify(workspace, read_again=True).first is None
    carry_out(workspace, lambda _: None)
    assert first_difference(workspace, head) is None
    assert not shred_payload(workspace, payload.name, who="the accountant", why="again")
    assert first_difference(workspace, head) is None


@pytest.mark.slow
def test_a_shredding_that_dies_before_the_key_is_gone_is_found_and_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    workspace = make_books(tmp_path / "home")
    payload = payload_of(workspace)
    key = payload.with_name(f"{payload.name}.key")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PayloadStore, "shred", die)
        with pytest.raises(KeyboardInterrupt):
            shred_payload(workspace, payload.name, who="the accountant", why="an order of the court")
    assert key.exists()
    difference = first_difference(workspace)
    assert difference is not None
    assert "`showcost shred` finishes it" in difference
    by_landing = copied(workspace, tmp_path / "by landing")
    land(by_landing, by_landing.feeds[0])
    assert first_difference(by_landing) is None
    assert shred_payload(workspace, payload.name, who="the accountant", why="an order of the court")
    assert not key.exists()
    assert first_difference(workspace) is None


def test_copies_of_a_shredded_text_are_named_and_those_of_the_inbox_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    workspace = make_books(tmp_path / "home")
    payload = payload_of(workspace)
    (sent,) = (path.read_bytes() for path in (workspace.inbox / FEED).iterdir())
    shred_payload(workspace, payload.name, who="the accountant", why="an order of the court")
    copies = text_copies(workspace, payload.name)
    assert [path.parent.name for path in copies.inbox] == [FEED]
    assert copies.staged == (f"records/{FEED}",)
    remove_from_inbox(copies)
    assert text_copies(workspace, payload.name).inbox == ()
    assert verify(workspace).first is None
    # The same bytes once more under another name are taken, and read by nobody.
    feed = next(feed for feed in workspace.feeds if feed.name == FEED)
    (workspace.inbox / FEED / "again.csv").write_bytes(sent)
    assert land(workspace, feed).again == ("again.csv",)
    assert verify(workspace).first is None


def test_a_key_that_is_deleted_without_a_record_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    workspace = make_books(tmp_path / "home")
    next(workspace.raw.glob("??/*.key")).unlink()
    difference = first_difference(workspace)
    assert difference is not None
    assert "was shredded: its key is gone" in difference


def test_a_data_folder_that_has_only_landed_verifies(tmp_path: Path) -> None:
    home = small.make_home(tmp_path / "home")
    small.deliver(home, "vendor_invoices_de", "1.csv", small.german(small.FIRST))
    for feed in home.feeds:
        land(home, feed)
    assert not home.ledger.exists()
    assert first_difference(home) is None


def test_a_feed_with_undated_rows_only_verifies(tmp_path: Path) -> None:
    home = small.make_home(tmp_path / "home")
    undated = [invoice for invoice in small.FIRST if invoice.number == "R8"]
    small.deliver(home, "vendor_invoices_de", "1.csv", small.german(undated))
    feed = next(feed for feed in home.feeds if feed.name == "vendor_invoices_de")
    land(home, feed)
    quarantine_undated(home, feed)
    assert first_difference(home) is None


def test_a_data_folder_without_its_staging_verifies(workspace: Workspace, tmp_path: Path) -> None:
    home = copied(workspace, tmp_path / "copy")
    shutil.rmtree(home.path / "staging")
    assert first_difference(home) is None


def test_a_feed_that_is_no_longer_declared_is_checked_as_it_was(tmp_path: Path) -> None:
    home = small.make_home(tmp_path / "home")
    package = REPOSITORY / "showcost" / "defs" / "feeds" / "vendor_invoices_de" / "defs.yaml"
    feed_file = home.path / "feeds" / "berlin" / "defs.yaml"
    feed_file.parent.mkdir(parents=True)
    text = package.read_text(encoding="utf-8").replace("vendor_invoices_de", "berlin")
    feed_file.write_text(text, encoding="utf-8")
    home = type(home)(home.path)
    undated = [invoice for invoice in small.FIRST if invoice.number == "R8"]
    small.deliver(home, "berlin", "1.csv", small.german(undated))
    feed = next(feed for feed in home.feeds if feed.name == "berlin")
    land(home, feed)
    quarantine_undated(home, feed)
    before = verify(home, read_again=True)
    feed_file.unlink()
    after = verify(home, read_again=True)
    assert before.first is after.first is None
    assert after.steps == before.steps, "as much is checked as before"
    assert any("no longer declared: berlin;" in note for note in after.notes)


@pytest.mark.parametrize("name", ["../elsewhere.yaml", "/elsewhere.yaml"])
def test_a_forged_configuration_writes_nothing_outside_its_folder(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    """Who verifies a data folder that others made must not run what they wrote into its log."""
    home = copied(workspace, tmp_path / "copy")
    sha256 = next(home.audit.configurations.iterdir()).name
    forged: dict[str, Fact] = {"configuration": "f" * 64, "parts": {name: sha256}}
    home.audit.append(AuditKind.CONFIGURED, forged, subjects=[states.configuration()])
    with pytest.raises(IntegrityError, match="a file outside its folder"), configured_as(home, "f" * 64):
        pass


def test_a_run_at_work_is_no_difference(workspace: Workspace, tmp_path: Path) -> None:
    home = copied(workspace, tmp_path / "copy")
    store = home.staging
    asset, part = valid_asset(FEED), DAYS[1].isoformat()
    rows, staged = store.read(asset, part), store.existing(asset, part)
    # A run has recorded its outcomes and is about to write them: it writes while verification looks again.
    written = {asset: [PartitionRows(part, rows, staged.inputs)]}
    store.write(asset, part, rows.slice(1), staged.inputs)
    assert first_difference(home) is not None

    record = partial(record_rows, home, FEED, part)
    writer = threading.Timer(0.3, lambda: store.write_together(written, record))
    writer.start()
    patience = Patience(looks=3, pause=0.4)
    assert verify(home, patience=patience).first is None
    writer.join()
    # What nobody writes stays a difference.
    store.write(asset, part, rows.slice(1), staged.inputs)
    assert verify(home, patience=patience).first is not None
