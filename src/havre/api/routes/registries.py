"""Registries besides images: logins, searches, and what a name means there."""

from typing import Protocol

from havre.api.credentials import auth_of
from havre.api.decode import read_json
from havre.api.request import Request
from havre.api.response import Answer, as_json
from havre.api.router import Route
from havre.base.numbers import parse_int
from havre.wire.filters import Filters, parse_filters
from havre.wire.images import AuthConfig, AuthResponse, DistributionInspect, SearchResult


class Registries(Protocol):
    """What is asked of the engine."""

    async def login(self, auth: AuthConfig) -> AuthResponse:
        """Try a login."""

    async def search(self, term: str, limit: int | None, filters: Filters, auth: AuthConfig) -> list[SearchResult]:
        """The repositories that fit *term* and pass *filters*."""

    async def distribution(self, name: str, auth: AuthConfig) -> DistributionInspect:
        """What *name* means in its registry, and for which machines it is there."""


def routes(registries: Registries) -> list[Route]:
    """The routes that ask *registries*."""

    async def login(request: Request) -> Answer:
        return as_json(await registries.login(await read_json(request, AuthConfig, required=True)))

    async def search(request: Request) -> Answer:
        query = request.query
        limit = query.find("limit")
        found = await registries.search(
            query.text("term"),
            parse_int(limit, what="limit") if limit is not None else None,
            parse_filters(query.text("filters")),
            auth_of(request),
        )
        return as_json(found)

    async def distribution(request: Request) -> Answer:
        return as_json(await registries.distribution(request.parameters["name"], auth_of(request)))

    return [
        Route("POST", "/auth", login, endless=True),
        Route("GET", "/images/search", search, endless=True),
        Route("GET", "/distribution/{name:*}/json", distribution, endless=True),
    ]
