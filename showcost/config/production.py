"""The production: its dates, currencies, agreements, fiscal periods, rates and control accounts.

`production.yaml` describes the show and names the files of its chart of accounts and budget.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from showcost.config.alerts import AlertPolicy, VerificationPolicy
from showcost.config.claims import CategoryName, IncentiveClaim
from showcost.config.loading import ConfigModel, load_model
from showcost.core.money import currency_codes
from showcost.core.personal_numbers import KNOWN_COUNTRIES, PersonalNumbers

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
    """Kinds of production that agreements distinguish."""

    THEATRICAL = "theatrical"
    TELEVISION = "television"
    STREAMING = "streaming"


class Weekday(StrEnum):
    """Days of the week, Monday first."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class DateRange(ConfigModel):
    """A range of days, both ends included."""

    start: date
    end: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("an end that is not before its start")
        return self

    def __contains__(self, day: date) -> bool:
        return self.start <= day <= self.end


class ReportingPeriod(DateRange):
    """A period that cost reports cover: a week, a month, or as the production names it."""

    name: str = Field(min_length=1, max_length=60)


class ClosedPeriod(DateRange):
    """A fiscal period that is closed to postings."""

    name: str


class SignedAgreement(ConfigModel):
    """A union agreement that the production has signed."""

    name: str
    union: str
    signed_on: date | None = None


class FxPolicy(ConfigModel):
    """Policy for the rate of a date; recorded with each ledger entry.

    `carry_days`: how old, in days, a published rate may be (the longest gap between publications in the
    history of the ECB's reference rates is 5 days, so 4 is never exceeded by weekends and holidays).
    `jump_percent`: day-on-day move in percent that is reported for review. `sources`: rate sources in
    order; `ecb` is queried only for days newer than the embedded history. `document_rounding`: whether the
    journal brings a document's base total to its converted total, or leaves it the sum of its lines.
    """

    carry_days: int = Field(default=4, ge=0, le=10)
    jump_percent: Decimal = Field(default=Decimal(8), gt=0)
    sources: tuple[Literal["embedded", "file", "ecb"], ...] = ("embedded", "ecb")
    document_rounding: Literal["document", "line"] = "document"


class ControlAccounts(ConfigModel):
    """Balance accounts for components of a row that are not a cost of the row's own account.

    `recoverable_tax` takes the tax of an invoice, `refundable_deposit` the deposit of a permit, `fringe`
    the benefits of a payroll row whose account has no fringe account of its own.

    The others are the other side of each document in the journal: `accounts_payable` of vendor invoices,
    `payroll_clearing` of payroll, `permits_payable` of permits, and `currency_rounding` of what rounding
    entries one by one makes of a document's converted total. Without them there is no journal.
    """

    recoverable_tax: AccountNumber
    refundable_deposit: AccountNumber
    fringe: AccountNumber
    accounts_payable: AccountNumber | None = None
    payroll_clearing: AccountNumber | None = None
    permits_payable: AccountNumber | None = None
    currency_rounding: AccountNumber | None = None


