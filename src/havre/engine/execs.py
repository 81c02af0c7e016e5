"""Further processes in a running container."""

import asyncio
import contextlib
import socket
from typing import Final

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError, InternalError, InvalidInput, NotFound
from havre.engine.attach import parse_detach_keys
from havre.engine.lifecycle import State
from havre.engine.links import link_environment
from havre.engine.model import ExecWish, Record
from havre.engine.parts import Parts
from havre.engine.process_spec import (
    capabilities_of,
    capability_sets,
    container_process,
    extended_environment,
    sorted_all,
)
from havre.engine.roster import Container
from havre.engine.seams import Shim
from havre.engine.security import parse_security
from havre.engine.sessions import Session, Sessions
from havre.engine.validate import check_env
from havre.oci.runtime_spec import ConsoleSize, Process
from havre.runtime.bundle import AttachWishes, ExecRequest, Stdio
from havre.runtime.errors import NOT_EXECUTABLE, NOT_FOUND, StartFailed
from havre.wire.exec import ExecConfig, ExecInspect, ExecProcess, ExecStart

_MAX_A_CONTAINER: Final = 4096
_TURNS: Final = 16


class NoSuchExec(NotFound):
    """No exec instance has this id."""


class ExecFailed(InternalError):
    """The process could not be started for a reason that is not its program."""


class BadExecCommand(InvalidInput):
    """The program is not there or is none."""


