"""Answers that leave together: udp(7), UDP_SEGMENT.

A datagram costs its way through the kernel, not its bytes. Answers of one length to one client, which a flood of
questions has many of, take that way once for up to 64 of them, and are parted again in front of the client's socket.
"""

import socket
import struct
from contextlib import suppress
from typing import Final

Address = tuple[str, int]

_SEGMENT: Final = 103  # UDP_SEGMENT of linux/udp.h
_MOST: Final = 64  # UDP_MAX_SEGMENTS of Linux 4.18
_MOST_BYTES: Final = 65_000


class Outbox:
    """The answers that are to leave at *door*, a UDP socket of the caller, with the next `send`."""

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._waiting: dict[tuple[Address, int], list[bytes]] = {}

    def put(self, reply: bytes, client: Address) -> None:
        """Let *reply* wait for the next `send`."""
        self._waiting.setdefault((client, len(reply)), []).append(reply)

    def send(self) -> None:
        """Send what waits. What a client does not take is lost, as datagrams are."""
        waiting, self._waiting = self._waiting, {}
        for (client, size), replies in waiting.items():
            at_once = min(_MOST, _MOST_BYTES // size)
            for first in range(0, len(replies), at_once):
                self._send(replies[first : first + at_once], client, size)

    def _send(self, replies: list[bytes], client: Address, size: int) -> None:
        if len(replies) > 1:
            with suppress(OSError):  # a kernel or a way that parts nothing: one by one
                self._door.sendmsg(replies, [(socket.SOL_UDP, _SEGMENT, struct.pack("=H", size))], 0, client)
                return
        for reply in replies:
            with suppress(OSError):
                self._door.sendto(reply, client)
