"""Exec instances as they live: how each goes, who waits for it, and what a new engine must know of it."""

import asyncio
import contextlib
import socket
from typing import Final

from havre.base.errors import HavreError
from havre.base.ids import new_id
from havre.engine.model import ExecRecord, ExecWish
from havre.engine.parts import Parts
from havre.engine.roster import Container
from havre.engine.seams import Shim

KEPT_S: Final = 300.0
_LOST: Final = 137  # the container was killed, and its shim did not come to tell


class Session:
    """One exec instance. *code* is None until it has ended."""

    __slots__ = ("code", "container", "id", "pid", "started", "wish")

    def __init__(self, container: Container, wish: ExecWish, identifier: str = "") -> None:
        self.id = identifier or new_id()
        self.container = container
        self.wish = wish
        self.pid = 0
        self.code: int | None = None
        self.started = False

    @property
    def running(self) -> bool:
        """Whether its process exists."""
        return self.started and self.code is None

    @property
    def command(self) -> str:
        """What its events call it."""
        return " ".join(self.wish.args)


class Sessions:
    """All exec instances. An ended one is known for five minutes, as long as its container exists."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sessions: dict[str, Session] = {}
        for record in parts.past_execs:
            self._restore(record)

    def find(self, exec_id: str) -> Session | None:
        """The instance with exactly this id."""
        session = self._sessions.get(exec_id)
        return None if session is None or session.container.gone else session

    def add(self, session: Session) -> None:
        """Let it be found."""
        for exec_id in [one.id for one in self._sessions.values() if one.container.gone]:
            del self._sessions[exec_id]
        self._sessions[session.id] = session

    def begun(self, session: Session, shim: Shim, connection: socket.socket | None) -> None:
        """Its process runs: write that down, and wait for its end. Owns *connection* from now on."""
        self._save(session)
        self.tell(session, f"exec_start: {session.command}")
        name = f"exec {session.id[:12]}"
        if connection is not None:
            _ = self._parts.tasks.start(self._watch_stream(session, shim, connection), name=f"stream of {name}")
        _ = self._parts.tasks.start(self._watch(session, shim), name=name)

    def end(self, session: Session, code: int) -> None:
        """It has ended, or never began."""
        session.code = code
        session.pid = 0
        session.container.execs.discard(session.id)
        if not session.container.gone:
            self._save(session)
        asyncio.get_running_loop().call_later(KEPT_S, self._forget, session.id)

    def tell(self, session: Session, action: str, **more: str) -> None:
        """An event of its container."""
        self._parts.tell(session.container, action, execID=session.id, **more)

    def _restore(self, record: ExecRecord) -> None:
        container = self._parts.roster.find(record.container_id)
        if container is None:
            self._parts.records.forget_exec(record.id)
            return
        session = Session(container, record.wish, record.id)
        session.started, session.pid, session.code = True, record.pid, record.code
        self._sessions[session.id] = session
        if session.code is not None or container.shim is None:
            self.end(session, _LOST if session.code is None else session.code)
            return
        container.execs.add(session.id)
        _ = self._parts.tasks.start(self._watch(session, container.shim), name=f"exec {session.id[:12]}")

    async def _watch(self, session: Session, shim: Shim) -> None:
        """A client that detaches leaves the process alone, so its end is waited for apart from the stream's."""
        try:
            code = await shim.wait_exec(session.id)
        except HavreError:
            code = _LOST
        self.end(session, code)
        self.tell(session, "exec_die", exitCode=str(code))

    async def _watch_stream(self, session: Session, shim: Shim, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(HavreError):
                if await shim.wait_exec_stream(session.id):
                    self.tell(session, "exec_detach")
        finally:
            connection.close()

    def _save(self, session: Session) -> None:
        self._parts.records.save_exec(
            ExecRecord(
                id=session.id,
                container_id=session.container.id,
                wish=session.wish,
                pid=session.pid,
                code=session.code,
            )
        )

    def _forget(self, exec_id: str) -> None:
        if self._sessions.pop(exec_id, None) is not None:
            self._parts.records.forget_exec(exec_id)
