"""An agreement: whom it covers, from when to when, and its rules; and the scales that its increases make.

One YAML file is one agreement. Everything that can be said of the file alone is checked here; what needs
other agreements is checked in `loading`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Self, TypeVar

from pydantic import Field, model_validator

from showcost.config.agreements.kinds import (
    AnnualIncreases,
    Basis,
    Certainty,
    KeyDate,
    PayRule,
    ScaleFloor,
    ScaleRate,
    Text,
)
from showcost.config.chart import UnionCategory
from showcost.config.loading import ConfigModel
from showcost.config.production import Currency
from showcost.core.hashing import sha256_framed

if TYPE_CHECKING:
    from collections.abc import Iterator


_RuleT = TypeVar("_RuleT")
_VERSION_DIGITS = 12


class Local(ConfigModel):
    """A local of the union, and how the occupation codes of its wage schedule are known.

    By `prefixes` or as whole `codes`. A local with neither is one of whose codes nothing was read: in an
    agreement of several locals its rows are looked at by hand, in one of its own it takes every code.
    """

    local: Text
    title: Text
    prefixes: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    source: Text
    certainty: Certainty


class Agreement(ConfigModel):
    """One agreement, as its file describes it."""

    agreement: Text
    aliases: tuple[str, ...] = ()
    version: Annotated[str, Field(pattern=r"^[0-9]{4}\.[0-9]+$")]
    union: UnionCategory
    currency: Currency
    start: date = Field(alias="from")
    end: date | None = Field(default=None, alias="to")
    keyed_on: KeyDate = KeyDate.WORK_DATE
    source: Text
    certainty: Certainty
    remark: str = ""
    code_pattern: str = r".+"
    locals: tuple[Local, ...] = Field(min_length=1)
    rules: tuple[Annotated[PayRule, Field(discriminator="kind")], ...] = Field(min_length=1)

    @property
    def name(self) -> str:
        """The name by which productions and manifests call it."""
        return self.agreement

    @cached_property
    def version_hash(self) -> str:
        """The hash of all that the file says, 12 hex digits; comments and layout do not count."""
        content = self.model_dump_json(exclude_defaults=False)
        return sha256_framed([content])[:_VERSION_DIGITS]

    @cached_property
    def label(self) -> str:
        """Name, version and hash: what a row was judged by."""
        return f"{self.agreement} {self.version}@{self.version_hash}"

    def of_kind(self, *kinds: type[_RuleT]) -> tuple[_RuleT, ...]:
        """Return the rules of some kinds, in the order of the file."""
        return tuple(rule for rule in self.rules if isinstance(rule, kinds))

    @cached_property
    def scales(self) -> tuple[ScalePeriod, ...]:
        """The scales of every occupation over time, increases applied."""
        return tuple(
            period
            for rule in self.of_kind(ScaleFloor)
            for period in _periods(rule, self.of_kind(AnnualIncreases), self.end)
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.end is not None and self.end < self.start:
            raise ValueError("a date `to` that is not before `from`")
        ids = [rule.id for rule in self.rules]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(f"rules with an id each; {one!r} stands twice")
        self._locals_apart()
        self._filters_known()
        _ = self.scales
        return self

    def _locals_apart(self) -> None:
        try:
            re.compile(self.code_pattern)
        except re.error:
            raise ValueError(f"a regular expression as code_pattern, not {self.code_pattern!r}") from None
        owner: dict[str, str] = {}
        for local in self.locals:
            for mark in (*local.prefixes, *local.codes):
                other = owner.setdefault(mark, local.local)
                if other != local.local:
                    raise ValueError(
                        f"occupation codes of one local each; {mark!r} is of {other} and {local.local}"
                    )
        for one, other in pairwise(sorted(owner)):
            if other.startswith(one) and owner[one] != owner[other]:
                raise ValueError(f"prefixes that tell locals apart; {other!r} begins with {one!r}")

    def _filters_known(self) -> None:
        known = {local.local for local in self.locals}
        scales = {rule.id for rule in self.of_kind(ScaleFloor)}
        for rule in self.rules:
            for local in rule.locals:
                if local not in known:
                    raise ValueError(f"rule {rule.id}: locals of this agreement, not {local!r}")
            for raised in rule.raises if isinstance(rule, AnnualIncreases) else ():
                if raised not in scales:
                    raise ValueError(f"rule {rule.id}: scale rules of this agreement, not {raised!r}")


@dataclass(frozen=True)
class ScalePeriod:
    """The scale of an occupation from `start` to `end` (included; None: open), per `basis`.

    `arithmetic` says how increases led to the amount; empty for one that was read.
    """

    rule: ScaleFloor
    rate: ScaleRate
    basis: Basis
    start: date
    end: date | None
    amount: Decimal
    certainty: Certainty
    source: str
    arithmetic: str


def compounded(amount: Decimal, percent: Decimal, round_to: Decimal) -> Decimal:
    """Return an amount raised by a percentage and rounded to `round_to` (1, 0.1 or 0.01), halves up."""
    return (amount * (100 + percent) * Decimal("0.01")).quantize(round_to, ROUND_HALF_UP)


def _periods(
    rule: ScaleFloor, increases: tuple[AnnualIncreases, ...], last: date | None
) -> Iterator[ScalePeriod]:
    groups: dict[tuple[str, str | None], list[ScaleRate]] = {}
    for rate in rule.rates:
        groups.setdefault((rate.occupation, rate.schedule), []).append(rate)
    for (occupation, schedule), rates in groups.items():
        days = [rate.on for rate in rates]
        if days != sorted(set(days)):
            raise ValueError(f"rule {rule.id}: rates of {occupation} {schedule or ''} with ascending dates")
        found = list(_raised(rule, rates, increases))
        ends = [period.start - timedelta(days=1) for period in found[1:]]
        for period, end in zip(found, [*ends, last], strict=True):
            yield ScalePeriod(**(vars(period) | {"end": end}))


def _raised(
    rule: ScaleFloor, rates: list[ScaleRate], increases: tuple[AnnualIncreases, ...]
) -> Iterator[ScalePeriod]:
    """Yield the scales read and, between and after them, those that increases make.

    What was read for the day of an increase must be what the increase makes of the scale before.
    """
    read = {rate.on: rate for rate in rates}
    steps = {
        step.on: (step.percent, one)
        for one in increases
        if rule.id in one.raises
        for step in one.steps
        if step.on > rates[0].on
    }
    amount, certainty, arithmetic = Decimal(0), Certainty.HIGH, ""
    for day in sorted({*read, *steps}):
        made: Decimal | None = None
        if day in steps:
            percent, by = steps[day]
            made = compounded(amount, percent, by.round_to)
            arithmetic = f"{amount} raised by {percent}% on {day}, rounded to {by.round_to}: {made}"
            certainty = Certainty.DERIVED.less_sure(certainty).less_sure(by.certainty)
        rate = read.get(day) or rates[0]
        if day in read:
            if made is not None and made != rate.amount:
                raise ValueError(f"rule {rule.id}: {arithmetic}, and not {rate.amount}")
            made, certainty, arithmetic = rate.amount, rate.certainty or rule.certainty, ""
        amount = made if made is not None else amount
        source = rate.source or rule.source
        yield ScalePeriod(rule, rate, rule.basis, day, None, amount, certainty, source, arithmetic)
