"""The way of a few deliveries into the ledger, and what a person then decides about their rows.

All of it is cut off at every point and started again.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from showcost.checks.verify import verify
from showcost.ingest.landing import land
from showcost.ledger import accruals as provisional
from showcost.ledger.digest import digest
from showcost.ledger.fallback_log import RELEASED, FallbackStep, last_steps, record_fallback_steps
from showcost.ledger.periods import Period
from showcost.ledger.recovery import writing
from showcost.pipeline.auto_rebook import rebook_by_policy
from showcost.pipeline.fx_snapshots import pin_snapshots
from showcost.pipeline.periods import close_period, closed_periods
from showcost.pipeline.posting import post_partitions
from showcost.pipeline.raw_rows import write_raw_rows
from showcost.pipeline.replay import replay
from showcost.pipeline.validation import quarantine_undated, validate_partitions
from showcost.reconciliation import decisions as deciding
from showcost.reconciliation.lookup import find_rows
from showcost.reconciliation.queue import QueueFilter, RowState, queue_rows
from showcost.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from showcost.config.feed import FeedSpec

SAMPLE = Path(__file__).resolve().parents[2] / "data"
FEED = "vendor_invoices_us"
FILES = ("bills_2026-10-02.csv",)
DAYS = [date(2026, 9, 21) + timedelta(days=number) for number in range(5)]
HALVES = (DAYS[:1], DAYS[1:])
CORRECTIONS = {
    "000325": {"net_amount": "120.00"},
    "00353": {"invoice_date": "2026-09-24"},
}
"""What is put right, by document: an amount that cannot be read, and a date."""
WITHDRAWN = "EP-000367"
"""The document of which what is posted is taken back."""
CLOSED = Period("first day", DAYS[0], DAYS[0], closed=True)
MISSING = provisional.Accrual(
    feed=FEED,
    transaction_date=DAYS[-1],
    vendor_code="V-1",
    account="3310",
    description="Camera package",
    due_date=DAYS[-1],
    currency="EUR",
    amount=Decimal("850.00"),
    because="a dead letter",
)
"""What stands in for a while, apart from the ledger, for what a vendor does not give."""
MORNING = datetime(2026, 10, 3, 6, tzinfo=UTC)
PERSON = {"who": "A. Clerk", "why": "as the vendor says"}


@dataclass(frozen=True)
class Books:
    """What the ledger has in the end, and the first thing that verification finds wrong."""

    entries: int
    distinct: int
    reversals: int
    decisions: int
    provisional: int
    digest: str
    difference: str | None


def make_home(folder: Path) -> Workspace:
    """Make a data folder whose inbox has something in it; nothing of this is at risk."""
    (folder / "inbox" / FEED).mkdir(parents=True)
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(SAMPLE / name, folder / name)
    for name in FILES:
        lines = (SAMPLE / "inbox" / FEED / name).read_text(encoding="utf-8").splitlines(keepends=True)
        target = folder / "inbox" / FEED / name
        target.write_text("".join(lines[:40]), encoding="utf-8")
    return Workspace(folder)


def carry_out(home: Workspace, tell: Callable[[str], None]) -> None:
    """Take the inbox into the ledger and work the queue; tell how many entries are acknowledged so far."""
    feed = next(feed for feed in home.feeds if feed.name == FEED)
    land(home, feed)
    pin_snapshots(home, DAYS)
    for days in HALVES:
        write_raw_rows(home, feed, days)
        validate_partitions(home, feed, days)
        post_partitions(home, feed, days, "run")
        rebook_by_policy(home, feed)
        tell(f"acknowledged {_entries(home)}")
    _stand_in(home)
    quarantine_undated(home, feed)
    for document, fields in CORRECTIONS.items():
        _correct(home, feed, document, fields)
        tell(f"acknowledged {_entries(home)}")
    _withdraw(home)
    tell(f"acknowledged {_entries(home)}")
    if not any(one.name == CLOSED.name for one in closed_periods(home)):
        close_period(home, [feed], CLOSED, **PERSON)


def _stand_in(home: Workspace) -> None:
    """Take the steps of the fallback for a day that is missing and comes; again does nothing more."""
    ledger = home.ledger
    day = MISSING.transaction_date
    with writing(ledger) as connection:
        last = last_steps(connection).get((FEED, day))
        if last is None or last.step != RELEASED:
            whose = provisional.AccrualContext(home.production.code, home.production.base_currency)
            provisional.accrue(ledger, connection, whose, [MISSING], MORNING)
            record_fallback_steps(
                ledger, connection, [FallbackStep(FEED, day, "accrual", MISSING.because, "terms")], MORNING
            )
    with writing(ledger) as connection:
        provisional.release(ledger, connection, FEED, {day: "its page"}, MORNING)
        record_fallback_steps(
            ledger, connection, [FallbackStep(FEED, day, RELEASED, "its page", "it has come")], MORNING
        )


def _correct(home: Workspace, feed: FeedSpec, document: str, fields: dict[str, str]) -> None:
    """Do as a person does who looks first: correct what is open, replay what is not released."""
    everything = queue_rows(home, [feed], QueueFilter(states=tuple(RowState)))
    (row,) = (one for one in everything if one.document == document)
    if row.state is RowState.OPEN:
        deciding.correct(home, find_rows(home, [row.row_id]), fields, **PERSON)
    if row.state is not RowState.RELEASED:
        replay(home, [row.place])


def _withdraw(home: Workspace) -> None:
    with home.ledger.read() as connection:
        (entry,) = connection.execute(
            "SELECT min(entry_id) FROM ledger_entries WHERE document_no = $document",
            {"document": WITHDRAWN},
        ).fetchall()[0]
    (row,) = find_rows(home, [entry])
    if row.effect is None:
        deciding.reverse(home, [row], **PERSON)
    if row.active_entries:
        replay(home, [row.place])


def _entries(home: Workspace) -> int:
    with home.ledger.read() as connection:
        return int(connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0])


def recovered_entries(home: Workspace) -> int:
    """Let the ledger recover, do nothing else, and return how many entries it has."""
    with writing(home.ledger) as connection:
        return int(connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0])


def books(home: Workspace) -> Books:
    """Return what the ledger has, and what verification says."""
    with home.ledger.read() as connection:
        entries, distinct, reversals, decisions, provisional = connection.execute(
            "SELECT count(*), count(DISTINCT entry_id), count(*) FILTER (entry_kind = 'reversal'),"
            " (SELECT count(*) FROM row_decisions) + (SELECT count(*) FROM period_decisions),"
            " (SELECT count(*) FROM provisional_accruals) + (SELECT count(*) FROM fallback_steps)"
            " FROM ledger_entries"
        ).fetchall()[0]
        found = digest(connection, DAYS[0], DAYS[-1]).hash
    first = verify(home, read_again=True).first
    difference = None if first is None else str(first)
    return Books(entries, distinct, reversals, decisions, provisional, found, difference)
