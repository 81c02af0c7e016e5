"""The engine about itself."""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from havre.api.lines import json_lines
from havre.api.request import Request
from havre.api.response import Answer, Stream, as_json
from havre.api.router import Route
from havre.wire.system import CheckLine, DiskUsage, Info, Version

_BUILDER_SIZE_UNTIL: Final = (1, 42)
"""Clients of later versions add up the cache themselves, without what images share."""


class System(Protocol):
    """What is asked of the engine."""

    async def version(self) -> Version:
        """Which engine this is."""

    async def info(self) -> Info:
        """How it and its host are set up."""

    async def df(self, kinds: frozenset[str] = frozenset()) -> DiskUsage:
        """What takes how much of the disk: all of it, or only these *kinds*. Raises InvalidInput for one unknown."""

    def check(self, *, repair: bool) -> AsyncIterator[CheckLine]:
        """Verify all that is stored, and mend it with *repair*: Havre's own."""


def routes(system: System) -> list[Route]:
    """The routes that ask *system*."""

    async def version(_request: Request) -> Answer:
        return as_json(await system.version())

    async def info(_request: Request) -> Answer:
        return as_json(await system.info())

    async def disk_usage(request: Request) -> Answer:
        usage = await system.df(frozenset(request.query.all("type")))
        if request.version < _BUILDER_SIZE_UNTIL:
            usage["BuilderSize"] = sum(item.get("Size") or 0 for item in usage.get("BuildCache") or ())
        return as_json(usage)

    async def check(request: Request) -> Answer:
        return Stream(json_lines(system.check(repair=request.query.flag("repair"))))

    return [
        Route("POST", "/system/check", check),
        Route("GET", "/version", version),
        Route("GET", "/info", info),
        Route("GET", "/system/df", disk_usage),
    ]
