"""`queue`, `period` and `trace` as a person calls them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from showcost_tests.reconciliation.acts import DE, entry_of, queue_row
from showcost_tests.whole import small
from showcost_tests.whole.steps import ledger_digest

if TYPE_CHECKING:
    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine
    from showcost_tests.whole.conftest import Copy

BY = ("--who", "an accountant", "--why", "as the vendor confirmed")


@pytest.fixture
def workspace(posted_home: Workspace, copy: Copy) -> Workspace:
    return copy(posted_home)


def test_the_list_is_narrowed_by_code_feed_date_and_vendor(
    posted_home: Workspace, showcost: CommandLine
) -> None:
    whole = showcost(posted_home, "queue", "list", "--json").json
    by_code = showcost(posted_home, "queue", "list", "--code", "SC-AMT-001", "--json").json["rows"]
    assert [(row["document"], row["state"], row["feed"]) for row in by_code] == [("R3", "open", DE)]
    assert sum(count["rows"] for count in whole["counts"] if count["code"] == "SC-AMT-001") == 1
    dated = showcost(
        posted_home, "queue", "list", "--from", "2026-10-30", "--to", "2026-10-30", "--json"
    ).json
    assert {row["date"] for row in dated["rows"]} == {"2026-10-30"}
    drewitz = showcost(posted_home, "queue", "list", "--vendor", "drewitz", "--json").json["rows"]
    assert {row["feed"] for row in drewitz} == {DE}
    text = showcost(posted_home, "queue", "list", "--feed", DE).out
    assert queue_row(posted_home, "R3").row_id[:12] in text
    wrong = showcost(posted_home, "queue", "list", "--code", "SC-XXX-001")
    assert (wrong.status, "unknown reason code SC-XXX-001" in wrong.sentence) == (2, True)


def test_no_list_shows_raw_text_or_personal_data(posted_home: Workspace, showcost: CommandLine) -> None:
    out = showcost(posted_home, "queue", "list", "--json").out + showcost(posted_home, "queue", "list").out
    assert "E-0401" not in out
    assert "Objektschutz" not in out


def test_a_row_is_shown_and_resolved(workspace: Workspace, showcost: CommandLine) -> None:
    row = queue_row(workspace, "R3").row_id
    shown = showcost(workspace, "queue", "show", row[:8], "--json").json
    assert "12O,00" in shown["raw"]
    assert [reason["code"] for reason in shown["reasons"]] == ["SC-AMT-001"]
    text = showcost(workspace, "queue", "show", row[:8]).out
    assert "SC-AMT-001" in text
    assert "A replay would post nothing: quarantined, SC-AMT-001." in text
    decide = ("queue", "resolve", row[:8], "--set", "net_amount=120.00", *BY)
    assert showcost(workspace, *decide, "--no-replay", "--json").json["replay"] is None
    would = showcost(workspace, "queue", "show", row[:8], "--json").json["replay_would"]
    assert (would["outcome"], [entry["component"] for entry in would["entries"]]) == ("valid", ["net", "tax"])
    ended = showcost(workspace, "queue", "resolve", row[:8], "--set", "net_amount=120.00", *BY, "--json")
    assert ended.json["replay"]["rows"][0]["outcome"] == "valid"
    assert ended.json["replay"]["appended_entries"] == 2
    listed = showcost(workspace, "queue", "list", "--state", "released", "--json").json["rows"]
    assert [listed_row["id"] for listed_row in listed] == [row]
    again = showcost(workspace, "queue", "replay", row[:8], "--json").json
    assert again["appended_entries"] == 0
    assert "12O,00" not in (workspace.path / "audit" / "log.jsonl").read_text()
    assert "120.00" not in (workspace.path / "audit" / "log.jsonl").read_text()


def test_all_rows_of_a_code_are_resolved_at_once(workspace: Workspace, showcost: CommandLine) -> None:
    arguments = ("queue", "resolve", "--all", "--code", "SC-DUP-001", "--discard", *BY)
    ended = showcost(workspace, *arguments, "--yes", "--json")
    assert (ended.status, len(ended.json["rows"])) == (0, 1)
    nothing = showcost(workspace, "queue", "resolve", "--all", "--discard", *BY)
    assert (nothing.status, "--all needs" in nothing.sentence) == (2, True)


def test_wrong_usage_is_one_sentence(workspace: Workspace, showcost: CommandLine) -> None:
    row = queue_row(workspace, "R3").row_id
    for arguments, sentence in (
        (("resolve", row, *BY), "give exactly one of --set"),
        (("resolve", row, "--discard", "--accept", *BY), "give exactly one of --set"),
        (("resolve", "--discard", *BY), "give ids, or --all"),
        (("resolve", row, "--set", "net_amount", *BY), "--set expects FIELD=TEXT"),
        (("resolve", row, "--discard", "--who", "", "--why", "x"), "--who must not be empty"),
        (("resolve", row, "--reverse", *BY), "discard it instead"),
        (("resolve", "ffffff", "--discard", *BY), "no row or entry has an id"),
        (("show", "abc"), "use at least 6 hex digits"),
    ):
        ended = showcost(workspace, "queue", *arguments)
        assert (ended.status, sentence in ended.sentence) == (2, True), ended.sentence


def test_an_entry_is_reversed_and_traced(workspace: Workspace, showcost: CommandLine) -> None:
    entry = entry_of(workspace, "R5").active_entries[0]["entry_id"]
    ended = showcost(workspace, "queue", "resolve", entry[:10], "--reverse", *BY, "--json")
    assert ended.status == 0
    traced = showcost(workspace, "trace", entry[:10], "--json").json
    assert traced["delivery"]["name"] == "1 week.csv"
    assert traced["raw"].startswith("HRB;V-DE-010")
    assert sorted((entry["entry_kind"], entry["component"]) for entry in traced["entries"]) == [
        ("posting", "net"),
        ("posting", "tax"),
        ("reversal", "net"),
        ("reversal", "tax"),
    ]
    assert [decision["decision"] for decision in traced["decisions"]] == ["withdraw"]
    assert traced["snapshots"][0]["snapshot_id"] == traced["entries"][0]["snapshot_id"]
    kinds = {record["kind"] for record in traced["audit_records"]}
    assert {"delivery_received", "records_read", "validated", "fx_pinned", "intent", "committed"} <= kinds
    assert {"decided", "replayed"} <= kinds
    assert {"SC-AMT-001", "SC-FX-001"} <= {rule["code"] for rule in traced["rules"]}
    text = showcost(workspace, "trace", entry[:10]).out
    assert "reversal 1" in text


def test_a_period_is_closed_listed_and_reopened(workspace: Workspace, showcost: CommandLine) -> None:
    dates = ("--from", "2026-10-28", "--to", "2026-10-29")
    assert showcost(workspace, "period", "close", "W44", *dates, *BY, "--json").json["name"] == "W44"
    assert [period["name"] for period in showcost(workspace, "period", "list", "--json").json["closed"]] == [
        "W44"
    ]
    again = showcost(workspace, "period", "close", "W44", *dates, *BY)
    assert (again.status, "W44 was closed already" in again.out) == (0, True)
    other = showcost(workspace, "period", "close", "W44", *dates, "--who", "another", "--why", "it is time")
    assert (other.status, "closed already by an accountant (audit record" in other.sentence) == (2, True)
    entry = entry_of(workspace, "R1").active_entries[0]["entry_id"]
    refused = showcost(workspace, "queue", "resolve", entry, "--reverse", *BY)
    assert (refused.status, "reopen the period first" in refused.sentence) == (2, True)
    assert showcost(workspace, "period", "reopen", "W44", *BY).status == 0
    assert showcost(workspace, "period", "list").out.startswith("No periods are closed.\n")


def test_queue_status_and_digest_as_of_a_past_record_are_unchanged(
    workspace: Workspace, showcost: CommandLine
) -> None:
    calls = (("queue", "list"), ("status",), ("digest",))
    before = [showcost(workspace, *call, "--json").json for call in calls]
    seq = str(workspace.audit.head().seq)
    assert before[2]["digest"] == ledger_digest(workspace).hash
    showcost(
        workspace, "queue", "resolve", queue_row(workspace, "R3").row_id, "--set", "net_amount=120.00", *BY
    )
    entry = entry_of(workspace, "R5").active_entries[0]["entry_id"]
    showcost(workspace, "queue", "resolve", entry, "--reverse", *BY)
    small.know_rates(workspace, until=small.MONDAY)
    now = [showcost(workspace, *call, "--json").json for call in calls]
    assert all(facts != other for facts, other in zip(before, now, strict=True))
    then = [showcost(workspace, *call, "--as-of", seq, "--json").json for call in calls]
    for facts, other in zip(before, then, strict=True):
        for state in other.get("feeds", {}).values() if isinstance(other.get("feeds"), dict) else ():
            # Unchecked pay rules are known of the present rows only.
            assert state.pop("pay_rules_not_checked") is None
        for state in facts.get("feeds", {}).values() if isinstance(facts.get("feeds"), dict) else ():
            state.pop("pay_rules_not_checked")
        assert facts | {"as_of": None} == other | {"as_of": None}
    late = showcost(workspace, "digest", "--as-of", "2099-01-01T00:00:00+00:00")
    assert (late.status, "is in the future" in late.sentence) == (2, True)


def test_row_periods_and_rates_as_of_a_past_record_are_unchanged(
    workspace: Workspace, showcost: CommandLine
) -> None:
    entry, row = entry_of(workspace, "R5").active_entries[0]["entry_id"], queue_row(workspace, "R3").row_id
    calls = (("trace", entry), ("period", "list"), ("fx", "show"))
    before = [showcost(workspace, *call, "--json").json for call in calls]
    shown = showcost(workspace, "queue", "show", row, "--json").json
    seq = str(workspace.audit.head().seq)
    showcost(workspace, "queue", "resolve", row, "--set", "net_amount=120.00", *BY)
    showcost(workspace, "queue", "resolve", entry, "--reverse", *BY)
    showcost(workspace, "period", "close", "W44", "--from", "2026-10-28", "--to", "2026-10-29", *BY)
    small.know_rates(workspace, until=small.MONDAY)
    showcost(workspace, "fx", "pin")
    now = [showcost(workspace, *call, "--json").json for call in calls]
    assert all(facts != other for facts, other in zip(before, now, strict=True))
    then = [showcost(workspace, *call, "--as-of", seq, "--json").json for call in calls]
    assert then == [facts | {"as_of": int(seq)} for facts in before]

    past = showcost(workspace, "queue", "show", row, "--as-of", seq, "--json").json
    assert (past["codes"], past["decisions"], past["entries"]) == (["SC-AMT-001"], [], [])
    assert [reason["code"] for reason in past["reasons"]] == [reason["code"] for reason in shown["reasons"]]
    of_today = {"reasons", "as_of", "replay_would"}
    assert {name: past[name] for name in past.keys() - of_today} == {
        name: shown[name] for name in shown.keys() - of_today
    }
    assert "SC-AMT-001" in showcost(workspace, "queue", "show", row, "--as-of", seq).out
    early = showcost(workspace, "trace", entry, "--as-of", "1")
    assert (early.status, "after audit record 1" in early.sentence) == (2, True)


def test_a_time_without_offset_is_refused_with_a_proposal(
    workspace: Workspace, showcost: CommandLine
) -> None:
    for text in ("2026-01-01", "2026-01-01T10:30"):
        sentence = showcost(workspace, "digest", "--as-of", text).sentence
        proposed = sentence.rpartition("such as ")[2]
        assert sentence.startswith(f"the time {text} needs its offset")
        assert showcost(workspace, "digest", "--as-of", proposed).status == 0


def test_a_tax_id_is_never_shown(workspace: Workspace, showcost: CommandLine) -> None:
    row = queue_row(workspace, "R3").row_id
    (feed,) = (feed for feed in workspace.feeds if feed.name == DE)
    delivered = showcost(workspace, "queue", "show", row[:8], "--json").json
    tax_id = "DE999000105"
    assert tax_id in (next(workspace.inbox.joinpath(feed.inbox_folder).glob("1 week*"))).read_text("utf-8")
    assert tax_id not in str(delivered)
    assert "12O,00;" in delivered["raw"]
    assert ";***;" in delivered["raw"]
    showcost(workspace, "queue", "resolve", row[:8], "--set", "vendor_tax_id=DE136695976", *BY)
    for command in (("queue", "show"), ("trace",)):
        for form in ((), ("--json",)):
            out = showcost(workspace, *command, row[:8], *form).out
            assert tax_id not in out
            assert "DE136695976" not in out
    assert "vendor_tax_id=***" in showcost(workspace, "queue", "show", row[:8]).out


def test_no_to_a_question_changes_nothing(
    workspace: Workspace, showcost: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = workspace.audit.head()
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        ended = showcost(workspace, "queue", "resolve", "--all", "--code", "SC-AMT-001", "--discard", *BY)
        assert (ended.status, ended.out) == (1, "")
        assert ended.err.endswith("showcost: nothing was changed\n")
    assert workspace.audit.head() == head
