"""Attaching through a WebSocket, with a client that frames by the letter of RFC 6455."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.support.engines import Engine

pytestmark = pytest.mark.root
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Client:
    """The client's half: masked frames out, whole messages in."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stream = connection.makefile("rb")

    def open(self, path: str) -> str:
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nOrigin: http://d\r\n\r\n".encode()
        )
        head = []
        while line := self.stream.readline().strip():
            head.append(line.decode())
        if " 101 " in head[0]:
            answer = base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()
            assert any(line.lower() == f"sec-websocket-accept: {answer.lower()}" for line in head)
        return head[0]

    def send(self, data: bytes, kind: int = 2, *, mask: bytes = b"\x01\x80\x42\xff") -> None:
        clear = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        size = struct.pack("!BB", 0x80 | kind, 0x80 | len(data)) if len(data) < 126 else b""
        size = size or struct.pack("!BBH", 0x80 | kind, 0x80 | 126, len(data))
        self.connection.sendall(size + mask + clear)

    def receive(self) -> tuple[int, bytes]:
        first, size = self.stream.read(2)
        assert not size & 0x80
        if size == 126:
            (size,) = struct.unpack("!H", self.stream.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.stream.read(8))
        return first & 0x0F, self.stream.read(size)

    def gather(self, wanted: bytes) -> bytes:
        """All data until *wanted* has come."""
        data = b""
        while wanted not in data:
            kind, piece = self.receive()
            assert kind in {1, 2}, (kind, piece, data)
            data += piece
        return data


@contextmanager
def client(engine: Engine) -> Iterator[Client]:
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(20)
        connection.connect(str(engine.socket))
        made = Client(connection)
        yield made
        made.stream.close()


@pytest.fixture
def cat(either: Engine) -> Iterator[str]:
    name = either.out("run", "-di", "busybox", "sh", "-c", "echo first >&2; exec cat")
    yield name
    either.docker("rm", "-f", name, check=True)


def test_both_directions(either: Engine, cat: str) -> None:
    with client(either) as ws:
        assert " 101 " in ws.open(f"/v1.41/containers/{cat}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")
        ws.send(b"hello\n")
        assert ws.gather(b"hello\n") == b"hello\n"
        long = b"x" * 60_000 + b"\n"
        ws.send(long, mask=b"\xaa\xbb\xcc\xdd")
        assert ws.gather(b"\n") == long


def test_what_was_said_before_has_no_frames_of_docker(either: Engine, cat: str) -> None:
    with client(either) as ws:
        ws.open(f"/v1.41/containers/{cat}/attach/ws?logs=1&stream=1&stdin=1&stdout=1&stderr=1")
        assert ws.gather(b"first\n") == b"first\n"


def test_ping_is_answered_and_close_is_returned(either: Engine, cat: str) -> None:
    with client(either) as ws:
        ws.open(f"/v1.41/containers/{cat}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")
        ws.send(b"are you there", kind=9)
        assert ws.receive() == (10, b"are you there")
    assert either.out("inspect", "-f", "{{.State.Running}}", cat) == "true"


def test_the_end_of_the_container_ends_the_stream(either: Engine) -> None:
    name = either.out("run", "-di", "busybox", "sh", "-c", "read line; echo got $line; exit 3")
    with client(either) as ws:
        ws.open(f"/v1.41/containers/{name}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1")
        ws.send(b"word\n")
        assert ws.gather(b"word\n") == b"got word\n"
        kind, _ = ws.receive() if ws.stream.peek(1) else (8, b"")
        assert kind == 8
    assert either.out("wait", name) == "3"
    either.docker("rm", name, check=True)


def test_refusals(either: Engine, cat: str) -> None:
    with client(either) as ws:
        assert " 404 " in ws.open("/v1.41/containers/nobody/attach/ws?stream=1")
    answer = either.api().call("GET", f"/containers/{cat}/attach/ws", query={"stream": 1})
    assert answer.status == 400


def test_streams_are_chosen_since_1_42(havre: Engine, cat: str) -> None:
    del cat
    name = havre.out("run", "-di", "busybox", "sh", "-c", "read line; echo err >&2; echo out; sleep 100")
    with client(havre) as ws:
        ws.open(f"/v1.44/containers/{name}/attach/ws?stream=1&stdin=1&stdout=1")
        ws.send(b"\n")
        assert ws.gather(b"out\n") == b"out\n"
    havre.docker("rm", "-f", name, check=True)
