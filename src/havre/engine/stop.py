"""Ending a container: signals, and the patience between them.

Nothing here holds the container's lock while it waits, so that an impatient second command gets through.
"""

import asyncio
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError, InternalError, InvalidInput, NotFound, NotModified
from havre.engine.lifecycle import State, Verb, after, may
from havre.engine.parts import Parts
from havre.engine.restart_policy import counts_as_stop, is_meant_to_end
from havre.engine.roster import Container
from havre.engine.signals import DEFAULT_STOP, KILL, is_deliverable, parse_signal
from havre.engine.steps import passed
from havre.runtime.errors import ShimGone

DEFAULT_TIMEOUT_S: Final = 10
_KILL_DEADLINE_S: Final = 12.0


async def stop(parts: Parts, container: Container, timeout_s: int | None, given: str | None) -> None:
    """Ask it to end, and make it after *timeout_s* (negative: never). Raises NotModified when it is not alive."""
    number = parse_signal(given) if given else _own_signal(container)
    if await _give_up(parts, container):
        parts.tell(container, "stop")
        return
    if not container.record.alive:
        raise NotModified(f"Container {container.id} is already stopped")
    _by_user(parts, container)
    await _end_politely(parts, container, number, _own_patience_s(container) if timeout_s is None else timeout_s)
    parts.tell(container, "stop")


async def end_all(parts: Parts, timeout_s: float) -> None:
    """End every container, as a daemon without live-restore does when it goes.

    Each has its own stop timeout, but what is left after *timeout_s* of all (negative: never) is killed. None starts
    meanwhile, and a start that is under way is ended once it is done. Restart policies are not told that the user
    wanted it.
    """
    parts.ending.set()
    deadline = asyncio.get_running_loop().time() + timeout_s if timeout_s >= 0 else None
    async with asyncio.TaskGroup() as ending:
        for container in parts.roster:
            ending.create_task(_end_for_good(parts, container, deadline), name=f"end {container.id[:12]}")


async def _end_for_good(parts: Parts, container: Container, deadline: float | None) -> None:
    if not container.record.alive and container.lock.locked():
        async with container.lock:  # whoever holds it may be about to start it
            pass
    if not container.record.alive:
        return
    with suppress(HavreError):
        await _end_politely(parts, container, _own_signal(container), _own_patience_s(container), deadline)


def _own_signal(container: Container) -> int:
    return parse_signal(container.record.config.stop_signal or str(int(DEFAULT_STOP)))


def _own_patience_s(container: Container) -> int:
    own = container.record.config.stop_timeout
    return DEFAULT_TIMEOUT_S if own is None else own


def _sooner(one: float | None, other: float | None) -> float | None:
    """The earlier of two times; none is never."""
    times = [time for time in (one, other) if time is not None]
    return min(times) if times else None


async def _give_up(parts: Parts, container: Container) -> bool:
    """Whether it was waiting for its next start, which it does no longer; one that is under way is done first."""
    if container.record.state is not State.RESTARTING:
        return False
    async with container.lock:
        record = container.record
        if record.state is not State.RESTARTING:
            return False
        parts.change(container, replace(record, state=after(record.state, Verb.GIVE_UP), stopped_by_user=True))
        return True


async def end_if_alive(parts: Parts, container: Container, timeout_s: int | None, given: str | None) -> None:
    """The stop that a restart begins with."""
    with suppress(NotModified):
        await stop(parts, container, timeout_s, given)


async def kill(parts: Parts, container: Container, ref: str, number: int) -> None:
    """Send a signal; SIGKILL also waits for the end. Raises Conflict when it is not alive."""
    if not is_deliverable(number):
        raise InvalidInput(f"Cannot kill container: {ref}: The linux daemon does not support signal {number}")
    if await _give_up(parts, container):
        return
    if not container.record.alive:
        raise Conflict(f"Cannot kill container: {ref}: Container {container.id} is not running")
    if counts_as_stop(container.record, number):
        _by_user(parts, container)
    if not await _send(parts, container, number, resume=is_meant_to_end(container.record, number)):
        raise Conflict(f"Cannot kill container: {ref}: Container {container.id} is not running")
    if number == KILL:
        await _wait_killed(container)


async def end_by_engine(parts: Parts, container: Container, number: int | None, patience_s: int) -> None:
    """End it as `stop` does, but not for the user: what follows is for its restart policy to say."""
    await _end_politely(parts, container, _own_signal(container) if number is None else number, patience_s)


async def _end_politely(
    parts: Parts, container: Container, number: int, patience_s: int, deadline: float | None = None
) -> None:
    """Ask it with the signal *number*; make it after *patience_s* (negative: never), or at *deadline* of the loop."""
    await _send(parts, container, number, resume=True)
    passed("stop.signalled")
    until = None if patience_s < 0 else asyncio.get_running_loop().time() + patience_s
    try:
        async with asyncio.timeout_at(_sooner(until, deadline)):
            await container.stopped.wait()
    except TimeoutError:
        await _send(parts, container, KILL, resume=True)
        await _wait_killed(container)
    await container.settled.wait()


async def _wait_killed(container: Container) -> None:
    try:
        async with asyncio.timeout(_KILL_DEADLINE_S):
            await container.stopped.wait()
    except TimeoutError:
        raise InternalError(
            f"container {container.id} did not end within {_KILL_DEADLINE_S:.0f} s of SIGKILL: "
            "a process of it hangs in the kernel"
        ) from None


def _by_user(parts: Parts, container: Container) -> None:
    """A restart policy must not undo what the user did."""
    if not container.record.stopped_by_user:
        parts.change(container, replace(container.record, stopped_by_user=True))


async def _send(parts: Parts, container: Container, number: int, *, resume: bool) -> bool:
    """False when there was nobody left to signal. A frozen process would never see it, so *resume* thaws."""
    shim = container.shim
    if shim is None:
        return False
    try:
        await shim.signal(number)
    except NotFound:
        return False
    if resume and container.record.state is State.PAUSED:
        with suppress(NotFound, ShimGone):  # some signals end it while it is frozen
            await shim.resume()
    if resume and may(container.record.state, Verb.UNPAUSE):
        parts.change(container, replace(container.record, state=after(container.record.state, Verb.UNPAUSE)))
    parts.tell(container, "kill", signal=str(int(number)))
    return True
