"""Havre's own around builds: what a client lends, and the files that it wants instead of an image."""

import base64
import binascii
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from havre.api.decode import read_json
from havre.api.request import Request
from havre.api.response import TAR, Answer, Hijack, Stream, as_json
from havre.api.router import Route
from havre.base.errors import InvalidInput
from havre.wire.build import CreateBuildSession


class Sessions(Protocol):
    """What is asked of the engine."""

    async def create(self, secrets: Mapping[str, bytes], agents: list[str]) -> str:
        """Begin a session; its id."""

    async def offer(self, identifier: str, agent: str, connection: socket.socket) -> None:
        """Hold a connection ready for an agent."""


class ImageTrees(Protocol):
    """What is asked of the engine for outputs that are no images."""

    async def tree(self, ref: str) -> AsyncIterator[bytes]:
        """The files of an image as an archive."""


def routes(sessions: Sessions, trees: ImageTrees) -> list[Route]:
    """The routes that ask *sessions* and *trees*."""

    async def create(request: Request) -> Answer:
        wanted = await read_json(request, CreateBuildSession)
        secrets = {name: _decoded(name, text) for name, text in (wanted.get("Secrets") or {}).items()}
        return as_json({"Id": await sessions.create(secrets, wanted.get("Agents") or [])}, 201)

    async def offer(request: Request) -> Answer:
        await request.body.read()
        identifier, agent = request.parameters["id"], request.parameters["agent"]

        async def take(connection: socket.socket, _early: bytes) -> None:
            await sessions.offer(identifier, agent, connection)

        return Hijack("application/octet-stream", take)

    async def tree(request: Request) -> Answer:
        return Stream(await trees.tree(request.parameters["name"]), TAR)

    return [
        Route("GET", "/images/{name:*}/tree", tree),
        Route("POST", "/build/sessions", create),
        Route("POST", "/build/sessions/{id}/agents/{agent}", offer),
    ]


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"secret {name[:64]} is not in base64") from None
