"""The foreground: the caller's terminal and signals joined with a process until it ends."""

import contextlib
import os
import select
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from havre.kernel.libc import KernelError
from havre.kernel.process import pidfd_send_signal
from havre.kernel.pty import resize, window_size

_PIECE = 32 * 1024
_KEPT = frozenset(
    {signal.SIGCHLD, signal.SIGURG, signal.SIGPIPE, signal.SIGKILL, signal.SIGSTOP, signal.SIGTTIN, signal.SIGTTOU}
)
_DRAIN_MS = 200


def wait_for(pid: int, pidfd: int, master: int, alarms: int) -> int:
    """The exit code of our child *pid*, 128 and more for a signal.

    Until then the signals that `held_signals` keeps in *alarms* are passed on, and with *master* (-1 without) so are
    the bytes of our terminal.
    """
    with _raw_terminal(master):
        if master >= 0:
            _fit(master)
        _relay(pidfd, master, alarms)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def _relay(pidfd: int, master: int, alarms: int) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(alarms, select.POLLIN)
    if master >= 0:
        poll.register(master, select.POLLIN)
        poll.register(0, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if alarms in ready:
            _pass_on(os.read(alarms, 64), pidfd, master)
        if master in ready and not _copy(master, 1):
            poll.unregister(master)
        if master >= 0 and 0 in ready and not _copy(0, master):
            poll.unregister(0)
        if pidfd in ready:
            break
    if master >= 0:
        _drain(master)


def _copy(source: int, target: int) -> bool:
    """Move what is there; False at the end. A terminal whose other side is closed reads as EIO: pty(7)."""
    try:
        piece = os.read(source, _PIECE)
    except OSError:
        return False
    left = memoryview(piece)
    while left:
        left = left[os.write(target, left) :]
    return bool(piece)


def _drain(master: int) -> None:
    """What the process said before it ended; someone it left behind may keep the terminal open for ever."""
    poll = select.poll()
    poll.register(master, select.POLLIN)
    while poll.poll(_DRAIN_MS):
        if not _copy(master, 1):
            return


def _pass_on(numbers: bytes, pidfd: int, master: int) -> None:
    for number in numbers:
        if number == signal.SIGWINCH:
            _fit(master)
        else:
            with contextlib.suppress(KernelError):
                pidfd_send_signal(pidfd, number)


def _fit(master: int) -> None:
    """Give the process the size of our terminal, where we have one."""
    with contextlib.suppress(OSError):
        rows, columns = window_size(0)
        resize(master, rows, columns)


@contextmanager
def held_signals() -> Iterator[int]:
    """Signals that arrive are kept for the process that is about to start: a descriptor to read their numbers from."""

    def heard(_number: int, _frame: FrameType | None) -> None:
        """The number arrives through the wake-up descriptor."""

    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    caught = {number: signal.getsignal(number) for number in signal.valid_signals() - _KEPT}
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in caught:
        with contextlib.suppress(OSError):
            signal.signal(number, heard)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in caught.items():
            if handler is not None:
                with contextlib.suppress(OSError):
                    signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


@contextmanager
def _raw_terminal(master: int) -> Iterator[None]:
    """Every key goes to the process, which echoes and edits by itself."""
    if master < 0 or not os.isatty(0):
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
