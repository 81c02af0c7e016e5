"""The files of a container: changes, export, and the archives of `docker cp`."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Final, Protocol

from havre.api.request import Request
from havre.api.response import TAR, Answer, Response, Stream, as_json, encoded
from havre.api.router import Route
from havre.base.clock import rfc3339
from havre.base.errors import HavreError, InvalidInput

_STAT: Final = "X-Docker-Container-Path-Stat"
_BYTES: Final = "application/octet-stream"
_DRAINED_BYTES: Final = 256 << 10
_DRAINED_S: Final = 1.0


class PathStat(Protocol):
    """One path of a container."""

    @property
    def name(self) -> str:
        """Its last part."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def mode(self) -> int:
        """Kind and permissions in Go's bits."""

    @property
    def mtime_ns(self) -> int:
        """When it was changed."""

    @property
    def link_target(self) -> str:
        """Where a link leads."""


class Files(Protocol):
    """What is asked of the engine."""

    async def changes(self, ref: str) -> bytes:
        """What differs from the image, as JSON."""

    async def export(self, ref: str) -> AsyncIterator[bytes]:
        """The archive of the whole tree."""

    async def stat(self, ref: str, path: str) -> PathStat:
        """What stands at a path."""

    async def take(self, ref: str, path: str, *, glob: bool) -> tuple[PathStat, AsyncIterator[bytes]]:
        """The same, with its archive; with *glob* the path is a pattern."""

    async def put(self, ref: str, path: str, body: AsyncIterator[bytes], *, same_kind: bool, own: bool) -> None:
        """Extract an archive into a folder."""


def routes(files: Files) -> list[Route]:
    """The routes that ask *files*."""

    async def changes(request: Request) -> Answer:
        return as_json(await files.changes(request.parameters["id"]))

    async def export(request: Request) -> Answer:
        return Stream(await files.export(request.parameters["id"]), _BYTES)

    async def head(request: Request) -> Answer:
        status = await files.stat(request.parameters["id"], _path(request))
        return Response(200, headers=_fields(status))

    async def take(request: Request) -> Answer:
        status, archive = await files.take(request.parameters["id"], _path(request), glob=request.query.flag("glob"))
        return Stream(archive, TAR, headers=_fields(status))

    async def put(request: Request) -> Answer:
        query = request.query
        same_kind, own = query.flag("noOverwriteDirNonDir"), query.flag("copyUIDGID")
        try:
            await files.put(request.parameters["id"], _path(request), aiter(request.body), same_kind=same_kind, own=own)
        except HavreError:
            await _drain(request)
            raise
        return Response(200)

    return [
        Route("GET", "/containers/{id}/changes", changes),
        Route("GET", "/containers/{id}/export", export, endless=True),
        Route("HEAD", "/containers/{id}/archive", head),
        Route("GET", "/containers/{id}/archive", take, endless=True),
        Route("PUT", "/containers/{id}/archive", put),
    ]


async def _drain(request: Request) -> None:
    """Take a short rest of the body: a client that is cut off in it would tell of that, and not of our answer."""
    left = _DRAINED_BYTES
    with suppress(TimeoutError, HavreError):
        async with asyncio.timeout(_DRAINED_S):
            async for piece in request.body:
                left -= len(piece)
                if left < 0:
                    return


def _path(request: Request) -> str:
    path = request.query.text("path")
    if not path:
        raise InvalidInput("bad parameter: pathcannot be empty")
    return path


def _fields(status: PathStat) -> Mapping[str, str]:
    told = {
        "name": status.name,
        "size": status.size,
        "mode": status.mode,
        "mtime": rfc3339(status.mtime_ns),
        "linkTarget": status.link_target,
    }
    return {_STAT: base64.b64encode(encoded(told)).decode()}
