"""Settings of a feed's vendor API: address, paging, limits, retries and terms.

The settings contain no secrets: a token is named by its environment variable. `showcost.vendor_api` applies
the settings.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from showcost.config.hosts import LOOPBACK_NAMES, VariableName
from showcost.config.items import JsonPath
from showcost.config.loading import ConfigModel
from showcost.config.production import AccountNumber, Currency

Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\[\]-]+$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
Milliseconds = Annotated[int, Field(gt=0)]

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_HOST: Final = 253
_OWN_HEADERS: Final = frozenset(
    (
        *("host", "cookie", "connection", "content-length", "content-type", "content-encoding", "expect"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
        *("accept", "accept-encoding", "user-agent", "referer", "forwarded", "via", "range", "origin"),
    )
)
"""Headers that the client, a proxy or the protocol sets."""
_ADDRESS: Final = re.compile(r"[!-~]+")


_SECRET_WORDS: Final = frozenset(
    (
        *(
            "key",
            "keys",
            "apikey",
            "appkey",
            "accesskey",
            "token",
            "accesstoken",
            "authtoken",
            "jwt",
            "bearer",
        ),
        *("secret", "clientsecret", "password", "passwd", "pwd", "passphrase", "pin", "signature", "sig"),
        *("auth", "authorization", "credential", "credentials", "session", "sessionid", "sid"),
    )
)
_ORDERING_WORDS: Final = frozenset({"sort", "order", "group", "primary", "foreign", "partition"})
"""Words before `key` that say that it is none to a door."""


def _is_secret(name: str) -> bool:
    """Tell whether a parameter is a secret, judged by its name, such as `api_key` or `accessToken`."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    lower = [word.lower() for word in words]
    if not lower or (len(lower) > 1 and lower[-2] in _ORDERING_WORDS):
        return False
    return lower[-1] in _SECRET_WORDS or "".join(lower) in _SECRET_WORDS


def base_url(text: str) -> str:
    """Return a base URL if it is allowed, else raise ValueError with the expected form."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("a URL without spaces, line breaks and characters that are not ASCII")
    parts = urlsplit(text)
    host = parts.hostname or ""
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a URL without user, query and fragment")
    if host in LOOPBACK_NAMES:
        if parts.scheme not in {"http", "https"}:
            raise ValueError("http or https")
        return text
    if parts.scheme != "https":
        raise ValueError("https (plain http is allowed for this machine only)")
    if not _is_name(host) or host.rsplit(".", 1)[-1].isdigit() or host.startswith("0x"):
        raise ValueError("the vendor's host by name, not an IP address")
    return text


def _is_name(host: str) -> bool:
    """Return whether a host is a name that can be asked for (RFC 1123; IDNA 2008 for `xn--` labels)."""
    labels = host.split(".")
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        return False
    if not any(label.startswith("xn--") for label in labels):
        return True
    import idna  # noqa: PLC0415 - 20 ms at each start, for a host that few feeds have

    try:
        idna.decode(host)
    except idna.IDNAError:
        return False
    return True


BaseUrl = Annotated[str, AfterValidator(base_url)]


class _Settings(ConfigModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class ApiAuth(_Settings):
    """Authorisation of requests."""

    variable: VariableName
    """Environment variable with the token; the token itself is never stored."""
    scheme: Literal["bearer", "plain"] = "bearer"
    """`bearer` sends the token as `Bearer …`, `plain` sends it unchanged."""
    header: HeaderName = "Authorization"
    """Header for the token."""
    parameter: Parameter | None = None
    """Parameter for the token, for an API that wants it in the address; then no header has it."""

    @model_validator(mode="after")
    def _is_for_a_token(self) -> Self:
        if self.parameter is not None and self.model_fields_set & {"scheme", "header"}:
            raise ValueError("`parameter`, or `header` with `scheme`")
        if self.header.lower() in _OWN_HEADERS:
            raise ValueError(f"a header for a token, which {self.header!r} is not")
        return self


class PageNumbers(_Settings):
    """Numbered pages; a page with fewer items than `size` is the last."""

    kind: Literal["page"]
    """`page`"""
    parameter: Parameter = "page"
    """Parameter for the page number."""
    first: int = Field(default=1, ge=0)
    """Number of the first page."""
    size: int = Field(gt=0)
    """Items of a full page; a page with fewer is the last."""
    size_parameter: Parameter | None = None
    """Parameter for the page size, if the API has one."""


class CursorPages(_Settings):
    """Pages whose content has the cursor of the next page; the last page has none."""

    kind: Literal["cursor"]
    """`cursor`"""
    parameter: Parameter = "cursor"
    """Parameter for the cursor."""
    next: JsonPath
    """Path of the next cursor in the page."""
    size: int | None = Field(default=None, gt=0)
    """Items per page to request."""
    size_parameter: Parameter | None = None
    """Parameter for the page size, if the API has one."""


class LinkedPages(_Settings):
    """Pages whose `Link` header (RFC 8288, rel=next) has the URL of the next page; the last page has none."""

    kind: Literal["link"]
    """`link`"""
    size: int | None = Field(default=None, gt=0)
    """Items per page to request."""
    size_parameter: Parameter | None = None
    """Parameter for the page size, if the API has one."""


class ApiWindow(_Settings):
    """Dates of a request."""

    first_parameter: Parameter = "from"
    """Parameter for the first date."""
    last_parameter: Parameter = "to"
    """Parameter for the last date."""
    format: str = Field(default="%Y-%m-%d", pattern="%")
    """Date format."""
    days: int = Field(default=1, ge=1, le=366)
    """Days per request, counted from the production's first day."""
    last_included: bool = True
    """True if the last parameter is the last date itself, false if it is the day after."""
    late_days: int = Field(default=0, ge=0)
    """Days after its last date during which a window may change and is fetched again."""


