"""The books as plain Python: a list of rows, a list of postings, and the rules in a few lines.

Nothing of showcost is used. A row is what was delivered of an invoice line; of all rows with one number (the
key) at most one is posted.
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
    """What a row says: the number is its key; with `known` false its account is none of the chart."""

    number: str
    day: date
    net: Decimal
    known: bool = True


@dataclass
class Row:
    """A row as delivered, and what was decided about it since; `*_at` count decisions and postings."""

    delivery: int
    record: int
    delivered: Content
    content: Content
    withheld: bool = False
    withdrawn: bool = False
    preferred: bool = False
    corrected_ever: bool = False
    corrected: bool = False
    changed_at: int = -1
    decided_at: int = 0

    @property
    def place(self) -> tuple[int, int]:
        return self.delivery, self.record


@dataclass(frozen=True)
class Posting:
    """An entry of the ledger: which row, as it was read then, the generation of its key, and when."""

    row: tuple[int, int]
    content: Content
    generation: int
    at: int
    reversed: bool = False


@dataclass
class Books:
    """All rows and postings; `closed` are days that take nothing."""

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
        row.withheld = row.withdrawn = False
        row.changed_at = row.decided_at = self.clock

    def discard(self, row: Row) -> None:
        self.clock += 1
        row.withheld, row.withdrawn, row.decided_at = True, False, self.clock

    def withdraw(self, row: Row) -> None:
        self.clock += 1
        row.withheld = row.withdrawn = True
        row.decided_at = self.clock

    def prefer(self, row: Row, holder: Row) -> None:
        self.withdraw(holder)
        row.preferred, row.withheld, row.withdrawn = True, False, False
        row.decided_at = self.clock

    def reopen(self, row: Row) -> None:
        self.clock += 1
        if row.corrected_ever:
            row.changed_at = self.clock
        row.content = row.delivered
        row.withheld = row.withdrawn = row.preferred = row.corrected = False
        row.decided_at = 0

    def standing(self) -> list[Posting]:
        return [one for one in self.postings if not one.reversed]

    def taken_back(self, posting: Posting) -> bool:
        """Say whether a decision takes a standing posting back."""
        row = self.at(posting.row)
        return row.withheld or row.changed_at > posting.at

    def at(self, place: tuple[int, int]) -> Row:
        return next(row for row in self.rows if row.place == place)

    def run(self, days: Collection[date], only: Collection[tuple[int, int]] | None = None) -> None:
        """Judge and post the rows of some days, all at once; or of them only some rows."""
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
            or not self.taken_back(posting)
            or not (posting.content.day in days or posting.content.number in keys)
            for posting in self.postings
        ]
        self.postings = [
            posting if stay else replace(posting, reversed=True)
            for posting, stay in zip(self.postings, stays, strict=True)
        ]
        for row in valid:
            held = [one for one in self.standing() if one.content.number == row.content.number]
            if not held:
                earlier = [
                    one.generation for one in self.postings if one.content.number == row.content.number
                ]
                generation = max(earlier, default=0) + 1
                self.postings.append(Posting(row.place, row.content, generation, self.clock))

    def _is_valid(self, row: Row) -> bool:
        """Say whether a row may be posted, or stays posted."""
        holders = [
            posting
            for posting in self.standing()
            if posting.content.number == row.content.number and not self.taken_back(posting)
        ]
        if holders:
            return holders[0].row == row.place
        rivals = [
            one
            for one in self.rows
            if one.content.number == row.content.number and self._is_sound(one) and not self._repeats(one)
        ]
        return min(rivals, key=_claim, default=None) is row and not row.withheld

    def _repeats(self, row: Row) -> bool:
        """Say whether a row comes after a corrected one and says what that said before the correction."""
        former = [one.place for one in self.rows if one.corrected and one.delivered == row.content]
        return bool(former) and row.place > min(former) and not row.preferred

    def _is_sound(self, row: Row) -> bool:
        """Say whether a row may hold its key; what was discarded claims it as if nothing were decided."""
        return row.withdrawn or (row.content.known and row.content.day not in self.closed)


def _claim(row: Row) -> tuple[int, bool, tuple[int, int]]:
    """Return by what rivals are ordered: the last preferred, one that was taken back, the earliest."""
    return -row.decided_at if row.preferred and not row.withheld else 0, not row.withdrawn, row.place
