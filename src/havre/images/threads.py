"""Work that is never left behind: whoever is cancelled tells it to stop, and waits until it has."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TypeVar

from havre.base.tasks import in_thread

_T = TypeVar("_T")


def _go_on() -> None:
    """Some work is not stopped but finished."""


async def to_the_end(work: Coroutine[object, object, _T], stop: Callable[[], None] = _go_on) -> _T:
    """The result of *work*; but when cancelled, call *stop* and return only after *work* ended.

    What it uses (a lease, a stream, a lock) may so be given back by its caller.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop()
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue  # asked twice: the answer is the same
        if not task.cancelled():
            task.exception()  # seen: the cancellation is what the caller hears of
        raise


async def all_in_threads(stop: Callable[[], None], calls: Sequence[Callable[[], _T]], at_once: int) -> list[_T]:
    """The results of *calls*, made *at_once* at a time in their order; the first failure stops the others."""
    slots = asyncio.Semaphore(at_once)

    async def one(call: Callable[[], _T]) -> _T:
        async with slots:
            return await to_the_end(in_thread(call), stop)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(call)) for call in calls]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
