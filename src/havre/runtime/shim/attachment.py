"""One client on a process's streams: a socket that havred handed over and takes no part in any more."""

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Protocol

from havre.logs.frame import header
from havre.runtime.bundle import AttachWishes
from havre.runtime.shim.detach import DetachKeys
from havre.runtime.shim.loop import GONE, IN, OUT, Loop

PIECE = 64 << 10
PATIENCE_S = 30.0
LINGER_S = 1.0

_SEND = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_NOTE = b"\r\nhavre: this client read nothing for 30 s and was dropped; the container goes on\r\n"
_STDERR = 2


class Process(Protocol):
    """What an attachment needs of the streams it is joined to."""

    def take_input(self, data: bytes) -> bool:
        """Give *data* to the program; False when no more is wanted until `resume_input`."""

    def input_ended(self, attachment: "Attachment") -> None:
        """The client has ended its side."""

    def drained(self) -> None:
        """The client has taken all that was written for it."""

    def left(self, attachment: "Attachment") -> None:
        """The client is gone."""


class Attachment:
    """Never waits: what the client does not take is kept, and the streams stand still until it does.

    *ended* is told once, with whether the client typed the detach keys.
    """

    def __init__(
        self, sock: socket.socket, wishes: AttachWishes, process: Process, loop: Loop, ended: Callable[[bool], None]
    ) -> None:
        self.wishes = wishes
        self.pending: bytes | memoryview = b""
        self._socket = sock
        self._process = process
        self._loop = loop
        self._ended = ended
        self._keys = DetachKeys(wishes.detach_keys)
        self._reading = wishes.stdin
        self._paused = False
        self._closing = False
        self._closed = False
        self._by_keys = False
        self._timer = 0
        self._fd = sock.fileno()

    def start(self) -> None:
        """Take the early input, then what comes."""
        self._watch()
        if self.wishes.early and self.wishes.stdin:
            self._typed(self.wishes.early)

    def wants(self, stream: int) -> bool:
        """Whether output of *stream* goes here."""
        return not self._closing and (self.wishes.stderr if stream == _STDERR else self.wishes.stdout)

    def put(self, stream: int, data: bytes) -> None:
        """Write *data* of *stream*, framed if so wished."""
        parts = [header(stream, len(data)), data] if self.wishes.framed else [data]
        if self.pending:
            self.pending = bytes(self.pending) + b"".join(parts)
            return
        try:
            sent = self._socket.sendmsg(parts, (), _SEND)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        whole = sum(map(len, parts))
        if sent < whole:
            self.pending = memoryview(b"".join(parts))[sent:]
            self._arm()
            self._watch()

    def resume_input(self) -> None:
        """The program takes input again."""
        if self._paused and not self._closed:
            self._paused = False
            self._watch()

    def finish(self) -> None:
        """Nothing more will be written: let the client have what is pending, then the end."""
        if self._closing or self._closed:
            return
        self._closing = True
        self._reading = False
        if not self.pending:
            self._shut()

    def detach(self) -> None:
        """The client typed the keys."""
        self._by_keys = True
        self.finish()

    def close(self, *, shut: bool = True) -> None:
        """Let go at once; without *shut* the client stays with whoever else holds its socket. Twice is no error."""
        if self._closed:
            return
        self._closed = True
        input_lost, self._reading = self._reading and shut, False
        self._loop.forget(self._fd)
        self._loop.cancel(self._timer)
        self.pending = b""
        if shut:
            with contextlib.suppress(OSError):  # the client was faster
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._process.left(self)
        if input_lost:
            self._process.input_ended(self)
        self._ended(self._by_keys)

    def _watch(self) -> None:
        if self._closed:
            return
        events = OUT if self.pending else 0
        if self._closing and not self.pending:
            events = IN
        elif self._reading and not self._paused:
            events |= IN
        self._loop.watch(self._fd, events, self._ready)

    def _ready(self, events: int) -> None:
        if events & OUT and self.pending:
            self._flush()
        if events & IN and not self._closed:
            self._receive()
        elif events & GONE and not self._closed and not events & OUT:
            self.close()

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self.pending, _SEND)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._loop.cancel(self._timer)
        self.pending = self.pending[sent:]
        if self.pending:
            self._arm()
            return
        if self._closing:
            self._shut()
        else:
            self._watch()
        self._process.drained()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._closing:
            if not data:
                self.close()
            return
        if data:
            self._typed(data)
            return
        self._reading = False
        self._watch()
        self._process.input_ended(self)

    def _typed(self, data: bytes) -> None:
        passed, detached = self._keys.feed(data)
        if passed and not self._process.take_input(passed):
            self._paused = True
            self._watch()
        if detached:
            self.detach()

    def _shut(self) -> None:
        """Send the end, then read on for a moment: closing on unread input would break the client's reading."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self._timer = self._loop.after(LINGER_S, self.close)
        self._watch()

    def _arm(self) -> None:
        self._timer = self._loop.after(PATIENCE_S, self._drop)

    def _drop(self) -> None:
        """No progress for too long. The note stands behind what the client's buffers hold, if it finds room."""
        note = header(_STDERR, len(_NOTE)) + _NOTE if self.wishes.framed else _NOTE
        with contextlib.suppress(OSError):
            self._socket.send(note, _SEND)
        self.close()
        self._process.drained()


def dup_socket(fd: int) -> socket.socket:
    """A socket object that owns *fd*."""
    sock = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    return sock
