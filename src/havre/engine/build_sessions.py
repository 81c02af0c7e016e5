"""What a build's client lends to it: secrets, which stay in memory, and agents, which stay on the client's machine.

An agent is a unix socket in the run folder. Each connection to it takes one connection that the client holds ready.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from havre.base.errors import InvalidInput, NotFound
from havre.base.ids import is_id, new_id
from havre.kernel.removing import remove_tree

_UNUSED_S: Final = 600.0
_READY: Final = 64
_MODE: Final = 0o600
_PIECE_BYTES: Final = 65536
_SECRETS_BYTES: Final = 4 << 20
_SHORT: Final = 16  # sun_path has room for 107 bytes: unix(7)


class NoSuchSession(NotFound):
    """No client lends anything under this id."""


@dataclass(slots=True)
class Session:
    """What one client lends; *agents* are the paths of sockets by name."""

    id: str
    secrets: Mapping[str, bytes]
    agents: dict[str, str] = field(default_factory=dict)
    ready: dict[str, "asyncio.Queue[socket.socket]"] = field(default_factory=dict)
    servers: list[asyncio.Server] = field(default_factory=list)
    expiry: asyncio.TimerHandle | None = None


class BuildSessions:
    """All sessions of this process; one that no build takes up ends after ten minutes."""

    def __init__(self, exec_root: Path) -> None:
        self._root = exec_root / "build"
        self._sessions: dict[str, Session] = {}

    def sweep(self) -> None:
        """Remove the sockets of a dead process."""
        self._root.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._root.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_tree(handle, self._root.name)
        finally:
            os.close(handle)

    def close(self) -> None:
        """End all."""
        for identifier in list(self._sessions):
            self._end(identifier)

    async def create(self, secrets: Mapping[str, bytes], agents: list[str]) -> str:
        """Begin one; its id. Raises InvalidInput."""
        if sum(map(len, secrets.values())) > _SECRETS_BYTES:
            raise InvalidInput(f"the secrets of a build are larger than {_SECRETS_BYTES} bytes together")
        session = Session(new_id(), secrets)
        folder = self._root / session.id[:_SHORT]
        if agents:
            folder.mkdir(mode=0o700, parents=True)
        for number, name in enumerate(agents):
            path = str(folder / str(number))
            session.ready[name] = asyncio.Queue(_READY)
            session.servers.append(await asyncio.start_unix_server(self._answerer(session, name), path))
            os.chmod(path, _MODE)  # noqa: PTH101  a socket in memory
            session.agents[name] = path
        loop = asyncio.get_running_loop()
        session.expiry = loop.call_later(_UNUSED_S, self._end, session.id)
        self._sessions[session.id] = session
        return session.id

    def take(self, identifier: str) -> Session:
        """A build takes the session up, and ends it with `end`. Raises NoSuchSession."""
        session = self._sessions.get(identifier) if is_id(identifier) else None
        if session is None:
            raise NoSuchSession(f"no such build session: {identifier[:64]}")
        if session.expiry is not None:
            session.expiry.cancel()
        return session

    def end(self, identifier: str) -> None:
        """Forget what was lent."""
        self._end(identifier)

    async def offer(self, identifier: str, agent: str, connection: socket.socket) -> None:
        """Hold *connection* ready for the next one to the agent. Owns it. Raises NoSuchSession."""
        session = self._sessions.get(identifier)
        queue = session.ready.get(agent) if session is not None else None
        if queue is None or queue.full():
            connection.close()
            raise NoSuchSession(f"no such agent of a build session: {agent[:64]}")
        connection.setblocking(False)
        queue.put_nowait(connection)

    def _answerer(self, session: Session, name: str) -> "_Answerer":
        return _Answerer(session.ready[name])

    def _end(self, identifier: str) -> None:
        session = self._sessions.pop(identifier, None)
        if session is None:
            return
        if session.expiry is not None:
            session.expiry.cancel()
        for server in session.servers:
            server.close()
        for queue in session.ready.values():
            while not queue.empty():
                queue.get_nowait().close()
        for path in session.agents.values():
            Path(path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (self._root / identifier[:_SHORT]).rmdir()


class _Answerer:
    """Joins a connection to an agent with one of the client's."""

    def __init__(self, ready: "asyncio.Queue[socket.socket]") -> None:
        self._ready = ready

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, OSError):
            connection = await self._ready.get()
            theirs_reader, theirs_writer = await asyncio.open_connection(sock=connection)
            with contextlib.closing(theirs_writer):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pump(reader, theirs_writer), name="to the agent")
                    group.create_task(_pump(theirs_reader, writer), name="from the agent")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
