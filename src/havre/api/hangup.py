"""Tells a client that closed its half of a unix connection from one that is gone.

Both look the same to a reader: end of file. Only epoll(7) tells them apart: EPOLLHUP is reported when both halves
are shut, whether asked for or not. Event loops do not ask epoll that way, so the connections in doubt wait in
an epoll of their own, which the loop watches as one descriptor.
"""

import asyncio
import contextlib
import os
import select
from collections.abc import Callable


class HangUps:
    """The connections whose client has said its last word but may still listen."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._waiting: dict[int, Callable[[], None]] = {}
        self._loop.add_reader(self._epoll.fileno(), self._look)

    def watch(self, descriptor: int, gone: Callable[[], None]) -> int:
        """Call *gone* once the other side has closed altogether. Gives what `forget` wants."""
        # A descriptor of our own: the transport may close its own before it tells anyone, and the number be used again.
        own = os.dup(descriptor)
        self._waiting[own] = gone
        self._epoll.register(own, 0)
        return own

    def forget(self, own: int) -> None:
        """Watch no longer."""
        if self._waiting.pop(own, None) is not None:
            self._epoll.unregister(own)
            os.close(own)

    def close(self) -> None:
        """Forget all."""
        self._loop.remove_reader(self._epoll.fileno())
        for own in list(self._waiting):
            self.forget(own)
        self._epoll.close()

    def _look(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for own, _ in self._epoll.poll(0):
                gone = self._waiting.get(own)
                self.forget(own)
                if gone is not None:
                    gone()
