"""The command contract: one JSON object with `--json`, exit status 0, 1 or 2, one sentence for an error."""

from __future__ import annotations

import csv
import json
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from showcost.core.money import readable_amount
from showcost.core.once import contents
from showcost.reports.pack.verification import verify_report_pack
from showcost.workspace import HOME_VARIABLE
from showcost_tests.whole import small
from showcost_tests.whole.entries import tamper
from showcost_tests.whole.steps import land_all, ledger_digest, take

if TYPE_CHECKING:
    from pathlib import Path

    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a new production whose delivery waits in the inbox."""
    workspace = small.make_home(tmp_path / "home", small.UKSPEND)
    small.fill(workspace)
    return workspace


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return the production with its week posted; nothing here changes it."""
    workspace = small.make_home(tmp_path_factory.mktemp("posted") / "home", small.UKSPEND)
    small.fill(workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(workspace.path))
        land_all(workspace)
        take(workspace, small.WEEK)
    return workspace


def test_landing_reports_deliveries_and_the_dates_they_touch(
    workspace: Workspace, showcost: CommandLine
) -> None:
    ended = showcost(workspace, "land", "--json")
    assert (ended.status, ended.err) == (0, "")
    (delivery,) = ended.json["deliveries"]
    assert (delivery["name"], delivery["received"], delivery["undated"]) == ("week.csv", 8, 1)
    assert ended.json["dates_touched"] == {
        "uk_spend": ["2026-10-28", "2026-10-29", "2026-10-30", "2026-11-01", "2026-11-02"]
    }


def test_landing_twice_lands_once(workspace: Workspace, showcost: CommandLine) -> None:
    showcost(workspace, "land", "--json")
    ended = showcost(workspace, "land", "--json")
    assert ended.status == 0
    assert ended.json["deliveries"] == []
    landed = showcost(workspace, "land")
    assert landed.out == f"No new deliveries in the inbox.\nData folder: {workspace.path}\n"


def test_a_file_in_the_inbox_that_no_feed_matches_is_named(
    workspace: Workspace, showcost: CommandLine
) -> None:
    small.deliver(workspace, "uk_spend", "letter.docx", b"PK")
    small.deliver(workspace, "somebody_else", "costs.csv", "a,b\n")
    ended = showcost(workspace, "land", "--json")
    assert ended.json["unclaimed"] == ["somebody_else/costs.csv", "uk_spend/letter.docx"]


def test_the_status_of_a_new_production_is_nothing_and_balances(
    workspace: Workspace, showcost: CommandLine
) -> None:
    ended = showcost(workspace, "status", "--json")
    assert (ended.status, ended.err) == (0, "")
    total = ended.json["total"]
    assert {total[name] for name in ("received", "posted", "quarantined", "duplicate", "pending")} == {0}
    assert ended.json["balances"] is True


def test_the_status_counts_rows_amounts_and_reasons(posted: Workspace, showcost: CommandLine) -> None:
    ended = showcost(posted, "status", "--json")
    feed = ended.json["feeds"]["uk_spend"]
    states = [feed[name] for name in ("received", "posted", "quarantined", "duplicate", "pending")]
    assert states == [8, 5, 2, 0, 1]
    assert feed["codes"] == {"SC-AMT-001": 1, "SC-DAT-001": 1, "SC-FX-001": 1}
    assert feed["amounts"]["pending"] == {"GBP": "27500.0000"}
    assert [delivery["name"] for delivery in feed["deliveries"]] == ["week.csv"]


def test_a_run_lands_and_posts_and_a_second_has_nothing_to_do(
    workspace: Workspace, showcost: CommandLine
) -> None:
    ran = showcost(workspace, "run", "--from", "2026-10-28", "--to", "2026-11-03", "--json")
    assert ran.status == 0
    (run,) = ran.json["runs"]
    assert (run["success"], run["partitions"], run["failures"]) == (True, 7, [])
    assert {check["check"] for check in run["failed_checks"]} == {"all_rows_dated", "no_rejected_rows"}
    assert showcost(workspace, "status", "--json").json["total"]["posted"] == 5

    digest = showcost(workspace, "digest", "--json")
    assert digest.json["digest"] == ledger_digest(workspace).hash
    assert digest.json["entries"] == 5

    again = showcost(workspace, "run", "--json")
    assert (again.status, again.json) == (0, {"home": str(workspace.path), "runs": [], "success": True})
    assert showcost(workspace, "run").out.startswith("No partitions are due.\n")


