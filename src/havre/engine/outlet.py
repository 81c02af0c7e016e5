"""Bytes that a thread makes, sent by the event loop: a bounded pipe between a worker and an answer."""

import asyncio
import threading
from collections.abc import AsyncIterator

from havre.base.errors import Unavailable

_PIECES = 8
_STALL_S = 60.0


class ReaderGone(Unavailable):
    """Nobody wants the rest."""


class Outlet:
    """A stream of pieces, a few at once. `put` is called from one thread, the rest from the loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(_PIECES)
        self._gone = False

    def put(self, piece: bytes) -> None:
        """Hand *piece* over. Raises ReaderGone when nobody reads any more, or nothing was taken for a minute."""
        if not self._room.acquire(timeout=_STALL_S) or self._gone:
            raise ReaderGone("the client takes no more")
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    def end(self) -> None:
        """No more pieces come."""
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces until `end`."""
        while (piece := await self._pieces.get()) is not None:
            self._room.release()
            yield piece

    def close(self) -> None:
        """The reader wants no more: the next `put` fails."""
        self._gone = True
        self._room.release()
