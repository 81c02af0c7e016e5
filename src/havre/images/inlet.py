"""Bytes that arrive on the event loop, read by a thread: a bounded pipe between a request's body and a worker."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

from havre.base.errors import HavreError, Unavailable

_HIGH_BYTES = 8 << 20
_LOW_BYTES = 4 << 20
_STALL_S = 60.0


class Inlet:
    """A readable stream of what an async iterator gives; it holds 8 MiB at most.

    `feed` runs on the loop until the body ends; `read` is called from one thread. A body that gives nothing
    for *stall_s* is an error of the reader; None leaves that to whoever feeds.
    """

    def __init__(self, stall_s: float | None = _STALL_S) -> None:
        self._stall_s = stall_s
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._pieces: deque[memoryview] = deque()
        self._held = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._room = asyncio.Event()
        self._room.set()

    async def feed(self, body: AsyncIterator[bytes]) -> None:
        """Take the whole *body*; its failure becomes the reader's."""
        try:
            async for piece in body:
                if not piece:
                    continue
                await self._room.wait()
                self._put(piece)
            self._end(None)
        except BaseException as error:
            self._end(error)
            if not isinstance(error, HavreError | OSError):
                raise

    def read(self, size: int, /) -> bytes:
        """At most *size* bytes; none at the end of the body. Raises Unavailable when it broke off or stalled."""
        with self._changed:
            while not self._pieces:
                if self._ended:
                    self._raise_failure()
                    return b""
                if not self._changed.wait(self._stall_s):
                    raise Unavailable(f"no byte arrived for {self._stall_s:.0f} seconds")
            piece = self._pieces.popleft()
            if len(piece) > size:
                self._pieces.appendleft(piece[size:])
                piece = piece[:size]
            before, self._held = self._held, self._held - len(piece)
            wake = self._held <= _LOW_BYTES < before
        if wake:
            self._wake()
        return bytes(piece)

    def close(self) -> None:
        """The reader wants no more: what arrives is dropped from now on."""
        with self._changed:
            self._ended = True
            self._pieces.clear()
            self._held = 0
            self._changed.notify()
        self._wake()

    def _put(self, piece: bytes) -> None:
        with self._changed:
            if self._ended:
                return
            self._pieces.append(memoryview(piece))
            self._held += len(piece)
            if self._held > _HIGH_BYTES:
                self._room.clear()
            self._changed.notify()

    def _end(self, failure: BaseException | None) -> None:
        with self._changed:
            self._ended = True
            self._failure = failure
            self._changed.notify()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise Unavailable(f"the body broke off: {self._failure}") from self._failure

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody feeds any more
            self._loop.call_soon_threadsafe(self._room.set)


async def begun(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """*body*, once its first byte is there: who sends it may have to make it first, and holds no thread or lock yet."""
    async for piece in body:
        if piece:
            return _with_first(piece, body)
    return body


async def _with_first(piece: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield piece
    async for another in rest:
        yield another
