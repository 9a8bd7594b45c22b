"""Fallback chain: provisional accruals from a vendor's terms, outside the ledger, for missing days."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from showcost.audit.transitions import AuditKind
from showcost.checks.verify import verify
from showcost.core.durable import System, using
from showcost.core.errors import FatalError
from showcost.ledger.accruals import Accrual, AccrualContext, accrue, provisional, release
from showcost.ledger.audit_pack import write_pack
from showcost.ledger.fallback_log import RELEASED, FallbackStep, differing_steps, record_fallback_steps
from showcost.ledger.recovery import writing
from showcost.pipeline.accruals import (
    ACCRUED,
    LAST_GOOD,
    NO_TERMS,
    PARTLY_THERE,
    apply_fallback,
    due_by_fallback,
    open_accruals,
)
from showcost.pipeline.vendor_pulls import missing_pages
from showcost.simulator.running import simulated
from showcost.vendor_api.dead_letters import DeadLetter, DeadLetters
from showcost_tests.vendor_api.test_pull import home_of
from showcost_tests.vendor_api.vendors import feed_of, feeds_of, scripts
from showcost_tests.vendor_api.whole import AFTERWARDS, post_week, pull_week, week_digest
from showcost_tests.whole.small import TUESDAY, WEDNESDAY, WEEK

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.config.feed import FeedSpec
    from showcost.ledger.store import Ledger
    from showcost.workspace import Workspace

VERIFIER = Path(__file__).parents[2] / "tools" / "verify_pack.py"
TERMS = [
    {
        "since": "2026-01-01",
        "vendor_code": "V-1",
        "account": "3310",
        "currency": "EUR",
        "day_rate": "850.00",
        "payment_days": 14,
        "description": "Camera package",
    },
    {"since": "2026-10-30", "vendor_code": "V-1", "account": "3310", "currency": "EUR", "day_rate": "900.00"},
    {"since": "2026-11-01", "vendor_code": "V-1", "account": "2520", "currency": "USD", "day_rate": "75.50"},
]


def rows(home: Workspace) -> list[dict[str, Any]]:
    with home.ledger.read() as connection:
        fetched: list[dict[str, Any]] = provisional(connection, WEDNESDAY, TUESDAY).to_pylist()
    return fetched


def steps(home: Workspace, feed: str) -> list[str]:
    with home.ledger.read() as connection:
        fetched: list[tuple[str]] = connection.execute(
            "SELECT step FROM fallback_steps WHERE feed = $feed ORDER BY recorded_at, transaction_date, step",
            {"feed": feed},
        ).fetchall()
    return [step for (step,) in fetched]


def test_terms_are_accrued_outside_the_ledger_and_released(tmp_path: Path) -> None:
    vendors = scripts(1, lines_per_day=4)
    with simulated([replace(vendors[0], dead=True)]) as simulator:
        home = home_of(tmp_path)
        (feed,) = feeds = feeds_of(simulator, vendors, terms=TERMS)
        pull_week(home, feeds)
        post_week(home, feeds)
        missing = _letters(home, feed.name)
        pulled = home.audit.head().seq
        before = week_digest(home)
        assert due_by_fallback(home, feed) == WEEK
        outcome = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert (outcome.accrued, outcome.released) == (7 + 3, 0)
        assert week_digest(home) == before, "the ledger knows nothing of it"
        accruals = rows(home)
        per_day = {(row["transaction_date"].day, row["account"]): row["amount"] for row in accruals}
        assert per_day[28, "3310"] == Decimal("850.0000")
        assert per_day[30, "3310"] == Decimal("900.0000")
        assert per_day[3, "2520"] == Decimal("75.5000")
        for row in accruals:
            assert row["base_currency"] == "USD"
            assert row["base_amount"] == row["amount"] if row["currency"] == "USD" else row["base_amount"] > 0
            assert row["rate_date"] <= row["transaction_date"]
        assert {row["because"] for row in accruals} <= {letter.id for letter in _letters(home, feed.name)}
        assert steps(home, feed.name) == [ACCRUED] * 7

        again = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert (again.accrued, again.released) == (0, 0)
        assert rows(home) == accruals
        assert due_by_fallback(home, feed) == []
        accrued = home.audit.head().seq

        simulator.revive(feed.name)
        assert pull_week(home, feeds, dead_only=True).dead == []
        assert due_by_fallback(home, feed) == WEEK
        post_week(home, feeds)
        outcome = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert (outcome.accrued, outcome.released) == (0, 10)
        assert rows(home) == []
        assert sorted(steps(home, feed.name)) == sorted([ACCRUED] * 7 + [RELEASED] * 7)
    assert _state_as_of(home, feed, accrued) == (missing, accruals)
    assert _state_as_of(home, feed, pulled) == (missing, [])
    assert _state_as_of(home, feed, 0) == ([], [])
    assert _state_as_of(home, feed, home.audit.head().seq) == ([], [])
    assert apply_fallback(home, feed, WEEK, lambda: AFTERWARDS).released == 0
    assert due_by_fallback(home, feed) == []
    _sums_to_nothing(home)
    assert verify(home).first is None
    write_pack(home.ledger, home.production.code, home.production.base_currency, tmp_path / "pack")
    outside = [sys.executable, "-I", "-S", str(VERIFIER), str(tmp_path / "pack")]
    assert subprocess.run(outside, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own


def _letters(home: Workspace, feed: str) -> list[DeadLetter]:
    return DeadLetters(home.raw, feed).open()


def _state_as_of(
    home: Workspace, feed: FeedSpec, as_of: int
) -> tuple[list[DeadLetter], list[dict[str, Any]]]:
    """Return the missing pages and the open accruals for them, as of an audit record."""
    accruals = open_accruals(home, WEDNESDAY, TUESDAY, feed.name, as_of)
    assert accruals is not None
    return missing_pages(home, feed, as_of), accruals.to_pylist()


def _sums_to_nothing(home: Workspace) -> None:
    with home.ledger.read() as connection:
        sums = connection.execute(
            "SELECT accrual_id, count(*), sum(amount), sum(base_amount) FROM provisional_accruals GROUP BY 1"
        ).fetchall()
    assert {(count, amount, base) for _, count, amount, base in sums} == {(2, 0, 0)}


def test_the_last_good_delivery_is_used_and_part_of_a_window_is_not_duplicated(tmp_path: Path) -> None:
    vendor = scripts(1, lines_per_day=30, page_size=5)[0]
    home = home_of(tmp_path)
    with simulated([vendor]) as simulator:
        feed = feed_of(vendor, simulator.base_url(vendor.name), terms=TERMS)
        pull_week(home, [feed])
    nobody = feed_of(vendor, simulator.base_url(vendor.name), terms=TERMS)
    assert pull_week(home, [nobody], again=True).dead
    outcome = apply_fallback(home, nobody, WEEK, lambda: AFTERWARDS)
    assert {step.step for step in outcome.steps} == {LAST_GOOD}
    assert outcome.accrued == 0

    half = replace(vendor, name="half", failing=70, faults=("wrong json",))
    with simulated([half]) as simulator:
        feed = feed_of(half, simulator.base_url(half.name))
        pull_week(home, [feed])
        outcome = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
    taken = {step.step for step in outcome.steps}
    assert PARTLY_THERE in taken
    assert taken <= {PARTLY_THERE, NO_TERMS}
    assert outcome.accrued == 0


def test_without_a_pinned_rate_the_amount_is_not_converted(tmp_path: Path) -> None:
    vendor = scripts(1)[0]
    home = home_of(tmp_path)
    with simulated([replace(vendor, dead=True)]) as simulator:
        feed = feed_of(vendor, simulator.base_url(vendor.name), terms=TERMS[:1])
        pull_week(home, [feed])
    assert apply_fallback(home, feed, WEEK, lambda: AFTERWARDS).accrued == 7
    assert {(row["amount"], row["base_amount"]) for row in rows(home)} == {(Decimal(850), None)}
    with home.ledger.write() as connection:
        for table in ("provisional_accruals", "fallback_steps"):
            for change in (f"DELETE FROM {table}", f"UPDATE {table} SET feed = 'x'"):  # noqa: S608 -- our tables
                with pytest.raises(duckdb.Error, match="append-only"):
                    connection.execute(change)


def test_the_audit_log_states_why_an_accrual_was_made_and_when_it_was_released(tmp_path: Path) -> None:
    vendor = scripts(1, lines_per_day=4)[0]
    home = home_of(tmp_path)
    with simulated([replace(vendor, dead=True)]) as simulator:
        feed = feed_of(vendor, simulator.base_url(vendor.name), terms=TERMS)
        pull_week(home, [feed])
        letters = {str(letter.window.first): letter.id for letter in _letters(home, feed.name)}
        apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        (applied,) = _recorded(home, AuditKind.FALLBACK_APPLIED)
        assert {entry["date"]: entry["because"] for entry in applied} == letters
        assert {(entry["feed"], entry["step"]) for entry in applied} == {(feed.name, ACCRUED)}
        assert applied[0]["detail"] == (
            "the window was never pulled to its end, no page of it is there; 1 terms are in force"
        )
        simulator.revive(feed.name)
        pull_week(home, [feed], dead_only=True)
        apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert len(_recorded(home, AuditKind.FALLBACK_APPLIED)) == 1
        (released,) = _recorded(home, AuditKind.FALLBACK_RELEASED)
        assert [entry["date"] for entry in released] == [str(day) for day in WEEK]
    assert _provisional_findings(home) == []


def _recorded(home: Workspace, kind: AuditKind) -> list[list[dict[str, str]]]:
    """Return the steps of each record of a kind."""
    recorded: list[Any] = [record.facts["steps"] for record in home.audit.records() if record.kind is kind]
    return recorded


def _provisional_findings(home: Workspace) -> list[str]:
    (step,) = [check for check in verify(home).steps if check.name == "provisional"]
    return [discrepancy.place for discrepancy in step.discrepancies]


def test_a_date_may_be_missing_again_and_be_released_by_the_same_bytes(tmp_path: Path) -> None:
    ledger = _open_ledger(tmp_path)
    day = WEDNESDAY
    with ledger.write() as connection:
        for number, (step, because, new) in enumerate(
            [
                (RELEASED, "page", 0),
                (NO_TERMS, "letter", 1),
                (NO_TERMS, "letter", 0),
                (RELEASED, "page", 1),
                (RELEASED, "another page", 0),
                (LAST_GOOD, "later letter", 1),
                (RELEASED, "page", 1),
            ]
        ):
            now = AFTERWARDS + timedelta(minutes=number)
            assert (
                record_fallback_steps(ledger, connection, [FallbackStep("f", day, step, because, "x")], now)
                == new
            )
        assert differing_steps(connection, ledger.audit.records()) == (4, [])


@pytest.mark.parametrize(
    "kind", [AuditKind.ACCRUED, AuditKind.RELEASED, AuditKind.FALLBACK_APPLIED, AuditKind.FALLBACK_RELEASED]
)
def test_a_crash_between_log_and_table_is_recovered(tmp_path: Path, kind: AuditKind) -> None:
    class NoCommit(System):
        def commit(self, commit: Callable[[], object], path: Path) -> None:
            del commit, path
            raise OSError(28, "No space left on device")

    home = home_of(tmp_path)
    ledger = home.ledger
    accrual = Accrual("f", WEDNESDAY, "V", "3310", "x", WEDNESDAY, "USD", Decimal(5), "letter")
    books = AccrualContext(home.production.code, home.production.base_currency)

    def act(kind: AuditKind) -> None:
        with writing(ledger) as connection:
            if kind is AuditKind.ACCRUED:
                accrue(ledger, connection, books, [accrual], AFTERWARDS)
            elif kind is AuditKind.RELEASED:
                release(ledger, connection, "f", {WEDNESDAY: "page"}, AFTERWARDS)
            else:
                step = NO_TERMS if kind is AuditKind.FALLBACK_APPLIED else RELEASED
                record_fallback_steps(
                    ledger, connection, [FallbackStep("f", WEDNESDAY, step, "why", "x")], AFTERWARDS
                )

    if kind in (AuditKind.RELEASED, AuditKind.FALLBACK_RELEASED):
        act(AuditKind.ACCRUED if kind is AuditKind.RELEASED else AuditKind.FALLBACK_APPLIED)
    with using(NoCommit()), pytest.raises(FatalError):
        act(kind)
    assert _provisional_findings(home), "until it is repeated, verification shows it"
    with writing(ledger):
        pass
    assert [record.kind for record in ledger.audit.records()][-2:] == [kind, AuditKind.RECOVERED]
    assert verify(home).first is None
    act(kind)
    assert [record.kind for record in ledger.audit.records()].count(kind) == 1, "nothing more is due"


def test_a_forged_step_is_reported(tmp_path: Path) -> None:
    ledger = _open_ledger(tmp_path)
    with ledger.write() as connection:
        record_fallback_steps(
            ledger, connection, [FallbackStep("f", WEDNESDAY, NO_TERMS, "letter", "x")], AFTERWARDS
        )
        connection.execute("INSERT INTO fallback_steps FROM fallback_steps")
        assert differing_steps(connection, ledger.audit.records()) == (2, [("f", WEDNESDAY, NO_TERMS)])
        connection.execute(
            "INSERT INTO fallback_steps SELECT * REPLACE ('g' AS feed) FROM fallback_steps LIMIT 1"
        )
        assert ("g", WEDNESDAY, NO_TERMS) in differing_steps(connection, ledger.audit.records())[1]


def _open_ledger(folder: Path) -> Ledger:
    return home_of(folder).ledger
