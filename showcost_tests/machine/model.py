"""A model of the ledger in plain Python: a list of rows, a list of postings, and the rules in a few lines.

It does not use showcost. A row is a delivered invoice line; of all rows with one number (the key) at most one
is posted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date
    from decimal import Decimal


@dataclass(frozen=True)
class Content:
    """The content of a row: the number is its key; `known_account` tells if the chart has its account."""

    number: str
    day: date
    net: Decimal
    known_account: bool = True


@dataclass
class Row:
    """A delivered row and the effect of decisions on it; `*_at` are times of the clock of `Books`."""

    delivery: int
    record: int
    delivered: Content
    content: Content
    withheld: bool = False
    reversed: bool = False
    rebooked: bool = False
    corrected_ever: bool = False
    corrected: bool = False
    changed_at: int = -1
    decided_at: int = 0

    @property
    def place(self) -> tuple[int, int]:
        return self.delivery, self.record


@dataclass(frozen=True)
class Posting:
    """A posting: its row, the content at the time, the revision of the key, and the time."""

    row: tuple[int, int]
    content: Content
    revision: int
    at: int
    reversed: bool = False


@dataclass
class Books:
    """All rows and postings; nothing may be posted on `closed` days."""

    rows: list[Row] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    closed: set[date] = field(default_factory=set)
    clock: int = 0

    def deliver(self, delivery: int, contents: Iterable[Content]) -> None:
        for record, content in enumerate(contents, start=2):
            self.rows.append(Row(delivery, record, content, content))

    def correct(self, row: Row, content: Content) -> None:
        self.clock += 1
        row.content, row.corrected, row.corrected_ever = content, True, True
        row.withheld = row.reversed = False
        row.changed_at = row.decided_at = self.clock

    def discard(self, row: Row) -> None:
        self.clock += 1
        row.withheld, row.reversed, row.decided_at = True, False, self.clock

    def reverse(self, row: Row) -> None:
        self.clock += 1
        row.withheld = row.reversed = True
        row.decided_at = self.clock

    def rebook(self, row: Row, holder: Row) -> None:
        self.reverse(holder)
        row.rebooked, row.withheld, row.reversed = True, False, False
        row.decided_at = self.clock

    def undo(self, row: Row) -> None:
        self.clock += 1
        if row.corrected_ever:
            row.changed_at = self.clock
        row.content = row.delivered
        row.withheld = row.reversed = row.rebooked = row.corrected = False
        row.decided_at = 0

    def active(self) -> list[Posting]:
        return [posting for posting in self.postings if not posting.reversed]

    def is_reversible(self, posting: Posting) -> bool:
        """Say whether a decision reverses an active posting."""
        row = self.at(posting.row)
        return row.withheld or row.changed_at > posting.at

    def at(self, place: tuple[int, int]) -> Row:
        return next(row for row in self.rows if row.place == place)

    def run(self, days: Collection[date], only: Collection[tuple[int, int]] | None = None) -> None:
        """Validate and post all rows of some days together, or only some rows."""
        chosen = [
            row
            for row in self.rows
            if (only is None and row.content.day in days) or (only is not None and row.place in only)
        ]
        valid = [row for row in chosen if self._is_valid(row)]
        keys = {row.content.number for row in valid}
        self.clock += 1
        stays = [
            posting.reversed
            or not self.is_reversible(posting)
            or not (posting.content.day in days or posting.content.number in keys)
            for posting in self.postings
        ]
        self.postings = [
            posting if stay else replace(posting, reversed=True)
            for posting, stay in zip(self.postings, stays, strict=True)
        ]
        for row in valid:
            number = row.content.number
            if not any(posting.content.number == number for posting in self.active()):
                earlier = [posting.revision for posting in self.postings if posting.content.number == number]
                revision = max(earlier, default=0) + 1
                self.postings.append(Posting(row.place, row.content, revision, self.clock))

    def _is_valid(self, row: Row) -> bool:
        """Say whether a row may be posted, or stays posted."""
        holders = [
            posting
            for posting in self.active()
            if posting.content.number == row.content.number and not self.is_reversible(posting)
        ]
        if holders:
            return holders[0].row == row.place
        candidates = [
            candidate
            for candidate in self.rows
            if candidate.content.number == row.content.number
            and self._may_hold_key(candidate)
            and not self._repeats(candidate)
        ]
        return min(candidates, key=_precedence, default=None) is row and not row.withheld

    def _repeats(self, row: Row) -> bool:
        """Say whether a row follows a corrected row and equals it before the correction."""
        former = [
            earlier.place for earlier in self.rows if earlier.corrected and earlier.delivered == row.content
        ]
        return bool(former) and row.place > min(former) and not row.rebooked

    def _may_hold_key(self, row: Row) -> bool:
        """Say whether a row may hold its key; discarding does not matter."""
        return row.reversed or (row.content.known_account and row.content.day not in self.closed)


def _precedence(row: Row) -> tuple[int, bool, tuple[int, int]]:
    """Return the sort key of rows with one key: last rebooked first, then reversed, then earliest."""
    return -row.decided_at if row.rebooked and not row.withheld else 0, not row.reversed, row.place
