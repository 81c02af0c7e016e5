"""Networks; the three that always exist can be looked at."""

from typing import NoReturn, Protocol

from havre.api.request import Request
from havre.api.response import Answer, as_json
from havre.api.router import Route
from havre.base.errors import NotSupported
from havre.wire.filters import Filters, parse_filters
from havre.wire.networks import Network


class Networks(Protocol):
    """What is asked of the engine."""

    async def list(self, filters: Filters) -> list[Network]:
        """The networks that pass *filters*."""

    async def inspect(self, ref: str) -> Network:
        """One network by name, id or the beginning of its id."""


def routes(networks: Networks) -> list[Route]:
    """The routes that ask *networks*."""

    async def list_all(request: Request) -> Answer:
        return as_json(await networks.list(parse_filters(request.query.text("filters"))))

    async def inspect(request: Request) -> Answer:
        return as_json(await networks.inspect(request.parameters["id"]))

    async def prune(request: Request) -> Answer:
        parse_filters(request.query.text("filters"))
        return as_json({"NetworksDeleted": None})  # there are none but the three that always stay

    def refuse(_request: Request) -> NoReturn:
        raise NotSupported("user-defined networks are not available in this version of Havre")

    return [
        Route("GET", "/networks", list_all),
        Route("GET", "/networks/", list_all),
        Route("GET", "/networks/{id}", inspect),
        Route("POST", "/networks/prune", prune),
        Route("POST", "/networks/create", refuse),
        Route("POST", "/networks/{id}/connect", refuse),
        Route("POST", "/networks/{id}/disconnect", refuse),
        Route("DELETE", "/networks/{id}", refuse),
    ]