@pytest.mark.slow
def test_a_run_that_fails_ends_with_one(workspace: Workspace, showcost: CommandLine) -> None:
    land_all(workspace)
    take(workspace, [small.WEDNESDAY])
    tamper(workspace, "UPDATE fx_rates SET rate = rate + 0.0001 WHERE currency = 'GBP'")
    ended = showcost(workspace, "run", "--from", "2026-10-28", "--to", "2026-10-28", "--json")
    assert ended.status == 1
    (run,) = ended.json["runs"]
    assert run["success"] is False
    assert "SC-FX-003" in next(
        check["message"] for check in run["failed_checks"] if check["severity"] == "ERROR"
    )


def test_a_run_whose_check_fails_ends_with_one(workspace: Workspace, showcost: CommandLine) -> None:
    """The check blocks nothing, so all steps succeed."""
    land_all(workspace)
    take(workspace, [small.WEDNESDAY])
    tamper(workspace, "UPDATE ledger_entries SET base_amount = base_amount + 1")
    dates = ("--from", "2026-10-28", "--to", "2026-10-28")
    ended = showcost(workspace, "run", *dates, "--json")
    (run,) = ended.json["runs"]
    failed = {
        (check["asset"], check["check"]) for check in run["failed_checks"] if check["severity"] == "ERROR"
    }
    assert ("ledger_entries", "append_only") in failed
    assert (run["success"], run["failures"]) == (True, [])
    assert (ended.status, ended.json["success"]) == (1, False)


def test_the_digest_of_a_range(posted: Workspace, showcost: CommandLine) -> None:
    ended = showcost(posted, "digest", "--from", "2026-10-30", "--to", "2026-11-01", "--json")
    assert ended.status == 0
    assert ended.json["partitions"].keys() == {"2026-10-30", "2026-11-01"}
    assert ended.json["digest"] != ledger_digest(posted).hash


def test_the_books_hold_against_everything_recomputed(posted: Workspace, showcost: CommandLine) -> None:
    ended = showcost(posted, "verify", "--json")
    assert (ended.status, ended.err) == (0, "")
    assert (ended.json["verified"], ended.json["first_difference"]) == (True, None)
    assert ended.json["entries"] == 5


def test_rates_are_shown_pinned_and_checked(workspace: Workspace, showcost: CommandLine) -> None:
    assert showcost(workspace, "fx", "show", "--json").json["rates"] == []
    pinned = showcost(workspace, "fx", "pin", "--json").json
    assert len(pinned["pinned"]) == 5
    assert pinned["pending"] == ["2026-11-02", "2026-11-03"]
    assert showcost(workspace, "fx", "pin", "--json").json["kept"] == 5
    shown = showcost(workspace, "fx", "show", "--from", "2026-10-31", "--to", "2026-10-31", "--json").json[
        "rates"
    ]
    assert {rate["currency"] for rate in shown} == {"CAD", "EUR", "GBP", "USD"}
    assert {rate["published"] for rate in shown} == {"2026-10-30"}
    checked = showcost(workspace, "fx", "check", "--json")
    assert (checked.status, checked.json["passed"]) == (0, True)


def test_a_check_of_rates_that_does_not_hold_ends_with_one(
    workspace: Workspace, showcost: CommandLine
) -> None:
    showcost(workspace, "fx", "pin")
    tamper(workspace, "UPDATE fx_rates SET rate = rate + 0.0001 WHERE currency = 'GBP'")
    ended = showcost(workspace, "fx", "check", "--json")
    assert (ended.status, ended.json["passed"]) == (1, False)
    assert ended.json["checks"]["snapshots_unchanged"]["message"].startswith(
        "5 of 5 changed: ecb-2026-10-28-"
    )


