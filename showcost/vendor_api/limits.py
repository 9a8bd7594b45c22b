"""Rate limiter, memory budget and circuit breaker.

All of them belong to one event loop and are used by its tasks only. They know nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.vendor_api.failures import FailureKind, RequestFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from showcost.config.api import ApiRetries

_MARGIN_MS: Final = 25
"""Safety margin added to the period of a rate, since clocks and timers are inexact."""


class RateLimiter:
    """At most `requests` within any `period_seconds`, as the vendor measures it.

    A request reaches the vendor at some moment between its start and its end here. So it counts from its
    start until one period after its end: whatever the latency, no window of the vendor's clock contains
    more. (A leaky bucket allows up to twice as many in one window: its burst, and the drip meanwhile.)
    """

    def __init__(self, requests: int, period_seconds: int) -> None:
        self._free = asyncio.Semaphore(requests)
        self._period_ms = period_seconds * 1000 + _MARGIN_MS
        self._closed_until_ms = 0

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait until a request is allowed; the one made within the block is counted."""
        await self._free.acquire()
        try:
            await self._opened()
            yield
        finally:
            asyncio.get_running_loop().call_later(seconds(self._period_ms), self._free.release)

    def close_for(self, wait_seconds: int) -> None:
        """Start no request for some seconds, because the vendor asked for a pause."""
        self._closed_until_ms = max(self._closed_until_ms, now_ms() + wait_seconds * 1000 + _MARGIN_MS)

    async def _opened(self) -> None:
        while (left := self._closed_until_ms - now_ms()) > 0:
            await sleep_ms(left)


def now_ms() -> int:
    """Return the loop's clock in whole milliseconds."""
    return int(asyncio.get_running_loop().time() * 1000)


def seconds(milliseconds: int) -> float:
    """Return milliseconds as seconds, the unit that libraries expect."""
    return milliseconds / 1000


async def sleep_ms(milliseconds: int) -> None:
    """Wait."""
    await asyncio.sleep(seconds(milliseconds))


@dataclass
class Lease:
    """Bytes that are taken from the memory budget."""

    budget: MemoryBudget
    held: int

    def shrink_to(self, size: int) -> None:
        """Return all but `size` bytes to the budget."""
        surplus = max(0, self.held - size)
        self.held -= surplus
        self.budget.give_back(surplus)

    def release(self) -> None:
        """Return everything to the budget; may be called more than once."""
        self.shrink_to(0)


class MemoryBudget:
    """Bytes that may be in flight for all vendors together, granted in the order of requests.

    `peak` is the maximum in use at once.
    """

    def __init__(self, size: int) -> None:
        self.size, self.held, self.peak = size, 0, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> Lease:
        """Wait for `size` bytes (at most the whole budget) and take them until they are returned."""
        size = min(size, self.size)
        if self._waiting or self.held + size > self.size:
            await self._turn(size)
        else:
            self._hold(size)
        return Lease(self, size)

    async def _turn(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(size)
            else:
                self._waiting.remove((size, turn))
                self._admit()
            raise

    def give_back(self, size: int) -> None:
        """Take bytes back and admit the tasks that wait for them."""
        self.held -= size
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.held + self._waiting[0][0] <= self.size:
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._hold(size)
                turn.set_result(None)

    def _hold(self, size: int) -> None:
        self.held += size
        self.peak = max(self.peak, self.held)


class CircuitBreaker:
    """Pauses requests to a vendor that keeps failing, and in the end stops them for this pull.

    After `failures_in_a_row` it opens for a cool-down, then lets one request through; if that fails the next
    cool-down is twice as long. After `rests` cool-downs without a success the vendor is down: every further
    request fails at once.
    """

    def __init__(self, settings: ApiRetries) -> None:
        self._settings = settings
        self._failures = self._cool_downs = 0
        self._open_until_ms = 0
        self._probing = asyncio.Lock()
        self._why = ""
        self.trips = 0
        self.down = False

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Wait for the end of a cool-down; within the block one request is made.

        RequestFailedError when the vendor is down. The result of the request is reported by `succeeded` or
        `failed`.
        """
        self.refuse_if_down()
        if not self._cool_downs:
            yield
            return
        async with self._probing:
            self.refuse_if_down()
            await self._cool_down()
            yield

    async def _cool_down(self) -> None:
        while self._cool_downs and (left := self._open_until_ms - now_ms()) > 0:
            await sleep_ms(left)

    def refuse_if_down(self) -> None:
        """Raise RequestFailedError when the vendor is down."""
        if self.down:
            raise RequestFailedError(FailureKind.DOWN, self._why)

    def give_up(self, why: str) -> None:
        """Send the vendor no more requests in this pull."""
        self.down, self._why = True, why

    def succeeded(self) -> None:
        """Note a response: whatever its status, the vendor is up."""
        self._failures = self._cool_downs = 0

    def failed(self) -> None:
        """Note a request without a proper response."""
        self._failures += 1
        if self.down or (not self._cool_downs and self._failures < self._settings.failures_in_a_row):
            return
        if self._cool_downs and self._open_until_ms > now_ms():
            return  # a request that was sent before the cool-down began
        if self._cool_downs >= self._settings.rests:
            self.give_up(f"circuit breaker open after {self.trips} cool-downs")
            return
        self._open_until_ms = now_ms() + (self._settings.rest_ms << self._cool_downs)
        self._cool_downs += 1
        self.trips += 1
