"""The fallback chain: a vendor's terms stand in for a missing day, apart from the ledger, until it comes."""

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
        found: list[dict[str, Any]] = provisional(connection, WEDNESDAY, TUESDAY).to_pylist()
    return found


def steps(home: Workspace, feed: str) -> list[str]:
    with home.ledger.read() as connection:
        found: list[tuple[str]] = connection.execute(
            "SELECT step FROM fallback_steps WHERE feed = $feed ORDER BY recorded_at, transaction_date, step",
            {"feed": feed},
        ).fetchall()
    return [step for (step,) in found]


def test_terms_stand_in_apart_and_give_way(tmp_path: Path) -> None:
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
        done = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert (done.accrued, done.released) == (7 + 3, 0)
        assert week_digest(home) == before, "the ledger knows nothing of it"
        standing = rows(home)
        per_day = {(row["transaction_date"].day, row["account"]): row["amount"] for row in standing}
        assert per_day[28, "3310"] == Decimal("850.0000")
        assert per_day[30, "3310"] == Decimal("900.0000")
        assert per_day[3, "2520"] == Decimal("75.5000")
        for row in standing:
            assert row["base_currency"] == "USD"
            assert row["base_amount"] == row["amount"] if row["currency"] == "USD" else row["base_amount"] > 0
            assert row["rate_date"] <= row["transaction_date"]
        assert {row["because"] for row in standing} <= {letter.id for letter in _letters(home, feed.name)}
        assert steps(home, feed.name) == [ACCRUED] * 7

        again = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert (again.accrued, again.released) == (0, 0)
        assert rows(home) == standing
        assert due_by_fallback(home, feed) == []
        accrued = home.audit.head().seq

        simulator.revive(feed.name)
        assert pull_week(home, feeds, dead_only=True).dead == []
        assert due_by_fallback(home, feed) == WEEK
        post_week(home, feeds)
        done = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert (done.accrued, done.released) == (0, 10)
        assert rows(home) == []
        assert sorted(steps(home, feed.name)) == sorted([ACCRUED] * 7 + [RELEASED] * 7)
    assert _known(home, feed, accrued) == (missing, standing)
    assert _known(home, feed, pulled) == (missing, [])
    assert _known(home, feed, 0) == ([], [])
    assert _known(home, feed, home.audit.head().seq) == ([], [])
    assert apply_fallback(home, feed, WEEK, lambda: AFTERWARDS).released == 0
    assert due_by_fallback(home, feed) == []
    _sums_to_nothing(home)
    assert verify(home).first is None
    write_pack(home.ledger, home.production.code, home.production.base_currency, tmp_path / "pack")
    outside = [sys.executable, "-I", "-S", str(VERIFIER), str(tmp_path / "pack")]
    assert subprocess.run(outside, check=False, capture_output=True).returncode == 0  # noqa: S603 - our own


def _letters(home: Workspace, feed: str) -> list[DeadLetter]:
    return DeadLetters(home.raw, feed).open()


def _known(home: Workspace, feed: FeedSpec, as_of: int) -> tuple[list[DeadLetter], list[dict[str, Any]]]:
    """Return what was missing and what stood in for it, as known after an audit record."""
    standing = open_accruals(home, WEDNESDAY, TUESDAY, feed.name, as_of)
    assert standing is not None
    return missing_pages(home, feed, as_of), standing.to_pylist()


def _sums_to_nothing(home: Workspace) -> None:
    with home.ledger.read() as connection:
        sums = connection.execute(
            "SELECT accrual_id, count(*), sum(amount), sum(base_amount) FROM provisional_accruals GROUP BY 1"
        ).fetchall()
    assert {(count, amount, base) for _, count, amount, base in sums} == {(2, 0, 0)}


