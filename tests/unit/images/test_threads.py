from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from havre.base.tasks import in_thread, to_the_end
from havre.images.threads import all_in_threads


async def test_the_cancelled_one_waits_until_the_thread_has_ended() -> None:
    stop, begun, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        stop.wait()
        ended.set()

    task = asyncio.get_running_loop().create_task(to_the_end(in_thread(work), stop.set))
    await in_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_work_without_a_stop_is_finished() -> None:
    gate, begun = threading.Event(), threading.Event()
    done = []

    def work() -> None:
        begun.set()
        gate.wait()
        done.append(1)

    task = asyncio.get_running_loop().create_task(to_the_end(in_thread(work)))
    await in_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]


async def test_results_keep_their_order() -> None:
    assert await all_in_threads(lambda: None, [partial(int, number) for number in "31245"], 2) == [3, 1, 2, 4, 5]
    assert await all_in_threads(lambda: None, [], 2) == []


async def test_the_first_failure_stops_the_others() -> None:
    stop, began = threading.Event(), threading.Event()

    def fails() -> int:
        began.wait()
        raise ValueError("first")

    def waits() -> int:
        began.set()
        stop.wait()
        return 1

    with pytest.raises(ValueError, match="first"):
        await all_in_threads(stop.set, [fails, waits], 2)
    assert stop.is_set()
