"""HTTP client of one vendor: a connection pool, its limits, and retries of transient failures.

Only GET requests are sent. Content and order of pages are not known here.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import zlib
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from showcost.config.api import base_url
from showcost.core.errors import InputError
from showcost.core.national_ids import MASKED_CELL
from showcost.vendor_api import telemetry
from showcost.vendor_api.failures import FailureKind, PartialAnswer, RequestFailedError, failure_of_status
from showcost.vendor_api.guard import CheckedTransport, check_url, resolve
from showcost.vendor_api.limits import CircuitBreaker, Lease, MemoryBudget, RateLimiter, now_ms, seconds

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from showcost.config.api import ApiSpec
    from showcost.vendor_api.guard import Resolver

LOG: Final = logging.getLogger("showcost.api")

Done = TypeVar("Done")

_AGENT: Final = "showcost"
_ACCEPTED: Final = "application/json, application/xml;q=0.9, text/xml;q=0.8"
_STEP: Final = 2**16
_LONGEST_WAIT: Final = 10**6
"""Seconds of a Retry-After header; any more counts as this many."""
_WAIT_DIGITS: Final = 7
_KEPT_HEADERS: Final = (
    *("content-type", "content-length", "content-encoding", "date", "etag", "last-modified", "link"),
    *("location", "retry-after", "server", "x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining"),
)
"""Response headers that dead letters keep; others may contain secrets, such as cookies."""


@dataclass(frozen=True)
class ApiPage:
    """A page as it arrived, decompressed; `lease` is its share of the memory budget.

    `link` is the address of the next page from its headers.
    """

    received: PartialAnswer
    link: str | None
    lease: Lease


@dataclass
class Traffic:
    """Traffic with a vendor: requests, retries, bytes received, failures by kind."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited_ms: int = 0
    failures: Counter[FailureKind] = field(default_factory=Counter)
    peak_under_way: int = 0


@dataclass
class SharedLimits:
    """Limits that all vendors share, requests and bytes in flight, and the TLS settings."""

    slots: asyncio.Semaphore
    memory: MemoryBudget
    tls: ssl.SSLContext


def address_of(api: ApiSpec) -> httpx.URL:
    """Return the base URL: the feed's, or that in its variable; InputError if that one is not allowed."""
    override = os.environ.get(api.base_url_variable) if api.base_url_variable else None
    if not override:
        return httpx.URL(api.base_url)
    try:
        url = httpx.URL(base_url(override))
        check_url(url, api.allowed_hosts)
    except ValueError as error:
        raise InputError(f"{api.base_url_variable} is not an allowed URL: expected {error}") from None
    except (httpx.InvalidURL, RequestFailedError) as error:
        raise InputError(f"{api.base_url_variable} is not an allowed URL: {error}") from None
    return url


def token_of(api: ApiSpec) -> str | None:
    """Return the vendor's token from the environment; InputError when its variable is not set."""
    if api.auth is None:
        return None
    token = os.environ.get(api.auth.variable, "").strip()
    if not token:
        raise InputError(
            f"the token of the vendor at {httpx.URL(api.base_url).host} is missing: set {api.auth.variable}"
        )
    if not token.isascii() or not token.isprintable():
        raise InputError(f"{api.auth.variable}: a token has no spaces, line ends or other characters")
    return token


