"""A request under way: what it is about, who sent it, and the few ways to read it and to answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.registry.server.auth.callers import Caller
from havre.registry.server.notices import Origin
from havre.registry.server.paths import Target
from havre.registry.server.refusal import Code, Refusal

_STALL_S: Final = 60
JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request.

    *origin* is the scheme and host by which the client reached us, *standing* are the headers of every answer.
    """

    request: web.BaseRequest
    target: Target
    caller: Caller
    origin: str
    standing: Mapping[str, str]

    @property
    def method(self) -> str:
        """`GET` also for `HEAD`: the server leaves the body out."""
        return "GET" if self.request.method == "HEAD" else self.request.method

    @property
    def query(self) -> Mapping[str, str]:
        """The query's fields; the first of each name."""
        return self.request.query

    def queries(self, name: str) -> list[str]:
        """Every value of one field of the query."""
        return [value for key, value in parse_qsl(self.request.query_string) if key == name]

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return self.request.headers.get(name, "")

    def headers(self, name: str) -> list[str]:
        """All headers of one name."""
        return self.request.headers.getall(name, [])

    def length(self) -> int | None:
        """What `Content-Length` says, if it is there. Raises Refusal."""
        text = self.header("Content-Length")
        if not text:
            return None
        try:
            return parse_int(text, what="Content-Length")
        except InvalidInput as error:
            raise Refusal(Code.SIZE_INVALID, error.message) from None

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it arrives. Raises ConnectionError when it breaks off, or stands still."""
        try:
            while piece := await self._piece():
                yield piece
        except TimeoutError:
            raise ConnectionResetError(f"no byte of the request's body came for {_STALL_S} s") from None
        except (RequestPayloadError, HttpProcessingError) as error:
            raise ConnectionResetError(f"the request's body broke off: {error}") from error

    async def _piece(self) -> bytes:
        async with asyncio.timeout(_STALL_S):
            return await self.request.content.readany()

    async def read(self, limit: int, what: str) -> bytes:
        """The whole body. Raises Refusal (413) beyond *limit* bytes."""
        too_large = Refusal(Code.SIZE_INVALID, f"{what} has at most {limit} bytes", status=413)
        if (self.length() or 0) > limit:
            raise too_large
        parts = bytearray()
        async for piece in self.body():
            parts += piece
            if len(parts) > limit:
                raise too_large
        return bytes(parts)


def empty(status: int, headers: Mapping[str, str]) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status, headers=headers)


def as_json(
    value: object, *, status: int = 200, content_type: str = JSON, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An answer of JSON."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers={**(headers or {}), "Content-Type": content_type}
    )


def refused(refusal: Refusal) -> web.Response:
    """The answer that *refusal* is."""
    return web.Response(body=refusal.body(), status=refusal.status, headers={**refusal.headers, "Content-Type": JSON})


def origin_of(exchange: Exchange) -> Origin:
    """The request, as notices tell of it."""
    request = exchange.request
    return Origin(
        address=request.remote or "",
        host=request.host,
        method=request.method,
        user_agent=exchange.header("User-Agent")[:256],
        user=exchange.caller.user,
    )
