"""Process a few deliveries into the ledger, and decide on some of their rows.

The crash tests interrupt this scenario at every point and start it again.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.audit.transitions import AuditKind, State, SubjectType
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
    from collections.abc import Callable, Sequence

    from showcost.config.feed import FeedSpec

SAMPLE = Path(__file__).resolve().parents[2] / "data"
FEED = "vendor_invoices_us"
ORDERS = "purchase_orders"
FILES = {FEED: ("bills_2026-10-02.csv", 40), ORDERS: ("Open orders 2026-10-02.csv", 4)}
"""The file of each feed, and how many of its lines are delivered."""
DAYS = [date(2026, 9, 21) + timedelta(days=number) for number in range(5)]
HALVES = (DAYS[:1], DAYS[1:])
CORRECTIONS = {
    "000325": {"net_amount": "120.00"},
    "00353": {"invoice_date": "2026-09-24"},
}
"""Corrections by document: of an unreadable amount, and of a date."""
REVERSED = "EP-000367"
"""The document whose entries are reversed."""
WITHDRAWN = "PO-LDN-163"
"""The purchase order whose line is withdrawn."""
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
"""A provisional accrual for a day that the vendor does not deliver at first."""
DECIDED = frozenset(
    {
        AuditKind.DECIDED,
        AuditKind.FX_REPINNED,
        AuditKind.KEY_ROTATED,
        AuditKind.PERIOD_CLOSED,
        AuditKind.PERIOD_REOPENED,
        AuditKind.RATE_ACCEPTED,
    }
)
"""The kinds of record that must be written once, however often their command is repeated."""
MORNING = datetime(2026, 10, 3, 6, tzinfo=UTC)
PERSON = {"who": "A. Clerk", "why": "as the vendor says"}


@dataclass(frozen=True)
class Books:
    """Counts and digest of the ledger at the end, and the first difference that verification finds.

    `unreadable` is the number of shredded payloads, `decided` that of audit records of `DECIDED`, `findings`
    that of lines about pay findings.
    """

    entries: int
    distinct: int
    reversals: int
    decisions: int
    provisional: int
    plan_lines: int
    digest: str
    difference: str | None
    unreadable: int
    decided: int
    findings: int


def make_home(folder: Path) -> Workspace:
    """Make a data folder with files in its inbox; no fault is injected into this."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("production.yaml", "chart_of_accounts.csv", "budget.csv"):
        shutil.copyfile(SAMPLE / name, folder / name)
    for feed, (name, count) in FILES.items():
        lines = (SAMPLE / "inbox" / feed / name).read_text(encoding="utf-8").splitlines(keepends=True)
        target = folder / "inbox" / feed / name
        target.parent.mkdir(parents=True)
        target.write_text("".join(lines[:count]), encoding="utf-8")
    return Workspace(folder)


def carry_out(workspace: Workspace, tell: Callable[[str], None]) -> None:
    """Process the inbox into the ledger and work the queue; report the number of acknowledged entries."""
    for step in STEPS:
        step(workspace)
        tell(f"acknowledged {entry_count(workspace)}")


def feed_of(workspace: Workspace, name: str) -> FeedSpec:
    """Return a feed by its name."""
    return next(feed for feed in workspace.feeds if feed.name == name)


def _land(workspace: Workspace) -> None:
    land(workspace, feed_of(workspace, FEED))
    pin_snapshots(workspace, DAYS)


def _post(workspace: Workspace, days: Sequence[date]) -> None:
    feed = feed_of(workspace, FEED)
    write_raw_rows(workspace, feed, days)
    validate_partitions(workspace, feed, days)
    post_partitions(workspace, feed, days, "run")
    rebook_by_policy(workspace, feed)


def _post_first_half(workspace: Workspace) -> None:
    _post(workspace, HALVES[0])


def _post_second_half(workspace: Workspace) -> None:
    _post(workspace, HALVES[1])


def _quarantine_undated(workspace: Workspace) -> None:
    quarantine_undated(workspace, feed_of(workspace, FEED))


def _correct_all(workspace: Workspace) -> None:
    for document, fields in CORRECTIONS.items():
        _correct(workspace, feed_of(workspace, FEED), document, fields)


def _close(workspace: Workspace) -> None:
    if not any(period.name == CLOSED.name for period in closed_periods(workspace)):
        close_period(workspace, [feed_of(workspace, FEED)], CLOSED, **PERSON)


