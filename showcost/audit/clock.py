"""The clocks of the machines that wrote the log: breaks in their times, and the record of a moment.

A record has the time as its machine said it. A clock that is a day or more ahead of the record before, or
behind it, is a break: the record says so. After a weekend that is right; for a wrong clock it is the only
trace. The order of the records is that of their numbers, whatever their times.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAP: Final = timedelta(days=1)
"""The longest time between two records that is no break."""


class ClockBreak(StrEnum):
    """The kind of a break; the values are stored in the log."""

    AHEAD = "ahead"
    """More than `LEAP` after the record before: a pause, or a clock that is ahead."""
    BACK = "back"
    """Before the record before: one of the two clocks is wrong."""


class BrokenTime(NamedTuple):
    """A moment that the times of the records do not place: between these two records, by their numbers."""

    first: int
    last: int


def break_between(before: datetime, now: datetime) -> ClockBreak | None:
    """Return the break between the times of two records, None if there is none."""
    if now < before:
        return ClockBreak.BACK
    return ClockBreak.AHEAD if now - before > LEAP else None


def break_text(seq: int, before: datetime, now: datetime) -> str:
    """Return a break in words, for the person at the terminal."""
    if now < before:
        return (
            f"audit record {seq}: the clock of this machine says {_text(now)}, but the record before it was"
            f" written at {_text(before)}; one of the two is wrong: check the clock, and give --as-of by the"
            " number of a record around here"
        )
    return (
        f"audit record {seq}: the clock of this machine says {_text(now)}, {(now - before).days} days after"
        " the record before; if nobody worked in between, that is right, else check the clock"
    )


def notes(times: Sequence[datetime]) -> list[str]:
    """Return what there is to say about the times of the records, which are in order from 1."""
    breaks = [
        (number, kind)
        for number, (before, now) in enumerate(pairwise(times), start=2)
        if (kind := break_between(before, now)) is not None
    ]
    back = [number for number, kind in breaks if kind is ClockBreak.BACK]
    found = []
    if back:
        shown = ", ".join(map(str, back[:5])) + (", …" if len(back) > len(back[:5]) else "")
        found.append(
            f"the clock ran back {len(back)} times, at records {shown}; around them, give --as-of by record"
            " number"
        )
    ahead = [number for number, kind in breaks if kind is ClockBreak.AHEAD]
    if ahead:
        longest = max(ahead, key=lambda number: times[number - 1] - times[number - 2])
        days = (times[longest - 1] - times[longest - 2]).days
        found.append(
            f"{len(ahead)} pauses, or leaps of the clock, of more than a day; the longest, {days} days, is"
            f" before record {longest} of {_text(times[longest - 1])}"
        )
    return found


def last_until(times: Sequence[datetime], moment: datetime) -> int | BrokenTime:
    """Return the number of the last record at or before a moment, 0 for none.

    `times` are those of all records in order. Where they do not tell, returns the numbers of the records
    between which the moment may lie.
    """
    outside = _outside(times)
    inside = [number for number in range(len(times)) if not outside[number]]
    after = next((place for place, number in enumerate(inside) if times[number] > moment), len(inside))
    early = [number for number in inside[after:] if times[number] <= moment]
    first = inside[after - 1] + 1 if after else 0
    if early:
        return BrokenTime(first, early[-1] + 1)
    following = inside[after] if after < len(inside) else len(times)
    if following > first and any(outside[first:following]):
        return BrokenTime(first, following)
    return first


def _outside(times: Sequence[datetime]) -> list[bool]:
    """Tell which records lie in a stretch whose clock was wrong by all the others.

    Such a stretch begins with a break and ends where the times go on as if it was not there.
    """
    outside = [False] * len(times)
    least = list(times)
    for number in range(len(times) - 2, -1, -1):
        least[number] = min(least[number], least[number + 1])
    number = 1
    while number < len(times):
        kind = break_between(times[number - 1], times[number])
        end = number
        if kind is ClockBreak.AHEAD and least[number] < times[number]:
            while times[end] >= times[number]:
                end += 1
            end = end if times[end] >= times[number - 1] else number
        elif kind is ClockBreak.BACK:
            while end < len(times) and times[end] < times[number - 1]:
                end += 1
            end = end if end < len(times) else number
        outside[number:end] = [True] * (end - number)
        number = max(end, number) + 1
    return outside


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
