"""Volumes."""

from typing import Final, NoReturn, Protocol

from havre.api.decode import read_json
from havre.api.request import Request
from havre.api.response import Answer, Response, as_json
from havre.api.router import Route
from havre.base.errors import Unavailable
from havre.wire.filters import Filters, parse_filters
from havre.wire.volumes import CreateVolume, PruneVolumesReport, Volume, VolumeList

_PRUNES_ANONYMOUS_ONLY_SINCE: Final = (1, 42)


class Volumes(Protocol):
    """What is asked of the engine."""

    async def list(self, filters: Filters) -> VolumeList:
        """The volumes that pass *filters*."""

    async def inspect(self, name: str) -> Volume:
        """One volume."""

    async def create(self, wanted: CreateVolume) -> Volume:
        """Make one."""

    async def remove(self, name: str, *, force: bool) -> None:
        """Let one go."""

    async def prune(self, filters: Filters) -> PruneVolumesReport:
        """Let go of those that nobody holds."""


def routes(volumes: Volumes) -> list[Route]:
    """The routes that ask *volumes*."""

    async def list_all(request: Request) -> Answer:
        return as_json(await volumes.list(parse_filters(request.query.text("filters"))))

    async def inspect(request: Request) -> Answer:
        return as_json(await volumes.inspect(request.parameters["name"]))

    async def create(request: Request) -> Answer:
        return as_json(await volumes.create(await read_json(request, CreateVolume)), status=201)

    async def remove(request: Request) -> Answer:
        await volumes.remove(request.parameters["name"], force=request.query.flag("force"))
        return Response(204)

    async def prune(request: Request) -> Answer:
        filters = parse_filters(request.query.text("filters"))
        if request.version < _PRUNES_ANONYMOUS_ONLY_SINCE:
            filters = {**filters, "all": frozenset({"true"})}
        return as_json(await volumes.prune(filters))

    def update(_request: Request) -> NoReturn:
        raise Unavailable("This node is not a swarm manager, and only cluster volumes can be updated.")

    return [
        Route("GET", "/volumes", list_all),
        Route("GET", "/volumes/{name}", inspect),
        Route("POST", "/volumes/create", create),
        Route("POST", "/volumes/prune", prune),
        Route("DELETE", "/volumes/{name}", remove),
        Route("PUT", "/volumes/{name}", update),
    ]
