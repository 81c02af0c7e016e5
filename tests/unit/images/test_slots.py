from __future__ import annotations

import asyncio

from havre.images.slots import Slots


async def test_a_new_limit_holds_for_what_begins_then() -> None:
    limit = 1
    slots = Slots(lambda: limit)
    async with slots.gate:
        assert slots.gate.locked()
        limit = 2
        async with asyncio.timeout(30), slots.gate, slots.gate:
            assert slots.gate.locked()
    assert not slots.gate.locked()


async def test_there_is_always_one() -> None:
    async with asyncio.timeout(30), Slots(lambda: 0).gate:
        pass
