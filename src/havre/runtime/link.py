"""havred's end of the conversation with one shim: numbered requests, awaited answers, news."""

import asyncio
import os
from collections.abc import Callable, Sequence

import msgspec

from havre.base.errors import HavreError, InternalError, InvalidInput, NotSupported
from havre.kernel.channel import Channel, ChannelClosed
from havre.runtime.errors import NoSuchProcess, NotNow, ShimGone, StartFailed
from havre.runtime.messages import (
    Detached,
    Done,
    ExecExited,
    ExecStarted,
    Exited,
    FromShim,
    NotStarted,
    Pids,
    Refused,
    Started,
    State,
    ToShim,
    decode_from_shim,
    encode,
)

Answer = Done | Pids | State | ExecStarted | Started
_KINDS: dict[str, type[HavreError]] = {
    "not found": NoSuchProcess,
    "conflict": NotNow,
    "invalid": InvalidInput,
    "not supported": NotSupported,
}


class Link:
    """One channel. What comes unasked goes to *news*; None there says that the shim is gone."""

    def __init__(self, channel: Channel, news: "Callable[[Exited | ExecExited | None], None]") -> None:
        channel.socket.setblocking(False)
        self._channel = channel
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._attached: dict[int, asyncio.Future[bool]] = {}
        self._seq = 0
        self._open = True
        self._loop.add_reader(channel.fileno(), self._readable)

    @property
    def open(self) -> bool:
        """Whether the shim is there."""
        return self._open

    def number(self) -> int:
        """A fresh request number."""
        self._seq += 1
        return self._seq

    def attached(self, seq: int) -> "asyncio.Future[bool]":
        """Done when attachment *seq* has ended, with whether the client typed the detach keys."""
        future = self._attached.get(seq)
        if future is None:
            future = self._attached[seq] = self._loop.create_future()
        return future

    async def ask(self, message: ToShim, fds: Sequence[int] = (), *, seq: int) -> Answer:
        """Send *message* and wait for its answer. Raises what the shim refuses with, ShimGone when it ends."""
        if not self._open:
            raise ShimGone("the process that holds the container has ended")
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._asked[seq] = future
        try:
            await self._send(encode(message), fds)
            return await future
        finally:
            self._asked.pop(seq, None)

    def close(self) -> None:
        """Let the shim go on alone. Closing twice is no error."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._channel.fileno())
        self._channel.close()
        gone = ShimGone("the process that holds the container has ended")
        for future in self._asked.values():
            if not future.done():
                future.set_exception(gone)
        for ended in self._attached.values():
            if not ended.done():
                ended.set_result(False)
        self._attached.clear()

    async def _send(self, data: bytes, fds: Sequence[int]) -> None:
        while self._open:
            try:
                self._channel.send(data, fds)
            except BlockingIOError:
                await self._writable()
            except ChannelClosed as error:
                raise ShimGone("the process that holds the container has ended") from error
            else:
                return
        raise ShimGone("the process that holds the container has ended")

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        fd = self._channel.fileno()
        self._loop.add_writer(fd, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            self._loop.remove_writer(fd)

    def _readable(self) -> None:
        """Read all that is there: of an end that closed without reading our last words, uvloop tells only once."""
        while self._open and self._read_one():
            pass

    def _read_one(self) -> bool:
        """False when there is no more for now."""
        try:
            data, fds = self._channel.receive()
        except BlockingIOError:
            return False
        except (ChannelClosed, ValueError, OSError):
            self._gone()
            return False
        for fd in fds:
            os.close(fd)
        try:
            self._take(decode_from_shim(data))
        except msgspec.MsgspecError:
            self._gone()
        return True

    def _gone(self) -> None:
        self.close()
        self._news(None)

    def _take(self, message: FromShim) -> None:
        match message:
            case Exited() | ExecExited():
                self._news(message)
            case Detached(seq, by_keys):
                self._attachment_ended(seq, by_keys=by_keys)
            case Refused(seq, kind, text):
                self._fail(seq, _KINDS.get(kind, InternalError)(text))
            case NotStarted(seq, text, code, before_runtime):
                self._fail(seq, StartFailed(text, code, before_runtime=before_runtime))
            case Started():
                self._answer(0, message)
            case Done(seq) | Pids(seq) | State(seq) | ExecStarted(seq):
                self._answer(seq, message)

    def _attachment_ended(self, seq: int, *, by_keys: bool) -> None:
        future = self._attached.pop(seq, None)
        if future is not None and not future.done():
            future.set_result(by_keys)

    def _answer(self, seq: int, message: Answer) -> None:
        future = self._asked.get(seq)
        if future is not None and not future.done():
            future.set_result(message)

    def _fail(self, seq: int, error: HavreError) -> None:
        future = self._asked.get(seq)
        if future is not None and not future.done():
            future.set_exception(error)
