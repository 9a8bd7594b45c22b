"""The guild pack: every row with its checks, the same bytes for the same rows, and no names of persons."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import openpyxl
import pytest
from click.testing import CliRunner

from showcost.cli.main import cli
from showcost.config.feeds import choose_feed, load_feeds
from showcost.core.durable import write_durably
from showcost.core.errors import InputError
from showcost.core.hashing import sha256_file
from showcost.pipeline.pay_findings import REACH, write_pay_findings
from showcost.reports import guild_pack
from showcost.reports.guild_pack import GuildPack, write_guild_pack
from showcost.workspace import HOME_VARIABLE
from showcost_tests.whole import small
from showcost_tests.whole.steps import land_all, take
from showcost_tests.whole.test_late_day import manifest, shift

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace

AGREEMENT = "Toronto technicians"
FEED = "payroll_manifest"


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a production with a manifest of two days, with too early a call on the second day."""
    workspace = small.make_home(tmp_path_factory.mktemp("paid") / "home")
    rows = (shift(small.WEDNESDAY, "13:00", "21:00", "1"), shift(small.THURSDAY, "06:00", "14:00", "2"))
    small.deliver(workspace, FEED, "1.csv", manifest(*rows))
    land_all(workspace)
    take(workspace, [small.WEDNESDAY, small.THURSDAY])
    return workspace


def pack(workspace: Workspace, out: Path) -> GuildPack:
    return write_guild_pack(workspace, AGREEMENT, small.WEDNESDAY, small.TUESDAY, out)


def test_production_without_a_payroll_feed_is_told_so(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home", small.UKSPEND)
    with pytest.raises(
        InputError, match="production UKSPEND has no payroll feed, so there is no pay to show"
    ):
        write_guild_pack(workspace, "Pact/Bectu TV drama", small.WEDNESDAY, small.TUESDAY, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_pack_has_every_row_with_its_checks(paid: Workspace, tmp_path: Path) -> None:
    result = pack(paid, tmp_path)
    assert result.rows == 2
    assert result.findings == 1
    with (tmp_path / "applied.csv").open(newline="", encoding="utf-8") as stream:
        checks = list(csv.DictReader(stream))
    of_rules = {(check["check"], check["result"]) for check in checks if "(" in check["rules"]}
    assert of_rules == {("SC-PAY-004", "holds"), ("SC-PAY-005", "fails")}
    (call, *_) = (check for check in checks if check["check"] == "SC-PAY-004")
    assert call["rules"].endswith("call: terms, call (H)")
    assert call["told"] == "paid 13.5 h, required at least 8 h"
    book = openpyxl.load_workbook(tmp_path / "guild_pack.xlsx")
    assert book.sheetnames == ["about", "rows", "rules", "applied", "findings"]
    assert book["rows"].max_row == 3
    manifest_ = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest_["rules"].startswith(f"{AGREEMENT} 2026.1@")
    assert all(sha256_file(tmp_path / name) == digest for name, digest in manifest_["sha256"].items())


def test_a_pack_that_was_killed_half_way_is_completed_by_the_same_command(
    paid: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = pack(paid, tmp_path / "clean")
    written: list[str] = []

    def dying(path: Path, data: bytes) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path.name)
        write_durably(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(guild_pack, "write_durably", dying)
        with pytest.raises(KeyboardInterrupt):
            pack(paid, tmp_path / "killed")
    assert not (tmp_path / "killed" / "manifest.json").exists(), "the manifest is the last file"
    for _ in range(2):
        assert pack(paid, tmp_path / "killed").sha256 == clean.sha256
    assert {path.name: sha256_file(path) for path in (tmp_path / "killed").iterdir()} == {
        path.name: sha256_file(path) for path in (tmp_path / "clean").iterdir()
    }


def test_the_same_rows_give_the_same_bytes_and_no_pseudonym(paid: Workspace, tmp_path: Path) -> None:
    for name in ("one", "other"):
        pack(paid, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
        assert b"E-0400" not in path.read_bytes()


def test_pack_says_who_dismissed_a_finding(paid: Workspace, tmp_path: Path) -> None:
    feed = choose_feed(load_feeds("HRB"), FEED)
    (finding,) = write_pay_findings(paid, feed, [small.THURSDAY]).open_findings
    answer = {"who": "R. Clerk", "why": "SSN 078-05-1120 agreed to it"}
    for dismissed in (False, True):
        if dismissed:
            paid.pay_findings.dismiss([finding.finding_id], **answer, now=datetime.now(UTC))
        out = tmp_path / str(dismissed)
        pack(paid, out)
        with (out / "findings.csv").open(newline="", encoding="utf-8") as stream:
            (line,) = csv.DictReader(stream)
        assert line["told"] == finding.told
        assert line["dismissed_by"] == ("R. Clerk" if dismissed else "")
        assert bool(line["dismissed_at"]) == dismissed
        assert "agreed to it" in line["dismissed_why"] or not dismissed
        assert "078-05-1120" not in line["dismissed_why"]


def test_command_writes_the_pack(paid: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(paid.path))
    arguments = ["guild-pack", "--agreement", AGREEMENT, "--from", "2026-10-28", "--to", "2026-10-28"]
    result = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "pack"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["rows"] == 1
    assert (tmp_path / "pack" / "guild_pack.xlsx").is_file()


def test_agreement_that_is_not_known_is_refused(paid: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no agreement 'Directors'"):
        write_guild_pack(paid, "Directors", small.WEDNESDAY, small.TUESDAY, tmp_path)


def test_pack_is_refused_while_a_day_is_missing_from_staging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = small.make_home(tmp_path / "home")
    rows = (shift(small.WEDNESDAY, "13:00", "21:00", "1"), shift(small.THURSDAY, "06:00", "14:00", "2"))
    small.deliver(workspace, FEED, "1.csv", manifest(*rows))
    land_all(workspace)
    take(workspace, [small.WEDNESDAY, small.THURSDAY])
    complete = pack(workspace, tmp_path / "whole")

    shutil.rmtree(workspace.path / "staging")
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    monkeypatch.setenv(HOME_VARIABLE, str(workspace.path))
    arguments = ["guild-pack", "--agreement", AGREEMENT, "--from", "2026-10-29", "--to", "2026-10-29"]
    with pytest.raises(InputError) as refused:
        CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "half")], catch_exceptions=False)
    assert str(refused.value) == (
        "payroll_manifest: the valid rows of 2026-10-28 are missing from staging; make them again with"
        " `showcost run --from 2026-10-28 --to 2026-10-28`"
    )
    assert not (tmp_path / "half").exists()

    take(workspace, [small.WEDNESDAY])
    assert pack(workspace, tmp_path / "again").sha256 == complete.sha256


def test_missing_day_beyond_the_neighbours_of_the_period_is_no_obstacle(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home")
    days = (small.WEDNESDAY, small.WEDNESDAY + REACH + timedelta(days=1))
    rows = [shift(day, "07:00", "15:00", str(number)) for number, day in enumerate(days)]
    small.deliver(workspace, FEED, "1.csv", manifest(*rows))
    land_all(workspace)
    for day in days:
        take(workspace, [day])
    shutil.rmtree(workspace.path / "staging" / "valid" / FEED)
    take(workspace, [small.WEDNESDAY])
    result = write_guild_pack(workspace, AGREEMENT, small.WEDNESDAY, small.WEDNESDAY, tmp_path / "pack")
    assert result.rows == 1
