"""Bytes from a thread to the loop: in order, bounded, and no further than the reader wants."""

from __future__ import annotations

import asyncio

import pytest

from havre.base.tasks import in_own_thread
from havre.engine.outlet import Outlet, ReaderGone


def test_pieces_come_in_order_and_end() -> None:
    async def work() -> list[bytes]:
        outlet = Outlet()

        def make() -> None:
            for number in range(100):
                outlet.put(b"%d" % number)
            outlet.end()

        task = asyncio.ensure_future(in_own_thread(make))
        found = [piece async for piece in outlet]
        await task
        return found

    assert asyncio.run(work()) == [b"%d" % number for number in range(100)]


def test_a_writer_ends_with_its_reader() -> None:
    async def work() -> None:
        outlet = Outlet()

        def make() -> None:
            while True:
                outlet.put(b"more")

        task = asyncio.ensure_future(in_own_thread(make))
        async for _ in outlet:
            outlet.close()
            break
        with pytest.raises(ReaderGone):
            await task

    asyncio.run(work())


def test_what_a_thread_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        asyncio.run(in_own_thread(fail))
