from __future__ import annotations

import asyncio

import pytest

from havre.images.sharing import Shared
from havre.images.transfer_events import LayerState, Tell, TransferEvent


class Work:
    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.go = asyncio.Event()

    async def __call__(self, tell: Tell) -> int:
        self.begun += 1
        tell(LayerState("x", f"begun {self.begun}"))
        try:
            await self.go.wait()
        finally:
            await asyncio.sleep(0)
            self.ended += 1
        return self.begun


async def started(coroutine: object) -> asyncio.Task[int]:
    task: asyncio.Task[int] = asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type]
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_one_work_for_many() -> None:
    shared: Shared[str, int] = Shared()
    work, heard = Work(), list[TransferEvent]()
    tasks = [await started(shared.result("k", work, heard.append)) for _ in range(3)]
    work.go.set()
    assert await asyncio.gather(*tasks) == [1, 1, 1]
    assert heard == [LayerState("x", "begun 1")] * 3


async def test_it_goes_on_while_anyone_waits() -> None:
    shared: Shared[str, int] = Shared()
    work = Work()
    first, second = [await started(shared.result("k", work, print)) for _ in range(2)]
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert work.ended == 0
    work.go.set()
    assert await second == 1


async def test_with_the_last_it_ends_and_the_next_begins_after_it() -> None:
    shared: Shared[str, int] = Shared()
    work = Work()
    first = await started(shared.result("k", work, print))
    first.cancel()
    second = asyncio.get_running_loop().create_task(shared.result("k", work, print))
    with pytest.raises(asyncio.CancelledError):
        await first
    assert work.ended == 1
    work.go.set()
    assert await second == 2


async def test_a_failure_is_everybodys() -> None:
    shared: Shared[str, int] = Shared()

    async def fails(_tell: Tell) -> int:
        await asyncio.sleep(0)
        raise ValueError("no")

    results = await asyncio.gather(*(shared.result("k", fails, print) for _ in range(2)), return_exceptions=True)
    assert [str(one) for one in results] == ["no", "no"]
