"""The streams of a running container, on the connection itself."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Protocol

from havre.api import websocket
from havre.api.request import Query, Request
from havre.api.response import Answer, Hijack
from havre.api.router import Route
from havre.api.routes.logs import LineForm, content_type, written
from havre.base.errors import HavreError
from havre.logs.entries import LogLine

_BINARY_SINCE: Final = (1, 28)
_CHOICE_SINCE: Final = (1, 42)


@dataclass(frozen=True, slots=True)
class AttachAsked:
    """What a client wants of the streams: with *logs* what was said before, with *stream* what comes."""

    stream: bool
    logs: bool
    stdin: bool
    stdout: bool
    stderr: bool
    detach_keys: str
    mixed: bool = False
    """Whether the client reads all output as one stream, without frames."""


class Attachable(Protocol):
    """A container whose streams can be had."""

    @property
    def tty(self) -> bool:
        """Whether it writes to a terminal."""

    @property
    def logs(self) -> AsyncIterator[list[LogLine]] | None:
        """What it said before, when that was asked for."""

    async def connect(self, connection: socket.socket, early: bytes) -> None:
        """Join the streams with *connection*, and own it."""


class Attaching(Protocol):
    """What is asked of the engine."""

    async def attach(self, ref: str, asked: AttachAsked) -> Attachable:
        """The streams of the container *ref*. Raises NotFound or Conflict."""


def routes(attaching: Attaching) -> list[Route]:
    """The routes that ask *attaching*."""

    async def attach(request: Request) -> Answer:
        await request.body.read()
        asked = parse_asked(request.query)
        streams = await attaching.attach(request.parameters["id"], asked)
        return Hijack(content_type(streams.tty, request.version), _joiner(streams, asked))

    async def attach_websocket(request: Request) -> Answer:
        asked = _parse_websocket(request)
        streams = await attaching.attach(request.parameters["id"], asked)
        kind = websocket.BINARY if request.version >= _BINARY_SINCE else websocket.TEXT
        return Hijack("", _framer(_joiner(streams, asked), kind), websocket.accept(request))

    return [
        Route("POST", "/containers/{id}/attach", attach),
        Route("GET", "/containers/{id}/attach/ws", attach_websocket),
    ]


def parse_asked(query: Query) -> AttachAsked:
    """What a query asks for."""
    return AttachAsked(
        stream=query.flag("stream"),
        logs=query.flag("logs"),
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        detach_keys=query.text("detachKeys"),
    )


def _parse_websocket(request: Request) -> AttachAsked:
    """A WebSocket carries plain bytes; before 1.42 it always had every stream."""
    asked = parse_asked(request.query)
    if request.version < _CHOICE_SINCE:
        asked = replace(asked, stdin=True, stdout=True, stderr=True)
    return replace(asked, mixed=True)


def _framer(
    join: Callable[[socket.socket, bytes], Awaitable[None]], kind: int
) -> Callable[[socket.socket, bytes], Awaitable[None]]:
    """*join* on one end of a pair, whose other end is carried in frames; the shim never learns of them."""

    async def take(connection: socket.socket, early: bytes) -> None:
        ours, theirs = socket.socketpair()
        failure: HavreError | None = None
        async with asyncio.TaskGroup() as group:
            _ = group.create_task(websocket.pump(connection, ours, kind, early))
            try:
                await join(theirs, b"")
            except HavreError as failed:
                theirs.close()
                failure = failed
        if failure is not None:
            raise failure

    return take


def _joiner(streams: Attachable, asked: AttachAsked) -> Callable[[socket.socket, bytes], Awaitable[None]]:
    async def take(connection: socket.socket, early: bytes) -> None:
        if streams.logs is not None:
            connection.setblocking(False)
            async with aclosing(written(streams.logs, LineForm(streams.tty or asked.mixed))) as pieces:
                async for piece in pieces:
                    await asyncio.get_running_loop().sock_sendall(connection, piece)
        if asked.stream:
            await streams.connect(connection, early)
        else:
            connection.close()

    return take
