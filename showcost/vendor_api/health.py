"""Watching a pull: how long the loop was held up, tasks, queues, memory; cheap enough to be always on.

With `debug` the loop's own debug mode names slow callbacks in the log of asyncio; with `trace` Python counts
its allocations, which costs time and is therefore for looking into a question.
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
"""A loop that is held up longer than this is too slow."""

_NAMED: Final = 20
_TICK_MS: Final = 10
_SAMPLE_TICKS: Final = 20
_STATM: Final = Path("/proc/self/statm")


@dataclass
class Health:
    """How a pull went for the machine; times in milliseconds, memory in bytes, `peak_` the most at once.

    `longest_hold_up` is the longest time that the loop did not come round, `slow` how often that was longer
    than `SLOW_MS`, `slow_callbacks` those that the loop's debug mode named (0 without it), the first of them
    in `named`.
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
        """Everything that is a number, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


def resident_bytes() -> int:
    """Return the resident size of this process; where the system does not tell, its peak so far."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _SlowCallbacks(logging.Handler):
    """Counts what the loop's debug mode says about slow callbacks."""

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
    health: Health, gauges: Callable[[], None], *, debug: bool = False, trace: bool = False
) -> AsyncIterator[None]:
    """Watch the loop within the block; `gauges` is called often, to note what it wants to know."""
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
    ticking = asyncio.create_task(_tick(health, gauges))
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


async def _tick(health: Health, gauges: Callable[[], None]) -> None:
    number = 0
    while True:
        began = now_ms()
        await sleep_ms(_TICK_MS)
        late = now_ms() - began - _TICK_MS
        health.longest_hold_up = max(health.longest_hold_up, late)
        health.slow += late > SLOW_MS
        gauges()
        health.peak_tasks = max(health.peak_tasks, len(asyncio.all_tasks()))
        if number % _SAMPLE_TICKS == 0:
            health.peak_resident = max(health.peak_resident, resident_bytes())
        number += 1
