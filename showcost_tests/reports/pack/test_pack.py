"""The sealed pack: complete, the same bytes twice, verified by showcost and by the outside tool."""

from __future__ import annotations

import csv
import json
import runpy
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from pypdf import PdfReader

from showcost.audit.transitions import AuditKind
from showcost.checks.reports import packs_are_unchanged
from showcost.checks.verify import verify
from showcost.core.errors import InputError
from showcost.reports.pack import sealing
from showcost.reports.pack.folders import pack_folder
from showcost.reports.pack.sealing import SealedPack, write_pack
from showcost.reports.pack.verification import verify_report_pack
from showcost.reports.scope import last_record, scope_of
from showcost.reports.tables import ColumnType, HeadlineFigure
from showcost_tests.ledger.rows import pin_rates
from showcost_tests.ledger.test_journal import INVOICE, RATES, post
from showcost_tests.reports.writers.sample import costs, payables
from showcost_tests.whole.small import MONDAY, WEDNESDAY, make_home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from showcost.reports.tables import ReportTable
    from showcost.workspace import Workspace

TABLES = (costs(), payables())
HEADLINE = (
    HeadlineFigure(
        *("Cost to date", Decimal("6400.4"), ColumnType.MONEY, "Cost of all days", "USD"),
        *("cost_report", "cost_to_date"),
    ),
)
VERIFIER = Path(__file__).parents[3] / "tools" / "verify_pack.py"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_home(tmp_path_factory.mktemp("books") / "home")
    pin_rates(workspace.ledger, rates=RATES)
    post(workspace.ledger, INVOICE)
    return workspace


@pytest.fixture(scope="module")
def pack(workspace: Workspace) -> SealedPack:
    return written(workspace)


def written(
    workspace: Workspace,
    folder: Path | None = None,
    *,
    tables: Sequence[ReportTable] = TABLES,
    as_of: int | None = None,
) -> SealedPack:
    return write_pack(workspace, scope_of(workspace, WEDNESDAY, MONDAY, as_of), tables, folder, HEADLINE)


def manifest_of(pack: SealedPack) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((pack.folder / "manifest.json").read_bytes())
    return manifest


def verifier(folder: Path, *options: str) -> int:
    status: int = runpy.run_path(str(VERIFIER))["main"]([str(folder), *options])
    return status


def test_a_pack_is_published_below_the_data_folder(workspace: Workspace, pack: SealedPack) -> None:
    assert pack.is_new
    assert pack.folder == pack_folder(workspace, pack.scope)
    assert pack.folder.is_relative_to(workspace.path / "published")
    assert [path.name for path in pack.folder.parent.iterdir()] == [pack.folder.name]


def test_the_manifest_names_the_moment_the_digest_and_the_totals(
    workspace: Workspace, pack: SealedPack
) -> None:
    manifest = manifest_of(pack)
    last = last_record(workspace)
    assert last is not None
    assert manifest["as_of"]["record"] == last.seq
    assert manifest["as_of"]["head"] == last.hash
    assert manifest["ledger"]["entries"] == 3
    assert manifest["tables"][0]["totals"]["cost_to_date"] == "6400.4000"
    assert manifest["tables"][1]["totals_by_currency"]["amount"]["JPY"] == "-2000.0000"
    assert set(manifest["settings"]) == {"production.yaml", "chart_of_accounts.csv", "budget.csv"}
    assert "report.xlsx" in manifest["files"]


def test_the_cover_states_the_headline_of_the_manifest(pack: SealedPack) -> None:
    manifest = manifest_of(pack)
    cover = " ".join(page.extract_text() for page in PdfReader(pack.folder / "cover.pdf").pages)
    words = " ".join(cover.split())
    for figure in manifest["headline"]:
        assert f"{Decimal(figure['value']):,.2f} {figure['currency']}" in words
        assert figure["title"] in words
    assert manifest["ledger"]["digest"] in "".join(cover.split())


def test_a_pack_made_again_has_the_same_bytes(workspace: Workspace, pack: SealedPack, tmp_path: Path) -> None:
    again = written(workspace, tmp_path / "again")
    assert again.sha256 == pack.sha256
    for path in (path for path in pack.folder.rglob("*") if path.is_file()):
        assert (again.folder / path.relative_to(pack.folder)).read_bytes() == path.read_bytes()
    repeated = written(workspace)
    assert (repeated.is_new, repeated.sha256) == (False, pack.sha256)


