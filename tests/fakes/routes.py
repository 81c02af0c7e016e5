"""Routes that stand for every kind of work a connection can carry."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable

from havre.api.request import Request
from havre.api.response import Answer, Hijack, Response, Stream, as_json
from havre.api.router import Route
from havre.base.errors import Conflict, NotFound
from havre.wire.stream import RAW_STREAM


class Probe:
    """What happened inside the handlers."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.ended = threading.Event()
        self.began = threading.Event()
        self.sizes: list[int] = []
        self.received = 0
        self.go_on: asyncio.Event | None = None
        self.errors: list[BaseException] = []

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/quick", lambda _: as_json({"quick": True})),
            Route("GET", "/slow", self._slow),
            Route("POST", "/echo", self._echo),
            Route("POST", "/sink", self._sink),
            Route("POST", "/deaf", self._deaf),
            Route("GET", "/endless", self._endless, endless=True),
            Route("GET", "/flood", self._flood),
            Route("GET", "/broken", self._broken),
            Route("GET", "/missing", self._missing),
            Route("POST", "/conflict", self._conflict),
            Route("POST", "/hijack", self._hijack),
            Route("GET", "/things/{id}/json", self._thing),
            Route("GET", "/images/{name:*}/json", self._thing),
        ]

    async def _slow(self, _request: Request) -> Answer:
        self.began.set()
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.ended.set()
        return as_json({"slow": True})

    async def _echo(self, request: Request) -> Answer:
        return Response(200, await request.body.read(), "application/octet-stream")

    async def _sink(self, request: Request) -> Answer:
        """Reads the body only as fast as `go_on` allows."""
        self.go_on = asyncio.Event()
        self.began.set()
        await self.go_on.wait()
        try:
            async for piece in request.body:
                self.received += len(piece)
        except Exception as broken:
            self.errors.append(broken)
            raise
        return as_json({"received": self.received})

    async def _deaf(self, _request: Request) -> Answer:
        raise Conflict("not now")

    async def _endless(self, _request: Request) -> Answer:
        async def pieces() -> AsyncIterator[bytes]:
            self.began.set()
            try:
                await asyncio.Event().wait()
                yield b""
            finally:
                self.cancelled.set()

        return Stream(pieces())

    async def _flood(self, _request: Request) -> Answer:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    self.received += 65536
                    yield b"x" * 65536
                    await asyncio.sleep(0)
            finally:
                self.cancelled.set()

        return Stream(pieces())

    def _broken(self, _request: Request) -> Response:
        raise KeyError("secret-canary")

    def _missing(self, _request: Request) -> Response:
        raise NotFound("No such thing: x")

    async def _conflict(self, request: Request) -> Answer:
        await request.body.read()
        raise Conflict("already there")

    async def _hijack(self, request: Request) -> Answer:
        body = await request.body.read()

        async def take(connection: socket.socket, early: bytes) -> None:
            kept = socket.socket(fileno=connection.detach())
            threading.Thread(target=self._echo_raw, args=(kept, body, early), daemon=True).start()

        return Hijack(RAW_STREAM, take)

    def _echo_raw(self, connection: socket.socket, body: bytes, early: bytes) -> None:
        """Says the body, then what the client says until it half-closes, then that it heard the end."""
        with connection:
            connection.settimeout(20)
            with contextlib.suppress(OSError):
                connection.sendall(b"[" + body + b"]" + early)
                while data := connection.recv(65536):
                    connection.sendall(data)
                connection.sendall(b"<end>")
            self.ended.set()

    def _thing(self, request: Request) -> Response:
        return as_json({**request.parameters, "version": list(request.version)})


def on_loop_event(set_it: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon_threadsafe(set_it)
