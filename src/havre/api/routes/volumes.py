"""Volumes."""

from typing import Final, Protocol

from havre.api.decode import read_json
from havre.api.request import Request
from havre.api.response import Answer, Response, as_json
from havre.api.router import Route
from havre.wire.filters import Filters, parse_filters
from havre.wire.volumes import CreateVolume, PruneVolumesReport, Volume, VolumeList

_ANONYMOUS_ONLY_SINCE: Final = (1, 42)


class Volumes(Protocol):
    """What is asked of the engine."""

    async def create(self, wanted: CreateVolume) -> Volume:
        """Make one, or show the one that is there."""

    async def list(self, filters: Filters) -> VolumeList:
        """Those that pass *filters*."""

    async def inspect(self, name: str) -> Volume:
        """One."""

    async def remove(self, name: str, *, force: bool) -> None:
        """Destroy one."""

    async def update(self, name: str) -> None:
        """Change one of a cluster."""

    async def prune(self, filters: Filters, *, every: bool) -> PruneVolumesReport:
        """Remove those that nobody refers to."""


def routes(volumes: Volumes) -> list[Route]:
    """The routes that ask *volumes*."""

    async def create(request: Request) -> Answer:
        wanted = await read_json(request, CreateVolume)
        return as_json(await volumes.create(wanted), status=201)

    async def list_all(request: Request) -> Answer:
        return as_json(await volumes.list(parse_filters(request.query.text("filters"))))

    async def inspect(request: Request) -> Answer:
        return as_json(await volumes.inspect(request.parameters["name"]))

    async def remove(request: Request) -> Answer:
        await volumes.remove(request.parameters["name"], force=request.query.flag("force"))
        return Response(204)

    async def update(request: Request) -> Answer:
        await volumes.update(request.parameters["name"])
        return Response(204)

    async def prune(request: Request) -> Answer:
        filters = parse_filters(request.query.text("filters"))
        return as_json(await volumes.prune(filters, every=request.version < _ANONYMOUS_ONLY_SINCE))

    return [
        Route("POST", "/volumes/create", create),
        Route("GET", "/volumes", list_all),
        Route("GET", "/volumes/{name}", inspect),
        Route("DELETE", "/volumes/{name}", remove),
        Route("PUT", "/volumes/{name}", update),
        Route("POST", "/volumes/prune", prune),
    ]
