"""Programmes: where and when spending counts, which costs qualify by which rule, rates and caps.

One YAML file is one programme. Every rule, rate and cap has its source and certainty. The rules are read in
the order of the file: the first that applies to a cost decides. A rule of certainty D or L never decides
alone; it asks a person to look.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from showcost.config.agreements.rule_kinds import Certainty, RuleId, Text
from showcost.config.claims import CategoryName, Jurisdiction, PositiveAmount, ProgrammeId
from showcost.config.loading import ConfigModel
from showcost.config.production import Currency, ProductionType
from showcost.config.record_kinds import RecordKindName
from showcost.core.hashing import sha256_framed

_VERSION_DIGITS = 12

Percent = Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
RateCategory = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")]


class SpendVerdict(StrEnum):
    """The verdict on a cost under a programme."""

    QUALIFIES = "qualifies"
    REVIEW = "needs a look"
    REFUSED = "does not qualify"


class CostKind(StrEnum):
    """Kind of a cost, as the ledger can tell it."""

    LABOUR = "labour"
    """Gross pay."""
    FRINGE = "fringe"
    """An employer's contributions on pay."""
    OTHER = "not labour"


class CapBase(StrEnum):
    """The quantity that a cap is a multiple of."""

    AMOUNT = "amount"
    """A fixed amount of qualifying spend."""
    CREDIT = "credit"
    """A fixed amount of credit."""
    CORE_EXPENDITURE = "core_expenditure"
    """A percentage of the core expenditure that the claim states."""
    PRODUCTION_COST = "production_cost"
    """A percentage of the production cost that the claim states."""
    QUALIFYING_LABOUR = "qualifying_labour"
    """A percentage of the labour that qualifies."""


class Sourced(ConfigModel):
    """Origin of a statement: where it was read, and how sure that makes it."""

    source: Text
    clause: str = ""
    certainty: Certainty


class CostConditions(ConfigModel):
    """Conditions on a cost, all of which must hold; of the values in a list, one.

    A condition about a fact that the ledger does not know is neither met nor failed.
    """

    accounts: tuple[Text, ...] = ()
    """Account numbers, ranges such as `1410-1490`, or patterns such as `14*`."""
    categories: tuple[CategoryName, ...] = ()
    """Groups of accounts that `account_categories` of production.yaml defines."""
    unions: tuple[Text, ...] = ()
    record_kinds: tuple[RecordKindName, ...] = ()
    components: tuple[Text, ...] = ()
    earning_types: tuple[Text, ...] = ()
    cost_kinds: tuple[CostKind, ...] = ()
    performed_in: tuple[Jurisdiction, ...] = ()
    vendor_countries: tuple[Country, ...] = ()
    resident_in: tuple[Jurisdiction, ...] = ()
    loan_out: bool | None = None


class SpendRule(Sourced):
    """One rule: the verdict on the costs that meet `when` and not `unless`, and the reason in words."""

    id: RuleId
    verdict: SpendVerdict
    reason: Text
    when: CostConditions = CostConditions()
    unless: CostConditions | None = None

    @property
    def effective(self) -> SpendVerdict:
        """The verdict that the rule's certainty allows."""
        return self.verdict if self.certainty.rejects else SpendVerdict.REVIEW


class CreditRate(Sourced):
    """A rate of credit, in percent of qualifying spend, for a category of production."""

    category: RateCategory
    percent: Percent


class SpendCap(Sourced):
    """A cap on qualifying spend or on the credit.

    `amount` in the programme's currency for the bases `amount` and `credit`, else `percent` of the base. For
    some `categories`, or all.
    """

    id: RuleId
    base: CapBase
    amount: PositiveAmount | None = None
    percent: Annotated[Decimal, Field(gt=0, decimal_places=4)] | None = None
    categories: tuple[RateCategory, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        is_fixed = self.base in {CapBase.AMOUNT, CapBase.CREDIT}
        if is_fixed and (self.amount is None or self.percent is not None):
            raise ValueError(f"an amount and no percent for the base {self.base.value}")
        if not is_fixed and (self.percent is None or self.amount is not None):
            raise ValueError(f"a percent and no amount for the base {self.base.value}")
        return self


class Programme(Sourced):
    """One programme, as described in its file.

    `jurisdictions` are where a cost must be performed, a country with all its regions; `place`, `period` and
    `letter` are the sources of that, of the dates, and of the need of an allocation letter or certificate.
    `not_with` names programmes that exclude this one. `unmodelled` says what the file does not know.
    """

    programme: ProgrammeId
    title: Text
    authority: Text
    currency: Currency
    jurisdictions: tuple[Jurisdiction, ...] = Field(min_length=1)
    start: date | None = Field(default=None, alias="from")
    end: date | None = Field(default=None, alias="to")
    production_types: tuple[ProductionType, ...] = ()
    not_with: tuple[ProgrammeId, ...] = ()
    place: Sourced
    period: Sourced | None = None
    letter: Sourced | None = None
    rules: tuple[SpendRule, ...] = Field(min_length=1)
    rates: tuple[CreditRate, ...] = Field(min_length=1)
    caps: tuple[SpendCap, ...] = ()
    unmodelled: tuple[Text, ...] = ()

    @cached_property
    def version_hash(self) -> str:
        """The hash of the file's content, 12 hex digits, without comments and layout."""
        return sha256_framed([self.model_dump_json()])[:_VERSION_DIGITS]

    @cached_property
    def label(self) -> str:
        """Id and hash, which identify the rules that were applied."""
        return f"{self.programme}@{self.version_hash}"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError("a date `to` that is not before `from`")
        if (self.start or self.end) and self.period is None:
            raise ValueError("period, the source of the dates")
        ids = [*(rule.id for rule in self.rules), *(cap.id for cap in self.caps)]
        for rule_id in ids:
            if ids.count(rule_id) > 1:
                raise ValueError(f"rules and caps with unique ids; {rule_id!r} occurs twice")
        categories = [rate.category for rate in self.rates]
        if len(set(categories)) < len(categories):
            raise ValueError("one rate per category")
        for cap in self.caps:
            if unknown := sorted(set(cap.categories) - set(categories)):
                raise ValueError(f"cap {cap.id}: a rate for the category {unknown[0]!r}")
        return self