class TaxCode(ConfigModel):
    """A tax code of a country: its rate in percent, and the share of the tax that is recovered.

    The recoverable share goes to `account`, by default the control account `recoverable_tax`; the rest is a
    cost of the row's own account. The code `""` is that of tax without a code.
    """

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    code: str
    name: str = ""
    rate: Decimal | None = Field(default=None, ge=0, le=100)
    recoverable: Decimal = Field(ge=0, le=100, decimal_places=2)
    account: AccountNumber | None = None
    start: date = Field(default=date.min, alias="from")
    end: date = Field(default=date.max, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("a date `to` that is not before `from`")
        return self

    @property
    def key(self) -> tuple[str, str]:
        """The country and the code, in their form for comparison."""
        return self.country, " ".join(self.code.casefold().split())


class OrderPolicy(ConfigModel):
    """Invoices that need a purchase order; an invoice without one is a finding (SC-PO-001).

    `required_from`: net amount of an invoice, in the base currency, from which its lines must name a known
    order; by default none need one. `accounts`: the accounts whose lines need one and are counted; by default
    all.
    """

    required_from: Decimal | None = Field(default=None, ge=0)
    accounts: tuple[AccountNumber, ...] = ()

    @model_validator(mode="after")
    def _has_amount(self) -> Self:
        if self.accounts and self.required_from is None:
            raise ValueError("required_from together with accounts, 0 for every invoice")
        return self


def _known_country(code: str) -> str:
    if code not in KNOWN_COUNTRIES:
        raise ValueError(
            f"a country whose national identifiers are known: {', '.join(sorted(KNOWN_COUNTRIES))}"
        )
    return code


class PersonalNumbersPolicy(ConfigModel):
    """Handling of national identifiers, IBANs and card numbers in the free text of any feed.

    They are always masked before anything is made of a row. `rows`: what becomes of the row: `post` goes on
    with the masked text, `quarantine` rejects it (SC-ROW-003). `countries`: further countries whose national
    identifiers are searched for, besides the US, Canada, the UK, and those of `location_jurisdictions`
    and `tax_codes`. With another list of countries, deliveries are read again.
    """

    rows: Literal["post", "quarantine"] = "post"
    countries: tuple[Annotated[str, AfterValidator(_known_country)], ...] = ()


def _form_of_periods(value: object) -> str:
    return "list" if isinstance(value, list | tuple) else "word"


class Production(ConfigModel):
    """One production, as described in `production.yaml`."""

    code: Code
    title: str = Field(min_length=1)
    company: str = Field(min_length=1)
    type: ProductionType
    base_currency: Currency
    timezone: TimeZone
    location_timezones: dict[str, TimeZone] = Field(default_factory=dict)
    """Time zones of locations (or units) that differ from `timezone`; they determine rest periods and hours
    across a clock change."""
    location_jurisdictions: dict[str, str] = Field(default_factory=dict)
    """Country or state of the locations that rows name, such as `DE` or `CA-ON`: where a service was
    performed when the row itself does not say."""
    dates: DateRange
    principal_photography: DateRange
    currencies: tuple[Currency, ...] = Field(min_length=1)
    budget_rates: dict[Currency, Decimal] = Field(default_factory=dict)
    agreements: tuple[SignedAgreement, ...] = ()
    unions: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")], ...] = ()
    """Further unions of the chart, for which there is no agreement."""
    closed_periods: tuple[ClosedPeriod, ...] = ()
    periods: Annotated[
        Annotated[Literal["weeks", "months"], Tag("word")]
        | Annotated[tuple[ReportingPeriod, ...], Tag("list")],
        Discriminator(_form_of_periods),
    ] = "weeks"
    """The periods of cost reports: weeks, calendar months, or a list of its own without gaps."""
    week_ends: Weekday = Weekday.SUNDAY
    """The last day of a reporting week."""
    control_accounts: ControlAccounts
    fx: FxPolicy = FxPolicy()
    purchase_orders: OrderPolicy = OrderPolicy()
    tax_codes: tuple[TaxCode, ...] = ()
    """Tax codes by country; with any, a code that is not listed rejects its row (SC-TAX-001). Without, all
    tax of invoices is recoverable."""
    personal_numbers: PersonalNumbersPolicy = PersonalNumbersPolicy()
    """Handling of national identifiers, IBANs and card numbers in free text."""
    account_categories: dict[CategoryName, tuple[str, ...]] = Field(default_factory=dict)
    """Accounts, ranges or patterns per category that rules of incentive programmes name; an empty list says
    that the production has no such costs."""
    incentives: tuple[IncentiveClaim, ...] = ()
    """Incentive programmes that the production claims."""
    alerts: AlertPolicy = AlertPolicy()
    """Sinks of alerts, and the time after which something is one; see docs/alerts.md."""
    verification: VerificationPolicy = VerificationPolicy()
    """The nightly verification, and the places that the head of the audit log is sent to."""
    chart_of_accounts: str = "chart_of_accounts.csv"
    budget: str = "budget.csv"
    owners: tuple[str, ...] = ("team:production-accounting",)

    @cached_property
    def numbers_of_people(self) -> PersonalNumbers:
        """The search for personal numbers of the countries that the production has to do with."""
        places = [*self.location_jurisdictions.values(), *(code.country for code in self.tax_codes)]
        named = {place[:2] for place in places} & KNOWN_COUNTRIES
        return PersonalNumbers(tuple(sorted({*named, *self.personal_numbers.countries})))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.base_currency not in self.currencies:
            raise ValueError(f"currencies that include the base currency {self.base_currency}")
        photography = self.principal_photography
        if photography.start not in self.dates or photography.end not in self.dates:
            raise ValueError("principal_photography within dates")
        if not isinstance(self.periods, str):
            _check_periods(self.periods, self.dates)
        _check_tax_codes(self.tax_codes)
        for currency, rate in self.budget_rates.items():
            if currency not in self.currencies:
                raise ValueError(f"budget_rates only for the production's currencies, not {currency}")
            if rate <= 0:
                raise ValueError(f"budget_rates above zero, not {rate} for {currency}")
        return self


def _check_tax_codes(codes: tuple[TaxCode, ...]) -> None:
    """Raise ValueError unless a code has one meaning on each day."""
    ordered = sorted(codes, key=lambda code: (code.key, code.start))
    for before, code in pairwise(ordered):
        if code.key == before.key and code.start <= before.end:
            raise ValueError(f"tax_codes: {code.country} {code.code!r} with one meaning on {code.start}")


def _check_periods(periods: tuple[ReportingPeriod, ...], dates: DateRange) -> None:
    """Raise ValueError unless the periods cover the dates without a gap, each with a name of its own."""
    if not periods:
        raise ValueError("periods: weeks, months, or at least one period with name, start and end")
    for before, period in pairwise(periods):
        if period.start != before.end + timedelta(days=1):
            raise ValueError(f"periods without gap or overlap: {period.name} starts on {period.start}")
    if periods[0].start > dates.start or periods[-1].end < dates.end:
        raise ValueError(f"periods that cover the production's dates, {dates.start} to {dates.end}")
    if len({period.name for period in periods}) < len(periods):
        raise ValueError("periods with names of their own")


def load_production(home: Path) -> Production:
    """Return the production described in the data folder `home`; ConfigError if it is invalid."""
    return load_model(home / PRODUCTION_FILE, Production)


def inside(home: Path, name: str) -> Path:
    """Return the path of a file named in `production.yaml`; ValueError if it is not below `home`."""
    path = (home / name).resolve()
    if not path.is_relative_to(home.resolve()):
        raise ValueError("a path below the data folder")
    return path
