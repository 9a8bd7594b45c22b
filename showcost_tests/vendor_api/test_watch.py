"""Event-loop delays are measured, and named in debug mode."""

from __future__ import annotations

import asyncio
import time

import pytest

from showcost.vendor_api.health import SLOW_MS, Health, watched


async def _block(health: Health, *, debug: bool) -> None:
    async def slow() -> None:
        time.sleep(2 * SLOW_MS / 1000)  # noqa: ASYNC251 -- the delay to be measured

    async with watched(health, lambda: None, debug=debug, trace=debug):
        await asyncio.sleep(0.02)
        await asyncio.create_task(slow(), name="the slow one")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("debug", [True, False])
def test_a_blocking_callback_is_measured_and_named_in_debug_mode(debug: bool) -> None:
    health = Health()
    asyncio.run(_block(health, debug=debug))
    assert health.longest_hold_up >= SLOW_MS
    assert health.slow >= 1
    assert health.peak_resident >= health.resident_before > 0
    assert bool(health.slow_callbacks) == debug
    assert any("the slow one" in text for text in health.named) == debug
    assert (health.peak_traced > 0) == debug
    assert "named" not in health.measures
