"""Havre's own: a lease is held by a connection."""

from collections.abc import AsyncIterator
from typing import Protocol

from havre.api.lines import json_lines
from havre.api.request import Request
from havre.api.response import Answer, Stream
from havre.api.router import Route
from havre.base.errors import InvalidInput
from havre.wire.leases import LeaseHeld


class Leases(Protocol):
    """What is asked of the engine."""

    def hold(self, name: str, grace_s: float | None) -> AsyncIterator[LeaseHeld]:
        """Hold a lease until the iteration ends."""


def routes(leases: Leases) -> list[Route]:
    """The one route that asks *leases*."""

    async def hold(request: Request) -> Answer:
        return Stream(json_lines(leases.hold(request.parameters["name"], _seconds(request.query.find("grace")))))

    return [Route("GET", "/leases/{name}", hold, endless=True)]


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"invalid grace: {text[:64]!r} is no number of seconds") from None
