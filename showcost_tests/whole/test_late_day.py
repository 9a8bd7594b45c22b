"""A payroll day that arrives late and breaks its neighbour's turnaround, end to end."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from showcost.checks.feed import no_pay_findings
from showcost.config.feeds import choose_feed, load_feeds
from showcost.core.errors import IntegrityError
from showcost.pipeline.pay_findings import write_pay_findings
from showcost.staging.assets import valid_asset
from showcost_tests.whole import small
from showcost_tests.whole.staged import rewrite
from showcost_tests.whole.steps import land_all, ledger_digest, take

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine

FEED = "payroll_manifest"


def manifest(*rows: list[str]) -> str:
    return small.delimited([small.PAYROLL_HEADER.split(","), *rows])


def shift(day: date, call: str, wrap: str, number: str) -> list[str]:
    row = small.payroll("E-0400", day, "1210.40", "205.77")
    row[2], row[14], row[15], row[16], row[17] = f"MSP-{number}", call, "", "", wrap
    return row


def entries(workspace: Workspace) -> list[tuple[object, ...]]:
    with workspace.ledger.read() as connection:
        return connection.sql("SELECT * FROM ledger_entries ORDER BY entry_id").fetchall()


def test_late_day_flags_its_neighbours_entry_by_a_new_record(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home")
    feed = choose_feed(load_feeds("HRB"), FEED)
    small.deliver(workspace, FEED, "1 thursday.csv", manifest(shift(small.THURSDAY, "06:00", "14:00", "1")))
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    assert write_pay_findings(workspace, feed, [small.THURSDAY]).open_findings == ()
    before, valid = (
        entries(workspace),
        workspace.staging.metadata(valid_asset(FEED), small.THURSDAY.isoformat()),
    )
    digest = ledger_digest(workspace)

    small.deliver(workspace, FEED, "2 wednesday.csv", manifest(shift(small.WEDNESDAY, "13:00", "21:00", "2")))
    land_all(workspace)
    take(workspace, [small.WEDNESDAY])
    result = write_pay_findings(workspace, feed, [small.WEDNESDAY])
    (finding,) = result.open_findings
    assert (finding.code, finding.transaction_date) == ("SC-PAY-005", small.THURSDAY.isoformat())
    assert "rested 9:00 h after the work before, 10:00 h are due: invaded by 1:00 h" in finding.told
    assert finding.cause != finding.row_key

    after = entries(workspace)
    assert [entry for entry in after if entry in before] == before
    assert workspace.staging.metadata(valid_asset(FEED), small.THURSDAY.isoformat()) == valid
    assert ledger_digest(workspace) != digest
    assert len(after) == 2 * len(before)
    verdicts = no_pay_findings(workspace, small.WEEK, feed=feed)
    assert list(verdicts) == [small.THURSDAY]
    assert verdicts[small.THURSDAY].message == "1 open pay findings about 1 rows: SC-PAY-005 1"

    again = write_pay_findings(workspace, feed, small.WEEK)
    assert (again.opened, again.cleared) == (0, 0)
    assert len(workspace.pay_findings.lines()) == 1


def test_who_works_the_queue_sees_what_was_found(tmp_path: Path, showcost: CommandLine) -> None:
    workspace = small.make_home(tmp_path / "home")
    feed = choose_feed(load_feeds("HRB"), FEED)
    small.deliver(workspace, FEED, "1 thursday.csv", manifest(shift(small.THURSDAY, "06:00", "14:00", "1")))
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    small.deliver(workspace, FEED, "2 wednesday.csv", manifest(shift(small.WEDNESDAY, "13:00", "21:00", "2")))
    land_all(workspace)
    take(workspace, [small.WEDNESDAY])
    assert showcost(workspace, "status", "--json").json["feeds"][FEED]["findings"] == {}
    none = showcost(workspace, "queue", "list", "--findings")
    assert none.status == 0
    assert none.out.splitlines()[0] == "No open pay findings."
    write_pay_findings(workspace, feed, [small.WEDNESDAY])

    assert showcost(workspace, "status", "--json").json["feeds"][FEED]["findings"] == {"SC-PAY-005": 1}
    assert "1 open pay finding: 1 SC-PAY-005" in showcost(workspace, "status").out
    (listed,) = showcost(workspace, "queue", "list", "--findings", "--json").json["findings"]
    assert (listed["code"], listed["date"]) == ("SC-PAY-005", small.THURSDAY.isoformat())
    assert "invaded by 1:00 h" in listed["told"]
    text = showcost(workspace, "queue", "list", "--findings").out
    assert listed["row"][:12] in text
    assert "E-0400" not in text
    shown = showcost(workspace, "queue", "show", listed["row"][:12], "--json").json
    assert [finding["id"] for finding in shown["findings"]] == [listed["id"]]
    assert (shown["reasons"], shown["replay_would"]["outcome"]) == ([], "valid")
    elsewhere = ("--from", "2026-10-28", "--to", "2026-10-28")
    assert showcost(workspace, "queue", "list", "--findings", *elsewhere, "--json").json["findings"] == []
    wrong = showcost(workspace, "queue", "list", "--findings", "--state", "open")
    assert (wrong.status, "filtered by --feed, --code, --from and --to only" in wrong.sentence) == (2, True)
    dismiss_and_reopen(workspace, feed, showcost, listed)


def dismiss_and_reopen(
    workspace: Workspace, feed: FeedSpec, showcost: CommandLine, listed: Mapping[str, str]
) -> None:
    """Dismiss the open finding, then reopen it."""
    stated = ("--who", "R. Clerk", "--why", "agreed with the guild on the day")
    for ids, sentence in (
        ((listed["id"], "--all", "--feed", FEED), "either ids or --all"),
        ((), "give ids, or --all"),
        (("--all",), "--all needs at least one of"),
        (("ffffff",), "no such pay finding has an id that begins with ffffff"),
        (("none",), "invalid id 'none'"),
        (("--all", "--feed", FEED, "--code", "SC-PAY-001", "--yes"), "no pay finding matches"),
    ):
        refused = showcost(workspace, "queue", "dismiss", *ids, *stated)
        assert (refused.status, sentence in refused.sentence) == (2, True), refused.sentence
    nobody = showcost(workspace, "queue", "dismiss", listed["id"], "--who", " ", "--why", "x")
    assert (nobody.status, "--who must not be empty" in nobody.sentence) == (2, True)

    digest = ledger_digest(workspace)
    dismissed_now = showcost(workspace, "queue", "dismiss", listed["row"][:12], *stated)
    assert dismissed_now.out.startswith("Dismissed 1 pay finding.\n")
    assert showcost(workspace, "queue", "list", "--findings", "--json").json["findings"] == []
    assert showcost(workspace, "status", "--json").json["feeds"][FEED]["findings"] == {}
    assert write_pay_findings(workspace, feed, small.WEEK).open_findings == ()
    assert no_pay_findings(workspace, small.WEEK, feed=feed) == {}
    (line,) = showcost(workspace, "queue", "list", "--dismissed", "--json").json["dismissed"]
    assert (line["id"], line["who"], line["why"]) == (listed["id"], stated[1], stated[3])
    assert "R. Clerk" in showcost(workspace, "queue", "list", "--dismissed").out
    assert ledger_digest(workspace) == digest

    again = showcost(workspace, "queue", "dismiss", "--reopen", "--all", "--feed", FEED, "--yes", *stated)
    assert again.out.startswith("Reopened 1 pay finding.\n")
    assert showcost(workspace, "queue", "list", "--findings", "--json").json["findings"] == [listed]
    dismissed = showcost(workspace, "queue", "list", "--dismissed")
    assert dismissed.out.startswith("No dismissed pay findings.\n")


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(small.WEEK, id="forwards"),
        pytest.param(small.WEEK[::-1], id="backwards", marks=pytest.mark.slow),
    ],
)
def test_staging_that_is_deleted_takes_no_finding_and_no_dismissal_with_it(
    tmp_path: Path, days: list[date]
) -> None:
    workspace = small.make_home(tmp_path / "home")
    feed = choose_feed(load_feeds("HRB"), FEED)
    for employee in ("E-0400", "E-0401"):
        rows = shift(small.WEDNESDAY, "13:00", "21:00", "1"), shift(small.THURSDAY, "06:00", "14:00", "2")
        for row in rows:
            row[2], row[3] = f"{row[2]}-{employee}", employee
        small.deliver(workspace, FEED, f"{employee}.csv", manifest(*rows))
    land_all(workspace)
    take(workspace, small.WEEK)
    log = workspace.pay_findings
    answered, waiting = write_pay_findings(workspace, feed, small.WEEK).open_findings
    log.dismiss([answered.finding_id], who="R. Clerk", why="agreed", now=datetime.now(UTC))
    recorded = log.lines()

    shutil.rmtree(workspace.path / "staging")
    assert (log.current(), log.lines()) == ([waiting], recorded)
    land_all(workspace)
    for day in days:
        take(workspace, [day])
        result = write_pay_findings(workspace, feed, [day])
        assert (result.opened, result.cleared) == (0, 0)
        assert result.open_findings == (waiting,)
        assert [line.finding for line in result.dismissed] == [answered]
    assert log.lines() == recorded
    assert result.missing is None


def test_partition_of_another_version_is_named(tmp_path: Path) -> None:
    workspace = small.make_home(tmp_path / "home")
    feed = choose_feed(load_feeds("HRB"), FEED)
    small.deliver(workspace, FEED, "1.csv", manifest(shift(small.THURSDAY, "06:00", "14:00", "1")))
    land_all(workspace)
    take(workspace, [small.THURSDAY])
    key = small.THURSDAY.isoformat()
    rewrite(workspace, FEED, valid_asset(FEED), key, lambda rows: rows.drop(["pay_rules"]))
    with pytest.raises(IntegrityError, match=f"{key} was validated by another version"):
        write_pay_findings(workspace, feed, [small.THURSDAY])