class Vendor:
    """One vendor: its client, limits and traffic. Use within `async with vendor.opened()`."""

    def __init__(self, name: str, api: ApiSpec, shared: SharedLimits, resolver: Resolver = resolve) -> None:
        """Read the token; InputError if it is missing."""
        self.name, self.api = name, api
        self.url, self._token = address_of(api), token_of(api)
        self._shared, self._resolver = shared, resolver
        self._slots = asyncio.Semaphore(api.limits.concurrency)
        self._rate = RateLimiter(api.limits.requests, api.limits.seconds)
        self.breaker = CircuitBreaker(api.retries)
        self.traffic = Traffic()
        self._under_way = 0
        self._client: httpx.AsyncClient | None = None
        # Full jitter: a random wait between zero and a bound that doubles.
        self._wait = wait_random_exponential(
            multiplier=seconds(api.retries.first_wait_ms), max=seconds(api.retries.longest_wait_ms)
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Vendor]:
        """Keep the vendor's connections open within the block."""
        limits = self.api.limits
        transport = CheckedTransport(
            self.api.allowed_hosts, self._shared.tls, limits.concurrency, self._resolver
        )
        async with httpx.AsyncClient(
            transport=transport,
            headers=self._headers(),
            timeout=httpx.Timeout(
                connect=seconds(limits.connect_ms),
                read=seconds(limits.read_ms),
                write=seconds(limits.write_ms),
                pool=seconds(limits.pool_ms),
            ),
            follow_redirects=False,
            trust_env=False,
        ) as self._client:
            yield self

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": _ACCEPTED, "Accept-Encoding": "gzip", "User-Agent": _AGENT}
        if self.api.auth is not None and self.api.auth.parameter is None and self._token is not None:
            bearer = self.api.auth.scheme == "bearer"
            headers[self.api.auth.header] = f"Bearer {self._token}" if bearer else self._token
        return headers

    def masked_request(self, url: httpx.URL) -> dict[str, object]:
        """Return a request as it may be stored: the token masked."""
        headers = self._headers()
        if self.api.auth is not None and self.api.auth.parameter is not None:
            url = url.copy_set_param(self.api.auth.parameter, MASKED_CELL)
        elif self.api.auth is not None:
            headers[self.api.auth.header] = MASKED_CELL
        return {"method": "GET", "url": self.masked(str(url)), "headers": headers}

    def masked(self, text: str) -> str:
        """Return a text with the token masked, in case the vendor repeated it."""
        return text.replace(self._token, MASKED_CELL) if self._token else text

    def masked_received(self, received: PartialAnswer) -> PartialAnswer:
        """Return a response with the token masked."""
        headers = {name: self.masked(value) for name, value in received.headers.items()}
        token = self._token
        body = received.body.replace(token.encode(), MASKED_CELL.encode()) if token else received.body
        return PartialAnswer(received.status, headers, body)

    async def retried(self, attempt: Callable[[], Awaitable[Done]]) -> Done:
        """Return the result of an attempt, which sends one request; transient failures are retried.

        RequestFailedError when all attempts failed; its `attempts` is their number.
        """
        attempts = 0

        def give_up(state: RetryCallState) -> bool:
            failure = state.outcome.exception() if state.outcome else None
            return self._gives_up(failure, state.attempt_number)

        try:
            async for attempt_context in AsyncRetrying(
                retry=retry_if_exception(_is_transient),
                stop=give_up,
                wait=self._wait,
                before_sleep=self._count_retry,
                reraise=True,
            ):
                with attempt_context:
                    attempts += 1
                    return await attempt()
        except RequestFailedError as error:
            error.attempts = attempts if error.kind is not FailureKind.DOWN else attempts - 1
            error.received = self.masked_received(error.received)
            raise
        raise AssertionError("an attempt returns or raises")

    def _gives_up(self, failure: BaseException | None, attempts: int) -> bool:
        retries = self.api.retries
        if attempts >= retries.attempts or self.traffic.retries >= retries.budget:
            return True
        pause = failure.wait_seconds if isinstance(failure, RequestFailedError) else None
        return pause is not None and pause * 1000 > retries.longest_wait_ms

    def _count_retry(self, state: RetryCallState) -> None:
        self.traffic.retries += 1
        telemetry.retried(self.name)
        self.traffic.waited_ms += int(state.upcoming_sleep * 1000)

    async def fetch(self, url: httpx.URL) -> ApiPage:
        """Return the page at a URL, requested once; RequestFailedError if that failed.

        The caller releases the page's lease.
        """
        check_url(url, self.api.allowed_hosts)
        try:
            async with self.breaker.admitted(), self._slots, self._rate.request(), self._shared.slots:
                self.breaker.refuse_if_down()
                page = await self._leased(url)
        except RequestFailedError as error:
            self._note(error)
            raise
        self.breaker.succeeded()
        return page

    def _note(self, error: RequestFailedError) -> None:
        self.traffic.failures[error.kind] += 1
        if error.kind is FailureKind.BUSY:
            self.breaker.succeeded()
        elif error.transient:
            self.breaker.failed()
        if error.wait_seconds is not None:
            if error.wait_seconds * 1000 <= self.api.retries.longest_wait_ms:
                self._rate.close_for(error.wait_seconds)
            else:
                self.breaker.give_up(f"the vendor asked for a pause of {error.wait_seconds} s")
        LOG.info("%s: %s (%s)", self.name, error.kind, error.detail)

    async def _leased(self, url: httpx.URL) -> ApiPage:
        lease = await self._shared.memory.take(self.api.limits.response_bytes)
        try:
            received, link = await self._measured(url)
        except BaseException:
            lease.release()
            raise
        lease.shrink_to(len(received.body))
        self.traffic.bytes += len(received.body)
        return ApiPage(received, link, lease)

    async def _measured(self, url: httpx.URL) -> tuple[PartialAnswer, str | None]:
        """Send one request and count it."""
        began = now_ms()
        try:
            received, link = await self._fetch(url)
        except RequestFailedError as error:
            telemetry.requested(self.name, url.host, now_ms() - began, error.received, error.kind)
            raise
        telemetry.requested(self.name, url.host, now_ms() - began, received)
        return received, link

    async def _fetch(self, url: httpx.URL) -> tuple[PartialAnswer, str | None]:
        """Send one request; any failure is a RequestFailedError with the part that arrived."""
        if self._client is None:
            raise AssertionError("a vendor is used while it is opened")
        partial = _PartialResponse()
        self.traffic.requests += 1
        self._under_way += 1
        self.traffic.peak_under_way = max(self.traffic.peak_under_way, self._under_way)
        try:
            async with (
                asyncio.timeout(seconds(self.api.limits.answer_ms)),
                self._client.stream("GET", self._authorised(url)) as response,
            ):
                partial.begin(response)
                await self._receive(response, partial)
        except TimeoutError:
            raise partial.failure(FailureKind.TIMEOUT, "the response took too long") from None
        except httpx.ConnectError:
            raise partial.failure(FailureKind.CONNECT, "the connection was refused or failed") from None
        except httpx.TimeoutException as error:
            raise partial.failure(FailureKind.TIMEOUT, type(error).__name__) from None
        except httpx.TransportError as error:
            raise partial.failure(FailureKind.CUT_OFF, type(error).__name__) from None
        finally:
            self._under_way -= 1
        return partial.received(), self._unauthorised(response.links.get("next", {}).get("url"))

    def _authorised(self, url: httpx.URL) -> httpx.URL:
        """Return a URL with the token, for an API that wants it there."""
        if self.api.auth is None or self.api.auth.parameter is None or self._token is None:
            return url
        return url.copy_set_param(self.api.auth.parameter, self._token)

    def _unauthorised(self, link: str | None) -> str | None:
        """Return a vendor's link without the token, since links are stored."""
        if link is None or self.api.auth is None or self.api.auth.parameter is None:
            return link
        try:
            return str(httpx.URL(link).copy_remove_param(self.api.auth.parameter))
        except (httpx.InvalidURL, ValueError):
            # Refused when it is followed; not stored with the token either.
            return self.masked(link)

    async def _receive(self, response: httpx.Response, partial: _PartialResponse) -> None:
        """Receive the body, within the size limit before and after decompression, and check the status."""
        limit = self.api.limits.response_bytes
        plain = _Decompressor(response, partial, limit)
        received = 0
        async for block in response.aiter_raw(_STEP):
            received += len(block)
            if received > limit:
                raise partial.failure(FailureKind.TOO_LARGE, f"more than {limit} bytes")
            plain.take(block)
        status = response.status_code
        if kind := failure_of_status(status):
            wait = _retry_after(response.headers.get("retry-after"))
            raise partial.failure(kind, f"status {status}", wait)
        plain.finish()