class Execs:
    """The verbs on exec instances. An ended one can be asked about for five minutes, if its container exists."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sessions = Sessions(parts)

    async def create(self, ref: str, wanted: ExecConfig) -> str:
        """Write down what is to run in the container; gives the instance's id. Raises Conflict, InvalidInput."""
        container = self._parts.roster.get(ref)
        _check_running(container, ref)
        if not wanted.get("Cmd"):
            raise InvalidInput("No exec command specified")
        if len(container.execs) >= _MAX_A_CONTAINER:
            raise Conflict(f"container {ref} has {_MAX_A_CONTAINER} exec instances already")
        session = Session(container, _parse(wanted))
        self._sessions.add(session)
        container.execs.add(session.id)
        self._sessions.tell(session, f"exec_create: {session.command}")
        return session.id

    async def start(self, exec_id: str, wanted: ExecStart, connection: socket.socket | None, early: bytes) -> None:
        """Run it, on *connection* or alone; returns when it runs. Owns the socket from the call on.

        Raises NoSuchExec, Conflict, and ExecFailed or BadExecCommand in Docker's words.
        """
        with contextlib.ExitStack() as undo:
            if connection is not None:
                undo.callback(connection.close)
            session = self._get(exec_id)
            shim = _check_startable(session)
            console = wanted.get("ConsoleSize") or []
            if len(console) == 2:
                session.wish = replace(session.wish, height=console[0], width=console[1])
            request = await self._request(session)
            client = None if connection is None else (connection, _attach_wishes(session.wish, wanted, early))
            await self._launch(session, shim, request, client)
            undo.pop_all()
        self._sessions.begun(session, shim, connection)

    async def inspect(self, exec_id: str) -> ExecInspect:
        """How it is, and how it ended. Raises NoSuchExec."""
        session = self._get(exec_id)
        for _ in range(_TURNS):  # an end that the shim told before its client's stream ended may be under way here
            if not session.running:
                break
            await asyncio.sleep(0)
        wanted = session.wish
        process: ExecProcess = {
            "tty": wanted.tty,
            "entrypoint": wanted.args[0],
            "arguments": list(wanted.args[1:]),
            "privileged": wanted.privileged,
        }
        if wanted.user:
            process["user"] = wanted.user
        return {
            "ID": session.id,
            "Running": session.running,
            "ExitCode": session.code,
            "ProcessConfig": process,
            "OpenStdin": wanted.stdin,
            "OpenStderr": wanted.stderr,
            "OpenStdout": wanted.stdout,
            "CanRemove": False,
            "ContainerID": session.container.id,
            "DetachKeys": wanted.detach_keys,
            "Pid": session.pid,
        }

    def container_of(self, exec_id: str) -> Container:
        """Where it runs. Raises NoSuchExec."""
        return self._get(exec_id).container

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Tell its terminal a new size. Raises NoSuchExec, Conflict."""
        session = self._get(exec_id)
        shim = session.container.shim
        if session.code is not None:
            raise NoSuchExec("no such exec")
        if not session.running or shim is None:
            raise Conflict(f"Exec command {exec_id} is not running")
        await shim.resize(height, width, exec_id)

    async def _launch(
        self,
        session: Session,
        shim: Shim,
        request: ExecRequest,
        client: tuple[socket.socket, AttachWishes] | None,
    ) -> None:
        session.started = True
        try:
            session.pid = await shim.exec(request, client)
        except BaseException as failed:
            code = failed.exit_code if isinstance(failed, StartFailed) else NOT_EXECUTABLE
            before_runtime = isinstance(failed, StartFailed) and failed.before_runtime
            self._sessions.end(session, NOT_EXECUTABLE if before_runtime else code)
            if isinstance(failed, StartFailed):
                kind = BadExecCommand if code in {NOT_FOUND, NOT_EXECUTABLE} else ExecFailed
                raise kind(failed.message) from failed
            raise

    async def _request(self, session: Session) -> ExecRequest:
        wanted, record, parts = session.wish, session.container.record, self._parts
        base = container_process(record, parts.facts, record.config.hostname, _linked(parts, record))
        own = capabilities_of(record.host, parts.facts)
        size = ConsoleSize(height=wanted.height, width=wanted.width) if wanted.tty and wanted.height else None
        env = [*base.env] if base.env else []
        if wanted.tty and not any(entry.startswith("TERM=") for entry in env):
            env.append("TERM=xterm")
        process = Process(
            terminal=wanted.tty,
            console_size=size,
            args=list(wanted.args),
            env=extended_environment(env, wanted.env),
            cwd=wanted.working_dir or base.cwd,
            capabilities=capability_sets(sorted_all(parts.facts) if wanted.privileged else own),
            rlimits=base.rlimits,
            no_new_privileges=base.no_new_privileges,
            oom_score_adj=base.oom_score_adj,
        )
        profile = parse_security(record.host.security_opt or (), privileged=record.host.privileged).seccomp
        return ExecRequest(
            id=session.id,
            process=process,
            user=wanted.user or record.config.user or "0",
            groups=list(record.host.group_add or ()),
            stdio=Stdio(
                terminal=wanted.tty,
                stdin=wanted.stdin,
                stdin_once=True,
                console_height=wanted.height,
                console_width=wanted.width,
            ),
            seccomp_program=await parts.filters.program(profile, own),
        )

    def _get(self, exec_id: str) -> Session:
        session = self._sessions.find(exec_id)
        if session is None:
            raise NoSuchExec(f"No such exec instance: {exec_id[:64]}")
        return session


def _check_running(container: Container, ref: str) -> None:
    state = container.record.state
    if state is State.PAUSED:
        raise Conflict(f"Container {ref} is paused, unpause the container before exec")
    if state is State.RESTARTING:
        raise Conflict(f"Container {ref} is restarting, wait until the container is running")
    if state is not State.RUNNING or container.shim is None:
        raise Conflict(f"Container {container.id} is not running")


def _check_startable(session: Session) -> Shim:
    if session.started:
        how = "is already running" if session.running else "has already run"
        raise Conflict(f"Error: Exec command {session.id} {how}")
    _check_running(session.container, session.container.name)
    shim = session.container.shim
    if shim is None:
        raise Conflict(f"Container {session.container.id} is not running")
    return shim


def _attach_wishes(wanted: ExecWish, start: ExecStart, early: bytes) -> AttachWishes:
    """How the client of *start* is served: it alone says whether it reads frames, as in Docker."""
    return AttachWishes(
        stdin=wanted.stdin,
        stdout=wanted.stdout,
        stderr=wanted.stderr,
        framed=not start.get("Tty"),
        detach_keys=parse_detach_keys(wanted.detach_keys) if wanted.tty else b"",
        early=early,
    )


def _parse(given: ExecConfig) -> ExecWish:
    env = tuple(given.get("Env") or ())
    check_env(env)
    args = tuple(given.get("Cmd") or ())
    working_dir = given.get("WorkingDir") or ""
    if any("\0" in word for word in (*args, working_dir)):
        raise InvalidInput("invalid exec command: it holds a NUL character")
    if working_dir and not working_dir.startswith("/"):
        raise InvalidInput(f"OCI runtime exec failed: exec failed: Cwd must be an absolute path: {working_dir[:256]!r}")
    keys = given.get("DetachKeys") or ""
    parse_detach_keys(keys, "escape")
    console = given.get("ConsoleSize") or []
    height, width = console if len(console) == 2 else (0, 0)
    return ExecWish(
        args=args,
        env=env,
        user=given.get("User") or "",
        working_dir=working_dir,
        privileged=given.get("Privileged") or False,
        tty=given.get("Tty") or False,
        stdin=given.get("AttachStdin") or False,
        stdout=given.get("AttachStdout") or False,
        stderr=given.get("AttachStderr") or False,
        detach_keys=keys,
        height=height,
        width=width,
    )


def _linked(parts: Parts, record: Record) -> tuple[str, ...]:
    """What the environment tells of linked containers; nothing once one of them is gone."""
    try:
        return link_environment(parts, record)
    except HavreError:
        return ()
