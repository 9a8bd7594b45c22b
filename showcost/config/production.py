"""The production: what is shot, when, in which base currency, under which agreements and rates.

`production.yaml` is the one place that a show is described in; the chart of accounts and the budget stand
in files of their own that it names.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from showcost.config.loading import ConfigModel, load_model
from showcost.core.money import currency_codes

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTION_FILE = "production.yaml"


def _currency(code: str) -> str:
    if code not in currency_codes():
        raise ValueError("an ISO 4217 currency code such as USD")
    return code


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("an IANA time zone such as America/Los_Angeles") from None
    return name


Currency = Annotated[str, AfterValidator(_currency)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9_-]{0,23}$")]
AccountNumber = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,15}$")]


class ProductionType(StrEnum):
    """The kinds of production that agreements tell apart."""

    THEATRICAL = "theatrical"
    TELEVISION = "television"
    STREAMING = "streaming"


class DateRange(ConfigModel):
    """A span of days, both ends included."""

    start: date
    end: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("an end that is not before its start")
        return self

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end


class ClosedPeriod(DateRange):
    """An accounting period that takes no more postings."""

    name: str


class SignedAgreement(ConfigModel):
    """A union agreement that the production has signed."""

    name: str
    union: str
    signed_on: date | None = None


class FxPolicy(ConfigModel):
    """How a rate is found for a date; stamped on each ledger entry.

    `carry_days`: how old, in days, a published rate may be (the longest gap between publications in the
    history of the ECB's reference rates is 5 days, so 4 is never exceeded by weekends and holidays).
    `jump_percent`: day-on-day move that is shown to a person. `sources`: which rate sources may be read,
    in order; `ecb` is only ever asked for days newer than the embedded history.
    """

    carry_days: int = Field(default=4, ge=0, le=10)
    jump_percent: Decimal = Field(default=Decimal(8), gt=0)
    sources: tuple[Literal["embedded", "file", "ecb"], ...] = ("embedded", "ecb")


class ControlAccounts(ConfigModel):
    """Balance accounts that components of a row post to when they are no cost of the row's own account.

    `recoverable_tax` takes the tax of an invoice, `refundable_deposit` the deposit of a permit, `fringe`
    the benefits of a payroll row whose account names no fringe account of its own.
    """

    recoverable_tax: AccountNumber
    refundable_deposit: AccountNumber
    fringe: AccountNumber


class Production(ConfigModel):
    """One production, as `production.yaml` describes it."""

    code: Code
    title: str = Field(min_length=1)
    company: str = Field(min_length=1)
    type: ProductionType
    base_currency: Currency
    timezone: TimeZone
    location_timezones: dict[str, TimeZone] = Field(default_factory=dict)
    """Zones of the locations (or units) that rows name, where they are not in `timezone`; turnaround and
    hours across a clock change are counted by them."""
    dates: DateRange
    principal_photography: DateRange
    currencies: tuple[Currency, ...] = Field(min_length=1)
    budget_rates: dict[Currency, Decimal] = Field(default_factory=dict)
    agreements: tuple[SignedAgreement, ...] = ()
    closed_periods: tuple[ClosedPeriod, ...] = ()
    control_accounts: ControlAccounts
    fx: FxPolicy = FxPolicy()
    chart_of_accounts: str = "chart_of_accounts.csv"
    budget: str = "budget.csv"
    owners: tuple[str, ...] = ("team:production-accounting",)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.base_currency not in self.currencies:
            raise ValueError(f"currencies that contain the base currency {self.base_currency}")
        photography = self.principal_photography
        if photography.start not in self.dates or photography.end not in self.dates:
            raise ValueError("principal_photography that lies within dates")
        for currency, rate in self.budget_rates.items():
            if currency not in self.currencies:
                raise ValueError(f"budget_rates only for the production's currencies, not {currency}")
            if rate <= 0:
                raise ValueError(f"budget_rates above zero, not {rate} for {currency}")
        return self


def load_production(home: Path) -> Production:
    """Return the production described in `home`; ConfigError when it cannot be used."""
    return load_model(home / PRODUCTION_FILE, Production)


def inside(home: Path, name: str) -> Path:
    """Return the path of a configuration file that `production.yaml` names, which stays below `home`."""
    path = (home / name).resolve()
    if not path.is_relative_to(home.resolve()):
        raise ValueError("a path below the data folder")
    return path