class _PartialResponse:
    """The part of a response that has arrived."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = bytearray()

    def begin(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}

    def received(self) -> PartialAnswer:
        return PartialAnswer(self.status, self.headers, bytes(self.body))

    def failure(self, kind: FailureKind, detail: str, wait_seconds: int | None = None) -> RequestFailedError:
        return RequestFailedError(kind, detail, self.received(), wait_seconds)


class _Decompressor:
    """Decompresses as bytes arrive, in small steps and never beyond the limit."""

    def __init__(self, response: httpx.Response, partial: _PartialResponse, limit: int) -> None:
        self._partial, self._limit = partial, limit
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", ""}:
            raise partial.failure(FailureKind.ENCODING, "an encoding that was not requested")
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None

    def take(self, block: bytes) -> None:
        if self._gzip is None:
            self._add(block)
            return
        rest = block
        while rest:
            if self._gzip.eof:
                raise self._partial.failure(FailureKind.ENCODING, "gzip with bytes after its end")
            try:
                self._add(self._gzip.decompress(rest, _STEP))
            except zlib.error:
                raise self._partial.failure(FailureKind.ENCODING, "invalid gzip") from None
            rest = self._gzip.unconsumed_tail or self._gzip.unused_data

    def _add(self, plain: bytes) -> None:
        self._partial.body += plain
        if len(self._partial.body) > self._limit:
            raise self._partial.failure(FailureKind.TOO_LARGE, f"more than {self._limit} bytes decompressed")

    def finish(self) -> None:
        if self._gzip is not None and not self._gzip.eof:
            raise self._partial.failure(FailureKind.CUT_OFF, "truncated gzip")


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, RequestFailedError) and error.transient


def _retry_after(text: str | None) -> int | None:
    """Return the seconds of a Retry-After header, a number or a date; None if it has neither."""
    if text is None:
        return None
    number = text.strip()
    if number.isascii() and number.isdecimal():
        return min(int(number.lstrip("0")[:_WAIT_DIGITS] or "0"), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = math.ceil((aware - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max(0, seconds), _LONGEST_WAIT)
