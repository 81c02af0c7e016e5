"""The streams of a running container, on the connection itself."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from havre.api.request import Query, Request
from havre.api.response import Answer, Hijack
from havre.api.router import Route
from havre.api.routes.logs import LineForm, content_type, written
from havre.logs.entries import LogLine


@dataclass(frozen=True, slots=True)
class AttachAsked:
    """What a client wants of the streams: with *logs* what was said before, with *stream* what comes."""

    stream: bool
    logs: bool
    stdin: bool
    stdout: bool
    stderr: bool
    detach_keys: str


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
    """The one route that asks *attaching*."""

    async def attach(request: Request) -> Answer:
        await request.body.read()
        asked = parse_asked(request.query)
        streams = await attaching.attach(request.parameters["id"], asked)
        return Hijack(content_type(streams.tty, request.version), _joiner(streams, asked))

    return [Route("POST", "/containers/{id}/attach", attach)]


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


def _joiner(streams: Attachable, asked: AttachAsked) -> Callable[[socket.socket, bytes], Awaitable[None]]:
    async def take(connection: socket.socket, early: bytes) -> None:
        if streams.logs is not None:
            connection.setblocking(False)
            async with aclosing(written(streams.logs, LineForm(streams.tty))) as pieces:
                async for piece in pieces:
                    await asyncio.get_running_loop().sock_sendall(connection, piece)
        if asked.stream:
            await streams.connect(connection, early)
        else:
            connection.close()

    return take
