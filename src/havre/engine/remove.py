"""Making a container go: the record first, then its files, so that a crash leaves garbage and never a lie."""

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError, InternalError
from havre.base.tasks import in_thread
from havre.engine.container_volumes import let_go, volume_mounts
from havre.engine.lifecycle import State, Verb, after
from havre.engine.parts import Parts
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.signals import KILL
from havre.engine.steps import passed

_DEADLINE_S: Final = 12.0
_log = logging.getLogger(__name__)


async def remove(parts: Parts, container: Container, *, force: bool, volumes: bool = False) -> None:
    """Remove it, with *force* also while it runs, with *volumes* also those that nobody named.

    Raises Conflict, NoSuchContainer when another was faster.
    """
    if container.record.state is State.REMOVING:
        raise Conflict(f"removal of container {container.name} is already in progress")
    _refuse_alive(container, force=force)
    async with container.lock:
        if container.gone:
            raise NoSuchContainer(f"No such container: {container.id}")
        _refuse_alive(container, force=force)
        if container.record.alive:
            await _kill(parts, container)
        if container.record.state is State.RESTARTING:
            parts.keep(container, replace(container.record, state=after(State.RESTARTING, Verb.GIVE_UP)))
        await erase(parts, container, volumes=volumes)


async def erase(parts: Parts, container: Container, *, volumes: bool) -> None:
    """Remove a container that does not run, with *volumes* its anonymous ones too; the caller holds its lock.

    Its files go in the background, once its record is gone for good: a power cut until then brings both back. Volumes
    that go with it are gone at once, and then the record has to be gone for good at once.
    """
    record = container.record
    parts.keep(container, replace(record, state=after(record.state, Verb.REMOVE)))
    passed("remove.marked")
    try:
        await parts.records.forget(record.id, durable=volumes and bool(volume_mounts(record)))
    except HavreError as failed:
        parts.change(container, replace(container.record, state=after(State.REMOVING, Verb.FAIL_REMOVE)))
        container.endings.remove_failed(record.exit_code, failed.message)
        raise
    passed("remove.forgotten")
    container.gone = True
    parts.clients.drop(record.id)
    await container.released.wait()
    await let_go(parts, record, anonymous=volumes)
    parts.snapshots.discard(record.id, files=False)
    parts.roster.drop(container)
    parts.tell(container, "destroy")
    container.endings.removed(record.exit_code)
    _ = parts.tasks.start(_clear(parts, container), name=f"files of {record.id[:12]}")


async def _clear(parts: Parts, container: Container) -> None:
    """A failure is told, not raised, for the container is gone already; so is the end of the engine meanwhile."""
    await container.settled.wait()
    await parts.records.flush()
    problem = await in_thread(_discard, parts, container.id)
    passed("remove.files")
    if problem is not None:
        _log.error("files of container %s stay until the next start of the engine: %s", container.id, problem)


def _refuse_alive(container: Container, *, force: bool) -> None:
    state = container.record.state
    if (container.record.alive or state is State.RESTARTING) and not force:
        hint = "unpause and then stop the container" if state is State.PAUSED else "stop the container"
        raise Conflict(
            f'cannot remove container "/{container.name}": container is {state}: {hint} before removing or force remove'
        )


async def _kill(parts: Parts, container: Container) -> None:
    parts.keep(container, replace(container.record, stopped_by_user=True))
    shim = container.shim
    if shim is not None:
        with contextlib.suppress(HavreError):  # it may have ended meanwhile, which is what we want
            await shim.signal(KILL)
            if container.record.state is State.PAUSED:
                await shim.resume()
        parts.tell(container, "kill", signal=str(int(KILL)))
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await container.stopped.wait()
    except TimeoutError:
        raise InternalError(
            f"Could not kill running container {container.id}, cannot remove - its process did not end"
        ) from None


def _discard(parts: Parts, identifier: str) -> OSError | None:
    """Its files."""
    try:
        parts.snapshots.discard(identifier)
        remove_folder(parts.folders.container(identifier))
    except OSError as failed:
        return failed
    return None


def remove_folder(folder: Path) -> None:
    """Remove a folder of the engine's own, which no container can reach.

    What is gone already is no error, so two removals of one folder may meet.
    """
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove_folder(Path(entry.path))  # the log driver's own
            continue
        with contextlib.suppress(FileNotFoundError):
            os.unlink(entry.path)  # noqa: PTH108  one call a file on the way of each removal
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(folder)  # noqa: PTH106
