"""WebSocket (RFC 6455), the server's half: the handshake, and a pump between frames and plain bytes."""

import asyncio
import base64
import contextlib
import hashlib
import socket
import struct
from collections.abc import Iterator
from typing import Final

from havre.api.request import Request
from havre.base.errors import InvalidInput

TEXT: Final = 1
BINARY: Final = 2
_CLOSE: Final = 8
_PING: Final = 9
_PONG: Final = 10
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PIECE: Final = 64 << 10
_CONTROL_LIMIT: Final = 125
_NORMAL: Final = struct.pack("!H", 1000)
_PROTOCOL_ERROR: Final = struct.pack("!H", 1002)


class BrokenFrame(InvalidInput):
    """The client sent what is no frame of a client."""


def accept(request: Request) -> dict[str, str]:
    """The fields of the answer that begins a WebSocket. Raises InvalidInput for what is no such request."""
    fields = request.fields
    upgrades = "upgrade" in fields.get("connection", "").lower() and fields.get("upgrade", "").lower() == "websocket"
    if not upgrades:
        raise InvalidInput("not websocket protocol")
    if fields.get("sec-websocket-version") != "13":
        raise InvalidInput("missing or bad WebSocket Version")
    key = fields.get("sec-websocket-key", "")
    if not key:
        raise InvalidInput("mismatch challenge/response")
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(digest).decode(),
    }


def frame(kind: int, data: bytes) -> bytes:
    """One whole message; a server's frames are not masked."""
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | kind, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 127, size)
    return head + data


class FrameReader:
    """Cuts a client's bytes into pieces of messages; a long frame is given as it comes, not gathered."""

    def __init__(self) -> None:
        self._pending = b""
        self._kind = 0
        self._left = 0
        self._mask = b""
        self._control = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(kind, bytes) of all that is there; of a control frame the whole. Raises BrokenFrame."""
        self._pending += data
        while True:
            if not self._mask and not self._take_head():
                return
            taken, self._pending = self._pending[: self._left], self._pending[self._left :]
            if self._left and not taken:
                return
            clear = _unmasked(taken, self._mask)
            turn = len(taken) % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
            self._left -= len(taken)
            yield from self._given(clear)
            if not self._left:
                self._mask = b""

    def _given(self, clear: bytes) -> Iterator[tuple[int, bytes]]:
        if self._kind < _CLOSE:
            if clear:
                yield self._kind, clear
            return
        self._control += clear
        if not self._left:
            whole, self._control = self._control, b""
            yield self._kind, whole

    def _take_head(self) -> bool:
        if len(self._pending) < 2:
            return False
        first, second = self._pending[0], self._pending[1]
        kind, size = first & 0x0F, second & 0x7F
        if first & 0x70 or not second & 0x80 or kind not in {0, TEXT, BINARY, _CLOSE, _PING, _PONG}:
            raise BrokenFrame("a frame that no client may send")
        if kind >= _CLOSE and (size > _CONTROL_LIMIT or not first & 0x80):
            raise BrokenFrame("a control frame that is too long or in pieces")
        more = {126: 2, 127: 8}.get(size, 0)
        if len(self._pending) < 2 + more + 4:
            return False
        if more:
            size = int.from_bytes(self._pending[2 : 2 + more], "big")
        self._kind, self._left = kind, size
        self._mask = self._pending[2 + more : 6 + more]
        self._pending = self._pending[6 + more :]
        return True


def _unmasked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    keys = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


async def pump(client: socket.socket, plain: socket.socket, kind: int, early: bytes) -> None:
    """Carry frames of *client* to *plain* and bytes of *plain* to *client* as frames of *kind*; owns both."""
    for one in (client, plain):
        one.setblocking(False)
    try:
        async with asyncio.TaskGroup() as group:
            out = group.create_task(_out(client, plain, kind))
            into = group.create_task(_into(client, plain, early))
            out.add_done_callback(lambda _: into.cancel())
            into.add_done_callback(lambda _: out.cancel())
    finally:
        for one in (client, plain):
            one.close()


async def _out(client: socket.socket, plain: socket.socket, kind: int) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):  # either side may be gone: that is the end
        while data := await loop.sock_recv(plain, _PIECE):
            await loop.sock_sendall(client, frame(kind, data))
        await loop.sock_sendall(client, frame(_CLOSE, _NORMAL))


async def _into(client: socket.socket, plain: socket.socket, early: bytes) -> None:
    loop, reader = asyncio.get_running_loop(), FrameReader()
    try:
        data = early or await loop.sock_recv(client, _PIECE)
        while data:
            for kind, piece in reader.feed(data):
                if kind == _CLOSE:
                    await loop.sock_sendall(client, frame(_CLOSE, piece[:2] or _NORMAL))
                    return
                if kind == _PING:
                    await loop.sock_sendall(client, frame(_PONG, piece))
                elif kind != _PONG:
                    await loop.sock_sendall(plain, piece)
            data = await loop.sock_recv(client, _PIECE)
    except BrokenFrame:
        with contextlib.suppress(OSError):
            await loop.sock_sendall(client, frame(_CLOSE, _PROTOCOL_ERROR))
    except OSError:  # either side may be gone: that is the end
        return
