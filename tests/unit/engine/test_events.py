from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from havre.base import clock
from havre.base.errors import InvalidInput
from havre.engine.events import KEPT, Events, passes
from havre.wire.events import EventMessage


async def take(source: AsyncIterator[EventMessage], count: int) -> list[str]:
    found: list[str] = []
    async for message in source:
        found.append(message.get("Action") or "")
        if len(found) == count:
            break
    return found


async def everything(source: AsyncIterator[EventMessage]) -> list[str]:
    return [message.get("Action") or "" async for message in source]


async def test_listeners_hear_what_happens_after_they_asked() -> None:
    events = Events()
    events.publish("container", "before", "a", {})
    listener = events.subscribe({})
    events.publish("container", "start", "a", {"name": "x", "image": "bb"})
    events.publish("container", "die", "a", {"name": "x"})
    assert await take(listener, 2) == ["start", "die"]


async def test_a_message_has_the_fields_of_old_and_new_clients() -> None:
    events = Events()
    listener = events.subscribe({})
    events.publish("container", "start", "a" * 64, {"name": "x", "image": "bb"})
    message = await anext(listener)
    assert (message.get("status"), message.get("id"), message.get("from")) == ("start", "a" * 64, "bb")
    assert message.get("Actor") == {"ID": "a" * 64, "Attributes": {"name": "x", "image": "bb"}}
    assert message.get("time") == (message.get("timeNano") or 0) // 10**9


async def test_the_past_comes_first_and_is_bounded() -> None:
    events = Events()
    for number in range(KEPT + 10):
        events.publish("container", str(number), "a", {})
    past = await everything(events.subscribe({}, since_ns=0, until_ns=clock.now_ns()))
    assert past == [str(number) for number in range(10, KEPT + 10)]


async def test_until_in_the_past_ends_at_once() -> None:
    events = Events()
    events.publish("container", "x", "a", {})
    assert await everything(events.subscribe({}, until_ns=1)) == []
    assert events.listeners == 0


async def test_until_in_the_future_ends_then() -> None:
    events = Events()
    listener = events.subscribe({}, until_ns=clock.now_ns() + 20_000_000)
    events.publish("container", "x", "a", {})
    assert await everything(listener) == ["x"]
    assert events.listeners == 0


async def test_a_slow_listener_is_dropped_and_the_others_go_on() -> None:
    events = Events()
    slow, quick = events.subscribe({}), events.subscribe({})
    seen: list[str] = []
    for number in range(3000):
        events.publish("container", str(number), "a", {})
        seen += await take(quick, 1)
    assert len(seen) == 3000
    async with asyncio.timeout(5):
        assert await everything(slow) == []


async def test_times_only_grow() -> None:
    events = Events()
    for _ in range(200):
        events.publish("container", "x", "a", {})
    past = events.subscribe({}, since_ns=0, until_ns=clock.now_ns())
    times = [message.get("timeNano") or 0 async for message in past]
    assert times == sorted(set(times))


async def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"invalid filter 'zz'"):
        Events().subscribe({"zz": frozenset({"1"})})


CONTAINER: EventMessage = {
    "Type": "container",
    "Action": "exec_create: sh",
    "Actor": {"ID": "abc123", "Attributes": {"name": "web", "image": "nginx:1", "a": "b"}},
    "scope": "local",
}
IMAGE: EventMessage = {
    "Type": "image",
    "Action": "tag",
    "Actor": {"ID": "sha256:1", "Attributes": {"name": "nginx:1"}},
    "scope": "local",
}


@pytest.mark.parametrize(
    ("message", "filters", "wanted"),
    [
        (CONTAINER, {"type": {"container"}}, True),
        (CONTAINER, {"type": {"image", "network"}}, False),
        (CONTAINER, {"container": {"web"}}, True),
        (CONTAINER, {"container": {"abc"}}, True),
        (CONTAINER, {"container": {"we"}}, False),
        (IMAGE, {"container": {"web"}}, False),
        (CONTAINER, {"image": {"nginx"}}, True),
        (CONTAINER, {"image": {"nginx:1"}}, True),
        (IMAGE, {"image": {"nginx"}}, True),
        (IMAGE, {"image": {"other"}}, False),
        (CONTAINER, {"event": {"exec_create"}}, True),
        (CONTAINER, {"event": {"exec_create: sh"}}, True),
        (CONTAINER, {"event": {"die"}}, False),
        (CONTAINER, {"label": {"a"}}, True),
        (CONTAINER, {"label": {"a=b"}}, True),
        (CONTAINER, {"label": {"a=c"}}, False),
        (CONTAINER, {"label": {"a=b", "c"}}, False),
        (CONTAINER, {"scope": {"local"}}, True),
        (CONTAINER, {"scope": {"swarm"}}, False),
        (CONTAINER, {"type": {"container"}, "event": {"die"}}, False),
        (CONTAINER, {"event": set()}, True),
    ],
)
def test_filters(message: EventMessage, filters: dict[str, set[str]], wanted: bool) -> None:  # noqa: FBT001  a row of the table
    given = {field: frozenset(values) for field, values in filters.items()}
    assert passes(message, given) is wanted
