"""The log of a process's output, by its driver; a driver is loaded in the process that needs it."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress

from havre.kernel.libc import KernelError
from havre.kernel.process import keep_freed_memory
from havre.logs.json_file import JSONFileWriter
from havre.logs.rotating import Limits
from havre.logs.sink import Remote, Writer
from havre.runtime.bundle import LogTarget
from havre.runtime.shim.loop import OUT, Loop

_AGAIN_S = 1.0
_KEPT = 1 << 20
"""What a piece of output and its entries take on their way to a file, more than twice over."""


class OutputLog:
    """The log of *target*, opened at the first word: most containers that stand idle have said nothing.

    What the log cannot take yet is passed on as soon as it can; *caught_up* is called then. Nothing raises.
    """

    def __init__(self, target: LogTarget | None, loop: Loop, name: str, caught_up: Callable[[], None]) -> None:
        self._target = target
        self._loop = loop
        self._name = name
        self._caught_up = caught_up
        self._writer: Writer | None = None
        self._fd = -1
        self._timer = 0
        self._line_open = 0
        self._gone = False
        self._lost_lines = 0
        self._lost_bytes = 0

    @property
    def held_up(self) -> bool:
        """Whether the log must not lose a line and has not taken all so far."""
        waits = self._writer is not None and self._writer.waiting
        return waits and self._target is not None and not self._target.max_buffer_bytes

    @property
    def idle(self) -> bool:
        """Whether nothing is half done: no line begun, nothing that waits."""
        return not (self._line_open or (self._writer is not None and self._writer.waiting))

    def write(self, stream: int, data: bytes) -> None:
        """Take *data* that *stream* said."""
        writer = self._opened(data)
        if writer is None:
            return
        self._unwatch()
        writer.write(stream, data)
        self._watch()
        bit = 1 << stream
        self._line_open = self._line_open & ~bit if data.endswith(b"\n") else self._line_open | bit

    def end(self, stream: int) -> None:
        """*stream* has ended."""
        self._line_open &= ~(1 << stream)
        if self._writer is not None:
            self._unwatch()
            self._writer.end(stream)
            self._watch()

    def close(self) -> None:
        """Write what is left, as far as it goes in a few seconds, and say what the log lacks."""
        self._forget()
        if self._writer is not None:
            self._writer.close()
            self._lost_lines += self._writer.lost_lines
            self._lost_bytes += self._writer.lost_bytes
            self._writer = None
        if self._lost_lines or self._lost_bytes:
            self._say(f"{self._lost_lines} lines ({self._lost_bytes} bytes) of output were not logged")
        self._lost_lines = self._lost_bytes = 0
        self._target = None

    def _opened(self, data: bytes) -> Writer | None:
        if self._writer is None and self._target is not None:
            keep_freed_memory(_KEPT)
            try:
                self._writer = open_log(self._target, eager=False)
            except KernelError:  # it could be opened at the start; the container goes on
                self._lost_lines += data.count(b"\n")
                self._lost_bytes += len(data)
                return None
            if self._writer is None:
                self._target = None
        return self._writer

    def _watch(self) -> None:
        """Wait for what the log waits for: a descriptor, or the next attempt to reach somebody who is gone."""
        writer = self._writer
        waits = writer is not None and writer.waiting
        behind = writer.behind if writer is not None and waits else -1
        self._tell_gone(gone=waits and behind < 0)
        if behind >= 0:
            self._fd = behind
            self._loop.watch(behind, OUT, lambda _events: self._go_on())
        elif waits and not self._timer:
            self._timer = self._loop.after(_AGAIN_S, self._go_on)

    def _unwatch(self) -> None:
        """Before the writer is given anything: it may close the descriptor, and open another one of the same number."""
        if self._fd >= 0:
            self._loop.forget(self._fd)
            self._fd = -1

    def _go_on(self) -> None:
        self._forget()
        if self._writer is not None:
            self._writer.catch_up()
        self._watch()
        self._caught_up()

    def _forget(self) -> None:
        self._unwatch()
        if self._timer:
            self._loop.cancel(self._timer)
            self._timer = 0

    def _tell_gone(self, *, gone: bool) -> None:
        if gone == self._gone or self._target is None:
            return
        self._gone = gone
        driver = self._target.driver
        if not gone:
            self._say(f"log driver {driver} is reached again")
        elif self._target.max_buffer_bytes:
            self._say(f"log driver {driver} is not reached: up to {self._target.max_buffer_bytes} bytes wait for it")
        else:
            self._say(f"log driver {driver} is not reached: output waits for it, and the container with it")

    def _say(self, words: str) -> None:
        """On our standard error, which is havred's."""
        with suppress(OSError):  # nobody reads it any more
            os.write(2, f"havre-shim: {self._name[:12]}: {words}\n".encode())


def open_log(target: LogTarget, *, eager: bool = True) -> Writer | None:
    """The writer of *target*; None keeps nothing. *eager* raises KernelError for a peer that is not reached at once."""
    if target.driver == "none":
        return None
    if target.driver in {"syslog", "journald"}:
        return _remote(target, _local(target) if target.path else None, eager=eager)
    if not target.max_buffer_bytes:
        return _file(target)
    from havre.logs.apart import ApartWriter
    from havre.logs.cached import CachedWriter

    return CachedWriter(ApartWriter(lambda: _file(target), target.max_buffer_bytes, eager=eager), None)


def _file(target: LogTarget) -> Writer:
    return (
        JSONFileWriter(target.path, _limits(target), target.attrs) if target.driver == "json-file" else _local(target)
    )


def _local(target: LogTarget) -> Writer:
    from havre.logs.local import LocalWriter

    return LocalWriter(target.path, _limits(target))


def _limits(target: LogTarget) -> Limits:
    return Limits(target.max_size_bytes, target.max_files, target.compress, target.max_age_s, target.min_free_bytes)


def _remote(target: LogTarget, cache: Writer | None, *, eager: bool) -> Writer:
    from havre.logs.cached import CachedWriter

    try:
        if target.driver == "syslog":
            from havre.logs.syslog import SyslogWriter

            syslog = SyslogWriter(target.options, target.tag, target.max_buffer_bytes, eager=eager)
            return CachedWriter(syslog, cache)
        return CachedWriter(_journal(target, eager=eager), cache)
    except BaseException:
        if cache is not None:
            cache.close()
        raise


def _journal(target: LogTarget, *, eager: bool) -> Remote:
    from havre.logs.journald import SOCKET, JournaldWriter

    place = target.options.get("socket", SOCKET)
    if eager and not os.path.exists(place):  # noqa: PTH110  no pathlib in the shim
        raise KernelError.of(errno.ENOENT, f"journald is not enabled on this host: {place}")
    return JournaldWriter(target.attrs, place, target.max_buffer_bytes, eager=eager)
