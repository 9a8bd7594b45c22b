"""A vendor's API as a feed declares it: where, how it pages, within which limits, on which terms.

Nothing secret is here: a token is named by the environment variable that holds it. What the settings lead
to is decided by `showcost.vendor_api`.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from showcost.config.items import JsonPath
from showcost.config.loading import ConfigModel
from showcost.config.production import AccountNumber, Currency

VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\[\]-]+$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
Milliseconds = Annotated[int, Field(gt=0)]

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""The only spellings of this machine that are taken; there plain http is allowed, for simulators."""

_HOST: Final = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")


def base_url(text: str) -> str:
    """Return a base URL that may be used; ValueError says what is wrong with it."""
    parts = urlsplit(text)
    host = parts.hostname or ""
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address without user, query and fragment")
    if host in LOOPBACK_NAMES:
        if parts.scheme not in {"http", "https"}:
            raise ValueError("http or https")
        return text
    if parts.scheme != "https":
        raise ValueError("https (plain http is for this machine only)")
    if not _HOST.match(host) or host.rsplit(".", 1)[-1].isdigit() or host.startswith("0x"):
        raise ValueError("the vendor's host by its name, not by an address")
    return text


BaseUrl = Annotated[str, AfterValidator(base_url)]


class _Settings(ConfigModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class ApiAuth(_Settings):
    """How requests are authorised."""

    variable: VariableName
    """The environment variable that holds the token; the token itself is never written down."""
    scheme: Literal["bearer", "plain"] = "bearer"
    """Whether the token is sent as `Bearer …` or as it is."""
    header: HeaderName = "Authorization"
    """The header that carries it."""


class PageNumbers(_Settings):
    """Pages that are asked for by number; the last one is that with fewer items than its size."""

    kind: Literal["page"]
    """`page`"""
    parameter: Parameter = "page"
    """The parameter that carries the number."""
    first: int = Field(default=1, ge=0)
    """The number of the first page."""
    size: int = Field(gt=0)
    """Items of a full page: one that has fewer is the last."""
    size_parameter: Parameter | None = None
    """The parameter by which the size is asked for, if there is one."""


class CursorPages(_Settings):
    """Pages that name the cursor of the next one in their content; the last one names none."""

    kind: Literal["cursor"]
    """`cursor`"""
    parameter: Parameter = "cursor"
    """The parameter that carries the cursor."""
    next: JsonPath
    """Where in the page the next cursor is."""
    size: int | None = Field(default=None, gt=0)
    """Items per page to ask for."""
    size_parameter: Parameter | None = None
    """The parameter by which the size is asked for, if there is one."""


class LinkedPages(_Settings):
    """Pages that name the next one in the header `Link` (RFC 8288, rel=next); the last one names none."""

    kind: Literal["link"]
    """`link`"""
    size: int | None = Field(default=None, gt=0)
    """Items per page to ask for."""
    size_parameter: Parameter | None = None
    """The parameter by which the size is asked for, if there is one."""


class ApiWindow(_Settings):
    """How the dates of a request are written."""

    first_parameter: Parameter = "from"
    """The parameter that carries the first date."""
    last_parameter: Parameter = "to"
    """The parameter that carries the last date."""
    format: str = Field(default="%Y-%m-%d", pattern="%")
    """How dates are written."""
    days: int = Field(default=1, ge=1, le=366)
    """Dates per request, counted from the production's first day."""
    last_included: bool = True
    """Whether the last parameter is the last date itself, or the day after it."""
    late_days: int = Field(default=0, ge=0)
    """How many days after its last date a window may still change: until then it is fetched again."""


class ApiLimits(_Settings):
    """What the vendor allows, and what we take at most."""

    requests: int = Field(default=10, gt=0)
    """Requests within any `seconds`."""
    seconds: int = Field(default=1, gt=0)
    concurrency: int = Field(default=2, gt=0, le=64)
    """Requests under way at once."""
    connect_ms: Milliseconds = 5_000
    """Longest wait for a connection."""
    read_ms: Milliseconds = 20_000
    """Longest silence within an answer."""
    write_ms: Milliseconds = 5_000
    """Longest wait until a request is sent."""
    pool_ms: Milliseconds = 30_000
    """Longest wait for a free connection."""
    answer_ms: Milliseconds = 120_000
    """Longest time for a whole answer, however steadily it drips."""
    response_bytes: int = Field(default=4 * 2**20, gt=0, le=64 * 2**20)
    """Largest answer, before and after decompression."""
    pages: int = Field(default=10_000, gt=0)
    """Most pages of one window: a vendor whose pages never end is stopped."""


class ApiRetries(_Settings):
    """How often and how patiently a failed request is tried again; only what may pass by itself is."""

    attempts: int = Field(default=5, ge=1, le=20)
    """Attempts per page, the first included."""
    budget: int = Field(default=100, ge=0)
    """Retries of one vendor in a whole pull; beyond it nothing is tried again."""
    first_wait_ms: Milliseconds = 500
    """Upper end of the first wait; it doubles, and the wait is drawn between nothing and it."""
    longest_wait_ms: Milliseconds = 30_000
    """Longest wait; a vendor that asks for more (Retry-After) is left alone until the next pull."""
    failures_in_a_row: int = Field(default=5, ge=1)
    """Failures without a success between them after which the vendor is left in peace for a while."""
    rest_ms: Milliseconds = 5_000
    """The first such rest; it doubles."""
    rests: int = Field(default=3, ge=1)
    """Rests without a success between them after which the vendor counts as down for this pull."""
    again_minutes: int = Field(default=60, ge=1)
    """Shortest pause before the sensor `missing_windows` asks again for what could not be had."""


class VendorTerms(_Settings):
    """The vendor's terms from a date on: what a day costs while its invoices cannot be had."""

    since: date
    """First day on which the terms hold, until later ones of the same vendor and account."""
    vendor_code: str = Field(min_length=1)
    """The vendor's code in the production's vendor list."""
    account: AccountNumber
    """The account that the cost belongs to."""
    currency: Currency
    """The currency of the rate."""
    day_rate: Decimal = Field(ge=0, max_digits=18, decimal_places=4)
    """What a day costs, without tax."""
    payment_days: int = Field(default=30, ge=0)
    """Days until payment is due."""
    description: str = ""
    """What is supplied."""


class ApiSpec(_Settings):
    """The API of a feed."""

    base_url: BaseUrl
    """Address of the resource that lists the items."""
    base_url_variable: VariableName | None = None
    """The environment variable that may name another address, such as the vendor's sandbox."""
    hosts: tuple[str, ...] = ()
    """The hosts that may be asked; that of `base_url` when empty."""
    vendor: str | None = None
    """Feeds that name the same vendor share its limits; each feed is its own vendor otherwise."""
    auth: ApiAuth | None = None
    """The token: `variable` of the environment, `scheme`, `header`."""
    parameters: dict[Parameter, str] = Field(default_factory=dict)
    """Parameters that every request has."""
    pages: PageNumbers | CursorPages | LinkedPages = Field(discriminator="kind")
    """How the answer is paged: `kind: page`, `cursor` or `link`."""
    window: ApiWindow = ApiWindow()
    """How dates are asked for."""
    limits: ApiLimits = ApiLimits()
    """Rate, concurrency, timeouts and sizes."""
    retries: ApiRetries = ApiRetries()
    """Attempts, waits, budget, and when the vendor counts as down."""
    terms: tuple[VendorTerms, ...] = ()
    """The vendor's terms, for provisional accruals while it cannot be reached."""

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The hosts that may be asked, in lower case."""
        return frozenset(host.lower() for host in self.hosts) or frozenset(
            {urlsplit(self.base_url).hostname or ""}
        )

    @model_validator(mode="after")
    def _host_is_allowed(self) -> Self:
        if urlsplit(self.base_url).hostname not in self.allowed_hosts:
            raise ValueError("hosts with that of base_url among them")
        return self

    @model_validator(mode="after")
    def _parameters_differ(self) -> Self:
        named = [*self.parameters, self.window.first_parameter, self.window.last_parameter]
        if not isinstance(self.pages, LinkedPages):
            named.append(self.pages.parameter)
        if self.pages.size_parameter is not None:
            named.append(self.pages.size_parameter)
        if doubled := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"parameters with different names; {doubled[0]!r} stands twice")
        return self
