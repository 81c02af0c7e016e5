"""Containers as processes: begin, end, freeze, look at, wait for."""

import time
from collections.abc import Awaitable

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError
from havre.engine.lifecycle import State, Verb, after
from havre.engine.parts import Parts
from havre.engine.ps_words import parse_ps
from havre.engine.restarts import restarting
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.seams import Shim
from havre.engine.signals import parse_signal
from havre.engine.start import start
from havre.engine.steps import listening
from havre.engine.stop import end_if_alive, kill, stop
from havre.engine.story import told
from havre.engine.top import process_table
from havre.engine.update import update
from havre.engine.waiting import answered
from havre.wire.containers import BirthStep, TopResponse, UpdateContainer, UpdateResponse, WaitResponse


class Lives:
    """The verbs that begin and end a container's life, or watch it. *ref* is a name, an id or the beginning of one."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def start(self, ref: str, detach_keys: str = "") -> None:
        """Start it; returns when the user's program runs. Raises NotModified when it runs already."""
        _ = detach_keys  # each attached client brought its own
        await start(self._parts, self._parts.roster.get(ref))

    async def start_told(self, ref: str) -> list[BirthStep]:
        """Start it, and tell what took how long. Raises as `start`."""
        began_ns = time.monotonic_ns()
        with listening() as story:
            await start(self._parts, self._parts.roster.get(ref))
        return told(story, began_ns)

    async def stop(self, ref: str, timeout_s: int | None, signal: str | None) -> None:
        """Ask it to end, then make it. Raises NotModified when it does not run."""
        await stop(self._parts, self._parts.roster.get(ref), timeout_s, signal)

    async def restart(self, ref: str, timeout_s: int | None, signal: str | None) -> None:
        """Stop it if it runs, then start it."""
        container = self._parts.roster.get(ref)
        with restarting(self._parts, container):
            await end_if_alive(self._parts, container, timeout_s, signal)
            try:
                await start(self._parts, container)
            except HavreError as failed:
                raise type(failed)(f"Cannot restart container {ref}: {failed.message}") from failed
        self._parts.tell(container, "restart")

    async def kill(self, ref: str, signal: str) -> None:
        """Send a signal. Raises Conflict when it does not run."""
        number = parse_signal(signal)
        try:
            container = self._parts.roster.get(ref)
        except NoSuchContainer as absent:
            raise NoSuchContainer(f"Cannot kill container: {ref}: {absent.message}") from None
        await kill(self._parts, container, ref, number)

    async def pause(self, ref: str) -> None:
        """Freeze it. Raises Conflict."""
        container = self._parts.roster.get(ref)
        async with container.lock:
            if container.record.state is State.PAUSED:
                raise Conflict(f"Container {container.id} is already paused")
            await _shim_of(container).pause()
            await self._turn(container, Verb.PAUSE)

    async def unpause(self, ref: str) -> None:
        """Let it go on. Raises Conflict."""
        container = self._parts.roster.get(ref)
        async with container.lock:
            if container.record.state is not State.PAUSED:
                raise Conflict(f"Container {container.id} is not paused")
            await _shim_of(container).resume()
            await self._turn(container, Verb.UNPAUSE)

    async def update(self, ref: str, wanted: UpdateContainer) -> UpdateResponse:
        """Change its limits or its restart policy. Raises InvalidInput, Conflict."""
        return await update(self._parts, self._parts.roster.get(ref), wanted)

    async def resize(self, ref: str, height: int, width: int) -> None:
        """Tell its terminal a new size. Raises Conflict when it does not run."""
        container = self._parts.roster.get(ref)
        await _shim_of(container).resize(height, width)
        self._parts.tell(container, "resize", height=str(height), width=str(width))

    async def top(self, ref: str, ps_args: str) -> TopResponse:
        """Its processes, as the host's ps would show them. Raises Conflict, InvalidInput."""
        container = self._parts.roster.get(ref)
        shim = _shim_of(container)
        asked = parse_ps(ps_args or "-ef")
        pids = await shim.pids()
        self._parts.tell(container, "top")
        return process_table(asked, pids)

    def waiter(self, ref: str, condition: str) -> Awaitable[WaitResponse]:
        """Its end (`not-running`, `next-exit`) or its removal (`removed`), from this call on. Raises NotFound now."""
        container = self._parts.roster.get(ref)
        if condition == "removed":
            return container.endings.removal()
        if condition == "next-exit" or container.record.alive:
            return container.endings.next_exit()
        return answered(container.record.exit_code)

    async def _turn(self, container: Container, verb: Verb) -> None:
        """The state may have changed while the shim worked: an end is never overwritten."""
        record = container.record
        if record.alive:
            self._parts.change(container, replace(record, state=after(record.state, verb)))
            self._parts.tell(container, verb)


def _shim_of(container: Container) -> Shim:
    if container.shim is None or not container.record.alive:
        raise Conflict(f"Container {container.id} is not running")
    return container.shim
