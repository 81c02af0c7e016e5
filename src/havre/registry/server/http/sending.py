"""Sending a stored blob: the kernel copies it from the file to the socket."""

import asyncio
import io
from collections.abc import Mapping

from aiohttp import web

from havre.registry.server.ranges import Span


async def send_file(
    request: web.BaseRequest, file: io.FileIO, size: int, span: Span | None, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with the *span* of *file* (200 and all of it for None). Raises ConnectionError when the client goes."""
    response = web.StreamResponse(status=200 if span is None else 206, headers=headers)
    part = span or Span(0, size - 1)
    if span is not None:
        response.headers["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    response.content_length = part.size
    await response.prepare(request)
    if request.method != "HEAD" and part.size > 0:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        await asyncio.get_running_loop().sendfile(transport, file, part.first, part.size)
    await response.write_eof()
    return response
