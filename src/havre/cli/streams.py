"""The local end of an attached stream: standard input to the daemon, its frames to standard output and error.

One thread and poll(2): signals interrupt it, their handlers run, and it goes on.
"""

from __future__ import annotations

import os
import select
import socket

from havre.cli.framed import FrameWriter
from havre.cli.screen import STDIN, STDOUT, write_all
from havre.cli.terminal import DetachKeys
from havre.client.connection import Stream

_CHUNK = 65536


class Detached(Exception):
    """The user typed the detach keys."""


class Attached:
    """A taken-over connection. *raw* is the stream of a terminal: no frames."""

    def __init__(self, stream: Stream, ahead: bytes, *, raw: bool) -> None:
        self._stream = stream
        self._raw = raw
        self._frames = FrameWriter()
        self._ahead = ahead

    def pump(self, *, stdin: bool, keys: bytes = b"") -> None:
        """Copy both ways until the daemon ends the stream. Raises Detached.

        Without *stdin* our write side is closed at once, as the daemon expects of a client that has nothing to say.
        """
        detach = DetachKeys(keys)
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        if stdin:
            poll.register(STDIN, select.POLLIN)
        else:
            self._close_writing()
        self._show(self._ahead)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == STDIN and stdin:
                    if not self._forward(detach):
                        poll.unregister(STDIN)
                        stdin = False
                elif not self._receive():
                    return

    def _forward(self, detach: DetachKeys) -> bool:
        data = os.read(STDIN, _CHUNK)
        typed = detach.feed(data)
        try:
            if typed:
                self._stream.sendall(typed)
        except (BrokenPipeError, ConnectionResetError):
            return False
        if detach.found:
            self._stream.close()
            raise Detached
        if not data:
            self._close_writing()
        return bool(data)

    def _receive(self) -> bool:
        try:
            data = self._stream.recv(_CHUNK)
        except ConnectionResetError:
            return False
        self._show(data)
        return bool(data)

    def _show(self, data: bytes) -> None:
        if self._raw:
            if data:
                write_all(STDOUT, data)
            return
        self._frames.feed(data)

    def _close_writing(self) -> None:
        try:
            self._stream.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other side is gone already; reading tells
