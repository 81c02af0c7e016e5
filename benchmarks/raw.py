"""A client that costs next to nothing, so that an engine is measured and not what reads its answers."""

from __future__ import annotations

import socket

from tests.support.engines import Engine


def received(engine: Engine, path: str) -> int:
    """The bytes of the answer to GET *path*, head and all; they are dropped as they come. It must be a 200."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(engine.socket))
        client.sendall(f"GET /v1.41{path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        head = client.recv(12, socket.MSG_WAITALL)
        assert head.endswith(b" 200"), head
        return len(head) + drain(client)


def drain(client: socket.socket) -> int:
    """Drop what comes until the end; how much it was."""
    got, buffer = 0, bytearray(1 << 20)
    while size := client.recv_into(buffer):
        got += size
    return got
