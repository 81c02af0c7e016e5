"""A container that runs, as havred sees it: requests to its shim, and its end."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from msgspec import Raw

from havre.oci.runtime_spec import Resources
from havre.runtime.bundle import AttachWishes, ExecRequest, Exit
from havre.runtime.errors import NoSuchProcess, ShimGone
from havre.runtime.link import Answer, Link
from havre.runtime.messages import (
    Attach,
    ExecExited,
    ExecStarted,
    Execute,
    Exited,
    Freeze,
    ListPids,
    Pids,
    Resize,
    Signal,
    State,
    ToShim,
    Update,
    encode,
)

_KEPT_CODES = 1024
_KILLED = 137


class Shim:
    """Every method raises ShimGone when the shim is no more, NoSuchProcess when what it holds has ended.

    *attachments* end in the order of those given to `Runtime.launch`; each says whether by the detach keys.
    """

    def __init__(self, container_id: str) -> None:
        self.id = container_id
        self.pid = 0
        self.started_ns = 0
        self.frozen = False
        self.steps: list[tuple[str, int]] = []
        self.attachments: tuple[asyncio.Future[bool], ...] = ()
        self.on_lost: Callable[[], None] | None = None
        self._link: Link | None = None
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._codes: dict[str, asyncio.Future[int]] = {}
        self._streams: dict[str, asyncio.Future[bool]] = {}

    def bind(self, link: Link) -> None:
        """Talk over *link*."""
        self._link = link

    def adopt(self, state: State) -> None:
        """Take over what an earlier havred knew."""
        self.pid, self.started_ns, self.frozen = state.pid, state.started_ns, state.frozen
        for known in state.execs:
            future = self._code(known.id)
            if known.code is not None and not future.done():
                future.set_result(known.code)
        if state.exit is not None and not self._exit.done():
            self._exit.set_result(state.exit)

    def heard(self, news: Exited | ExecExited | None) -> None:
        """What the shim tells unasked."""
        match news:
            case Exited(exit_):
                if not self._exit.done():
                    self._exit.set_result(exit_)
            case ExecExited(exec_id, code):
                future = self._code(exec_id)
                if not future.done():
                    future.set_result(code)
            case None:
                if not self._exit.done() and self.on_lost is not None:
                    self.on_lost()

    @property
    def ended(self) -> "asyncio.Future[Exit]":
        """Done with the end of the first process."""
        return self._exit

    @property
    def execs(self) -> "frozenset[str]":
        """The exec sessions that are known to run."""
        return frozenset(name for name, future in self._codes.items() if not future.done())

    async def wait_exit(self) -> Exit:
        """The end of the first process; for any number of waiters."""
        return await asyncio.shield(self._exit)

    async def attach(self, connection: socket.socket, wishes: AttachWishes, exec_id: str = "") -> bool:
        """Hand the socket over, and wait until its stream ends; whether by the detach keys.

        The caller may close its own descriptor once this has begun to wait, but should not before the end: what
        the client still sends would find nobody.
        """
        link = self._linked()
        seq = link.number()
        ended = link.attached(seq)
        await self._ask(Attach(seq, wishes, exec_id), seq, [connection.fileno()])
        return await ended

    async def exec(self, request: ExecRequest, attachment: "tuple[socket.socket, AttachWishes] | None" = None) -> int:
        """Start a further process; its number on the host. Raises StartFailed."""
        link = self._linked()
        seq = link.number()
        wishes = attachment[1] if attachment else None
        fds = [attachment[0].fileno()] if attachment else []
        if attachment:
            self._streams[request.id] = link.attached(seq)
        self._codes.pop(request.id, None)
        code = self._code(request.id)
        try:
            wanted = Execute(seq, request.id, request.stdio, Raw(encode(request)), wishes)
            answer = await self._ask(wanted, seq, fds)
        except BaseException:
            code.cancel()
            self._codes.pop(request.id, None)
            self._streams.pop(request.id, None)
            raise
        return answer.pid if isinstance(answer, ExecStarted) else 0

    async def wait_exec(self, exec_id: str) -> int:
        """The exit code of an exec session. Raises NoSuchProcess for an unknown one."""
        future = self._codes.get(exec_id)
        if future is None:
            raise NoSuchProcess(f"no such exec session: {exec_id}")
        return await asyncio.shield(future)

    async def wait_exec_stream(self, exec_id: str) -> bool:
        """The end of the stream that came with `exec`; whether by the detach keys."""
        stream = self._streams.pop(exec_id, None)
        return await stream if stream is not None else False

    async def resize(self, height: int, width: int, exec_id: str = "") -> None:
        """Change the size of a terminal. Raises NotNow without one."""
        seq = self._linked().number()
        await self._ask(Resize(seq, height, width, exec_id), seq)

    async def signal(self, number: int, *, whole: bool = False) -> None:
        """Send a signal to the first process, or to each process of the container."""
        seq = self._linked().number()
        await self._ask(Signal(seq, number, whole), seq)

    async def pause(self) -> None:
        """Stop every process where it is."""
        await self._freeze(frozen=True)

    async def resume(self) -> None:
        """Let them go on."""
        await self._freeze(frozen=False)

    async def update(self, resources: Resources) -> None:
        """Change the limits that *resources* names."""
        seq = self._linked().number()
        await self._ask(Update(seq, resources), seq)

    async def pids(self) -> "list[int]":
        """All processes of the container, as the host numbers them."""
        seq = self._linked().number()
        answer = await self._ask(ListPids(seq), seq)
        return answer.pids if isinstance(answer, Pids) else []

    def finish(self, exit_: Exit) -> None:
        """The shim is gone; this is what is known of the end."""
        if not self._exit.done():
            self._exit.set_result(exit_)
        for future in self._codes.values():
            if not future.done():
                future.set_result(_KILLED)

    def close(self) -> None:
        """Let the shim go on alone; waiters are cancelled."""
        if self._link is not None:
            self._link.close()
        self._exit.cancel()
        for future in self._codes.values():
            future.cancel()

    async def _freeze(self, *, frozen: bool) -> None:
        seq = self._linked().number()
        await self._ask(Freeze(seq, frozen), seq)
        self.frozen = frozen

    async def _ask(self, message: ToShim, seq: int, fds: Sequence[int] = ()) -> Answer:
        try:
            return await self._linked().ask(message, fds, seq=seq)
        except ShimGone:
            if self._exit.done():
                raise NoSuchProcess("the container has ended") from None
            raise

    def _linked(self) -> Link:
        if self._link is None or not self._link.open:
            if self._exit.done():
                raise NoSuchProcess("the container has ended")
            raise ShimGone("the process that holds the container has ended")
        return self._link

    def _code(self, exec_id: str) -> "asyncio.Future[int]":
        future = self._codes.get(exec_id)
        if future is None:
            future = self._codes[exec_id] = asyncio.get_running_loop().create_future()
            if len(self._codes) > _KEPT_CODES:
                self._forget_one()
        return future

    def _forget_one(self) -> None:
        """Codes of long ago are asked for by nobody."""
        oldest = next((name for name, future in self._codes.items() if future.done()), None)
        if oldest is not None:
            del self._codes[oldest]
