"""Namespaces for sandboxes: some made in advance, and those that are over taken down when nobody waits."""

import errno
import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from havre.kernel.libc import KernelError
from havre.kernel.netlink import links
from havre.kernel.netlink.connection import Netlink
from havre.kernel.netns import make_netns, open_netns, run_in_netns, unpin_netns

_log = logging.getLogger(__name__)
_LOOPBACK_INDEX = 1
_SETTINGS = (Path("/proc/sys/net/ipv4/ip_forward"), Path("/proc/sys/net/ipv6/conf/lo"))
_GIVE_WAY_S = 0.02
_RETRY_S = 1.0
_GATHER_S = 0.03
_KERNEL_S = 0.25


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A namespace with `lo` up: its descriptor, and a netlink socket that speaks to the kernel from inside."""

    netns_fd: int
    inside: Netlink

    def close(self) -> None:
        """Let go of it; it lives on if it is pinned to a file."""
        self.inside.close()
        os.close(self.netns_fd)


def make_sandbox() -> Sandbox:
    """A fresh one. Raises KernelError."""
    handle, inside = make_netns(_prepare)
    return Sandbox(handle, inside)


def open_sandbox(path: Path) -> Sandbox:
    """The one that is pinned to *path*. Raises KernelError."""
    handle = open_netns(path)
    try:
        return Sandbox(handle, run_in_netns(handle, Netlink))
    except BaseException:
        os.close(handle)
        raise


def _prepare() -> Netlink:
    _look_for_settings()
    inside = Netlink()
    try:
        inside.send([links.change_link(_LOOPBACK_INDEX, links.LinkChange(up=True))])
    except BaseException:
        inside.close()
        raise
    return inside


def _look_for_settings() -> None:
    """Have the kernel find this namespace's settings now, when nobody waits: the start of a container writes some.

    It looks among the entries of all namespaces, the oldest last: what was looked for lately is found at once.
    """
    for each in _SETTINGS:
        with suppress(OSError):  # a kernel without IPv6
            each.stat()


class WarmPool:
    """Keeps *size* fresh sandboxes ready, made in a thread of its own.

    They are held by descriptors alone: whatever ends this process ends them too, and nothing is left to sweep.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._ready: deque[Sandbox] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._fill, name="network-pool", daemon=True)
        self._thread.start()

    def take(self) -> Sandbox:
        """One that is ready, or one made on the spot. Raises KernelError. The caller closes it."""
        with self._changed:
            if self._ready:
                self._changed.notify()
                return self._ready.popleft()
        return make_sandbox()

    def close(self) -> None:
        """Let the thread end and the sandboxes go."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        while self._ready:
            self._ready.popleft().close()

    def _fill(self) -> None:
        while self._wanted():
            try:
                fresh = make_sandbox()
            except (KernelError, OSError) as failed:
                _log.warning("cannot make a network namespace in advance: %s", failed)
                self._pause(_RETRY_S)
                continue
            with self._changed:
                self._ready.append(fresh)

    def _wanted(self) -> bool:
        """Wait until one more is wanted; false when the pool closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or len(self._ready) < self._size)
            if self._ready and not self._closing:
                # Somebody was just served and starts something now: stay off the processor for that moment.
                self._changed.wait_for(lambda: self._closing, _GIVE_WAY_S)
            return not self._closing

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a sandbox: the file of its namespace, our end of its cable, both may be empty.

    *finish* is called as well: what takes the kernel long and nobody waits for.
    """

    netns_path: str = ""
    host_link: str = ""
    finish: Callable[[], None] | None = None


class Undertaker:
    """Takes remains away in a thread of its own, several at a time.

    The kernel needs tens of milliseconds for each link that is deleted by request, but takes the links of
    many dying namespaces down together. So files are unpinned first, and only links that stayed are deleted.
    """

    def __init__(self, make_netlink: Callable[[], Netlink] = Netlink) -> None:
        self._netlink = make_netlink()
        self._waiting: queue.SimpleQueue[Remains | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="network-undertaker", daemon=True)
        self._thread.start()

    def bury(self, remains: Remains) -> None:
        """Have *remains* taken away soon; what is gone already is no error."""
        self._waiting.put(remains)

    def close(self) -> None:
        """Finish what waits, without pauses, and end."""
        self._closing.set()
        self._waiting.put(None)
        self._thread.join()
        self._netlink.close()

    def _work(self) -> None:
        ending = False
        while not ending:
            batch = [self._waiting.get()]
            self._closing.wait(_GATHER_S)
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            ending = None in batch
            self._take_away([remains for remains in batch if remains is not None])

    def _take_away(self, batch: list[Remains]) -> None:
        for remains in batch:
            if remains.finish is not None:
                remains.finish()
            if remains.netns_path:
                self._unpin(Path(remains.netns_path))
        names = [remains.host_link for remains in batch if remains.host_link]
        if not names:
            return
        self._closing.wait(_KERNEL_S)
        for error in self._netlink.outcomes([links.delete_link(name) for name in names]):
            if error is not None:
                _log.error("cannot remove a link: %s", error)

    def _unpin(self, path: Path) -> None:
        try:
            unpin_netns(path)
        except OSError as error:
            level = logging.DEBUG if error.errno == errno.ENOENT else logging.ERROR
            _log.log(level, "cannot remove network namespace %s: %s", path, error)
