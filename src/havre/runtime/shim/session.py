"""One process of the container, from its birth to its exit code: the first one, or an exec session."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable

from havre.kernel.process import pidfd_send_signal
from havre.runtime.errors import StartFailed
from havre.runtime.shim.loop import IN, Loop
from havre.runtime.shim.streams import Streams
from havre.runtime.spawn import Birth

_STEP_LIMIT_NS = 10_000_000_000
_LOOK_EVERY_S = 2.0
_SIGNALLED = 128


class Session:
    """Watches a birth, then a process. *code* is None until it has ended."""

    def __init__(self, name: str, streams: Streams, loop: Loop, reap: Callable[[int], int]) -> None:
        self.id = name
        self.pid = 0
        self.code: int | None = None
        self.streams = streams
        self.on_decided: Callable[[StartFailed | None, Birth], None] | None = None
        self.on_exit: Callable[[], None] | None = None
        self._loop = loop
        self._reap = reap
        self._birth: Birth | None = None
        self._born: Birth | None = None
        self._pidfd = -1
        self._timer = 0

    @property
    def pids(self) -> "set[int]":
        """The children that are waited for here: the program, and who makes it."""
        birth = self._birth or self._born
        return {self.pid} if birth is None else {self.pid, birth.pid, birth.maker}

    @property
    def steps(self) -> "list[tuple[str, int]]":
        """The steps of its birth, once it runs and where they were asked for."""
        return self._born.steps if self._born is not None else []

    @property
    def being_born(self) -> bool:
        """Whether its program is still on the way to run."""
        return self._birth is not None

    @property
    def running(self) -> bool:
        """Whether its program runs."""
        return self._pidfd >= 0 and self.code is None

    @property
    def pidfd(self) -> int:
        """The handle on the running program."""
        return self._pidfd

    def bear(self, birth: Birth) -> None:
        """Follow *birth* until it is decided."""
        self._birth = birth
        self.streams.born()
        self._loop.watch(birth.fileno(), IN, self._step)
        self._timer = self._loop.after(_LOOK_EVERY_S, self._look)

    def resume(self, pid: int, pidfd: int) -> None:
        """Follow a process that an earlier worker started."""
        self.pid, self._pidfd = pid, pidfd
        self._loop.watch(pidfd, IN, self._exited)

    def signal(self, number: int) -> bool:
        """Send a signal; False when the process has ended."""
        if not self.running:
            return False
        try:
            pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return False
        return True

    def _look(self) -> None:
        """A step that takes too long ends the birth."""
        if self._birth is None:
            return
        since = self._birth.step_since_ns()
        if since and time.monotonic_ns() - since > _STEP_LIMIT_NS:
            self._birth.fail(TimeoutError(f"the step {self._birth.where()} took more than 10 s"))
            self._decide()
            return
        self._timer = self._loop.after(_LOOK_EVERY_S, self._look)

    def _step(self, _events: int) -> None:
        if self._birth is not None and self._birth.step():
            self._decide()

    def _decide(self) -> None:
        birth, self._birth = self._birth, None
        if birth is None:
            return
        self._loop.forget(birth.fileno())
        self._loop.cancel(self._timer)
        if birth.failure is not None:
            birth.bury()
        else:
            self.pid, self._pidfd, self._born = birth.pid, birth.pidfd, birth
            birth.close()
            self.streams.start(birth.console)
            self._loop.watch(self._pidfd, IN, self._exited)
        if self.on_decided is not None:
            self.on_decided(birth.failure, birth)

    def _exited(self, _events: int) -> None:
        self._loop.forget(self._pidfd)
        if self._born is not None:
            self._born.reap_maker()
        status = self._reap(self.pid)
        os.close(self._pidfd)
        self._pidfd = -1
        code = os.waitstatus_to_exitcode(status)
        self.code = code if code >= 0 else _SIGNALLED - code
        if self.on_exit is not None:
            self.on_exit()


def wait_for(pid: int) -> int:
    """The wait status of our own child *pid*."""
    return os.waitpid(pid, 0)[1]


def reap_strays(known: "set[int]") -> None:
    """Wait for orphans that were handed to us and have ended, and are none of *known*."""
    handle = os.open("/proc/thread-self/children", os.O_RDONLY | os.O_CLOEXEC)
    try:
        children = os.read(handle, 1 << 16).split()
    finally:
        os.close(handle)
    for child in map(int, children):
        if child not in known:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def call_at_child_death(loop: Loop, act: Callable[[], None]) -> None:
    """Call *act* after each SIGCHLD."""
    waking, woken = socket.socketpair()
    for end in (waking, woken):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)

    def ready(_events: int) -> None:
        waking.recv(4096)
        act()

    loop.keep(woken)
    loop.watch(waking.fileno(), IN, ready)


def see_children_die() -> None:
    """The launcher lets its children vanish unseen; whoever waits for children wants to see them."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
