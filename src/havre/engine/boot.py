"""Containers that come up with the engine: at once, but none before what Compose says that it depends on.

No container stays down because of another: whatever does not become as it should within PATIENCE_S is waited for no
longer, with a warning.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Final

from havre.engine import boot_order
from havre.engine.boot_order import Need
from havre.engine.health import HEALTHY, probe_command
from havre.engine.lifecycle import State
from havre.engine.model import Record
from havre.engine.parts import Parts
from havre.engine.roster import Container
from havre.engine.start import start_again

PATIENCE_S: Final = 120.0
_log = logging.getLogger(__name__)


def start_in_order(parts: Parts, containers: Iterable[Container]) -> None:
    """Start each of *containers*, which wait for their restart, as soon as it may; in the order given otherwise."""
    chosen = list(containers)
    order = boot_order.order_of([one.record for one in chosen], [one.record for one in parts.roster])
    for identifier, need in order.dropped:
        names = _name(parts, identifier), _name(parts, need.container)
        _log.warning("containers that depend on each other: %s does not wait for %s", *names)
    tried = {one.id: asyncio.Event() for one in chosen}
    for container in chosen:
        work = _start(parts, container, order.needs[container.id], tried)
        _ = parts.tasks.start(work, name=f"restart {container.id[:12]}")


async def _start(
    parts: Parts, container: Container, needs: tuple[Need, ...], tried: Mapping[str, asyncio.Event]
) -> None:
    finished_ns, container.delay_s = container.record.finished_ns, 0.0
    try:
        for need in needs:
            await _fulfilled(parts, container, need, tried)
        if container.record.finished_ns == finished_ns:
            await start_again(parts, container, counted=False)
    finally:
        tried[container.id].set()


async def _fulfilled(parts: Parts, container: Container, need: Need, tried: Mapping[str, asyncio.Event]) -> None:
    """Wait until *need* is met, or will not be."""
    if (attempt := tried.get(need.container)) is not None:
        await attempt.wait()
    other = parts.roster.find(need.container)
    if other is None:
        return
    try:
        async with asyncio.timeout(PATIENCE_S):
            met = await _settled(parts, other, _CONDITIONS[need.condition])
    except TimeoutError:
        met = False
    if not met:
        _log.warning("container %s starts although %s %s", container.name, other.name, _UNMET[need.condition])


async def _settled(parts: Parts, other: Container, condition: Callable[[Record], bool | None]) -> bool:
    """What *condition* says of *other*, once it says yes or no."""
    while (answer := False if other.gone else condition(other.record)) is None:
        async with aclosing(parts.events.subscribe({"container": frozenset({other.id})})) as events:
            await anext(events, None)
    return answer


def _started(record: Record) -> bool | None:
    return record.alive or _completed(record) or False


def _healthy(record: Record) -> bool | None:
    """One without a health check is as well as it runs."""
    if not record.alive:
        return None if record.state is State.RESTARTING else False
    if not probe_command(record.config):
        return True
    return True if record.health is not None and record.health.status == HEALTHY else None


def _completed(record: Record) -> bool | None:
    if record.alive or record.state is State.RESTARTING:
        return None
    return record.state is State.EXITED and record.exit_code == 0 and record.started_ns > 0


_CONDITIONS: Final[Mapping[str, Callable[[Record], bool | None]]] = {
    boot_order.STARTED: _started,
    boot_order.HEALTHY: _healthy,
    boot_order.COMPLETED: _completed,
}
_UNMET: Final = {
    boot_order.STARTED: "does not run",
    boot_order.HEALTHY: "is not healthy",
    boot_order.COMPLETED: "has not ended with success",
}


def _name(parts: Parts, identifier: str) -> str:
    container = parts.roster.find(identifier)
    return container.name if container is not None else identifier
