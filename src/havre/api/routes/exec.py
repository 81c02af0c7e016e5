"""Further processes in a running container."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from havre.api.decode import read_json
from havre.api.request import Request
from havre.api.response import Answer, Hijack, Response, as_json
from havre.api.router import Route
from havre.api.routes.containers import parse_size
from havre.api.routes.logs import content_type
from havre.base.errors import HavreError, InvalidInput
from havre.wire.exec import ExecConfig, ExecInspect, ExecStart
from havre.wire.stream import STDOUT, header


class Execs(Protocol):
    """What is asked of the engine."""

    async def create(self, ref: str, wanted: ExecConfig) -> str:
        """Write down what is to run in the container *ref*; gives the id of the exec."""

    async def start(self, exec_id: str, wanted: ExecStart, connection: socket.socket | None, early: bytes) -> None:
        """Run it, on *connection* or alone. Returns when it runs; owns the socket from the call on."""

    async def inspect(self, exec_id: str) -> ExecInspect:
        """How it is, and how it ended."""

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Tell its terminal a new size."""


def routes(execs: Execs) -> list[Route]:
    """The routes that ask *execs*."""

    async def create(request: Request) -> Answer:
        wanted = await read_json(request, ExecConfig, required=True)
        if not wanted.get("Cmd"):
            raise InvalidInput("no exec command specified")
        return as_json({"Id": await execs.create(request.parameters["id"], wanted)}, 201)

    async def start(request: Request) -> Answer:
        wanted = await read_json(request, ExecStart)
        exec_id = request.parameters["id"]
        await execs.inspect(exec_id)  # what does not exist must be told before the connection is taken over
        if wanted.get("Detach"):
            await execs.start(exec_id, wanted, None, b"")
            return Response(200)
        tty = wanted.get("Tty") or False
        return Hijack(content_type(tty, request.version), _starter(execs, exec_id, wanted))

    async def inspect(request: Request) -> Answer:
        return as_json(await execs.inspect(request.parameters["id"]))

    async def resize(request: Request) -> Answer:
        await execs.resize(request.parameters["id"], *parse_size(request.query))
        return Response(200)

    return [
        Route("POST", "/containers/{id}/exec", create),
        Route("POST", "/exec/{id}/start", start),
        Route("GET", "/exec/{id}/json", inspect),
        Route("POST", "/exec/{id}/resize", resize),
    ]


def _starter(execs: Execs, exec_id: str, wanted: ExecStart) -> Callable[[socket.socket, bytes], Awaitable[None]]:
    async def take(connection: socket.socket, early: bytes) -> None:
        own = connection.dup()  # the engine closes its own; a failure is told on this one
        try:
            await execs.start(exec_id, wanted, connection, early)
        except HavreError as failed:
            text = f"{failed.message}\r\n".encode()
            framed = text if wanted.get("Tty") else header(STDOUT, len(text)) + text
            own.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(own, framed)
        finally:
            own.close()

    return take
