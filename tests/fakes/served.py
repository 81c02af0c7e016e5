"""A real server in a thread of its own, and a client that shows every byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from havre.api.router import Route, Router
from havre.api.routes import ping
from havre.api.server import Server

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class Served:
    """`routes` behind a unix socket in `folder`, or behind TCP on loopback when there is no folder."""

    def __init__(
        self,
        routes: Sequence[Route],
        folder: Path | None = None,
        *,
        loop_factory: LoopFactory = asyncio.new_event_loop,
        context: ssl.SSLContext | None = None,
        limit: int = 1000,
        opened: bool = True,
    ) -> None:
        self._routes, self._factory, self._context, self._limit = routes, loop_factory, context, limit
        self._opened = opened
        if folder is None:
            self._listening = socket.create_server(("127.0.0.1", 0))
        else:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(folder / "api.sock"))
            self._listening.listen(100)
        self.address = self._listening.getsockname()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def connect(self) -> socket.socket:
        sock = socket.socket(self._listening.family)
        sock.settimeout(20)
        sock.connect(self.address)
        return sock

    def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._factory) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.server = Server(Router(ping.routes()), limit=self._limit)
        if self._opened:
            self.server.open(Router(self._routes))
        await self.server.listen(self._listening, self._context)
        self._ready.set()
        await self._stop.wait()
        await self.server.close(0.2)


class Talk:
    """One connection, read strictly."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def request(self, method: str, target: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: docker"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body and "Transfer_Encoding" not in headers:
            lines.append(f"Content-Length: {len(body)}")
            if "Content_Type" not in headers:
                lines.append("Content-Type: application/json")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def head(self) -> tuple[int, str, dict[str, str]]:
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        _, status, reason = first.split(" ", 2)
        fields = dict(line.split(": ", 1) for line in lines)
        return int(status), reason, {name.lower(): value for name, value in fields.items()}

    def answer(self, *, bodiless: bool = False) -> Answer:
        status, reason, fields = self.head()
        if bodiless or status in (101, 204, 304):
            body = b""
        elif fields.get("transfer-encoding") == "chunked":
            body = b""
            while piece := self.chunk():
                body += piece
        elif "content-length" in fields:
            body = self.exactly(int(fields["content-length"]))
        else:
            body = self.until_closed()
        return Answer(status, reason, fields, body)

    def chunk(self) -> bytes:
        while b"\r\n" not in self.rest:
            self._more()
        size, _, self.rest = self.rest.partition(b"\r\n")
        piece = self.exactly(int(size, 16))
        assert self.exactly(2) == b"\r\n"
        return piece

    def exactly(self, size: int) -> bytes:
        while len(self.rest) < size:
            self._more()
        piece, self.rest = self.rest[:size], self.rest[size:]
        return piece

    def until_closed(self) -> bytes:
        while data := self.sock.recv(65536):
            self.rest += data
        piece, self.rest = self.rest, b""
        return piece

    def closed(self) -> bool:
        try:
            return self.rest == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(f"closed after {self.rest!r}")
        self.rest += data
