"""Purchase orders, estimates and budget revisions: from a delivered file to plan lines, never to entries."""

from __future__ import annotations

import runpy
import shutil
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pytest

from showcost.audit.transitions import AuditKind
from showcost.checks.feed import amounts_balance
from showcost.checks.verify import verify
from showcost.core.errors import InputError
from showcost.ledger import plan_lines
from showcost.ledger.audit_pack import write_pack
from showcost.ledger.periods import Period
from showcost.ledger.plan import plan_lines_as_of
from showcost.ledger.recovery import writing
from showcost.pipeline.due import due_by_landing
from showcost.pipeline.periods import close_period
from showcost.pipeline.posting import recorded_days
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import find_rows
from showcost.reconciliation.queue import RowState
from showcost.reports.trace import trace_row
from showcost.workspace import open_workspace
from showcost_tests.reconciliation.acts import (
    WHO,
    WHY,
    all_rows,
    correct_and_replay,
    feed_of,
    found_row,
    queue_row,
    replay_decision,
)
from showcost_tests.sample.truth import REPOSITORY
from showcost_tests.whole import small
from showcost_tests.whole.small import FRIDAY, MONDAY, THURSDAY, TUESDAY, WEDNESDAY, WEEK, delimited, deliver
from showcost_tests.whole.steps import counts, land_all, ledger_digest, take

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from showcost.reconciliation.lookup import FoundRow
    from showcost.workspace import Workspace
    from showcost_tests.command_line import CommandLine

ORDERS, ESTIMATES, REVISIONS = "purchase_orders", "estimates", "budget_revisions"

ORDERS_HEADER: Final = (
    "Show,PO No.,Line,Vendor ID,Vendor,Changed On,Start,Finish,Account,Episode,Unit,Set,Description,"
    "Currency,Ordered,Closed"
)
ESTIMATES_HEADER: Final = "Show,Estimated On,Account,Episode,Unit,Currency,To Complete,Estimated By,Reason"
REVISIONS_HEADER: Final = "Show,Revision,Approved On,Account,Episode,Unit,Currency,Change,Approved By,Reason"


def order(number: str, line: str, day: date, amount: str, **other: str) -> list[str]:
    """Return a line of a purchase order with a German vendor."""
    return [
        *("HRB", number, line, "V-DE-010", "Wachschutz Drewitz GmbH", day.isoformat()),
        *("2026-10-28", "2026-11-03", other.get("account", "3630"), "101", "BBG", "", "Objektschutz"),
        *(other.get("currency", "EUR"), amount, other.get("closed", "no")),
    ]


def estimate(
    account: str, day: date, amount: str, by: str = "A. Bell", reason: str = "cost meeting"
) -> list[str]:
    return ["HRB", day.isoformat(), account, "", "", "", amount, by, reason]


def revision(number: str, account: str, day: date, change: str) -> list[str]:
    return ["HRB", number, day.isoformat(), account, "", "", "", change, "K. Osei", "stage moved"]


def orders_file(*rows: list[str]) -> str:
    return delimited([ORDERS_HEADER.split(","), *rows])


def estimates_file(*rows: list[str]) -> str:
    return delimited([ESTIMATES_HEADER.split(","), *rows])


def revisions_file(*rows: list[str]) -> str:
    return delimited([REVISIONS_HEADER.split(","), *rows])


