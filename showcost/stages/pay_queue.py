"""Pay findings as the person who works the queue sees them: which wait for a look, and about which rows.

A finding never changes a row (docs/decisions/0015); that a person looked is not recorded here either.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from showcost.config.record_kinds import PAYROLL
from showcost.stages.replay import RowPlace
from showcost.staging.findings import FindingsStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from showcost.config.feed import FeedSpec
    from showcost.config.home import Home
    from showcost.staging.findings import Finding


def place_of(finding: Finding) -> RowPlace:
    """Return the place of the row that a finding is about."""
    return RowPlace(finding.feed, finding.delivery, finding.record)


def standing_findings(home: Home, feeds: Sequence[FeedSpec], at: datetime | None = None) -> list[Finding]:
    """Return the findings about rows of some feeds that wait for a look.

    As known at a moment, which counts by the second, or now; by feed, date of work, row and code.
    """
    names = {feed.name for feed in feeds if feed.kind is PAYROLL}
    found = [one for one in FindingsStore(home.path).current(at=at) if one.feed in names] if names else []
    return sorted(
        found, key=lambda one: (one.feed, one.transaction_date, one.row_key, one.code, one.finding_id)
    )


def chosen_findings(
    found: Iterable[Finding], code: str | None, first: date | None, last: date | None
) -> list[Finding]:
    """Return the findings with a code, about days of work from `first` to `last`; None does not narrow."""
    return [
        one
        for one in found
        if (code is None or one.code == code)
        and (first or date.min) <= date.fromisoformat(one.transaction_date) <= (last or date.max)
    ]


def findings_about(home: Home, place: RowPlace, at: datetime | None = None) -> list[Finding]:
    """Return the findings about one row that wait for a look, as known at a moment, or now."""
    return [one for one in FindingsStore(home.path).current(place.feed, at=at) if place_of(one) == place]


def counts_of_findings(found: Iterable[Finding]) -> Mapping[str, Mapping[str, int]]:
    """Return the findings counted by feed and code."""
    counted: dict[str, Counter[str]] = {}
    for one in found:
        counted.setdefault(one.feed, Counter())[one.code] += 1
    return {feed: dict(sorted(codes.items())) for feed, codes in sorted(counted.items())}
