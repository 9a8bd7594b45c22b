"""Asking one vendor: a pooled client, its limits, and attempts that are repeated only where that may help.

Only GET is ever sent. What a page says, and which one comes next, is decided elsewhere.
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
from showcost.vendor_api.failures import Received, RequestFailedError, Trouble, trouble_of_status
from showcost.vendor_api.guard import CheckedTransport, check_url, resolve
from showcost.vendor_api.limits import Breaker, Lease, MemoryBudget, RateLimit, now_ms, seconds

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
_KEPT_HEADERS: Final = (
    *("content-type", "content-length", "content-encoding", "date", "etag", "last-modified", "link"),
    *("location", "retry-after", "server", "x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining"),
)
"""Headers of an answer that dead letters keep; others may hold secrets, such as cookies."""


@dataclass(frozen=True)
class Answer:
    """A page as it arrived, decompressed; `lease` holds its bytes of the memory budget.

    `link` is the address that its headers name as that of the next page.
    """

    received: Received
    link: str | None
    lease: Lease


@dataclass
class Traffic:
    """What passed between a vendor and us: requests, retries, answers in bytes, troubles by class."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    waited_ms: int = 0
    troubles: Counter[Trouble] = field(default_factory=Counter)
    peak_under_way: int = 0


@dataclass
class Shared:
    """What all vendors share: how many requests are under way, how many bytes, and whom TLS trusts."""

    slots: asyncio.Semaphore
    memory: MemoryBudget
    tls: ssl.SSLContext


def address_of(api: ApiSpec) -> httpx.URL:
    """Return the address to ask: the feed's, or what its variable names; InputError if that may not be."""
    named = os.environ.get(api.base_url_variable) if api.base_url_variable else None
    if not named:
        return httpx.URL(api.base_url)
    try:
        url = httpx.URL(base_url(named))
        check_url(url, api.allowed_hosts)
    except ValueError as error:
        raise InputError(f"{api.base_url_variable} is no address to be asked: expected {error}") from None
    except (httpx.InvalidURL, RequestFailedError) as error:
        raise InputError(f"{api.base_url_variable} is no address to be asked: {error}") from None
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
    """One vendor: its client, its limits, and what passed. Use within `async with vendor.opened()`."""

    def __init__(self, name: str, api: ApiSpec, shared: Shared, resolver: Resolver = resolve) -> None:
        """Read the token; InputError when there is none."""
        self.name, self.api = name, api
        self.url, self._token = address_of(api), token_of(api)
        self._shared, self._resolver = shared, resolver
        self._slots = asyncio.Semaphore(api.limits.concurrency)
        self._rate = RateLimit(api.limits.requests, api.limits.seconds)
        self.breaker = Breaker(api.retries)
        self.traffic = Traffic()
        self._under_way = 0
        self._client: httpx.AsyncClient | None = None
        # Full jitter: drawn between nothing and a bound that doubles.
        self._wait = wait_random_exponential(
            multiplier=seconds(api.retries.first_wait_ms), max=seconds(api.retries.longest_wait_ms)
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Vendor]:
        """Hold the vendor's connections open within the block."""
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
        if self.api.auth is not None and self._token is not None:
            bearer = self.api.auth.scheme == "bearer"
            headers[self.api.auth.header] = f"Bearer {self._token}" if bearer else self._token
        return headers

    def masked_request(self, url: httpx.URL) -> dict[str, object]:
        """Return a request as it may be kept: the token masked."""
        headers = self._headers()
        if self.api.auth is not None:
            headers[self.api.auth.header] = MASKED_CELL
        return {"method": "GET", "url": self.masked(str(url)), "headers": headers}

    def masked(self, text: str) -> str:
        """Return text without the token, should the vendor have repeated it."""
        return text.replace(self._token, MASKED_CELL) if self._token else text

    def masked_received(self, received: Received) -> Received:
        """Return what had arrived without the token."""
        headers = {name: self.masked(value) for name, value in received.headers.items()}
        token = self._token
        body = received.body.replace(token.encode(), MASKED_CELL.encode()) if token else received.body
        return Received(received.status, headers, body)

    async def repeated(self, attempt: Callable[[], Awaitable[Done]]) -> Done:
        """Return what an attempt gives, which asks once and may judge the answer; repeated by the settings.

        RequestFailedError when all failed; its `attempts` says how often it was tried.
        """
        attempts = 0

        def give_up(state: RetryCallState) -> bool:
            failure = state.outcome.exception() if state.outcome else None
            return self._gives_up(failure, state.attempt_number)

        try:
            async for trying in AsyncRetrying(
                retry=retry_if_exception(_may_pass),
                stop=give_up,
                wait=self._wait,
                before_sleep=self._count_retry,
                reraise=True,
            ):
                with trying:
                    attempts += 1
                    return await attempt()
        except RequestFailedError as error:
            error.attempts = attempts if error.trouble is not Trouble.DOWN else attempts - 1
            error.received = self.masked_received(error.received)
            raise
        raise AssertionError("an attempt returns or raises")

    def _gives_up(self, failure: BaseException | None, attempts: int) -> bool:
        retries = self.api.retries
        if attempts >= retries.attempts or self.traffic.retries >= retries.budget:
            return True
        asked = failure.wait_seconds if isinstance(failure, RequestFailedError) else None
        return asked is not None and asked * 1000 > retries.longest_wait_ms

    def _count_retry(self, state: RetryCallState) -> None:
        self.traffic.retries += 1
        telemetry.retried(self.name)
        self.traffic.waited_ms += int(state.upcoming_sleep * 1000)

    async def ask(self, url: httpx.URL) -> Answer:
        """Return the page at a URL, asked for once; RequestFailedError when it could not be had.

        The caller releases the answer's lease.
        """
        check_url(url, self.api.allowed_hosts)
        try:
            async with self.breaker.admitted(), self._slots, self._rate.request(), self._shared.slots:
                self.breaker.refuse_if_down()
                answer = await self._leased(url)
        except RequestFailedError as error:
            self._note(error)
            raise
        self.breaker.succeeded()
        return answer

    def _note(self, error: RequestFailedError) -> None:
        self.traffic.troubles[error.trouble] += 1
        if error.trouble is Trouble.BUSY:
            self.breaker.succeeded()
        elif error.transient:
            self.breaker.failed()
        if error.wait_seconds is not None:
            if error.wait_seconds * 1000 <= self.api.retries.longest_wait_ms:
                self._rate.close_for(error.wait_seconds)
            else:
                self.breaker.give_up(f"it asked to be left alone for {error.wait_seconds} s")
        LOG.info("%s: %s (%s)", self.name, error.trouble, error.detail)

    async def _leased(self, url: httpx.URL) -> Answer:
        lease = await self._shared.memory.take(self.api.limits.response_bytes)
        try:
            received, link = await self._measured(url)
        except BaseException:
            lease.release()
            raise
        lease.shrink_to(len(received.body))
        self.traffic.bytes += len(received.body)
        return Answer(received, link, lease)

    async def _measured(self, url: httpx.URL) -> tuple[Received, str | None]:
        """Make one request, and let it be counted."""
        began = now_ms()
        try:
            received, link = await self._fetch(url)
        except RequestFailedError as error:
            telemetry.asked(self.name, url.host, now_ms() - began, error.received, error.trouble)
            raise
        telemetry.asked(self.name, url.host, now_ms() - began, received)
        return received, link

    async def _fetch(self, url: httpx.URL) -> tuple[Received, str | None]:
        """Make one request; whatever goes wrong is a RequestFailedError with what had arrived."""
        if self._client is None:
            raise AssertionError("a vendor is asked while it is opened")
        so_far = _SoFar()
        self.traffic.requests += 1
        self._under_way += 1
        self.traffic.peak_under_way = max(self.traffic.peak_under_way, self._under_way)
        try:
            async with (
                asyncio.timeout(seconds(self.api.limits.answer_ms)),
                self._client.stream("GET", url) as response,
            ):
                so_far.begin(response)
                await self._receive(response, so_far)
        except TimeoutError:
            raise so_far.failure(Trouble.TIMEOUT, "the answer took too long") from None
        except httpx.ConnectError:
            raise so_far.failure(Trouble.CONNECT, "the connection was refused or failed") from None
        except httpx.TimeoutException as error:
            raise so_far.failure(Trouble.TIMEOUT, type(error).__name__) from None
        except httpx.TransportError as error:
            raise so_far.failure(Trouble.CUT_OFF, type(error).__name__) from None
        finally:
            self._under_way -= 1
        return so_far.received(), response.links.get("next", {}).get("url")

    async def _receive(self, response: httpx.Response, so_far: _SoFar) -> None:
        """Take the body in, within the cap before and after decompression; judge the status."""
        limit = self.api.limits.response_bytes
        plain = _Plain(response, so_far, limit)
        received = 0
        async for block in response.aiter_raw(_STEP):
            received += len(block)
            if received > limit:
                raise so_far.failure(Trouble.TOO_LARGE, f"more than {limit} bytes")
            plain.take(block)
        status = response.status_code
        if trouble := trouble_of_status(status):
            wait = _retry_after(response.headers.get("retry-after"))
            raise so_far.failure(trouble, f"status {status}", wait)
        plain.finish()


