"""Work that several want and one does: it goes on while anyone waits for it, and all hear how it goes."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Generic, TypeVar

from havre.images.transfer_events import Tell, TransferEvent

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")


class _One(Generic[_T]):
    def __init__(self, work: Callable[[Tell], Coroutine[object, object, _T]]) -> None:
        self.hearers: list[Tell] = []
        self.last: TransferEvent | None = None
        self.ending = False
        self.task = asyncio.get_running_loop().create_task(work(self._tell))

    def _tell(self, event: TransferEvent) -> None:
        self.last = event
        for hear in self.hearers:
            hear(event)


class Shared(Generic[_K, _T]):
    """Pieces of work by key; of one event loop."""

    def __init__(self) -> None:
        self._running: dict[_K, _One[_T]] = {}

    async def result(self, key: _K, work: Callable[[Tell], Coroutine[object, object, _T]], hear: Tell) -> _T:
        """What *work* gives, begun here or joined. When its last waiter is cancelled it is cancelled, and has ended."""
        while (one := self._running.get(key)) is not None and one.ending:
            await asyncio.wait({one.task})
        if one is None:
            one = self._running[key] = _One(work)
        elif one.last is not None:
            hear(one.last)
        one.hearers.append(hear)
        try:
            return await asyncio.shield(one.task)
        finally:
            one.hearers.remove(hear)
            if not one.hearers:
                one.ending = True
                await _ended(one.task)
                del self._running[key]


async def _ended(task: "asyncio.Task[_T]") -> None:
    """Stop *task* and wait for it, however often the waiting itself is cancelled."""
    if not task.done():
        task.cancel()
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
    if not task.cancelled():
        task.exception()
