"""The engine about itself."""

from collections.abc import AsyncIterator
from typing import Protocol

from havre.api.lines import json_lines
from havre.api.request import Request
from havre.api.response import Answer, Stream, as_json
from havre.api.router import Route
from havre.wire.system import CheckLine, DiskUsage, Info, Version


class System(Protocol):
    """What is asked of the engine."""

    async def version(self) -> Version:
        """Which engine this is."""

    async def info(self) -> Info:
        """How it and its host are set up."""

    async def df(self) -> DiskUsage:
        """What takes how much of the disk."""

    def check(self, *, repair: bool) -> AsyncIterator[CheckLine]:
        """Verify all that is stored, and mend it with *repair*: Havre's own."""


def routes(system: System) -> list[Route]:
    """The routes that ask *system*."""

    async def version(_request: Request) -> Answer:
        return as_json(await system.version())

    async def info(_request: Request) -> Answer:
        return as_json(await system.info())

    async def disk_usage(_request: Request) -> Answer:
        return as_json(await system.df())

    async def check(request: Request) -> Answer:
        return Stream(json_lines(system.check(repair=request.query.flag("repair"))))

    return [
        Route("POST", "/system/check", check),
        Route("GET", "/version", version),
        Route("GET", "/info", info),
        Route("GET", "/system/df", disk_usage),
    ]
