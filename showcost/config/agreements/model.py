"""Agreements: locals covered, dates in force and pay rules, and the scales after increases.

One YAML file is one agreement. This module checks each file by itself; `loading` checks agreements against
each other.
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

from showcost.config.agreements.rule_kinds import (
    AnnualIncreases,
    Basis,
    Certainty,
    KeyDate,
    MoneyBreak,
    PayRule,
    ScaleFloor,
    ScaleRate,
    Text,
    TierRule,
)
from showcost.config.loading import ConfigModel
from showcost.config.production import Currency
from showcost.core.hashing import sha256_framed

if TYPE_CHECKING:
    from collections.abc import Iterator


Union = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
"""A guild or union, in lower case, or `none` for labour without one."""

_RuleT = TypeVar("_RuleT")
_VERSION_DIGITS = 12


class Local(ConfigModel):
    """A local of the union, with the occupation codes of its wage schedule as `prefixes` or whole `codes`.

    A local without either has unknown codes: if the agreement has several locals, its rows need a person's
    review; if it is the only local, it covers every code.
    """

    local: Text
    title: Text
    prefixes: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    source: Text
    certainty: Certainty


class Agreement(ConfigModel):
    """One agreement, as described in its file."""

    agreement: Text
    aliases: tuple[str, ...] = ()
    version: Annotated[str, Field(pattern=r"^[0-9]{4}\.[0-9]+$")]
    union: Union
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
        """The name that productions and payroll manifests use."""
        return self.agreement

    @cached_property
    def version_hash(self) -> str:
        """The hash of the file's content, 12 hex digits, without comments and layout."""
        content = self.model_dump_json(exclude_defaults=False)
        return sha256_framed([content])[:_VERSION_DIGITS]

    @cached_property
    def label(self) -> str:
        """Name, version and hash, recorded with each row that was checked."""
        return f"{self.agreement} {self.version}@{self.version_hash}"

    def of_kind(self, *kinds: type[_RuleT]) -> tuple[_RuleT, ...]:
        """Return the rules of the given kinds, in the order of the file."""
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
        for rule_id in ids:
            if ids.count(rule_id) > 1:
                raise ValueError(f"rules with unique ids; {rule_id!r} occurs twice")
        self._check_locals()
        self._check_references()
        _ = self.scales
        return self

    def _check_locals(self) -> None:
        try:
            re.compile(self.code_pattern)
        except re.error:
            raise ValueError(f"a regular expression as code_pattern, not {self.code_pattern!r}") from None
        owner: dict[str, str] = {}
        for local in self.locals:
            for code in (*local.prefixes, *local.codes):
                other = owner.setdefault(code, local.local)
                if other != local.local:
                    raise ValueError(
                        f"occupation codes of one local only; {code!r} is of {other} and {local.local}"
                    )
        for code, other in pairwise(sorted(owner)):
            if other.startswith(code) and owner[code] != owner[other]:
                raise ValueError(f"unambiguous prefixes of locals; {other!r} begins with {code!r}")

    def _check_references(self) -> None:
        locals_ = {local.local for local in self.locals}
        scales = {rule.id for rule in self.of_kind(ScaleFloor)}
        tiers = {rule.id for rule in self.rules if isinstance(rule, TierRule)}
        for rule in self.rules:
            for local in rule.locals:
                if local not in locals_:
                    raise ValueError(f"rule {rule.id}: locals of this agreement, not {local!r}")
            for raised in rule.raises if isinstance(rule, AnnualIncreases) else ():
                if raised not in scales:
                    raise ValueError(f"rule {rule.id}: scale rules of this agreement, not {raised!r}")
            for replaced in rule.replaces if isinstance(rule, MoneyBreak) else ():
                if replaced not in tiers:
                    raise ValueError(f"rule {rule.id}: overtime rules of this agreement, not {replaced!r}")


@dataclass(frozen=True)
class ScalePeriod:
    """The scale of an occupation from `start` to `end` (included; None: open), per `basis`.

    `arithmetic` explains the increases that led to the amount; empty for an amount that was read.
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
        periods = list(_raised(rule, rates, increases))
        ends = [period.start - timedelta(days=1) for period in periods[1:]]
        for period, end in zip(periods, [*ends, last], strict=True):
            yield ScalePeriod(**(vars(period) | {"end": end}))


def _raised(
    rule: ScaleFloor, rates: list[ScaleRate], increases: tuple[AnnualIncreases, ...]
) -> Iterator[ScalePeriod]:
    """Yield the scales read and, between and after them, the scales after increases.

    A scale read for the day of an increase must equal the previous scale plus the increase.
    """
    read = {rate.on: rate for rate in rates}
    steps = {
        step.on: (step.percent, increase)
        for increase in increases
        if rule.id in increase.raises
        for step in increase.steps
        if step.on > rates[0].on
    }
    amount, certainty, arithmetic = Decimal(0), Certainty.HIGH, ""
    for day in sorted({*read, *steps}):
        raised: Decimal | None = None
        if day in steps:
            percent, increase = steps[day]
            raised = compounded(amount, percent, increase.round_to)
            arithmetic = f"{amount} raised by {percent}% on {day}, rounded to {increase.round_to}: {raised}"
            certainty = Certainty.DERIVED.less_sure(certainty).less_sure(increase.certainty)
        rate = read.get(day) or rates[0]
        if day in read:
            if raised is not None and raised != rate.amount:
                raise ValueError(f"rule {rule.id}: {arithmetic}, and not {rate.amount}")
            raised, certainty, arithmetic = rate.amount, rate.certainty or rule.certainty, ""
        amount = raised if raised is not None else amount
        source = rate.source or rule.source
        yield ScalePeriod(rule, rate, rule.basis, day, None, amount, certainty, source, arithmetic)
