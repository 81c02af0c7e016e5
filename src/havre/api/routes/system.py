"""The engine about itself."""

from typing import Protocol

from havre.api.request import Request
from havre.api.response import Answer, as_json
from havre.api.router import Route
from havre.wire.system import DiskUsage, Info, Version


class System(Protocol):
    """What is asked of the engine."""

    async def version(self) -> Version:
        """Which engine this is."""

    async def info(self) -> Info:
        """How it and its host are set up."""

    async def df(self) -> DiskUsage:
        """What takes how much of the disk."""


def routes(system: System) -> list[Route]:
    """The routes that ask *system*."""

    async def version(_request: Request) -> Answer:
        return as_json(await system.version())

    async def info(_request: Request) -> Answer:
        return as_json(await system.info())

    async def disk_usage(_request: Request) -> Answer:
        return as_json(await system.df())

    return [
        Route("GET", "/version", version),
        Route("GET", "/info", info),
        Route("GET", "/system/df", disk_usage),
    ]
