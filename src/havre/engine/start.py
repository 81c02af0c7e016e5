"""Bringing a container to life, and recording how it ended."""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from typing import Final

from msgspec.structs import replace

from havre.base import clock
from havre.base.errors import Conflict, HavreError, InternalError, InvalidInput, NotModified, Unavailable
from havre.base.tasks import in_thread
from havre.engine.attach import accompany, serve
from havre.engine.clients import Held, on_closed
from havre.engine.container_volumes import unmount_all
from havre.engine.health import at_rest, begun
from havre.engine.lifecycle import State, Verb, after
from havre.engine.model import Record
from havre.engine.network_wishes import wanted_networks
from havre.engine.parts import Parts
from havre.engine.remove import erase
from havre.engine.restart_policy import next_delay_s, starts_again
from havre.engine.roster import Container, NoSuchContainer
from havre.engine.seams import Shim
from havre.engine.shared_memory import unmount_shared_memory
from havre.engine.spec import build_bundle, write_config
from havre.engine.staged import unstage
from havre.engine.steps import listened_to, passed, tell
from havre.engine.surroundings import connect, prepare
from havre.networks.model import Attachment, Endpoint
from havre.runtime.bundle import Bundle, Exit
from havre.runtime.errors import NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, ShimGone, StartFailed

_TASK: Final = "failed to create task for container: failed to create shim task: "
_NS: Final = 1_000_000_000
_log = logging.getLogger(__name__)
_LOST: Final = Exit(code=255, error="nobody knows how it ended")
_WITHOUT_RESTART: Final = frozenset({"", "no"})


class BadCommand(InvalidInput):
    """The program of the container is not there or is none."""


class NotStarted(InternalError):
    """The container could not be started for a reason that is not its program."""


async def start(parts: Parts, container: Container) -> None:
    """Start it. Raises NotModified when it runs, Conflict, and what hinders the start; a failure is recorded."""
    async with container.lock:
        if container.gone:
            raise NoSuchContainer(f"No such container: {container.id}")
        if parts.ending.is_set():
            raise Unavailable("the engine is ending its containers and starts none")
        _check_state(container.record)
        container.delay_s = 0.0
        await _attempt(parts, container, restarts=0)


async def start_again(parts: Parts, container: Container, *, counted: bool = True) -> None:
    """The next run by a restart policy, unless somebody was faster. A failure is recorded, and ends it.

    Not *counted* is the first run of an engine, with which the count begins anew.
    """
    async with container.lock:
        if container.gone or container.record.state is not State.RESTARTING or parts.ending.is_set():
            return
        try:
            await _attempt(parts, container, restarts=container.record.restart_count + 1 if counted else 0)
        except HavreError as failed:
            _log.error("container %s cannot be started again: %s", container.id, failed.message)


async def _attempt(parts: Parts, container: Container, *, restarts: int) -> None:
    await container.settled.wait()
    try:
        await _start(parts, container, restarts)
    except HavreError as failed:
        await _record_failure(parts, container, failed)
        raise


def _check_state(record: Record) -> None:
    if record.state in {State.RUNNING, State.RESTARTING}:
        raise NotModified(f"Container {record.id} is already running")
    if record.state is State.PAUSED:
        raise Conflict("cannot start a paused container, try unpause instead")
    if record.state in {State.REMOVING, State.DEAD}:
        raise Conflict("container is marked for removal and cannot be started")


async def _start(parts: Parts, container: Container, restarts: int) -> None:
    record = container.record
    running = after(record.state, Verb.START)  # refuse before anything is touched
    clients = parts.clients.take(record.id)
    shim, attachment = await _launched(parts, record, clients)
    accompany(parts, container, shim, clients)
    started = replace(
        record,
        state=running,
        pid=shim.pid,
        exit_code=0,
        failure="",
        oom_killed=False,
        started_ns=shim.started_ns or clock.now_ns(),
        stopped_by_user=False,
        restart_count=restarts,
        health=begun(record.health),
        endpoints=record.endpoints or wanted_networks(record),
        attachment=attachment,
    )
    await _enter_life(parts, container, started, shim)


