"""Rate limiter, memory budget and circuit breaker in isolation."""

from __future__ import annotations

import asyncio
import random

from showcost.vendor_api.limits import Lease, MemoryBudget, RateLimiter


def _most_within(moments: list[float], period: float) -> int:
    return max(sum(1 for other in moments if moment <= other < moment + period) for moment in moments)


def test_no_window_of_the_vendor_has_more_requests_than_allowed() -> None:
    """A request reaches the vendor at any moment between its start and its end."""
    chance = random.Random(7)  # noqa: S311 -- no secret
    arrivals: list[float] = []

    async def request(limit: RateLimiter) -> None:
        async with limit.request():
            before = chance.uniform(0, 0.08)
            await asyncio.sleep(before)
            arrivals.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.08 - before)

    async def many() -> None:
        limit = RateLimiter(4, 1)
        limit._period_ms = 150
        async with asyncio.TaskGroup() as group:
            for _ in range(24):
                group.create_task(request(limit))

    asyncio.run(many())
    assert len(arrivals) == 24
    assert _most_within(arrivals, 0.15) <= 4


def test_memory_is_granted_in_turn_and_never_beyond_the_budget() -> None:
    async def many() -> MemoryBudget:
        budget, order = MemoryBudget(100), list[int]()

        async def other(number: int, size: int) -> None:
            lease = await budget.take(size)
            order.append(number)
            assert budget.held <= 100
            await asyncio.sleep(0.002)
            lease.shrink_to(size // 2)
            lease.shrink_to(size)
            await asyncio.sleep(0.001)
            lease.release()
            lease.release()

        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(other(number, 1 + number * 37 % 90))
        assert order == sorted(order)
        return budget

    budget = asyncio.run(many())
    assert budget.held == 0
    assert 90 <= budget.peak <= 100


def test_a_task_cancelled_while_waiting_holds_no_memory() -> None:
    async def main() -> None:
        budget = MemoryBudget(10)
        first = await budget.take(10)
        waiting = [asyncio.create_task(budget.take(10)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        first.release()
        waiting[1].cancel()  # in the moment in which it has been given its turn
        third = await asyncio.wait_for(waiting[2], 1)
        assert isinstance(third, Lease)
        third.release()
        assert budget.held == 0
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(main())


def test_a_request_beyond_the_budget_takes_the_whole_budget() -> None:
    async def main() -> int:
        return (await MemoryBudget(10).take(1_000)).held

    assert asyncio.run(main()) == 10


def test_a_vendor_that_asks_for_a_pause_gets_it() -> None:
    async def main() -> float:
        limit, loop = RateLimiter(10, 1), asyncio.get_running_loop()
        limit.close_for(1)
        began = loop.time()
        async with limit.request():
            return loop.time() - began

    assert asyncio.run(main()) >= 1
