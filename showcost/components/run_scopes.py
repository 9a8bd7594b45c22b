"""The work of a run: which assets it makes, and of which dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.components import naming

if TYPE_CHECKING:
    from datetime import date

    import dagster as dg

FEEDS_TAG: Final = "showcost/feeds"
DATES_TAG: Final = "showcost/dates"
"""Tags by which the list of runs can be read: the feeds of a run, and its dates."""

_PARTITION: Final = "dagster/partition"


@dataclass(frozen=True)
class RunScope:
    """The work of a run: asset names (None for all), and dates; a run without dates has none of them."""

    assets: frozenset[str] | None
    first: str
    last: str

    @classmethod
    def of(cls, run: dg.DagsterRun) -> RunScope:
        """Return the scope of a run."""
        chosen = run.asset_selection
        day = run.tags.get(_PARTITION, "")
        return cls(
            None if chosen is None else frozenset(key.to_user_string() for key in chosen),
            run.tags.get(naming.RANGE_START, day),
            run.tags.get(naming.RANGE_END, day),
        )

    def covers(self, asset: str, day: date | None) -> bool:
        """Return whether the run makes an asset, of a date or without one."""
        if self.assets is not None and asset not in self.assets:
            return False
        return day is None or self.first <= day.isoformat() <= self.last

    def contains(self, other: RunScope) -> bool:
        """Return whether the run does all work of another one."""
        if self.assets is not None and (other.assets is None or not other.assets <= self.assets):
            return False
        return not other.first or (self.first <= other.first and other.last <= self.last)
