"""One client connection: requests in, answers out, in order, until someone hangs up."""

import asyncio
import contextlib
import enum
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, cast

from havre.api.framing import ChunkDecoder, HeadReader, LengthDecoder
from havre.api.hangup import HangUps
from havre.api.hijack import take_socket
from havre.api.request import Body, ClientGone, Request
from havre.api.response import Answer, Heads, Hijack, Response, Stream, as_error
from havre.api.status import MalformedRequest
from havre.base.errors import HavreError
from havre.base.exhaustion import exhaustion
from havre.base.tasks import Tasks

HEAD_DEADLINE_S: Final = 30.0
IDLE_LIMIT_S: Final = 3600.0  # Go clients do not send a POST again on a connection that was closed under them
_LINGER_S: Final = 2.0
_EARLY_LIMIT_BYTES: Final = 64 << 10
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_log = logging.getLogger(__name__)


class State(enum.Enum):
    """What the next bytes of a connection are."""

    HEAD = enum.auto()
    BODY = enum.auto()
    BUSY = enum.auto()
    LINGERING = enum.auto()
    GONE = enum.auto()


@dataclass(slots=True)
class Dispatched:
    """A request on its way: an answer that is there, or the work that makes it."""

    answer: Response | Awaitable[Answer]
    endless: bool = False


class House(Protocol):
    """What a connection needs of its server."""

    heads: Heads
    hang_ups: HangUps
    tasks: Tasks

    def dispatch(self, request: Request) -> Dispatched:
        """Begin the work on a request. Never raises."""

    def admit(self, connection: "Connection") -> None:
        """A connection is there."""

    def leave(self, connection: "Connection") -> None:
        """A connection is no more."""


