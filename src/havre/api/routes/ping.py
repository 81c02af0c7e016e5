"""Is anybody there? Answered before anything else of the engine is up."""

from collections.abc import Mapping
from typing import Final

from havre.api.request import Request
from havre.api.response import TEXT, Response
from havre.api.router import Route

# Builder-Version 1 is the builder behind POST /build, 2 would be BuildKit behind POST /session and /grpc.
_HEADERS: Final[Mapping[str, str]] = {
    "Builder-Version": "1",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}
_GET: Final = Response(200, b"OK", TEXT, _HEADERS)
_HEAD: Final = Response(200, b"", TEXT, _HEADERS)


def routes() -> list[Route]:
    """GET and HEAD of /_ping."""

    def get(_request: Request) -> Response:
        return _GET

    def head(_request: Request) -> Response:
        return _HEAD

    return [Route("GET", "/_ping", get), Route("HEAD", "/_ping", head)]
