"""A socket that log lines are sent to: never waited for, reached again when it broke, with a bounded queue."""

import errno
import os
import select
import socket
import time
from collections import deque
from typing import Protocol

from havre.kernel.libc import KernelError

AGAIN_S = 1.0
"""So long after one attempt to reach a peer that is gone, the next is made."""

_CONNECT_S = 10.0
_LAST_WORDS_S = 3.0
_SMALLER = 1024
_BLOCK_BYTES = 256 << 10


class Place(Protocol):
    """Where messages go."""

    kind: str
    place: str

    @property
    def stream(self) -> bool:
        """Whether messages run into each other there."""

    def connect(self) -> socket.socket:
        """A socket that leads there, waited for. Raises OSError."""

    def begin(self) -> "tuple[socket.socket, bool]":
        """(a socket that does not block, whether it is still on its way there). Raises OSError."""

    def lines(self, message: bytes) -> int:
        """How many lines a message carries."""

    def leave(self, connection: socket.socket, rest: bytes) -> bool:
        """Whether somebody else goes on to send *rest*, which the other side has not taken at the end."""

    def finish(self, connection: socket.socket, seconds: float) -> "tuple[int, int]":
        """No more comes. How many (lines, bytes) the other side tells within *seconds* to have lost."""


class Address:
    """Where a peer listens: *kind* is unix, unixgram, udp or tcp. Raises ValueError for what is none."""

    def __init__(self, kind: str, place: str) -> None:
        self.kind, self.place = kind, place
        self._known: list[tuple[int, object]] = []
        if kind in {"udp", "tcp"}:
            host, _, port = place.rpartition(":")
            self._peer = (host.strip("[]") or "localhost", int(port) if port else 514)
        elif kind not in {"unix", "unixgram"}:
            raise ValueError(f"{kind} is no kind of socket")

    @property
    def stream(self) -> bool:
        """See Place."""
        return self.kind in {"unix", "tcp"}

    def connect(self) -> socket.socket:
        """See Place."""
        failure: OSError | None = None
        for family, where in self._found():
            connection = self._open(family)
            try:
                connection.settimeout(_CONNECT_S)
                connection.connect(where)  # type: ignore[arg-type]  # a path or a pair, as the family wants it
            except OSError as error:
                connection.close()
                failure = error
                continue
            connection.setblocking(False)
            self._known = [(family, where)]
            return connection
        raise failure or OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))

    def begin(self) -> "tuple[socket.socket, bool]":
        """See Place. A host is looked up once, since a name server may keep one waiting."""
        self._known = self._known or self._found()
        family, where = self._known[0]
        self._known.append(self._known.pop(0))
        connection = self._open(family)
        connection.setblocking(False)
        try:
            connection.connect(where)  # type: ignore[arg-type]  # see connect
        except BlockingIOError as error:
            if error.errno == errno.EINPROGRESS:
                return connection, True
            connection.close()
            raise
        except OSError:
            connection.close()
            raise
        return connection, False

    def lines(self, message: bytes) -> int:  # noqa: ARG002
        """See Place."""
        return 1

    def leave(self, connection: socket.socket, rest: bytes) -> bool:  # noqa: ARG002
        """See Place."""
        return False

    def finish(self, connection: socket.socket, seconds: float) -> "tuple[int, int]":  # noqa: ARG002
        """See Place."""
        return 0, 0

    def _open(self, family: int) -> socket.socket:
        how = socket.SOCK_STREAM if self.stream else socket.SOCK_DGRAM
        return socket.socket(family, how | socket.SOCK_CLOEXEC)

    def _found(self) -> "list[tuple[int, object]]":
        if self.kind in {"unix", "unixgram"}:
            return [(socket.AF_UNIX, self.place)]
        how = socket.SOCK_STREAM if self.stream else socket.SOCK_DGRAM
        return [(family, where) for family, _, _, _, where in socket.getaddrinfo(*self._peer, type=how)]


