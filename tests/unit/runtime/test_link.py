from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from havre.kernel.channel import Channel
from havre.runtime.bundle import Exit
from havre.runtime.errors import ShimGone
from havre.runtime.link import Link
from havre.runtime.messages import ExecExited, Exited, Signal, encode


def loops() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    made: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop]
    try:
        import uvloop
    except ImportError:
        return made
    return [*made, uvloop.new_event_loop]


async def ask_one_that_goes() -> list[object]:
    """The shim tells its end, and closes with our question unread."""
    ours, theirs = Channel.pair()
    heard: list[Exited | ExecExited | None] = []
    link = Link(ours, heard.append)
    seq = link.number()
    asking = asyncio.gather(link.ask(Signal(seq, 9), seq=seq), return_exceptions=True)
    await asyncio.sleep(0)
    theirs.send(encode(Exited(Exit(code=3))))
    theirs.close()
    async with asyncio.timeout(10):
        answers = await asking
    return [*heard, *answers]


@pytest.mark.parametrize("make", loops(), ids=lambda make: make.__module__)
def test_a_question_that_nobody_read_is_answered_by_the_end(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=make) as runner:
        told, gone, answer = runner.run(ask_one_that_goes())
    assert told == Exited(Exit(code=3))
    assert gone is None
    assert isinstance(answer, ShimGone)
