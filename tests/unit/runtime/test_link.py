"""The channel to a shim, on both kinds of loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from havre.kernel.channel import Channel
from havre.runtime.bundle import Exit
from havre.runtime.errors import ShimGone
from havre.runtime.link import Link
from havre.runtime.messages import ExecExited, Exited, Signal, encode


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_who_ends_with_a_request_unread_and_a_last_word_has_ended(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """The kernel tells of an unread request by an error, before the last word and before the end."""
    news: list[Exited | ExecExited | None] = []

    async def live() -> None:
        ours, theirs = Channel.pair()
        link = Link(ours, news.append)
        asking = asyncio.get_running_loop().create_task(link.ask(Signal(1, 9), seq=1))
        await asyncio.sleep(0)
        theirs.send(encode(Exited(Exit(code=7))), [])
        theirs.close()
        with pytest.raises(ShimGone):
            await asyncio.wait_for(asking, 20)
        assert not link.open

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(live())
    assert [type(one) for one in news] == [Exited, type(None)]
