"""A container put on another record, under its id and name and on its own writable layer."""

import os
from contextlib import AsyncExitStack, nullcontext

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError
from havre.base.tasks import in_thread
from havre.engine.container_volumes import let_go, provide
from havre.engine.lifecycle import State
from havre.engine.model import Record
from havre.engine.parts import Parts
from havre.engine.reshape import Shape, reshaped
from havre.engine.restarts import restarting
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.start import start
from havre.engine.stop import end_if_alive
from havre.engine.validate import check_settings

_RESTARTED = "the container was stopped and started again"


async def recreate(parts: Parts, container: Container, shape: Shape) -> list[str]:
    """Let it be as *shape* says, durably; one that runs is stopped and started again. What the user should know.

    When the new one does not start, the old one runs again, and the error is raised. Raises InvalidInput, Conflict.
    """
    before = container.record
    if before.state in {State.PAUSED, State.REMOVING, State.DEAD}:
        raise Conflict(f"cannot change a container that is {before.state}")
    wanted = await in_thread(reshaped, before, shape, os.path.exists)
    if wanted == before:
        return []
    named_by_user = replace(wanted.config, hostname="")  # a name was given at the creation, by whoever that was
    warnings = check_settings(named_by_user, wanted.host, wanted.endpoints, parts.facts)
    if shape.live:
        await _put(parts, container, wanted)
        return warnings
    ran = before.alive or before.state is State.RESTARTING
    if ran and before.host.auto_remove:
        raise Conflict(f"container {container.name} removes itself when it ends: it cannot be started again otherwise")
    with restarting(parts, container) if ran else nullcontext():
        async with AsyncExitStack() as undo:
            wanted = await provide(parts, wanted, undo)
            await end_if_alive(parts, container, None, None)
            await _put(parts, container, wanted)
            if ran:
                await _run(parts, container, before)
            undo.pop_all()
    await _release(parts, before, wanted)
    return [*warnings, _RESTARTED] if ran else warnings


async def _put(parts: Parts, container: Container, wanted: Record) -> None:
    """Write the settings of *wanted* over the record as it is now."""
    async with container.lock:
        if container.gone:
            raise NoSuchContainer(f"No such container: {container.id}")
        record = container.record
        parts.keep(container, replace(record, config=wanted.config, host=wanted.host, mounts=wanted.mounts))
        try:
            await parts.records.save(container.record)
        except BaseException:
            now = container.record
            parts.change(container, replace(now, config=record.config, host=record.host, mounts=record.mounts))
            raise


async def _run(parts: Parts, container: Container, before: Record) -> None:
    try:
        await start(parts, container)
    except HavreError:
        await _put(parts, container, before)
        await start(parts, container)
        raise


async def _release(parts: Parts, before: Record, after: Record) -> None:
    """Volumes that only the old record had are held no more; they stay."""
    names = {getattr(mount, "name", "") for mount in after.mounts}
    gone = tuple(mount for mount in before.mounts if getattr(mount, "name", "") not in names)
    await let_go(parts, replace(before, mounts=gone), anonymous=False)
