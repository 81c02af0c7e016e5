from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from havre.base.errors import Unavailable
from havre.images import inlet as module
from havre.images.inlet import Inlet, begun


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def read_all(inlet: Inlet, size: int) -> list[bytes]:
    return list(iter(lambda: inlet.read(size), b""))


async def test_what_goes_in_comes_out() -> None:
    inlet = Inlet()
    reading = asyncio.get_running_loop().run_in_executor(None, read_all, inlet, 3)
    await inlet.feed(pieces(b"abcdefg", b"", b"h"))
    assert await reading == [b"abc", b"def", b"g", b"h"]


async def test_a_slow_reader_stops_the_feeder() -> None:
    inlet = Inlet()
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 100 << 20:
            taken += 1 << 20
            yield bytes(1 << 20)

    feeding = asyncio.get_running_loop().create_task(inlet.feed(endless()))
    for _ in range(100):
        await asyncio.sleep(0)
    assert taken <= 10 << 20
    whole = await asyncio.get_running_loop().run_in_executor(None, read_all, inlet, 1 << 20)
    await feeding
    assert sum(map(len, whole)) == 100 << 20


async def test_a_body_that_breaks_off_is_the_readers_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ConnectionResetError("gone")

    inlet = Inlet()
    await inlet.feed(broken())
    assert inlet.read(10) == b"a"
    with pytest.raises(Unavailable, match="broke off: gone"):
        inlet.read(10)


async def test_an_error_of_ours_is_not_swallowed() -> None:
    async def faulty() -> AsyncIterator[bytes]:
        yield b"a"
        raise RuntimeError("bug")

    inlet = Inlet()
    with pytest.raises(RuntimeError):
        await inlet.feed(faulty())
    inlet.read(1)
    with pytest.raises(Unavailable):
        inlet.read(1)


async def test_a_closed_inlet_drops_what_comes() -> None:
    inlet = Inlet()
    inlet.close()
    await inlet.feed(pieces(*[bytes(1 << 20)] * 50))
    assert inlet.read(1) == b""


async def test_closing_wakes_a_waiting_feeder() -> None:
    inlet = Inlet()
    feeding = asyncio.get_running_loop().create_task(inlet.feed(pieces(*[bytes(1 << 20)] * 50)))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not feeding.done()
    inlet.close()
    await asyncio.wait_for(feeding, 10)


async def test_a_stalled_body_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALL_S", 0.01)
    with pytest.raises(Unavailable, match="no byte arrived"):
        await asyncio.get_running_loop().run_in_executor(None, Inlet().read, 1)


async def test_closing_wakes_a_waiting_reader() -> None:
    inlet = Inlet()
    reading = asyncio.get_running_loop().run_in_executor(None, inlet.read, 1)
    inlet.close()
    assert await asyncio.wait_for(reading, 10) == b""


async def test_a_body_that_has_begun_is_whole() -> None:
    assert [piece async for piece in await begun(pieces(b"", b"a", b"", b"b"))] == [b"a", b"", b"b"]
    assert [piece async for piece in await begun(pieces())] == []


async def test_the_first_byte_is_waited_for() -> None:
    there = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await there.wait()
        yield b"late"

    waiting = asyncio.get_running_loop().create_task(begun(slow()))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    there.set()
    assert [piece async for piece in await waiting] == [b"late"]
