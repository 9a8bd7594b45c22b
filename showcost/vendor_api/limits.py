"""How much at once, and how fast: rate, memory, and when a vendor that fails is left in peace.

All of it lives on one event loop and is used by its tasks only. Nothing here knows requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from showcost.vendor_api.failures import RequestFailedError, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from showcost.config.api import ApiRetries

_MARGIN_MS: Final = 25
"""Added to the period of a rate, for clocks and timers that are not exact."""


class RateLimit:
    """At most `requests` within any `period_seconds`, as the vendor measures it.

    A request reaches the vendor at some moment between its beginning and its end here. So it counts from its
    beginning until a period after its end: however long the way is, no window of the vendor's clock holds
    more. (A leaky bucket lets up to twice as many through in one window: what it saved up and what drips.)
    """

    def __init__(self, requests: int, period_seconds: int) -> None:
        self._free = asyncio.Semaphore(requests)
        self._period_ms = period_seconds * 1000 + _MARGIN_MS
        self._closed_until_ms = 0

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Wait until a request may be made, and count the one that is made within the block."""
        await self._free.acquire()
        try:
            await self._opened()
            yield
        finally:
            asyncio.get_running_loop().call_later(seconds(self._period_ms), self._free.release)

    def close_for(self, wait_seconds: int) -> None:
        """Begin no request for some seconds: the vendor has asked for it."""
        self._closed_until_ms = max(self._closed_until_ms, now_ms() + wait_seconds * 1000 + _MARGIN_MS)

    async def _opened(self) -> None:
        while (left := self._closed_until_ms - now_ms()) > 0:
            await sleep_ms(left)


def now_ms() -> int:
    """Return the loop's clock in whole milliseconds."""
    return int(asyncio.get_running_loop().time() * 1000)


def seconds(milliseconds: int) -> float:
    """Return milliseconds in the unit that libraries wait in."""
    return milliseconds / 1000


async def sleep_ms(milliseconds: int) -> None:
    """Wait."""
    await asyncio.sleep(seconds(milliseconds))


@dataclass
class Lease:
    """Bytes of the memory budget that somebody holds."""

    budget: MemoryBudget
    held: int

    def shrink_to(self, size: int) -> None:
        """Give back all but `size` bytes; what is not held cannot be kept."""
        given = max(0, self.held - size)
        self.held -= given
        self.budget.give_back(given)

    def release(self) -> None:
        """Give everything back; again is no harm."""
        self.shrink_to(0)


class MemoryBudget:
    """Bytes that may be in flight over all vendors, handed out in the order of asking.

    `peak` is the most that was held at once.
    """

    def __init__(self, size: int) -> None:
        self.size, self.held, self.peak = size, 0, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> Lease:
        """Wait for `size` bytes (all there are, if it is more) and hold them until they are given back."""
        wanted = min(size, self.size)
        if self._waiting or self.held + wanted > self.size:
            await self._turn(wanted)
        else:
            self._hold(wanted)
        return Lease(self, wanted)

    async def _turn(self, wanted: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(wanted)
            else:
                self._waiting.remove((wanted, turn))
                self._admit()
            raise

    def give_back(self, size: int) -> None:
        """Take bytes back and let those who wait go on."""
        self.held -= size
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self.held + self._waiting[0][0] <= self.size:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._hold(wanted)
                turn.set_result(None)

    def _hold(self, size: int) -> None:
        self.held += size
        self.peak = max(self.peak, self.held)


class Breaker:
    """Leaves a vendor in peace that fails again and again, and gives it up for this pull when that helps not.

    After `failures_in_a_row` it rests, then lets one request through; if that fails it rests twice as long.
    After `rests` rests without a success the vendor is down: every further request fails at once.
    """

    def __init__(self, settings: ApiRetries) -> None:
        self._settings = settings
        self._failures = self._rests = 0
        self._resting_until_ms = 0
        self._probing = asyncio.Lock()
        self._why = ""
        self.trips = 0
        self.down = False

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Wait while the vendor rests; within the block one request is made.

        RequestFailedError when the vendor is down. What happened in the block is told by `succeeded` and
        `failed`.
        """
        self.refuse_if_down()
        if not self._rests:
            yield
            return
        async with self._probing:
            self.refuse_if_down()
            await self._rest()
            yield

    async def _rest(self) -> None:
        while self._rests and (left := self._resting_until_ms - now_ms()) > 0:
            await sleep_ms(left)

    def refuse_if_down(self) -> None:
        """Raise RequestFailedError when the vendor is down."""
        if self.down:
            raise RequestFailedError(Trouble.DOWN, self._why)

    def give_up(self, why: str) -> None:
        """Ask the vendor no more in this pull."""
        self.down, self._why = True, why

    def succeeded(self) -> None:
        """Note an answer: whatever it says, the vendor is there."""
        self._failures = self._rests = 0

    def failed(self) -> None:
        """Note that no proper answer came."""
        self._failures += 1
        if self.down or (not self._rests and self._failures < self._settings.failures_in_a_row):
            return
        if self._rests and self._resting_until_ms > now_ms():
            return  # a request that had begun before the rest did
        if self._rests >= self._settings.rests:
            self.give_up(f"given up after {self.trips} rests")
            return
        self._resting_until_ms = now_ms() + (self._settings.rest_ms << self._rests)
        self._rests += 1
        self.trips += 1
