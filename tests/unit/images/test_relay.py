from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import pytest

from havre.base.tasks import in_thread
from havre.images.relay import relayed


async def test_reports_come_in_order_from_wherever_they_are_made() -> None:
    async def work(report: Callable[[int], None]) -> None:
        report(1)
        await in_thread(lambda: deque(map(report, range(2, 50)), maxlen=0))
        report(50)

    assert [one async for one in relayed(work)] == list(range(1, 51))


async def test_a_failure_comes_after_the_last_report() -> None:
    async def work(report: Callable[[int], None]) -> None:
        report(1)
        raise ValueError("no")

    events = relayed(work)
    assert await anext(events) == 1
    with pytest.raises(ValueError, match="no"):
        await anext(events)


async def test_whoever_stops_listening_ends_the_work() -> None:
    ended = asyncio.Event()

    async def work(report: Callable[[int], None]) -> None:
        try:
            report(1)
            await asyncio.Event().wait()
        finally:
            ended.set()

    events = relayed(work)
    assert await anext(events) == 1
    await events.aclose()  # type: ignore[attr-defined]  # it is an async generator
    assert ended.is_set()
