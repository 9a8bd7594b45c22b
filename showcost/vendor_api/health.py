"""Health of a pull: event-loop delay, tasks, queues and memory; cheap enough to be always on.

With `debug` the loop's own debug mode logs slow callbacks; with `trace` Python traces its allocations, which
is slow and therefore meant for investigations.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
import tracemalloc
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from showcost.vendor_api.limits import now_ms, seconds, sleep_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SLOW_MS: Final = 100
"""An event-loop delay above this is too long."""

_NAMED: Final = 20
_TICK_MS: Final = 10
_SAMPLE_TICKS: Final = 20
_STATM: Final = Path("/proc/self/statm")


@dataclass
class Health:
    """Load of a pull on the machine; times in milliseconds, memory in bytes, `peak_` the maximum at once.

    `longest_hold_up` is the maximum event-loop delay, `slow` the number of times it exceeded
    `SLOW_MS`, `slow_callbacks` the number that the loop's debug mode reported (0 without it), the first of
    them in `named`.
    """

    took: int = 0
    longest_hold_up: int = 0
    slow: int = 0
    slow_callbacks: int = 0
    peak_tasks: int = 0
    peak_in_flight: int = 0
    peak_waiting_windows: int = 0
    peak_waiting_pages: int = 0
    resident_before: int = 0
    peak_resident: int = 0
    peak_traced: int = 0
    named: list[str] = field(default_factory=list)

    @property
    def measures(self) -> dict[str, int]:
        """The numeric measures, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


def resident_bytes() -> int:
    """Return the resident size of this process, or its peak so far where the system has no current size."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _SlowCallbacks(logging.Handler):
    """Counts the slow callbacks that the loop's debug mode reports."""

    def __init__(self, health: Health) -> None:
        super().__init__(logging.WARNING)
        self._health = health

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Executing"):
            self._health.slow_callbacks += 1
            if len(self._health.named) < _NAMED:
                self._health.named.append(record.getMessage())


@asynccontextmanager
async def watched(
    health: Health, sample: Callable[[], None], *, debug: bool = False, trace: bool = False
) -> AsyncIterator[None]:
    """Monitor the loop within the block; `sample` is called every few milliseconds to take measures."""
    loop = asyncio.get_running_loop()
    handler = _SlowCallbacks(health)
    logger = logging.getLogger("asyncio")
    if debug:
        loop.set_debug(enabled=True)
        loop.slow_callback_duration = seconds(SLOW_MS)
        logger.addHandler(handler)
    if trace:
        tracemalloc.start()
    began = now_ms()
    health.resident_before = health.peak_resident = resident_bytes()
    ticking = asyncio.create_task(_tick(health, sample))
    try:
        yield
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        health.took = now_ms() - began
        if trace:
            health.peak_traced = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        if debug:
            logger.removeHandler(handler)
            loop.set_debug(enabled=False)


async def _tick(health: Health, sample: Callable[[], None]) -> None:
    number = 0
    while True:
        began = now_ms()
        await sleep_ms(_TICK_MS)
        late = now_ms() - began - _TICK_MS
        health.longest_hold_up = max(health.longest_hold_up, late)
        health.slow += late > SLOW_MS
        sample()
        health.peak_tasks = max(health.peak_tasks, len(asyncio.all_tasks()))
        if number % _SAMPLE_TICKS == 0:
            health.peak_resident = max(health.peak_resident, resident_bytes())
        number += 1
