"""Tasks with an owner, and the one bounded pool of threads for calls that block in the kernel."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar, cast

from havre.base.errors import HavreError

_P = ParamSpec("_P")
_T = TypeVar("_T")
_THREADS = 16
_log = logging.getLogger(__name__)
_pool: ThreadPoolExecutor | None = None


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call *function* in the bounded pool; the loop goes on meanwhile."""
    global _pool  # noqa: PLW0603  one pool a process, made at the first need
    if _pool is None:
        _pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="havre")
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, lambda: function(*args, **kwargs))


async def in_own_thread(function: Callable[[], _T]) -> _T:
    """Call *function* in a new thread that ends with it: for what may take long, or changes the thread itself."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def tell(result: _T | None, failure: BaseException | None) -> None:
        if done.cancelled():
            return
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(cast("_T", result))

    def body() -> None:
        result, failure = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001  told to whoever waits
            failure = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=body, name="havre-own", daemon=True).start()
    return await done


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


class Tasks:
    """The background tasks of one owner: named, held, and cancelled together by `close`.

    An exception in one task is logged with its name and ends that task only.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
        """Run *work* until it ends or the owner closes."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def ended(self) -> None:
        """Wait until nothing runs."""
        while running := list(self._running):
            await asyncio.wait(running)

    async def close(self) -> None:
        """Cancel what still runs, and what it starts while it ends, and wait for it."""
        while running := list(self._running):
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, HavreError):  # what went wrong is known: where it was noticed says nothing more
            _log.error("task %s failed: %s", task.get_name(), error.message)
        else:
            _log.error("task %s failed", task.get_name(), exc_info=error)
