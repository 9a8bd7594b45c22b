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

from showcost.core.errors import InputError
from showcost.reports.pack.sealing import SealedPack, pack_folder, write_pack
from showcost.reports.pack.verification import verify_report_pack
from showcost.reports.scope import scope_of
from showcost_tests.ledger.rows import pin_rates
from showcost_tests.ledger.test_journal import INVOICE, RATES, post
from showcost_tests.reports.writers.sample import HEADLINE, costs, payables
from showcost_tests.whole.small import MONDAY, WEDNESDAY, make_home

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.workspace import Workspace

TABLES = (costs(), payables())
VERIFIER = Path(__file__).parents[3] / "tools" / "verify_pack.py"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_home(tmp_path_factory.mktemp("books") / "home")
    pin_rates(workspace.ledger, rates=RATES)
    post(workspace.ledger, INVOICE)
    return workspace


@pytest.fixture(scope="module")
def pack(workspace: Workspace) -> SealedPack:
    return write_pack(workspace, TABLES, first=WEDNESDAY, last=MONDAY, headline=HEADLINE)


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
    head = workspace.audit.head()
    assert manifest["as_of"]["record"] == head.seq
    assert manifest["as_of"]["head"] == head.hash
    assert manifest["ledger"]["entries"] == 3
    assert manifest["tables"][0]["totals"]["cost_to_date"] == "6400.4000"
    assert manifest["tables"][1]["totals_by_currency"]["amount"]["JPY"] == "-2000.0000"
    assert set(manifest["settings"]) == {"production.yaml", "chart_of_accounts.csv", "budget.csv"}
    assert "report.xlsx" in manifest["files"]


def test_a_pack_made_again_has_the_same_bytes(workspace: Workspace, pack: SealedPack, tmp_path: Path) -> None:
    again = write_pack(workspace, TABLES, tmp_path / "again", first=WEDNESDAY, last=MONDAY, headline=HEADLINE)
    assert again.sha256 == pack.sha256
    for path in (path for path in pack.folder.rglob("*") if path.is_file()):
        assert (again.folder / path.relative_to(pack.folder)).read_bytes() == path.read_bytes()
    repeated = write_pack(workspace, TABLES, first=WEDNESDAY, last=MONDAY, headline=HEADLINE)
    assert (repeated.is_new, repeated.sha256) == (False, pack.sha256)


def test_later_records_do_not_change_a_pack_of_a_moment(workspace: Workspace, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(workspace.path, home)
    later = replace(workspace, path=home)
    as_of = later.audit.head().seq
    first = write_pack(later, TABLES, tmp_path / "a", first=WEDNESDAY, last=MONDAY, as_of=as_of)
    post(
        later.ledger,
        [row | {"record": row["record"] + 50, "row_key": f"{row['row_key']}x"} for row in INVOICE],
    )
    assert later.audit.head().seq > as_of
    second = write_pack(later, TABLES, tmp_path / "b", first=WEDNESDAY, last=MONDAY, as_of=as_of)
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
        write_pack(workspace, TABLES, tmp_path, first=WEDNESDAY, last=MONDAY)
    with pytest.raises(InputError, match="has another report"):
        write_pack(workspace, TABLES[:1], pack.folder, first=WEDNESDAY, last=MONDAY)
    with pytest.raises(InputError, match="two tables named payables"):
        write_pack(workspace, [*TABLES, payables()], tmp_path / "x", first=WEDNESDAY, last=MONDAY)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert verify_report_pack(pack.folder) == []


def test_an_empty_folder_is_filled(workspace: Workspace, pack: SealedPack, tmp_path: Path) -> None:
    written = write_pack(workspace, TABLES, tmp_path, first=WEDNESDAY, last=MONDAY, headline=HEADLINE)
    assert written.is_new
    assert written.sha256 == pack.sha256
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
    assert {row["vendor_name"] for row in rows} >= {"'@SUM(A1)", "'\ttab", "right\u202eto left"}
    assert not [row for row in rows if row["vendor_name"][0] in "=@+-\t"]
    assert sum(Decimal(row["base_amount"]) for row in rows) == Decimal("95.62")
    parquet = pq.read_table(pack.folder / "parquet" / "payables.parquet")
    assert parquet.equals(payables().rows)
    with (pack.folder / "csv" / "dictionary.csv").open(newline="", encoding="utf-8") as stream:
        described = {(row["file"], row["column"]) for row in csv.DictReader(stream)}
    assert described == {(table.name, column.name) for table in TABLES for column in table.columns}
