"""Start-up: the records and what is on this host are brought together again, in both directions.

No verb writes an intent of its own, because every crash leaves one of these, and each tells how to go on:
a folder or tree without a record — a creation that was not finished, or a removal that was: it is swept;
a living shim of a record that says otherwise — a start whose record was not yet written: it is adopted;
a record that says running without a living shim — it ended meanwhile: exit.json tells how, or a reboot does.
What belongs to a record that was set aside as damaged is never touched.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from havre.base.errors import HavreError
from havre.base.ids import is_id
from havre.base.tasks import in_thread
from havre.engine.boot import start_in_order
from havre.engine.container_volumes import at_their_places, hold_all, mount_all
from havre.engine.lifecycle import State, Verb, after
from havre.engine.network_joins import agreed
from havre.engine.parts import Parts
from havre.engine.records import Found
from havre.engine.remove import erase, remove_folder
from havre.engine.restart_policy import starts_with_the_engine
from havre.engine.roster import Container
from havre.engine.seams import Shim
from havre.engine.shared_memory import unmount_shared_memory
from havre.engine.staged import unstage_all
from havre.engine.start import give_back, record_end, unsettle, watch
from havre.networks.model import Attachment
from havre.runtime.bundle import Exit
from havre.volumes.volumes import unmount_unused

_log = logging.getLogger(__name__)
_AT_ONCE = 16
_REBOOT = Exit(code=255)


async def load(parts: Parts, found: Found) -> None:
    """Let the containers of *found* be found, and adopt those that live; their sandboxes are `living`."""
    await in_thread(parts.folders.containers.mkdir, 0o710, parents=True, exist_ok=True)
    for record in found.records:
        parts.roster.add(Container(at_their_places(parts, record)))
        hold_all(parts, record)
    parts.past_execs.extend(found.execs)
    gate = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as adopting:
        for container in parts.roster:
            adopting.create_task(_adopt(parts, container, gate), name=f"adopt {container.id[:12]}")


def living(parts: Parts, damaged: Iterable[str] = ()) -> frozenset[str]:
    """The sandboxes that networks must keep: those that run, and those nobody can judge."""
    return frozenset(damaged) | {one.id for one in parts.roster if one.record.alive}


def agree(parts: Parts, find: Callable[[str], Attachment | None]) -> None:
    """Once networks are reconciled: a container that lives is on the networks that *find* tells."""
    for container in parts.roster:
        record = agreed(container.record, find(container.id))
        if record is not container.record:
            parts.change(container, record)


async def settle(parts: Parts, damaged: frozenset[str]) -> None:
    """Once networks are open: watch what lives, finish what was cut off, start what should run.

    The order is a contract. All that lives has its volumes before any of it is watched: the first to end takes off
    what nobody else is known to use. What is mounted for nobody is known after that; what starts finds all of it gone.
    """
    living = [(container, shim) for container in parts.roster if (shim := container.shim) is not None]
    ended = [container for container in parts.roster if container.shim is None and not container.settled.is_set()]
    for container, _ in living:
        await _mount_again(parts, container)
    for container, shim in living:
        watch(parts, container, shim)
    for container in ended:
        await _give_back(parts, container)
    await _quiet(unmount_unused(parts.volumes), "volumes that nobody uses are still mounted")
    await _remove_what_removes_itself(parts)
    await _sweep(parts, damaged)
    _start_what_should_run(parts)


async def _mount_again(parts: Parts, container: Container) -> None:
    """What runs uses its volumes, also those whose mounts stood through the end of the last engine."""
    await _quiet(mount_all(parts, container.record), f"container {container.id}: its volumes are not as they were")


async def _give_back(parts: Parts, container: Container) -> None:
    what = give_back(parts, container, container.record)
    await _quiet(what, f"container {container.id}: what its last run used could not be given back")


async def _remove_what_removes_itself(parts: Parts) -> None:
    """Each `--rm` container that does not run, also one whose start was cut off: nobody waits for it any more."""
    for container in parts.roster:
        if container.record.host.auto_remove and not container.record.alive:
            async with container.lock:
                if not container.gone:  # it ended, and went, since this engine watches it
                    await _quiet(erase(parts, container, volumes=True), f"container {container.id} cannot be removed")


async def _quiet(work: Awaitable[object], failure: str) -> None:
    """One thing that cannot be put right must not keep the engine from starting."""
    try:
        await work
    except (HavreError, OSError):
        _log.exception("%s", failure)


def _start_what_should_run(parts: Parts) -> None:
    """By their restart policies, in the order in which they were made, as far as nothing else is said."""
    waiting = list[Container]()
    for container in sorted(parts.roster, key=lambda one: one.record.created_ns):
        record = container.record
        if record.alive or container.gone:
            continue
        if record.state is State.EXITED and starts_with_the_engine(record):
            parts.change(container, replace(record, state=after(record.state, Verb.RETRY)))
        if container.record.state is State.RESTARTING:
            waiting.append(container)
    start_in_order(parts, waiting)


async def _adopt(parts: Parts, container: Container, gate: asyncio.Semaphore) -> None:
    shim: Shim | None = None
    try:
        async with gate:
            shim = await parts.runtime.adopt(container.id)
    except (HavreError, OSError):
        _log.exception("container %s: its shim cannot be asked", container.id)
    if shim is not None:
        _take_over(parts, container, shim)
        return
    ending = parts.runtime.ended(container.id)
    record = container.record
    if not record.alive and ending is not None and ending.finished_ns > record.finished_ns:
        # It started and ended before its start was written down.
        parts.keep(container, replace(record, state=State.RUNNING, started_ns=ending.finished_ns, failure=""))
    if container.record.alive:
        unsettle(container)
        _ = record_end(parts, container, ending or _REBOOT)
    elif ending is not None:
        container.released.clear()
        container.settled.clear()  # its end was written down, but what its run used was not given back


def _take_over(parts: Parts, container: Container, shim: Shim) -> None:
    """A living shim is right, whatever the record says."""
    state = State.PAUSED if shim.frozen else State.RUNNING
    record = container.record
    started = shim.started_ns or record.started_ns
    taken = replace(record, state=state, pid=shim.pid, started_ns=started, failure="", exit_code=0)
    if taken != record:
        parts.change(container, taken)
    unsettle(container)
    container.shim = shim


async def _sweep(parts: Parts, damaged: frozenset[str]) -> None:
    """Remove what no record owns, and only what bears an id of ours."""
    owned = damaged | {container.id for container in parts.roster}
    exec_root, containers = parts.folders.exec_root, parts.folders.containers
    kinds: list[tuple[str, Iterable[str], Callable[[str], Awaitable[object]]]] = [
        ("its run", await in_thread(_ids_in, exec_root), lambda one: _remove_run(parts, one)),
        ("its tree", filter(is_id, parts.snapshots.keys()), lambda one: in_thread(parts.snapshots.discard, one)),
        ("its folder", await in_thread(_ids_in, containers), lambda one: in_thread(remove_folder, containers / one)),
        (
            "its shared memory",
            await in_thread(_ids_in, exec_root / "shm"),
            lambda one: in_thread(unmount_shared_memory, exec_root, one),
        ),
    ]
    for what, found, remove in kinds:
        for identifier in found:
            if identifier not in owned:
                await _quiet(remove(identifier), f"container {identifier} has no record, but {what} is not removed")
    await _sweep_staged(parts, damaged)


async def _sweep_staged(parts: Parts, damaged: frozenset[str]) -> None:
    """Take down what was mounted on the host for containers that do not run."""
    for identifier in await in_thread(_ids_in, parts.folders.exec_root / "mounts"):
        container = parts.roster.find(identifier)
        if identifier not in damaged and (container is None or container.shim is None):
            await _quiet(in_thread(unstage_all, parts, identifier), f"the mounts of {identifier} are not removed")


async def _remove_run(parts: Parts, identifier: str) -> None:
    _log.warning("removing what is left of container %s, which has no record", identifier)
    await parts.networks.detach(identifier)
    await parts.runtime.remove(identifier)


def _ids_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if is_id(entry.name)]
    except FileNotFoundError:
        return []
