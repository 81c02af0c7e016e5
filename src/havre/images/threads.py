"""Several pieces of work at a time in threads, none of which is left behind; see `base.tasks.to_the_end`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from havre.base.tasks import in_thread, to_the_end

_T = TypeVar("_T")


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
