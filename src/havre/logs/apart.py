"""A log on the disk, written by a process of its own: however slow the disk is, whoever speaks goes on."""

import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from havre.logs.peer import Peer
from havre.logs.sink import Writer

_HEAD = struct.Struct("<BqI")
_LOST = struct.Struct("<QQ")
_STREAMS = 3
_END = 0x80
_PIECE = 256 << 10
_FILES_LIMIT = 4096


class ApartWriter:
    """Hands what is said to the writer of *make* in a process of its own; see sink.Remote.

    At most *limit* bytes wait for it; what is over is lost and counted. A process that is killed is followed by
    another one. With *eager* it is known that the log can be opened, or KernelError raised.
    """

    def __init__(self, make: Callable[[], Writer], limit: int, *, eager: bool = True) -> None:
        if eager:
            make().close()
        self.peer = Peer(_Process(make), limit, eager=False)

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """See sink.Remote."""
        self.peer.send([_HEAD.pack(stream, time_ns or time.time_ns(), len(data)) + data])

    def end(self, stream: int, time_ns: int = 0) -> None:
        """See sink.Remote."""
        self.peer.send([_HEAD.pack(stream | _END, time_ns or time.time_ns(), 0)])

    def close(self) -> None:
        """See sink.Remote. The process ends by itself, when it has written all that it was given."""
        self.peer.close()


class _Process:
    """Where the writer is: see peer.Place."""

    kind = "process"
    place = "of a log"
    stream = True

    def __init__(self, make: Callable[[], Writer]) -> None:
        self._make = make
        self._pid = 0

    def connect(self) -> socket.socket:
        """See Place."""
        return self.begin()[0]

    def begin(self) -> "tuple[socket.socket, bool]":
        """See Place."""
        self._reap(os.WNOHANG)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if self._pid == 0:
            try:
                _serve(theirs.detach(), self._make)
            finally:
                os._exit(0)
        theirs.close()
        ours.setblocking(False)
        return ours, False

    def lines(self, message: bytes) -> int:
        """See Place."""
        return message.count(b"\n", _HEAD.size)

    def leave(self, connection: socket.socket, rest: bytes) -> bool:
        """See Place."""
        try:
            pid = os.fork()
        except OSError:
            return False
        if pid == 0:
            try:
                _deliver(connection.detach(), rest)
            finally:
                os._exit(0)
        return True

    def finish(self, connection: socket.socket, seconds: float) -> "tuple[int, int]":
        """See Place."""
        try:
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(max(seconds, 0.001))
            told = connection.recv(_LOST.size, socket.MSG_WAITALL)
        except OSError:  # a slow disk: it goes on by itself
            told = b""
        if len(told) != _LOST.size:
            return 0, 0
        self._reap(0)  # these were its last words
        lines, size = _LOST.unpack(told)
        return lines, size

    def _reap(self, how: int) -> None:
        if self._pid > 0:
            with suppress(ChildProcessError):
                os.waitpid(self._pid, how)
            self._pid = 0


def _serve(fd: int, make: Callable[[], Writer]) -> None:
    """Write what comes from *fd* until its end; then tell what was lost. Nothing else of the parent's stays open."""
    os.closerange(0, fd)
    os.closerange(fd + 1, _FILES_LIMIT)
    writer = make()
    rest = b""
    while data := os.read(fd, _PIECE):
        rest = _written(writer, rest + data)
    writer.close()
    os.write(fd, _LOST.pack(writer.lost_lines, writer.lost_bytes))


def _deliver(fd: int, rest: bytes) -> None:
    """Send *rest* to a process that a slow disk holds up; the container has ended."""
    os.closerange(0, fd)
    os.closerange(fd + 1, _FILES_LIMIT)
    os.set_blocking(fd, True)
    view = memoryview(rest)
    while view:
        view = view[os.write(fd, view) :]


def _written(writer: Writer, data: bytes) -> bytes:
    """Give *writer* the whole messages of *data*; what is left."""
    at = 0
    while at + _HEAD.size <= len(data):
        stream, moment, size = _HEAD.unpack_from(data, at)
        begin = at + _HEAD.size
        if begin + size > len(data):
            break
        if stream & _END:
            writer.end(stream & ~_END, moment)
        else:
            writer.write(stream, data[begin : begin + size], moment)
        at = begin + size
    return data[at:]
