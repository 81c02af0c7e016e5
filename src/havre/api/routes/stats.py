"""What containers use."""

from collections.abc import AsyncIterator
from typing import Protocol

from havre.api.lines import json_lines
from havre.api.request import Request
from havre.api.response import Answer, Stream, as_json
from havre.api.router import Route
from havre.base.errors import InvalidInput
from havre.wire.stats import ContainerStats


class Stats(Protocol):
    """What is asked of the engine."""

    async def once(self, ref: str, *, one_shot: bool) -> ContainerStats:
        """One line."""

    def watch(self, ref: str) -> AsyncIterator[ContainerStats]:
        """A line a second. Raises NotFound at the call."""


def routes(stats: Stats) -> list[Route]:
    """The one route that asks *stats*."""

    async def read(request: Request) -> Answer:
        query, ref = request.query, request.parameters["id"]
        stream = query.find("stream") is None or query.flag("stream")
        one_shot = query.flag("one-shot")
        if stream and one_shot:
            raise InvalidInput("cannot have stream=true and one-shot=true")
        if stream:
            return Stream(json_lines(stats.watch(ref)))
        return as_json(await stats.once(ref, one_shot=one_shot))

    return [Route("GET", "/containers/{id}/stats", read, endless=True)]
