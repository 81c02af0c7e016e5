"""What happens, as it happens."""

from collections.abc import AsyncIterator
from typing import Protocol

from havre.api.lines import json_lines
from havre.api.request import Request
from havre.api.response import Answer, Stream
from havre.api.router import Route
from havre.api.times import parse_moment
from havre.base.errors import InvalidInput
from havre.wire.events import EventMessage
from havre.wire.filters import Filters, parse_filters


class Events(Protocol):
    """What is asked of the engine."""

    def subscribe(
        self, filters: Filters, since_ns: int | None = None, until_ns: int | None = None
    ) -> AsyncIterator[EventMessage]:
        """The events of a time that pass *filters*."""


def routes(events: Events) -> list[Route]:
    """The one route that asks *events*."""

    async def stream(request: Request) -> Answer:
        query = request.query
        since_ns = parse_moment(query.text("since"), what="since")
        until_ns = parse_moment(query.text("until"), what="until")
        if since_ns is not None and until_ns is not None and until_ns < since_ns:
            raise InvalidInput(
                f"`since` time ({query.text('since')}) cannot be after `until` time ({query.text('until')})"
            )
        filters = parse_filters(query.text("filters"))
        return Stream(json_lines(events.subscribe(filters, since_ns, until_ns)))

    return [Route("GET", "/events", stream, endless=True)]