def test_later_records_do_not_change_a_pack_of_a_moment(workspace: Workspace, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(workspace.path, home)
    later = replace(workspace, path=home)
    as_of = later.audit.head().seq
    first = written(later, tmp_path / "a", as_of=as_of)
    post(
        later.ledger,
        [row | {"record": row["record"] + 50, "row_key": f"{row['row_key']}x"} for row in INVOICE],
    )
    assert later.audit.head().seq > as_of
    second = written(later, tmp_path / "b", as_of=as_of)
    assert first.sha256 == second.sha256


def test_a_pack_verifies(pack: SealedPack, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_report_pack(pack.folder) == []
    assert verifier(pack.folder) == 0
    assert pack.sha256 in capsys.readouterr().out
    assert verifier(pack.folder, "--head", pack.scope.head) == 0
    assert verifier(pack.folder, "--head", "0" * 64) == 1


def change_a_file(folder: Path) -> None:
    (folder / "csv" / "cost_report.csv").write_bytes(b"account\n")


def add_a_file(folder: Path) -> None:
    (folder / "csv" / "more.csv").write_bytes(b"")


def add_a_link(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/nothing")


def remove_a_file(folder: Path) -> None:
    (folder / "report.xlsx").unlink()


def change_a_total(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["tables"][0]["totals"]["budget"] = "3600.0001"
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_the_headline(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["headline"][0]["value"] = "6400.5"
    (folder / "manifest.json").write_text(json.dumps(manifest))


def hide_the_table_of_the_headline(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["headline"][0]["table"] = "none"
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_the_rows(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["tables"][1]["rows"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (change_a_file, "csv/cost_report.csv: it"),
        (add_a_file, "csv/more.csv: the manifest does not name"),
        (add_a_link, "link: the manifest does not name"),
        (remove_a_file, "report.xlsx: the manifest names"),
        (change_a_total, "csv/cost_report.csv: "),
        (change_the_rows, "csv/payables.csv: it has 14 rows, the manifest says 15"),
        (change_the_headline, "manifest.json"),
        (hide_the_table_of_the_headline, "manifest.json"),
    ],
)
def test_a_changed_pack_is_found_out(
    pack: SealedPack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tamper: Callable[[Path], None],
    message: str,
) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(pack.folder, folder)
    tamper(folder)
    findings = verify_report_pack(folder)
    assert len(findings) == 1
    assert str(findings[0]).startswith(message.removesuffix("it"))
    assert verifier(folder) == 1
    assert message in capsys.readouterr().out


def test_files_of_others_are_left_alone(workspace: Workspace, pack: SealedPack, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        written(workspace, tmp_path)
    with pytest.raises(InputError, match="has another report"):
        written(workspace, pack.folder, tables=TABLES[:1])
    with pytest.raises(InputError, match="two tables named payables"):
        written(workspace, tmp_path / "x", tables=[*TABLES, payables()])
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert verify_report_pack(pack.folder) == []


def test_an_empty_folder_is_filled(workspace: Workspace, pack: SealedPack, tmp_path: Path) -> None:
    filled = written(workspace, tmp_path)
    assert filled.is_new
    assert filled.sha256 == pack.sha256
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"index.html", "cover.pdf", "report.xlsx", "csv", "parquet", "manifest.json"}


def test_a_scope_needs_a_record_of_the_log(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="there is no audit record 999"):
        scope_of(workspace, WEDNESDAY, MONDAY, 999)
    with pytest.raises(InputError, match="the end is before the start"):
        scope_of(workspace, MONDAY, WEDNESDAY)


def test_csv_is_exact_and_no_text_of_a_vendor_is_a_formula(pack: SealedPack) -> None:
    with (pack.folder / "csv" / "payables.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["vendor_name"] == '\'=cmd|"/C calc"!A0'
    assert {row["vendor_name"] for row in rows} >= {"'@SUM(A1)", "'\ttab", "right[U+202E]to left"}
    assert not [row for row in rows if row["vendor_name"][0] in "=@+-\t"]
    assert sum(Decimal(row["base_amount"]) for row in rows) == Decimal("95.62")
    parquet = pq.read_table(pack.folder / "parquet" / "payables.parquet")
    assert parquet.equals(payables().rows)
    with (pack.folder / "csv" / "dictionary.csv").open(newline="", encoding="utf-8") as stream:
        described = {(row["file"], row["column"]) for row in csv.DictReader(stream)}
    assert described == {(table.name, column.name) for table in TABLES for column in table.columns}


def copy_of(workspace: Workspace, folder: Path) -> Workspace:
    shutil.copytree(workspace.path, folder)
    return replace(workspace, path=folder)


def seals(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the facts of the records that seal packs."""
    kind = AuditKind.SNAPSHOT_PUBLISHED
    return [dict(record.facts) for record in workspace.audit.records() if record.kind is kind]


def difference(workspace: Workspace) -> str | None:
    """Return what `showcost verify` says of the published packs, and the asset check as well."""
    (step,) = (step for step in verify(workspace).steps if step.name == "published")
    check = packs_are_unchanged(workspace)
    assert check.passed == (not step.discrepancies)
    assert all(str(found) in check.message for found in step.discrepancies[:1])
    return str(step.discrepancies[0]) if step.discrepancies else None


def test_a_pack_is_sealed_in_the_audit_log_once(workspace: Workspace, tmp_path: Path) -> None:
    home = copy_of(workspace, tmp_path / "home")
    before = len(seals(home))
    pack = written(home, as_of=2)
    assert written(home, as_of=2).is_new is False
    assert seals(home)[before:] == [
        {
            "folder": f"published/reports/{WEDNESDAY}_{MONDAY}_record-2",
            "manifest": pack.sha256,
            "from": str(WEDNESDAY),
            "to": str(MONDAY),
            "currency": "USD",
            "as_of": 2,
        }
    ]
    assert difference(home) is None


def test_a_pack_elsewhere_is_sealed_and_need_not_stay(workspace: Workspace, tmp_path: Path) -> None:
    home = copy_of(workspace, tmp_path / "home")
    pack = written(home, tmp_path / "jane doe" / "out", as_of=2)
    assert (seals(home)[-1]["folder"], seals(home)[-1]["manifest"]) == (None, pack.sha256)
    assert "jane doe" not in home.audit.path.read_text(encoding="utf-8")
    shutil.rmtree(pack.folder)
    assert difference(home) is None


def test_a_published_pack_that_is_missing_replaced_or_not_sealed_is_named(
    workspace: Workspace, tmp_path: Path
) -> None:
    home = copy_of(workspace, tmp_path / "home")
    pack = written(home, as_of=2)
    place = f"published/reports/{pack.folder.name}"
    (seal,) = (record.seq for record in home.audit.records() if record.facts.get("manifest") == pack.sha256)
    kept = tmp_path / "kept"
    pack.folder.rename(kept)
    missing = f"{place}: it is missing; record {seal} of the audit log sealed it, as of record 2"
    assert difference(home) == missing
    shutil.copytree(written(home, tmp_path / "other", tables=TABLES[:1], as_of=2).folder, pack.folder)
    assert verify_report_pack(pack.folder) == []
    replaced = f"{place}: its manifest is not the one that record {seal} of the audit log sealed"
    assert difference(home) == replaced
    shutil.rmtree(pack.folder)
    pack.folder.write_text("", encoding="utf-8")
    assert difference(home) == missing
    pack.folder.unlink()
    pack.folder.mkdir()
    assert difference(home) == f"{place}: it is not the pack that record {seal} of the audit log sealed"
    pack.folder.rmdir()
    shutil.copytree(kept, pack.folder)
    assert difference(home) is None
    (pack.folder / "csv" / "more.csv").write_bytes(b"")
    assert difference(home) == f"{place}/csv/more.csv: the manifest does not name this file"
    shutil.rmtree(pack.folder)
    assert written(home, as_of=2).is_new
    shutil.copytree(kept, pack.folder.with_name("a copy"))
    assert difference(home) == "published/reports/a copy: no record of the audit log seals it"


def test_what_a_killed_writer_left_is_completed_and_removed(workspace: Workspace, tmp_path: Path) -> None:
    home = copy_of(workspace, tmp_path / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "rename", fail)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            written(home, as_of=2)
    folder = home.path / "published" / "reports"
    name = f"{WEDNESDAY}_{MONDAY}_record-2"
    (debris,) = folder.glob("*.aside")
    assert (difference(home) or "").startswith(f"published/reports/{name}: it is missing")
    elsewhere = tmp_path / f"out.{'0' * 32}.aside"
    others = tmp_path / f"mine.{'0' * 32}.aside"
    for left in (elsewhere, others):
        left.mkdir()
    sealed = len(seals(home))
    written(home, tmp_path / "out", as_of=2)
    assert (debris.exists(), elsewhere.exists(), others.exists()) == (True, False, True)
    assert written(home, as_of=2).is_new
    assert not debris.exists()
    assert difference(home) is None
    assert len(seals(home)) == sealed + 1


def fail(*_: Path) -> None:
    raise KeyboardInterrupt