FIRST: Final = (
    order("PO-1", "1", WEDNESDAY, "1000.00"),
    order("PO-1", "2", WEDNESDAY, "250.50", closed="Open"),
    order("PO-2", "", THURSDAY, "90.00", currency="GBP", closed="closed"),
    order("PO-3", "1", MONDAY, "70.00"),  # its rate is not published yet, and is not needed
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a small production with plans, after one run over its week."""
    workspace = small.make_home(tmp_path_factory.mktemp("plans") / "home")
    deliver(workspace, ORDERS, "1 orders.csv", orders_file(*FIRST))
    deliver(
        workspace,
        ESTIMATES,
        "1 estimates.csv",
        estimates_file(
            estimate("3630", WEDNESDAY, "5000"),
            estimate("2330", TUESDAY, "-120.25"),
            estimate("9110", FRIDAY, "10"),  # a balance account
            estimate("2320", FRIDAY, "10", by=""),
            estimate("2320", FRIDAY, "10", reason=" "),
        ),
    )
    deliver(
        workspace,
        REVISIONS,
        "1 revisions.csv",
        revisions_file(
            revision("1", "2330", FRIDAY, "(10,000.00)"), revision("1", "3630", FRIDAY, "10,000.00")
        ),
    )
    land_all(workspace)
    take(workspace, WEEK)
    return workspace


def lines(workspace: Workspace, as_of: int | None = None) -> list[dict[str, Any]]:
    with workspace.ledger.read() as connection:
        query = f"FROM {plan_lines_as_of(as_of)} ORDER BY feed, stated_on, po_no, line_no, account"
        rows: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
    return rows


def line_of(workspace: Workspace, number: str, line_no: str) -> dict[str, Any]:
    (line,) = [line for line in lines(workspace) if (line["po_no"], line["line_no"]) == (number, line_no)]
    return line


def row_of(workspace: Workspace, line: dict[str, Any]) -> FoundRow:
    (row,) = find_rows(workspace, [line["line_id"]])
    return row


def test_valid_rows_become_plan_lines_and_nothing_else(planned: Workspace) -> None:
    recorded = {
        (line["feed"], line["po_no"], line["line_no"], line["account"], line["amount"], line["is_closed"])
        for line in lines(planned)
    }
    assert recorded == {
        (ORDERS, "PO-1", "1", "3630", Decimal(1000), False),
        (ORDERS, "PO-1", "2", "3630", Decimal("250.5"), False),
        (ORDERS, "PO-2", None, "3630", Decimal(90), True),
        (ORDERS, "PO-3", "1", "3630", Decimal(70), False),
        (ESTIMATES, None, None, "3630", Decimal(5000), None),
        (ESTIMATES, None, None, "2330", Decimal("-120.25"), None),
        (REVISIONS, None, None, "2330", Decimal(-10000), None),
        (REVISIONS, None, None, "3630", Decimal(10000), None),
    }
    with planned.ledger.read() as connection:
        assert connection.execute("SELECT count(*) FROM ledger_entries").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM batches").fetchall() == [(0,)]
    first = lines(planned)[0]
    assert (first["stated_by"], first["reason"]) == ("K. Osei", "stage moved")
    assert {line["currency"] for line in lines(planned)} == {"EUR", "GBP", "USD"}


def test_every_row_is_in_one_state_and_everything_verifies(planned: Workspace) -> None:
    assert counts(planned) == {
        "received": 11,
        "posted": 8,
        "quarantined": 3,
        "duplicate": 0,
        "pending": 0,
        "discarded": 0,
    }
    assert verify(planned).first is None
    outcomes = amounts_balance(planned, WEEK, feed=feed_of(ORDERS))
    assert [outcome.passed for outcome in outcomes.values()] == [True, True, True]
    day = recorded_days(planned, feed_of(ORDERS), WEEK, {})[WEDNESDAY]
    assert (day.lines, day.withdrawn, day.totals) == (2, 0, (("EUR", 2, Decimal("1250.50")),))
    for name in (ORDERS, ESTIMATES, REVISIONS):
        assert due_by_landing(planned, feed_of(name)).dates == {}


def test_who_and_why_and_a_cost_account_are_required(planned: Workspace) -> None:
    codes = sorted(row.codes for row in all_rows(planned, ESTIMATES))
    assert codes == [("SC-COA-003",), ("SC-ROW-002",), ("SC-ROW-002",)]


def test_recording_again_records_nothing(planned: Workspace) -> None:
    before = planned.audit.head().seq
    take(planned, WEEK)
    kinds = [record.kind for record in planned.audit.records(before + 1)]
    assert AuditKind.PLANNED not in kinds
    assert len(lines(planned)) == 8


@pytest.fixture
def workspace(planned: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(planned.path, tmp_path / "copy")
    return open_workspace(tmp_path / "copy")


def test_a_later_list_repeats_lines_changes_one_and_contradicts_one(workspace: Workspace) -> None:
    before = workspace.audit.head().seq
    deliver(
        workspace,
        ORDERS,
        "2 orders.csv",
        orders_file(
            FIRST[0],
            order("PO-1", "2", FRIDAY, "300.00"),  # changed, and dated so
            order("PO-2", "", THURSDAY, "95.00", currency="GBP", closed="closed"),  # changed without a date
            order("PO-4", "1", FRIDAY, "1.00", closed="maybe"),
        ),
    )
    land_all(workspace)
    take(workspace, WEEK)
    states = sorted((row.document, row.state.value, row.codes) for row in all_rows(workspace, ORDERS))
    assert states == [
        ("PO-1", "duplicate", ("SC-DUP-001",)),
        ("PO-2", "open", ("SC-DUP-002",)),
        ("PO-4", "open", ("SC-PO-002",)),
    ]
    assert len([line for line in lines(workspace) if line["po_no"] == "PO-1"]) == 3
    assert lines(workspace, before) == [line for line in lines(workspace) if line["seq"] <= before]
    assert verify(workspace).first is None
    conflict = found_row(workspace, queue_row(workspace, "PO-2", feed=ORDERS))
    replay_decision(workspace, deciding.rebook(workspace, [conflict], who=WHO, why=WHY))
    assert [line["amount"] for line in lines(workspace) if line["po_no"] == "PO-2"] == [Decimal(95)]
    assert verify(workspace).first is None


def test_a_person_withdraws_a_line_and_undoes_it(workspace: Workspace) -> None:
    line = line_of(workspace, "PO-1", "1")
    row = row_of(workspace, line)
    with pytest.raises(InputError, match="is posted; reverse it instead"):
        deciding.discard(workspace, [row], who=WHO, why=WHY)
    before = workspace.audit.head().seq
    replay_decision(workspace, deciding.reverse(workspace, [row], who=WHO, why=WHY))
    assert [left["line_no"] for left in lines(workspace) if left["po_no"] == "PO-1"] == ["2"]
    assert line in lines(workspace, before)
    (queued,) = all_rows(workspace, ORDERS)
    assert queued.state is RowState.WITHDRAWN
    take(workspace, WEEK)
    assert verify(workspace).first is None
    assert counts(workspace)["discarded"] == 1
    (row,) = find_rows(workspace, [row.row_id])
    again = replay_decision(workspace, deciding.undo(workspace, [row], who=WHO, why=WHY))
    assert again.appended == 1
    assert line_of(workspace, "PO-1", "1")["generation"] == 2
    assert verify(workspace).first is None


def test_a_corrected_line_replaces_the_recorded_one_on_another_date(workspace: Workspace) -> None:
    row = row_of(workspace, line_of(workspace, "PO-1", "2"))
    correct_and_replay(workspace, row, amount="275.00", stated_on="2026-10-29")
    line = line_of(workspace, "PO-1", "2")
    assert (line["amount"], line["stated_on"]) == (Decimal(275), THURSDAY)
    (found,) = [found_row(workspace, queued) for queued in all_rows(workspace, ORDERS)]
    assert [entry["entry_kind"] for entry in found.entries] == ["posting", "reversal", "posting"]
    take(workspace, WEEK)
    assert verify(workspace).first is None
    assert len(lines(workspace)) == 8


def test_a_rejected_row_is_corrected_in_the_queue(workspace: Workspace) -> None:
    (rejected,) = [row for row in all_rows(workspace, ESTIMATES) if row.codes == ("SC-COA-003",)]
    correct_and_replay(workspace, found_row(workspace, rejected), account="2310")
    assert [line["amount"] for line in lines(workspace) if line["account"] == "2310"] == [Decimal(10)]
    assert verify(workspace).first is None


def test_a_line_in_a_closed_period_is_rejected_and_may_not_be_withdrawn(workspace: Workspace) -> None:
    close_period(workspace, workspace.feeds, Period("W1", WEDNESDAY, THURSDAY, closed=True), who=WHO, why=WHY)
    deliver(workspace, ESTIMATES, "2.csv", estimates_file(estimate("3630", THURSDAY, "1")))
    land_all(workspace)
    take(workspace, WEEK)
    assert queue_row(workspace, "3630", feed=ESTIMATES).codes == ("SC-PER-001",)
    with pytest.raises(InputError, match="reopen the period"):
        deciding.reverse(workspace, [row_of(workspace, line_of(workspace, "PO-1", "1"))], who=WHO, why=WHY)


@pytest.mark.slow
def test_plans_change_neither_digest_nor_entries(workspace: Workspace) -> None:
    small.fill(workspace)
    land_all(workspace)
    take(workspace, WEEK)
    other = small.make_home(workspace.path.parent / "without")
    small.fill(other)
    land_all(other)
    take(other, WEEK)
    assert ledger_digest(workspace) == ledger_digest(other)


def test_a_recorded_line_that_was_not_written_is_written_by_the_next_write(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise RuntimeError("died")

    deliver(workspace, ESTIMATES, "2.csv", estimates_file(estimate("2310", FRIDAY, "7")))
    land_all(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(plan_lines, "PLAN_LINES", replace(plan_lines.PLAN_LINES, write=die))
        with pytest.raises(RuntimeError, match="died"):
            take(workspace, WEEK)
    reopened = open_workspace(workspace.path)
    assert [line for line in lines(reopened) if line["account"] == "2310"] == []
    with writing(reopened.ledger):
        pass
    assert [line["amount"] for line in lines(reopened) if line["account"] == "2310"] == [Decimal(7)]
    take(reopened, WEEK)
    assert len(lines(reopened)) == 9
    assert verify(reopened).first is None


def outside(pack: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the first line that the outside verifier says of a pack."""
    capsys.readouterr()
    status = runpy.run_path(str(REPOSITORY / "tools" / "verify_pack.py"))["main"]([str(pack)])
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith("As recorded" if status == 0 else "NOT as recorded")
    return said


def test_the_outside_verifier_proves_plan_lines_and_their_withdrawals(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = row_of(workspace, line_of(workspace, "PO-1", "2"))
    replay_decision(workspace, deciding.reverse(workspace, [row], who=WHO, why=WHY))
    pack = tmp_path / "pack"
    write_pack(workspace.ledger, "HRB", "USD", pack)
    text = (pack / "plan_lines.txt").read_text(encoding="utf-8")
    assert (text.count("\n"), text.count('"withdrawal"')) == (len(lines(workspace)) + 2, 1)
    assert f", {text.count(chr(10))} plan lines," in outside(pack, capsys)
    faults = {
        text.replace("1000.0000", "1000.0001", 1): "are not those of the log",
        text.replace("A. Bell", "A. Bull", 1): "are not those of the log",
        text[: text.rindex("\n", 0, -1) + 1]: "are missing",
        text + text.splitlines()[-1].replace("\t", "9\t", 1) + "\n": "announces no plan lines",
    }
    for changed, message in faults.items():
        assert changed != text
        (pack / "plan_lines.txt").write_text(changed, encoding="utf-8")
        assert message in outside(pack, capsys)


def test_a_line_is_traced_to_its_bytes(workspace: Workspace) -> None:
    row = row_of(workspace, line_of(workspace, "PO-1", "2"))
    facts = trace_row(workspace, row)
    (line,) = facts["entries"]
    assert (line["component"], line["amount"], line["base_amount"]) == (
        "purchase_order",
        Decimal("250.5"),
        None,
    )
    assert "250.50" in facts["raw"]
    assert facts["snapshots"] == []
    assert "planned" in {record["kind"] for record in facts["audit_records"]}


def test_an_altered_or_foreign_plan_line_is_found(workspace: Workspace) -> None:
    with duckdb.connect(workspace.ledger.path) as connection:
        triggers = connection.execute(
            "SELECT trigger_name, sql FROM duckdb_triggers() WHERE table_name = 'plan_lines'"
        ).fetchall()
        with pytest.raises(duckdb.Error, match="append-only"):
            connection.execute("UPDATE plan_lines SET amount = 1")
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name} ON plan_lines")
        connection.execute("UPDATE plan_lines SET amount = amount + 1 WHERE po_no = 'PO-3'")
        for _, sql in triggers:
            connection.execute(sql)
    steps = {step.name for step in verify(workspace).steps if step.discrepancies}
    assert steps == {"plan lines"}


def test_invoices_beyond_their_order_are_listed(workspace: Workspace, showcost: CommandLine) -> None:
    small.fill(workspace)
    deliver(
        workspace,
        "vendor_invoices_de",
        "3 orders.csv",
        small.german([small.Invoice("R20", "30.10.2026", "1.300,00", "247,00", "1.547,00")]).replace(
            ";;;;1;3630;", ";;;PO-1;1;3630;"
        ),
    )
    land_all(workspace)
    take(workspace, WEEK)
    listed = showcost(workspace, "queue", "orders", "--json").json
    (finding,) = listed["findings"]
    assert (finding["code"], finding["po_no"], finding["excess"]) == ("SC-PO-001", "PO-1", "49.5000")
    assert [(total["currency"], total["open"], total["over"]) for total in listed["commitments"]] == [
        ("EUR", "70.0000", "49.5000"),
        ("GBP", "0.0000", "0.0000"),
    ]
    text = showcost(workspace, "queue", "orders").out
    assert "exceeds the purchase order" in text