async def _launched(parts: Parts, record: Record, clients: list[Held]) -> tuple[Shim, Attachment]:
    """Its shim, which has *clients*, and its networks: all that a run needs, or nothing, and no client, is left.

    Raises BadCommand, NotStarted, and what networks and volumes refuse.
    """
    async with AsyncExitStack() as undo:
        undo.callback(on_closed(clients))
        try:
            attachment = await connect(parts, record)
            undo.push_async_callback(parts.networks.detach, record.id)
            passed("start.network")
            around = await prepare(parts, record, attachment, undo)
            passed("start.prepared")
            shim = await _born(parts, build_bundle(record, around), clients)
            passed("start.launched")
        except StartFailed as failed:
            raise _translated(failed) from failed
        except OSError as failed:
            raise NotStarted(f"cannot prepare container {record.id}: {failed}") from failed
        _ = undo.pop_all()
    return shim, attachment


async def _born(parts: Parts, bundle: Bundle, clients: list[Held]) -> Shim:
    if bundle.spec.hooks is not None:
        await in_thread(write_config, bundle)
    shim = await parts.runtime.launch(replace(bundle, explain=True) if listened_to() else bundle, clients)
    for step, at_ns in shim.steps:
        tell(f"birth: {step}", at_ns)
    return shim


async def _enter_life(parts: Parts, container: Container, record: Record, shim: Shim) -> None:
    """Make the run of *record* the truth about *container*; returns when that is as durable as it has to be.

    A start is covered by its shim, which the next havred finds and adopts. Only a restart policy, which acts after
    a power cut too, makes it worth an fsync.
    """
    durable = record.host.restart_policy.name not in _WITHOUT_RESTART
    saved = parts.records.save(record, durable=durable)
    _make_known(parts, container, record, shim)
    if durable:
        with suppress(HavreError):  # it is in the log; the container runs, and whoever started it must hear so
            await saved
    passed("start.recorded")


def _make_known(parts: Parts, container: Container, record: Record, shim: Shim) -> None:
    """All see that it runs, and its end will be noticed. At once: who could look in between would see half of it."""
    unsettle(container)
    container.shim = shim
    parts.keep(container, record)
    tell_network(parts, container, "connect")
    parts.tell(container, "start")
    watch(parts, container, shim)
    for held in parts.clients.take(container.id):  # they came while the start was under way
        serve(parts, container, shim, held)


def watch(parts: Parts, container: Container, shim: Shim) -> None:
    """From now on the end of *shim* is the end of *container*."""
    for begin in parts.beginnings:
        begin(container, shim)
    _ = parts.tasks.start(_watch(parts, container, shim), name=f"watch {container.id[:12]}")


async def _watch(parts: Parts, container: Container, shim: Shim) -> None:
    try:
        ending = await shim.wait_exit()
    except ShimGone:
        ending = parts.runtime.ended(container.id) or _LOST
    await ended(parts, container, ending)


async def ended(parts: Parts, container: Container, ending: Exit) -> None:
    """Record the end, tell everyone, give back what the run used; remove the container if it asked for that."""
    record = container.record
    saved = record_end(parts, container, ending)
    try:
        await give_back(parts, container, record, saved)
        passed("stop.given-back")
    except (HavreError, OSError) as failed:
        parts.tell(container, "cleanup", error=str(failed))
        raise
    tell_network(parts, container, "disconnect", record.attachment)
    if container.record.state is State.RESTARTING:
        plan_restart(parts, container)
    if record.host.auto_remove:
        async with container.lock:
            if not container.gone and not container.record.alive:
                await erase(parts, container, volumes=True)


def plan_restart(parts: Parts, container: Container) -> None:
    """Let a container that is to run again do so after its delay, if nobody changes that meanwhile."""
    record = container.record
    container.delay_s = next_delay_s(container.delay_s, record.finished_ns - record.started_ns)
    later = _restart_later(parts, container, container.delay_s)
    _ = parts.tasks.start(later, name=f"restart {container.id[:12]}")


