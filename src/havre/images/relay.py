"""What a piece of work tells on its way, as an async iterator: the work is a task that ends with its reader."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TypeVar

_T = TypeVar("_T")


async def relayed(work: Callable[[Callable[[_T], None]], Coroutine[object, object, None]]) -> AsyncIterator[_T]:
    """Run *work*, which is given a function to report with (from any thread), and yield its reports in order.

    The failure of the work is raised after its last report; whoever stops iterating cancels it and waits for it.
    """
    loop = asyncio.get_running_loop()
    reports: asyncio.Queue[_T | None] = asyncio.Queue()  # bounded by the work: some dozens of reports a layer

    def report(one: _T | None) -> None:
        loop.call_soon_threadsafe(reports.put_nowait, one)

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
