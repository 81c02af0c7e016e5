"""One inotify descriptor an event loop, shared by all who follow files: the kernel grants few of them a user."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from havre.kernel.inotify import (
    IN_CREATE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVED_TO,
    IN_ONLYDIR,
    add_watch,
    inotify_open,
    read_events,
    remove_watch,
)
from havre.kernel.libc import KernelError

_MASK = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR
_POLL_S = 0.2


class FolderWatch:
    """`event` is set whenever something in *folder* may have changed; an async context.

    Where the kernel has no watch left to give, the event is set five times a second instead.
    """

    def __init__(self, folder: Path) -> None:
        self.event = asyncio.Event()
        self._folder = folder
        self._hub: _Hub | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        hub = _hub_of(asyncio.get_running_loop())
        try:
            hub.add(self._folder, self.event)
        except KernelError:
            self._poll()
        else:
            self._hub = hub
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hub is not None:
            self._hub.discard(self.event)
        if self._timer is not None:
            self._timer.cancel()

    def _poll(self) -> None:
        self.event.set()
        self._timer = asyncio.get_running_loop().call_later(_POLL_S, self._poll)


class _Hub:
    """The descriptor, open while anybody watches, and who waits for which of its watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._fd = -1
        self._waiting: dict[int, set[asyncio.Event]] = {}

    def add(self, folder: Path, event: asyncio.Event) -> None:
        """Set *event* from now on whenever *folder* changes."""
        try:
            if self._fd < 0:
                self._fd = inotify_open()
                self._loop.add_reader(self._fd, self._read)
            number = add_watch(self._fd, folder, _MASK)
        except KernelError:
            self._close_if_idle()
            raise
        self._waiting.setdefault(number, set()).add(event)

    def discard(self, event: asyncio.Event) -> None:
        """Forget *event*."""
        for number, events in list(self._waiting.items()):
            events.discard(event)
            if not events:
                del self._waiting[number]
                remove_watch(self._fd, number)
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._waiting:
            return
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        _hubs.pop(self._loop, None)

    def _read(self) -> None:
        for number, mask, _ in read_events(self._fd):
            touched = self._waiting.get(number, ()) if number >= 0 else set().union(*self._waiting.values())
            for event in touched:
                event.set()
            if mask & IN_IGNORED and number in self._waiting:
                # The folder is gone; the number may be given to another one.
                self._waiting[-2 - number] = self._waiting.pop(number)


_hubs: dict[asyncio.AbstractEventLoop, _Hub] = {}  # an entry lives as long as its hub has a descriptor


def _hub_of(loop: asyncio.AbstractEventLoop) -> _Hub:
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = _Hub(loop)
    return hub
