"""The rules of an agreement as they bind a production: those in force, and the rows that each applies to.

Conditions on the production alone (its type, the start of photography) are decided here once; conditions on a
row are a mask over a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np

from showcost.config.agreements.rule_kinds import DayKind, KeyDate, PayRule, TierRule, WorkPlace
from showcost.pay.numbers import MOST, Bools, Ints, day_number, last_day

if TYPE_CHECKING:
    from datetime import date

    from showcost.config.agreements.model import Agreement
    from showcost.config.agreements.rule_kinds import Certainty
    from showcost.config.production import Production
    from showcost.pay.frame import Frame

_RuleT = TypeVar("_RuleT", bound=PayRule)
_PLACES: Final = list(WorkPlace)
_DAYS: Final = list(DayKind)


@dataclass(frozen=True)
class BoundRule(Generic[_RuleT]):
    """A rule that binds the production; `first` and `last` are days since 1970."""

    rule: _RuleT
    label: str
    first: int
    last: int

    @property
    def certainty(self) -> Certainty:
        """The certainty of the rule."""
        return self.rule.certainty

    @property
    def cited(self) -> str:
        """The source of the rule and its certainty, as text."""
        rule = self.rule
        return f"{self.label}, {rule.id}: {rule.source}, {rule.clause} ({rule.certainty})"

    def applies(self, frame: Frame) -> Bools:
        """Return which rows the rule applies to."""
        return self.covers(frame) & frame.is_work

    def covers(self, frame: Frame) -> Bools:
        """Return which rows the rule covers, whether they are pay for work or other pay."""
        return self._is_about(frame) & self._in_place(frame) & self._on_day(frame)

    def lacks_place(self, frame: Frame) -> Bools:
        """Return the rows that the rule may apply to, but that leave the place of work blank."""
        if not self.rule.places:
            return np.zeros(len(frame), np.bool_)
        return self._is_about(frame) & frame.is_work & (frame.place < 0) & self._on_day(frame)

    def lacks_workday(self, frame: Frame) -> Bools:
        """Return the rows that the rule may apply to, but that leave the day of the workweek blank."""
        if not set(self.rule.days) & {DayKind.SIXTH, DayKind.SEVENTH}:
            return np.zeros(len(frame), np.bool_)
        unstated = (frame.workweek_day == 0) & ~self._on_day(frame)
        unstated &= frame.day_kind == _DAYS.index(DayKind.ORDINARY)
        lacking: Bools = self._is_about(frame) & frame.is_work & self._in_place(frame) & unstated
        return lacking

    def _is_about(self, frame: Frame) -> Bools:
        rule = self.rule
        mask: Bools = (frame.day >= self.first) & (frame.day <= self.last)
        if rule.locals:
            mask &= frame.local.among(rule.locals)
        if rule.occupations:
            mask &= frame.occupation.among(rule.occupations)
        return mask

    def _in_place(self, frame: Frame) -> Bools:
        places = [_PLACES.index(place) for place in self.rule.places]
        return _any_of(frame.place, places) if places else np.ones(len(frame), np.bool_)

    def _on_day(self, frame: Frame) -> Bools:
        days = [_DAYS.index(day) for day in self.rule.days]
        return _any_of(frame.day_kind, days) if days else np.ones(len(frame), np.bool_)


@dataclass(frozen=True)
class BoundAgreement:
    """An agreement as it binds a production: the rules that are in force on some day of it.

    `currencies` are the production's.
    """

    agreement: Agreement
    rules: tuple[BoundRule[PayRule], ...]
    currencies: tuple[str, ...]

    def of_kind(self, *kinds: type[_RuleT]) -> list[BoundRule[_RuleT]]:
        """Return the bound rules of some kinds, in the order of the file."""
        return [bound for bound in self.rules if isinstance(bound.rule, kinds)]  # type: ignore[misc] # isinstance does not narrow a type argument

    @property
    def tiers(self) -> list[BoundRule[TierRule]]:
        """The rules of every kind that are tiers of a day's hours."""
        return [bound for bound in self.rules if isinstance(bound.rule, TierRule)]  # type: ignore[misc] # isinstance does not narrow a type argument


def bind(agreement: Agreement, production: Production) -> BoundAgreement:
    """Return an agreement's rules as they bind a production."""
    label = agreement.label
    rules = []
    for rule in agreement.rules:
        if rule.production_types and production.type not in rule.production_types:
            continue
        first, last = day_number(agreement.start), last_day(agreement.end)
        if agreement.keyed_on is KeyDate.PHOTOGRAPHY:
            first, last = -MOST, MOST
        if rule.keyed_on is KeyDate.PHOTOGRAPHY:
            if not _within(production.principal_photography.start, rule.start, rule.end):
                continue
        else:
            first = max(first, day_number(rule.start) if rule.start else first)
            last = min(last, last_day(rule.end))
        rules.append(BoundRule(rule, label, first, last))
    return BoundAgreement(agreement, tuple(rules), production.currencies)


def _within(day: date, start: date | None, end: date | None) -> bool:
    return (start is None or start <= day) and (end is None or day <= end)


def _any_of(values: Ints, choices: list[int]) -> Bools:
    mask: Bools = np.zeros(len(values), np.bool_)
    for choice in choices:
        mask |= values == choice
    return mask