class _SoFar:
    """What has arrived of an answer."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = bytearray()

    def begin(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}

    def received(self) -> Received:
        return Received(self.status, self.headers, bytes(self.body))

    def failure(self, trouble: Trouble, detail: str, wait_seconds: int | None = None) -> RequestFailedError:
        return RequestFailedError(trouble, detail, self.received(), wait_seconds)


class _Plain:
    """Decompresses as the bytes come, in small steps and never beyond the limit."""

    def __init__(self, response: httpx.Response, so_far: _SoFar, limit: int) -> None:
        self._so_far, self._limit = so_far, limit
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", ""}:
            raise so_far.failure(Trouble.ENCODING, "an encoding that was not asked for")
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None

    def take(self, block: bytes) -> None:
        if self._gzip is None:
            self._add(block)
            return
        rest = block
        while rest:
            if self._gzip.eof:
                raise self._so_far.failure(Trouble.ENCODING, "gzip with something behind its end")
            try:
                self._add(self._gzip.decompress(rest, _STEP))
            except zlib.error:
                raise self._so_far.failure(Trouble.ENCODING, "gzip that is broken") from None
            rest = self._gzip.unconsumed_tail or self._gzip.unused_data

    def _add(self, plain: bytes) -> None:
        self._so_far.body += plain
        if len(self._so_far.body) > self._limit:
            raise self._so_far.failure(Trouble.TOO_LARGE, f"more than {self._limit} bytes decompressed")

    def finish(self) -> None:
        if self._gzip is not None and not self._gzip.eof:
            raise self._so_far.failure(Trouble.CUT_OFF, "gzip without its end")


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, RequestFailedError) and error.transient


def _retry_after(text: str | None) -> int | None:
    """Return the seconds that a Retry-After asks for, as a number or a date; None when there is none."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(int(text), 10**6)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, math.ceil((aware - datetime.now(UTC)).total_seconds()))
