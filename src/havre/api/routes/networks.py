"""Networks."""

from typing import Protocol

from havre.api.decode import read_json
from havre.api.request import Request
from havre.api.response import Answer, Response, as_json
from havre.api.router import Route
from havre.wire.filters import Filters, parse_filters
from havre.wire.networks import (
    ConnectNetwork,
    CreateNetwork,
    DisconnectNetwork,
    Network,
    NetworkCreated,
    PruneNetworksReport,
)


class Networks(Protocol):
    """What is asked of the engine."""

    async def list(self, filters: Filters) -> list[Network]:
        """The networks that pass *filters*."""

    async def inspect(self, ref: str) -> Network:
        """One network by name, id or the beginning of its id."""

    async def create(self, wanted: CreateNetwork) -> NetworkCreated:
        """Make one."""

    async def remove(self, ref: str) -> None:
        """Let one go."""

    async def prune(self, filters: Filters) -> PruneNetworksReport:
        """Let go of those that nobody uses."""

    async def connect(self, ref: str, wanted: ConnectNetwork) -> None:
        """Connect a container."""

    async def disconnect(self, ref: str, wanted: DisconnectNetwork) -> None:
        """Take a container off."""


def routes(networks: Networks) -> list[Route]:
    """The routes that ask *networks*."""

    async def list_all(request: Request) -> Answer:
        return as_json(await networks.list(parse_filters(request.query.text("filters"))))

    async def inspect(request: Request) -> Answer:
        return as_json(await networks.inspect(request.parameters["id"]))

    async def create(request: Request) -> Answer:
        return as_json(await networks.create(await read_json(request, CreateNetwork)), status=201)

    async def remove(request: Request) -> Answer:
        await networks.remove(request.parameters["id"])
        return Response(204)

    async def prune(request: Request) -> Answer:
        return as_json(await networks.prune(parse_filters(request.query.text("filters"))))

    async def connect(request: Request) -> Answer:
        await networks.connect(request.parameters["id"], await read_json(request, ConnectNetwork))
        return Response(200)

    async def disconnect(request: Request) -> Answer:
        await networks.disconnect(request.parameters["id"], await read_json(request, DisconnectNetwork))
        return Response(200)

    return [
        Route("GET", "/networks", list_all),
        Route("GET", "/networks/", list_all),
        Route("GET", "/networks/{id}", inspect),
        Route("POST", "/networks/prune", prune),
        Route("POST", "/networks/create", create),
        Route("POST", "/networks/{id}/connect", connect),
        Route("POST", "/networks/{id}/disconnect", disconnect),
        Route("DELETE", "/networks/{id}", remove),
    ]