class ApiLimits(_Settings):
    """Limits of the vendor and of our client."""

    requests: int = Field(default=10, gt=0)
    """Maximum requests in any period of `seconds`."""
    seconds: int = Field(default=1, gt=0)
    """Length of the period for `requests`."""
    concurrency: int = Field(default=2, gt=0, le=64)
    """Maximum concurrent requests."""
    connect_ms: Milliseconds = 5_000
    """Maximum wait for a connection."""
    read_ms: Milliseconds = 20_000
    """Maximum wait for further bytes of a response."""
    write_ms: Milliseconds = 5_000
    """Maximum wait for a request to be sent."""
    pool_ms: Milliseconds = 30_000
    """Maximum wait for a free connection in the pool."""
    answer_ms: Milliseconds = 120_000
    """Maximum time for a whole response."""
    response_bytes: int = Field(default=4 * 2**20, gt=0, le=64 * 2**20)
    """Maximum size of a response, before and after decompression."""
    pages: int = Field(default=10_000, gt=0)
    """Maximum pages of a window, in case the pages never end."""


class ApiRetries(_Settings):
    """Retries of failed requests; only transient failures are retried."""

    attempts: int = Field(default=5, ge=1, le=20)
    """Attempts per page, including the first."""
    budget: int = Field(default=100, ge=0)
    """Maximum retries per vendor in a pull."""
    first_wait_ms: Milliseconds = 500
    """Maximum of the first wait; it doubles with each attempt, and the wait is random below it."""
    longest_wait_ms: Milliseconds = 30_000
    """Maximum wait; a vendor that requires more (Retry-After) is skipped until the next pull."""
    failures_in_a_row: int = Field(default=5, ge=1)
    """Consecutive failures that open the circuit breaker."""
    rest_ms: Milliseconds = 5_000
    """First cool-down of the circuit breaker; it doubles."""
    rests: int = Field(default=3, ge=1)
    """Consecutive cool-downs after which the vendor counts as down for this pull."""
    again_minutes: int = Field(default=60, ge=1)
    """Minimum pause before the sensor `missing_windows` requests missing pages again."""


class VendorTerms(_Settings):
    """The vendor's terms from a date on: the cost of a day whose invoices are unavailable."""

    since: date
    """First day of the terms; they end with later terms for the same vendor and account."""
    vendor_code: str = Field(min_length=1)
    """The vendor's code in the production's vendor list."""
    account: AccountNumber
    """Account of the cost."""
    currency: Currency
    """Currency of the rate."""
    day_rate: Decimal = Field(ge=0, max_digits=18, decimal_places=4)
    """Cost per day, without tax."""
    payment_days: int = Field(default=30, ge=0)
    """Days until payment is due."""
    description: str = ""
    """Goods or service supplied."""


class ApiSpec(_Settings):
    """The vendor API of a feed."""

    base_url: BaseUrl
    """URL of the resource that lists the items."""
    base_url_variable: VariableName | None = None
    """Environment variable that may override the URL, for example with the vendor's sandbox."""
    hosts: tuple[str, ...] = ()
    """Allowed hosts; default: that of `base_url`."""
    vendor: str | None = None
    """Feeds with the same vendor share its limits; by default each feed is its own vendor."""
    auth: ApiAuth | None = None
    """Token: environment `variable`, `scheme`, `header`."""
    parameters: dict[Parameter, str] = Field(default_factory=dict)
    """Parameters of every request."""
    pages: PageNumbers | CursorPages | LinkedPages = Field(discriminator="kind")
    """Paging: `kind: page`, `cursor` or `link`."""
    window: ApiWindow = ApiWindow()
    """Dates of a request."""
    limits: ApiLimits = ApiLimits()
    """Rate, concurrency, timeouts and sizes."""
    retries: ApiRetries = ApiRetries()
    """Attempts, waits, budget and circuit breaker."""
    terms: tuple[VendorTerms, ...] = ()
    """The vendor's terms, for provisional accruals while its API is unavailable."""

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The allowed hosts, in lower case."""
        return frozenset(host.lower() for host in self.hosts) or frozenset(
            {urlsplit(self.base_url).hostname or ""}
        )

    @model_validator(mode="after")
    def _host_is_allowed(self) -> Self:
        if urlsplit(self.base_url).hostname not in self.allowed_hosts:
            raise ValueError("hosts that include the host of base_url")
        return self

    @field_validator("parameters")
    @classmethod
    def _parameters_are_no_secrets(cls, parameters: dict[str, str]) -> dict[str, str]:
        for name in parameters:
            if _is_secret(name):
                raise ValueError(
                    f"no secret in this file: {name!r} belongs under auth, as"
                    f" {{variable: NAME_OF_A_VARIABLE, parameter: {name}}}"
                )
        return parameters

    @model_validator(mode="after")
    def _parameters_differ(self) -> Self:
        names = [*self.parameters, self.window.first_parameter, self.window.last_parameter]
        if not isinstance(self.pages, LinkedPages):
            names.append(self.pages.parameter)
        if self.pages.size_parameter is not None:
            names.append(self.pages.size_parameter)
        if self.auth is not None and self.auth.parameter is not None:
            names.append(self.auth.parameter)
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"parameters with different names; {repeated[0]!r} occurs twice")
        return self
