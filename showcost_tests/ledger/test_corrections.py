"""Effects of decisions on posted rows: exact reversals, new postings, and no rewritten entry."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from showcost.audit.log import parse_as_of
from showcost.audit.transitions import AuditKind
from showcost.core.durable import System, using
from showcost.core.errors import CheckFailedError, FatalError, InputError, IntegrityError
from showcost.core.ids import entry_id, row_id
from showcost.ledger.audit_pack import write_pack
from showcost.ledger.decisions import Decision, DecisionKind, decision_effects, record_decisions
from showcost.ledger.digest import digest
from showcost.ledger.periods import Period, decided_periods, record_period
from showcost.ledger.queries import balances, posted_keys, reversible_rows
from showcost.ledger.recovery import writing
from showcost.ledger.verification import ledger_proofs
from showcost_tests.ledger.rows import CONTEXT, MONDAY, WEEK, Row, entries, post_rows, row, short, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.ledger.store import Ledger

NOW = datetime(2026, 3, 9, 9, tzinfo=UTC)
VERIFIER = Path(__file__).parents[2] / "tools" / "verify_pack.py"


def about(
    posted: Row, kind: DecisionKind, fields: dict[str, str] | None = None, codes: tuple[str, ...] = ()
) -> Decision:
    return Decision("vendors", str(posted["delivery"]), int(str(posted["record"])), kind, fields or {}, codes)


def decide(ledger: Ledger, *decisions: Decision) -> int:
    with writing(ledger) as connection:
        return record_decisions(ledger, connection, decisions, who="R. Auditor", why="asked", now=NOW).seq


def other(number: int, net: str, tax: str | None = "20.02") -> Row:
    """Return a row with the key of row `number` that arrived later, with other content."""
    return row(number, net=net, tax=tax) | {
        "record": 900 + number,
        "arrival": 2,
        "delivery": short("later") * 2,
    }


def kinds(ledger: Ledger) -> list[tuple[str, int, Decimal]]:
    return [
        (str(entry["entry_kind"]), int(str(entry["generation"])), entry["amount"])
        for entry in sorted(
            entries(ledger), key=lambda entry: (entry["generation"], entry["entry_kind"], entry["component"])
        )
    ]


def active(ledger: Ledger, *numbers: int) -> list[dict[str, Any]]:
    keys = pa.array([short(f"key {number}") for number in numbers])
    with ledger.read() as connection:
        rows: list[dict[str, Any]] = posted_keys(connection, "vendors", keys).to_pylist()
    return rows


def test_a_reversed_row_is_negated_at_its_own_rates_and_not_posted_again(ledger: Ledger) -> None:
    first, second = row(1), row(2)
    post_rows(ledger, table([first, second]), [MONDAY])
    decide(ledger, about(first, DecisionKind.REVERSE))
    with ledger.read() as connection:
        assert reversible_rows(connection, "vendors") == {MONDAY: 1}
    assert [entry["row_key"] for entry in active(ledger, 1, 2)] == [second["row_key"]]
    (result,) = post_rows(ledger, table([second]), [MONDAY])
    assert (result.rows, result.appended_entries) == (1, 2)
    assert result.batch is not None
    assert result.batch.totals == {"EUR": Decimal("-120.12")}
    by_id = {str(entry["entry_id"]): entry for entry in entries(ledger)}
    for component in ("net", "tax"):
        name = entry_id(CONTEXT.production, "vendors", str(first["row_key"]), component)
        reversal = by_id[
            entry_id(CONTEXT.production, "vendors", str(first["row_key"]), component, "reversal")
        ]
        same = set(reversal) - {"entry_id", "batch_id", "entry_kind", "reverses", "amount", "base_amount"}
        assert {key: reversal[key] for key in same} == {key: by_id[name][key] for key in same}
        assert reversal["reverses"] == name
        assert reversal["amount"] == -by_id[name]["amount"]
        assert reversal["base_amount"] == -by_id[name]["base_amount"]
    assert post_rows(ledger, table([second]), [MONDAY])[0].batch is None
    with ledger.read() as connection:
        assert reversible_rows(connection, "vendors") == {}
        (sums,) = balances(connection, MONDAY, MONDAY).to_pylist()
    assert (sums["row_count"], sums["entry_count"], sums["amount"]) == (1, 6, Decimal("120.12"))


def test_a_corrected_document_is_reversed_and_rebooked_in_one_batch(ledger: Ledger) -> None:
    old, new = row(1), other(1, net="90.00", tax=None)
    post_rows(ledger, table([old]), [MONDAY])
    with pytest.raises(CheckFailedError, match="already posted with other content"):
        post_rows(ledger, table([new]), [MONDAY])
    decide(ledger, about(old, DecisionKind.REVERSE), about(new, DecisionKind.REBOOK))
    (result,) = post_rows(ledger, table([new]), [MONDAY])
    assert result.appended_entries == 3
    assert kinds(ledger) == [
        ("posting", 1, Decimal("100.1")),
        ("posting", 1, Decimal("20.02")),
        ("reversal", 1, Decimal("-100.1")),
        ("reversal", 1, Decimal("-20.02")),
        ("posting", 2, Decimal(90)),
    ]
    again = other(1, net="80.00", tax=None) | {"record": 999}
    decide(ledger, about(new, DecisionKind.REVERSE), about(again, DecisionKind.REBOOK))
    post_rows(ledger, table([again]), [MONDAY])
    assert kinds(ledger)[-2:] == [("reversal", 2, Decimal(-90)), ("posting", 3, Decimal(80))]
    assert [entry["record"] for entry in active(ledger, 1)] == [999]


def test_a_corrected_row_may_move_to_another_date_and_key(ledger: Ledger) -> None:
    before = row(1)
    post_rows(ledger, table([before]), [MONDAY])
    decide(ledger, about(before, DecisionKind.CORRECT, fields={"invoice_no": "R-77"}))
    after = row(1, day=WEEK[2]) | {"row_key": short("key 77"), "content": short("corrected")}
    results = post_rows(ledger, table([after]))
    assert [(result.partition_date, result.appended_entries) for result in results if result.batch] == [
        (MONDAY, 2),
        (WEEK[2], 2),
    ]
    assert [entry["row_key"] for entry in active(ledger, 1, 77)] == [short("key 77")]
    assert all(result.batch is None for result in post_rows(ledger, table([after])))


def test_posting_a_rebooked_row_reverses_its_predecessor_on_another_date(ledger: Ledger) -> None:
    old, new = row(1), row(1, day=WEEK[2]) | {"record": 900, "content": short("new")}
    post_rows(ledger, table([old]), [MONDAY])
    decide(ledger, about(old, DecisionKind.REVERSE), about(new, DecisionKind.REBOOK))
    post_rows(ledger, table([new]), [WEEK[2]])
    decide(ledger, about(old, DecisionKind.UNDO))
    assert [entry["record"] for entry in active(ledger, 1)] == [900]
    with ledger.read() as connection:
        assert reversible_rows(connection, "vendors") == {}


def test_a_row_whose_reversal_was_undone_is_posted_again(ledger: Ledger) -> None:
    first = row(1)
    post_rows(ledger, table([first]), [MONDAY])
    decide(ledger, about(first, DecisionKind.REVERSE))
    post_rows(ledger, [], [MONDAY])
    assert active(ledger, 1) == []
    decide(ledger, about(first, DecisionKind.UNDO))
    post_rows(ledger, table([first]), [MONDAY])
    assert [(kind, number) for kind, number, _ in kinds(ledger)][-2:] == [("posting", 2), ("posting", 2)]
    # A reversal that is undone before it was posted changes nothing.
    decide(ledger, about(first, DecisionKind.REVERSE))
    decide(ledger, about(first, DecisionKind.UNDO))
    assert post_rows(ledger, table([first]), [MONDAY])[0].batch is None


def test_an_undone_correction_restores_the_original_row(ledger: Ledger) -> None:
    first = row(1)
    corrected = first | {"content": short("corrected")}
    post_rows(ledger, table([first]), [MONDAY])
    decide(ledger, about(first, DecisionKind.CORRECT, fields={"description": "x"}))
    post_rows(ledger, table([corrected]), [MONDAY])
    decide(ledger, about(first, DecisionKind.UNDO))
    post_rows(ledger, table([first]), [MONDAY])
    assert [entry["content"] for entry in active(ledger, 1)] == [first["content"]]
    assert max(number for _, number, _ in kinds(ledger)) == 3


def test_only_decisions_after_the_last_undo_have_an_effect(ledger: Ledger) -> None:
    first, second = row(1), row(2)
    seqs = [
        decide(ledger, about(first, DecisionKind.CORRECT, fields={"account": "2000", "set": "1"})),
        decide(ledger, about(first, DecisionKind.ACCEPT, codes=("SC-VEN-001",))),
        decide(
            ledger,
            about(first, DecisionKind.CORRECT, fields={"account": "3000"}),
            about(second, DecisionKind.DISCARD),
        ),
        decide(ledger, about(second, DecisionKind.UNDO)),
        decide(ledger, about(first, DecisionKind.DISCARD)),
    ]
    with ledger.read() as connection:
        states = [decision_effects(connection, "vendors", as_of).to_pylist() for as_of in (*seqs, None)]
        assert decision_effects(connection, "others").num_rows == 0
    assert [len(effects) for effects in states] == [1, 1, 2, 1, 1, 1]
    (now,) = states[-1]
    assert now == {
        "row_id": row_id("vendors", str(first["delivery"]), 3),
        "feed": "vendors",
        "delivery": first["delivery"],
        "record": 3,
        "decision": "discard",
        "fields": '{"set":"1","account":"3000"}',
        "codes": ["SC-VEN-001"],
        "withheld": True,
        "preferred": False,
        "seq": seqs[-1],
    }
    assert {effect["decision"]: effect["withheld"] for effect in states[2]} == {
        "correct": False,
        "discard": True,
    }


def test_nothing_is_posted_to_a_closed_period_until_it_is_reopened(ledger: Ledger) -> None:
    posted = row(1)
    post_rows(ledger, table([posted]), [MONDAY])
    period = Period("P01", MONDAY, WEEK[1], closed=True)
    with writing(ledger) as connection:
        record_period(ledger, connection, period, who="A", why="month end", now=NOW)
        with pytest.raises(IntegrityError, match="period_closed is not allowed"):
            record_period(ledger, connection, period, who="A", why="again", now=NOW)
    assert post_rows(ledger, table([posted]), [MONDAY])[0].batch is None
    with pytest.raises(CheckFailedError, match=r"2 entries would be posted to P01, which is closed"):
        post_rows(ledger, table([posted, row(2)]), [MONDAY])
    decide(ledger, about(posted, DecisionKind.REVERSE))
    with pytest.raises(CheckFailedError, match="P01"):
        post_rows(ledger, [], [MONDAY])
    with writing(ledger) as connection:
        record_period(ledger, connection, period._replace(closed=False), who="A", why="late bill", now=NOW)
        assert decided_periods(connection) == [period._replace(closed=False)]
    post_rows(ledger, [], [MONDAY])
    assert active(ledger, 1) == []


def test_results_as_of_a_record_do_not_change(ledger: Ledger) -> None:
    first = row(1)
    post_rows(ledger, table([first, row(2)]), [MONDAY])
    as_of_seq = ledger.audit.head().seq
    with ledger.read() as connection:
        before = digest(connection, WEEK[0], WEEK[-1])
        sums = balances(connection, WEEK[0], WEEK[-1])
    decide(ledger, about(first, DecisionKind.REVERSE))
    post_rows(ledger, table([row(2), row(3)]), [MONDAY])
    with ledger.read() as connection:
        assert digest(connection, WEEK[0], WEEK[-1]).hash != before.hash
        assert digest(connection, WEEK[0], WEEK[-1], as_of_seq) == before
        assert balances(connection, WEEK[0], WEEK[-1], as_of=as_of_seq) == sums
        assert digest(connection, WEEK[0], WEEK[-1], 0).partitions == {}


def test_as_of_takes_record_numbers_and_past_times(ledger: Ledger) -> None:
    post_rows(ledger, table([row(1)]), [MONDAY])
    records = list(ledger.audit.records())
    assert parse_as_of(ledger.audit, "2") == 2
    assert parse_as_of(ledger.audit, records[-1].at.isoformat()) == 4
    assert parse_as_of(ledger.audit, "2001-01-01T00:00:00Z") == 0
    for text, expected in (
        ("99", "records 1 to 4"),
        ("soon", "is not a record number or a timestamp"),
        ("2026-03-01T00:00:00", "offset from UTC"),
        ("2999-01-01T00:00:00Z", "is in the future"),
    ):
        with pytest.raises(InputError, match=expected):
            parse_as_of(ledger.audit, text)


@pytest.mark.parametrize("subject", ["decision", "period"])
def test_a_decision_that_did_not_commit_is_repeated_from_its_record(ledger: Ledger, subject: str) -> None:
    class NoCommit(System):
        def commit(self, commit: Callable[[], object], path: Path) -> None:
            del commit, path
            raise OSError(28, "No space left on device")

    def close_monday() -> None:
        with writing(ledger) as connection:
            closed = Period("P01", MONDAY, MONDAY, closed=True)
            record_period(ledger, connection, closed, who="A", why="b", now=NOW)

    posted = row(1)
    post_rows(ledger, table([posted]), [MONDAY])
    act = close_monday if subject == "period" else lambda: decide(ledger, about(posted, DecisionKind.REVERSE))
    with using(NoCommit()), pytest.raises(FatalError):
        act()
    with writing(ledger):
        pass
    assert [record.kind for record in ledger.audit.records()][-2:] == [
        AuditKind.DECIDED if subject == "decision" else AuditKind.PERIOD_CLOSED,
        AuditKind.RECOVERED,
    ]
    with ledger.read() as connection:
        if subject == "decision":
            assert decision_effects(connection).num_rows == 1
        else:
            assert [period.name for period in decided_periods(connection)] == ["P01"]


def post_and_correct(ledger: Ledger) -> None:
    """Post rows, rebook one, and close a period."""
    old, new = row(1), other(1, net="90.00")
    post_rows(ledger, table([old, row(2), row(3, currency="USD")]), [MONDAY])
    decide(ledger, about(old, DecisionKind.REVERSE), about(new, DecisionKind.REBOOK))
    post_rows(ledger, table([new, row(2)]), [MONDAY])
    with writing(ledger) as connection:
        closed = Period("P01", WEEK[1], WEEK[1], closed=True)
        record_period(ledger, connection, closed, who="A", why="b", now=NOW)


def findings(ledger: Ledger) -> list[str]:
    proofs = [
        proof for proof in ledger_proofs(ledger, list) if proof[0] not in {"acceptance", "database file"}
    ]
    return [str(finding) for _, _, prove in proofs for finding in prove()[1]]


def test_a_ledger_with_corrections_passes_every_proof(ledger: Ledger, tmp_path: Path) -> None:
    post_and_correct(ledger)
    assert findings(ledger) == []
    write_pack(ledger, CONTEXT.production, CONTEXT.base_currency, tmp_path / "pack")
    command = [sys.executable, "-I", "-S", str(VERIFIER), str(tmp_path / "pack")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own


@pytest.mark.parametrize(
    ("forged", "expected"),
    [
        ("amount = amount - 1", "is not the exact negation"),
        ("account = '9999'", "is not the exact negation"),
        ("reverses = 'nothing'", "is not a posting of the ledger"),
        ("entry_kind = 'gift'", "neither a posting nor a reversal"),
        ("record = record + 1", "is not the exact negation"),
    ],
)
def test_a_forged_reversal_is_found(ledger: Ledger, forged: str, expected: str) -> None:
    post_and_correct(ledger)
    with writing(ledger) as connection:
        connection.execute("DROP TRIGGER ledger_entries_no_update ON ledger_entries")
        connection.execute(f"UPDATE ledger_entries SET {forged} WHERE entry_kind = 'reversal'")  # noqa: S608 - ours
    assert any(expected in finding for finding in findings(ledger))


def test_a_forged_decision_is_found(ledger: Ledger) -> None:
    post_and_correct(ledger)
    with writing(ledger) as connection:
        for name in ("row_decisions", "period_decisions"):
            connection.execute(f"DROP TRIGGER {name}_no_update ON {name}")
            connection.execute(f"UPDATE {name} SET who = 'Somebody Else'")  # noqa: S608 - ours
    assert sum("differ from the audit record" in finding for finding in findings(ledger)) == 1
    assert sum("differs from the audit record" in finding for finding in findings(ledger)) == 1


def test_the_outside_verifier_finds_a_reversal_that_is_not_exact(ledger: Ledger, tmp_path: Path) -> None:
    post_and_correct(ledger)
    pack = tmp_path / "pack"
    write_pack(ledger, CONTEXT.production, CONTEXT.base_currency, pack)
    spec = importlib.util.spec_from_file_location("verify_pack", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    verifier: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(verifier)
    with (pack / "entries.txt").open("rb") as stream:
        parsed = [entry for _, _, entry in verifier._parsed(stream, verifier.COLUMNS["showcost-pack-2"])]
    checks = verifier.Reversals()
    for entry in parsed:
        checks.add(entry)
    checks.close()
    (spoiled,) = [entry for entry in parsed if entry["reverses"] and entry["component"] == "tax"]
    checks = verifier.Reversals()
    for entry in parsed:
        checks.add(entry | ({"account": "9999"} if entry is spoiled else {}))
    with pytest.raises(verifier.Difference, match="exact negation"):
        checks.close()


def test_recording_no_decisions_is_an_error(ledger: Ledger) -> None:
    with writing(ledger) as connection, pytest.raises(ValueError, match="no decisions to record"):
        record_decisions(ledger, connection, [], who="a", why="b", now=NOW)
