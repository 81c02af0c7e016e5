"""What `run`, `start`, `attach` and `exec` share: streams held to their end, signals and size passed on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from havre.cli.screen import STDIN, STDOUT
from havre.cli.streams import Attached
from havre.cli.terminal import RawTerminal, terminal_size
from havre.client.client import Client
from havre.client.errors import ClientError

_RESIZE_ATTEMPTS, _RESIZE_STEP_S = 10, 0.01
_NOT_FORWARDED = frozenset(
    {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGURG, signal.SIGWINCH, signal.SIGTSTP,
     signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
)  # fmt: skip


@contextmanager
def forwarded_signals(client: Client, container: str, *, wanted: bool) -> Iterator[None]:
    """While inside, each signal this process gets goes to *container* instead."""
    if not wanted:
        yield
        return
    side = client.another()

    def forward(number: int, _: object) -> None:
        try:
            side.act(
                "POST", f"/containers/{container}/kill", {"signal": signal.Signals(number).name.removeprefix("SIG")}
            )
        except ClientError:
            return  # it may have ended just now; its exit code tells

    before = {}
    for number in signal.valid_signals() - _NOT_FORWARDED:
        if isinstance(number, signal.Signals):
            before[number] = signal.signal(number, forward)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        side.close()


@contextmanager
def followed_size(resize: Callable[[int, int], None], *, wanted: bool) -> Iterator[None]:
    """While inside, the terminal's size is told now and at each SIGWINCH."""
    if not wanted:
        yield
        return

    def tell(*_: object) -> None:
        rows, columns = terminal_size(STDOUT)
        if not rows and not columns:
            return
        for attempt in range(_RESIZE_ATTEMPTS):
            try:
                resize(rows, columns)
            except ClientError:  # not running yet, or no more
                time.sleep(attempt * _RESIZE_STEP_S)
            else:
                return

    before = signal.signal(signal.SIGWINCH, tell)
    tell()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def hold(attached: Attached, resize: Callable[[int, int], None], *, tty: bool, stdin: bool, keys: bytes) -> None:
    """Copy the streams to their end, the terminal in raw mode when the container has one. Raises Detached."""
    with RawTerminal(STDIN, wanted=tty and stdin), followed_size(resize, wanted=tty):
        attached.pump(stdin=stdin, keys=keys)


def container_resizer(client: Client, container: str) -> Callable[[int, int], None]:
    """Tells a container the size of the terminal, on a connection of its own."""
    side = client.another()

    def resize(rows: int, columns: int) -> None:
        side.act("POST", f"/containers/{container}/resize", {"h": rows, "w": columns})

    return resize


def check_tty(*, stdin: bool, tty: bool) -> None:
    """Raises ClientError when a terminal is asked for and standard input is none."""
    import os

    if stdin and tty and not os.isatty(STDIN):
        raise ClientError("the input device is not a TTY")


def console_size(*, tty: bool) -> list[int]:
    """Rows and columns for a request; empty without a terminal."""
    rows, columns = terminal_size(STDOUT) if tty else (0, 0)
    return [rows, columns] if rows and columns else []
