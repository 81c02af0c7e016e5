"""A daemon that answers by a script: a thread on a unix socket, one list of answers a connection."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 20


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The daemon's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    def head(self) -> Request | None:
        """A request without its body; None at the end of the connection."""
        first = self._file.readline().decode("latin-1")
        if not first:
            return None
        method, target, protocol = first.rstrip("\r\n").split(" ")
        assert protocol == "HTTP/1.1"
        headers = {}
        while line := self._file.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return Request(method, target, headers, b"")

    def request(self) -> Request | None:
        head = self.head()
        if head is None:
            return None
        if head.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._file.readline(), 16):
                body += self._file.read(size)
                assert self._file.readline() == b"\r\n"
            assert self._file.readline() == b"\r\n"
        else:
            body = self._file.read(int(head.headers.get("content-length", "0")))
        return Request(head.method, head.target, head.headers, body)

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self) -> None:
        self._file.close()
        self.socket.close()


Step = bytes | Callable[[Peer], None]  # what to answer to one request, or who does all of it


class ScriptedDaemon:
    """Serves one connection after the other; each is closed at the end of its own steps."""

    def __init__(self, path: Path, connections: Sequence[Sequence[Step]]) -> None:
        self.host = f"unix://{path}"
        self.requests: list[Request] = []
        self.error: BaseException | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(PATIENCE_S)
        self._connections = connections
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def targets(self) -> list[str]:
        return [f"{request.method} {request.target}" for request in self.requests]

    def end(self) -> None:
        """Wait until all was said. Raises what went wrong in the script."""
        self._thread.join()
        self._listener.close()
        if self.error is not None:
            raise self.error

    def _serve(self) -> None:
        try:
            for steps in self._connections:
                connection, _ = self._listener.accept()
                connection.settimeout(PATIENCE_S)
                peer = Peer(connection)
                try:
                    self._talk(peer, steps)
                finally:
                    peer.close()
        except (OSError, AssertionError, ValueError) as error:
            self.error = error

    def _talk(self, peer: Peer, steps: Sequence[Step]) -> None:
        for step in steps:
            if callable(step):
                step(peer)
                continue
            request = peer.request()
            assert request is not None, f"no request came for {step[:60]!r}"
            self.requests.append(request)
            peer.send(step)


def answer(status: int, document: object = None, **headers: str) -> bytes:
    """A whole answer with a JSON body (or the bytes given) and its length."""
    body = document if isinstance(document, bytes) else b"" if document is None else json.dumps(document).encode()
    fields = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    """A whole answer in chunks."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%X\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n" + trailer + b"\r\n"
