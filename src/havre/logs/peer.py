"""A socket that log lines are sent to: never waited for, reached again when it broke, with a bounded queue."""

import errno
import os
import select
import socket
import time
from collections import deque

from havre.kernel.libc import KernelError

_AGAIN_S = 1.0
_CONNECT_S = 10.0
_LAST_WORDS_S = 3.0
_SMALLER = 1024


class Address:
    """Where a peer listens: *kind* is unix, unixgram, udp or tcp. Raises ValueError for what is none."""

    def __init__(self, kind: str, place: str) -> None:
        self.kind, self.place = kind, place
        if kind in {"udp", "tcp"}:
            host, _, port = place.rpartition(":")
            self._peer = (host.strip("[]") or "localhost", int(port) if port else 514)
        elif kind not in {"unix", "unixgram"}:
            raise ValueError(f"{kind} is no kind of socket")

    @property
    def stream(self) -> bool:
        """Whether lines run into each other there."""
        return self.kind in {"unix", "tcp"}

    def connect(self) -> socket.socket:
        """A socket that leads there. Raises OSError."""
        how = socket.SOCK_STREAM if self.stream else socket.SOCK_DGRAM
        if self.kind in {"unix", "unixgram"}:
            return _connected(socket.AF_UNIX, how, self.place)
        failure: OSError | None = None
        for family, kind, _, _, where in socket.getaddrinfo(*self._peer, type=how):
            try:
                return _connected(family, kind, where)
            except OSError as error:
                failure = error
        raise failure or OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))


class Peer:
    """Sends messages whole and in their order. What does not go at once waits in memory.

    With *limit* a message that would make more than so many bytes wait is given up instead; without, the caller is
    to ask `behind` before it gives more. A peer that is gone is tried anew once a second; till then messages are lost.
    Lost ones are counted. The first connection raises KernelError.
    """

    def __init__(self, address: Address, limit: int = 0) -> None:
        self.lost_lines = 0
        self.lost_bytes = 0
        self._address = address
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._waiting = 0
        self._sent = 0
        self._tried = 0.0
        self._socket: socket.socket | None = None
        try:
            self._socket = address.connect()
        except OSError as error:
            raise KernelError.of(error.errno or 0, f"dial {address.kind} {address.place}") from error

    @property
    def behind(self) -> int:
        """The socket while something waits for it, or -1."""
        return self._socket.fileno() if self._queue and self._socket is not None else -1

    def send(self, messages: list[bytes]) -> None:
        """Take *messages*."""
        for message in messages:
            if self._limit and self._queue and self._waiting + len(message) > self._limit:
                self._lose(message)
            else:
                self._queue.append(message)
                self._waiting += len(message)
        self.catch_up()

    def catch_up(self) -> None:
        """Send what waits, as far as it goes."""
        while self._queue:
            if self._socket is None and not self._reach():
                self._give_up()
                return
            try:
                if not self._send_some():
                    return
            except OSError as error:
                if error.errno == errno.EMSGSIZE and len(self._queue[0]) > _SMALLER:
                    self._lose(self._next())
                    continue
                self._drop()
                if not self._reach():
                    self._give_up()
                    return

    def close(self) -> None:
        """Give what waits a last moment."""
        deadline = time.monotonic() + _LAST_WORDS_S
        while self.behind >= 0 and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self.behind, select.POLLOUT)
            poll.poll(left * 1000)
            self.catch_up()
        self._give_up()
        self._drop()

    def _send_some(self) -> bool:
        """False when the peer takes no more now."""
        connection = self._socket
        if connection is None:
            return False
        try:
            if not self._address.stream:
                connection.send(self._queue[0], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                self._next()
                return True
            block = b"".join(self._queue)[self._sent :]
            sent = connection.send(block, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        self._sent += sent
        while self._queue and self._sent >= len(self._queue[0]):
            self._sent -= len(self._next())
        return sent == len(block)

    def _next(self) -> bytes:
        message = self._queue.popleft()
        self._waiting -= len(message)
        return message

    def _reach(self) -> bool:
        now = time.monotonic()
        if now - self._tried < _AGAIN_S:
            return False
        self._tried = now
        try:
            self._socket = self._address.connect()
        except OSError:
            return False
        self._sent = 0
        return True

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _give_up(self) -> None:
        while self._queue:
            self._lose(self._next())
        self._sent = 0

    def _lose(self, message: bytes) -> None:
        self.lost_lines += 1
        self.lost_bytes += len(message)


def _connected(family: int, kind: int, where: object) -> socket.socket:
    connection = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(_CONNECT_S)
        connection.connect(where)  # type: ignore[arg-type]  # a path or a pair, as the family wants it
    except OSError:
        connection.close()
        raise
    connection.setblocking(False)
    return connection
