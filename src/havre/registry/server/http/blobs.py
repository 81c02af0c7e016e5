"""`/v2/<name>/blobs/<digest>`: whole, in part, or not again (distribution-spec, "Pulling blobs")."""

from collections.abc import Mapping

from aiohttp import web

from havre.base.tasks import in_thread
from havre.registry.server.fetching import Arriving, Source
from havre.registry.server.http.exchange import Exchange, empty, origin_of
from havre.registry.server.http.sending import send_file
from havre.registry.server.negotiate import matches_etag
from havre.registry.server.notices import Board, Notice
from havre.registry.server.paths import BlobAt
from havre.registry.server.ranges import Span, parse_range
from havre.registry.server.repositories import Repositories, unknown_blob

_TYPE = "application/octet-stream"


class BlobRoutes:
    """Blobs by their digest."""

    def __init__(self, repositories: Repositories, source: Source, board: Board) -> None:
        self._repositories = repositories
        self._source = source
        self._board = board

    async def get(self, exchange: Exchange, at: BlobAt) -> web.StreamResponse:
        """GET and HEAD, with `Range`, `If-Range` and `If-None-Match`."""
        headers = {
            **exchange.standing,  # an answer that is sent in pieces is on its way before the dispatcher sees it
            "Docker-Content-Digest": str(at.digest),
            "ETag": f'"{at.digest}"',
            "Accept-Ranges": "bytes",
            "Cache-Control": "max-age=31536000",
            "Content-Type": _TYPE,
        }
        if exchange.request.method == "HEAD":
            size = await self._source.blob_size(at.name, at.digest)
            return empty(200, {**headers, "Content-Length": str(size)})
        found = await self._source.blob(at.name, at.digest)
        if matches_etag(exchange.header("If-None-Match"), str(at.digest)):
            return empty(304, headers)
        size = found if isinstance(found, int) else found.size
        span = self._span(exchange, at, size)
        if not isinstance(found, int):
            response = await _relay(exchange.request, found, span, headers)
        else:
            file = self._repositories.content.open_file(at.digest)
            with file:  # once it is open, a deletion does not cut what is sent
                response = await send_file(exchange.request, file, size, span, headers)
        self._tell(exchange, at, size, "pull")
        return response

    async def delete(self, exchange: Exchange, at: BlobAt) -> web.StreamResponse:
        """DELETE: the repository holds the blob no longer."""
        size = self._repositories.records.blobs.find(at.name, at.digest)
        if size is None:
            raise unknown_blob(at.digest)
        await in_thread(self._repositories.delete_blob, at.name, at.digest)
        self._tell(exchange, at, size, "delete")
        return empty(202, {"Docker-Content-Digest": str(at.digest)})

    def _span(self, exchange: Exchange, at: BlobAt, size: int) -> Span | None:
        condition = exchange.header("If-Range")
        if condition and condition.strip() != f'"{at.digest}"':
            return None
        wanted = exchange.header("Range")
        return parse_range(wanted, size) if wanted else None

    def _tell(self, exchange: Exchange, at: BlobAt, size: int, action: str) -> None:
        self._board.tell(
            Notice(
                action=action,
                repository=at.name,
                url=f"{exchange.origin}/v2/{at.name}/blobs/{at.digest}",
                origin=origin_of(exchange),
                digest=str(at.digest),
                media_type=_TYPE,
                size=size,
            )
        )


async def _relay(
    request: web.BaseRequest, arriving: Arriving, span: Span | None, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send a blob while it arrives. Raises ConnectionError when either end goes: the client sees a short body."""
    response = web.StreamResponse(status=200 if span is None else 206, headers=headers)
    part = span or Span(0, arriving.size - 1)
    if span is not None:
        response.headers["Content-Range"] = f"bytes {span.first}-{span.last}/{arriving.size}"
    response.content_length = part.size
    pieces = arriving.read(part.first, part.last)
    first = await anext(pieces, b"")  # a refusal up to here still becomes a clear answer
    await response.prepare(request)
    await response.write(first)
    async for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response
