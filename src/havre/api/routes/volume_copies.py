"""Havre's own verbs on volumes: archives, copies, other names, more room."""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from havre.api.request import Request
from havre.api.response import Answer, Response, Stream
from havre.api.router import Route

_TAR: Final = "application/x-tar"


class VolumeCopies(Protocol):
    """What is asked of the engine."""

    async def export(self, name: str) -> AsyncIterator[bytes]:
        """The content as an archive."""

    async def take_in(self, name: str, archive: AsyncIterator[bytes]) -> None:
        """Fill one from an archive."""

    async def clone(self, name: str, to: str) -> None:
        """Copy one."""

    async def rename(self, name: str, to: str) -> None:
        """Give it another name."""

    async def resize(self, name: str, size: str) -> None:
        """Let one with a size hold more."""


def routes(copies: VolumeCopies) -> list[Route]:
    """The routes that ask *copies*."""

    async def export(request: Request) -> Answer:
        return Stream(await copies.export(request.parameters["name"]), _TAR)

    async def take_in(request: Request) -> Answer:
        await copies.take_in(request.parameters["name"], aiter(request.body))
        return Response(204)

    async def clone(request: Request) -> Answer:
        await copies.clone(request.parameters["name"], request.query.text("to"))
        return Response(204)

    async def rename(request: Request) -> Answer:
        await copies.rename(request.parameters["name"], request.query.text("to"))
        return Response(204)

    async def resize(request: Request) -> Answer:
        await copies.resize(request.parameters["name"], request.query.text("size"))
        return Response(204)

    return [
        Route("GET", "/volumes/{name}/export", export),
        Route("POST", "/volumes/{name}/import", take_in),
        Route("POST", "/volumes/{name}/clone", clone),
        Route("POST", "/volumes/{name}/rename", rename),
        Route("POST", "/volumes/{name}/resize", resize),
    ]
