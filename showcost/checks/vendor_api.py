"""Checks of vendor API pulls: complete dates and missing pages."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from showcost.checks.result import CheckOutcome
from showcost.core.reason_catalogue import CATALOGUE
from showcost.pipeline.vendor_pulls import COMPLETE, NEVER, missing_pages, pulled_dates
from showcost.vendor_api.dead_letters import EXHAUSTED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from showcost.config.feed import FeedSpec
    from showcost.workspace import Workspace


_NAMED: Final = 3


def dates_complete(
    workspace: Workspace, dates: Sequence[date], *, feed: FeedSpec
) -> dict[date, CheckOutcome]:
    """Check, per date that was ever requested, that every page of its window is stored."""
    return {
        day: CheckOutcome(
            passed=state == COMPLETE,
            message=f"{state}, {pages} pages stored",
            facts={"state": state, "pages": pages},
        )
        for day, (state, pages) in pulled_dates(workspace, feed, dates).items()
        if state != NEVER
    }


def nothing_missing(workspace: Workspace, *, feed: FeedSpec) -> CheckOutcome:
    """Check that no page of a feed is missing; the message counts the errors."""
    letters = missing_pages(workspace, feed)
    facts: dict[str, str | int] = {"missing": len(letters)}
    if not letters:
        return CheckOutcome(passed=True, message="every requested page is stored", facts=facts)
    errors = Counter(letter.error for letter in letters)
    named = ", ".join(f"{error} {count}" for error, count in errors.most_common(_NAMED))
    reason = CATALOGUE[EXHAUSTED]
    return CheckOutcome(
        passed=False,
        message=f"{len(letters)} pages are missing ({named}): {reason.code}, {reason.meaning}",
        facts=facts,
    )
