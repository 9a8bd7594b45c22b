"""Log of pay findings: append-only, idempotent, chained line to line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from showcost.core.errors import IntegrityError
from showcost.pay.findings_log import FindingsStore, PayFinding

if TYPE_CHECKING:
    from pathlib import Path

NOW: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SPAN: Final = ("2026-10-01", "2026-10-31")
ONE: Final = PayFinding(
    finding_id="a" * 32,
    feed="payroll",
    row_key="k" * 32,
    delivery="d" * 64,
    record=2,
    content="c" * 32,
    transaction_date="2026-10-05",
    code="SC-PAY-005",
    field="rest_penalty_amount",
    told="paid 0.00, required at least 900.00",
    source="rest page (M)",
    pay_rules="an agreement",
    cause=None,
)
OTHER: Final = replace(ONE, finding_id="b" * 32, transaction_date="2026-11-05")


def test_a_finding_is_appended_once_and_cleared_by_another_line(tmp_path: Path) -> None:
    store = FindingsStore(tmp_path)
    assert store.update("payroll", SPAN, [ONE], NOW) == (1, 0)
    first = (tmp_path / "pay_findings" / "findings.jsonl").read_bytes()
    assert store.update("payroll", SPAN, [ONE], NOW) == (0, 0)
    assert store.update("payroll", SPAN, [], NOW) == (0, 1)
    assert store.current() == []
    assert store.update("payroll", SPAN, [ONE], NOW) == (1, 0)
    assert [line.state for line in store.lines()] == ["open", "cleared", "open"]
    assert (tmp_path / "pay_findings" / "findings.jsonl").read_bytes().startswith(first)


def test_the_findings_open_at_a_past_moment_do_not_change(tmp_path: Path) -> None:
    store, later = FindingsStore(tmp_path), NOW + timedelta(hours=1)
    store.update("payroll", SPAN, [ONE], NOW)
    store.update("payroll", SPAN, [], later)
    assert store.current(at=NOW - timedelta(seconds=1)) == []
    assert store.current(at=NOW + timedelta(milliseconds=400)) == [ONE]
    assert store.current(at=later) == store.current() == []


def test_findings_of_other_dates_and_feeds_stay_open(tmp_path: Path) -> None:
    store = FindingsStore(tmp_path)
    store.update("payroll", ("2026-10-01", "2026-11-30"), [ONE, OTHER], NOW)
    store.update("another", ("2026-10-01", "2026-11-30"), [], NOW)
    assert store.update("payroll", SPAN, [], NOW) == (0, 1)
    assert store.current("payroll") == [OTHER]


def test_a_dismissed_finding_stays_dismissed_until_it_is_reopened_or_changes(tmp_path: Path) -> None:
    store, later = FindingsStore(tmp_path), NOW + timedelta(hours=1)
    store.update("payroll", SPAN, [ONE], NOW)
    decision = {"who": "R. Clerk", "why": "the crew asked for the early call"}
    assert store.dismiss([ONE.finding_id, "f" * 32], now=later, **decision) == [ONE]
    assert store.dismiss([ONE.finding_id], now=later, **decision) == []
    assert store.current() == []
    assert store.current(at=NOW) == [ONE]
    assert store.dismissed(at=NOW) == []
    (line,) = store.dismissed("payroll")
    assert (line.finding, line.who, line.why) == (ONE, "R. Clerk", "the crew asked for the early call")

    assert store.update("payroll", SPAN, [ONE], later) == (0, 0)
    other = replace(ONE, finding_id="e" * 32, told="paid 0.00, required at least 1200.00")
    assert store.update("payroll", SPAN, [other], later) == (1, 1)
    assert (store.current(), store.dismissed()) == ([other], [])

    store.dismiss([other.finding_id], now=later, **decision)
    assert store.reopen([other.finding_id], now=later, **decision) == [other]
    assert store.reopen([other.finding_id], now=later, **decision) == []
    assert store.current() == [other]
    states = ["open", "dismissed", "open", "cleared", "dismissed", "open"]
    assert [line.state for line in store.lines()] == states


@pytest.mark.parametrize("part", [b"R. Clerk", b"early call", b'"dismissed"'])
def test_a_changed_dismissal_is_an_integrity_error(tmp_path: Path, part: bytes) -> None:
    store = FindingsStore(tmp_path)
    store.update("payroll", SPAN, [ONE], NOW)
    store.dismiss([ONE.finding_id], who="R. Clerk", why="early call", now=NOW)
    path = tmp_path / "pay_findings" / "findings.jsonl"
    path.write_bytes(path.read_bytes().replace(part, part[:-1] + b"x" if part[-1:] != b'"' else b'"open"'))
    with pytest.raises(IntegrityError, match="line 2"):
        store.lines()


def test_a_changed_or_removed_line_is_an_integrity_error(tmp_path: Path) -> None:
    store = FindingsStore(tmp_path)
    store.update("payroll", SPAN, [ONE, replace(ONE, finding_id="e" * 32)], NOW)
    path = tmp_path / "pay_findings" / "findings.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"900.00", b"100.00", 1))
    with pytest.raises(IntegrityError, match="line 1"):
        store.lines()
    path.write_bytes(whole.split(b"\n", 1)[1])
    with pytest.raises(IntegrityError, match="line 1"):
        store.lines()
    path.write_bytes(whole[:-9])
    assert len(store.lines()) == 1
    store.update("payroll", SPAN, [ONE, replace(ONE, finding_id="e" * 32)], NOW)
    assert path.read_bytes() == whole