class Peer:
    """Sends messages whole and in their order. What does not go at once waits in memory, also while the peer is gone.

    With *limit* a message that would make more than so many bytes wait is given up instead, and counted; without, the
    caller is to ask `waiting` before it gives more. A peer that is gone is tried anew when `catch_up` is called, once a
    second at most. What still waits some seconds after `close` is
    left to the place, or lost. *eager* reaches the peer at once, or raises
    KernelError.
    """

    def __init__(self, place: Place, limit: int = 0, *, eager: bool = True) -> None:
        self.lost_lines = 0
        self.lost_bytes = 0
        self._place = place
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._sent = 0
        self._tried = -AGAIN_S
        self._socket: socket.socket | None = None
        self._under_way = False
        if eager:
            try:
                self._socket = place.connect()
            except OSError as error:
                raise KernelError.of(error.errno or 0, f"dial {place.kind} {place.place}") from error

    @property
    def waiting(self) -> bool:
        """Whether something waits."""
        return bool(self._queue)

    @property
    def behind(self) -> int:
        """The socket while something waits for it, or -1: nothing waits, or the peer is gone."""
        return self._socket.fileno() if self._queue and self._socket is not None else -1

    def send(self, messages: list[bytes]) -> None:
        """Take *messages*."""
        for message in messages:
            if self._limit and self._queue and self._queued + len(message) > self._limit:
                self._lose(message)
            else:
                self._queue.append(message)
                self._queued += len(message)
        self.catch_up()

    def catch_up(self) -> None:
        """Send what waits, as far as it goes."""
        while self._queue and self._reached():
            try:
                if not self._send_some():
                    return
            except OSError as error:
                if error.errno == errno.EMSGSIZE and len(self._queue[0]) > _SMALLER:
                    self._lose(self._next())
                elif error.errno != errno.ECONNREFUSED or self._place.kind != "udp":
                    self._drop()
                # The other error is of a datagram before this one: udp(7). This one is sent yet.

    def close(self) -> None:
        """Give what waits a last moment."""
        deadline = time.monotonic() + _LAST_WORDS_S
        while self._queue and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            if self.behind >= 0:
                poll.register(self.behind, select.POLLOUT)
            poll.poll(min(left, AGAIN_S) * 1000)
            self.catch_up()
        connection, rest = self._socket, self._block(self._queued)
        if connection is not None and rest and self._place.leave(connection, rest):
            self._queue.clear()
        elif connection is not None:
            lines, size = self._place.finish(connection, max(0.0, deadline - time.monotonic()))
            self.lost_lines += lines
            self.lost_bytes += size
        while self._queue:
            self._lose(self._next())
        self._drop()

    def _send_some(self) -> bool:
        """False when the peer takes no more now."""
        connection = self._socket
        if connection is None:
            return False
        try:
            if not self._place.stream:
                connection.send(self._queue[0], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                self._next()
                return True
            block = self._block(_BLOCK_BYTES)
            sent = connection.send(block, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        self._sent += sent
        while self._queue and self._sent >= len(self._queue[0]):
            self._sent -= len(self._next())
        return sent == len(block)

    def _block(self, enough: int) -> bytes:
        """The next bytes of a stream, *enough* or a message more."""
        size, parts = 0, []
        for message in self._queue:
            parts.append(message)
            size += len(message)
            if size >= enough:
                break
        return b"".join(parts)[self._sent :]

    def _next(self) -> bytes:
        message = self._queue.popleft()
        self._queued -= len(message)
        return message

    def _reached(self) -> bool:
        """Whether there is a connection to send on; one is begun when it is time to."""
        if self._socket is None:
            now = time.monotonic()
            if now - self._tried < AGAIN_S:
                return False
            self._tried = now
            try:
                self._socket, self._under_way = self._place.begin()
            except OSError:
                return False
        if self._under_way:
            poll = select.poll()
            poll.register(self._socket, select.POLLOUT)
            if not poll.poll(0):
                return False
            self._under_way = False
            if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._drop()
                return False
        return True

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._under_way = False
        self._sent = 0  # a message that was cut is sent again, whole

    def _lose(self, message: bytes) -> None:
        self.lost_lines += self._place.lines(message)
        self.lost_bytes += len(message)