async def _restart_later(parts: Parts, container: Container, delay_s: float) -> None:
    finished_ns = container.record.finished_ns
    await asyncio.sleep(delay_s)
    if container.record.finished_ns == finished_ns:
        await start_again(parts, container)


def record_end(parts: Parts, container: Container, ending: Exit) -> "asyncio.Future[None]":
    """The end, in memory and soon on the disk; those who wait for it are told at once."""
    record = container.record
    finished = ending.finished_ns or clock.now_ns()
    state = after(record.state, Verb.EXIT)
    if not parts.ending.is_set() and (container.again or starts_again(record, ending.code)):
        state = after(state, Verb.RETRY)
    container.again = False
    over = replace(
        record,
        state=state,
        pid=0,
        exit_code=ending.code,
        oom_killed=ending.oom_killed,
        finished_ns=finished,
        failure=ending.error,
        health=at_rest(record.health),
    )
    container.shim = None
    saved = parts.records.save(over, durable=False)
    parts.keep(container, over)
    if ending.oom_killed:
        parts.tell(container, "oom")
    seconds = max(0, finished - record.started_ns) // _NS
    parts.tell(container, "die", exitCode=str(ending.code), execDuration=str(seconds))
    container.stopped.set()
    container.endings.exited(ending.code)
    return saved


async def give_back(
    parts: Parts, container: Container, record: Record, saved: "asyncio.Future[None] | None" = None
) -> None:
    """All that the run of *record* used; what is gone already is no error. *saved* is the record of its end."""
    try:
        await _release(parts, record)
    finally:
        container.released.set()
        try:
            if saved is not None:
                await saved
                passed("stop.recorded")
            await parts.runtime.remove(record.id)  # exit.json goes only now that the record says the same
        finally:
            container.settled.set()


async def _release(parts: Parts, record: Record) -> None:
    """Network, volumes, shared memory: what others may wait for."""
    async with AsyncExitStack() as rest:  # each of them, whatever becomes of the others
        if record.host.ipc_mode == "shareable":
            rest.push_async_callback(in_thread, unmount_shared_memory, parts.folders.exec_root, record.id)
        rest.push_async_callback(unmount_all, parts, record)
        rest.push_async_callback(unstage, parts, record)
        await parts.networks.detach(record.id)


def unsettle(container: Container) -> None:
    """A run begins that will have to be given back."""
    for event in (container.released, container.settled, container.stopped):
        event.clear()


def tell_network(parts: Parts, container: Container, action: str, attachment: Attachment | None = None) -> None:
    """An event of each network that the container joined or left."""
    attachment = attachment or container.record.attachment
    for each in attachment.endpoints if attachment is not None else ():
        tell_endpoint(parts, container.id, action, each)


def tell_endpoint(parts: Parts, container_id: str, action: str, endpoint: Endpoint) -> None:
    """The same for one network."""
    attributes = {"container": container_id, "name": endpoint.network_name, "type": endpoint.driver}
    parts.events.publish("network", action, endpoint.network_id, attributes)


async def _record_failure(parts: Parts, container: Container, failed: HavreError) -> None:
    code = NOT_STARTED
    if isinstance(failed.__cause__, StartFailed):
        code = failed.__cause__.exit_code
    state = container.record.state
    if state is State.RESTARTING:
        state = after(state, Verb.GIVE_UP)
    parts.change(container, replace(container.record, state=state, exit_code=code, failure=failed.message))
    if container.record.host.auto_remove:
        await erase(parts, container, volumes=True)


def _translated(failed: StartFailed) -> HavreError:
    if failed.before_runtime:
        return NotStarted(failed.message)
    kind = BadCommand if failed.exit_code in {NOT_FOUND, NOT_EXECUTABLE} else NotStarted
    return kind(_TASK + failed.message)