def test_a_file_is_parsed_without_being_landed(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    file = small.deliver(workspace, "uk_spend", "week.csv", small.UK_DELIVERY)
    ended = showcost(workspace, "parse", str(file))
    assert ended.status == 0
    (header, *rows) = csv.reader(ended.out.splitlines())
    assert header == small.UK_HEADER.split(",")
    assert rows == list(csv.reader(small.UK_DELIVERY.splitlines()))[1:]
    parsed = showcost(workspace, "parse", str(file), "--feed", "uk_spend", "--json")
    assert (parsed.json["accepted"], parsed.json["rejected"], parsed.json["header_problem"]) == (8, 0, None)
    landing = parsed.json["landing"]
    assert (landing["received"], landing["valid"], landing["refused"]) == (8, 6, None)
    assert landing["codes"] == {"SC-AMT-001": 1, "SC-DAT-001": 1}
    assert (landing["shapes"]["invoice_date"], landing["columns"]["net_amount"]) == ("%d/%m/%Y", "Amount")
    both = showcost(workspace, "parse", str(file), "--out", str(tmp_path / "out"), "--json")
    assert [item["file"] for item in both.json["files"]] == ["week.csv"]
    assert not (workspace.path / "raw").exists()


def test_the_files_of_an_archive_are_parsed_one_by_one(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    path, out = tmp_path / "all.zip", tmp_path / "out"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sub/week.csv", small.UK_DELIVERY)
        archive.writestr("../other.csv", small.UK_DELIVERY)
        archive.writestr("__MACOSX/._week.csv", "x")
        archive.writestr("cover.pdf", b"%PDF-1.7")
    assert "3 files need --out DIR" in showcost(workspace, "parse", str(path)).err
    ended = showcost(workspace, "parse", str(path), "--feed", "uk_spend", "--out", str(out), "--json")
    names = ["all.zip/sub/week.csv", "all.zip/../other.csv", "all.zip/cover.pdf"]
    assert [(item["file"], item["accepted"]) for item in ended.json["files"]] == [
        (names[0], 8),
        (names[1], 8),
        (names[2], 0),
    ]
    assert ended.json["files"][2]["landing"]["refused"] == "SC-FIL-001"
    written = sorted(file.name for file in out.iterdir())
    outputs = ["all.zip_.._other.csv", "all.zip_cover.pdf", "all.zip_sub_week.csv"]
    assert written == sorted([*outputs, *(f"{name}.rejects.jsonl" for name in outputs)])
    rows = list(csv.reader((out / outputs[2]).read_text(encoding="utf-8").splitlines()))
    assert rows == list(csv.reader(small.UK_DELIVERY.splitlines()))


@pytest.mark.parametrize("rows", [1, 10_000])
def test_no_file_of_a_damaged_archive_is_parsed(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path, rows: int
) -> None:
    path, out = tmp_path / "all.zip", tmp_path / "out"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", f"{small.UK_HEADER}\n{'x,' * 7}\n" * rows)
        archive.writestr("b.csv", small.UK_DELIVERY)
    header = small.UK_HEADER.encode()
    path.write_bytes(path.read_bytes().replace(header, header.lower(), 1))
    ended = showcost(workspace, "parse", str(path), "--out", str(out), "--json")
    if ended.status:
        assert (ended.status, ended.sentence) == (2, "all.zip: the zip archive is damaged or encrypted")
        assert not out.exists()
    else:
        assert [(file["accepted"], file["rejected"]) for file in ended.json["files"]] == [(0, 1)]


def test_a_file_is_parsed_as_its_feed_would_take_it(
    workspace: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    file = small.deliver(workspace, "uk_spend", "week.csv", small.UK_DELIVERY)
    rejects = tmp_path / "rejects.jsonl"
    ended = showcost(workspace, "parse", str(file), "--feed", "uk_spend", "--rejects", str(rejects))
    assert ended.status == 0
    assert len(ended.out.splitlines()) == 9
    assert "6 would be posted" in ended.err
    assert "1 would be rejected: SC-AMT-001 (amount unreadable)" in ended.err
    lines = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    assert [(line["record"], line["code"]) for line in lines] == [(6, "SC-AMT-001"), (9, "SC-DAT-001")]
    payload = file.read_bytes()
    for line in lines:
        assert payload[line["start"] : line["end"]].decode().rstrip("\r\n") == line["raw"]
        assert line["reasons"][0]["observed"]
    file.write_text("Date,Amount\n28/10/2026,1.00\n", encoding="utf-8")
    refused = showcost(workspace, "parse", str(file), "--feed", "uk_spend", "--json").json
    assert refused["header_problem"].startswith("no column for ")
    assert refused["landing"]["refused"] == "SC-FIL-002"


AS_TEXT = [
    ["land"],
    ["status", "--deliveries"],
    ["digest", "--partitions"],
    ["fx", "show", "--all-currencies"],
    ["fx", "pin"],
    ["fx", "check"],
    ["--help"],
    ["--version"],
    ["run", "--help"],
]


@pytest.mark.parametrize("arguments", AS_TEXT, ids=" ".join)
def test_a_person_gets_text(arguments: list[str], posted: Workspace, showcost: CommandLine) -> None:
    ended = showcost(posted, *arguments)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.strip()
    assert not ended.out.startswith("{")


UNKNOWN = "no feed 'nobody'; there are uk_spend"
REVERSED = "--to 2026-10-28 is before --from 2026-11-01"
USAGE = {
    "land --feed nobody": UNKNOWN,
    "status --feed nobody": UNKNOWN,
    "land --feed payroll_manifest": "no feed 'payroll_manifest'; there are uk_spend",
    "run --from 2026-11-01 --to 2026-10-28": REVERSED,
    "digest --from 2026-11-01 --to 2026-10-28": REVERSED,
    "fx pin --from 2026-11-01 --to 2026-10-28": REVERSED,
    "run --from 2027-01-01 --to 2027-01-31": "no partition from 2027-01-01 to 2027-01-31: "
    "the production's dates are 2026-10-28 to 2026-11-03, and 7 of them have begun",
    "run --from 28.10.2026": "Invalid value for '--from': '28.10.2026' does not match the format '%Y-%m-%d'.",
    "digest": "{home}/ledger.duckdb: there is no ledger yet; nothing has been posted",
    "post": "No such command 'post'",
    "land --all": "No such option",
    "parse": "Missing argument 'FILES...'",
    "parse {home}/none.csv": "Invalid value for 'FILES...': File '{home}/none.csv' does not exist.",
    "parse {home}/budget.csv {home}/chart_of_accounts.csv": "2 files need --out DIR",
    "parse {home}/budget.csv {home}/budget.csv --out {home}/out": "two of the files are named budget.csv",
    "parse {home}/budget.csv --out {home}/out --rejects {home}/rejects": "--rejects is for a single file",
    "parse {home}/budget.csv --feed nobody": "no feed 'nobody'; there are ",
    "fx import {home}/budget.csv": "budget.csv: ",
    "demo --home {home}": "{home} is neither empty nor an earlier demo; choose another folder with --home",
    "demo --sample titanic": "Invalid value for '--sample': 'titanic' is not",
}
"""Wrong usage, and the beginning of its one-sentence error."""


@pytest.mark.parametrize("line", USAGE)
def test_wrong_usage_is_one_sentence_and_two(line: str, workspace: Workspace, showcost: CommandLine) -> None:
    ended = showcost(workspace, *line.format(home=workspace.path).split())
    assert ended.status == 2
    assert ended.sentence.startswith(USAGE[line].replace("{home}", str(workspace.path)))


def test_rates_cannot_be_imported_where_the_production_reads_none(
    workspace: Workspace, showcost: CommandLine
) -> None:
    settings = workspace.path / "production.yaml"
    settings.write_text(settings.read_text().replace("[file]", "[embedded]"))
    ended = showcost(workspace, "fx", "import", str(next(workspace.path.glob("rates-*.csv"))))
    assert (ended.status, ended.sentence) == (2, f"{settings}: fx.sources must list `file` to import rates")


def test_the_report_adds_up_what_status_says_is_posted(
    posted: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    ended = showcost(posted, "report", "--json", "--out", str(tmp_path / "pack"))
    assert (ended.status, ended.err) == (0, "")
    steps = ended.json["tables"]["bridge"]
    assert steps[-1] == {
        "line": "Cost to date",
        "account": "",
        "amount": ended.json["headline"]["cost_to_date"],
    }
    assert Decimal(steps[0]["amount"]) + sum(Decimal(step["amount"]) for step in steps[1:-1]) == Decimal(
        steps[-1]["amount"]
    )
    assert verify_report_pack(tmp_path / "pack") == []
    file = tmp_path / "pack" / "csv" / "entries.csv"
    assert ended.json["details"]["entries"]["file"] == str(file)
    assert len(file.read_text(encoding="utf-8").splitlines()) == ended.json["details"]["entries"]["rows"] + 1
    assert not ended.json["tables"].keys() & ended.json["details"].keys()
    seen = showcost(posted, "report", "--accounts", "--as-of", str(posted.audit.head().seq))
    assert readable_amount(Decimal(steps[0]["amount"])) in seen.out
    assert "delivered rows not posted and in no total" in seen.out


def test_a_report_is_never_written_over_other_files(
    posted: Workspace, showcost: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("keep", encoding="utf-8")
    ended = showcost(posted, "report", "--out", str(tmp_path))
    assert (ended.status, "is not empty" in ended.sentence) == (2, True)


@pytest.mark.parametrize(
    "options",
    [
        ("export", "--format", "hledger", "--out"),
        ("export", "--format", "csv", "--out"),
        ("export", "--format", "xlsx", "--out"),
        ("verify", "--pack"),
    ],
)
def test_the_same_output_again_is_done_already_and_other_content_stays(
    posted: Workspace, showcost: CommandLine, tmp_path: Path, options: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    first = showcost(posted, *options, str(out))
    assert first.status == 0, first.err
    written = contents(out)
    again = showcost(posted, *options, str(out))
    assert (again.status, again.err, contents(out)) == (0, "", written)
    changed = out / min(written) if out.is_dir() else out
    changed.write_bytes(b"mine")
    refused = showcost(posted, *options, str(out))
    assert (refused.status, "name a new" in refused.err or "choose a new" in refused.err) == (2, True)
    assert changed.read_bytes() == b"mine"


def test_a_table_of_the_report_is_shown_whole(posted: Workspace, showcost: CommandLine) -> None:
    shown = showcost(posted, "report", "--table", "trial_balance")
    assert shown.status == 0
    assert "Trial balance" in shown.out
    assert "9210" in shown.out
    assert "From posted to cost" not in shown.out
    ended = showcost(posted, "report", "--table", "profit")
    assert ended.status == 2
    assert "the report has no table 'profit'; its tables: cost_report, " in ended.sentence


@pytest.mark.parametrize("place", ["raw/report", "inbox/vendor_invoices_de/report", "audit", "."])
@pytest.mark.parametrize(
    "command", [["report"], ["export", "--format", "csv"], ["export", "--format", "hledger"]], ids=" ".join
)
def test_no_file_is_written_into_the_store(
    posted: Workspace, showcost: CommandLine, place: str, command: list[str]
) -> None:
    target = posted.path / place
    before = sorted(posted.path.rglob("*"))
    ended = showcost(posted, *command, "--out", str(target))
    assert ended.status == 2
    assert ended.sentence.startswith(f"--out {target}: this is within the store of the data folder")
    assert sorted(posted.path.rglob("*")) == before


def test_an_unexpected_error_is_one_sentence_too(
    workspace: Workspace, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("showcost.cli.status.feed_status", broken)
    ended = showcost(workspace, "status", "--json")
    assert ended.status == 1
    assert ended.sentence == "unexpected RuntimeError: first line (set SHOWCOST_DEBUG=1 for the traceback)"
