"""The fallback chain: provisional accruals for days whose vendor invoices are unavailable.

Per date of a feed, from its stored pulls:

1. the window is missing, but was complete before: its last good delivery counts, nothing is accrued;
2. it is missing, but some of its pages are stored: these pages count, nothing is accrued;
3. it is missing altogether: a provisional accrual from the vendor's terms of that date, at cached rates;
4. it is missing, and no terms are in force: no accrual, which is recorded too;
5. it is complete: open accruals are released.

Each step is recorded once, in the audit log first, with the dead letter that led to it. No step changes the
entries of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from showcost.ledger.accruals import Accrual, AccrualContext, accrual_segments, accrue, provisional, release
from showcost.ledger.fallback_log import (
    RELEASED,
    FallbackStep,
    last_steps,
    new_steps,
    record_fallback_steps,
)
from showcost.ledger.recovery import writing
from showcost.vendor_api.dead_letters import DeadLetters
from showcost.vendor_api.progress import PullProgress
from showcost.vendor_api.windows import Window, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from showcost.config.api import VendorTerms
    from showcost.config.feed import FeedSpec
    from showcost.vendor_api.dead_letters import DeadLetter
    from showcost.vendor_api.progress import WindowProgress
    from showcost.workspace import Workspace

LAST_GOOD: Final = "last good delivery"
PARTLY_THERE: Final = "partly there"
ACCRUED: Final = "provisional accrual"
NO_TERMS: Final = "no terms"

_NEVER_COMPLETE: Final = "the window was never pulled to its end"


@dataclass
class FallbackResult:
    """Result for some dates of a feed: the steps, and the number of accruals made and released."""

    steps: list[FallbackStep] = field(default_factory=list)
    accruals: list[Accrual] = field(default_factory=list)
    releasing: dict[date, str] = field(default_factory=dict)
    accrued: int = 0
    released: int = 0


def apply_fallback(
    workspace: Workspace,
    feed: FeedSpec,
    dates: Sequence[date],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FallbackResult:
    """Take the fallback steps for the dates of a feed and record each; idempotent.

    Writes accruals, releases and steps to the ledger database, each after its audit record.
    """
    plan = _plan(workspace, feed, dates)
    if not plan.steps and not plan.releasing:
        return plan
    ledger, now = workspace.ledger, clock()
    books = AccrualContext(workspace.production.code, workspace.production.base_currency)
    with writing(ledger) as connection:
        plan.accrued = accrue(ledger, connection, books, plan.accruals, now)
        plan.released = release(ledger, connection, feed.name, plan.releasing, now)
        plan.steps += new_steps(last_steps(connection), _releases(plan, feed))
        record_fallback_steps(ledger, connection, plan.steps, now)
    return plan


def due_by_fallback(workspace: Workspace, feed: FeedSpec) -> list[date]:
    """Return the dates of a feed whose next step differs from the last one recorded, ascending."""
    dates = workspace.production.dates
    plan = _plan(workspace, feed, Window(dates.start, dates.end).dates)
    if not plan.steps and not plan.releasing:
        return []
    with workspace.ledger.read() as connection:
        last = last_steps(connection)
    fresh = new_steps(last, [*plan.steps, *_releases(plan, feed)])
    return sorted({step.transaction_date for step in fresh})


def _releases(plan: FallbackResult, feed: FeedSpec) -> list[FallbackStep]:
    """Return the steps that release the accruals of dates whose delivery has arrived."""
    return [
        FallbackStep(feed.name, day, RELEASED, delivery, "the delivery has come")
        for day, delivery in plan.releasing.items()
    ]


def open_accruals(
    workspace: Workspace, first: date, last: date, feed: str | None = None, as_of: int | None = None
) -> pa.Table:
    """Return the open accruals after the audit record `as_of`, or now; see `provisional` for the columns."""
    ledger = workspace.ledger
    segments = None if as_of is None else accrual_segments(ledger.audit, as_of)
    with ledger.read() as connection:
        return provisional(connection, first, last, feed, segments)


def _plan(workspace: Workspace, feed: FeedSpec, dates: Sequence[date]) -> FallbackResult:
    plan = FallbackResult()
    if feed.api is None or not dates:
        return plan
    pulls = PullProgress(workspace.raw, feed.name)
    missing = {letter.window: letter for letter in DeadLetters(workspace.raw, feed.name).open()}
    requested = set(dates)
    for window in windows(feed.api, workspace.production.dates, min(dates), max(dates)):
        letter = missing.get(window)
        progress = pulls.of(window)
        days = [day for day in window.dates if day in requested]
        if letter is not None:
            for day in days:
                _plan_day(plan, feed, day, letter, progress)
        elif progress is not None and progress.complete:
            plan.releasing |= dict.fromkeys(days, progress.delivery)
    return plan


def _plan_day(
    plan: FallbackResult, feed: FeedSpec, day: date, letter: DeadLetter, progress: WindowProgress | None
) -> None:
    """Add the step for a date whose window is missing, and its accruals if there are any."""

    def step(name: str, detail: str) -> None:
        plan.steps.append(FallbackStep(feed.name, day, name, letter.id, detail))

    if progress is not None and progress.ever_complete is not None:
        step(LAST_GOOD, f"pulled until {progress.ever_complete.isoformat(timespec='seconds')}")
        return
    if progress is not None:
        step(PARTLY_THERE, f"{_NEVER_COMPLETE}; {progress.pages} pages are there")
        return
    terms = list(_terms_in_force(feed, day))
    plan.accruals += [
        Accrual(
            feed=feed.name,
            transaction_date=day,
            vendor_code=item.vendor_code,
            account=item.account,
            description=item.description,
            due_date=day + timedelta(days=item.payment_days),
            currency=item.currency,
            amount=item.day_rate,
            because=letter.id,
        )
        for item in terms
    ]
    name = ACCRUED if terms else NO_TERMS
    step(name, f"{_NEVER_COMPLETE}, no page of it is there; {len(terms)} terms are in force")


def _terms_in_force(feed: FeedSpec, day: date) -> Iterator[VendorTerms]:
    """Yield the terms in force on a day: per vendor and account, the latest ones."""
    latest: dict[tuple[str, str], VendorTerms] = {}
    for terms in sorted(feed.api.terms if feed.api else (), key=lambda item: item.since):
        if terms.since <= day:
            latest[terms.vendor_code, terms.account] = terms
    yield from latest.values()