class Connection(asyncio.Protocol):
    """The state of one connection. Never awaited from outside; all ends in `connection_lost`."""

    def __init__(self, house: House) -> None:
        self.state = State.HEAD
        self.deadline = 0.0
        """When the server may close this connection, on the loop's clock."""
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._reader = HeadReader()
        self._pending = b""
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self._client_done = False
        self._watched = -1
        self._task: asyncio.Task[None] | None = None
        self._task_endless = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._idle()
        self._house.admit(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self.state is State.LINGERING or self.state is State.GONE:
            return
        self._pending = self._pending + data if self._pending else data
        if self.state is State.BUSY:
            if len(self._pending) > _EARLY_LIMIT_BYTES:
                self._pause()
            return
        self._pump()

    def eof_received(self) -> bool:
        """The client sends no more; it may well listen on, so the connection stays open for the answer."""
        self._client_done = True
        if self.state is State.BODY:
            self._body.fail(ClientGone("the client ended in the middle of its request body"))
        elif self.state is not State.BUSY:
            return False
        self._watch()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or we closed."""
        del exc
        unfinished = self.state is State.BODY
        self.state = State.GONE
        self._unwatch()
        if unfinished:
            self._body.fail(ClientGone("the client went away in the middle of its request body"))
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._task is not None and self._task_endless:
            self._task.cancel()
        self._house.leave(self)

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    @property
    def idle(self) -> bool:
        """Whether the server may close this connection without breaking a request."""
        return self.state is State.HEAD

    def expire(self) -> None:
        """The deadline has passed."""
        self._transport.abort()

    def close(self, *, now: bool = False) -> asyncio.Task[None] | None:
        """The server ends. Gives the work in hand, if there is some; with *now* it is cancelled."""
        if self._task is None or (self.state is State.HEAD):
            self._transport.close()
        elif now or self._task_endless:
            self._task_endless = True
            self._task.cancel()
        return self._task

    def _idle(self) -> None:
        self.state = State.HEAD
        self.deadline = self._loop.time() + IDLE_LIMIT_S

    def _pump(self) -> None:
        """Work through the bytes in hand until they are used up or a request has to be waited for."""
        try:
            while self._pending and self.state in (State.HEAD, State.BODY):
                data, self._pending = self._pending, b""
                if self.state is State.HEAD:
                    self._take_head(data)
                else:
                    self._take_body(data)
        except MalformedRequest as broken:
            self._refuse(broken)

    def _take_head(self, data: bytes) -> None:
        if not self._reader.began:
            self.deadline = self._loop.time() + HEAD_DEADLINE_S
        head = self._reader.feed(data)
        if head is None:
            return
        self._keep_alive, self._may_chunk = head.keep_alive, head.may_chunk
        self._no_body_back = head.method == "HEAD"
        self._expects_continue = head.fields.get("expect", "").lower() == "100-continue"
        self._decoder = ChunkDecoder() if head.length is None else LengthDecoder(head.length)
        self._body = Body(self._body_wanted, self._pause, self._resume)
        request = Request(head.method, head.target, head.fields, self._body)
        self._upgrade = request.wants_upgrade
        self.state = State.BODY
        self._take_body(self._reader.rest)
        self._begin(self._house.dispatch(request))

    def _take_body(self, data: bytes) -> None:
        try:
            pieces, self._pending = self._decoder.feed(data)
        except MalformedRequest as broken:
            self._body.fail(broken)
            raise
        if pieces:
            self._expects_continue = False
            self._body.put(pieces)
        if self._decoder.ended:
            self._body.finish()
            self.state = State.BUSY

    def _body_wanted(self) -> None:
        if self._expects_continue:
            self._transport.write(_CONTINUE)
            self._expects_continue = False

    def _begin(self, work: Dispatched) -> None:
        if isinstance(work.answer, Response):
            self._send(work.answer)
            self._finish()
            return
        self._task_endless = work.endless
        self._task = self._house.tasks.start(self._serve(work.answer), name="request")
        if self._client_done:
            self._watch()

    async def _serve(self, answering: Awaitable[Answer]) -> None:
        try:
            answer = await answering
            if isinstance(answer, Response):
                self._send(answer)
            elif isinstance(answer, Stream):
                # A stream nobody reads is not worth going on with, whatever it is.
                self._task_endless = True
                await self._send_stream(answer)
            else:
                await self._give_away(answer)
        except ConnectionError:
            self._transport.abort()
        except HavreError as broken:
            _log.warning("an answer broke off: %s", broken.message)
            self._transport.abort()
        except BaseException:  # a defect: logged by the owner of the task; it ends this connection only
            self._transport.abort()
            raise
        finally:
            self._task = None
        self._finish()
        self._pump()

    def _send(self, answer: Response) -> None:
        if self.state is State.GONE:
            return
        head = self._house.heads.whole(answer, close=self._must_close())
        self._transport.write(head if self._no_body_back else head + answer.body)

    async def _send_stream(self, answer: Stream) -> None:
        chunked = self._may_chunk
        self._keep_alive = self._keep_alive and chunked
        self._write(self._house.heads.stream(answer, chunked=chunked, close=self._must_close()))
        async with contextlib.aclosing(_closable(answer)) as pieces:
            async for piece in pieces:
                if piece:
                    self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    if self._writable is not None:
                        await self._writable
        if chunked:
            self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self.state is State.GONE:
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)

    async def _give_away(self, answer: Hijack) -> None:
        if not self._body.ended:
            # The bytes that follow would be the rest of the body, not the stream.
            self._send(as_error(MalformedRequest("the request body must end before the connection is taken over")))
            self._keep_alive = False
            return
        if self.state is State.GONE:
            raise ConnectionResetError("the client is gone")
        self._pause()
        self._transport.set_write_buffer_limits(0)
        self._transport.write(self._house.heads.hijack(answer, upgrade=self._upgrade))
        while self._transport.get_write_buffer_size() and not self._transport.is_closing():
            await (self._writable if self._writable is not None else asyncio.sleep(0))
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        early, self._pending = self._pending, b""
        self._unwatch()
        self._task_endless = False
        self.state = State.GONE
        with exhaustion("taking over a connection"):
            taken = await take_socket(self._transport)
        try:
            with exhaustion("handing over a connection"):
                await answer.take(taken, early)
        except BaseException:
            taken.close()
            raise

    def _refuse(self, broken: MalformedRequest) -> None:
        if self._task is not None:
            # The work is told through the body, and answers; the connection ends after that.
            self.state = State.BUSY
            return
        self._keep_alive = False
        self._transport.write(self._house.heads.whole(answer := as_error(broken), close=True) + answer.body)
        self._linger()

    def _must_close(self) -> bool:
        if not self._body.ended or self._client_done:
            self._keep_alive = False
        return not self._keep_alive

    def _finish(self) -> None:
        """The answer is written: on to the next request, or to the end."""
        if self.state is State.GONE:
            return
        self._unwatch()
        if not self._must_close():
            self._resume()
            self._idle()
        elif self._client_done:
            self._transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Let the client read the answer: close(2) with unread bytes would reset the connection under it."""
        self.state = State.LINGERING
        self._pending = b""
        self.deadline = self._loop.time() + _LINGER_S
        self._resume()
        with contextlib.suppress(OSError, RuntimeError):
            self._transport.write_eof()

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def _watch(self) -> None:
        """The client has said all it will: find out when it stops listening, too."""
        if self._watched >= 0 or self.state is State.GONE:
            return
        own: socket.socket | None = self._transport.get_extra_info("socket")
        if own is not None and own.family == socket.AF_UNIX:
            self._watched = self._house.hang_ups.watch(own.fileno(), self._transport.abort)
        elif self._task is not None and self._task_endless:
            # Over TCP a half close and a close look alike until something is sent, which may be never.
            self._task.cancel()

    def _unwatch(self) -> None:
        if self._watched >= 0:
            self._house.hang_ups.forget(self._watched)
            self._watched = -1


class _closable:  # noqa: N801  reads as the function it stands for
    """The pieces of a stream, with an end that is always run; not every async iterator is a generator."""

    def __init__(self, answer: Stream) -> None:
        self._pieces = answer.pieces

    def __aiter__(self) -> "_closable":
        return self

    async def __anext__(self) -> bytes:
        return await self._pieces.__anext__()

    async def aclose(self) -> None:
        """End the iterator when it has an end."""
        closing: Callable[[], Awaitable[None]] | None = getattr(self._pieces, "aclose", None)
        if closing is not None:
            await closing()