def _plan(workspace: Workspace) -> None:
    """Record the lines of purchase orders and withdraw one; repeating it changes nothing."""
    orders = feed_of(workspace, ORDERS)
    land(workspace, orders)
    write_raw_rows(workspace, orders, DAYS)
    validate_partitions(workspace, orders, DAYS)
    post_partitions(workspace, orders, DAYS, "run")
    with workspace.ledger.read() as connection:
        (line,) = connection.execute(
            "SELECT min(line_id) FROM plan_lines WHERE po_no = $order AND line_kind = 'line'",
            {"order": WITHDRAWN},
        ).fetchall()[0]
    _take_back(workspace, line)


def _accrue_and_release(workspace: Workspace) -> None:
    """Take the fallback steps for a day that is missing and then arrives; repeating it changes nothing."""
    ledger = workspace.ledger
    day = MISSING.transaction_date
    with writing(ledger) as connection:
        last = last_steps(connection).get((FEED, day))
        if last is None or last.step != RELEASED:
            context = provisional.AccrualContext(
                workspace.production.code, workspace.production.base_currency
            )
            provisional.accrue(ledger, connection, context, [MISSING], MORNING)
            record_fallback_steps(
                ledger, connection, [FallbackStep(FEED, day, "accrual", MISSING.because, "terms")], MORNING
            )
    with writing(ledger) as connection:
        provisional.release(ledger, connection, FEED, {day: "its page"}, MORNING)
        record_fallback_steps(
            ledger, connection, [FallbackStep(FEED, day, RELEASED, "its page", "it has come")], MORNING
        )


def _correct(workspace: Workspace, feed: FeedSpec, document: str, fields: dict[str, str]) -> None:
    """Correct an open row and replay an unreleased row; repeating it changes nothing."""
    rows = queue_rows(workspace, [feed], QueueFilter(states=tuple(RowState)))
    (row,) = (row for row in rows if row.document == document)
    if row.state is RowState.OPEN:
        deciding.correct(workspace, find_rows(workspace, [row.row_id]), fields, **PERSON)
    if row.state is not RowState.RELEASED:
        replay(workspace, [row.place])


def _reverse(workspace: Workspace) -> None:
    with workspace.ledger.read() as connection:
        (entry,) = connection.execute(
            "SELECT min(entry_id) FROM ledger_entries WHERE document_no = $document",
            {"document": REVERSED},
        ).fetchall()[0]
    _take_back(workspace, entry)


def _take_back(workspace: Workspace, entry: str) -> None:
    (row,) = find_rows(workspace, [entry])
    if row.effect is None:
        deciding.reverse(workspace, [row], **PERSON)
    if row.active_entries:
        replay(workspace, [row.place])


STEPS: Final[tuple[Callable[[Workspace], None], ...]] = (
    *(_land, _post_first_half, _post_second_half, _accrue_and_release, _plan),
    *(_quarantine_undated, _correct_all, _reverse, _close),
)
"""The steps, in order; repeating one of them changes nothing."""


def entry_count(workspace: Workspace) -> int:
    """Return the number of entries in the ledger; 0 before it is made."""
    if not workspace.ledger.exists():
        return 0
    with workspace.ledger.read() as connection:
        return int(connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0])


def recovered_entries(workspace: Workspace) -> int:
    """Let the ledger recover, and return its number of entries."""
    with writing(workspace.ledger) as connection:
        return int(connection.execute("SELECT count(*) FROM ledger_entries").fetchall()[0][0])


def books(workspace: Workspace, *, verified: bool = True, read_again: bool = True) -> Books:
    """Return counts and digest of the ledger, and the first difference if it is to be `verified`."""
    with workspace.ledger.read() as connection:
        entries, distinct, reversals, decisions, provisional, plan_lines = connection.execute(
            "SELECT count(*), count(DISTINCT entry_id), count(*) FILTER (entry_kind = 'reversal'),"
            " (SELECT count(*) FROM row_decisions) + (SELECT count(*) FROM period_decisions),"
            " (SELECT count(*) FROM provisional_accruals) + (SELECT count(*) FROM fallback_steps),"
            " (SELECT count(*) FROM plan_lines)"
            " FROM ledger_entries"
        ).fetchall()[0]
        ledger_digest = digest(connection, date.min, date.max).hash
    first = verify(workspace, read_again=read_again).first if verified else None
    difference = None if first is None else str(first)
    shredded = workspace.audit.names(SubjectType.DELIVERY, State.SHREDDED)
    unreadable = sum(workspace.payloads.is_shredded(delivery) for delivery in shredded)
    decided = sum(record.kind in DECIDED for record in workspace.audit.records())
    counts = entries, distinct, reversals, decisions, provisional, plan_lines
    findings = len(workspace.pay_findings.lines())
    return Books(*counts, ledger_digest, difference, unreadable, decided, findings)