def test_what_was_had_before_stands_and_part_of_a_window_is_not_doubled(tmp_path: Path) -> None:
    vendor = scripts(1, lines_per_day=30, page_size=5)[0]
    home = home_of(tmp_path)
    with simulated([vendor]) as simulator:
        feed = feed_of(vendor, simulator.base_url(vendor.name), terms=TERMS)
        pull_week(home, [feed])
    nobody = feed_of(vendor, simulator.base_url(vendor.name), terms=TERMS)
    assert pull_week(home, [nobody], again=True).dead
    done = apply_fallback(home, nobody, WEEK, lambda: AFTERWARDS)
    assert {step.step for step in done.steps} == {LAST_GOOD}
    assert done.accrued == 0

    half = replace(vendor, name="half", failing=70, faults=("wrong json",))
    with simulated([half]) as simulator:
        feed = feed_of(half, simulator.base_url(half.name))
        pull_week(home, [feed])
        done = apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
    found = {step.step for step in done.steps}
    assert PARTLY_THERE in found
    assert found <= {PARTLY_THERE, NO_TERMS}
    assert done.accrued == 0


def test_without_any_pinned_rate_the_amount_stands_alone(tmp_path: Path) -> None:
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


def test_the_audit_log_says_why_a_figure_stands_there_and_when_it_gave_way(tmp_path: Path) -> None:
    vendor = scripts(1, lines_per_day=4)[0]
    home = home_of(tmp_path)
    with simulated([replace(vendor, dead=True)]) as simulator:
        feed = feed_of(vendor, simulator.base_url(vendor.name), terms=TERMS)
        pull_week(home, [feed])
        letters = {str(letter.window.first): letter.id for letter in _letters(home, feed.name)}
        apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        (stood,) = _recorded(home, AuditKind.FALLBACK_APPLIED)
        assert {one["date"]: one["because"] for one in stood} == letters
        assert {(one["feed"], one["step"]) for one in stood} == {(feed.name, ACCRUED)}
        assert stood[0]["detail"] == (
            "the window was never pulled to its end, no page of it is there; 1 terms are in force"
        )
        simulator.revive(feed.name)
        pull_week(home, [feed], dead_only=True)
        apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        apply_fallback(home, feed, WEEK, lambda: AFTERWARDS)
        assert len(_recorded(home, AuditKind.FALLBACK_APPLIED)) == 1
        (gave,) = _recorded(home, AuditKind.FALLBACK_RELEASED)
        assert [one["date"] for one in gave] == [str(day) for day in WEEK]
    assert _provisional_findings(home) == []


def _recorded(home: Workspace, kind: AuditKind) -> list[list[dict[str, str]]]:
    """Return the steps of each record of a kind."""
    found: list[Any] = [record.facts["steps"] for record in home.audit.records() if record.kind is kind]
    return found


def _provisional_findings(home: Workspace) -> list[str]:
    (step,) = [one for one in verify(home).steps if one.name == "provisional"]
    return [discrepancy.place for discrepancy in step.discrepancies]


def test_a_date_may_be_missing_again_and_give_way_to_the_same_bytes_again(tmp_path: Path) -> None:
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
    "what", [AuditKind.ACCRUED, AuditKind.RELEASED, AuditKind.FALLBACK_APPLIED, AuditKind.FALLBACK_RELEASED]
)
def test_what_a_crash_cuts_off_between_log_and_table_is_repeated(tmp_path: Path, what: AuditKind) -> None:
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

    if what in (AuditKind.RELEASED, AuditKind.FALLBACK_RELEASED):
        act(AuditKind.ACCRUED if what is AuditKind.RELEASED else AuditKind.FALLBACK_APPLIED)
    with using(NoCommit()), pytest.raises(FatalError):
        act(what)
    assert _provisional_findings(home), "until it is repeated, verification shows it"
    with writing(ledger):
        pass
    assert [record.kind for record in ledger.audit.records()][-2:] == [what, AuditKind.RECOVERED]
    assert verify(home).first is None
    act(what)
    assert [record.kind for record in ledger.audit.records()].count(what) == 1, "nothing more is due"


def test_a_forged_step_is_found(tmp_path: Path) -> None:
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
