"""What a piece of work tells on its way, as an async iterator: the work is a task that ends with its reader."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


def _alone(_one: object) -> Hashable:
    """Every report is read."""
    return None


async def relayed(
    work: Callable[[Callable[[_T], None]], Coroutine[object, object, None]],
    key: Callable[[_T], Hashable] = _alone,
) -> AsyncIterator[_T]:
    """Run *work*, which is given a function to report with (from any thread), and yield its reports in order.

    Of reports with the same *key* (None is none) only the newest waits to be read, so that a slow reader costs
    little. The failure of the work is raised after its last report; whoever stops iterating cancels it and waits
    for it.
    """
    loop = asyncio.get_running_loop()
    reports = _Waiting(key)

    def report(one: _T | None) -> None:
        loop.call_soon_threadsafe(reports.put, one)

    async def run() -> None:
        try:
            await work(report)
        finally:
            report(None)

    task = loop.create_task(run())
    try:
        while (one := await reports.get()) is not None:
            yield one
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


class _Waiting(Generic[_T]):
    """Reports that were not read yet, in their order."""

    def __init__(self, key: Callable[[_T], Hashable]) -> None:
        self._key = key
        self._reports: dict[Hashable, _T | None] = {}
        self._count = 0
        self._arrived = asyncio.Event()

    def put(self, one: _T | None) -> None:
        key = None if one is None else self._key(one)
        if key is None:
            self._count += 1
            key = self._count
        self._reports[key] = one  # one that waits already keeps its place
        self._arrived.set()

    async def get(self) -> _T | None:
        await self._arrived.wait()
        key = next(iter(self._reports))
        one = self._reports.pop(key)
        if not self._reports:
            self._arrived.clear()
        return one
