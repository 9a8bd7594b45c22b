"""State of pulls per feed and date, missing pages, and retries that are due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from showcost.vendor_api.dead_letters import DeadLetters
from showcost.vendor_api.failures import PASSING
from showcost.vendor_api.progress import PullProgress
from showcost.vendor_api.pull import is_settled
from showcost.vendor_api.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from showcost.config.feed import FeedSpec
    from showcost.vendor_api.dead_letters import DeadLetter
    from showcost.workspace import Workspace

COMPLETE: Final = "complete"
MISSING: Final = "missing"
PARTLY: Final = "partly there"
NEVER: Final = "never pulled"


def missing_pages(workspace: Workspace, feed: FeedSpec, as_of: int | None = None) -> list[DeadLetter]:
    """Return the pages of a feed that failed after all retries, after the audit record `as_of`, or now."""
    letters = DeadLetters(workspace.raw, feed.name)
    return letters.open() if as_of is None else letters.open_as_of(workspace.audit, as_of)


def pulled_dates(workspace: Workspace, feed: FeedSpec, dates: Sequence[date]) -> dict[date, tuple[str, int]]:
    """Return, per date, its pull state and the number of stored pages of its window."""
    if feed.api is None or not dates:
        return {}
    pulls = PullProgress(workspace.raw, feed.name)
    missing = DeadLetters(workspace.raw, feed.name).missing()
    states: dict[date, tuple[str, int]] = {}
    for window in windows(feed.api, workspace.production.dates, min(dates), max(dates)):
        progress = pulls.of(window)
        if window in missing:
            state = MISSING
        elif progress is None:
            state = NEVER
        else:
            state = COMPLETE if progress.complete else PARTLY
        for day in window.dates:
            states[day] = (state, progress.pages if progress else 0)
    return {day: states[day] for day in dates if day in states}


@dataclass(frozen=True)
class DuePull:
    """A vendor to pull from: its feeds with missing windows, and the dates of these windows."""

    vendor: str
    feeds: tuple[FeedSpec, ...]
    dates: tuple[date, ...]


def due_retries(
    workspace: Workspace, feeds: Sequence[FeedSpec], asked: Mapping[str, datetime], now: datetime
) -> Iterator[DuePull]:
    """Yield the vendors due for a retry.

    Only for transient errors (`PASSING`), and only after the vendor's cool-down (`again_minutes`), counted
    from the last attempt of any pull and from `asked`, the time of the last retry request per vendor.
    """
    of_vendor: dict[str, list[tuple[FeedSpec, list[DeadLetter]]]] = {}
    for feed in feeds:
        if feed.api is not None and (letters := _passing(workspace, feed)):
            of_vendor.setdefault(feed.vendor, []).append((feed, letters))
    for vendor, missing in sorted(of_vendor.items()):
        letters = [letter for _, feed_letters in missing for letter in feed_letters]
        before = asked.get(vendor)
        tried = max(datetime.fromisoformat(letter.last_seen) for letter in letters)
        pause = max(
            timedelta(minutes=feed.api.retries.again_minutes) for feed, _ in missing if feed.api is not None
        )
        if now - max(tried, before or tried) < pause:
            continue
        yield DuePull(
            vendor,
            tuple(feed for feed, _ in missing),
            tuple(sorted({day for letter in letters for day in letter.window.dates})),
        )


def unsettled(workspace: Workspace, feeds: Sequence[FeedSpec], until: date) -> Iterator[DuePull]:
    """Yield the vendors with windows up to a date that were not pulled, not to the end, or may still change.

    Those that failed are among them, whatever the reason: a night is long enough after the last attempt.
    """
    of_vendor: dict[str, dict[str, FeedSpec]] = {}
    dates: dict[str, set[date]] = {}
    production = workspace.production
    zone = ZoneInfo(production.timezone)
    for feed in feeds:
        if feed.api is None:
            continue
        progress = PullProgress(workspace.raw, feed.name)
        missing = DeadLetters(workspace.raw, feed.name).missing()
        for window in windows(feed.api, production.dates, production.dates.start, until):
            if window in missing or not is_settled(progress, feed.api, window, zone):
                of_vendor.setdefault(feed.vendor, {})[feed.name] = feed
                dates.setdefault(feed.vendor, set()).update(day for day in window.dates if day <= until)
    for vendor, names in sorted(of_vendor.items()):
        yield DuePull(vendor, tuple(feed for _, feed in sorted(names.items())), tuple(sorted(dates[vendor])))


def _passing(workspace: Workspace, feed: FeedSpec) -> list[DeadLetter]:
    return [letter for letter in missing_pages(workspace, feed) if letter.error in PASSING]
