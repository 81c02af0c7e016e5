"""A person at a terminal: a program on a pty, what it shows, and what is typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress


class Terminal:
    """One program on a terminal of its own."""

    def __init__(self, pid: int, master: int) -> None:
        self.pid, self.master, self.shown = pid, master, b""
        self.status: int | None = None

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def resize_until(self, rows: int, columns: int, *, shown: str) -> None:
        """Resize, and again while *shown* is not: a client that just began may not listen for SIGWINCH yet."""
        for _ in range(100):
            self.resize(rows, columns)
            with suppress(AssertionError):
                self.expect(shown, 0.3)
                return
        raise AssertionError(f"no {shown!r} in {self.shown!r}")

    def expect(self, text: str, timeout_s: float = 30) -> bytes:
        """Wait until *text* was shown since the last call, and give everything up to it."""
        wanted, deadline = text.encode(), time.monotonic() + timeout_s
        while wanted not in self.shown:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"no {text!r} in {self.shown!r}")
        before, _, self.shown = self.shown.partition(wanted)
        return before

    def wait(self, timeout_s: float = 30) -> int:
        """The program's exit code."""
        deadline = time.monotonic() + timeout_s
        while self._read(min(0.2, max(0.0, deadline - time.monotonic()))) or not self._ended():
            if time.monotonic() > deadline:
                raise AssertionError(f"still running; shown: {self.shown!r}")
        assert self.status is not None
        return os.waitstatus_to_exitcode(self.status)

    def _ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.master], [], [], max(0.0, timeout_s))[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the last one on the other side has gone
            return False
        self.shown += data
        return bool(data)


@contextmanager
def on_terminal(
    line: Sequence[str], environment: Mapping[str, str], rows: int = 24, columns: int = 80
) -> Iterator[Terminal]:
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(line[0], list(line), dict(environment))
    terminal = Terminal(pid, master)
    try:
        yield terminal
    finally:
        if not terminal._ended():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(master)
