"""The one waiting point of a shim: descriptors and deadlines, no threads, no asyncio."""

import select
import time
from collections.abc import Callable

IN, OUT = select.EPOLLIN, select.EPOLLOUT
GONE = select.EPOLLHUP | select.EPOLLERR

Ready = Callable[[int], None]
"""Called with the events that came."""


class Loop:
    """epoll(7), level-triggered, and a list of deadlines. `settled` is called after each round."""

    def __init__(self) -> None:
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._watched: dict[int, Ready] = {}
        self._deadlines: dict[int, tuple[float, Callable[[], None]]] = {}
        self._number = 0
        self._kept: list[object] = []
        self.stopped = False
        self.settled: Callable[[], None] | None = None

    def keep(self, thing: object) -> None:
        """Hold *thing* as long as the loop lives."""
        self._kept.append(thing)

    def watch(self, fd: int, events: int, ready: Ready) -> None:
        """Call *ready* whenever *fd* has one of *events*, or is gone. Watching again changes the events."""
        if fd in self._watched:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._watched[fd] = ready

    def forget(self, fd: int) -> None:
        """Stop watching; before *fd* is closed. Forgetting what is not watched is no error."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def after(self, seconds: float, act: Callable[[], None]) -> int:
        """Call *act* once, in *seconds*; the number cancels it."""
        self._number += 1
        self._deadlines[self._number] = (time.monotonic() + seconds, act)
        return self._number

    def cancel(self, number: int) -> None:
        """Forget a deadline; one that has passed is no error."""
        self._deadlines.pop(number, None)

    def run(self) -> None:
        """Serve until `stopped`."""
        while not self.stopped:
            for fd, events in self._epoll.poll(self._patience()):
                ready = self._watched.get(fd)
                if ready is not None:  # an earlier event of this round may have ended it
                    ready(events)
            self._expire()
            if self.settled is not None:
                self.settled()

    def close(self) -> None:
        """Give the descriptor back."""
        self._epoll.close()

    def _patience(self) -> float:
        if not self._deadlines:
            return -1
        return max(0.0, min(when for when, _ in self._deadlines.values()) - time.monotonic())

    def _expire(self) -> None:
        if not self._deadlines:
            return
        now = time.monotonic()
        for number in [number for number, (when, _) in self._deadlines.items() if when <= now]:
            _, act = self._deadlines.pop(number, (0.0, None))
            if act is not None:
                act()
