from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from havre.base import tasks
from havre.base.errors import ResourceExhausted
from havre.base.tasks import Tasks, in_thread


async def test_a_blocking_call_runs_elsewhere_with_its_arguments() -> None:
    def call(one: int, *, two: int) -> tuple[int, str]:
        return one + two, threading.current_thread().name

    total, thread = await in_thread(call, 1, two=2)
    assert total == 3
    assert thread.startswith("havre")


async def test_the_pool_is_one() -> None:
    await in_thread(int)
    pool = tasks._pool
    await in_thread(int)
    assert tasks._pool is pool


async def test_the_pool_is_made_at_the_first_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_pool", None)
    assert await in_thread(int, "7") == 7
    made = tasks._pool
    assert made is not None
    made.shutdown()


async def test_the_loop_goes_on_meanwhile() -> None:
    gate = threading.Event()
    waiting = asyncio.get_running_loop().create_task(in_thread(gate.wait, 30))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    assert await waiting


async def test_an_error_in_a_thread_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


async def test_close_cancels_and_waits() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("cleaned")

    owner = Tasks()
    task = owner.start(work(), name="worker")
    await asyncio.sleep(0)
    await owner.close()
    assert task.cancelled()
    assert task.get_name() == "worker"
    assert ended == ["cleaned"]
    await owner.close()


async def test_close_ends_what_a_dying_task_starts() -> None:
    owner = Tasks()
    late: list[asyncio.Task[None]] = []

    async def forever() -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        try:
            await forever()
        finally:
            late.append(owner.start(forever(), name="late"))

    first = owner.start(work(), name="first")
    await asyncio.sleep(0)
    await owner.close()
    assert first.cancelled()
    assert late[0].cancelled()


async def test_a_failure_is_logged_with_its_name_and_ends_one_task_only(caplog: pytest.LogCaptureFixture) -> None:
    owner = Tasks()
    release = asyncio.Event()

    async def fail() -> None:
        raise ValueError("broken")

    async def live() -> None:
        await release.wait()

    failing, living = owner.start(fail(), name="failing"), owner.start(live(), name="living")
    with caplog.at_level(logging.ERROR):
        await asyncio.wait([failing])
        await asyncio.sleep(0)
    assert not living.done()
    assert [record.getMessage() for record in caplog.records] == ["task failing failed"]
    assert caplog.records[0].exc_info is not None
    release.set()
    await living
    await asyncio.sleep(0)
    assert not owner._running


async def test_what_is_known_is_told_in_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    owner = Tasks()

    async def fail() -> None:
        raise ResourceExhausted("the disk is full")

    await asyncio.wait([owner.start(fail(), name="failing")])
    await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == ["task failing failed: the disk is full"]
    assert not caplog.records[0].exc_info


async def test_an_end_in_order_and_a_cancellation_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    owner = Tasks()
    await owner.start(asyncio.sleep(0), name="short")
    long = owner.start(asyncio.sleep(30), name="long")
    await owner.close()
    assert long.cancelled()
    assert not caplog.records
