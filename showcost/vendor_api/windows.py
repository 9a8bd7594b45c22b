"""Windows: ranges of dates that are requested together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from showcost.config.api import ApiSpec
    from showcost.config.production import DateRange


@dataclass(frozen=True, order=True)
class Window:
    """Consecutive dates that are requested together, first and last included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    @property
    def dates(self) -> list[date]:
        """The dates, ascending."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


def windows(api: ApiSpec, production: DateRange, first: date, last: date) -> Iterator[Window]:
    """Yield the windows that contain the dates from `first` to `last`; window boundaries never move."""
    days = api.window.days
    begin = production.start + timedelta(
        days=(max(first, production.start) - production.start).days // days * days
    )
    while begin <= min(last, production.end):
        yield Window(begin, min(begin + timedelta(days=days - 1), production.end))
        begin += timedelta(days=days)
